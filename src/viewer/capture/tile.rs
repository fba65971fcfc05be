//! Pictures larger than the device can draw at once, tile by tile.
//!
//! The main world never knows: its camera has the size of the whole picture, and so have the panels and
//! the names. Only the renderer is told to draw a part of that, into an image of the part's size.

use bevy::camera::{ImageRenderTarget, NormalizedRenderTarget};
use bevy::prelude::*;
use bevy::render::camera::ExtractedCamera;
use bevy::render::view::ExtractedView;
use bevy::render::{Extract, ExtractSchedule, Render, RenderApp, RenderSystems};
use bevy_egui::{EguiOutput, EguiPostUpdateSet, EguiRenderOutput, egui};

/// Lets the renderer draw a [`Tile`].
pub(super) fn plugin(app: &mut App) {
    app.init_resource::<Tile>().add_systems(
        PostUpdate,
        shift_panels
            .after(EguiPostUpdateSet::ProcessOutput)
            .run_if(|tile: Res<Tile>| tile.0.is_some()),
    );
    let Some(render_app) = app.get_sub_app_mut(RenderApp) else {
        return;
    };
    render_app
        .init_resource::<Tile>()
        .add_systems(ExtractSchedule, extract_tile)
        .add_systems(
            Render,
            aim_camera
                .after(RenderSystems::ExtractCommands)
                .before(RenderSystems::CreateViews)
                .run_if(|tile: Res<Tile>| tile.0.is_some()),
        );
}

/// The part of the camera's picture that is drawn, and into what; none where all of it is drawn where
/// the camera says.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub(super) struct Tile(pub(super) Option<Aim>);

/// A part of a picture, in pixels.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Aim {
    /// The image that it is drawn into.
    pub(super) target: Handle<Image>,
    /// The size of that image, which is the part's; it may reach beyond the picture.
    pub(super) size: UVec2,
    /// Its upper left corner.
    pub(super) offset: UVec2,
    /// The size of the whole picture.
    pub(super) picture: UVec2,
}

/// The side of a tile where nothing asks for another, in pixels: with all that the renderer keeps of a
/// pixel, a few hundred megabytes.
const TILE_SIDE: u32 = 4096;

/// The size of the tiles that a picture is drawn in on a device that can draw `max_side` pixels; none
/// where it is drawn at once.
pub(super) fn size_for(picture: UVec2, max_side: u32) -> Option<UVec2> {
    let n_pixels = u64::from(picture.x) * u64::from(picture.y);
    let is_small = n_pixels <= u64::from(TILE_SIDE) * u64::from(TILE_SIDE);
    if is_small && picture.max_element() <= max_side {
        return None;
    }
    Some(picture.min(UVec2::splat(TILE_SIDE.min(max_side))))
}

/// The corners of the tiles of a picture, row by row.
pub(super) fn offsets(picture: UVec2, tile: UVec2) -> impl Iterator<Item = UVec2> {
    let rows = (0..picture.y).step_by(tile.y.max(1) as usize);
    rows.flat_map(move |y| {
        let columns = (0..picture.x).step_by(tile.x.max(1) as usize);
        columns.map(move |x| UVec2::new(x, y))
    })
}

impl Aim {
    /// How many pixels of it are the picture's.
    pub(super) fn used(&self) -> UVec2 {
        self.size.min(self.picture.saturating_sub(self.offset))
    }

    /// Puts its rows into the whole picture's pixels.
    pub(super) fn place(&self, row: usize, pixels: &[u8], picture: &mut [u8]) {
        let (width, x) = (self.picture.x as usize, self.offset.x as usize);
        let start = 4 * ((self.offset.y as usize + row) * width + x);
        picture[start..start + pixels.len()].copy_from_slice(pixels);
    }

    /// From the picture's clip space to the tile's.
    fn tile_from_picture(&self) -> Mat4 {
        let (picture, size) = (self.picture.as_vec2(), self.size.as_vec2());
        let scale = picture / size;
        let shift = (picture - 2.0 * self.offset.as_vec2()) / size - Vec2::ONE;
        Mat4::from_cols(
            Vec4::X * scale.x,
            Vec4::Y * scale.y,
            Vec4::Z,
            Vec4::new(shift.x, -shift.y, 0.0, 1.0),
        )
    }
}

fn extract_tile(tile: Extract<Res<Tile>>, mut here: ResMut<Tile>) {
    here.clone_from(&tile);
}

