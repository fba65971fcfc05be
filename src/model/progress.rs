//! How far loading has come, and how it is told.

use std::collections::VecDeque;

/// How far loading has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadProgress {
    /// What is being done.
    pub stage: LoadStage,
    /// Bytes that are there.
    pub done_bytes: u64,
    /// Bytes in all; 0 while that is not known.
    pub total_bytes: u64,
}

/// A part of loading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadStage {
    /// A file comes from the Hub; the bytes are those of all files that are to come with it.
    Fetching {
        /// Its name in the repository.
        file: String,
    },
    /// Another process fetches a file from the Hub, and is waited for.
    Waiting {
        /// Its name in the repository.
        file: String,
    },
    /// Weights are read from the disk.
    Reading,
}

impl LoadProgress {
    /// Weights being read.
    pub fn reading(done_bytes: u64, total_bytes: u64) -> Self {
        Self {
            stage: LoadStage::Reading,
            done_bytes,
            total_bytes,
        }
    }

    /// How much is done, 0 to 1.
    pub fn share(&self) -> f32 {
        self.done_bytes as f32 / self.total_bytes.max(1) as f32
    }
}

/// Seconds that a rate is taken over.
const WINDOW_SECS: f64 = 5.0;
/// Seconds without a byte that are worth a word.
const SILENCE_SECS: f64 = 3.0;

/// How fast loading goes on; tells it in words.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    /// The file being fetched; none while weights are read.
    file: Option<String>,
    /// When how many bytes were there, the oldest first.
    samples: VecDeque<(f64, u64)>,
    /// When bytes have last come.
    moved_secs: f64,
}

impl Pace {
    /// Takes in how far loading has come after `now_secs`, and tells it: `fetching model.safetensors,
    /// 120 of 548 MB, 12 MB/s, 36 s left`.
    pub fn tell(&mut self, progress: &LoadProgress, now_secs: f64) -> String {
        match &progress.stage {
            LoadStage::Waiting { file } => {
                *self = Self::default();
                format!("waiting for another program that fetches {file}")
            }
            LoadStage::Reading => format!("reading weights, {}", amounts(progress)),
            LoadStage::Fetching { file } => {
                self.note(file, progress.done_bytes, now_secs);
                if progress.done_bytes == 0 && progress.total_bytes == 0 {
                    return format!("fetching {file}{}", self.outlook(0, now_secs));
                }
                let amounts = amounts(progress);
                let left = progress.total_bytes.saturating_sub(progress.done_bytes);
                format!("fetching {file}, {amounts}{}", self.outlook(left, now_secs))
            }
        }
    }

    fn note(&mut self, file: &str, done_bytes: u64, now_secs: f64) {
        let last = self.samples.back().map(|(_, bytes)| *bytes);
        if self.file.as_deref() != Some(file) || last.is_some_and(|last| last > done_bytes) {
            // What was there before is no measure of how fast it came.
            self.samples.clear();
            self.file = Some(file.to_owned());
        }
        if last != Some(done_bytes) || self.samples.is_empty() {
            self.moved_secs = now_secs;
        }
        self.samples.push_back((now_secs, done_bytes));
        while self.samples.len() > 2 && now_secs - self.samples[1].0 >= WINDOW_SECS {
            self.samples.pop_front();
        }
    }

    fn outlook(&self, left_bytes: u64, now_secs: f64) -> String {
        let silent_secs = now_secs - self.moved_secs;
        if silent_secs >= SILENCE_SECS {
            return format!(", nothing has come for {silent_secs:.0} s");
        }
        let (Some(first), Some(last)) = (self.samples.front(), self.samples.back()) else {
            return String::new();
        };
        let rate = (last.1 - first.1) as f64 / (last.0 - first.0);
        if !rate.is_finite() || rate < 1.0 {
            return String::new();
        }
        let left = time_in_words(left_bytes as f64 / rate);
        format!(", {}/s, {left} left", in_unit(rate, unit_of(rate)))
    }
}

