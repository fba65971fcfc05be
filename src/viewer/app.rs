//! The application, in a window and offscreen, from the same plugins.

use std::collections::BTreeSet;
use std::env;
use std::panic::{self, AssertUnwindSafe};

use bevy::app::TerminalCtrlCHandlerPlugin;
use bevy::log::LogPlugin;
use bevy::prelude::*;
use bevy::render::RenderPlugin;
use bevy::render::pipelined_rendering::PipelinedRenderingPlugin;
use bevy::render::settings::WgpuSettings;
use bevy::window::{ExitCondition, WindowPlugin};
use bevy::winit::WinitPlugin;
use thiserror::Error;

use super::ViewerPlugin;
use super::camera::CameraPlugin;
use super::inference::{ActiveTrace, EngineLink};
use super::material::MaterialPlugin;
use super::pace::PacePlugin;
use super::scene::{ArcChoice, SceneSettings};
use super::selection::SelectionPlugin;
use super::ui::{UiPlugin, UiSettings};
use super::viewpoint::{CameraSettings, Viewpoint};
use crate::color::Theme;
use crate::config::ModelConfig;
use crate::engine::EngineHandle;
use crate::layout::Kind;

/// What is to be seen.
pub enum Subject {
    /// A model that runs behind this handle; the text in the prompt box to begin with.
    Model {
        /// The engine, already asked to load and to begin.
        engine: EngineHandle,
        /// The prompt.
        prompt: String,
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
    /// Kinds left out of the world.
    pub hidden: BTreeSet<Kind>,
    /// Which heads have arcs, and what an arc stands for.
    pub arc_choice: ArcChoice,
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
            hidden: BTreeSet::new(),
            arc_choice: ArcChoice::default(),
        }
    }
}

/// Why nothing can be shown.
#[derive(Debug, Error)]
pub enum ViewerError {
    /// There is no screen.
    #[error(
        "there is no display (neither WAYLAND_DISPLAY nor DISPLAY is set); \
         `llmscope snapshot` and `llmscope record` draw without one"
    )]
    NoDisplay,
    /// There is nothing to draw with.
    #[error(
        "no usable graphics adapter was found; install a Vulkan driver \
         (without a GPU, Debian's mesa-vulkan-drivers has one that runs on the processor)"
    )]
    NoAdapter,
    /// The window failed.
    #[error("no window can be opened on this display ({0}); `llmscope snapshot` needs none")]
    Window(String),
    /// A picture could not be made.
    #[error("the picture could not be drawn: {0}")]
    Draw(String),
}

/// Opens the window and runs until it is closed.
///
/// # Errors
///
/// If there is no display or no graphics adapter.
pub fn run_window(subject: Subject, options: &ViewerOptions) -> Result<AppExit, ViewerError> {
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
    Ok(app.run())
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
    let backends = usable_backends()?;
    let mut app = App::new();
    app.add_plugins(
        DefaultPlugins
            .set(WindowPlugin {
                primary_window: None,
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
    add_viewer(&mut app, subject, options);
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
    ));
    let mut scene = app.world_mut().resource_mut::<SceneSettings>();
    scene.theme = options.theme;
    scene.hidden.clone_from(&options.hidden);
    scene.arc_choice.clone_from(&options.arc_choice);
    app.insert_resource(CameraSettings {
        start: options.viewpoint,
        ..CameraSettings::default()
    });
    let mut ui = app.world_mut().resource_mut::<UiSettings>();
    ui.has_panels = options.has_panels;
    ui.has_labels = options.has_labels;
    ui.has_legend = options.has_legend;
    ui.scale = options.ui_scale;
    match subject {
        Subject::Model { engine, prompt } => {
            ui.prompt = prompt;
            app.insert_resource(EngineLink(engine));
        }
        Subject::Shape { name, config } => {
            ui.can_run = false;
            app.insert_resource(ActiveTrace::of_shape(&name, config));
        }
    }
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
