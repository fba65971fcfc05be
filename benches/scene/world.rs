//! Worlds of published shapes, filled with random values of the right shape.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use llmscope::config::ModelConfig;
use llmscope::engine::{EngineHandle, EngineUpdate, LoadedModel};
use llmscope::hook::{BlockSite, HookPoint};
use llmscope::layout::ModelLayout;
use llmscope::trace::{Activation, ActivationCache, Pass, Vocab};
use llmscope::viewer::app::{Subject, ViewerOptions};
use llmscope::viewer::capture::{FrameTimes, Offscreen};
use llmscope::viewer::scene::SceneLayout;
use llmscope::viewer::viewpoint::{Pose, Screen, Viewpoint};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// An application that shows such a world.
pub struct World {
    pub offscreen: Offscreen,
    pub config: ModelConfig,
    rng: ChaCha8Rng,
    n_pos: usize,
    pose: Option<Pose>,
    n_frames: u32,
}

impl World {
    /// A model of this shape after a prompt of `n_pos` tokens.
    pub fn new(
        preset: &str,
        n_pos: usize,
        options: &ViewerOptions,
        size: (u32, u32),
    ) -> Result<Self> {
        let mut world = Self::before(preset, options, size)?;
        let config = world.config.clone();
        world.offscreen.feed(EngineUpdate::Loaded(LoadedModel {
            name: preset.to_owned(),
            config,
            vocab: Vocab::default(),
            weights: None,
        }));
        for update in world.pass(n_pos) {
            world.offscreen.feed(update);
        }
        world.offscreen.settle();
        Ok(world)
    }

    /// Before a model of this shape is there.
    pub fn before(preset: &str, options: &ViewerOptions, size: (u32, u32)) -> Result<Self> {
        let config =
            ModelConfig::preset(preset).with_context(|| format!("{preset} is no known shape"))?;
        let subject = Subject::Model {
            engine: EngineHandle::start()?,
            prompt: String::new(),
        };
        Ok(Self {
            offscreen: Offscreen::new(subject, options, size.0, size.1)?,
            config,
            rng: ChaCha8Rng::seed_from_u64(7),
            n_pos: 0,
            pose: None,
            n_frames: 0,
        })
    }

    /// Everything an engine tells of a pass over the next `n_pos` tokens.
    pub fn pass(&mut self, n_pos: usize) -> Vec<EngineUpdate> {
        let first_pos = self.n_pos;
        self.n_pos += n_pos;
        let tokens: Vec<u32> = (first_pos..self.n_pos)
            .map(|pos| (pos as u32 * 7919) % self.config.d_vocab as u32)
            .collect();
        let mut updates = vec![EngineUpdate::PassStarted {
            first_pos,
            tokens: tokens.clone(),
        }];
        let mut cache = ActivationCache::new();
        let hooks = self.config.hook_points();
        for part in hooks.chunk_by(|a, b| a.layer() == b.layer()) {
            let values: Vec<(HookPoint, Activation)> = part
                .iter()
                .map(|hook| (*hook, self.activation(*hook, first_pos, n_pos)))
                .collect();
            cache.extend(values.iter().cloned());
            updates.push(EngineUpdate::Computed { first_pos, values });
        }
        let pass = Pass {
            first_pos,
            tokens,
            cache,
        };
        updates.push(EngineUpdate::PassDone {
            pass: Arc::new(pass),
            text: None,
        });
        updates
    }

    fn activation(&mut self, hook: HookPoint, first_pos: usize, n_pos: usize) -> Activation {
        let n_key = first_pos + n_pos;
        if matches!(
            hook.site(),
            Some(BlockSite::AttnScores | BlockSite::Pattern)
        ) {
            let n_heads = self.config.n_heads;
            let queries = (0..n_heads).flat_map(|_| first_pos..n_key);
            let values = queries
                .flat_map(|query| attention_row(&mut self.rng, query, n_key))
                .collect();
            return Activation::new(vec![n_heads, n_pos, n_key], values);
        }
        let shape = self.config.shape(hook, n_pos);
        let n_values = shape.iter().product();
        let values = (0..n_values)
            .map(|_| self.rng.random_range(-1.0..1.0f32).powi(3))
            .collect();
        Activation::new(shape, values)
    }

    /// How many bytes of values a token at position `pos` is: its vectors, and its rows of scores and
    /// patterns.
    pub fn token_bytes(&mut self, pos: usize) -> usize {
        let widths = self.config.hook_points().into_iter().map(|hook| {
            let is_attention = matches!(
                hook.site(),
                Some(BlockSite::AttnScores | BlockSite::Pattern)
            );
            let n_rows = if is_attention { pos + 1 } else { 1 };
            n_rows * self.config.width(hook)
        });
        size_of::<f32>() * widths.sum::<usize>()
    }

    pub fn layout(&mut self) -> ModelLayout {
        let layout = self.offscreen.world().resource::<SceneLayout>();
        let layout = layout.as_ref().cloned();
        layout.unwrap_or_else(|| ModelLayout::new(&self.config, self.n_pos))
    }

    /// Puts the camera at the overview, where people begin.
    pub fn look_from_start(&mut self) {
        self.look_from(|layout, screen| Viewpoint::Overview.pose(layout, screen));
    }

    /// Puts the camera where all the ground is in view.
    pub fn look_at_all(&mut self) {
        self.look_from(|layout, screen| Pose::before(layout.bounds(), screen));
    }

    fn look_from(&mut self, pose: impl FnOnce(&ModelLayout, &Screen) -> Pose) {
        let screen = *self.offscreen.world().resource::<Screen>();
        let layout = self.layout();
        self.pose = Some(pose(&layout, &screen));
    }

    pub fn pose(&self) -> Option<Pose> {
        self.pose
    }

    /// Draws a frame of a camera that moves a little, as one does whom somebody holds.
    pub fn frame(&mut self) -> Result<FrameTimes> {
        if let Some(pose) = self.pose {
            self.offscreen.look(swayed(pose, self.n_frames));
        }
        self.n_frames += 1;
        Ok(self.offscreen.draw_timed()?)
    }

    /// Tells of one more token and draws the frame that shows it.
    pub fn step(&mut self) -> Result<FrameTimes> {
        for update in self.pass(1) {
            self.offscreen.tell(update);
        }
        Ok(self.offscreen.draw_timed()?)
    }
}

/// What a head attends to: mostly to a few keys, in all to one, and never to the future.
fn attention_row(rng: &mut ChaCha8Rng, query: usize, n_key: usize) -> Vec<f32> {
    let mut row = vec![0.0; n_key];
    for weight in &mut row[..=query] {
        *weight = rng.random_range(0.0..1.0f32).powi(8);
    }
    let sum: f32 = row.iter().sum();
    for weight in &mut row {
        *weight /= sum.max(f32::MIN_POSITIVE);
    }
    row
}

/// The pose turned by less than anybody sees, another way in every frame.
pub fn swayed(pose: Pose, n_frames: u32) -> Pose {
    Pose {
        yaw: pose.yaw + 1e-3 * (n_frames as f32).sin(),
        ..pose
    }
}

pub fn median(times: impl IntoIterator<Item = Duration>) -> f64 {
    let mut times: Vec<Duration> = times.into_iter().collect();
    times.sort_unstable();
    let middle = times.get(times.len() / 2).copied().unwrap_or_default();
    middle.as_secs_f64() * 1e3
}
