//! Saving a trace as safetensors: one f32 tensor per hook point, under its own name.

use std::borrow::Cow;
use std::collections::HashMap;
#[cfg(any(unix, test))]
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensorError, View};
use thiserror::Error;

use super::Trace;
use crate::hook::HookPoint;

/// Why a trace could not be saved.
#[derive(Debug, Error)]
pub enum SaveError {
    /// The file exists and was not to be replaced.
    #[error("{} exists; choose another name or pass --force to replace it", .0.display())]
    Exists(PathBuf),
    /// Writing failed.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A hook point was asked for that some position lacks.
    #[error("{0} was not recorded at every position")]
    NotRecorded(HookPoint),
}

/// A tensor of the file. Its bytes are made when they are written, so that one tensor at a time
/// is held besides the trace.
struct Entry<'a> {
    trace: &'a Trace,
    /// The hook point, or none for the tokens.
    hook: Option<HookPoint>,
    shape: Vec<usize>,
}

impl View for Entry<'_> {
    fn dtype(&self) -> Dtype {
        match self.hook {
            None => Dtype::I64,
            Some(_) => Dtype::F32,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let bytes: Vec<u8> = match self.hook {
            None => self
                .trace
                .tokens()
                .flat_map(|token| i64::from(token).to_le_bytes())
                .collect(),
            Some(hook) => self
                .trace
                .activation(hook)
                .expect("save checks that every position has the hook")
                .values()
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
        };
        bytes.into()
    }

    fn data_len(&self) -> usize {
        let n_values: usize = self.shape.iter().product();
        match self.hook {
            None => 8 * n_values,
            Some(_) => 4 * n_values,
        }
    }
}

/// Writes `hooks` of `trace` to `path` as safetensors: `tokens` (i64) and one f32 tensor per hook
/// point under its name, shaped as [`ModelConfig::shape`](crate::config::ModelConfig::shape).
///
/// The file appears whole or not at all. An existing file is replaced only with `force`.
///
/// # Errors
///
/// If the file exists, can't be written, or a hook was not recorded.
pub fn save(
    trace: &Trace,
    hooks: &[HookPoint],
    metadata: HashMap<String, String>,
    path: &Path,
    force: bool,
) -> Result<(), SaveError> {
    if !force && path.exists() {
        return Err(SaveError::Exists(path.to_owned()));
    }
    let tokens = Entry {
        trace,
        hook: None,
        shape: vec![trace.len()],
    };
    let mut entries = vec![("tokens".to_owned(), tokens)];
    for &hook in hooks {
        if !trace
            .passes()
            .iter()
            .all(|pass| pass.cache.contains_key(&hook))
        {
            return Err(SaveError::NotRecorded(hook));
        }
        let entry = Entry {
            trace,
            hook: Some(hook),
            shape: trace.config().shape(hook, trace.len()),
        };
        entries.push((hook.to_string(), entry));
    }
    // It writes beside the file and renames at the end, so that half a file never bears the name.
    safetensors::serialize_to_file(entries, Some(metadata), path)
        .map_err(into_io)
        .and_then(|()| let_others_read(path))
        .map_err(|source| SaveError::Write {
            path: path.to_owned(),
            source,
        })
}

/// Gives a file made as a temporary one, for its owner alone, the mode of an ordinary one.
#[cfg(unix)]
fn let_others_read(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    fs::set_permissions(path, fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn let_others_read(_path: &Path) -> io::Result<()> {
    Ok(())
}

fn into_io(error: SafeTensorError) -> io::Error {
    match error {
        SafeTensorError::IoError(error) => error,
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::ModelConfig;
    use crate::trace::{Activation, Pass};

    fn one_token_trace() -> Trace {
        let mut trace = Trace::new(ModelConfig {
            d_model: 2,
            ..ModelConfig::preset("gpt2").unwrap()
        });
        trace.push(Arc::new(Pass {
            first_pos: 0,
            tokens: vec![5],
            cache: [(
                HookPoint::Embed,
                Activation::new(vec![1, 2], vec![0.5, f32::NAN]),
            )]
            .into(),
        }));
        trace
    }

    #[test]
    fn a_saved_trace_reads_back_with_names_shapes_and_bits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.safetensors");

        save(
            &one_token_trace(),
            &[HookPoint::Embed],
            HashMap::new(),
            &path,
            false,
        )
        .unwrap();

        let bytes = fs::read(&path).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let embed = file.tensor("hook_embed").unwrap();
        assert_eq!(embed.shape(), [1, 2]);
        assert_eq!(
            embed.data(),
            [0.5f32.to_le_bytes(), f32::NAN.to_le_bytes()].concat()
        );
        assert_eq!(file.tensor("tokens").unwrap().data(), 5i64.to_le_bytes());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_existing_file_is_kept_unless_forced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.safetensors");
        fs::write(&path, "mine").unwrap();
        let trace = one_token_trace();

        let refused = save(&trace, &[], HashMap::new(), &path, false);
        assert!(matches!(refused, Err(SaveError::Exists(_))));
        assert_eq!(fs::read(&path).unwrap(), b"mine");

        save(&trace, &[], HashMap::new(), &path, true).unwrap();
        assert_ne!(fs::read(&path).unwrap(), b"mine");
    }

    #[test]
    fn an_unrecorded_hook_and_an_unwritable_folder_are_errors() {
        let trace = one_token_trace();
        let folder = tempfile::tempdir().unwrap();

        let missing = save(
            &trace,
            &[HookPoint::Logits],
            HashMap::new(),
            &folder.path().join("a"),
            false,
        );
        let unwritable = save(
            &trace,
            &[],
            HashMap::new(),
            &folder.path().join("no/such/folder/a"),
            false,
        );

        assert!(matches!(
            missing,
            Err(SaveError::NotRecorded(HookPoint::Logits))
        ));
        assert!(matches!(unwritable, Err(SaveError::Write { .. })));
    }
}
