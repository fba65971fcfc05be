//! Tests of the layout.

mod picking;

use std::collections::BTreeSet;

use super::*;
use crate::hook::BlockSite;
use crate::weight::WeightSite;

fn config(n_layers: usize, n_heads: usize, d_head: usize, d_mlp: usize) -> ModelConfig {
    ModelConfig {
        n_layers,
        n_heads,
        d_head,
        d_model: n_heads * d_head,
        d_mlp,
        d_vocab: 97,
        ..ModelConfig::preset("gpt2").unwrap()
    }
}

/// One of each kind: plain, with shared keys and a gate, with norms of heads that are together wider
/// than the stream, and with attention and MLP side by side.
const KINDS: [&str; 5] = [
    "gpt2",
    "llama-3-8b",
    "qwen2-0.5b",
    "qwen3-0.6b",
    "pythia-160m",
];

/// A small shape of this kind.
fn small(name: &str) -> ModelConfig {
    let preset = ModelConfig::preset(name).unwrap();
    let is_wide = preset.n_heads * preset.d_head > preset.d_model;
    ModelConfig {
        n_layers: 2,
        n_heads: 6,
        n_kv_heads: if preset.has_shared_keys() { 2 } else { 6 },
        d_head: 10,
        d_model: if is_wide { 30 } else { 60 },
        d_mlp: 70,
        d_vocab: 97,
        ..preset
    }
}

#[test]
fn gpt2_medium_with_12_tokens_has_the_proportions_of_the_plan() {
    let config = ModelConfig::preset("gpt2-medium").unwrap();

    let layout = ModelLayout::new(&config, 12);

    assert_eq!(layout.tile_size, Vec2::splat(32.0));
    assert_eq!(layout.lane_pitch, 40.0);
    assert!(
        (440.0..520.0).contains(&layout.width()),
        "{}",
        layout.width()
    );
    assert!(
        (5000.0..9500.0).contains(&-layout.exit_z),
        "{}",
        layout.exit_z
    );
    assert_eq!(layout.layers.len(), 24);
    let patterns = layout
        .bands
        .iter()
        .filter(|band| band.hook.site() == Some(BlockSite::Pattern));
    let n_heads: usize = patterns.map(|band| band.n_heads).sum();
    assert_eq!(n_heads, 384);
    let n_neurons: usize = layout
        .blocks
        .iter()
        .filter(|block| block.hook.site() == Some(BlockSite::MlpPost))
        .map(|block| block.grid.n_cells())
        .sum();
    assert_eq!(n_neurons, 98_304);
}

#[test]
fn neuron_tiles_are_as_large_as_stream_tiles_with_cells_of_half_the_size() {
    let layout = ModelLayout::new(&ModelConfig::preset("gpt2-medium").unwrap(), 2);

    let post = layout
        .block(HookPoint::block(3, BlockSite::MlpPost))
        .unwrap();

    assert_eq!(post.size(), layout.tile_size);
    assert_eq!(post.cell_size, 0.5);
}

#[test]
fn a_dimension_is_at_the_same_place_of_every_stream_tile() {
    let layout = ModelLayout::new(&config(3, 4, 8, 64), 2);
    let place = |layer, site| {
        let hook = HookPoint::block(layer, site);
        let cell = CellId {
            hook,
            pos: 1,
            head: 0,
            index: 13,
        };
        let tile = layout.tile_rect(layout.block(hook).unwrap(), 1).near_left;
        layout.cell_rect(cell).unwrap().near_left - tile
    };

    let first = place(0, BlockSite::ResidPre);

    assert!(place(2, BlockSite::ResidPost).abs_diff_eq(first, 1e-3));
    assert!(place(1, BlockSite::ResidMid).abs_diff_eq(first, 1e-3));
}

#[test]
fn nothing_overlaps() {
    for name in KINDS {
        assert_no_overlap(&small(name));
    }
    assert_no_overlap(&config(2, 3, 10, 70));
}

