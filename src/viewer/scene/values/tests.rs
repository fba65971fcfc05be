//! What tiles and squares come down to.

use super::*;

fn tiny() -> ModelConfig {
    ModelConfig {
        n_layers: 2,
        n_heads: 2,
        d_head: 2,
        d_model: 4,
        d_mlp: 6,
        d_vocab: 5,
        ..ModelConfig::preset("gpt2").unwrap()
    }
}

#[test]
fn a_tile_comes_down_to_its_root_mean_square_and_only_it_counts_as_changed() {
    let mut table = ValueTable::default();
    table.reset(&tiny(), 1 << 20);
    table.set_lanes(3);
    table.take_tile_changes();
    let hook = HookPoint::block(1, BlockSite::ResidMid);

    table.write(
        hook,
        1,
        &Activation::new(vec![2, 4], vec![2., -2., 2., -2., 5., 6., 7., f32::NAN]),
        &ArcChoice::default(),
    );

    assert_eq!(table.tile_rms(hook, 1), Some(2.0));
    assert_eq!(table.tile_rms(hook, 0), Some(0.0));
    assert_eq!(table.n_not_finite(), 1);
    assert_eq!(table.stats(hook).unwrap().max_abs, 7.0);
    let n_changed: usize = table.take_tile_changes().iter().map(Range::len).sum();
    assert!(
        n_changed >= 2 && n_changed < table.tiles().len(),
        "{n_changed}"
    );
    assert!(table.take_tile_changes().is_empty());
}

#[test]
fn a_layers_patterns_come_down_to_the_mean_or_the_greatest_of_the_heads_chosen() {
    let hook = HookPoint::block(1, BlockSite::Pattern);
    let pattern = Activation::new(vec![2, 2, 2], vec![1., 0., 0.5, 0.5, 1., 0., 0.1, 0.9]);
    let last_row = |choice: &ArcChoice| {
        let mut table = ValueTable::default();
        table.reset(&tiny(), 1 << 20);
        table.set_lanes(2);
        table.write(hook, 0, &pattern, choice);
        let attention = table.attention();
        let start = (attention.n_squares() + table.pooled_square(1)) * attention.grid();
        attention.values(start..start + 2, crate::viewer::scene::Reduction::Max)
    };
    let greatest = ArcChoice {
        pooling: crate::viewer::scene::Pooling::Max,
        ..ArcChoice::default()
    };
    let second = ArcChoice {
        heads: [1].into(),
        ..ArcChoice::default()
    };

    assert_eq!(last_row(&ArcChoice::default()), [0.3, 0.7]);
    assert_eq!(last_row(&greatest), [0.5, 0.9]);
    assert_eq!(last_row(&second), [0.1, 0.9]);
}

#[test]
fn parts_in_a_prediction_leave_a_tile_without_one_blank_and_give_patterns_a_range() {
    let mut table = ValueTable::default();
    table.reset(&tiny(), 1 << 20);
    table.set_source(3);
    table.set_lanes(2);
    let mid = HookPoint::block(1, BlockSite::ResidMid);
    let pattern = HookPoint::block(1, BlockSite::Pattern);
    let choice = ArcChoice::default();

    table.write(mid, 1, &Activation::new(vec![1, 4], vec![-0.5; 4]), &choice);
    let weights = Activation::new(vec![2, 2, 2], vec![-3., 0., 0.5, 0.5, 1., 0., 0.1, 2.]);
    table.write(pattern, 0, &weights, &choice);

    assert_eq!(table.tile_rms(mid, 1), Some(0.5));
    assert_eq!(table.tile_rms(mid, 0), Some(NO_VALUE));
    assert_eq!(table.stats(pattern).unwrap().max_abs, 3.0);
    assert!(table.has_attention(pattern) && !table.is_weights(pattern));
    assert!(!table.has_attention(HookPoint::block(0, BlockSite::Pattern)));

    table.reset(&tiny(), 1 << 20);
    assert!(
        table.is_weights(pattern) && !table.has_parts(),
        "another text"
    );
}

#[test]
fn where_a_saved_trace_has_nothing_there_is_no_zero() {
    let mut table = ValueTable::default();
    table.reset(&tiny(), 1 << 20);
    table.allow_gaps();
    table.set_lanes(1);
    let saved = HookPoint::block(1, BlockSite::Pattern);
    let weight = Activation::new(vec![2, 1, 1], vec![1.0; 2]);

    table.write(saved, 0, &weight, &ArcChoice::default());

    assert_eq!(table.tile_rms(HookPoint::Embed, 0), Some(NO_VALUE));
    assert!(table.has_attention(saved) && table.is_weights(saved));
    assert!(!table.has_attention(HookPoint::block(1, BlockSite::AttnScores)));
    table.reset(&tiny(), 1 << 20);
    table.set_lanes(1);
    assert_eq!(
        table.tile_rms(HookPoint::Embed, 0),
        Some(0.0),
        "another text"
    );
}

#[test]
fn scores_and_patterns_of_every_head_have_a_square_of_their_own() {
    let mut table = ValueTable::default();
    table.reset(&tiny(), 1 << 20);
    let squares: std::collections::BTreeSet<usize> = (0..2)
        .flat_map(|layer| [(layer, BlockSite::AttnScores), (layer, BlockSite::Pattern)])
        .flat_map(|(layer, site)| [0, 1].map(|head| (HookPoint::block(layer, site), head)))
        .filter_map(|(hook, head)| table.square(hook, head))
        .collect();

    assert_eq!(squares.len(), 8);
    // And each layer one for what its patterns come down to together.
    assert_eq!(table.attention().n_squares(), 8 + 2);
    assert_eq!(table.square(HookPoint::Logits, 0), None);
}
