//! Parts of a forward pass that are set to zero, to see what hangs on them.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::config::ModelConfig;
use crate::hook::{Axis, BlockSite, HookPoint};

/// One part of a forward pass that is set to zero at every position.
///
/// It reads `blocks.1.attn.hook_z:3` (head 3), `blocks.1.mlp.hook_post:33` (neuron 33),
/// `blocks.0.hook_resid_post:17` (dimension 17) or `blocks.2.hook_mlp_out` (all of it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ablation {
    /// Where.
    pub hook: HookPoint,
    /// Which head, neuron or dimension; all of it without one.
    pub index: Option<usize>,
}

/// Why a part can't be set to zero.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AblationError {
    /// The text is no part's name.
    #[error(
        "{0:?} is no part of a model; name a hook point and, after a colon, a head, neuron or \
         dimension, such as blocks.1.attn.hook_z:3 or blocks.1.mlp.hook_post:33"
    )]
    Unreadable(String),
    /// The model has no such hook point.
    #[error("the model has no {hook}; its layers go from 0 to {last_layer}")]
    NoHook {
        /// The hook point asked for.
        hook: HookPoint,
        /// The model's last layer.
        last_layer: usize,
    },
    /// No layer of such a model has this place.
    #[error(
        "a {family} model of this shape has no {hook}; `llmscope plot architecture -o places.csv` \
         lists the places it has"
    )]
    NoPlace {
        /// The hook point asked for.
        hook: HookPoint,
        /// The model's family.
        family: &'static str,
    },
    /// The hook point has no such head, neuron or dimension.
    #[error("{hook} has no {what} {index}; they go from 0 to {}", count - 1)]
    NoIndex {
        /// The hook point.
        hook: HookPoint,
        /// What its indices are.
        what: &'static str,
        /// The index asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// Zero has no meaning there.
    #[error("{hook} can't be set to zero: {why}")]
    Meaningless {
        /// The hook point.
        hook: HookPoint,
        /// Why, and what to do.
        why: &'static str,
    },
}

impl Ablation {
    /// A part of this hook point: all of it, or one index.
    pub fn new(hook: HookPoint, index: Option<usize>) -> Self {
        Self { hook, index }
    }

    /// Checks that a model of this shape has this part, and that zero means something there.
    ///
    /// # Errors
    ///
    /// Says what there is instead.
    pub fn check(&self, config: &ModelConfig) -> Result<(), AblationError> {
        let hook = self.hook;
        if !config.has_hook(hook) {
            if hook.layer().is_none_or(|layer| layer < config.n_layers) {
                return Err(AblationError::NoPlace {
                    hook,
                    family: config.family.name(),
                });
            }
            return Err(AblationError::NoHook {
                hook,
                last_layer: config.n_layers - 1,
            });
        }
        let why = match (hook, hook.site()) {
            (HookPoint::Logits, _) => Some("a logit of zero is no end of a prediction"),
            (_, Some(BlockSite::AttnScores)) => {
                Some("a score of zero still attends; set the pattern to zero instead")
            }
            _ => None,
        };
        if let Some(why) = why {
            return Err(AblationError::Meaningless { hook, why });
        }
        let (what, count) = index_of(hook, config);
        match self.index {
            Some(index) if index >= count => Err(AblationError::NoIndex {
                hook,
                what,
                index,
                count,
            }),
            _ => Ok(()),
        }
    }

    /// Whether a number of this hook point is set to zero by it; `head` counts where there are heads,
    /// else `index`.
    pub fn covers(&self, hook: HookPoint, head: usize, index: usize) -> bool {
        let own = if hook.axes().contains(&Axis::Head) {
            head
        } else {
            index
        };
        self.hook == hook && self.index.is_none_or(|zeroed| zeroed == own)
    }

    /// The part in words, such as `layer 1 head 3` or `layer 0 neuron 7`.
    pub fn title(&self) -> String {
        let place = match self.hook.layer() {
            Some(layer) => format!("layer {layer} "),
            None => String::new(),
        };
        let what = index_name(self.hook);
        match (self.index, self.hook.site()) {
            (Some(index), Some(BlockSite::Z | BlockSite::MlpPost)) => {
                format!("{place}{what} {index}")
            }
            (Some(index), _) => format!("{place}{} {what} {index}", self.hook.title()),
            (None, _) => format!("{place}{}", self.hook.title()),
        }
    }
}

fn index_name(hook: HookPoint) -> &'static str {
    let axes = hook.axes();
    if axes.contains(&Axis::Head) {
        "head"
    } else if axes.contains(&Axis::DMlp) {
        "neuron"
    } else {
        "dimension"
    }
}

