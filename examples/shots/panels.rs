//! Pictures of the views beside the world in use: opened, turned to a page, pointed at.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use bevy_egui::{EguiContext, EguiInput, EguiOutput};
use egui::{Event, Modifiers, PointerButton, Pos2, Rect, pos2, vec2};
use llmscope::color::Theme;
use llmscope::engine::{EngineHandle, EngineUpdate};
use llmscope::viewer::app::{Subject, ViewerOptions};
use llmscope::viewer::capture::{Offscreen, save_png};
use llmscope::viewer::ui::panels::Plot;
use llmscope::viewer::viewpoint::Viewpoint;

/// A picture of a view in use.
pub struct PanelShot {
    /// Its name.
    pub name: &'static str,
    theme: Theme,
    plot: Plot,
    /// The labels of what is clicked, one after the other.
    clicks: &'static [&'static str],
    /// What is pointed at in the end, and where in it, as shares of its width and height.
    pointer: Option<(&'static str, [f32; 2])>,
    size: [u32; 2],
}

const fn shot(name: &'static str, plot: Plot, clicks: &'static [&'static str]) -> PanelShot {
    PanelShot {
        name,
        theme: Theme::Dark,
        plot,
        clicks,
        pointer: None,
        size: [1600, 900],
    }
}

/// All of them.
pub fn shots() -> Vec<PanelShot> {
    use Plot::{Activations, Attention, Lens, Summary};
    let at = |what: &'static str, place: [f32; 2], shot: PanelShot| PanelShot {
        pointer: Some((what, place)),
        ..shot
    };
    let light = |name: &'static str, shot: PanelShot| PanelShot {
        name,
        theme: Theme::Light,
        ..shot
    };
    let map = || {
        let shot = shot("panel-activations-map", Activations, &[]);
        at("Activation map", [0.45, 0.5], shot)
    };
    let matrix = || {
        let shot = shot("panel-attention-matrix", Attention, &["next layer"]);
        at("Attention matrix", [0.25, 0.7], shot)
    };
    vec![
        shot("panel-summary", Summary, &["Open layer 1"]),
        light("panel-summary-light", shot("", Summary, &["Open layer 1"])),
        map(),
        light("panel-activations-map-light", map()),
        shot("panel-activations-neurons", Activations, &["Most active"]),
        shot("panel-activations-table", Activations, &["Neuron table"]),
        shot("panel-activations-spread", Activations, &["Distribution"]),
        shot("panel-activations-norms", Activations, &["Residual norms"]),
        matrix(),
        light("panel-attention-matrix-light", matrix()),
        shot(
            "panel-attention-rollout",
            Attention,
            &["rollout", "next layer"],
        ),
        shot("panel-attention-lines", Attention, &["Lines"]),
        shot("panel-attention-heads", Attention, &["All heads"]),
        shot("panel-attention-scores", Attention, &["Head scores"]),
        at("Logit lens", [0.3, 0.6], shot("panel-lens", Lens, &[])),
        light("panel-lens-light", shot("", Lens, &[])),
        PanelShot {
            size: [1280, 720],
            ..shot("panel-small-scores", Attention, &["Head scores"])
        },
        PanelShot {
            size: [1280, 720],
            ..shot("panel-small-map", Activations, &[])
        },
    ]
}

/// Makes the picture.
pub fn shoot(
    folder: &Path,
    shot: &PanelShot,
    prompt: &str,
    updates: &[EngineUpdate],
) -> Result<()> {
    let options = ViewerOptions {
        theme: shot.theme,
        plots: vec![shot.plot],
        ..ViewerOptions::default()
    };
    let subject = Subject::Model {
        engine: EngineHandle::start()?,
        prompt: prompt.to_owned(),
    };
    let [width, height] = shot.size;
    let mut offscreen = Offscreen::new(subject, &options, width, height)?;
    for update in updates {
        offscreen.feed(update.clone());
    }
    offscreen.set_frame_time(Duration::from_millis(200));
    for _ in 0..3 {
        offscreen.draw();
    }
    offscreen.look_from(|layout, screen| Viewpoint::Overview.pose(layout, screen));
    let mut hand = Hand {
        offscreen: &mut offscreen,
    };
    for label in shot.clicks {
        hand.click(label)?;
    }
    if let Some((label, [x, y])) = shot.pointer {
        let rect = hand.rect_of(label)?;
        hand.point(rect.min + vec2(x, y) * rect.size())?;
    }
    let path = folder.join(format!("{}.png", shot.name));
    save_png(&offscreen.picture()?, &[], &path, true)?;
    eprintln!("{}", path.display());
    Ok(())
}

/// A hand at the pointer.
struct Hand<'a> {
    offscreen: &'a mut Offscreen,
}

impl Hand<'_> {
    fn tell(&mut self, event: Event) -> Result<()> {
        let world = self.offscreen.world();
        let mut inputs = world.query::<&mut EguiInput>();
        let mut input = inputs.single_mut(world)?;
        input.events.push(event);
        self.offscreen.draw();
        Ok(())
    }

    fn point(&mut self, at: Pos2) -> Result<()> {
        self.tell(Event::PointerMoved(at))?;
        // A tooltip comes where the pointer rests.
        for _ in 0..6 {
            self.offscreen.draw();
        }
        Ok(())
    }

    fn click(&mut self, label: &str) -> Result<()> {
        let at = self.rect_of(label)?.center();
        self.tell(Event::PointerMoved(at))?;
        for pressed in [true, false] {
            self.tell(Event::PointerButton {
                pos: at,
                button: PointerButton::Primary,
                pressed,
                modifiers: Modifiers::NONE,
            })?;
        }
        self.tell(Event::PointerGone)
    }

    /// Where something is whose label begins so, in points, as screen readers are told.
    fn rect_of(&mut self, label: &str) -> Result<Rect> {
        let world = self.offscreen.world();
        let mut contexts = world.query::<&mut EguiContext>();
        contexts.single_mut(world)?.get_mut().enable_accesskit();
        self.offscreen.draw();
        self.offscreen.draw();
        let world = self.offscreen.world();
        let mut outputs = world.query::<&EguiOutput>();
        let output = &outputs.single(world)?.platform_output;
        let update = output.accesskit_update.iter();
        let nodes = update.flat_map(|update| &update.nodes);
        let bounds = nodes
            .filter(|(_, node)| node.label().is_some_and(|text| text.starts_with(label)))
            .find_map(|(_, node)| node.bounds())
            .with_context(|| format!("nothing on screen is labelled {label}"))?;
        let place = |x: f64, y: f64| pos2(x as f32, y as f32);
        Ok(Rect::from_min_max(
            place(bounds.x0, bounds.y0),
            place(bounds.x1, bounds.y1),
        ))
    }
}