fn assert_no_overlap(config: &ModelConfig) {
    let layout = ModelLayout::new(config, 3);
    let mut rects: Vec<GroundRect> = Vec::new();
    for block in &layout.blocks {
        rects.extend((0..3).map(|pos| layout.tile_rect(block, pos)));
    }
    for band in &layout.bands {
        rects.extend((0..band.n_heads).map(|head| band.square(head)));
    }
    rects.extend(layout.fields.iter().map(|field| field.rect));
    let skyline = layout.skyline.as_ref().unwrap();
    for rank in 0..skyline.n_ranks {
        rects.extend((0..3).map(|pos| skyline.bar(pos, rank)));
    }

    for (index, a) in rects.iter().enumerate() {
        for b in &rects[index + 1..] {
            let is_apart = a.near_left.x + a.size.x <= b.near_left.x
                || b.near_left.x + b.size.x <= a.near_left.x
                || a.near_left.y - a.size.y >= b.near_left.y
                || b.near_left.y - b.size.y >= a.near_left.y;
            assert!(is_apart, "{:?}: {a:?} {b:?}", config.family);
        }
    }
}

#[test]
fn blocks_lie_further_along_the_later_a_pass_reaches_them() {
    for name in KINDS {
        let layout = ModelLayout::new(&ModelConfig::preset(name).unwrap(), 4);

        assert!(layout.blocks.is_sorted_by(|a, b| a.order < b.order));
        assert!(layout.blocks.is_sorted_by(|a, b| a.origin.y >= b.origin.y));
        for band in &layout.bands {
            let z = layout
                .block(HookPoint::block(band.layer, BlockSite::Z))
                .unwrap();
            assert!(band.z - band.square_size > z.origin.y);
        }
    }
}

#[test]
fn every_place_of_a_pass_stands_in_the_world_and_no_other() {
    for name in KINDS {
        let config = small(name);
        let layout = ModelLayout::new(&config, 3);

        let mut shown: Vec<HookPoint> = layout.blocks.iter().map(|block| block.hook).collect();
        shown.extend(layout.bands.iter().map(|band| band.hook));
        shown.sort_unstable();

        assert_eq!(shown, config.hook_points(), "{name}");
        for block in &layout.blocks {
            assert_eq!(
                block.grid.n_cells(),
                config.width(block.hook),
                "{}",
                block.hook
            );
        }
    }
}

#[test]
fn shared_keys_have_cells_as_large_as_the_queries_and_stand_before_their_rotation() {
    let config = ModelConfig::preset("llama-3-8b").unwrap();
    let layout = ModelLayout::new(&config, 2);
    let block = |site| layout.block(HookPoint::block(3, site)).unwrap();
    let [q, k, v, rot_q, rot_k] = [
        BlockSite::Q,
        BlockSite::K,
        BlockSite::V,
        BlockSite::RotQ,
        BlockSite::RotK,
    ]
    .map(block);

    assert_eq!((q.grid.n_heads(), k.grid.n_heads()), (32, 8));
    assert_eq!((q.n_sharing, v.n_sharing), (1, 4));
    assert_eq!(q.cell_size, k.cell_size);
    assert!(k.size().x * k.size().y < 0.3 * q.size().x * q.size().y);
    assert_eq!((q.origin.x, k.origin.x), (rot_q.origin.x, rot_k.origin.x));
    assert!(rot_q.origin.y < q.origin.y - q.size().y);
    assert!((v.origin.x + v.size().x - layout.tile_size.x).abs() < 1e-2);
}

#[test]
fn a_gate_stands_beside_what_it_is_multiplied_with_and_before_its_neurons() {
    let config = ModelConfig::preset("llama-3.2-1b").unwrap();
    let layout = ModelLayout::new(&config, 2);
    let block = |site| layout.block(HookPoint::block(3, site)).unwrap();
    let (gate, up) = (block(BlockSite::MlpPre), block(BlockSite::MlpPreLinear));

    assert_eq!((gate.title, up.title), ("gate", "up"));
    assert_eq!((gate.origin.y, gate.grid), (up.origin.y, up.grid));
    assert!(block(BlockSite::MlpPost).origin.y < gate.origin.y);
}

#[test]
fn what_lies_before_a_sliding_window_has_no_cell() {
    let config = ModelConfig {
        sliding_window: Some(crate::config::SlidingWindow {
            n_pos: 3,
            first_layer: 1,
        }),
        ..small("llama-3-8b")
    };
    let layout = ModelLayout::new(&config, 6);
    let cell = |layer, index| CellId {
        hook: HookPoint::block(layer, BlockSite::AttnScores),
        pos: 5,
        head: 1,
        index,
    };

    assert!(layout.cell_rect(cell(0, 0)).is_some(), "no window there");
    assert!(layout.cell_rect(cell(1, 3)).is_some());
    assert!(layout.cell_rect(cell(1, 2)).is_none());
    let center = layout.cell_rect(cell(0, 2)).unwrap().center();
    let shift = layout.bands[2].z - layout.bands[0].z;
    assert_eq!(layout.cell_at(center.x, center.z + shift), None);
}

