//! Choosing the next token from its logits.

use candle_core::{Device, Tensor};
use candle_transformers::generation::{LogitsProcessor, Sampling};

use super::error::ModelError;

/// How the next token is chosen. The default takes the most probable one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplerSettings {
    /// Divides the logits; 0 takes the most probable token (greedy).
    pub temperature: f64,
    /// Chooses among this many most probable tokens.
    pub top_k: Option<usize>,
    /// Chooses among the most probable tokens that together reach this probability.
    pub top_p: Option<f64>,
    /// The same seed and settings choose the same tokens.
    pub seed: u64,
}

impl Default for SamplerSettings {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_k: None,
            top_p: None,
            seed: 0,
        }
    }
}

impl SamplerSettings {
    fn sampling(&self) -> Result<Sampling, ModelError> {
        let temperature = self.temperature;
        if !(temperature.is_finite() && temperature >= 0.0) {
            return Err(ModelError::BadSampler(format!(
                "the temperature is {temperature}; it must be 0 or more"
            )));
        }
        if self.top_k == Some(0) {
            return Err(ModelError::BadSampler(
                "top-k is 0; it must be 1 or more".to_owned(),
            ));
        }
        if let Some(p) = self.top_p.filter(|p| !(*p > 0.0 && *p <= 1.0)) {
            return Err(ModelError::BadSampler(format!(
                "top-p is {p}; it must be above 0 and at most 1"
            )));
        }
        Ok(match (self.top_k, self.top_p) {
            _ if temperature == 0.0 => Sampling::ArgMax,
            (None, None) => Sampling::All { temperature },
            (Some(k), None) => Sampling::TopK { k, temperature },
            (None, Some(p)) => Sampling::TopP { p, temperature },
            (Some(k), Some(p)) => Sampling::TopKThenTopP { k, p, temperature },
        })
    }
}

/// Chooses tokens, one after the other.
pub struct Sampler {
    processor: LogitsProcessor,
}

impl Sampler {
    /// A sampler at the start of its random sequence.
    ///
    /// # Errors
    ///
    /// If a setting is out of bounds.
    pub fn new(settings: &SamplerSettings) -> Result<Self, ModelError> {
        Ok(Self {
            processor: LogitsProcessor::from_sampling(settings.seed, settings.sampling()?),
        })
    }

    /// Chooses a token from `logits`, `[d_vocab]`.
    ///
    /// # Errors
    ///
    /// If a logit is NaN or plus infinity: taking the greatest would hide it.
    pub fn choose(&mut self, logits: &[f32]) -> Result<u32, ModelError> {
        let count = logits
            .iter()
            .filter(|logit| logit.is_nan() || **logit == f32::INFINITY)
            .count();
        if count > 0 {
            return Err(ModelError::NotFinite {
                count,
                d_vocab: logits.len(),
            });
        }
        let logits = Tensor::new(logits, &Device::Cpu)?;
        Ok(self.processor.sample(&logits)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(settings: SamplerSettings, logits: &[f32], times: usize) -> Vec<u32> {
        let mut sampler = Sampler::new(&settings).unwrap();
        (0..times)
            .map(|_| sampler.choose(logits).unwrap())
            .collect()
    }

    #[test]
    fn zero_temperature_takes_the_greatest_logit() {
        assert_eq!(
            choose(SamplerSettings::default(), &[0.1, 3.0, -1.0], 3),
            [1, 1, 1]
        );
    }

    #[test]
    fn the_same_seed_chooses_the_same_tokens_and_another_seed_others() {
        let settings = |seed| SamplerSettings {
            temperature: 1.0,
            seed,
            ..Default::default()
        };
        let logits = [0.0; 16];

        let first = choose(settings(1), &logits, 20);

        assert_eq!(choose(settings(1), &logits, 20), first);
        assert_ne!(choose(settings(2), &logits, 20), first);
    }

    #[test]
    fn top_k_and_top_p_leave_out_the_improbable() {
        let logits = [2.0, 1.9, -3.0, 1.8, -2.0];
        let base = SamplerSettings {
            temperature: 1.0,
            seed: 3,
            ..Default::default()
        };

        let top_k = choose(
            SamplerSettings {
                top_k: Some(2),
                ..base
            },
            &logits,
            200,
        );
        let top_p = choose(
            SamplerSettings {
                top_p: Some(0.6),
                ..base
            },
            &logits,
            200,
        );
        let both = choose(
            SamplerSettings {
                top_k: Some(3),
                top_p: Some(0.3),
                ..base
            },
            &logits,
            200,
        );

        assert!(top_k.iter().all(|token| [0, 1].contains(token)));
        assert!(top_p.iter().all(|token| [0, 1].contains(token)));
        assert!(both.iter().all(|token| *token == 0));
        assert!(top_k.contains(&1) && top_p.contains(&1));
    }

    #[test]
    fn logits_that_are_not_numbers_are_refused_and_counted() {
        let mut sampler = Sampler::new(&SamplerSettings::default()).unwrap();

        let error = sampler
            .choose(&[0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY])
            .unwrap_err();

        assert!(error.to_string().starts_with("2 of the 4 logits"));
        assert_eq!(sampler.choose(&[f32::NEG_INFINITY, 0.0]).unwrap(), 1);
    }

    #[test]
    fn settings_out_of_bounds_are_refused() {
        let base = SamplerSettings::default();
        for settings in [
            SamplerSettings {
                temperature: -1.0,
                ..base
            },
            SamplerSettings {
                temperature: f64::NAN,
                ..base
            },
            SamplerSettings {
                top_k: Some(0),
                ..base
            },
            SamplerSettings {
                top_p: Some(0.0),
                ..base
            },
            SamplerSettings {
                top_p: Some(1.5),
                ..base
            },
        ] {
            assert!(matches!(
                Sampler::new(&settings),
                Err(ModelError::BadSampler(_))
            ));
        }
    }
}
