//! Renders the standard views of the embedded model into `target/shots/*.png`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use llmscope::color::Theme;
use llmscope::engine::{EngineHandle, EngineRequest, EngineUpdate, Prompt};
use llmscope::model::{LoadSettings, ModelSource};
use llmscope::viewer::app::{Subject, ViewerOptions};
use llmscope::viewer::capture::{Offscreen, save_png};
use llmscope::viewer::viewpoint::Viewpoint;

const PROMPT: &str = "Mary gave John a red ball. John took the";
const NEW_TOKENS: usize = 3;

fn main() -> Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter("warn")
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
    let folder = PathBuf::from("target/shots");
    fs::create_dir_all(&folder)?;
    let only: Vec<String> = std::env::args().skip(1).collect();
    let is_wanted = |name: &str| only.is_empty() || only.iter().any(|only| name.contains(only));
    let updates = run_demo()?;
    for viewpoint in Viewpoint::ALL {
        for theme in [Theme::Dark, Theme::Light] {
            let mut name = viewpoint.title().to_lowercase();
            if theme == Theme::Light {
                if !matches!(viewpoint, Viewpoint::Overview | Viewpoint::Heads) {
                    continue;
                }
                name.push_str("-light");
            }
            if is_wanted(&name) {
                let options = ViewerOptions {
                    theme,
                    viewpoint,
                    has_panels: false,
                    ..ViewerOptions::default()
                };
                shoot(&folder, &name, &options, &updates, None)?;
            }
        }
    }
    for theme in [Theme::Dark, Theme::Light] {
        let name = match theme {
            Theme::Dark => "window",
            Theme::Light => "window-light",
        };
        if is_wanted(name) {
            let options = ViewerOptions {
                theme,
                ..ViewerOptions::default()
            };
            shoot(&folder, name, &options, &updates, None)?;
        }
    }
    if is_wanted("halfway") {
        shoot(
            &folder,
            "halfway",
            &ViewerOptions::default(),
            &updates,
            Some(31.0),
        )?;
    }
    Ok(())
}

/// Everything the engine tells of the prompt and a few tokens after it.
fn run_demo() -> Result<Vec<EngineUpdate>> {
    let engine = EngineHandle::start()?;
    engine.request(EngineRequest::Load {
        source: ModelSource::Demo,
        settings: LoadSettings::default(),
    })?;
    engine.request(EngineRequest::SetLens(true))?;
    engine.request(EngineRequest::SetPrompt(Prompt::Text(PROMPT.to_owned())))?;
    engine.request(EngineRequest::Play(NEW_TOKENS))?;
    let mut updates = Vec::new();
    let mut is_paused = false;
    while let Some(update) = engine.wait_update() {
        match update {
            EngineUpdate::Failed(error) => anyhow::bail!("{error}"),
            EngineUpdate::LensDone if is_paused => break,
            EngineUpdate::Paused(_) => is_paused = true,
            _ => updates.push(update),
        }
    }
    Ok(updates)
}

fn shoot(
    folder: &Path,
    name: &str,
    options: &ViewerOptions,
    updates: &[EngineUpdate],
    order: Option<f32>,
) -> Result<()> {
    let subject = Subject::Model {
        engine: EngineHandle::start()?,
        prompt: PROMPT.to_owned(),
    };
    let mut offscreen = Offscreen::new(subject, options, 1280, 720)?;
    for update in updates {
        offscreen.feed(update.clone());
    }
    offscreen.draw(); // Where the panels are, the camera knows from here on.
    offscreen.look_from(|layout, screen| options.viewpoint.pose(layout, screen));
    if let Some(order) = order {
        offscreen.seek_order(order);
    }
    let path = folder.join(format!("{name}.png"));
    save_png(&offscreen.picture()?, &[], &path, true)?;
    eprintln!("{}", path.display());
    Ok(())
}
