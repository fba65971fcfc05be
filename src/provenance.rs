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
    use Source::{Before, Here, Weight};
    let (layer, site) = match hook {
        HookPoint::Embed => return vec![Weight(WeightPoint::Embed)],
        HookPoint::PosEmbed => return vec![Weight(WeightPoint::PosEmbed)],
        HookPoint::FinalNormalized => {
            let stream = HookPoint::block(config.n_layers - 1, BlockSite::ResidPost);
            return vec![
                Here(stream),
                Weight(WeightPoint::FinalNormScale),
                Weight(WeightPoint::FinalNormShift),
            ];
        }
        HookPoint::Logits => {
            return vec![
                Here(HookPoint::FinalNormalized),
                Weight(WeightPoint::Unembed),
            ];
        }
        HookPoint::Block { layer, site } => (layer, site),
    };
    let at = |site| HookPoint::block(layer, site);
    let weight = |site| Weight(WeightPoint::block(layer, site));
    let read = |from, matrix, bias| vec![Here(at(from)), weight(matrix), weight(bias)];
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
        BlockSite::AttnScores => vec![Here(at(BlockSite::Q)), Before(at(BlockSite::K))],
        BlockSite::Pattern => vec![Here(at(BlockSite::AttnScores))],
        BlockSite::Z => vec![Here(at(BlockSite::Pattern)), Before(at(BlockSite::V))],
        BlockSite::AttnOut => read(BlockSite::Z, WeightSite::Output, WeightSite::OutputBias),
        BlockSite::ResidMid => vec![Here(at(BlockSite::ResidPre)), Here(at(BlockSite::AttnOut))],
        BlockSite::Ln2Normalized => read(
            BlockSite::ResidMid,
            WeightSite::Ln2Scale,
            WeightSite::Ln2Shift,
        ),
        BlockSite::MlpPre | BlockSite::MlpPreLinear => read(
            BlockSite::Ln2Normalized,
            WeightSite::MlpIn,
            WeightSite::MlpInBias,
        ),
        BlockSite::MlpPost => {
            let mut sources = vec![Here(at(BlockSite::MlpPre))];
            let up = at(BlockSite::MlpPreLinear);
            if config.has_hook(up) {
                sources.push(Here(up));
            }
            sources
        }
        BlockSite::MlpOut => read(
            BlockSite::MlpPost,
            WeightSite::MlpOut,
            WeightSite::MlpOutBias,
        ),
        BlockSite::ResidPost => vec![Here(at(BlockSite::ResidMid)), Here(at(BlockSite::MlpOut))],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_value_comes_from_earlier_ones_and_every_weight_is_used() {
        let config = ModelConfig {
            n_layers: 2,
            ..ModelConfig::preset("gpt2").unwrap()
        };
        let mut used = BTreeSet::new();
        for hook in config.hook_points() {
            let sources = inputs(&config, hook);
            assert!(!sources.is_empty(), "{hook}");
            for source in sources {
                match source {
                    Source::Here(from) | Source::Before(from) => {
                        assert!(from < hook, "{hook} from {from}");
                        assert!(config.has_hook(from), "{from}");
                    }
                    Source::Weight(weight) => {
                        used.insert(weight);
                    }
                }
            }
        }

        let all: BTreeSet<WeightPoint> = config.weight_points().into_iter().collect();
        assert_eq!(used, all);
    }

    #[test]
    fn every_value_but_the_logits_is_used_by_another() {
        let config = ModelConfig::preset("gpt2").unwrap();
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
            assert!(hook == HookPoint::Logits || used.contains(&hook), "{hook}");
        }
    }
}
