//! Ctrl+C, where a command has something to finish first.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::CliError;

/// What a process that was interrupted exits with: 128 and the signal's number.
const INTERRUPTED: i32 = 130;

/// Whether the user has asked for the end.
#[derive(Clone, Debug, Default)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Watches for Ctrl+C from now on, once in a process. The first asks for the end, a second ends
    /// the process at once.
    pub(super) fn watch() -> Result<Self, CliError> {
        let interrupt = Self::default();
        let asked = Arc::clone(&interrupt.0);
        ctrlc::set_handler(move || {
            if asked.swap(true, Ordering::Relaxed) {
                std::process::exit(INTERRUPTED);
            }
        })
        .map_err(|error| match error {
            ctrlc::Error::System(error) => error,
            other => io::Error::other(other.to_string()),
        })
        .map_err(|error| CliError::Failed(format!("cannot watch for Ctrl+C: {error}")))?;
        Ok(interrupt)
    }

    /// Whether the user has asked for the end.
    pub(super) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
