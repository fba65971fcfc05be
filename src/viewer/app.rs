//! The application, in a window and offscreen, from the same plugins.

mod failure;

use std::collections::BTreeSet;
use std::env;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;

use bevy::app::TerminalCtrlCHandlerPlugin;
use bevy::ecs::schedule::{ScheduleLabel, SingleThreadedExecutor};
use bevy::log::LogPlugin;
use bevy::prelude::*;
use bevy::render::RenderPlugin;
use bevy::render::error_handler::RenderErrorHandler;
use bevy::render::pipelined_rendering::PipelinedRenderingPlugin;
use bevy::render::settings::WgpuSettings;
use bevy::window::{ExitCondition, WindowPlugin};
use bevy::winit::WinitPlugin;

pub use failure::{DrawFailure, ViewerError};

use failure::stop_drawing;

use super::ViewerPlugin;
use super::camera::CameraPlugin;
use super::capture::CapturePlugin;
use super::filming::FilmSettings;
use super::inference::{ActiveTrace, EngineLink};
use super::material::MaterialPlugin;
use super::pace::PacePlugin;
use super::recents::RecentsFile;
use super::scene::{ArcChoice, ColorBy, SceneSettings};
use super::selection::SelectionPlugin;
use super::session::SessionFacts;
use super::slots::SlotsFile;
use super::ui::panels::plots::Plot;
use super::ui::{ArrangementFile, UiPlugin, UiSettings};
use super::viewpoint::{CameraSettings, Viewpoint};
use crate::color::Theme;
use crate::config::ModelConfig;
use crate::engine::EngineHandle;
use crate::layout::Kind;
use crate::model::{LoadSettings, SamplerSettings};

/// What is to be seen.
pub enum Subject {
    /// A model that runs behind this handle; the text in the prompt box to begin with.
    Model {
        /// The engine, already asked to load and to begin.
        engine: EngineHandle,
        /// The prompt.
        prompt: String,
    },
    /// A saved trace: what a model told once, with nothing to compute more with.
    Replay {
        /// What stands in the model's place.
        engine: EngineHandle,
    },
    /// The shape of a model, without weights.
    Shape {
        /// Its name.
        name: String,
        /// Its shape.
        config: ModelConfig,
    },
}

/// How the viewer begins.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewerOptions {
    /// Dark or light.
    pub theme: Theme,
    /// Where the camera stands.
    pub viewpoint: Viewpoint,
    /// Whether the panels are there.
    pub has_panels: bool,
    /// Whether names stand in the world.
    pub has_labels: bool,
    /// Whether the legend is there even without the panels.
    pub has_legend: bool,
    /// Size of panels and labels; 1 is the screen's own.
    pub ui_scale: f32,
    /// How many points high a picture without a window is, whatever its pixels: panels and labels take
    /// the same share of each.
    pub picture_points: f32,
    /// Whether the camera cuts instead of flying.
    pub has_reduced_motion: bool,
    /// The folder that keeps saved viewpoints and the arrangement of the panels; none where nothing
    /// is kept.
    pub settings_folder: Option<PathBuf>,
    /// The views that are open beside the world to begin with.
    pub plots: Vec<Plot>,
    /// What colours and heights stand for.
    pub color_by: ColorBy,
    /// Kinds left out of the world.
    pub hidden: BTreeSet<Kind>,
    /// Which heads have arcs, and what an arc stands for.
    pub arc_choice: ArcChoice,
    /// The command line's options: what else a film of this session needs to be made again.
    pub arguments: Vec<String>,
    /// Whether there are a ground and a sky; without them a picture has nothing behind the world.
    pub has_backdrop: bool,
    /// How tokens are chosen to begin with.
    pub sampler: SamplerSettings,
    /// How models are loaded that are opened in the window.
    pub load: LoadSettings,
}

impl Default for ViewerOptions {
    fn default() -> Self {
        Self {
            theme: Theme::default(),
            viewpoint: Viewpoint::Overview,
            has_panels: true,
            has_labels: true,
            has_legend: true,
            ui_scale: 1.0,
            picture_points: 720.0,
            has_reduced_motion: false,
            settings_folder: None,
            plots: Vec::new(),
            color_by: ColorBy::default(),
            hidden: BTreeSet::new(),
            arc_choice: ArcChoice::default(),
            arguments: Vec::new(),
            has_backdrop: true,
            sampler: SamplerSettings::default(),
            load: LoadSettings::default(),
        }
    }
}

/// Opens the window and runs until it is closed.
///
/// # Errors
///
/// If there is no display or no graphics adapter, or the graphics device fails.
pub fn run_window(subject: Subject, options: &ViewerOptions) -> Result<(), ViewerError> {
    if !has_display() {
        return Err(ViewerError::NoDisplay);
    }
    let backends = usable_backends()?;
    let window = Window {
        title: "llmscope".to_owned(),
        name: Some("llmscope".to_owned()),
        resolution: (1440, 900).into(),
        ..default()
    };
    let mut app = without_panic(|| windowed_app(window, backends))?;
    add_viewer(&mut app, subject, options);
    app.add_plugins(PacePlugin);
    let failure = app.world().resource::<DrawFailure>().clone();
    let exit = app.run();
    match failure.take() {
        Some(failure) => Err(failure),
        None if exit.is_error() => Err(ViewerError::Window("it ended by itself".to_owned())),
        None => Ok(()),
    }
}

