//! How much two points belong together at a distance.

/// `1 / (1 + a d^(2 b))`: one at distance zero, falling to zero far away.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Curve {
    pub a: f64,
    pub b: f64,
}

/// Distances at which the curve is fitted.
const N_SAMPLES: usize = 300;
/// The greatest of them.
const REACH: f64 = 3.0;

impl Curve {
    /// The curve nearest, by least squares, to one that is 1 up to `min_dist` and falls off
    /// exponentially from there.
    pub fn fit(min_dist: f64) -> Self {
        let samples: Vec<(f64, f64)> = (0..N_SAMPLES)
            .map(|index| {
                let distance = REACH * index as f64 / (N_SAMPLES - 1) as f64;
                (distance, (min_dist - distance).min(0.0).exp())
            })
            .collect();
        let mut curve = Self { a: 1.0, b: 1.0 };
        let mut error = curve.error(&samples);
        let mut damping = 1e-2;
        // Levenberg-Marquardt; it settles within a few dozen steps.
        for _ in 0..200 {
            let step = curve.step(&samples, damping);
            let next = Self {
                a: (curve.a + step[0]).max(1e-6),
                b: (curve.b + step[1]).max(1e-6),
            };
            let next_error = next.error(&samples);
            if next_error < error {
                (curve, error) = (next, next_error);
                damping = (damping * 0.3).max(1e-12);
            } else {
                damping *= 4.0;
            }
            if damping > 1e12 {
                break;
            }
        }
        curve
    }

    fn at(&self, distance: f64) -> f64 {
        1.0 / (1.0 + self.a * distance.powf(2.0 * self.b))
    }

    fn error(&self, samples: &[(f64, f64)]) -> f64 {
        let rests = samples
            .iter()
            .map(|(distance, wanted)| self.at(*distance) - wanted);
        rests.map(|rest| rest * rest).sum()
    }

    fn step(&self, samples: &[(f64, f64)], damping: f64) -> [f64; 2] {
        let (mut aa, mut ab, mut bb, mut ra, mut rb) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (distance, wanted) in samples.iter().filter(|(distance, _)| *distance > 0.0) {
            let value = self.at(*distance);
            let power = distance.powf(2.0 * self.b);
            let by_a = -value * value * power;
            let by_b = -value * value * self.a * power * 2.0 * distance.ln();
            let rest = wanted - value;
            aa += by_a * by_a;
            ab += by_a * by_b;
            bb += by_b * by_b;
            ra += by_a * rest;
            rb += by_b * rest;
        }
        aa *= 1.0 + damping;
        bb *= 1.0 + damping;
        let determinant = aa * bb - ab * ab;
        if determinant == 0.0 {
            return [0.0; 2];
        }
        [
            (bb * ra - ab * rb) / determinant,
            (aa * rb - ab * ra) / determinant,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fitted_curves_are_those_of_the_reference_implementation() {
        // umap-learn 0.5, find_ab_params(1.0, min_dist).
        for (min_dist, a, b) in [(0.1, 1.576_9, 0.895_1), (0.5, 0.583_0, 1.334_2)] {
            let curve = Curve::fit(min_dist);

            assert!((curve.a - a).abs() < 2e-3, "{min_dist}: {curve:?}");
            assert!((curve.b - b).abs() < 2e-3, "{min_dist}: {curve:?}");
        }
    }
}
