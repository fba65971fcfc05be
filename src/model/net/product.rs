//! A product with a weight that is not being learned.

use candle_core::backend::BackendStorage;
use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, Layout, MetalStorage, Result, Shape, Storage, Tensor, bail,
};

/// `xs`, `[n, in]`, times `weight`, `[in, out]`.
///
/// A plain product also differentiates by its weight: half of the work, and the memory of every weight
/// once more, for numbers that nobody reads unless the weight is being learned.
///
/// # Errors
///
/// If the shapes do not fit or the device fails.
pub(in crate::model) fn product(xs: &Tensor, weight: &Tensor) -> Result<Tensor> {
    if !xs.track_op() || weight.track_op() {
        return xs.matmul(weight);
    }
    xs.contiguous()?.apply_op1(FrozenProduct {
        weight: weight.clone(),
    })
}

struct FrozenProduct {
    weight: Tensor, // [in, out]
}

impl FrozenProduct {
    fn forward<S: BackendStorage>(
        &self,
        xs: &S,
        layout: &Layout,
        weight: &S,
        weight_layout: &Layout,
    ) -> Result<(S, Shape)> {
        let (n_rows, n_in) = layout.shape().dims2()?;
        let (weight_in, n_out) = weight_layout.shape().dims2()?;
        if n_in != weight_in {
            bail!("{n_in} columns do not fit a weight of {weight_in} rows");
        }
        let shape = (1, n_rows, n_out, n_in);
        let product = xs.matmul(weight, shape, layout, weight_layout)?;
        Ok((product, (n_rows, n_out).into()))
    }
}

impl CustomOp1 for FrozenProduct {
    fn name(&self) -> &'static str {
        "frozen-product"
    }

    fn cpu_fwd(&self, xs: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (weight, weight_layout) = self.weight.storage_and_layout();
        let Storage::Cpu(weight) = &*weight else {
            bail!("the weight is on another device");
        };
        self.forward(xs, layout, weight, weight_layout)
    }

    fn cuda_fwd(&self, xs: &CudaStorage, layout: &Layout) -> Result<(CudaStorage, Shape)> {
        let (weight, weight_layout) = self.weight.storage_and_layout();
        let Storage::Cuda(weight) = &*weight else {
            bail!("the weight is on another device");
        };
        self.forward(xs, layout, weight, weight_layout)
    }

    fn metal_fwd(&self, xs: &MetalStorage, layout: &Layout) -> Result<(MetalStorage, Shape)> {
        let (weight, weight_layout) = self.weight.storage_and_layout();
        let Storage::Metal(weight) = &*weight else {
            bail!("the weight is on another device");
        };
        self.forward(xs, layout, weight, weight_layout)
    }

    fn bwd(&self, _xs: &Tensor, _product: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(gradient.matmul(&self.weight.t()?)?)) // [n, in]
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    #[test]
    fn it_equals_the_plain_product_and_has_the_same_gradient() {
        let device = Device::Cpu;
        let xs = Var::new(&[[1.0f32, -2.0, 0.5], [3.0, 0.0, 1.0]], &device).unwrap();
        let weight = Tensor::new(&[[1.0f32, 2.0], [0.5, -1.0], [4.0, 0.25]], &device).unwrap();
        // Also as a weight that is stored the other way round.
        let turned = weight.t().unwrap().contiguous().unwrap().t().unwrap();

        let plain = xs.matmul(&weight).unwrap();
        let expected = plain.sqr().unwrap().backward().unwrap();
        for weight in [&weight, &turned] {
            let frozen = product(&xs, weight).unwrap();
            let gradients = frozen.sqr().unwrap().backward().unwrap();

            let numbers = |tensor: &Tensor| tensor.to_vec2::<f32>().unwrap();
            assert_eq!(numbers(&frozen), numbers(&plain));
            let (got, expected) = (gradients.get(&xs).unwrap(), expected.get(&xs).unwrap());
            assert_eq!(numbers(got), numbers(expected));
            assert!(gradients.get(weight).is_none());
        }
        assert!(product(&xs, &xs).is_err());
    }
}
