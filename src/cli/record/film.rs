//! Makes the film, frame by frame.

use std::path::Path;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::RecordArgs;
use super::again::{MadeOf, folder, lasting, without};
use super::plan::{Plan, camera_name};
use super::progress::Progress;
use super::script::{Script, Way};
use super::sidecar::Sidecar;
use crate::cli::error::CliError;
use crate::cli::interrupt::Interrupt;
use crate::cli::prompt::Prompt;
use crate::cli::snapshot::Switch;
use crate::cli::{print_json, say, stage};
use crate::engine::EngineUpdate;
use crate::model::ModelSource;
use crate::video::{Film, FilmSettings, Recorder};
use crate::viewer::app::Subject;
use crate::viewer::capture::Offscreen;
use crate::viewer::film::{FilmCamera, Flight, Story};
use crate::viewer::session::log_path;

/// Renders the film and writes it. `given` are the options, `made_of` what a film that is made again
/// was made of.
pub(super) fn run(
    args: &RecordArgs,
    given: &[String],
    made_of: Option<&MadeOf>,
) -> Result<(), CliError> {
    let started = Instant::now();
    let mut plan = Plan::check(args, given, made_of)?;
    let interrupt = Interrupt::watch()?;
    let asked = args.run.prompt.read()?;
    let text = Text::compute(args, &mut plan, &asked, &interrupt)?;
    if made_of.is_some_and(|made_of| made_of.tokens() != text.tokens) {
        say("note: the text is another than the film's that it is made from");
    }
    let mut sidecar = sidecar(args, &plan, &text, given, &asked);
    let filmed = shoot(args, &plan, text, &mut sidecar, &interrupt)?;
    let path = log_path(&plan.output);
    sidecar.save(&path)?;
    let is_cut_short = sidecar.n_frames_written < sidecar.n_frames;
    tell(&plan, &filmed, &sidecar, started.elapsed());
    if args.json {
        print_json(&Summary::new(&plan, &filmed, &sidecar, &path, started))?;
    }
    if is_cut_short {
        return Err(CliError::Interrupted);
    }
    Ok(())
}

/// What the film is about.
struct Text {
    subject: Subject,
    updates: Vec<EngineUpdate>,
    /// Every token, the prompt's first.
    tokens: Vec<u32>,
    n_prompt: usize,
}

impl Text {
    fn compute(
        args: &RecordArgs,
        plan: &mut Plan,
        asked: &Prompt,
        interrupt: &Interrupt,
    ) -> Result<Self, CliError> {
        let (subject, updates) = if let Some(file) = plan.saved.take() {
            stage::replayed(file)?
        } else if args.run.model.arch.is_some() {
            (stage::live_subject(&args.run)?, Vec::new())
        } else {
            let (engine, prompt) =
                stage::start_engine_with(&args.run, asked, &plan.sampler, &args.ablate)?;
            let updates = stage::run_text(&engine, args.max_new_tokens, &|| interrupt.is_asked())?;
            let prompt = match &plan.session {
                Some(log) => log.prompt.clone(),
                None => prompt,
            };
            (Subject::Model { engine, prompt }, updates)
        };
        let mut tokens: Vec<u32> = Vec::new();
        let mut n_prompt = 0;
        for update in &updates {
            if let EngineUpdate::PassDone { pass, .. } = update {
                if pass.first_pos == 0 {
                    n_prompt = pass.tokens.len();
                }
                tokens.extend(&pass.tokens);
            }
        }
        Ok(Self {
            subject,
            updates,
            tokens,
            n_prompt,
        })
    }
}

/// Renders every frame into the film, or as many as there is time for.
fn shoot(
    args: &RecordArgs,
    plan: &Plan,
    text: Text,
    sidecar: &mut Sidecar,
    interrupt: &Interrupt,
) -> Result<Film, CliError> {
    let (width, height) = (plan.film.width, plan.film.height);
    let mut offscreen = Offscreen::new(text.subject, &plan.options, width, height)?;
    for update in text.updates {
        offscreen.feed(update);
    }
    let n_orders = plan.config.hook_points().len();
    let script = match &plan.session {
        Some(log) => Script::session(log.clone(), args.seconds),
        None => {
            let secs = args
                .seconds
                .or(plan.camera.as_ref().and_then(Flight::own_secs));
            let story = Story::new(text.n_prompt, text.tokens.len(), n_orders, secs);
            Script::Story(story)
        }
    };
    let captions = (args.captions == Switch::On).then(|| offscreen.captions(script.story()));
    script.show(&mut offscreen, captions.as_ref(), 0.0);
    offscreen.settle();
    offscreen.set_frame_time(Duration::from_secs_f64(1.0 / f64::from(args.fps)));
    let (layout, screen) = offscreen
        .stage()
        .ok_or_else(|| CliError::Failed("there is no model to film".to_owned()))?;
    let way = Way::find(
        &script,
        plan.camera.as_ref(),
        &plan.config,
        &layout,
        &screen,
    );
    let n_frames = (script.secs() * f64::from(args.fps)).round().max(1.0) as u64;
    sidecar.n_frames = n_frames;
    let settings = FilmSettings {
        metadata: metadata(sidecar),
        ..plan.film.clone()
    };
    let recorder = Recorder::start(&plan.output, &settings)?;
    let mut progress = Progress::new(n_frames);
    for frame in 0..n_frames {
        if interrupt.is_asked() {
            break;
        }
        let secs = frame as f64 / f64::from(args.fps);
        script.show(&mut offscreen, captions.as_ref(), secs);
        if let Some(pose) = way.at(secs) {
            offscreen.look(pose);
        }
        offscreen.draw();
        let mut buffer = recorder.buffer();
        offscreen.read_into(&mut buffer)?;
        if !recorder.push(buffer) {
            break;
        }
        progress.advance();
    }
    progress.finish();
    let (film, state) = recorder.finish()?;
    sidecar.n_frames_written = film.n_frames;
    sidecar.frames_crc32 = format!("{:08x}", state.crc32);
    Ok(film)
}

