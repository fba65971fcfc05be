//! Where the values of a text are kept: in memory up to a budget, beyond it in a temporary file that is
//! mapped back, so that nothing is lost and the system may take the memory for other things.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::{Mmap, MmapOptions};
use thiserror::Error;

use super::{Activation, ActivationCache, Numbers, Pass};

/// Keeps the passes of a text within a budget of memory.
///
/// A pass that no longer fits is written to a file without a name, which goes when the last of its
/// values does, also if the program is killed.
#[derive(Debug)]
pub struct TraceMemory {
    budget: u64,
    folder: PathBuf,
    in_memory: u64,
    file: Option<SpillFile>,
}

/// The bytes that values take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceUsage {
    /// In memory.
    pub in_memory: u64,
    /// In a temporary file.
    pub on_disk: u64,
}

/// Values could be kept neither in memory nor in a file.
#[derive(Debug, Error)]
#[error(
    "the values of the text take more than the {budget} bytes of --trace-memory, and the rest cannot be \
     kept in {}: {source}; make room there, set TMPDIR to another folder, or raise --trace-memory",
    folder.display()
)]
pub struct SpillError {
    /// The budget, in bytes.
    pub budget: u64,
    /// Where the rest was to be kept.
    pub folder: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

#[derive(Debug)]
struct SpillFile {
    file: File,
    n_bytes: u64,
}

/// Where numbers are.
#[derive(Clone, Debug)]
pub(super) enum Values {
    Memory(Arc<dyn Numbers>),
    /// Numbers of a mapped pass, counted in f32.
    Spilled(Arc<Mmap>, Range<usize>),
}

impl Values {
    pub(super) fn as_slice(&self) -> &[f32] {
        match self {
            Self::Memory(values) => (**values).as_ref(),
            Self::Spilled(map, range) => &bytemuck::cast_slice::<u8, f32>(map)[range.clone()],
        }
    }
}

impl TraceUsage {
    /// What one pass takes.
    pub fn of_pass(pass: &Pass) -> Self {
        let mut usage = Self::default();
        for activation in pass.cache.values() {
            let n_bytes = size_of_val(activation.values()) as u64;
            match activation.values {
                Values::Memory(_) => usage.in_memory += n_bytes,
                Values::Spilled(..) => usage.on_disk += n_bytes,
            }
        }
        usage
    }
}

impl std::ops::AddAssign for TraceUsage {
    fn add_assign(&mut self, other: Self) {
        self.in_memory += other.in_memory;
        self.on_disk += other.on_disk;
    }
}

impl TraceMemory {
    /// A budget in bytes, and the folder for what goes beyond it.
    pub fn new(budget: u64, folder: impl Into<PathBuf>) -> Self {
        Self {
            budget,
            folder: folder.into(),
            in_memory: 0,
            file: None,
        }
    }

    /// A budget in bytes; what goes beyond it lies in `TMPDIR`, or else in `/var/tmp`, which, other
    /// than `/tmp`, is not kept in memory.
    pub fn with_budget(budget: u64) -> Self {
        let var_tmp = Path::new("/var/tmp");
        let is_told = std::env::var_os("TMPDIR").is_some();
        Self::new(
            budget,
            if !is_told && var_tmp.is_dir() {
                var_tmp.to_owned()
            } else {
                std::env::temp_dir()
            },
        )
    }

    /// The folder for what goes beyond the budget.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Begins a text: the values of the one before no longer count.
    pub fn begin_text(&mut self) {
        self.in_memory = 0;
        self.file = None;
    }

    /// The same pass, its values in memory if they fit there and in the file if not.
    ///
    /// # Errors
    ///
    /// If they do not fit and the file can't be written; the passes kept before are as they were.
    pub fn keep(&mut self, pass: Pass) -> Result<Pass, SpillError> {
        let needed = TraceUsage::of_pass(&pass).in_memory;
        if self.in_memory + needed <= self.budget {
            self.in_memory += needed;
            return Ok(pass);
        }
        self.spill(pass).map_err(|source| SpillError {
            budget: self.budget,
            folder: self.folder.clone(),
            source,
        })
    }

