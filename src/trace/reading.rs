//! Opening a saved trace: every tensor is checked against the model's shape before a number is read.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::about::About;
use super::assemble::{
    LENS_ENTROPY, LENS_KL, LENS_PROBABILITIES, LENS_TOKENS, TOKENS, VOCAB_ENDS, VOCAB_TEXT,
};
use super::error::OpenError;
use super::header::{Tensor, about_json, check_tensors, passes, read_header};
use super::lens::{Candidate, LENS_TOP, LensReading};
use super::record::{Place, is_square, read_f32s};
use super::{Activation, ActivationCache, Pass, Trace, Vocab};
use crate::hook::HookPoint;

/// A saved trace whose header was read and found right.
pub struct TraceFile {
    path: PathBuf,
    file: BufReader<File>,
    about: About,
    /// What of the text each pass computed.
    passes: Vec<Place>,
    n_pos: usize,
    tensors: BTreeMap<String, Tensor>,
}

/// Everything that was saved.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedTrace {
    /// Where the numbers come from.
    pub about: About,
    /// The text of each token; empty where there was no tokenizer.
    pub vocab: Vocab,
    /// The values.
    pub trace: Trace,
    /// What each layer's end predicts, `[layer][pos]`, where it was read; empty without a lens.
    pub lens: Vec<Vec<Option<LensReading>>>,
}

