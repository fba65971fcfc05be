//! What the ends of layers predict, as it is kept.

/// Tokens kept of each prediction.
pub const LENS_TOP: usize = 5;

/// A token that may come next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// The token.
    pub token: u32,
    /// Its probability, 0 to 1.
    pub probability: f32,
}

/// What the end of a layer predicts, read through the logit lens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LensReading {
    /// The most probable tokens, most probable first; none where a logit is NaN.
    pub top: Vec<Candidate>,
    /// The prediction's entropy, in nats: 0 where one token is certain, `ln(d_vocab)` where all are
    /// alike.
    pub entropy: f32,
    /// Kullback-Leibler divergence of this prediction from the pass's own, in nats:
    /// `sum p ln(p / q)` where `p` is the pass's and `q` the layer's. 0 after the last layer.
    pub kl: f32,
}
