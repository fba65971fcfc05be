//! Checkpoints made for tests: of the fixtures' tensors, changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use llmscope::model::{LoadSettings, Model, ModelError, ModelSource, Precision};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::fixture;

/// Kind, shape and bytes of each tensor.
pub type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

pub const TOKENS: [u32; 4] = [3, 1, 4, 1];

/// A fixture's tensors.
pub fn tensors(family: &str) -> Tensors {
    let bytes = fs::read(fixture(family).join("model.safetensors")).unwrap();
    SafeTensors::deserialize(&bytes)
        .unwrap()
        .iter()
        .map(|(name, view)| {
            let tensor = (view.dtype(), view.shape().to_vec(), view.data().to_vec());
            (name.to_owned(), tensor)
        })
        .collect()
}

/// The tensors as a file.
pub fn safetensors_of(tensors: &Tensors) -> Vec<u8> {
    let views = tensors.iter().map(|(name, (dtype, shape, data))| {
        let view = TensorView::new(*dtype, shape.clone(), data).unwrap();
        (name.as_str(), view)
    });
    safetensors::serialize(views.collect::<Vec<_>>(), None).unwrap()
}

/// Files of a fixture, copied to `folder`.
pub fn copy(family: &str, files: &[&str], folder: &Path) {
    for file in files {
        fs::copy(fixture(family).join(file), folder.join(file)).unwrap();
    }
}

pub fn try_load(path: &Path, precision: Precision) -> Result<Model, ModelError> {
    let settings = LoadSettings {
        precision,
        ..LoadSettings::default()
    };
    let source: ModelSource = path.to_str().unwrap().parse().unwrap();
    Model::load(&source, &settings, &mut |_| {})
}

pub fn load_from(path: &Path, precision: Precision) -> Model {
    try_load(path, precision).unwrap()
}

/// The message of a checkpoint that is refused.
pub fn refusal(path: &Path) -> String {
    let error = try_load(path, Precision::Auto).err().unwrap();
    assert!(error.is_unusable_model(), "{error}");
    error.to_string()
}

/// The logits after [`TOKENS`].
pub fn logits(model: &Model) -> Vec<f32> {
    logits_after(model, &TOKENS)
}

pub fn logits_after(model: &Model, tokens: &[u32]) -> Vec<f32> {
    let mut session = model.session();
    model.run_recorded(&mut session, tokens, &mut ()).unwrap()
}

/// The greatest difference.
pub fn worst(got: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(got.len(), expected.len());
    let differences = got.iter().zip(expected).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, f32::max)
}