impl TraceFile {
    /// Opens a trace and checks what its header says.
    ///
    /// # Errors
    ///
    /// Says whether it is cut short, damaged, of another format or no trace at all.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let cannot_read = |source| OpenError::Read {
            path: path.to_owned(),
            source,
        };
        let metadata = fs::metadata(path).map_err(cannot_read)?;
        if !metadata.is_file() {
            return Err(cannot_read(io::Error::other("it is not a file")));
        }
        let mut file = BufReader::with_capacity(1 << 16, File::open(path).map_err(cannot_read)?);
        let (tensors, metadata) = read_header(&mut file, metadata.len(), path)?;
        let json = about_json(metadata.as_ref(), path)?;
        let damaged = |what| OpenError::Damaged {
            path: path.to_owned(),
            what,
        };
        let about = About::from_json(&json).map_err(damaged)?;
        let passes = passes(&json, &about.config).map_err(damaged)?;
        let n_pos = passes.last().map_or(0, |pass| pass.first_pos + pass.n_pos);
        check_tensors(&tensors, &about.config, n_pos).map_err(damaged)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            about,
            passes,
            n_pos,
            tensors,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the numbers come from.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// How many tokens there are.
    pub fn n_pos(&self) -> usize {
        self.n_pos
    }

    /// The hook points that were not saved.
    pub fn missing_hooks(&self) -> Vec<HookPoint> {
        let mut hooks = self.about.config.hook_points();
        hooks.retain(|hook| !self.tensors.contains_key(&hook.to_string()));
        hooks
    }

    /// Bytes that its numbers take in memory.
    pub fn byte_count(&self) -> u64 {
        self.tensors.values().map(|tensor| tensor.n_bytes).sum()
    }

    /// Reads everything, if that fits into `available` bytes of memory.
    ///
    /// # Errors
    ///
    /// If it does not fit, can't be read, or names tokens that do not exist.
    pub fn read(mut self, available: Option<u64>) -> Result<SavedTrace, OpenError> {
        let needed = self.byte_count();
        if let Some(available) = available.filter(|available| needed > *available) {
            return Err(OpenError::TooLarge {
                path: self.path,
                needed,
                available,
            });
        }
        self.read_all().map_err(|fault| match fault {
            Fault::Io(source) => OpenError::Read {
                path: self.path.clone(),
                source,
            },
            Fault::Wrong(what) => OpenError::Damaged {
                path: self.path.clone(),
                what,
            },
        })
    }

    fn read_all(&mut self) -> Result<SavedTrace, Fault> {
        let config = self.about.config.clone();
        let tokens = self.read_tokens()?;
        let prompt = &self.about.prompt_tokens;
        if !tokens.starts_with(prompt) {
            return Err(Fault::Wrong(
                "its text does not begin with its prompt".to_owned(),
            ));
        }
        let mut caches = vec![ActivationCache::new(); self.passes.len()];
        for hook in config.hook_points() {
            let Some(tensor) = self.tensors.get(&hook.to_string()) else {
                continue;
            };
            let tensor = tensor.clone();
            for (cache, activation) in caches.iter_mut().zip(self.read_hook(hook, &tensor)?) {
                cache.insert(hook, activation);
            }
        }
        let mut trace = Trace::new(config);
        for (place, cache) in self.passes.iter().zip(caches) {
            trace.push(Arc::new(Pass {
                first_pos: place.first_pos,
                tokens: tokens[place.first_pos..place.first_pos + place.n_pos].to_vec(),
                cache,
            }));
        }
        Ok(SavedTrace {
            about: self.about.clone(),
            vocab: self.read_vocab()?,
            trace,
            lens: self.read_lens()?,
        })
    }

    fn seek(&mut self, tensor: &Tensor) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(tensor.start)).map(|_| ())
    }

    /// The values of each pass at `hook`: what attention a pass had no positions for is left out.
    fn read_hook(&mut self, hook: HookPoint, tensor: &Tensor) -> io::Result<Vec<Activation>> {
        self.seek(tensor)?;
        let config = &self.about.config;
        let count = |place: &Place| place.count(config, hook) as usize;
        let sizes = self.passes.iter().map(count);
        let mut values: Vec<Vec<f32>> = sizes.map(Vec::with_capacity).collect();
        if is_square(hook) {
            let mut row = Vec::with_capacity(self.n_pos);
            for _ in 0..config.n_heads {
                for (place, values) in self.passes.iter().zip(&mut values) {
                    for _ in 0..place.n_pos {
                        row.clear();
                        read_f32s(&mut self.file, self.n_pos, &mut row)?;
                        values.extend_from_slice(&row[..place.first_pos + place.n_pos]);
                    }
                }
            }
        } else {
            for (place, values) in self.passes.iter().zip(&mut values) {
                read_f32s(&mut self.file, count(place), values)?;
            }
        }
        let passes = self.passes.iter().zip(values);
        Ok(passes
            .map(|(place, values)| Activation::new(place.shape(config, hook), values))
            .collect())
    }

    fn read_i64s(&mut self, name: &str) -> io::Result<Vec<i64>> {
        let Some(tensor) = self.tensors.get(name).cloned() else {
            return Ok(Vec::new());
        };
        self.seek(&tensor)?;
        let mut bytes = vec![0; tensor.n_bytes as usize];
        self.file.read_exact(&mut bytes)?;
        let words = bytes.as_chunks().0.iter();
        Ok(words.map(|word| i64::from_le_bytes(*word)).collect())
    }

    fn read_f32_tensor(&mut self, name: &str) -> io::Result<Vec<f32>> {
        let Some(tensor) = self.tensors.get(name).cloned() else {
            return Ok(Vec::new());
        };
        self.seek(&tensor)?;
        let count = tensor.n_bytes as usize / size_of::<f32>();
        let mut values = Vec::with_capacity(count);
        read_f32s(&mut self.file, count, &mut values)?;
        Ok(values)
    }

    fn token(&self, number: i64) -> Result<u32, Fault> {
        let token = u32::try_from(number).ok();
        token
            .filter(|token| (*token as usize) < self.about.config.d_vocab)
            .ok_or_else(|| Fault::Wrong(format!("{number} is no token of its model")))
    }

    fn read_tokens(&mut self) -> Result<Vec<u32>, Fault> {
        let numbers = self.read_i64s(TOKENS)?;
        numbers
            .into_iter()
            .map(|number| self.token(number))
            .collect()
    }

    fn read_vocab(&mut self) -> Result<Vocab, Fault> {
        let ends = self.read_i64s(VOCAB_ENDS)?;
        let Some(tensor) = self.tensors.get(VOCAB_TEXT).cloned() else {
            return Ok(Vocab::default());
        };
        self.seek(&tensor)?;
        let mut bytes = vec![0; tensor.n_bytes as usize];
        self.file.read_exact(&mut bytes)?;
        let wrong = || Fault::Wrong("its tokens' texts can't be told apart".to_owned());
        let all = String::from_utf8(bytes).map_err(|_not_utf8| wrong())?;
        let mut start = 0;
        let mut texts = Vec::with_capacity(ends.len());
        for end in ends {
            let end = usize::try_from(end).map_err(|_negative| wrong())?;
            texts.push(all.get(start..end).ok_or_else(wrong)?.to_owned());
            start = end;
        }
        Ok(Vocab::new(texts))
    }

    fn read_lens(&mut self) -> Result<Vec<Vec<Option<LensReading>>>, Fault> {
        let tokens = self.read_i64s(LENS_TOKENS)?;
        let probabilities = self.read_f32_tensor(LENS_PROBABILITIES)?;
        let entropy = self.read_f32_tensor(LENS_ENTROPY)?;
        let kl = self.read_f32_tensor(LENS_KL)?;
        let tops = tokens.chunks(LENS_TOP).zip(probabilities.chunks(LENS_TOP));
        let mut readings = Vec::with_capacity(entropy.len());
        for ((tokens, shares), (entropy, kl)) in tops.zip(entropy.into_iter().zip(kl)) {
            if tokens.first() == Some(&-2) {
                readings.push(None);
                continue;
            }
            let known = tokens
                .iter()
                .zip(shares)
                .take_while(|(token, _)| **token != -1);
            let top = known.map(|(token, probability)| {
                let token = self.token(*token)?;
                let probability = *probability;
                Ok(Candidate { token, probability })
            });
            let top = top.collect::<Result<_, Fault>>()?;
            readings.push(Some(LensReading { top, entropy, kl }));
        }
        let by_layer = readings.chunks(self.n_pos.max(1));
        Ok(by_layer.map(<[_]>::to_vec).collect())
    }
}

/// Why numbers can't be had.
enum Fault {
    Io(io::Error),
    Wrong(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