fn aim_camera(tile: Res<Tile>, mut cameras: Query<(&mut ExtractedCamera, &mut ExtractedView)>) {
    let Some(aim) = &tile.0 else { return };
    for (mut camera, mut view) in &mut cameras {
        let target = ImageRenderTarget::from(aim.target.clone());
        camera.target = Some(NormalizedRenderTarget::Image(target));
        camera.physical_target_size = Some(aim.size);
        camera.physical_viewport_size = Some(aim.size);
        view.viewport = UVec4::new(0, 0, aim.size.x, aim.size.y);
        view.clip_from_view = aim.tile_from_picture() * view.clip_from_view;
    }
}

/// Moves what was laid out for the whole picture to where the tile has it.
fn shift_panels(tile: Res<Tile>, mut contexts: Query<(&EguiOutput, &mut EguiRenderOutput)>) {
    let Some(aim) = &tile.0 else { return };
    for (output, mut render) in &mut contexts {
        let offset = aim.offset.as_vec2() / output.pixels_per_point;
        let offset = egui::vec2(offset.x, offset.y);
        let is_in_tile = |job: &egui::ClippedPrimitive| {
            is_seen(job.clip_rect, output.pixels_per_point, aim.size)
        };
        for job in &mut render.paint_jobs {
            job.clip_rect = job.clip_rect.translate(-offset);
            if let egui::epaint::Primitive::Mesh(mesh) = &mut job.primitive {
                mesh.translate(-offset);
            }
        }
        // The pass that draws them loses count of their vertices where it leaves one out by itself.
        render.paint_jobs.retain(is_in_tile);
    }
}

/// Whether a rectangle, in points, has a pixel of a picture of this size.
fn is_seen(rect: egui::Rect, pixels_per_point: f32, size: UVec2) -> bool {
    let pixel = |at: f32| (at * pixels_per_point).round().max(0.0) as u32;
    let has_side = |low: f32, high: f32, side: u32| pixel(low) < pixel(high).min(side);
    has_side(rect.min.x, rect.max.x, size.x) && has_side(rect.min.y, rect.max.y, size.y)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_pixel_in_a_tile_is_not_seen_there() {
        let seen = |min: [f32; 2], max: [f32; 2]| {
            let rect = egui::Rect::from_min_max(min.into(), max.into());
            is_seen(rect, 2.0, UVec2::new(100, 60))
        };

        assert!(seen([-5.0, -5.0], [0.3, 0.3]));
        assert!(seen([49.4, 29.4], [90.0, 90.0]));
        assert!(!seen([-5.0, -5.0], [0.2, 30.0]));
        assert!(!seen([0.0, 29.9], [50.0, 90.0]));
        assert!(!seen([3.0, 3.0], [3.1, 9.0]));
    }

    #[test]
    fn only_what_is_too_large_is_drawn_in_tiles() {
        assert_eq!(size_for(UVec2::new(8192, 1024), 8192), None);
        assert_eq!(
            size_for(UVec2::new(9000, 1024), 8192),
            Some(UVec2::new(4096, 1024))
        );
        assert_eq!(
            size_for(UVec2::splat(8192), 16_384),
            Some(UVec2::splat(4096))
        );
        assert_eq!(size_for(UVec2::splat(300), 256), Some(UVec2::splat(256)));
    }

    #[test]
    fn tiles_cover_a_picture_once_and_the_last_ones_reach_beyond_it() {
        let (picture, size) = (UVec2::new(100, 70), UVec2::new(40, 40));
        let mut pixels = vec![0; 4 * 100 * 70];

        for offset in offsets(picture, size) {
            let aim = Aim {
                target: Handle::default(),
                size,
                offset,
                picture,
            };
            let used = aim.used();
            for row in 0..used.y as usize {
                let there = 4 * ((offset.y as usize + row) * 100 + offset.x as usize);
                assert_eq!(pixels[there], 0, "covered twice");
                aim.place(row, &vec![1; 4 * used.x as usize], &mut pixels);
            }
        }

        assert!(pixels.iter().all(|byte| *byte == 1));
    }

    #[test]
    fn a_place_in_the_picture_is_at_its_pixel_in_the_tile() {
        let aim = Aim {
            target: Handle::default(),
            size: UVec2::new(40, 20),
            offset: UVec2::new(80, 20),
            picture: UVec2::new(100, 60),
        };
        // The pixel (90, 25), at distance 3.
        let clip = 3.0 * Vec4::new(2.0 * 0.9 - 1.0, 1.0 - 2.0 * 25.0 / 60.0, 0.1, 1.0);

        let there = aim.tile_from_picture() * clip;

        let pixel = (there.truncate() / there.w).truncate();
        let pixel = Vec2::new(0.5 + 0.5 * pixel.x, 0.5 - 0.5 * pixel.y) * aim.size.as_vec2();
        assert!(pixel.distance(Vec2::new(10.0, 5.0)) < 1e-3, "{pixel}");
        assert_eq!(there.z, clip.z);
    }
}
