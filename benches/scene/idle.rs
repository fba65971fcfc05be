//! What a window costs when nobody touches it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result};

/// How long an idle window is watched.
const WATCH: Duration = Duration::from_secs(3);
/// How often it is asked whether the window has come to rest, and for how long at most.
const TRIES: usize = 20;
/// A window that works less than this in a second rests.
const REST_MS: f64 = 150.0;

/// A process that ends with its handle.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already is as good.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What the processor works in three seconds for a window that shows the embedded model and rests,
/// in milliseconds; none where no window can be opened or work is not counted.
pub fn idle_window_ms() -> Result<Option<f64>> {
    let Some((_server, display)) = display()? else {
        return Ok(None);
    };
    let window = Command::new(env!("CARGO_BIN_EXE_llmscope"))
        .arg("view")
        .env("DISPLAY", display)
        .env_remove("WAYLAND_DISPLAY")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let window = Running(window);
    let stat = format!("/proc/{}/stat", window.0.id());
    sleep(WATCH);
    for _ in 0..TRIES {
        if worked_ms(&stat, Duration::from_secs(1))? < REST_MS {
            break;
        }
    }
    Ok(Some(worked_ms(&stat, WATCH)?))
}

/// An X server without a screen, or the display there is.
fn display() -> Result<Option<(Option<Running>, String)>> {
    if !cfg!(target_os = "linux") {
        return Ok(None);
    }
    let server = Command::new("Xvfb")
        .args(["-displayfd", "1", "-screen", "0", "1440x900x24"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut server) = server else {
        let display = std::env::var("DISPLAY").ok();
        return Ok(display.map(|display| (None, display)));
    };
    let number = server.stdout.take();
    let server = Running(server);
    let mut line = String::new();
    BufReader::new(number.context("standard output was asked for")?).read_line(&mut line)?;
    Ok(Some((Some(server), format!(":{}", line.trim()))))
}

fn worked_ms(stat: &str, watch: Duration) -> Result<f64> {
    let before = cpu_ms(stat)?;
    sleep(watch);
    Ok(cpu_ms(stat)? - before)
}

/// What the processor has worked for a process so far, in milliseconds, from its `/proc/PID/stat`.
pub fn cpu_ms(stat: &str) -> Result<f64> {
    /// `sysconf(_SC_CLK_TCK)` of every Linux that Rust runs on.
    const TICKS_PER_SEC: f64 = 100.0;
    let stat = fs::read_to_string(stat)?;
    let (_, after_name) = stat.rsplit_once(')').context("stat has a name")?;
    // Fields 14 and 15 of proc(5): user and system time.
    let fields = after_name.split_whitespace().skip(11).take(2);
    let ticks: f64 = fields.filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(ticks * 1e3 / TICKS_PER_SEC)
}
