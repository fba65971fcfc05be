//! Pictures of the window, of any size.
//!
//! For a few frames the window's own camera draws into an image, tile by tile; the window shows its last
//! frame meanwhile. Then a thread of its own writes the file.

use std::path::{Path, PathBuf};
use std::{mem, thread};

use bevy::camera::RenderTarget;
use bevy::prelude::*;
use bevy::render::render_asset::RenderAssets;
use bevy::render::renderer::{RenderDevice, RenderQueue};
use bevy::render::texture::GpuImage;
use bevy::render::{Extract, ExtractSchedule, Render, RenderApp, RenderSystems};
use crossbeam_channel::{Receiver, Sender, bounded};

use super::read::Reading;
use super::session::SessionView;
use super::tile::{self, Aim, Tile};
use super::{Picture, PngError, alpha, save_png, target_image};
use crate::viewer::app::ViewerError;
use crate::viewer::filming::{
    FilmNews, FilmSettings, PictureLayout, PictureMode, PictureWish, free_name,
};
use crate::viewer::scene::SceneSettings;

/// Takes pictures of the window.
pub(super) fn plugin(app: &mut App) {
    let (tiles, taken) = bounded(1);
    let (saved, outcomes) = bounded(4);
    app.init_resource::<Shutter>()
        .init_resource::<WantedTile>()
        .insert_resource(Developed {
            tiles: taken,
            saved,
            outcomes,
        })
        .add_systems(
            First,
            (open_shutter, take_tiles, set_backdrop, tell_outcomes).chain(),
        );
    let Some(render_app) = app.get_sub_app_mut(RenderApp) else {
        return;
    };
    render_app
        .init_resource::<WantedTile>()
        .insert_resource(TileReader {
            tiles,
            reading: Reading::default(),
        })
        .add_systems(ExtractSchedule, extract_wanted)
        .add_systems(Render, read_tile.in_set(RenderSystems::Cleanup));
}

/// The picture being taken.
#[derive(Resource, Default)]
enum Shutter {
    /// None is.
    #[default]
    Closed,
    /// The camera draws into an image.
    Open(Box<Exposure>),
    /// The camera has the window's size again, but what is laid out for it is not on show yet: so many
    /// frames more.
    Closing(usize),
}

/// A picture in the making.
struct Exposure {
    wish: PictureWish,
    /// What the camera draws into otherwise.
    window: RenderTarget,
    pixels: Vec<u8>,
    picture: UVec2,
    /// The tiles that are left, the next one last.
    offsets: Vec<UVec2>,
    /// Frames until everything has its place in the picture.
    n_unsettled: usize,
    /// Whether a tile was asked for that has not come.
    is_awaited: bool,
}

/// As many as the panels need to be laid out for another size, and the camera to follow.
const N_UNSETTLED: usize = 5;

/// The tile that is to be read after this frame.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
struct WantedTile(Option<Aim>);

/// Where tiles and files come out.
#[derive(Resource)]
struct Developed {
    tiles: Receiver<Result<Vec<u8>, ViewerError>>,
    saved: Sender<FilmNews>,
    outcomes: Receiver<FilmNews>,
}

/// Reads tiles back.
#[derive(Resource)]
struct TileReader {
    tiles: Sender<Result<Vec<u8>, ViewerError>>,
    reading: Reading,
}

