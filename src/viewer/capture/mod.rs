//! Pictures without a display: the same application, driven frame by frame into an image. `live` makes
//! films of a window as it is used, `shutter` takes pictures of it.
//!
//! What is too large to be drawn at once is drawn tile by tile (`tile`), what is over nothing has its
//! colours divided by their alpha (`alpha`), and `read` brings either back.

mod alpha;
mod live;
mod png_file;
mod read;
mod session;
mod shutter;
mod telling;
mod tile;
mod timed;

use std::time::Duration;

use bevy::app::{AppLabel as _, SubApps};
use bevy::camera::RenderTarget;
use bevy::prelude::*;
use bevy::render::RenderApp;
use bevy::render::render_asset::RenderAssets;
use bevy::render::render_resource::{TextureFormat, TextureUsages};
use bevy::render::renderer::{RenderDevice, RenderQueue};
use bevy::render::texture::GpuImage;
use bevy::time::TimeUpdateStrategy;

pub use png_file::{PngError, save_png};
pub use timed::FrameTimes;

use live::LiveFilmPlugin;
use read::Reading;
use tile::{Aim, Tile};

use super::app::{DrawFailure, Subject, ViewerError, ViewerOptions, offscreen_app};
use super::inference::{ActiveTrace, Studies, TraceEvent};
use super::material::UploadMeter;
use super::playback::{Playback, PlaybackWish, Playhead, n_orders};
use super::scene::{Overlay, SceneLayout, SceneSettings, WeightStore};
use super::tour::{ActiveTour, Run, TourWish};
use super::viewpoint::{CameraSettings, CameraWish, Pose, Screen, Viewpoint};
use crate::engine::EngineUpdate;
use crate::hook::HookPoint;
use crate::layout::ModelLayout;

/// Makes films and pictures of a window.
pub struct CapturePlugin;

impl Plugin for CapturePlugin {
    fn build(&self, app: &mut App) {
        app.add_plugins((tile::plugin, shutter::plugin, LiveFilmPlugin));
    }
}

/// An application that draws into an image.
pub struct Offscreen {
    sub_apps: SubApps,
    target: Handle<Image>,
    size: UVec2,
    /// The size of the tiles that it is drawn in; none where all of it is drawn at once.
    tile_size: Option<UVec2>,
    is_transparent: bool,
    reading: Reading,
}

/// A picture: rows of RGBA, sRGB, 8 bits each, from the top left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// `4 * width * height` bytes.
    pub rgba: Vec<u8>,
}

impl Offscreen {
    /// Makes the application, drawing `width` by `height` pixels.
    ///
    /// # Errors
    ///
    /// If there is no graphics adapter.
    pub fn new(
        subject: Subject,
        options: &ViewerOptions,
        width: u32,
        height: u32,
    ) -> Result<Self, ViewerError> {
        Self::in_tiles(subject, options, UVec2::new(width, height), None)
    }

    /// As [`new`](Self::new), drawn in tiles of `tile_side` pixels; without that, only where the device
    /// can't draw the whole picture at once.
    ///
    /// # Errors
    ///
    /// If there is no graphics adapter.
    pub fn in_tiles(
        subject: Subject,
        options: &ViewerOptions,
        size: UVec2,
        tile_side: Option<u32>,
    ) -> Result<Self, ViewerError> {
        let (width, height) = (size.x, size.y);
        // Panels and labels take the same share of every picture.
        let options = ViewerOptions {
            ui_scale: (height as f32 / options.picture_points).clamp(0.5, 8.0),
            ..options.clone()
        };
        let mut app = patient_app(subject, &options)?;
        app.insert_resource(Screen::whole(width as f32 / height as f32));
        app.finish();
        app.cleanup();
        let device = app.world().resource::<RenderDevice>();
        let tile_size = match tile_side {
            Some(side) => Some(UVec2::splat(side)),
            None => tile::size_for(size, device.limits().max_texture_dimension_2d),
        };
        let image = target_image(tile_size.unwrap_or(size));
        let target = app.world_mut().resource_mut::<Assets<Image>>().add(image);
        app.insert_resource(CameraTarget(match tile_size {
            Some(_) => RenderTarget::None { size },
            None => RenderTarget::Image(target.clone().into()),
        }));
        app.add_systems(PostStartup, aim_at_target);
        let mut offscreen = Self {
            sub_apps: std::mem::take(app.sub_apps_mut()),
            target,
            size,
            tile_size,
            is_transparent: !options.has_backdrop,
            reading: Reading::default(),
        };
        if tile_size.is_some() {
            offscreen.aim(UVec2::ZERO);
        }
        Ok(offscreen)
    }

    /// The main world.
    pub fn world(&mut self) -> &mut World {
        self.sub_apps.main.world_mut()
    }

