//! From derivatives to what each token, layer, head and neuron has to do with a prediction.

use super::{Matrix, layer_hooks};
use crate::attribution::{DirectAttribution, Gradients};
use crate::config::ModelConfig;
use crate::hook::{Axis, BlockSite, HookPoint};
use crate::trace::{Activation, ActivationCache, TokenTrace};

/// What a vector and its derivative come down to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SaliencyMeasure {
    /// The derivative's Euclidean norm: how much the target changes at most, for a step of length 1.
    #[default]
    GradientNorm,
    /// The derivative times the value, summed: what the target would lose, to first order, without it.
    GradientTimesInput,
}

impl SaliencyMeasure {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::GradientNorm, Self::GradientTimesInput];

    /// Its name on screen.
    pub fn title(self) -> &'static str {
        match self {
            Self::GradientNorm => "Gradient norm",
            Self::GradientTimesInput => "Gradient × input",
        }
    }

    /// What its numbers are.
    pub fn unit(self) -> &'static str {
        match self {
            Self::GradientNorm => "logit per unit of length",
            Self::GradientTimesInput => "logit",
        }
    }

    /// Whether its numbers are zero or more.
    pub fn is_non_negative(self) -> bool {
        self == Self::GradientNorm
    }

    /// What the vectors at `hook` come down to, `[pos]`; none where they were not differentiated or
    /// lie by head and key.
    pub fn by_pos(self, gradients: &Gradients, hook: HookPoint) -> Option<Vec<f32>> {
        if hook.axes().first() != Some(&Axis::Pos) {
            return None;
        }
        let gradient = gradients.gradients.get(&hook)?;
        let value = gradients.values.get(&hook)?;
        let width = gradient.values().len() / gradient.shape().first()?.max(&1);
        let rows = gradient.values().chunks_exact(width.max(1));
        let rows = rows.zip(value.values().chunks_exact(width.max(1)));
        Some(
            rows.map(|(gradient, value)| self.of(gradient, value))
                .collect(),
        )
    }

    fn of(self, gradient: &[f32], value: &[f32]) -> f32 {
        match self {
            Self::GradientNorm => {
                let squares = gradient.iter().map(|g| f64::from(*g).powi(2));
                squares.sum::<f64>().sqrt() as f32
            }
            Self::GradientTimesInput => dot(gradient, value),
        }
    }
}

/// The rows of [`saliency_map`]: the embedding, the stream entering each layer, and the stream leaving
/// the last.
pub fn saliency_hooks(config: &ModelConfig) -> Vec<HookPoint> {
    let mut hooks = vec![HookPoint::Embed];
    hooks.extend(layer_hooks(config, BlockSite::ResidPre));
    if let Some(last) = config.n_layers.checked_sub(1) {
        hooks.push(HookPoint::block(last, BlockSite::ResidPost));
    }
    hooks
}

/// A row for each of [`saliency_hooks`], a column for each position up to the target's; a row without
/// derivatives is empty.
pub fn saliency_map(
    gradients: &Gradients,
    config: &ModelConfig,
    measure: SaliencyMeasure,
) -> Matrix {
    let mut map = Matrix::new(gradients.target.pos + 1);
    for hook in saliency_hooks(config) {
        map.push_row(&measure.by_pos(gradients, hook).unwrap_or_default());
    }
    map
}

/// A row for each layer, a column for each head: derivative times `z`, summed over positions and
/// dimensions. What the target would lose, to first order, without the head.
pub fn head_saliency(gradients: &Gradients, config: &ModelConfig) -> Matrix {
    let mut map = Matrix::new(config.n_heads);
    for layer in 0..config.n_layers {
        let products = summed_over_pos(gradients, HookPoint::block(layer, BlockSite::Z));
        let heads = products.chunks(config.d_head);
        let heads: Vec<f32> = heads.map(|head| head.iter().sum()).collect();
        map.push_row(&heads);
    }
    map
}

/// Derivative times `post` of a layer's neurons, summed over positions, `[d_mlp]`; empty where they
/// were not differentiated.
pub fn neuron_saliency(gradients: &Gradients, layer: usize) -> Vec<f32> {
    summed_over_pos(gradients, HookPoint::block(layer, BlockSite::MlpPost))
}

fn summed_over_pos(gradients: &Gradients, hook: HookPoint) -> Vec<f32> {
    let (Some(gradient), Some(value)) =
        (gradients.gradients.get(&hook), gradients.values.get(&hook))
    else {
        return Vec::new();
    };
    let n_pos = gradient.shape().first().copied().unwrap_or(0).max(1);
    let width = gradient.values().len() / n_pos;
    let mut sums = vec![0.0f64; width];
    let products = gradient.values().iter().zip(value.values());
    for (index, (gradient, value)) in products.enumerate() {
        sums[index % width] += f64::from(*gradient) * f64::from(*value);
    }
    sums.into_iter().map(|sum| sum as f32).collect()
}

/// Derivative times value for every number that was differentiated, in the shapes of their hook
/// points: what the target would lose, to first order, if the number were zero.
///
/// What is masked, minus infinity, adds nothing.
pub fn attribution_cells(gradients: &Gradients) -> ActivationCache {
    let cell = |gradient: &f32, value: &f32| {
        if *value == f32::NEG_INFINITY {
            0.0
        } else {
            gradient * value
        }
    };
    gradients
        .gradients
        .iter()
        .filter_map(|(hook, gradient)| {
            let value = gradients.values.get(hook)?;
            let both = gradient.values().iter().zip(value.values());
            let cells = both
                .map(|(gradient, value)| cell(gradient, value))
                .collect();
            Some((*hook, Activation::new(gradient.shape().to_vec(), cells)))
        })
        .collect()
}

