//! Whether a model fits into memory, asked before a weight is read.

use std::fs;
use std::path::Path;

use candle_core::DType;

use super::error::ModelError;
use crate::config::ModelConfig;
use crate::hook::BlockSite;

/// Takes the place of what the system says is available, in bytes.
pub const MEMORY_VARIABLE: &str = "LLMSCOPE_MEMORY_BYTES";
/// Tokens of the text that there must be room for beside the weights.
const SHORT_TEXT: usize = 32;
/// Positions that a KV cache has room for from the beginning.
const KV_CACHE_POSITIONS: usize = 256;

/// What a model takes, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Need {
    /// Its weights, as they are kept.
    weights: u64,
    /// A short text: the KV cache and every value captured.
    text: u64,
}

impl Need {
    /// What a model of this shape takes whose weights are kept in `weights` bytes and which computes
    /// as `dtype`.
    pub(super) fn of(config: &ModelConfig, weights: u64, dtype: DType) -> Self {
        let number = dtype.size_in_bytes() as u64;
        let n_pos = SHORT_TEXT.min(config.n_ctx);
        let captured: u64 = config
            .hook_points()
            .into_iter()
            .map(|hook| match hook.site() {
                Some(BlockSite::AttnScores | BlockSite::Pattern) => config.n_heads * n_pos * n_pos,
                _ => config.width(hook) * n_pos,
            } as u64)
            .sum();
        let n_cached = KV_CACHE_POSITIONS.min(config.n_ctx);
        let cache = 2 * (config.n_layers * n_cached * config.n_kv_heads * config.d_head) as u64;
        Self {
            weights,
            // Captured values are f32, whatever the weights are.
            text: number * cache + size_of::<f32>() as u64 * captured,
        }
    }

    /// Whether there is room for it and for `passing` bytes, which reading takes beside what is kept.
    ///
    /// Where nobody knows how much is available, there is.
    pub(super) fn check(&self, passing: u64) -> Result<(), ModelError> {
        self.check_against(passing, available_memory())
    }

    fn check_against(&self, passing: u64, available: Option<u64>) -> Result<(), ModelError> {
        let needed = self.weights + self.text + passing;
        match available {
            Some(available) if needed > available => Err(ModelError::TooLarge {
                needed,
                weights: self.weights,
                available,
            }),
            _ => Ok(()),
        }
    }
}

/// A number of bytes for people: `6.2 GB`.
pub(super) fn in_words(bytes: u64) -> String {
    let (unit, size) = match bytes {
        0..1_000 => return format!("{bytes} bytes"),
        1_000..1_000_000 => ("kB", 1e3),
        1_000_000..1_000_000_000 => ("MB", 1e6),
        _ => ("GB", 1e9),
    };
    format!("{:.1} {unit}", bytes as f64 / size)
}

/// Bytes that can be had without making the system swap or kill; none where that is not known.
pub fn available_memory() -> Option<u64> {
    if let Ok(given) = std::env::var(MEMORY_VARIABLE) {
        let bytes = given.trim().parse().ok();
        if bytes.is_none() {
            tracing::warn!("{MEMORY_VARIABLE} is {given:?}, which is no number of bytes; ignored");
        }
        return bytes;
    }
    let system = fs::read_to_string("/proc/meminfo").ok();
    let system = system.and_then(|text| available_in_meminfo(&text));
    match (system, available_in_cgroup()) {
        (Some(system), Some(group)) => Some(system.min(group)),
        (system, group) => system.or(group),
    }
}

fn available_in_meminfo(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// What the control groups (version 2) that this process is in leave it; the strictest counts.
fn available_in_cgroup() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let root = Path::new("/sys/fs/cgroup");
    let own = root.join(own);
    let folders = own
        .ancestors()
        .take_while(|folder| folder.starts_with(root));
    folders
        .filter_map(|folder| {
            let read = |file: &str| fs::read_to_string(folder.join(file)).ok();
            available_in_group(
                &read("memory.max")?,
                &read("memory.current")?,
                &read("memory.stat").unwrap_or_default(),
            )
        })
        .min()
}

/// The limit less what is used; cached files that can be dropped are not used.
fn available_in_group(max: &str, current: &str, stat: &str) -> Option<u64> {
    let max: u64 = max.trim().parse().ok()?; // "max" is no limit.
    let current: u64 = current.trim().parse().ok()?;
    let cached: u64 = stat
        .lines()
        .find_map(|line| line.strip_prefix("inactive_file "))
        .and_then(|bytes| bytes.trim().parse().ok())
        .unwrap_or(0);
    Some(max.saturating_sub(current.saturating_sub(cached)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpt2_xl_needs_its_parameters_and_half_as_much_in_half_precision() {
        let config = ModelConfig::preset("gpt2-xl").unwrap();

        let full = Need::of(&config, 4 * config.parameter_count(), DType::F32);
        let half = Need::of(&config, 2 * config.parameter_count(), DType::BF16);

        assert_eq!(full.weights, 4 * 1_557_611_200);
        assert_eq!(half.weights, 2 * 1_557_611_200);
        // 157 MB of keys and values, 69 MB of what 32 tokens compute, beside the weights.
        assert!((150_000_000..400_000_000).contains(&full.text), "{full:?}");
        assert!(half.text < full.text);
    }

    #[test]
    fn what_is_a_byte_too_large_is_refused_and_what_fits_is_not() {
        let need = Need {
            weights: 700,
            text: 200,
        };

        assert!(need.check_against(100, Some(1_000)).is_ok());
        assert!(need.check_against(101, None).is_ok());
        let refused = need.check_against(101, Some(1_000)).unwrap_err();
        assert!(matches!(
            refused,
            ModelError::TooLarge {
                needed: 1_001,
                weights: 700,
                available: 1_000
            }
        ));
        assert!(refused.is_unusable_model());
    }

    #[test]
    fn what_the_system_says_is_read_and_nonsense_is_not() {
        let meminfo = "MemTotal:       16384000 kB\nMemAvailable:    2048000 kB\nBuffers: 1 kB\n";

        assert_eq!(available_in_meminfo(meminfo), Some(2_048_000 * 1024));
        assert_eq!(available_in_meminfo("MemAvailable: many kB"), None);
        assert_eq!(available_in_meminfo(""), None);
    }

    #[test]
    fn a_control_groups_cached_files_can_be_had() {
        let stat = "anon 300\ninactive_file 200\nactive_file 10\n";

        assert_eq!(available_in_group("1000\n", "600\n", stat), Some(600));
        assert_eq!(available_in_group("1000\n", "2000\n", ""), Some(0));
        assert_eq!(available_in_group("max\n", "600\n", stat), None);
    }

    #[test]
    fn bytes_are_said_as_people_say_them() {
        let said = [999, 1_500, 2_340_000, 6_230_000_000].map(in_words);

        assert_eq!(said, ["999 bytes", "1.5 kB", "2.3 MB", "6.2 GB"]);
    }
}