/// What `build` makes. A display that does not answer makes winit's plugin panic: that is turned
/// into an error, and its message kept from the terminal.
fn without_panic(build: impl FnOnce() -> App) -> Result<App, ViewerError> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let built = panic::catch_unwind(AssertUnwindSafe(build));
    panic::set_hook(hook);
    built.map_err(|panic| {
        let reason = panic
            .downcast_ref::<String>()
            .map_or("the display does not answer", String::as_str);
        ViewerError::Window(reason.to_owned())
    })
}

fn windowed_app(window: Window, backends: wgpu::Backends) -> App {
    let mut app = App::new();
    app.add_plugins(
        DefaultPlugins
            .set(WindowPlugin {
                primary_window: Some(window),
                ..default()
            })
            .set(render_plugin(backends))
            .disable::<LogPlugin>(),
    );
    app
}

/// The application without window or event loop; whoever holds it drives it.
pub(super) fn offscreen_app(subject: Subject, options: &ViewerOptions) -> Result<App, ViewerError> {
    let mut app = driven_app(None)?;
    add_viewer(&mut app, subject, options);
    // A picture is drawn once: what it says must be legible.
    app.world_mut().resource_mut::<UiSettings>().waits_for_fonts = true;
    Ok(app)
}

/// Bevy's part of an application that has no event loop.
fn driven_app(primary_window: Option<Window>) -> Result<App, ViewerError> {
    let backends = usable_backends()?;
    let mut app = App::new();
    app.add_plugins(
        DefaultPlugins
            .set(WindowPlugin {
                primary_window,
                exit_condition: ExitCondition::DontExit,
                ..default()
            })
            .set(RenderPlugin {
                // The first frame is complete.
                synchronous_pipeline_compilation: true,
                ..render_plugin(backends)
            })
            .disable::<WinitPlugin>()
            .disable::<LogPlugin>()
            .disable::<TerminalCtrlCHandlerPlugin>()
            .disable::<PipelinedRenderingPlugin>(),
    );
    Ok(app)
}

fn add_viewer(app: &mut App, subject: Subject, options: &ViewerOptions) {
    // The interface's messages have their readers before the camera's run.
    app.add_plugins((
        ViewerPlugin,
        MaterialPlugin,
        UiPlugin,
        SelectionPlugin,
        CameraPlugin,
        CapturePlugin,
    ));
    run_in_turn(app);
    app.init_resource::<DrawFailure>()
        .insert_resource(RenderErrorHandler(stop_drawing));
    let mut scene = app.world_mut().resource_mut::<SceneSettings>();
    scene.theme = options.theme;
    scene.color_by = options.color_by;
    scene.hidden.clone_from(&options.hidden);
    scene.arc_choice.clone_from(&options.arc_choice);
    scene.has_backdrop = options.has_backdrop;
    app.insert_resource(CameraSettings {
        start: options.viewpoint,
        has_reduced_motion: options.has_reduced_motion,
        ..CameraSettings::default()
    });
    let settings_file = |name: &str| {
        let folder = options.settings_folder.as_ref();
        folder.map(|folder| folder.join(name))
    };
    app.insert_resource(SlotsFile(settings_file("viewpoints.json")));
    app.insert_resource(ArrangementFile(settings_file("panels.json")));
    app.insert_resource(RecentsFile(settings_file("recent.json")));
    let mut films = app.world_mut().resource_mut::<FilmSettings>();
    // Told in full, so that everybody finds what was made.
    films.folders = env::current_dir().into_iter().collect();
    films.folders.extend(settings_file("films"));
    let mut facts = app.world_mut().resource_mut::<SessionFacts>();
    facts.arguments.clone_from(&options.arguments);
    facts.sampler = options.sampler;
    if let Subject::Model { prompt, .. } = &subject {
        facts.prompt.clone_from(prompt);
    }
    let mut ui = app.world_mut().resource_mut::<UiSettings>();
    ui.has_panels = options.has_panels;
    ui.has_labels = options.has_labels;
    ui.has_legend = options.has_legend;
    ui.scale = options.ui_scale;
    ui.load.clone_from(&options.load);
    ui.plots.clone_from(&options.plots);
    match subject {
        Subject::Model { engine, prompt } => {
            ui.prompt = prompt;
            app.insert_resource(EngineLink(engine));
        }
        Subject::Replay { engine } => {
            ui.can_run = false;
            app.insert_resource(EngineLink(engine));
        }
        Subject::Shape { name, config } => {
            ui.can_run = false;
            app.insert_resource(ActiveTrace::of_shape(&name, config));
        }
    }
}

