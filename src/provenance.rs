//! What each value is computed from: the links between the places of a forward pass, as data.

use crate::config::ModelConfig;
use crate::hook::{BlockSite, HookPoint};
use crate::weight::{WeightPoint, WeightSite};

/// Something that a value is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Values at the same position.
    Here(HookPoint),
    /// Values at the same position and at all before it.
    Before(HookPoint),
    /// Learned weights.
    Weight(WeightPoint),
}

/// What the values at `hook` are computed from, in the order a formula would name them.
pub fn inputs(config: &ModelConfig, hook: HookPoint) -> Vec<Source> {
    let sources = match hook {
        HookPoint::Embed => vec![Source::Weight(WeightPoint::Embed)],
        HookPoint::PosEmbed => vec![Source::Weight(WeightPoint::PosEmbed)],
        HookPoint::FinalNormalized => {
            let stream = HookPoint::block(config.n_layers - 1, BlockSite::ResidPost);
            vec![
                Source::Here(stream),
                Source::Weight(WeightPoint::FinalNormScale),
                Source::Weight(WeightPoint::FinalNormShift),
            ]
        }
        HookPoint::Logits => vec![
            Source::Here(HookPoint::FinalNormalized),
            Source::Weight(WeightPoint::Unembed),
        ],
        HookPoint::Block { layer, site } => inputs_in_block(config, layer, site),
    };
    // Not every family has every place and every weight.
    let is_there = |source: &Source| match source {
        Source::Here(from) | Source::Before(from) => config.has_hook(*from),
        Source::Weight(weight) => config.has_weight(*weight),
    };
    sources.into_iter().filter(is_there).collect()
}

fn inputs_in_block(config: &ModelConfig, layer: usize, site: BlockSite) -> Vec<Source> {
    use Source::{Before, Here, Weight};
    let at = |site| HookPoint::block(layer, site);
    let weight = |site| Weight(WeightPoint::block(layer, site));
    let read = |from, matrix, bias| vec![Here(at(from)), weight(matrix), weight(bias)];
    let is_rotary = config.rotary.is_some();
    match site {
        BlockSite::ResidPre if layer == 0 => {
            vec![Here(HookPoint::Embed), Here(HookPoint::PosEmbed)]
        }
        BlockSite::ResidPre => vec![Here(HookPoint::block(layer - 1, BlockSite::ResidPost))],
        BlockSite::Ln1Normalized => read(
            BlockSite::ResidPre,
            WeightSite::Ln1Scale,
            WeightSite::Ln1Shift,
        ),
        BlockSite::Q => read(
            BlockSite::Ln1Normalized,
            WeightSite::Query,
            WeightSite::QueryBias,
        ),
        BlockSite::K => read(
            BlockSite::Ln1Normalized,
            WeightSite::Key,
            WeightSite::KeyBias,
        ),
        BlockSite::V => read(
            BlockSite::Ln1Normalized,
            WeightSite::Value,
            WeightSite::ValueBias,
        ),
        BlockSite::RotQ => vec![Here(at(BlockSite::Q)), weight(WeightSite::QueryNorm)],
        BlockSite::RotK => vec![Here(at(BlockSite::K)), weight(WeightSite::KeyNorm)],
        BlockSite::AttnScores if is_rotary => {
            vec![Here(at(BlockSite::RotQ)), Before(at(BlockSite::RotK))]
        }
        BlockSite::AttnScores => vec![Here(at(BlockSite::Q)), Before(at(BlockSite::K))],
        BlockSite::Pattern => vec![Here(at(BlockSite::AttnScores))],
        BlockSite::Z => vec![Here(at(BlockSite::Pattern)), Before(at(BlockSite::V))],
        BlockSite::AttnOut => read(BlockSite::Z, WeightSite::Output, WeightSite::OutputBias),
        BlockSite::ResidMid => vec![Here(at(BlockSite::ResidPre)), Here(at(BlockSite::AttnOut))],
        BlockSite::Ln2Normalized => {
            let stream = match config.is_parallel {
                true => BlockSite::ResidPre,
                false => BlockSite::ResidMid,
            };
            read(stream, WeightSite::Ln2Scale, WeightSite::Ln2Shift)
        }
        BlockSite::MlpPre if config.is_gated() => read(
            BlockSite::Ln2Normalized,
            WeightSite::MlpGate,
            WeightSite::MlpGateBias,
        ),
        BlockSite::MlpPre | BlockSite::MlpPreLinear => read(
            BlockSite::Ln2Normalized,
            WeightSite::MlpIn,
            WeightSite::MlpInBias,
        ),
        BlockSite::MlpPost => vec![
            Here(at(BlockSite::MlpPre)),
            Here(at(BlockSite::MlpPreLinear)),
        ],
        BlockSite::MlpOut => read(
            BlockSite::MlpPost,
            WeightSite::MlpOut,
            WeightSite::MlpOutBias,
        ),
        BlockSite::ResidPost if config.is_parallel => vec![
            Here(at(BlockSite::ResidPre)),
            Here(at(BlockSite::AttnOut)),
            Here(at(BlockSite::MlpOut)),
        ],
        BlockSite::ResidPost => vec![Here(at(BlockSite::ResidMid)), Here(at(BlockSite::MlpOut))],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const SHAPES: [&str; 5] = [
        "gpt2",
        "llama-3-8b",
        "qwen2-0.5b",
        "qwen3-0.6b",
        "pythia-70m",
    ];

    #[test]
    fn every_value_comes_from_earlier_ones_and_every_weight_is_used() {
        for name in SHAPES {
            let config = ModelConfig {
                n_layers: 2,
                ..ModelConfig::preset(name).unwrap()
            };
            let mut used = BTreeSet::new();
            for hook in config.hook_points() {
                let sources = inputs(&config, hook);
                assert!(!sources.is_empty(), "{name}: {hook}");
                for source in sources {
                    match source {
                        Source::Here(from) | Source::Before(from) => {
                            assert!(from < hook, "{name}: {hook} from {from}");
                        }
                        Source::Weight(weight) => {
                            used.insert(weight);
                        }
                    }
                }
            }

            let all: BTreeSet<WeightPoint> = config.weight_points().into_iter().collect();
            assert_eq!(used, all, "{name}");
        }
    }

    #[test]
    fn every_value_but_the_logits_is_used_by_another() {
        for name in SHAPES {
            let config = ModelConfig::preset(name).unwrap();
            let used: BTreeSet<HookPoint> = config
                .hook_points()
                .into_iter()
                .flat_map(|hook| inputs(&config, hook))
                .filter_map(|source| match source {
                    Source::Here(from) | Source::Before(from) => Some(from),
                    Source::Weight(_) => None,
                })
                .collect();

            for hook in config.hook_points() {
                let is_used = hook == HookPoint::Logits || used.contains(&hook);
                assert!(is_used, "{name}: {hook}");
            }
        }
    }
}
