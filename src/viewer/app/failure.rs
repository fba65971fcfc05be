//! Why nothing can be shown, or nothing any more.

use std::sync::{Arc, Mutex, PoisonError};

use bevy::prelude::*;
use bevy::render::error_handler::{ErrorType, RenderError, RenderErrorPolicy};
use bevy::render::render_resource::PollType;
use bevy::render::renderer::RenderDevice;
use thiserror::Error;

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
    /// The graphics device went away while it was drawing.
    #[error(
        "the graphics device was lost ({0}); start again, and if it happens again update the \
         graphics driver"
    )]
    DeviceLost(String),
    /// The graphics device has no more memory.
    #[error(
        "the graphics device has no more memory; close other programs or choose a smaller model"
    )]
    DeviceMemory,
    /// A picture could not be made.
    #[error("the picture could not be drawn: {0}")]
    Draw(String),
}

/// Why drawing has ended for good, shared with whoever holds the application.
#[derive(Resource, Clone, Default)]
pub struct DrawFailure(Arc<Mutex<Option<ViewerError>>>);

impl DrawFailure {
    /// The failure, if there is one that nobody has taken.
    pub fn take(&self) -> Option<ViewerError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Keeps the first failure: others follow from it.
    fn note(&self, failure: ViewerError) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.get_or_insert(failure);
    }
}

/// The device made an error that may come of its loss.
#[derive(Resource)]
struct HasErred;

/// Ends the program where the device fails: what it held is gone.
pub(super) fn stop_drawing(
    error: &RenderError,
    world: &mut World,
    _: &mut World,
) -> RenderErrorPolicy {
    // wgpu tells a chain of causes, the root last.
    let mut lines = error.description.lines().map(str::trim);
    let what = lines.rfind(|line| !line.is_empty()).unwrap_or_default();
    // A lost device first makes other errors: once it has been asked, it says that it is lost.
    let is_first = !world.contains_resource::<HasErred>();
    if is_first && matches!(error.ty, ErrorType::Validation | ErrorType::Internal) {
        world.insert_resource(HasErred);
        if let Some(device) = world.get_resource::<RenderDevice>() {
            // Whatever it says comes again as an error.
            drop(device.poll(PollType::Poll));
        }
        return RenderErrorPolicy::Ignore;
    }
    let failure = match error.ty {
        ErrorType::DeviceLost => ViewerError::DeviceLost(what.to_owned()),
        ErrorType::OutOfMemory => ViewerError::DeviceMemory,
        ErrorType::Validation | ErrorType::Internal => ViewerError::Draw(what.to_owned()),
    };
    world.get_resource_or_init::<DrawFailure>().note(failure);
    world.write_message(AppExit::error());
    RenderErrorPolicy::StopRendering
}