/// What the indices of a hook point count, and how many there are.
fn index_of(hook: HookPoint, config: &ModelConfig) -> (&'static str, usize) {
    let what = index_name(hook);
    let count = if what == "head" {
        let axis = hook.axes().iter().position(|axis| *axis == Axis::Head);
        axis.map_or(0, |axis| config.shape(hook, 1)[axis])
    } else {
        config.width(hook)
    };
    (what, count)
}

impl fmt::Display for Ablation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            Some(index) => write!(f, "{}:{index}", self.hook),
            None => write!(f, "{}", self.hook),
        }
    }
}

impl FromStr for Ablation {
    type Err = AblationError;

    fn from_str(text: &str) -> Result<Self, AblationError> {
        let unreadable = || AblationError::Unreadable(text.to_owned());
        let (hook, index) = match text.split_once(':') {
            Some((hook, index)) => {
                let is_plain = !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit());
                let index = index.parse().ok().filter(|_| is_plain);
                (hook, Some(index.ok_or_else(unreadable)?))
            }
            None => (text, None),
        };
        let hook = hook.parse().ok().ok_or_else(unreadable)?;
        Ok(Self { hook, index })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), String> {
        let config = ModelConfig::preset("gpt2").unwrap();
        let ablation: Ablation = text.parse().map_err(|e: AblationError| e.to_string())?;
        assert_eq!(ablation.to_string(), text);
        ablation.check(&config).map_err(|error| error.to_string())
    }

    #[test]
    fn heads_neurons_dimensions_and_whole_tensors_can_be_named() {
        for text in [
            "blocks.11.attn.hook_z:11",
            "blocks.0.attn.hook_pattern:0",
            "blocks.0.mlp.hook_post:3071",
            "blocks.3.hook_resid_post:767",
            "blocks.3.hook_mlp_out",
            "hook_embed",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_the_model_lacks_is_refused_with_what_there_is() {
        for (text, words) in [
            ("blocks.12.attn.hook_z:1", ["blocks.12", "0 to 11"]),
            ("blocks.1.attn.hook_z:12", ["head 12", "0 to 11"]),
            ("blocks.1.mlp.hook_post:3072", ["neuron 3072", "0 to 3071"]),
            ("hook_embed:768", ["dimension 768", "0 to 767"]),
            ("logits:3", ["logits", "zero"]),
            ("blocks.1.attn.hook_attn_scores:3", ["scores", "pattern"]),
            ("blocks.1.attn.hook_z:", ["hook_z:", "such as"]),
            ("blocks.1.attn.hook_z:-1", ["-1", "such as"]),
            ("blocks.1.attn.hook_z:1:2", ["1:2", "such as"]),
            ("nonsense", ["nonsense", "such as"]),
        ] {
            let message = check(text).unwrap_err();
            for word in words {
                assert!(message.contains(word), "{text}: {message}");
            }
        }
    }

    #[test]
    fn heads_of_shared_keys_are_counted_for_themselves_and_absent_places_are_named() {
        let check = |model: &str, text: &str| {
            let config = ModelConfig::preset(model).unwrap();
            let ablation: Ablation = text.parse().unwrap();
            ablation.check(&config).map_err(|error| error.to_string())
        };

        assert_eq!(check("llama-3-8b", "blocks.0.attn.hook_z:31"), Ok(()));
        assert_eq!(check("llama-3-8b", "blocks.0.attn.hook_v:7"), Ok(()));
        for (model, text, words) in [
            ("llama-3-8b", "blocks.0.attn.hook_v:8", "0 to 7"),
            ("llama-3-8b", "hook_pos_embed", "llama model"),
            ("pythia-70m", "blocks.0.hook_resid_mid:5", "gpt_neox model"),
            ("gpt2", "blocks.0.mlp.hook_pre_linear:5", "gpt2 model"),
        ] {
            let message = check(model, text).unwrap_err();
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn a_head_covers_its_numbers_and_no_others() {
        let z = HookPoint::block(1, BlockSite::Z);
        let head = Ablation::new(z, Some(3));
        assert!(head.covers(z, 3, 7) && !head.covers(z, 7, 3));
        assert!(!head.covers(HookPoint::block(2, BlockSite::Z), 3, 7));
        let post = HookPoint::block(1, BlockSite::MlpPost);
        assert!(Ablation::new(post, Some(9)).covers(post, 0, 9));
        assert!(Ablation::new(post, None).covers(post, 0, 2));
        assert_eq!(head.title(), "layer 1 head 3");
    }
}