fn sidecar(
    args: &RecordArgs,
    plan: &Plan,
    text: &Text,
    given: &[String],
    asked: &Prompt,
) -> Sidecar {
    let mut arguments = lasting(given);
    let prompt = match asked {
        Prompt::Text(text) => Some(text.clone()),
        Prompt::Default if !text.tokens.is_empty() && args.trace.is_none() => {
            Some(crate::cli::prompt::DEFAULT_TEXT.to_owned())
        }
        _ => None,
    };
    // What standard input said is not said again.
    if args.run.prompt.prompt_file.as_deref() == Some(Path::new("-")) {
        arguments = without(&arguments, &["--prompt-file"]);
        arguments.extend(
            prompt
                .iter()
                .flat_map(|text| ["--prompt".to_owned(), text.clone()]),
        );
    }
    let name = plan.output.file_name().unwrap_or_default();
    let path = match &plan.camera {
        Some(FilmCamera::Path(path)) => serde_json::from_str(&path.text()).ok(),
        _ => None,
    };
    let session = plan.session.as_ref();
    let camera = match &plan.camera {
        Some(_) => camera_name(&args.camera),
        None => "session".to_owned(),
    };
    Sidecar {
        llmscope: env!("CARGO_PKG_VERSION").to_owned(),
        film: name.to_string_lossy().into_owned(),
        arguments,
        folder: folder(),
        model: plan.name.clone(),
        prompt,
        tokens: text.tokens.clone(),
        n_prompt_tokens: text.n_prompt,
        seed: plan.sampler.seed,
        temperature: plan.sampler.temperature,
        top_k: plan.sampler.top_k,
        top_p: plan.sampler.top_p,
        camera,
        camera_path: path,
        session: session.and_then(|log| serde_json::from_str(&log.text()).ok()),
        width: plan.film.width,
        height: plan.film.height,
        fps: plan.film.fps,
        n_frames: 0,
        n_frames_written: 0,
        frames_crc32: String::new(),
    }
}

/// What the film says of itself.
fn metadata(sidecar: &Sidecar) -> Vec<(String, String)> {
    let prompt = sidecar.prompt.clone().unwrap_or_default();
    let revision = match sidecar.model.parse() {
        Ok(ModelSource::Hub(name)) => name.revision_or_main().to_owned(),
        _ => String::new(),
    };
    let sampler = format!(
        "temperature {}, top-k {}, top-p {}",
        sidecar.temperature,
        sidecar.top_k.map_or("off".to_owned(), |k| k.to_string()),
        sidecar.top_p.map_or("off".to_owned(), |p| p.to_string()),
    );
    let title = if prompt.is_empty() {
        sidecar.model.clone()
    } else {
        format!("{}: {prompt}", sidecar.model)
    };
    [
        ("title", title),
        ("com.llmscope.version", sidecar.llmscope.clone()),
        ("com.llmscope.model", sidecar.model.clone()),
        ("com.llmscope.revision", revision),
        ("com.llmscope.prompt", prompt),
        ("com.llmscope.seed", sidecar.seed.to_string()),
        ("com.llmscope.sampler", sampler),
        ("com.llmscope.camera", sidecar.camera.clone()),
    ]
    .into_iter()
    .filter(|(_, text)| !text.is_empty())
    .map(|(key, text)| (key.to_owned(), text))
    .collect()
}

fn tell(plan: &Plan, film: &Film, sidecar: &Sidecar, took: Duration) {
    let secs = film.n_frames as f64 / f64::from(sidecar.fps);
    let size = format!("{}x{}", sidecar.width, sidecar.height);
    say(&format!(
        "wrote {}: {} frames of {size}, {secs:.1} s, {:.1} MB, in {:.0} s",
        plan.output.display(),
        film.n_frames,
        film.n_bytes as f64 / 1e6,
        took.as_secs_f64(),
    ));
    if plan.is_folder() {
        say(&format!(
            "to make a video of them: ffmpeg -framerate {} -i {}/frame-%05d.png -pix_fmt yuv420p \
             video.mp4",
            sidecar.fps,
            plan.output.display(),
        ));
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Summary<'a> {
    film: &'a Path,
    sidecar: &'a Path,
    n_frames: u64,
    width: u32,
    height: u32,
    fps: u32,
    seconds: f64,
    n_bytes: u64,
    frames_crc32: &'a str,
    is_cut_short: bool,
    wall_secs: f64,
}

impl<'a> Summary<'a> {
    fn new(
        plan: &'a Plan,
        film: &Film,
        sidecar: &'a Sidecar,
        path: &'a Path,
        started: Instant,
    ) -> Self {
        Self {
            film: &plan.output,
            sidecar: path,
            n_frames: film.n_frames,
            width: sidecar.width,
            height: sidecar.height,
            fps: sidecar.fps,
            seconds: film.n_frames as f64 / f64::from(sidecar.fps),
            n_bytes: film.n_bytes,
            frames_crc32: &sidecar.frames_crc32,
            is_cut_short: film.n_frames < sidecar.n_frames,
            wall_secs: started.elapsed().as_secs_f64(),
        }
    }
}
