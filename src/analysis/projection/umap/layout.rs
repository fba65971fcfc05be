//! Points drawn together along edges and pushed from others.

use rayon::prelude::*;

use super::curve::Curve;
use super::graph::Graph;
use crate::analysis::projection::ProjectionError;

/// What moves the points.
pub(super) struct Schedule<'a> {
    pub graph: &'a Graph,
    pub curve: Curve,
    pub n_steps: usize,
    pub seed: u64,
}

/// Points pushed away for each that is drawn near.
const N_PUSHED: usize = 5;
/// The most that one pull or push moves a point along an axis, at the first step.
const LIMIT: f32 = 4.0;
/// Points that one task moves.
const TASK: usize = 256;

/// Moves points `[n, D]` until the steps are done.
pub(super) fn settle<const D: usize>(
    points: &mut [f32],
    schedule: &Schedule<'_>,
    tell: &mut dyn FnMut(f32, &[f32]) -> Result<(), ProjectionError>,
) -> Result<(), ProjectionError> {
    let graph = schedule.graph;
    let strongest = graph.weights.iter().copied().fold(0.0f32, f32::max);
    // An edge is due once in as many steps as the strongest is stronger.
    let rates: Vec<f32> = graph
        .weights
        .iter()
        .map(|weight| weight / strongest)
        .collect();
    let force = Force::new(schedule.curve);
    let mut before = points.to_vec();
    for step in 0..schedule.n_steps {
        before.copy_from_slice(points);
        let (places, _) = before.as_chunks::<D>();
        let share = step as f32 / schedule.n_steps as f32;
        let mover = Mover {
            graph,
            rates: &rates,
            places,
            force,
            step,
            pace: 1.0 - share,
            seed: schedule.seed,
        };
        let (moved, _) = points.as_chunks_mut::<D>();
        moved
            .par_iter_mut()
            .with_min_len(TASK)
            .enumerate()
            .for_each(|(index, point)| mover.advance(index, point));
        let share = (step + 1) as f32 / schedule.n_steps as f32;
        tell(share, points)?;
    }
    Ok(())
}

/// One step of every point.
struct Mover<'a, const D: usize> {
    graph: &'a Graph,
    rates: &'a [f32],
    /// Where the points stood before the step.
    places: &'a [[f32; D]],
    force: Force,
    step: usize,
    /// How far points move, 1 at first, 0 in the end.
    pace: f32,
    seed: u64,
}

impl<const D: usize> Mover<'_, D> {
    fn advance(&self, index: usize, point: &mut [f32; D]) {
        let mut random = Random::new(self.seed, self.step, index);
        for edge in self.graph.starts[index]..self.graph.starts[index + 1] {
            // Due when another whole edge has come together.
            let rate = f64::from(self.rates[edge]);
            let due = (rate * (self.step + 1) as f64) as usize > (rate * self.step as f64) as usize;
            if !due {
                continue;
            }
            let other = &self.places[self.graph.ends[edge] as usize];
            // Once as this end of the edge, once as the other end's neighbour.
            for _ in 0..2 {
                self.pull(point, other);
            }
            for _ in 0..N_PUSHED {
                let other = random.below(self.places.len());
                if other != index {
                    self.push(point, &self.places[other]);
                }
            }
        }
    }

    fn pull(&self, point: &mut [f32; D], other: &[f32; D]) {
        let apart = squared_distance(point, other);
        if apart > 0.0 {
            let strength = self.force.pull(apart);
            self.shift(point, other, strength);
        }
    }

    fn push(&self, point: &mut [f32; D], other: &[f32; D]) {
        let apart = squared_distance(point, other);
        let strength = self.force.push(apart);
        self.shift(point, other, strength);
    }

    fn shift(&self, point: &mut [f32; D], other: &[f32; D], strength: f32) {
        for (at, other) in point.iter_mut().zip(other) {
            *at += self.pace * (strength * (*at - other)).clamp(-LIMIT, LIMIT);
        }
    }
}