/// `120 of 548 MB`, or what is there where nobody knows how much will come.
fn amounts(progress: &LoadProgress) -> String {
    let (done, total) = (progress.done_bytes as f64, progress.total_bytes as f64);
    if progress.total_bytes == 0 {
        return in_unit(done, unit_of(done));
    }
    let unit = unit_of(total);
    let digits = usize::from(total / unit.1 < 10.0);
    format!("{:.digits$} of {}", done / unit.1, in_unit(total, unit))
}

fn unit_of(bytes: f64) -> (&'static str, f64) {
    match bytes {
        1e9.. => ("GB", 1e9),
        1e6.. => ("MB", 1e6),
        1e3.. => ("kB", 1e3),
        _ => ("bytes", 1.0),
    }
}

fn in_unit(bytes: f64, (unit, size): (&str, f64)) -> String {
    let digits = usize::from(bytes / size < 10.0 && size > 1.0);
    format!("{:.digits$} {unit}", bytes / size)
}

fn time_in_words(secs: f64) -> String {
    match secs {
        ..90.0 => format!("{:.0} s", secs.ceil()),
        ..5400.0 => format!("{:.0} min", secs / 60.0),
        _ => format!("{:.1} h", secs / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetching(file: &str, done_bytes: u64, total_bytes: u64) -> LoadProgress {
        LoadProgress {
            stage: LoadStage::Fetching {
                file: file.to_owned(),
            },
            done_bytes,
            total_bytes,
        }
    }

    #[test]
    fn a_fetch_is_told_with_its_rate_and_the_time_left() {
        let mut pace = Pace::default();
        let first = pace.tell(&fetching("model.safetensors", 96_000_000, 548_105_171), 7.0);

        let second = pace.tell(
            &fetching("model.safetensors", 120_000_000, 548_105_171),
            9.0,
        );

        assert_eq!(first, "fetching model.safetensors, 96 of 548 MB");
        assert_eq!(
            second,
            "fetching model.safetensors, 120 of 548 MB, 12 MB/s, 36 s left"
        );
    }

    #[test]
    fn what_was_fetched_before_is_not_counted_as_speed_and_silence_is_said() {
        let mut pace = Pace::default();
        pace.tell(&fetching("a", 0, 10_000_000), 0.0);
        // Another file, most of it there from an earlier run.
        pace.tell(&fetching("b", 9_000_000, 10_000_000), 1.0);

        let moving = pace.tell(&fetching("b", 9_100_000, 10_000_000), 2.0);
        let silent = pace.tell(&fetching("b", 9_100_000, 10_000_000), 10.0);

        assert_eq!(moving, "fetching b, 9 of 10 MB, 100 kB/s, 9 s left");
        assert_eq!(silent, "fetching b, 9 of 10 MB, nothing has come for 8 s");
    }

    #[test]
    fn a_rate_is_that_of_the_last_seconds() {
        let mut pace = Pace::default();
        for second in 0..=20u32 {
            let bytes = u64::from(second.min(10)) * 1_000_000 + u64::from(second) * 100_000;
            pace.tell(&fetching("a", bytes, 100_000_000), f64::from(second));
        }

        let told = pace.tell(&fetching("a", 12_100_000, 100_000_000), 21.0);

        assert!(told.contains(", 100 kB/s, 15 min left"), "{told}");
    }

    #[test]
    fn sizes_and_times_are_said_as_people_say_them() {
        let mut pace = Pace::default();

        assert_eq!(
            pace.tell(&LoadProgress::reading(1_400_000_000, 2_800_000_000), 0.0),
            "reading weights, 1.4 of 2.8 GB"
        );
        assert_eq!(pace.tell(&fetching("org/a", 0, 0), 0.0), "fetching org/a");
        assert_eq!(
            pace.tell(&fetching("a", 512, 0), 0.0),
            "fetching a, 512 bytes"
        );
        assert_eq!(
            [0.2, 89.0, 600.0, 9_000.0].map(time_in_words),
            ["1 s", "89 s", "10 min", "2.5 h"]
        );
    }
}