    /// Takes in what an engine has told, with the next frame.
    pub fn tell(&mut self, update: EngineUpdate) {
        let event = self.world().resource_mut::<ActiveTrace>().apply(update);
        self.world().write_message::<TraceEvent>(event);
    }

    /// Takes in what an engine has told.
    pub fn feed(&mut self, update: EngineUpdate) {
        self.tell(update);
        // One at a time: a text's layout must be there when its values come. No time passes.
        let frame_time = self.stop_time();
        self.sub_apps.main.run_default_schedule();
        self.world().insert_resource(frame_time);
    }

    /// Shows the text up to position `lane`, complete.
    pub fn seek(&mut self, lane: usize) {
        self.world()
            .write_message::<PlaybackWish>(PlaybackWish::SeekLane(lane));
    }

    /// Shows the last pass as far as hook point number `order`.
    pub fn seek_order(&mut self, order: f32) {
        self.world()
            .write_message::<PlaybackWish>(PlaybackWish::SeekOrder(order));
    }

    /// The layout on show, and the part of the picture that the world has; none before there is a
    /// model.
    pub fn stage(&mut self) -> Option<(ModelLayout, Screen)> {
        let screen = *self.world().resource::<Screen>();
        let layout = self.world().resource::<SceneLayout>();
        Some((layout.as_ref()?.clone(), screen))
    }

    /// Where the playhead is.
    pub fn playhead(&mut self) -> Playhead {
        *self.world().resource::<Playhead>()
    }

    /// Whether the signal has come through the whole pass.
    pub fn is_pass_shown(&mut self) -> bool {
        let end = n_orders(self.world().resource::<ActiveTrace>());
        self.playhead().order >= end
    }

    /// Puts the camera before one tensor, over all lanes.
    pub fn look_at_hook(&mut self, hook: HookPoint) {
        self.look_from(|layout, screen| match layout.hook_rect(hook) {
            Some(rect) => Pose::before(rect, screen),
            None => Viewpoint::Overview.pose(layout, screen),
        });
    }

    /// Puts the camera there.
    pub fn look(&mut self, pose: Pose) {
        self.world().write_message(CameraWish::LookAt(pose));
    }

    /// Puts the camera where `pose` finds it in the layout on show.
    pub fn look_from(&mut self, pose: impl FnOnce(&ModelLayout, &Screen) -> Pose) {
        let screen = *self.world().resource::<Screen>();
        let layout = self.world().resource::<SceneLayout>();
        if let Some(layout) = layout.as_ref() {
            let pose = pose(layout, &screen);
            self.look(pose);
        }
    }

    /// Stands at a stop of the guided tour, counted from 0, and says what is said there.
    ///
    /// # Errors
    ///
    /// If there is no such stop: how many there are.
    pub fn show_stop(&mut self, stop: usize) -> Result<(), String> {
        self.world().write_message(TourWish::Show(stop));
        self.settle();
        let tour = self.world().resource::<ActiveTour>();
        match tour.run().map_or(0, Run::n_stops) {
            n_stops if stop < n_stops => Ok(()),
            n_stops => Err(format!(
                "the tour has {n_stops} stops, so there is no stop {}",
                stop + 1
            )),
        }
    }

    /// Lets this much time pass with the next frames.
    pub fn set_frame_time(&mut self, frame: Duration) {
        self.world()
            .insert_resource(TimeUpdateStrategy::ManualDuration(frame));
    }

    /// Draws a frame.
    pub fn draw(&mut self) {
        self.sub_apps.update();
    }

    /// How many bytes of the scene have gone to the GPU so far.
    pub fn uploaded_bytes(&self) -> u64 {
        let world = self.sub_apps.main.world();
        world
            .get_resource::<UploadMeter>()
            .map_or(0, |meter| meter.value_bytes + meter.list_bytes)
    }

