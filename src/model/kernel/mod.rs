//! The arithmetic of a forward pass on the processor: fused, on all cores, by its widest vectors.
//!
//! A kernel takes tensors of f32 in the processor's memory that keep no gradient, and says `None` to
//! all others: those go the plain way, by candle's operations, which can be differentiated. Both give
//! the same numbers but for rounding. A kernel gives the same bits whenever and on however many
//! threads it runs.

mod activation;
mod attention;
mod cache;
mod fresh;
mod math;
mod norm;
mod out_in;
mod product;
mod quantized;
mod rotary;
mod simd;
mod softmax;
#[cfg(test)]
mod tests;
mod threads;
mod tile;
mod turn;
mod weighted;

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{CpuStorage, Device, Result, Storage, Tensor, bail};

use attention::{Heads, Mask};
pub(super) use cache::{FIRST_ROOM, LayerCache};
use norm::Norm;
use product::Matrix;
use rotary::Angles;
pub(super) use threads::limit as limit_threads;

use crate::config::ActFn;

/// A weight that rows are multiplied with, `[out, in]`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Weight<'a> {
    /// Numbers.
    Plain(&'a Tensor),
    /// Blocks of numbers.
    Quantized(&'a QTensor),
}

/// Computes with the numbers of tensors, row by row, where a kernel can.
fn with<const N: usize, R>(
    tensors: [&Tensor; N],
    compute: impl FnOnce([&[f32]; N]) -> Result<R>,
) -> Result<Option<R>> {
    if tensors.iter().any(|tensor| tensor.track_op()) {
        return Ok(None);
    }
    let guards = tensors.map(Tensor::storage_and_layout);
    let mut slices: [&[f32]; N] = [&[]; N];
    for (slice, (storage, layout)) in slices.iter_mut().zip(&guards) {
        let (Storage::Cpu(CpuStorage::F32(numbers)), Some((first, end))) =
            (&**storage, layout.contiguous_offsets())
        else {
            return Ok(None);
        };
        *slice = &numbers[first..end];
    }
    compute(slices).map(Some)
}

/// Whether a kernel can compute with all of these.
pub(super) fn fits<const N: usize>(tensors: [&Tensor; N]) -> bool {
    matches!(with(tensors, |_| Ok(())), Ok(Some(())))
}

/// The sum of two tensors of one shape.
pub(super) fn add(left: &Tensor, right: &Tensor) -> Result<Option<Tensor>> {
    if left.dims() != right.dims() {
        return Ok(None);
    }
    with([left, right], |[a, b]| {
        let sums = fresh::rows(a.len(), 1, |first, out| {
            let terms = a[first..].iter().zip(&b[first..]);
            for (out, (a, b)) in out.iter_mut().zip(terms) {
                *out = a + b;
            }
        });
        tensor(sums, left.dims())
    })
}

fn tensor(numbers: Vec<f32>, shape: &[usize]) -> Result<Tensor> {
    Tensor::from_vec(numbers, shape, &Device::Cpu)
}

/// The last axis.
fn width(xs: &Tensor) -> Result<usize> {
    xs.dims()
        .last()
        .copied()
        .map_or_else(|| bail!("a number has no rows"), Ok)
}

/// LayerNorm over the last axis.
pub(super) fn layer_norm(
    xs: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f32,
) -> Result<Option<Tensor>> {
    check_width("a norm's input", width(xs)?, weight.elem_count())?;
    check_width("a norm's bias", bias.elem_count(), weight.elem_count())?;
    with([xs, weight, bias], |[numbers, weight, bias]| {
        let out = norm::normalize(Norm::Layer { bias }, numbers, weight, eps);
        tensor(out, xs.dims())
    })
}

/// RMSNorm over the last axis.
pub(super) fn rms_norm(xs: &Tensor, weight: &Tensor, eps: f32) -> Result<Option<Tensor>> {
    check_width("a norm's input", width(xs)?, weight.elem_count())?;
    with([xs, weight], |[numbers, weight]| {
        tensor(norm::normalize(Norm::Rms, numbers, weight, eps), xs.dims())
    })
}

/// An MLP's activation function of every number.
pub(super) fn activate(act_fn: ActFn, xs: &Tensor) -> Result<Option<Tensor>> {
    with([xs], |[numbers]| {
        tensor(activation::activate(act_fn, numbers, None), xs.dims())
    })
}

/// An MLP's activation function of every number of `xs`, times the number of `linear` there.
pub(super) fn activate_gate(act_fn: ActFn, xs: &Tensor, linear: &Tensor) -> Result<Option<Tensor>> {
    check_width("a gate", xs.elem_count(), linear.elem_count())?;
    with([xs, linear], |[numbers, linear]| {
        let out = activation::activate(act_fn, numbers, Some(linear));
        tensor(out, xs.dims())
    })
}

/// Rows, `[.., in]`, times a weight, plus `bias`, `[out]`. The columns are dealt out to tensors of
/// `widths` columns, `[.., width]` each, which are all of them.
pub(super) fn product<const N: usize>(
    xs: &Tensor,
    weight: Weight<'_>,
    bias: Option<&Tensor>,
    widths: [usize; N],
) -> Result<Option<[Tensor; N]>> {
    let (n_out, n_in) = match weight {
        Weight::Plain(weight) => weight.dims2()?,
        Weight::Quantized(weight) => weight.shape().dims2()?,
    };
    check_width("a product's input", width(xs)?, n_in)?;
    check_width("a product's output", widths.into_iter().sum(), n_out)?;
    if let Some(bias) = bias {
        check_width("a product's bias", bias.elem_count(), n_out)?;
    }
    let compute = |numbers: &[f32], matrix: Matrix<'_>, bias: Option<&[f32]>| {
        let parts = product::product(numbers, n_in, matrix, bias, widths);
        let mut shape = xs.dims().to_vec();
        shape.pop();
        let mut tensors = widths.map(|_| xs.clone());
        for ((place, part), width) in tensors.iter_mut().zip(parts).zip(widths) {
            *place = tensor(part, &[&shape[..], &[width]].concat())?;
        }
        Ok(tensors)
    };
    let with_bias = |matrix: Matrix<'_>| match bias {
        Some(bias) => with([xs, bias], |[xs, bias]| compute(xs, matrix, Some(bias))),
        None => with([xs], |[xs]| compute(xs, matrix, None)),
    };
    let product = match weight {
        Weight::Plain(weight) => with([weight], |[weight]| with_bias(Matrix::Plain(weight)))?,
        Weight::Quantized(weight) if is_q8_0(weight) => {
            Some(with_bias(Matrix::Q8_0(&weight.data()?))?)
        }
        Weight::Quantized(_) => None,
    };
    Ok(product.flatten())
}