/// What every number that is written to the residual stream at `token` adds to the target directly,
/// one row each, `[1, ...]`: at all other positions that is nothing.
pub fn direct_cells(
    direct: &DirectAttribution,
    token: &TokenTrace<'_>,
    config: &ModelConfig,
) -> ActivationCache {
    let mut cells = ActivationCache::new();
    for hook in config.hook_points() {
        let row = match (hook, hook.site(), hook.layer()) {
            (_, Some(BlockSite::Z), Some(layer)) => direct.z.get(layer).cloned(),
            (_, Some(BlockSite::MlpPost), Some(layer)) => direct.neurons.get(layer).cloned(),
            (HookPoint::Embed | HookPoint::PosEmbed, ..) => along(direct, token, hook),
            (_, Some(site), _)
                if site.is_stream() || matches!(site, BlockSite::AttnOut | BlockSite::MlpOut) =>
            {
                along(direct, token, hook)
            }
            _ => None,
        };
        let shape = config.shape(hook, 1);
        if let Some(row) = row.filter(|row| row.len() == shape.iter().product::<usize>()) {
            cells.insert(hook, Activation::new(shape, row));
        }
    }
    cells
}

fn along(direct: &DirectAttribution, token: &TokenTrace<'_>, hook: HookPoint) -> Option<Vec<f32>> {
    let row = token.row(hook)?.iter();
    Some(row.zip(&direct.direction).map(|(v, d)| v * d).collect())
}

fn dot(left: &[f32], right: &[f32]) -> f32 {
    let products = left.iter().zip(right);
    let products = products.map(|(l, r)| f64::from(*l) * f64::from(*r));
    products.sum::<f64>() as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::Target;

    fn config() -> ModelConfig {
        ModelConfig::from_json(
            r#"{"model_type": "gpt2", "vocab_size": 5, "n_positions": 8, "n_embd": 4, "n_layer": 1, "n_head": 2}"#,
        )
        .unwrap()
    }

    fn activation(shape: &[usize], values: &[f32]) -> Activation {
        Activation::new(shape.to_vec(), values.to_vec())
    }

    fn gradients() -> Gradients {
        let z = HookPoint::block(0, BlockSite::Z);
        let scores = HookPoint::block(0, BlockSite::AttnScores);
        let hidden = f32::NEG_INFINITY;
        Gradients {
            target: Target {
                pos: 1,
                token: 0,
                minus: None,
            },
            value: 0.0,
            gradients: [
                (
                    HookPoint::Embed,
                    activation(&[2, 4], &[3.0, 4.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]),
                ),
                (
                    z,
                    activation(&[2, 2, 2], &[1.0, 2.0, 0.0, 1.0, 1.0, 0.0, 2.0, 0.0]),
                ),
                (
                    scores,
                    activation(&[2, 2, 2], &[0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 0.5, 1.0]),
                ),
            ]
            .into(),
            values: [
                (
                    HookPoint::Embed,
                    activation(&[2, 4], &[1.0, -1.0, 9.0, 9.0, -2.0, 9.0, 9.0, 9.0]),
                ),
                (
                    z,
                    activation(&[2, 2, 2], &[1.0, 1.0, 5.0, 2.0, -1.0, 7.0, 3.0, 7.0]),
                ),
                (
                    scores,
                    activation(&[2, 2, 2], &[1.0, hidden, 2.0, 3.0, 1.0, hidden, 4.0, 5.0]),
                ),
            ]
            .into(),
        }
    }

    #[test]
    fn a_vector_and_its_derivative_come_down_to_a_norm_or_a_product() {
        let gradients = gradients();
        let by_pos = |measure: SaliencyMeasure| measure.by_pos(&gradients, HookPoint::Embed);

        let norms = by_pos(SaliencyMeasure::GradientNorm);
        let products = by_pos(SaliencyMeasure::GradientTimesInput);

        assert_eq!(norms, Some(vec![5.0, 1.0]));
        assert_eq!(products, Some(vec![-1.0, -2.0]));
        let scores = HookPoint::block(0, BlockSite::AttnScores);
        assert_eq!(
            SaliencyMeasure::GradientNorm.by_pos(&gradients, scores),
            None
        );
        let map = saliency_map(&gradients, &config(), SaliencyMeasure::GradientNorm);
        assert_eq!((map.n_rows(), map.row(0)), (3, &[5.0f32, 1.0][..]));
        assert!(map.row(1).is_empty(), "the stream was not differentiated");
    }

    #[test]
    fn heads_add_up_over_positions_and_dimensions() {
        let map = head_saliency(&gradients(), &config());

        // Head 0: 1 + 2 at the first position, -1 at the second; head 1: 2 and 6.
        assert_eq!(map.row(0), [2.0, 8.0]);
        assert!(neuron_saliency(&gradients(), 0).is_empty());
    }

    #[test]
    fn every_number_has_its_share_and_what_is_masked_has_none() {
        let cells = attribution_cells(&gradients());

        let scores = &cells[&HookPoint::block(0, BlockSite::AttnScores)];
        assert_eq!(scores.values(), [0.0, 0.0, 2.0, 6.0, 0.0, 0.0, 2.0, 5.0]);
        assert_eq!(cells[&HookPoint::Embed].shape(), [2, 4]);
    }
}
