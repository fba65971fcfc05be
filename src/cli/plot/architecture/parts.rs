//! The parts of the world that are named, with their shapes and counts.

use crate::analysis::grouped;
use crate::config::ModelConfig;
use crate::hook::{BlockSite, HookPoint};
use crate::layout::{GroundRect, ModelLayout};
use crate::weight::{WeightPoint, WeightSite};

/// A part of the picture that is named.
pub struct Part {
    pub title: String,
    pub details: Vec<String>,
    /// Where it stands.
    pub rect: GroundRect,
}

/// What is named in the picture, the sites of a layer spread over all layers.
pub(super) fn parts(config: &ModelConfig, layout: &ModelLayout) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut name = |title: String, details: Vec<String>, rect: Option<GroundRect>| {
        if let Some(rect) = rect {
            parts.push(Part {
                title,
                details,
                rect,
            });
        }
    };
    let weight_count = |weights: &[WeightPoint]| {
        let there = weights.iter().filter(|weight| config.has_weight(**weight));
        let counts = there.map(|weight| {
            let (n_rows, n_columns) = config.weight_slice(*weight).shape();
            (n_rows * n_columns) as u64
        });
        grouped(counts.sum())
    };
    let n = |count: usize| grouped(count as u64);
    let embed = layout.hook_rect(HookPoint::Embed);
    name(
        "token embedding".to_owned(),
        vec![
            format!("{} tokens x {}", n(config.d_vocab), n(config.d_model)),
            format!("{} parameters", weight_count(&[WeightPoint::Embed])),
        ],
        embed,
    );
    // Not where queries and keys are rotated instead: there is no such tile then.
    name(
        "position embedding".to_owned(),
        vec![
            format!("{} positions x {}", n(config.n_ctx), n(config.d_model)),
            format!("{} parameters", weight_count(&[WeightPoint::PosEmbed])),
        ],
        layout.hook_rect(HookPoint::PosEmbed),
    );
    let sites = named_sites(config);
    for (index, (site, weights)) in sites.iter().enumerate() {
        let layer = index * config.n_layers / sites.len();
        let (title, detail) = site_words(config, *site);
        let points: Vec<WeightPoint> = weights
            .iter()
            .map(|site| WeightPoint::block(layer, *site))
            .collect();
        let mut details = vec![detail];
        if !points.is_empty() {
            details.push(format!("{} parameters a layer", weight_count(&points)));
        }
        let hook = HookPoint::block(layer, *site);
        name(
            format!("{title}, layer {layer}"),
            details,
            layout.hook_rect(hook),
        );
    }
    name(
        "final norm".to_owned(),
        vec![format!(
            "{} parameters",
            weight_count(&[WeightPoint::FinalNormScale, WeightPoint::FinalNormShift])
        )],
        layout.hook_rect(HookPoint::FinalNormalized),
    );
    let tied = if config.tie_word_embeddings {
        "read with the token embedding".to_owned()
    } else {
        format!("{} parameters", weight_count(&[WeightPoint::Unembed]))
    };
    name(
        "logits".to_owned(),
        vec![format!("{} for each token", n(config.d_vocab)), tied],
        layout.hook_rect(HookPoint::Logits),
    );
    let bars = layout.skyline.as_ref().map(|skyline| {
        let first = skyline.bar(0, 0);
        first.union(&skyline.bar(layout.n_lanes.max(1) - 1, 0))
    });
    name(
        "next tokens".to_owned(),
        vec!["probabilities as bars".to_owned()],
        bars,
    );
    parts
}

/// The tensors of a layer that are named, with the weights that make them.
fn named_sites(config: &ModelConfig) -> Vec<(BlockSite, Vec<WeightSite>)> {
    use WeightSite as W;
    let sites = [
        (BlockSite::ResidPre, vec![]),
        (
            BlockSite::Q,
            vec![
                W::Query,
                W::QueryBias,
                W::Key,
                W::KeyBias,
                W::Value,
                W::ValueBias,
            ],
        ),
        (BlockSite::RotQ, vec![W::QueryNorm, W::KeyNorm]),
        (BlockSite::Pattern, vec![]),
        (BlockSite::AttnOut, vec![W::Output, W::OutputBias]),
        (
            BlockSite::MlpPost,
            vec![W::MlpGate, W::MlpGateBias, W::MlpIn, W::MlpInBias],
        ),
        (BlockSite::MlpOut, vec![W::MlpOut, W::MlpOutBias]),
        (BlockSite::ResidPost, vec![]),
    ];
    let there = sites.into_iter().filter(|(site, _)| config.has_site(*site));
    there
        .map(|(site, weights)| {
            let there = weights.into_iter();
            (
                site,
                there
                    .filter(|weight| config.has_weight_site(*weight))
                    .collect(),
            )
        })
        .collect()
}

fn site_words(config: &ModelConfig, site: BlockSite) -> (&'static str, String) {
    let n = |count: usize| grouped(count as u64);
    let wide = format!("{} numbers a token", n(config.d_model));
    match site {
        BlockSite::ResidPre => ("residual stream", wide),
        BlockSite::Q => (
            "queries, keys, values",
            if config.has_shared_keys() {
                let [heads, kv, wide] = [config.n_heads, config.n_kv_heads, config.d_head].map(n);
                format!("{heads}, {kv} and {kv} heads x {wide}")
            } else {
                format!("3 x {} heads x {}", n(config.n_heads), n(config.d_head))
            },
        ),
        BlockSite::RotQ => ("rotated by position", "queries and keys".to_owned()),
        BlockSite::Pattern => (
            "attention patterns",
            format!(
                "{} heads a layer, {} in all",
                n(config.n_heads),
                n(config.n_layers * config.n_heads)
            ),
        ),
        BlockSite::AttnOut => ("attention out", wide),
        BlockSite::MlpPost => (
            if config.is_gated() {
                "gated MLP neurons"
            } else {
                "MLP neurons"
            },
            format!(
                "{} a layer, {} in all",
                n(config.d_mlp),
                n(config.n_layers * config.d_mlp)
            ),
        ),
        BlockSite::MlpOut => ("MLP out", wide),
        other => (other.title(), wide),
    }
}