fn squared_distance<const D: usize>(a: &[f32; D], b: &[f32; D]) -> f32 {
    let mut sum = 0.0;
    for axis in 0..D {
        let difference = a[axis] - b[axis];
        sum += difference * difference;
    }
    sum
}

/// What the cross entropy of the graph and the picture does to a pair of points.
#[derive(Clone, Copy)]
struct Force {
    a: f32,
    b: f32,
}

impl Force {
    fn new(curve: Curve) -> Self {
        Self {
            a: curve.a as f32,
            b: curve.b as f32,
        }
    }

    /// By how much of their difference points of an edge move, at a squared distance above zero.
    fn pull(self, apart: f32) -> f32 {
        let power = power(apart, self.b);
        -2.0 * self.a * self.b * power / (apart * (1.0 + self.a * power))
    }

    /// By how much of their difference points without one move.
    fn push(self, apart: f32) -> f32 {
        let power = power(apart, self.b);
        2.0 * self.b / ((0.001 + apart) * (1.0 + self.a * power))
    }
}

/// `base ^ exponent` of a number that is not negative, to about six digits.
fn power(base: f32, exponent: f32) -> f32 {
    if base <= f32::MIN_POSITIVE {
        return 0.0;
    }
    exp2(exponent * log2(base))
}

/// By the exponent and a series in `(m - 1) / (m + 1)`.
fn log2(value: f32) -> f32 {
    let bits = value.to_bits();
    // The mantissa is brought between the half and the whole square root of two.
    let shifted = bits.wrapping_sub(0x3f35_04f3);
    let exponent = (shifted as i32) >> 23;
    let mantissa = f32::from_bits((shifted & 0x007f_ffff).wrapping_add(0x3f35_04f3));
    let part = (mantissa - 1.0) / (mantissa + 1.0);
    let square = part * part;
    let series = 1.0 + square * (1.0 / 3.0 + square * (0.2 + square * (1.0 / 7.0)));
    exponent as f32 + 2.0 * std::f32::consts::LOG2_E * part * series
}

fn exp2(value: f32) -> f32 {
    let value = value.clamp(-126.0, 126.0);
    let whole = (value + 0.5).floor();
    let rest = (value - whole) * std::f32::consts::LN_2;
    let series = 1.0
        + rest
            * (1.0
                + rest * (0.5 + rest * (1.0 / 6.0 + rest * (1.0 / 24.0 + rest * (1.0 / 120.0)))));
    series * f32::from_bits(((whole as i32 + 127) as u32) << 23)
}

/// Random numbers of one point in one step (SplitMix64, Steele, Lea and Flood 2014).
struct Random {
    state: u64,
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    fn new(seed: u64, step: usize, index: usize) -> Self {
        let place = ((step as u64) << 32) ^ index as u64;
        let mut random = Self {
            state: seed ^ place.wrapping_mul(GOLDEN),
        };
        random.state = random.next();
        random
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (((self.next() >> 32) * n as u64) >> 32) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_have_six_digits() {
        for exponent in [0.5, 0.8951, 1.334] {
            for base in [1e-12f32, 3e-4, 0.7, 1.0, 1.9, 55.0, 1e6] {
                let exact = f64::from(base).powf(f64::from(exponent));

                let relative = f64::from(power(base, exponent)) / exact - 1.0;

                assert!(relative.abs() < 1e-5, "{base}^{exponent}: {relative}");
            }
        }
        assert_eq!(power(0.0, 0.9), 0.0);
    }

    #[test]
    fn random_places_cover_all_and_stay_below() {
        let mut random = Random::new(7, 3, 1);
        let mut counts = [0; 10];

        for _ in 0..10_000 {
            counts[random.below(10)] += 1;
        }

        assert!(
            counts.iter().all(|count| (850..1150).contains(count)),
            "{counts:?}"
        );
    }
}