/// Runs the main world's systems one after the other: there are many and each does little, so that
/// handing them to threads costs more than they do.
fn run_in_turn(app: &mut App) {
    fn in_turn(app: &mut App, label: impl ScheduleLabel) {
        app.edit_schedule(label, |schedule| {
            schedule.set_executor(SingleThreadedExecutor::new());
        });
    }
    in_turn(app, First);
    in_turn(app, PreUpdate);
    in_turn(app, Update);
    in_turn(app, PostUpdate);
    in_turn(app, Last);
}

fn has_display() -> bool {
    if !cfg!(target_os = "linux") {
        return true;
    }
    ["WAYLAND_DISPLAY", "WAYLAND_SOCKET", "DISPLAY"]
        .iter()
        .any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Finds the backends that have an adapter: without one the renderer would panic.
///
/// OpenGL is tried last, since merely looking for it prints messages on machines without a display.
fn usable_backends() -> Result<wgpu::Backends, ViewerError> {
    let asked = wgpu::Backends::from_env().unwrap_or(wgpu::Backends::all());
    for backends in [asked & wgpu::Backends::PRIMARY, asked & wgpu::Backends::GL] {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.backends = backends;
        let instance = wgpu::Instance::new(descriptor);
        if !bevy::tasks::block_on(instance.enumerate_adapters(backends)).is_empty() {
            return Ok(backends);
        }
    }
    Err(ViewerError::NoAdapter)
}

fn render_plugin(backends: wgpu::Backends) -> RenderPlugin {
    RenderPlugin {
        render_creation: WgpuSettings {
            backends: Some(backends),
            ..default()
        }
        .into(),
        ..default()
    }
}

#[cfg(test)]
mod tests {
    use bevy::window::{PrimaryWindow, WindowResized, WindowScaleFactorChanged};

    use super::*;
    use crate::viewer::scene::DrawList;
    use crate::viewer::viewpoint::Screen;

    /// The window's application, with a window that nobody shows.
    fn unshown() -> App {
        let window = Window {
            resolution: (1440, 900).into(),
            ..default()
        };
        let mut app = driven_app(Some(window)).unwrap();
        let subject = Subject::Shape {
            name: "gpt2".to_owned(),
            config: ModelConfig::preset("gpt2").unwrap(),
        };
        add_viewer(&mut app, subject, &ViewerOptions::default());
        app.world_mut().resource_mut::<CameraSettings>().is_animated = false;
        app.finish();
        app.cleanup();
        app
    }

    /// Changes the window as a desktop would, and lets some frames pass.
    fn resize(app: &mut App, width: u32, height: u32, scale_factor: f32) {
        let world = app.world_mut();
        let mut windows = world.query_filtered::<(Entity, &mut Window), With<PrimaryWindow>>();
        let (entity, mut window) = windows.single_mut(world).unwrap();
        window.resolution.set_scale_factor(scale_factor);
        window.resolution.set_physical_resolution(width, height);
        let (width, height) = (window.width(), window.height());
        world.write_message(WindowScaleFactorChanged {
            window: entity,
            scale_factor: f64::from(scale_factor),
        });
        world.write_message(WindowResized {
            window: entity,
            width,
            height,
        });
        for _ in 0..4 {
            app.update();
        }
    }

    /// Everything that the shaders and the panels place things by.
    fn places(app: &mut App) -> Vec<f32> {
        let world = app.world_mut();
        let mut cameras = world.query_filtered::<&GlobalTransform, With<Camera3d>>();
        let camera = cameras.single(world).unwrap().to_matrix();
        let screen = *world.resource::<Screen>();
        let list = world.resource::<DrawList>();
        let mut places = camera.to_cols_array().to_vec();
        places.extend([screen.aspect, screen.low.x, screen.low.y]);
        places.extend([screen.high.x, screen.high.y]);
        places.extend([list.near.flat_pixels, list.near.risen_pixels]);
        places
    }

    #[test]
    fn a_window_that_shrinks_to_nothing_comes_back_as_it_was() {
        let mut app = unshown();
        resize(&mut app, 1440, 900, 1.0);
        let before = places(&mut app);

        for (width, height, scale_factor) in [
            (0, 0, 1.0),
            (1, 1, 1.0),
            (0, 900, 1.0),
            (1440, 0, 2.0),
            (3, 2000, 0.5),
            (8000, 1, 3.0),
        ] {
            resize(&mut app, width, height, scale_factor);
            let places = places(&mut app);
            assert!(
                places.iter().all(|place| place.is_finite()),
                "{width}x{height} at {scale_factor}: {places:?}"
            );
        }
        resize(&mut app, 1440, 900, 1.0);

        let after = places(&mut app);
        assert_eq!(after.len(), before.len(), "as many boxes");
        for (before, after) in before.iter().zip(&after) {
            let room = 1e-2 * before.abs().max(1.0);
            assert!((before - after).abs() < room, "{before} became {after}");
        }
        assert!(app.should_exit().is_none());
    }
}
