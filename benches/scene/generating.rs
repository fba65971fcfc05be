//! A world whose engine runs a model, as the window's does: everything captured, told, kept and shown.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use llmscope::engine::{EngineRequest, Prompt};
use llmscope::model::{LoadSettings, ModelSource, leave_a_core};
use llmscope::viewer::app::ViewerOptions;
use llmscope::viewer::capture::FrameTimes;
use llmscope::viewer::inference::{ActiveTrace, EngineLink};

use super::checkpoint;
use super::world::World;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// Such a world.
pub struct Live {
    world: World,
}

impl Live {
    /// A model of this shape with random weights, after a prompt of `n_pos` tokens. As in the window, a
    /// core is left for drawing.
    pub fn new(
        preset: &str,
        n_pos: usize,
        options: &ViewerOptions,
        size: (u32, u32),
    ) -> Result<Self> {
        leave_a_core();
        let world = World::before(preset, options, size)?;
        let folder = checkpoint::random(preset)?;
        let mut live = Self { world };
        live.ask(EngineRequest::Load {
            source: ModelSource::Folder(folder.path().to_owned()),
            settings: LoadSettings::default(),
        })?;
        live.ask(EngineRequest::SetLens(true))?;
        let tokens = (0..n_pos as u32).map(|pos| pos * 7919 % 50_257).collect();
        live.ask(EngineRequest::SetPrompt(Prompt::Tokens(tokens)))?;
        live.wait(|trace| trace.n_pos() == n_pos)?;
        live.rest()?;
        live.world.look_from_start();
        Ok(live)
    }

    /// Draws a frame of a camera that moves a little.
    pub fn frame(&mut self) -> Result<FrameTimes> {
        self.world.frame()
    }

    /// How many tokens there are, those being computed included.
    pub fn n_pos(&mut self) -> usize {
        self.trace().n_pos()
    }

    /// Has the model write on, token after token.
    pub fn write(&mut self) -> Result<()> {
        self.ask(EngineRequest::Play(usize::MAX))
    }

    /// Has it stop, and waits until the lens has read what it wrote, so that nothing is computed.
    pub fn rest(&mut self) -> Result<()> {
        self.ask(EngineRequest::Stop)?;
        let last_layer = self.world.config.n_layers - 1;
        self.wait(|trace| {
            let last_pos = trace.trace().map_or(0, |trace| trace.len()).checked_sub(1);
            let is_read = last_pos.is_some_and(|pos| trace.lens(last_layer, pos).is_some());
            is_read && !trace.is_computing()
        })
    }

    fn trace(&mut self) -> &ActiveTrace {
        self.world.offscreen.world().resource::<ActiveTrace>()
    }

    fn ask(&mut self, request: EngineRequest) -> Result<()> {
        let link = self.world.offscreen.world().resource::<EngineLink>();
        Ok(link.request(request)?)
    }

    /// Draws frames until what the engine has told is so.
    fn wait(&mut self, is_so: impl Fn(&ActiveTrace) -> bool) -> Result<()> {
        let start = Instant::now();
        while !is_so(self.trace()) {
            ensure!(
                start.elapsed() < PATIENCE,
                "the engine does not come to an end"
            );
            self.world.frame()?;
        }
        Ok(())
    }
}