/// The same matrix with its columns in memory one after the other: what was stored `[in, out]` lies as
/// [`Weight`] has it.
pub(super) fn by_columns(matrix: &Tensor) -> Result<Option<Tensor>> {
    let (n_rows, n_columns) = matrix.dims2()?;
    let turned = with([matrix], |[numbers]| {
        tensor(turn::turned(numbers, n_columns), &[n_columns, n_rows])
    })?;
    turned.map(|turned| turned.t()).transpose()
}

fn is_q8_0(weight: &QTensor) -> bool {
    weight.dtype() == GgmlDType::Q8_0 && weight.device().is_cpu()
}

/// Adds keys and values, `[1, pos, head, d_head]`, to a layer's cache.
pub(super) fn remember(cache: &mut LayerCache, k: &Tensor, v: &Tensor) -> Result<Option<()>> {
    let (n_batch, _, n_heads, d_head) = k.dims4()?;
    if n_batch != 1 || n_heads != cache.n_kv_heads() || k.dims() != v.dims() {
        bail!(
            "{:?} are no keys of a cache of {} heads",
            k.dims(),
            cache.n_kv_heads()
        );
    }
    with([k, v], |[k, v]| {
        cache.append(k, v, d_head);
        Ok(())
    })
}

/// The scores, `[1, head, query, key]`, of queries, `[1, query, head, d_head]`, which are of the last
/// positions of the cache: products times `scale`; minus infinity for keys after the query, or `window`
/// or more before it.
pub(super) fn scores(
    q: &Tensor,
    cache: &LayerCache,
    scale: f64,
    window: Option<usize>,
) -> Result<Option<Tensor>> {
    let (_, n_query, n_heads, d_head) = q.dims4()?;
    let heads = Heads { n_heads, d_head };
    with([q], |[q]| {
        let mask = Mask {
            n_key: cache.n_pos(),
            n_query,
            window,
        };
        let scores = attention::scores(heads, q, cache, scale as f32, mask);
        tensor(scores, &[1, n_heads, n_query, cache.n_pos()])
    })
}

/// The softmax over the last axis.
pub(super) fn softmax(scores: &Tensor) -> Result<Option<Tensor>> {
    let width = width(scores)?;
    with([scores], |[numbers]| {
        tensor(softmax::softmax(numbers, width), scores.dims())
    })
}

/// The mix, `[1, query, head, d_head]`, of a cache's values by a pattern, `[1, head, query, key]`.
pub(super) fn mix(pattern: &Tensor, cache: &LayerCache, d_head: usize) -> Result<Option<Tensor>> {
    let (_, n_heads, n_query, n_key) = pattern.dims4()?;
    check_width("a pattern", n_key, cache.n_pos())?;
    let heads = Heads { n_heads, d_head };
    with([pattern], |[pattern]| {
        let z = attention::mix(heads, pattern, cache);
        tensor(z, &[1, n_query, n_heads, d_head])
    })
}

/// Heads, `[batch, pos, head, d_head]`, turned by the angles at each position, of which `cos` and
/// `sin`, `[pos, 1, pair]`, are given: number `i` of as many pairs with number `i + n_pairs`.
pub(super) fn turn(heads: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Option<Tensor>> {
    let (_, n_pos, n_heads, d_head) = heads.dims4()?;
    let n_pairs = width(cos)?;
    check_width("positions' angles", cos.elem_count(), n_pos * n_pairs)?;
    check_width("positions' sines", sin.elem_count(), n_pos * n_pairs)?;
    with([heads, cos, sin], |[numbers, cos, sin]| {
        let angles = Angles { cos, sin, n_pairs };
        let turned = rotary::turn(numbers, [n_heads, d_head], angles);
        tensor(turned, heads.dims())
    })
}

fn check_width(what: &str, got: usize, expected: usize) -> Result<()> {
    if got != expected {
        bail!("{what} has {got} numbers, where {expected} are needed");
    }
    Ok(())
}
