//! Weights left and right of the lanes, beside the stages that use them.

use super::Surveyor;
use crate::weight::{WeightPoint, WeightSite};

impl Surveyor<'_> {
    /// Lays a layer's weights beside the stages that use them: attention's at the left, the MLP's at
    /// the right. Returns where they end.
    pub(super) fn weights_of_layer(
        &mut self,
        layer: usize,
        attention_z: f32,
        output_z: f32,
        mlp_z: f32,
    ) -> f32 {
        let at = |site| WeightPoint::block(layer, site);
        let left = -self.verge();
        let right = self.right_verge();
        let step = self.yard.depth() + 2.0 * self.yard.gap();
        let yard = &mut self.yard;
        let mut x = left;
        x -= yard.norm(
            [at(WeightSite::Ln1Scale), at(WeightSite::Ln1Shift)],
            x,
            attention_z,
            -1.0,
        );
        for (matrix, vectors) in [
            (
                WeightSite::Query,
                [WeightSite::QueryBias, WeightSite::QueryNorm].as_slice(),
            ),
            (WeightSite::Key, &[WeightSite::KeyBias, WeightSite::KeyNorm]),
            (WeightSite::Value, &[WeightSite::ValueBias]),
        ] {
            let vectors = vectors.iter().map(|site| at(*site));
            x -= yard.matrix(at(matrix), vectors, x, attention_z, -1.0);
        }
        let output_z = output_z.min(attention_z - step);
        yard.writer(
            [at(WeightSite::Output), at(WeightSite::OutputBias)],
            left,
            output_z,
            -1.0,
        );
        let mut x = right;
        x += yard.norm(
            [at(WeightSite::Ln2Scale), at(WeightSite::Ln2Shift)],
            x,
            mlp_z,
            1.0,
        );
        let mut out_z = mlp_z;
        for (matrix, bias) in [
            (WeightSite::MlpGate, WeightSite::MlpGateBias),
            (WeightSite::MlpIn, WeightSite::MlpInBias),
        ] {
            if yard.matrix(at(matrix), [at(bias)], x, out_z, 1.0) > 0.0 {
                out_z -= step;
            }
        }
        let bias_x = x - yard.bias_room();
        // All weights of a neuron are at the same place along X.
        yard.writer(
            [at(WeightSite::MlpOut), at(WeightSite::MlpOutBias)],
            bias_x,
            out_z,
            1.0,
        );
        output_z.min(out_z) - self.yard.depth()
    }

    pub(super) fn weights_of_entrance(&mut self) {
        if self.has_weights() {
            let z = self.z - self.yard.depth();
            let (left, right) = (-self.verge(), self.right_verge());
            self.yard.tokens(WeightPoint::Embed, [left, z], -1.0, 1.0);
            if self.config.has_weight(WeightPoint::PosEmbed) {
                self.yard
                    .tokens(WeightPoint::PosEmbed, [right, z], 1.0, 1.0);
            }
        }
    }

    pub(super) fn weights_of_exit(&mut self) {
        if self.has_weights() {
            let (left, right) = (-self.verge(), self.right_verge());
            self.yard.norm(
                [WeightPoint::FinalNormScale, WeightPoint::FinalNormShift],
                left,
                self.z,
                -1.0,
            );
            self.yard
                .tokens(WeightPoint::Unembed, [right, self.z], 1.0, -1.0);
        }
    }
}
