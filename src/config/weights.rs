//! Which tensor of the checkpoint holds each weight, and which part of it.

use std::ops::Range;

use super::ModelConfig;
use crate::weight::{WeightPoint, WeightSite};

/// Where a weight lies in its checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightSlice {
    /// The checkpoint's key, without a `transformer.` prefix, such as `h.0.attn.c_attn.weight`.
    pub key: String,
    /// The tensor's rows: its first dimension, or 1 for a vector.
    pub n_rows: usize,
    /// Which columns of the tensor's last dimension belong to the weight.
    pub columns: Range<usize>,
    /// Whether the weight is the tensor transposed.
    pub is_transposed: bool,
}

impl WeightSlice {
    /// The weight's own shape: rows (1 for a vector) and columns.
    pub fn shape(&self) -> (usize, usize) {
        if self.is_transposed {
            (self.columns.len(), self.n_rows)
        } else {
            (self.n_rows, self.columns.len())
        }
    }
}

impl ModelConfig {
    /// Every weight of this model, in the order a pass uses them.
    pub fn weight_points(&self) -> Vec<WeightPoint> {
        let mut points = vec![WeightPoint::Embed, WeightPoint::PosEmbed];
        for layer in 0..self.n_layers {
            points.extend(
                WeightSite::ALL
                    .into_iter()
                    .map(|site| WeightPoint::block(layer, site)),
            );
        }
        points.extend([
            WeightPoint::FinalNormScale,
            WeightPoint::FinalNormShift,
            WeightPoint::Unembed,
        ]);
        points
    }

    /// Where `weight` lies in the checkpoint.
    pub fn weight_slice(&self, weight: WeightPoint) -> WeightSlice {
        let d = self.d_model;
        let whole = |key: &str, n_rows: usize, n_columns: usize| WeightSlice {
            key: key.to_owned(),
            n_rows,
            columns: 0..n_columns,
            is_transposed: false,
        };
        let (layer, site) = match weight {
            WeightPoint::Embed => return whole("wte.weight", self.d_vocab, d),
            WeightPoint::PosEmbed => return whole("wpe.weight", self.n_ctx, d),
            WeightPoint::FinalNormScale => return whole("ln_f.weight", 1, d),
            WeightPoint::FinalNormShift => return whole("ln_f.bias", 1, d),
            WeightPoint::Unembed => {
                let key = if self.tie_word_embeddings {
                    "wte.weight"
                } else {
                    "lm_head.weight"
                };
                return WeightSlice {
                    is_transposed: true,
                    ..whole(key, self.d_vocab, d)
                };
            }
            WeightPoint::Block { layer, site } => (layer, site),
        };
        let at =
            |name: &str, n_rows, n_columns| whole(&format!("h.{layer}.{name}"), n_rows, n_columns);
        // Queries, keys and values are thirds of one projection.
        let third = |name: &str, n_rows, index: usize| WeightSlice {
            columns: index * d..(index + 1) * d,
            ..at(name, n_rows, d)
        };
        match site {
            WeightSite::Ln1Scale => at("ln_1.weight", 1, d),
            WeightSite::Ln1Shift => at("ln_1.bias", 1, d),
            WeightSite::Query => third("attn.c_attn.weight", d, 0),
            WeightSite::QueryBias => third("attn.c_attn.bias", 1, 0),
            WeightSite::Key => third("attn.c_attn.weight", d, 1),
            WeightSite::KeyBias => third("attn.c_attn.bias", 1, 1),
            WeightSite::Value => third("attn.c_attn.weight", d, 2),
            WeightSite::ValueBias => third("attn.c_attn.bias", 1, 2),
            WeightSite::Output => at("attn.c_proj.weight", d, d),
            WeightSite::OutputBias => at("attn.c_proj.bias", 1, d),
            WeightSite::Ln2Scale => at("ln_2.weight", 1, d),
            WeightSite::Ln2Shift => at("ln_2.bias", 1, d),
            WeightSite::MlpIn => at("mlp.c_fc.weight", d, self.d_mlp),
            WeightSite::MlpInBias => at("mlp.c_fc.bias", 1, self.d_mlp),
            WeightSite::MlpOut => at("mlp.c_proj.weight", self.d_mlp, d),
            WeightSite::MlpOutBias => at("mlp.c_proj.bias", 1, d),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_are_all_parameters_and_no_other() {
        for name in ModelConfig::preset_names() {
            let config = ModelConfig::preset(name).unwrap();

            let n_parameters: usize = config
                .weight_points()
                .into_iter()
                .filter(|weight| *weight != WeightPoint::Unembed || !config.tie_word_embeddings)
                .map(|weight| {
                    let (rows, columns) = config.weight_slice(weight).shape();
                    rows * columns
                })
                .sum();

            assert_eq!(n_parameters as u64, config.parameter_count(), "{name}");
        }
    }

    #[test]
    fn every_slice_lies_within_a_tensor_of_the_checkpoint() {
        let config = ModelConfig::preset("gpt2").unwrap();
        let specs = config.weights();

        for weight in config.weight_points() {
            let slice = config.weight_slice(weight);
            let spec = specs.iter().find(|spec| spec.name == slice.key).unwrap();
            let n_columns = *spec.shape.last().unwrap();
            assert_eq!(slice.n_rows * n_columns, spec.element_count(), "{weight}");
            assert!(slice.columns.end <= n_columns, "{weight}");
        }
    }
}
