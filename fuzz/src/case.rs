//! What a fuzz input is: the bytes of one of a model's files, the others being those of a tiny GPT-2.
//! The first byte says which.

use std::path::{Path, PathBuf};
use std::{fs, io};

use llmscope::config::ModelConfig;
use llmscope::model::{LoadSettings, Model, ModelError, ModelSource};

/// One layer, two numbers wide.
const CONFIG: &str = r#"{"model_type": "gpt2", "n_layer": 1, "n_embd": 2, "n_head": 1,
    "n_positions": 2, "vocab_size": 4, "layer_norm_epsilon": 1e-5}"#;

/// Writes the files that `input` stands for into `folder`, in place of those of the input before,
/// and says what is to be loaded. None where it stands for nothing.
///
/// # Errors
///
/// If they can't be written.
pub fn write(input: &[u8], folder: &Path) -> io::Result<Option<PathBuf>> {
    let Some((kind, content)) = input.split_first() else {
        return Ok(None);
    };
    fs::create_dir_all(folder)?;
    for file in folder.read_dir()? {
        fs::remove_file(file?.path())?;
    }
    let put = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes);
    let config_and = |name: &str| {
        put("config.json", CONFIG.as_bytes())?;
        put(name, content)
    };
    let mut source = folder.to_owned();
    match kind % 7 {
        0 => {
            put("config.json", content)?;
            put("model.safetensors", &weights())?;
        }
        1 => config_and("model.safetensors")?,
        2 => {
            put("model.gguf", content)?;
            source = folder.join("model.gguf");
        }
        3 => config_and("pytorch_model.bin")?,
        4 => {
            config_and("tokenizer.json")?;
            put("model.safetensors", &weights())?;
        }
        5 => {
            config_and("model.safetensors.index.json")?;
            put("a.safetensors", &weights())?;
        }
        _ => {
            let end = content.iter().position(|byte| *byte == 0);
            let (vocab, merges) = content.split_at(end.unwrap_or(content.len()));
            put("config.json", CONFIG.as_bytes())?;
            put("model.safetensors", &weights())?;
            put("vocab.json", vocab)?;
            put("merges.txt", merges.get(1..).unwrap_or_default())?;
        }
    }
    Ok(Some(source))
}

/// Loads a model and, if that works, runs a token, and makes tokens of text and text of tokens, which may
/// fail.
///
/// # Errors
///
/// If it can't be loaded.
pub fn try_out(path: PathBuf) -> Result<(), ModelError> {
    let source = match path.extension() {
        Some(_) => ModelSource::File(path),
        None => ModelSource::Folder(path),
    };
    let model = Model::load(&source, &LoadSettings::default(), &mut |_| {})?;
    let mut session = model.session();
    drop(model.run_recorded(&mut session, &[0], &mut ()));
    if let Some(tokenizer) = model.tokenizer() {
        drop(tokenizer.encode("The cat, 12 \u{20ac}"));
        drop(tokenizer.decode(&[0, 1, 2, 3]));
    }
    Ok(())
}

/// The tiny model's weights, all zero, as safetensors.
fn weights() -> Vec<u8> {
    let config = ModelConfig::from_json(CONFIG).expect("the tiny model's config is whole");
    let mut header = String::from("{");
    let mut start = 0;
    for spec in config.weights() {
        let end = start + 4 * spec.element_count();
        header += &format!(
            r#"{}"{}":{{"dtype":"F32","shape":{:?},"data_offsets":[{start},{end}]}}"#,
            if start == 0 { "" } else { "," },
            spec.name,
            spec.shape
        );
        start = end;
    }
    header += "}";
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.resize(bytes.len() + start, 0);
    bytes
}