/// Begins the picture that was asked for last, unless one is being taken.
fn open_shutter(
    mut wishes: MessageReader<PictureWish>,
    mut cameras: Query<(&Camera, &mut RenderTarget, &mut Projection), With<Camera3d>>,
    device: Res<RenderDevice>,
    mut images: ResMut<Assets<Image>>,
    mut shutter: ResMut<Shutter>,
    mut tile: ResMut<Tile>,
    mut mode: ResMut<PictureMode>,
    mut news: MessageWriter<FilmNews>,
) {
    let Some(wish) = wishes.read().last().copied() else {
        return;
    };
    let Ok((camera, mut target, mut projection)) = cameras.single_mut() else {
        return;
    };
    let window = camera.physical_target_size().unwrap_or_default();
    if tile.0.is_some() || window.min_element() == 0 {
        let why = "No picture was taken: the window is not shown, or another is being taken";
        news.write(FilmNews::Note(why.to_owned()));
        return;
    }
    let picture = wish.size.of(window);
    let max_side = device.limits().max_texture_dimension_2d;
    let size = tile::size_for(picture, max_side).unwrap_or(picture);
    let points = camera.logical_target_size().unwrap_or(Vec2::ONE);
    let scale = (picture.as_vec2() / points).min_element();
    mode.n_unsaved += 1;
    mode.layout = Some(PictureLayout {
        scale,
        has_panels: wish.has_panels,
        has_backdrop: !wish.is_transparent,
    });
    tile.0 = Some(Aim {
        target: images.add(target_image(size)),
        size,
        offset: UVec2::ZERO,
        picture,
    });
    let mut offsets: Vec<UVec2> = tile::offsets(picture, size).collect();
    offsets.reverse();
    let window = mem::replace(&mut *target, RenderTarget::None { size: picture });
    // Otherwise the new size is not noticed.
    projection.set_changed();
    *shutter = Shutter::Open(Box::new(Exposure {
        wish,
        window,
        pixels: vec![0; 4 * picture.x as usize * picture.y as usize],
        picture,
        offsets,
        n_unsettled: N_UNSETTLED,
        is_awaited: false,
    }));
}

/// Takes tile after tile, and gives the camera back to the window.
fn take_tiles(
    mut cameras: Query<(&mut RenderTarget, &mut Projection), With<Camera3d>>,
    mut shutter: ResMut<Shutter>,
    mut tile: ResMut<Tile>,
    mut wanted: ResMut<WantedTile>,
    mut mode: ResMut<PictureMode>,
    settings: Res<FilmSettings>,
    developed: Res<Developed>,
    session: SessionView,
    mut news: MessageWriter<FilmNews>,
) {
    wanted.set_if_neq(WantedTile::default());
    let step = match (&mut *shutter, &mut tile.0) {
        (Shutter::Closed, _) | (_, None) => return,
        (Shutter::Open(exposure), Some(aim)) => exposure.go_on(aim, &developed.tiles),
        (Shutter::Closing(0), Some(_)) => {
            *shutter = Shutter::Closed;
            tile.0 = None;
            mode.layout = None;
            return;
        }
        (Shutter::Closing(n_unsettled), Some(_)) => {
            *n_unsettled -= 1;
            return;
        }
    };
    let result = match step {
        Step::Wait => return,
        Step::Take => {
            wanted.0.clone_from(&tile.0);
            return;
        }
        Step::Done(result) => result,
    };
    let Shutter::Open(exposure) = mem::replace(&mut *shutter, Shutter::Closing(N_UNSETTLED)) else {
        return;
    };
    mode.layout = Some(PictureLayout::WINDOW);
    for (mut target, mut projection) in &mut cameras {
        target.clone_from(&exposure.window);
        projection.set_changed();
    }
    let told = match result {
        Ok(()) => {
            let (folders, saved) = (&settings.folders, developed.saved.clone());
            exposure.develop(session.picture_texts(), folders, saved)
        }
        Err(error) => Some(error.to_string()),
    };
    if let Some(error) = told {
        mode.n_unsaved = mode.n_unsaved.saturating_sub(1);
        news.write(FilmNews::Failed(format!("No picture was taken: {error}")));
    }
}

/// Takes ground and sky away for a picture, and gives them back.
fn set_backdrop(mode: Res<PictureMode>, mut scene: ResMut<SceneSettings>) {
    if let Some(layout) = mode.layout
        && scene.has_backdrop != layout.has_backdrop
    {
        scene.has_backdrop = layout.has_backdrop;
    }
}

/// What is to be done in a frame.
enum Step {
    /// Draw as before.
    Wait,
    /// Draw the tile, and read it.
    Take,
    /// Nothing more.
    Done(Result<(), ViewerError>),
}

