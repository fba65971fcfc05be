//! The logit lens: what the residual stream already says, read as the last layer's is.
//!
//! nostalgebraist 2020, "interpreting GPT: the logit lens".

use candle_core::{DType, Tensor};

use super::{Model, ModelError};

impl Model {
    /// The logits, `[n, d_vocab]`, that the final norm and the unembedding make of `resid`,
    /// `[n, d_model]`, both row by row.
    ///
    /// Of the last block's `hook_resid_post` these are the pass's own logits.
    ///
    /// # Errors
    ///
    /// If the device fails.
    ///
    /// # Panics
    ///
    /// If `resid` is not whole rows.
    pub fn unembed(&self, resid: &[f32]) -> Result<Vec<f32>, ModelError> {
        let d_model = self.config.d_model;
        assert!(
            resid.len().is_multiple_of(d_model),
            "{} values are not rows of {d_model}",
            resid.len()
        );
        if resid.is_empty() {
            return Ok(Vec::new());
        }
        let shape = (resid.len() / d_model, d_model);
        let resid = Tensor::from_slice(resid, shape, &self.device)?.to_dtype(self.net.dtype())?;
        let logits = self.net.unembed(&resid)?; // [n, d_vocab]
        Ok(logits.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
    }
}
