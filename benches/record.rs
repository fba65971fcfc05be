//! What a frame of a film costs: the embedded model's story at 1280 by 720, frame by frame, each part
//! after the other on this thread. The program itself encodes beside rendering, on a thread of its own.
//!
//! `convert` is from RGBA to the encoder's planes, `copy` the same bytes copied, for comparison; `encode` is
//! H.264 and the file. The last line is JSON: medians in milliseconds, and the share of the whole that
//! converting and encoding take.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use llmscope::engine::{EngineHandle, EngineRequest, EngineUpdate, Prompt};
use llmscope::model::{LoadSettings, ModelSource};
use llmscope::video::{EncoderChoice, FilmSettings, Quality, Yuv420, begin};
use llmscope::viewer::app::{Subject, ViewerOptions};
use llmscope::viewer::capture::Offscreen;
use llmscope::viewer::film::{FilmCamera, Flight, Narration, Story};
use serde_json::json;

const WIDTH: u32 = 1280;
const HEIGHT: u32 = 720;
const FPS: u32 = 30;
/// Frames that are measured, evenly over the story.
const N_FRAMES: u32 = 90;
/// What converting and encoding may take of a frame.
const ENCODE_SHARE: f64 = 0.25;

fn main() -> Result<()> {
    let (subject, updates, n_prompt, n_tokens) = text()?;
    let options = ViewerOptions {
        has_panels: false,
        ..ViewerOptions::default()
    };
    let mut offscreen = Offscreen::new(subject, &options, WIDTH, HEIGHT)?;
    for update in updates {
        offscreen.feed(update);
    }
    let config = ModelSource::Demo.read_config(true)?;
    let story = Story::new(n_prompt, n_tokens, config.hook_points().len(), None);
    let captions = offscreen.captions(&story);
    offscreen.settle();
    let (layout, screen) = offscreen.stage().context("there is no model")?;
    let flight = Flight::new(&FilmCamera::Tour, &story, &config, &layout, &screen);
    let folder = tempfile::tempdir()?;
    let settings = FilmSettings {
        width: WIDTH,
        height: HEIGHT,
        fps: FPS,
        quality: Quality::default(),
        encoder: EncoderChoice::BuiltIn,
        metadata: Vec::new(),
        force: false,
    };
    let mut film = begin(&folder.path().join("film.mp4"), &settings)?;
    let mut yuv = Yuv420::new(WIDTH as usize, HEIGHT as usize);
    let mut rgba = Vec::new();
    let mut copied = vec![0; (4 * WIDTH * HEIGHT) as usize];
    let mut times: [Vec<Duration>; 5] = Default::default();
    for frame in 0..N_FRAMES {
        // Short runs of consecutive frames: an encoder lives on what two frames have in common.
        let run = f64::from(frame / FPS) / f64::from(N_FRAMES / FPS);
        let secs = run * story.secs() + f64::from(frame % FPS) / f64::from(FPS);
        let playhead = story.at(secs).playhead;
        offscreen.show(playhead);
        offscreen.tell_story(Narration {
            caption: Some(captions.at(&story, secs)),
            n_tokens: Some(playhead.lane + 1),
            shows: None,
        });
        offscreen.look(flight.at(secs));
        times[0].push(offscreen.draw_timed()?.total());
        times[1].push(timed(|| offscreen.read_into(&mut rgba))?);
        times[2].push(timed(|| {
            yuv.read_rgba(&rgba);
            Ok::<_, io::Error>(())
        })?);
        times[3].push(timed(|| {
            copied.copy_from_slice(&rgba);
            Ok::<_, io::Error>(())
        })?);
        times[4].push(timed(|| film.push(&rgba))?);
    }
    let film = film.finish()?;
    let [render, readback, convert, copy, push] = times.map(median_ms);
    let encode = (push - convert).max(0.0);
    let share = push / (render + readback + push);
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "converting and encoding take {:.1} % of a frame; the budget is {:.0} %",
        100.0 * share,
        100.0 * ENCODE_SHARE
    )?;
    writeln!(
        out,
        "{}",
        json!({
            "render_ms": render, "readback_ms": readback, "convert_ms": convert, "encode_ms": encode,
            "copy_ms": copy, "encode_share": share, "bytes_per_frame": film.n_bytes / film.n_frames,
        })
    )?;
    Ok(())
}

/// The embedded model's text: what its thread told, tokens of the prompt, and all of them.
fn text() -> Result<(Subject, Vec<EngineUpdate>, usize, usize)> {
    let engine = EngineHandle::start()?;
    let prompt = "The quick brown fox".to_owned();
    engine.request(EngineRequest::Load {
        source: ModelSource::Demo,
        settings: LoadSettings::default(),
    })?;
    engine.request(EngineRequest::SetPrompt(Prompt::Text(prompt.clone())))?;
    engine.request(EngineRequest::Play(6))?;
    let mut updates = Vec::new();
    let (mut n_prompt, mut n_tokens) = (0, 0);
    loop {
        match engine.wait_update().context("the model's thread ended")? {
            EngineUpdate::Paused(_) => break,
            EngineUpdate::Failed(error) | EngineUpdate::LoadFailed(error) => bail!("{error}"),
            update => {
                if let EngineUpdate::PassDone { pass, .. } = &update {
                    if pass.first_pos == 0 {
                        n_prompt = pass.tokens.len();
                    }
                    n_tokens += pass.tokens.len();
                }
                updates.push(update);
            }
        }
    }
    Ok((
        Subject::Model { engine, prompt },
        updates,
        n_prompt,
        n_tokens,
    ))
}

fn timed<E>(work: impl FnOnce() -> Result<(), E>) -> Result<Duration, E> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

fn median_ms(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    (median.as_secs_f64() * 1e6).round() / 1e3
}