    /// Reads back the last frame.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn read_back(&mut self) -> Result<Picture, ViewerError> {
        let mut rgba = Vec::new();
        self.read_into(&mut rgba)?;
        Ok(Picture {
            width: self.size.x,
            height: self.size.y,
            rgba,
        })
    }

    /// Reads back the last frame, `4 * width * height` bytes, into `rgba` in place of what is there.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn read_into(&mut self, rgba: &mut Vec<u8>) -> Result<(), ViewerError> {
        let read = self.copy_back(rgba);
        if self.is_transparent {
            alpha::unpremultiply(rgba);
        }
        if read.is_err() {
            self.draw(); // The renderer tells of its failures with the next frame.
        }
        match self.world().resource::<DrawFailure>().take() {
            Some(failure) => Err(failure),
            None => read,
        }
    }

    fn copy_back(&mut self, rgba: &mut Vec<u8>) -> Result<(), ViewerError> {
        rgba.clear();
        let size = self.size;
        let Some(tile_size) = self.tile_size else {
            rgba.reserve(4 * size.x as usize * size.y as usize);
            return self.read_target(size, |row| rgba.extend_from_slice(row));
        };
        rgba.resize(4 * size.x as usize * size.y as usize, 0);
        // All tiles are of one moment.
        let frame_time = self.stop_time();
        for offset in tile::offsets(size, tile_size) {
            let aim = self.aim(offset);
            self.draw();
            let mut rows = 0..;
            self.read_target(aim.used(), |pixels| {
                aim.place(rows.next().unwrap_or(0), pixels, rgba);
            })?;
        }
        self.world().insert_resource(frame_time);
        Ok(())
    }

    /// Has the tile at `offset` drawn from now on.
    fn aim(&mut self, offset: UVec2) -> Aim {
        let aim = Aim {
            target: self.target.clone(),
            size: self.tile_size.unwrap_or(self.size),
            offset,
            picture: self.size,
        };
        self.world().insert_resource(Tile(Some(aim.clone())));
        aim
    }

    /// Lets no time pass from now on, and says how much did with each frame.
    fn stop_time(&mut self) -> TimeUpdateStrategy {
        std::mem::replace(
            &mut *self.world().resource_mut::<TimeUpdateStrategy>(),
            TimeUpdateStrategy::ManualDuration(Duration::ZERO),
        )
    }

    /// Reads what was drawn last, row by row.
    fn read_target(&mut self, size: UVec2, take: impl FnMut(&[u8])) -> Result<(), ViewerError> {
        let render_app = self
            .sub_apps
            .sub_apps
            .get(&RenderApp.intern())
            .ok_or_else(no_renderer)?;
        let render_world = render_app.world();
        let image = render_world
            .resource::<RenderAssets<GpuImage>>()
            .get(&self.target)
            .ok_or_else(|| ViewerError::Draw("no frame was drawn".to_owned()))?;
        let device = render_world.resource::<RenderDevice>();
        let queue = render_world.resource::<RenderQueue>();
        self.reading.read(device, queue, &image.texture, size, take)
    }

    /// Lets frames pass until every study that was asked for is answered, and what colours and heights
    /// are to stand for is there.
    pub fn wait_for_studies(&mut self) {
        let mut n_quiet = 0;
        while n_quiet < 3 {
            self.sub_apps.main.run_default_schedule();
            let world = self.world();
            let settings = world.resource::<SceneSettings>();
            let is_quiet = !world.resource::<Studies>().is_busy()
                && world.resource::<Overlay>().is_settled(settings);
            if is_quiet {
                n_quiet += 1;
            } else {
                n_quiet = 0;
                std::thread::sleep(Duration::from_millis(2));
            }
        }
    }

    /// Draws until everything has settled, and reads the frame back.
    ///
    /// # Errors
    ///
    /// If the device fails.
    pub fn picture(&mut self) -> Result<Picture, ViewerError> {
        self.settle();
        self.read_back()
    }

    /// Draws as many frames as it takes until nothing waits for the frame before: panels take their
    /// size from it, the camera the panels', and the target its place on the GPU.
    pub fn settle(&mut self) {
        for _ in 0..3 {
            self.draw();
        }
    }
}

/// The application as pictures need it: no time passes by itself, and each frame waits for everything
/// that belongs in it.
fn patient_app(subject: Subject, options: &ViewerOptions) -> Result<App, ViewerError> {
    let mut app = offscreen_app(subject, options)?;
    app.insert_resource(TimeUpdateStrategy::ManualDuration(Duration::ZERO));
    let world = app.world_mut();
    world.resource_mut::<CameraSettings>().is_animated = false;
    world.resource_mut::<WeightStore>().is_blocking = true;
    world.resource_mut::<SceneSettings>().upload_budget = usize::MAX;
    world.resource_mut::<Playback>().layers_per_sec = f32::INFINITY;
    Ok(app)
}

fn no_renderer() -> ViewerError {
    ViewerError::Draw("there is no renderer".to_owned())
}

/// An image of this size that a camera can draw into.
fn target_image(size: UVec2) -> Image {
    let mut image = Image::new_target_texture(size.x, size.y, TextureFormat::Rgba8UnormSrgb, None);
    image.texture_descriptor.usage |= TextureUsages::COPY_SRC;
    image
}

/// What the camera draws into.
#[derive(Resource)]
struct CameraTarget(RenderTarget);

fn aim_at_target(
    target: Res<CameraTarget>,
    mut cameras: Query<(&mut RenderTarget, &mut Projection), With<Camera3d>>,
) {
    for (mut aims, mut projection) in &mut cameras {
        aims.clone_from(&target.0);
        // Otherwise the new size is not noticed.
        projection.set_changed();
    }
}