    fn spill(&mut self, pass: Pass) -> io::Result<Pass> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(SpillFile {
                file: tempfile::tempfile_in(&self.folder)?,
                n_bytes: 0,
            }),
        };
        let map = file.append(&pass.cache)?;
        let mut first = 0;
        let cache = pass.cache.into_iter().map(|(hook, activation)| {
            let range = first..first + activation.values().len();
            first = range.end;
            let values = Values::Spilled(Arc::clone(&map), range);
            (
                hook,
                Activation {
                    values,
                    ..activation
                },
            )
        });
        Ok(Pass {
            cache: cache.collect(),
            ..pass
        })
    }
}

impl SpillFile {
    /// Writes the values of a pass one after the other, and maps them.
    fn append(&mut self, cache: &ActivationCache) -> io::Result<Arc<Mmap>> {
        let first_byte = self.n_bytes;
        let mut writer = BufWriter::with_capacity(1 << 20, &self.file);
        for activation in cache.values() {
            let bytes: &[u8] = bytemuck::cast_slice(activation.values());
            writer.write_all(bytes)?;
            self.n_bytes += bytes.len() as u64;
        }
        writer.flush()?;
        drop(writer);
        let n_bytes = (self.n_bytes - first_byte) as usize;
        map(&self.file, first_byte, n_bytes).map(Arc::new)
    }
}

#[expect(unsafe_code, reason = "a file can be mapped in no other way")]
fn map(file: &File, first_byte: u64, n_bytes: usize) -> io::Result<Mmap> {
    let mut options = MmapOptions::new();
    // SAFETY: the file has no name, so nobody else can change it or cut it short, and we only append
    // to it: what is mapped was written before and is never written again.
    unsafe { options.offset(first_byte).len(n_bytes).map(file) }
}

#[cfg(test)]
mod tests {
    use super::super::{Trace, fixture};
    use super::*;

    fn keep_all(budget: u64) -> (Vec<Pass>, Vec<TraceUsage>) {
        let mut memory = TraceMemory::new(budget, std::env::temp_dir());
        let (mut kept, mut usages) = (Vec::new(), Vec::new());
        for pass in fixture::passes() {
            let pass = memory.keep(pass).unwrap();
            usages.push(TraceUsage::of_pass(&pass));
            kept.push(pass);
        }
        (kept, usages)
    }

    fn trace_of(passes: Vec<Pass>) -> Trace {
        let mut trace = Trace::new(fixture::config());
        for pass in passes {
            trace.push(Arc::new(pass));
        }
        trace
    }

    #[test]
    fn what_goes_beyond_the_budget_is_on_disk_and_has_the_same_bits() {
        let passes = fixture::passes();
        assert!(passes.len() > 1);
        let first = TraceUsage::of_pass(&passes[0]).in_memory;

        let (kept, usages) = keep_all(first);

        fixture::assert_same_bits(&trace_of(kept), &trace_of(passes.clone()));
        assert_eq!((usages[0].in_memory, usages[0].on_disk), (first, 0));
        for (usage, pass) in usages.iter().zip(&passes).skip(1) {
            assert_eq!(usage.in_memory, 0);
            assert_eq!(usage.on_disk, TraceUsage::of_pass(pass).in_memory);
        }
    }

    #[test]
    fn values_outlive_the_memory_that_kept_them() {
        let (kept, _) = keep_all(0);

        let again = kept.clone();
        drop(kept);
        fixture::assert_same_bits(&trace_of(again), &trace_of(fixture::passes()));
    }

    #[test]
    fn another_text_has_the_whole_budget() {
        let pass = fixture::passes().remove(0);
        let n_bytes = TraceUsage::of_pass(&pass).in_memory;
        let mut memory = TraceMemory::new(n_bytes, std::env::temp_dir());

        memory.keep(pass.clone()).unwrap();
        let beyond = memory.keep(pass.clone()).unwrap();
        memory.begin_text();
        let anew = memory.keep(pass).unwrap();

        assert_eq!(TraceUsage::of_pass(&beyond).in_memory, 0);
        assert_eq!(TraceUsage::of_pass(&anew).on_disk, 0);
    }

    #[test]
    fn where_no_file_can_be_the_error_says_so_and_what_to_do() {
        let mut memory = TraceMemory::new(0, "/nowhere/at/all");

        let error = memory.keep(fixture::passes().remove(0)).unwrap_err();

        let message = error.to_string();
        assert!(message.contains("/nowhere/at/all"), "{message}");
        assert!(message.contains("--trace-memory"), "{message}");
    }
}
