//! The forms that a GPT-2 checkpoint comes in: with and without a prefix, with old mask buffers, in
//! half precision.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::{fixture, load};
use llmscope::model::{LoadSettings, Model, ModelSource, Precision};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

const TOKENS: [u32; 4] = [3, 1, 4, 1];

type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

fn tensors() -> Tensors {
    let bytes = fs::read(fixture("gpt2").join("model.safetensors")).unwrap();
    SafeTensors::deserialize(&bytes)
        .unwrap()
        .iter()
        .map(|(name, view)| {
            let tensor = (view.dtype(), view.shape().to_vec(), view.data().to_vec());
            (name.to_owned(), tensor)
        })
        .collect()
}

fn write(folder: &Path, tensors: &Tensors) {
    fs::copy(
        fixture("gpt2").join("config.json"),
        folder.join("config.json"),
    )
    .unwrap();
    let views: Vec<(&str, TensorView<'_>)> = tensors
        .iter()
        .map(|(name, (dtype, shape, data))| {
            let view = TensorView::new(*dtype, shape.clone(), data).unwrap();
            (name.as_str(), view)
        })
        .collect();
    safetensors::serialize_to_file(views, None, &folder.join("model.safetensors")).unwrap();
}

fn logits(model: &Model) -> Vec<f32> {
    let mut session = model.session();
    model.run_recorded(&mut session, &TOKENS, &mut ()).unwrap()
}

fn load_from(folder: &Path, precision: Precision) -> Model {
    let settings = LoadSettings {
        precision,
        ..LoadSettings::default()
    };
    let source = ModelSource::Folder(folder.to_owned());
    Model::load(&source, &settings, &mut |_| {}).unwrap()
}

#[test]
fn a_checkpoint_without_the_prefix_and_with_mask_buffers_is_the_same_model() {
    let folder = tempfile::tempdir().unwrap();
    let mut bare: Tensors = tensors()
        .into_iter()
        .map(|(name, tensor)| (name.trim_start_matches("transformer.").to_owned(), tensor))
        .collect();
    let mask = (Dtype::U8, vec![1, 1, 64, 64], vec![1; 64 * 64]);
    bare.insert("h.0.attn.bias".to_owned(), mask);
    let masked = (Dtype::F32, vec![], (-1e4f32).to_le_bytes().to_vec());
    bare.insert("h.0.attn.masked_bias".to_owned(), masked);
    write(folder.path(), &bare);

    let model = load_from(folder.path(), Precision::F32);

    assert_eq!(logits(&model), logits(&load("gpt2")));
}

#[test]
fn a_checkpoint_in_brain_floats_is_read_and_computed_in_either_precision() {
    let folder = tempfile::tempdir().unwrap();
    let halved: Tensors = tensors()
        .into_iter()
        .map(|(name, (_, shape, data))| {
            // A brain float is the upper half of an f32.
            let upper = data.as_chunks::<4>().0.iter().flat_map(|b| [b[2], b[3]]);
            (name, (Dtype::BF16, shape, upper.collect()))
        })
        .collect();
    write(folder.path(), &halved);
    let expected = logits(&load("gpt2"));

    // Weights cut to 8 bits of precision: the logits, which span 6.3, move by 0.03 to 0.05.
    let tolerance = 0.1;
    for precision in [Precision::F32, Precision::F16, Precision::Bf16] {
        let got = logits(&load_from(folder.path(), precision));

        let worst = got
            .iter()
            .zip(&expected)
            .map(|(got, expected)| (got - expected).abs())
            .fold(0.0, f32::max);
        assert!(worst > 0.0 && worst < tolerance, "{precision:?}: {worst}");
    }
}
