//! Times what people see: frames of whole models, one step of a text, and the way to the first
//! picture, offscreen on whatever adapter is there. The last line of output is JSON.
//!
//! Times are medians, and what is compared is measured in turns, so that what else the machine does
//! falls on both alike; the fastest is given too where a budget is absolute. `--quick` takes few
//! frames, `--json-only` leaves the table out, and words such as `steps` pick what is measured.

#[path = "../checkpoint/mod.rs"]
mod checkpoint;
mod entities;
mod generating;
mod idle;
mod world;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use llmscope::layout::ModelLayout;
use llmscope::viewer::app::ViewerOptions;
use llmscope::viewer::capture::FrameTimes;
use llmscope::viewer::viewpoint::CameraSettings;
use serde_json::{Map, Value};

use entities::Entities;
use generating::Live;
use idle::{cpu_ms, idle_window_ms};
use world::{World, median};

/// The size at which models are compared with one another and with entities, in pixels.
const SIZE: (u32, u32) = (1280, 720);
/// The size at which the whole of a model has its budget, in pixels.
const WHOLE_SIZE: (u32, u32) = (768, 688);
/// Tokens on show.
const N_POS: usize = 12;
/// Tokens before the step that is timed; fewer where the adapter has no room for them.
const STEP_POS: [usize; 2] = [64, 32];

/// What the figures should be.
const BUDGETS: [(&str, &str, f64); 7] = [
    ("overview_ratio", "at most", 1.5),
    ("entities_ratio", "at least", 10.0),
    ("whole_gpt2_768x688_ms", "at most", 66.0),
    ("whole_gpt2_xl_768x688_ms", "at most", 75.0),
    ("start_to_first_frame_ms", "at most", 1400.0),
    ("step_work_ms", "at most", 4.0),
    ("generating_ratio", "at most", 2.0),
];

/// The figures by name.
#[derive(Default)]
struct Figures(Map<String, Value>);

impl Figures {
    /// Notes the median and, beside it, the fastest.
    fn note_times(&mut self, name: &str, times: impl IntoIterator<Item = Duration>) {
        let times: Vec<Duration> = times.into_iter().collect();
        let fastest = times.iter().min().copied().unwrap_or_default();
        self.note(&format!("{name}_ms"), median(times));
        self.note(&format!("{name}_fastest_ms"), fastest.as_secs_f64() * 1e3);
    }

    fn note(&mut self, name: &str, value: f64) {
        let rounded = (value * 1e3).round() / 1e3;
        self.0.insert(name.to_owned(), Value::from(rounded));
    }
}

/// How much is measured.
#[derive(Clone, Copy)]
struct Effort {
    frames: usize,
    entity_frames: usize,
    steps: usize,
    starts: usize,
    /// Whether a window is opened.
    has_window: bool,
}

fn main() -> Result<()> {
    let asked = |name: &str| std::env::args().any(|arg| arg == name);
    let effort = if asked("--quick") {
        Effort {
            frames: 5,
            entity_frames: 2,
            steps: 3,
            starts: 1,
            has_window: false,
        }
    } else {
        Effort {
            frames: 31,
            entity_frames: 7,
            steps: 15,
            starts: 5,
            has_window: true,
        }
    };
    let mut figures = Figures::default();
    let parts: [(&str, fn(&mut Figures, Effort) -> Result<()>); 7] = [
        ("overviews", overviews),
        ("entities", entities),
        ("whole", whole),
        ("steps", steps),
        ("starts", starts),
        ("idle window", idle_window),
        ("generating", generating),
    ];
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|word| name.contains(word));
    let mut failed = Vec::new();
    for (name, measure) in parts.into_iter().filter(|(name, _)| is_wanted(name)) {
        if let Err(error) = measure(&mut figures, effort) {
            failed.push(format!("{name}: {error:#}"));
        }
    }
    print(&figures, !asked("--json-only"));
    ensure!(failed.is_empty(), "{}", failed.join("; "));
    Ok(())
}