#[test]
fn every_weight_has_a_place_and_every_number_of_it_too() {
    for name in KINDS {
        assert_weights(&small(name));
    }
}

fn assert_weights(config: &ModelConfig) {
    let layout = ModelLayout::new(config, 3);

    for weight in config.weight_points() {
        let (rows, columns) = config.weight_slice(weight).shape();
        let n_cells: usize = layout
            .fields_of(weight)
            .map(|field| field.n_rows * field.n_cols())
            .sum();
        assert_eq!(n_cells, rows * columns, "{weight}");
        for cell in [(0, 0), (rows - 1, columns - 1), (rows / 2, columns / 3)] {
            let cell = Cell::Weight(WeightCell {
                weight,
                row: cell.0,
                column: cell.1,
            });
            let center = layout.ground_of(cell).unwrap().center();
            assert_eq!(layout.number_at(center.x, center.z), Some(cell));
        }
    }
}

#[test]
fn a_long_vocabulary_has_several_fields_and_the_same_token_one_place() {
    let config = ModelConfig::preset("gpt2").unwrap();
    let layout = ModelLayout::new(&config, 3);

    let n_tokens: usize = layout
        .fields_of(WeightPoint::Embed)
        .map(WeightField::n_cols)
        .sum();

    assert_eq!(n_tokens, 50_257);
    assert!(layout.fields_of(WeightPoint::Embed).count() > 10);
    for field in layout.fields_of(WeightPoint::Unembed) {
        assert_eq!(field.n_rows, 768, "the stream along the depth");
    }
}

#[test]
fn a_neurons_weights_in_and_out_are_at_the_same_place_along_x() {
    for name in KINDS {
        assert_aligned(&ModelConfig::preset(name).unwrap());
    }
}

fn assert_aligned(config: &ModelConfig) {
    let layout = ModelLayout::new(config, 3);
    let x = |site, row, column| {
        let weight = WeightPoint::block(4, site);
        let cell = WeightCell {
            weight,
            row,
            column,
        };
        layout.ground_of(Cell::Weight(cell)).unwrap().center().x
    };

    let (reads, writes) = (
        x(WeightSite::MlpIn, 5, 1234),
        x(WeightSite::MlpOut, 1234, 7),
    );

    assert!((reads - writes).abs() < 0.02, "{reads} {writes}");
    if config.is_gated() {
        let gates = x(WeightSite::MlpGate, 5, 1234);
        assert!((reads - gates).abs() < 0.02, "{reads} {gates}");
    }
}

#[test]
fn hidden_kinds_are_gone_and_the_map_closes_up() {
    let config = config(3, 4, 8, 64);
    let whole = ModelLayout::new(&config, 5);
    let hidden = BTreeSet::from([
        Kind::Site(BlockSite::AttnScores),
        Kind::Site(BlockSite::MlpPost),
        Kind::Weights,
        Kind::Skyline,
    ]);

    let rest = ModelLayout::without(&config, 5, &hidden);

    assert!(rest.exit_z > whole.exit_z);
    assert!(rest.fields.is_empty() && rest.skyline.is_none());
    for layer in 0..3 {
        let at = |site| HookPoint::block(layer, site);
        assert!(rest.hook_rect(at(BlockSite::AttnScores)).is_none());
        assert!(rest.hook_rect(at(BlockSite::MlpPost)).is_none());
        assert!(rest.hook_rect(at(BlockSite::Pattern)).is_some());
        assert_eq!(
            rest.block(at(BlockSite::ResidPost)).unwrap().order,
            whole.block(at(BlockSite::ResidPost)).unwrap().order,
            "when a pass reaches it does not depend on what is shown"
        );
    }
}

#[test]
fn everything_can_be_hidden() {
    let config = config(2, 2, 4, 16);
    let mut hidden: BTreeSet<Kind> = BlockSite::ALL.into_iter().map(Kind::Site).collect();
    hidden.extend([
        Kind::Embeddings,
        Kind::FinalNorm,
        Kind::Logits,
        Kind::Skyline,
        Kind::Weights,
    ]);

    let layout = ModelLayout::without(&config, 3, &hidden);

    assert!(layout.blocks.is_empty() && layout.bands.is_empty());
    assert_eq!(layout.layers.len(), 2);
    assert!(layout.exit_z < 0.0);
}