impl Exposure {
    fn go_on(&mut self, aim: &mut Aim, tiles: &Receiver<Result<Vec<u8>, ViewerError>>) -> Step {
        if self.n_unsettled > 0 {
            self.n_unsettled -= 1;
            return Step::Wait;
        }
        if self.is_awaited {
            match tiles.try_recv() {
                Ok(Ok(pixels)) => {
                    let row_bytes = 4 * aim.used().x as usize;
                    for (row, pixels) in pixels.chunks_exact(row_bytes).enumerate() {
                        aim.place(row, pixels, &mut self.pixels);
                    }
                    self.is_awaited = false;
                }
                Ok(Err(error)) => return Step::Done(Err(error)),
                Err(_) => return Step::Wait,
            }
        }
        let Some(offset) = self.offsets.pop() else {
            return Step::Done(Ok(()));
        };
        aim.offset = offset;
        self.is_awaited = true;
        Step::Take
    }

    /// Has the file written, and says why if that can't even begin.
    fn develop(
        self,
        texts: Vec<(String, String)>,
        folders: &[PathBuf],
        saved: Sender<FilmNews>,
    ) -> Option<String> {
        let folders = folders.to_vec();
        let develop = move || {
            let mut picture = Picture {
                width: self.picture.x,
                height: self.picture.y,
                rgba: self.pixels,
            };
            if self.wish.is_transparent {
                alpha::unpremultiply(&mut picture.rgba);
            }
            // Without a window there is nobody to tell.
            drop(saved.send(save(&picture, &texts, &folders)));
        };
        let thread = thread::Builder::new().name("llmscope-picture".to_owned());
        thread.spawn(develop).err().map(|error| error.to_string())
    }
}

/// Writes a picture into the first folder that can be written.
fn save(picture: &Picture, texts: &[(String, String)], folders: &[PathBuf]) -> FilmNews {
    let mut failure = "there is no folder to write to".to_owned();
    for folder in folders {
        // The first folder may be there and closed; another may have to be made.
        drop(std::fs::create_dir_all(folder));
        match save_in(picture, texts, folder) {
            Ok(path) => {
                let (width, height) = (picture.width, picture.height);
                let text = format!("Saved {width} x {height} pixels: {}", path.display());
                return FilmNews::Note(text);
            }
            Err(error) => failure = error.to_string(),
        }
    }
    FilmNews::Failed(format!("The picture was not saved: {failure}"))
}

fn save_in(
    picture: &Picture,
    texts: &[(String, String)],
    folder: &Path,
) -> Result<PathBuf, PngError> {
    let path = free_name(folder, "png");
    save_png(picture, texts, &path, false)?;
    Ok(path)
}

fn tell_outcomes(
    developed: Res<Developed>,
    mut mode: ResMut<PictureMode>,
    mut news: MessageWriter<FilmNews>,
) {
    while let Ok(outcome) = developed.outcomes.try_recv() {
        mode.n_unsaved = mode.n_unsaved.saturating_sub(1);
        news.write(outcome);
    }
}

fn extract_wanted(wanted: Extract<Res<WantedTile>>, mut here: ResMut<WantedTile>) {
    here.clone_from(&wanted);
}

fn read_tile(
    mut wanted: ResMut<WantedTile>,
    mut reader: ResMut<TileReader>,
    images: Res<RenderAssets<GpuImage>>,
    device: Res<RenderDevice>,
    queue: Res<RenderQueue>,
) {
    let Some(aim) = wanted.0.take() else { return };
    let size = aim.used();
    let mut pixels = Vec::with_capacity(4 * size.x as usize * size.y as usize);
    let result = match images.get(&aim.target) {
        Some(image) => {
            let take = |row: &[u8]| pixels.extend_from_slice(row);
            reader
                .reading
                .read(&device, &queue, &image.texture, size, take)
        }
        None => Err(ViewerError::Draw("no frame was drawn".to_owned())),
    };
    // One is asked for at a time, so that there is room.
    drop(reader.tiles.try_send(result.map(|()| pixels)));
}