/// The default view, panels and names included, of a small model and a large one.
fn overviews(figures: &mut Figures, effort: Effort) -> Result<()> {
    let options = ViewerOptions::default();
    let mut worlds = [
        World::new("gpt2", N_POS, &options, SIZE)?,
        World::new("gpt2-xl", N_POS, &options, SIZE)?,
    ];
    for world in &mut worlds {
        world.look_from_start();
    }
    let times = in_turns(&mut worlds, effort.frames)?;
    for (name, times) in ["overview_gpt2", "overview_gpt2_xl"].iter().zip(&times) {
        note_parts(figures, name, times);
    }
    let [small, large] = times.map(|times| median(times.iter().map(FrameTimes::total)));
    figures.note("overview_ratio", large / small);
    if cfg!(target_os = "linux") {
        // The same frame when nothing moves: what an idle window would cost if it drew.
        let before = cpu_ms("/proc/self/stat")?;
        for _ in 0..effort.frames {
            worlds[0].offscreen.draw_timed()?;
        }
        let cpu = cpu_ms("/proc/self/stat")? - before;
        figures.note("idle_frame_cpu_ms", cpu / effort.frames as f64);
    }
    Ok(())
}

/// The world of a large model against its neurons as one entity each: with as many samples a pixel
/// as a flight has on the processor, and as a picture has.
fn entities(figures: &mut Figures, effort: Effort) -> Result<()> {
    for (samples, suffix) in [(1, ""), (4, "_4_samples")] {
        let mut world = World::new("gpt2-xl", N_POS, &without_panels(), SIZE)?;
        let mut settings = world.offscreen.world().resource_mut::<CameraSettings>();
        settings.msaa_samples = samples;
        world.look_from_start();
        let layout: ModelLayout = world.layout();
        let pose = world.pose().context("the camera stands somewhere")?;
        let mut entities = Entities::new(&layout, pose, SIZE, samples);
        for _ in 0..3 {
            entities.frame()?; // The first frames upload and compile.
            world.frame()?;
        }
        let (mut instanced, mut single) = (Vec::new(), Vec::new());
        for _ in 0..effort.entity_frames {
            instanced.push(world.frame()?.total());
            single.push(entities.frame()?);
        }
        let (instanced, single) = (median(instanced), median(single));
        figures.note("entities_visible", entities.n_visible() as f64);
        figures.note(&format!("xl_instanced{suffix}_ms"), instanced);
        figures.note(&format!("xl_entities{suffix}_ms"), single);
        figures.note(&format!("entities_ratio{suffix}"), single / instanced);
    }
    Ok(())
}

/// Whole models with their names in view, at the size other visualizers were measured.
fn whole(figures: &mut Figures, effort: Effort) -> Result<()> {
    let options = without_panels();
    let mut worlds = [
        World::new("gpt2", N_POS, &options, WHOLE_SIZE)?,
        World::new("gpt2-xl", N_POS, &options, WHOLE_SIZE)?,
    ];
    for world in &mut worlds {
        world.look_at_all();
    }
    let times = in_turns(&mut worlds, effort.frames)?;
    let names = ["whole_gpt2_768x688", "whole_gpt2_xl_768x688"];
    for (name, times) in names.iter().zip(&times) {
        figures.note_times(name, times.iter().map(FrameTimes::total));
    }
    Ok(())
}

/// One token more of a long text, all of it told at once.
fn steps(figures: &mut Figures, effort: Effort) -> Result<()> {
    let [many, few] = STEP_POS;
    steps_after(many, figures, effort)
        .or_else(|error| steps_after(few, figures, effort).context(error))
}

fn steps_after(n_pos: usize, figures: &mut Figures, effort: Effort) -> Result<()> {
    let mut world = World::new("gpt2-medium", n_pos, &ViewerOptions::default(), SIZE)?;
    let (mut idle, mut step, mut uploaded) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..effort.steps {
        let before = world.offscreen.uploaded_bytes();
        step.push(world.step()?);
        uploaded.push(world.offscreen.uploaded_bytes() - before);
        world.offscreen.draw_timed()?; // The camera goes along with the new lane.
        idle.push(world.offscreen.draw_timed()?);
    }
    figures.note("step_tokens_before", n_pos as f64);
    figures.note_times("step_main_thread", step.iter().map(|t| t.main));
    figures.note("step_extract_ms", median(step.iter().map(|t| t.extract)));
    figures.note("step_frame_ms", median(step.iter().map(FrameTimes::total)));
    figures.note("idle_main_thread_ms", median(idle.iter().map(|t| t.main)));
    // What the token adds to what a frame does anyway.
    let work = median(step.iter().map(|t| t.main)) - median(idle.iter().map(|t| t.main));
    figures.note("step_work_ms", work);
    uploaded.sort_unstable();
    let changed = world.token_bytes(n_pos + effort.steps / 2);
    figures.note("step_changed_bytes", changed as f64);
    figures.note("step_uploaded_bytes", uploaded[uploaded.len() / 2] as f64);
    let most = uploaded.last().copied().unwrap_or(0);
    figures.note("step_uploaded_bytes_max", most as f64);
    Ok(())
}

/// From nothing to a picture of the embedded model, as a process of its own.
fn starts(figures: &mut Figures, effort: Effort) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut times = Vec::new();
    for run in 0..effort.starts {
        let path = folder.path().join(format!("{run}.png"));
        let start = Instant::now();
        let status = Command::new(env!("CARGO_BIN_EXE_llmscope"))
            .args(["snapshot", "--panels", "on", "-o"])
            .arg(path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        times.push(start.elapsed());
        ensure!(status.success(), "snapshot failed: {status}");
    }
    figures.note_times("start_to_first_frame", times);
    Ok(())
}

/// A window that shows the embedded model and that nobody touches.
fn idle_window(figures: &mut Figures, effort: Effort) -> Result<()> {
    if effort.has_window
        && let Some(cpu) = idle_window_ms()?
    {
        figures.note("idle_window_cpu_ms_in_3s", cpu);
    }
    Ok(())
}

/// Frames of a moving camera while a model writes on the same processor and what it writes is shown,
/// against those of the same world while none does.
fn generating(figures: &mut Figures, effort: Effort) -> Result<()> {
    const ROUNDS: usize = 4;
    let mut live = Live::new("gpt2", N_POS, &ViewerOptions::default(), SIZE)?;
    let (mut idle, mut generating) = (Vec::new(), Vec::new());
    let (mut n_tokens, mut secs) = (0, 0.0);
    for _ in 0..ROUNDS {
        for _ in 0..effort.frames {
            idle.push(live.frame()?.total());
        }
        let before = live.n_pos();
        let start = Instant::now();
        live.write()?;
        for _ in 0..effort.frames {
            generating.push(live.frame()?.total());
        }
        n_tokens += live.n_pos() - before;
        secs += start.elapsed().as_secs_f64();
        live.rest()?;
    }
    let (idle, generating) = (median(idle), median(generating));
    figures.note("frame_ms", idle);
    figures.note("generating_frame_ms", generating);
    figures.note("generating_ratio", generating / idle);
    figures.note("generated_tokens_per_s", n_tokens as f64 / secs);
    Ok(())
}

fn without_panels() -> ViewerOptions {
    ViewerOptions {
        has_panels: false,
        has_legend: false,
        ..ViewerOptions::default()
    }
}

/// Draws frames of both worlds, one after the other.
fn in_turns(worlds: &mut [World; 2], n_frames: usize) -> Result<[Vec<FrameTimes>; 2]> {
    let mut times = [Vec::new(), Vec::new()];
    for frame in 0..n_frames + 2 {
        for (world, times) in worlds.iter_mut().zip(&mut times) {
            let time = world.frame()?;
            // The first frames come to rest.
            if frame >= 2 {
                times.push(time);
            }
        }
    }
    Ok(times)
}

fn note_parts(figures: &mut Figures, name: &str, times: &[FrameTimes]) {
    figures.note(
        &format!("{name}_ms"),
        median(times.iter().map(FrameTimes::total)),
    );
    figures.note(
        &format!("{name}_main_ms"),
        median(times.iter().map(|t| t.main)),
    );
    figures.note(
        &format!("{name}_extract_ms"),
        median(times.iter().map(|t| t.extract)),
    );
}

#[expect(clippy::print_stdout, reason = "a bench's result is its output")]
fn print(figures: &Figures, has_table: bool) {
    if has_table {
        for (name, value) in &figures.0 {
            let budget = BUDGETS.iter().find(|(figure, ..)| figure == name);
            let budget =
                budget.map_or_else(String::new, |(_, word, limit)| format!("{word} {limit}"));
            println!("{name:<28} {:>14} {budget}", value.to_string());
        }
    }
    println!("{}", Value::from(figures.0.clone()));
}
