//! The badge of a film under way: drawn over the window's picture when the film has it already.

use std::time::Duration;

use bevy::camera::CameraMainTextureUsages;
use bevy::prelude::*;
use bevy::render::render_resource::{
    Extent3d, Origin3d, TexelCopyBufferLayout, TexelCopyTextureInfo, Texture, TextureAspect,
    TextureDescriptor, TextureDimension, TextureFormat, TextureUsages,
};
use bevy::render::renderer::{RenderContext, RenderDevice, RenderQueue, ViewQuery};
use bevy::render::view::{ExtractedView, ViewTarget};

use super::copy::{WantedCopy, channel_order};
use crate::analysis::human_bytes;
use crate::color::{RECORDING, Theme};
use crate::figure::{Canvas, Lettering, Look, Stroke, TextAnchor, raster};
use crate::video::ChannelOrder;
use crate::viewer::filming::{FilmPhase, FilmState, Filming};
use crate::viewer::scene::SceneSettings;
use crate::viewer::viewpoint::Screen;

/// What the badge looks like, and where it is; empty where there is none.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub(super) struct Badge {
    size: UVec2,
    /// `4 * width * height` bytes.
    rgba: Vec<u8>,
    /// Its upper edge's middle, as shares of the picture across and down.
    at: Vec2,
}

/// The badge on the GPU.
#[derive(Resource, Default)]
pub(super) struct BadgeTexture(Option<(Texture, TextureFormat)>);

/// How often its numbers change.
const REPAINT: Duration = Duration::from_millis(250);
/// Its height, and what is beside and between its parts, in points.
const HEIGHT: f32 = 26.0;
const MARGIN: f32 = 11.0;
const TEXT_SIZE: f32 = 12.5;

/// What was painted last.
#[derive(Default)]
pub(super) struct Painted {
    at: Duration,
    phase: Option<FilmPhase>,
    lettering: Lettering,
}

/// Paints the badge anew, a few times a second.
pub(super) fn paint_badge(
    time: Res<Time<Real>>,
    filming: Res<Filming>,
    screen: Res<Screen>,
    scene: Res<SceneSettings>,
    camera: Query<&Camera, With<Camera3d>>,
    mut painted: Local<Painted>,
    mut badge: ResMut<Badge>,
) {
    let phase = filming.phase();
    let is_fresh = time.elapsed().saturating_sub(painted.at) < REPAINT;
    if phase == painted.phase && (phase.is_none() || is_fresh) {
        return;
    }
    painted.phase = phase;
    painted.at = time.elapsed();
    let Some(film) = &filming.0 else {
        *badge = Badge::default();
        return;
    };
    let scale = camera.iter().find_map(Camera::target_scaling_factor);
    let scale = scale.unwrap_or(1.0).clamp(0.5, 4.0);
    let middle = 0.5 * (screen.low.x + screen.high.x);
    let at = Vec2::new(0.5 + 0.5 * middle, 0.5 - 0.5 * screen.high.y);
    *badge = paint(film, scene.theme, scale, &painted.lettering)
        .map_or_else(Badge::default, |(size, rgba)| Badge { size, rgba, at });
}

/// What the badge says: the state, and the numbers.
fn texts(film: &FilmState) -> (&'static str, String) {
    let state = match film.phase {
        FilmPhase::Recording => "REC",
        FilmPhase::Paused => "PAUSED",
        FilmPhase::Ending => "SAVING",
    };
    let secs = film.secs as u64;
    let mut numbers = format!(
        "{}:{:02}   {} frames   {}",
        secs / 60,
        secs % 60,
        film.n_frames,
        human_bytes(film.n_bytes)
    );
    if film.n_skipped > 0 {
        numbers.push_str(&format!("   {} skipped", film.n_skipped));
    }
    (state, numbers)
}

/// The badge's size and pixels; none where it can't be drawn.
fn paint(
    film: &FilmState,
    theme: Theme,
    scale: f32,
    lettering: &Lettering,
) -> Option<(UVec2, Vec<u8>)> {
    let (state, numbers) = texts(film);
    let dot = 5.0;
    let state_x = MARGIN + 2.0 * dot + 8.0;
    // Some more for the strong strokes.
    let numbers_x = state_x + 1.06 * lettering.width(state, TEXT_SIZE) + 12.0;
    let width = (numbers_x + lettering.width(&numbers, TEXT_SIZE) + MARGIN).ceil();
    let look = Look::new(theme);
    let mut canvas = Canvas::new(width, HEIGHT, look, lettering);
    let (middle, baseline) = (0.5 * HEIGHT, 0.5 * HEIGHT + 0.36 * TEXT_SIZE);
    canvas
        .drawing
        .rect([0.0, 0.0, width, HEIGHT], look.paper(), 0.0, "");
    let frame = [0.5, 0.5, width - 1.0, HEIGHT - 1.0];
    canvas
        .drawing
        .frame(frame, Stroke::new(RECORDING, 1.0), 0.0);
    if film.phase == FilmPhase::Paused {
        for x in [MARGIN, MARGIN + 6.0] {
            let bar = [x, middle - dot, 3.5, 2.0 * dot];
            canvas.drawing.rect(bar, RECORDING, 0.0, "");
        }
    } else {
        let center = (MARGIN + dot, middle);
        canvas.drawing.disc(center, dot, RECORDING, "");
    }
    let start = TextAnchor::Start;
    canvas.strong(state, (state_x, baseline), TEXT_SIZE, look.text(), start);
    canvas.text(
        &numbers,
        (numbers_x, baseline),
        TEXT_SIZE,
        look.text(),
        start,
    );
    let (width, height, rgba) = raster(&canvas.drawing, scale, lettering).ok()?;
    Some((UVec2::new(width, height), rgba))
}

/// Lets the camera's picture be drawn over by a copy while there is a film.
pub(super) fn allow_badge(
    filming: Res<Filming>,
    mut cameras: Query<&mut CameraMainTextureUsages, With<Camera3d>>,
) {
    for mut usages in &mut cameras {
        let allowed = match filming.phase() {
            Some(_) => usages.0 | TextureUsages::COPY_DST,
            None => CameraMainTextureUsages::default().0,
        };
        if usages.0 != allowed {
            usages.0 = allowed;
        }
    }
}

/// Draws the badge over the camera's picture.
pub(super) fn draw_badge(
    view: ViewQuery<(&ExtractedView, &ViewTarget)>,
    wanted: Res<WantedCopy>,
    badge: Res<Badge>,
    mut texture: ResMut<BadgeTexture>,
    device: Res<RenderDevice>,
    queue: Res<RenderQueue>,
    mut context: RenderContext,
) {
    let (view, target) = view.into_inner();
    let picture = target.main_texture();
    let is_ours = wanted.camera == Some(*view.retained_view_entity.main_entity);
    if badge.rgba.is_empty() || !is_ours || !picture.usage().contains(TextureUsages::COPY_DST) {
        return;
    }
    let format = target.main_texture_format();
    let is_new = badge.is_changed() || !texture.fits(&badge, format);
    if !texture.fits(&badge, format) {
        texture.0 = Some((create(&device, badge.size, format), format));
    }
    let Some((texture, _)) = &texture.0 else {
        return;
    };
    if is_new {
        write(&queue, texture, &badge, format);
    }
    let room = UVec2::new(picture.width(), picture.height());
    let corner = badge.corner(room);
    let size = badge.size.min(room - corner);
    context.command_encoder().copy_texture_to_texture(
        texture.as_image_copy(),
        TexelCopyTextureInfo {
            texture: picture,
            mip_level: 0,
            origin: Origin3d {
                x: corner.x,
                y: corner.y,
                z: 0,
            },
            aspect: TextureAspect::All,
        },
        extent(size),
    );
}

impl Badge {
    /// Its upper left corner in a picture of this size.
    fn corner(&self, room: UVec2) -> UVec2 {
        let gap = 0.3 * self.size.y as f32;
        let corner = self.at * room.as_vec2() + Vec2::new(-0.5 * self.size.x as f32, gap);
        let last = room.saturating_sub(self.size);
        corner.max(Vec2::ZERO).as_uvec2().min(last)
    }
}

impl BadgeTexture {
    fn fits(&self, badge: &Badge, format: TextureFormat) -> bool {
        self.0.as_ref().is_some_and(|(texture, known)| {
            *known == format && UVec2::new(texture.width(), texture.height()) == badge.size
        })
    }
}

fn extent(size: UVec2) -> Extent3d {
    Extent3d {
        width: size.x,
        height: size.y,
        depth_or_array_layers: 1,
    }
}

fn create(device: &RenderDevice, size: UVec2, format: TextureFormat) -> Texture {
    device.create_texture(&TextureDescriptor {
        label: Some("llmscope_badge"),
        size: extent(size),
        mip_level_count: 1,
        sample_count: 1,
        dimension: TextureDimension::D2,
        format,
        usage: TextureUsages::COPY_SRC | TextureUsages::COPY_DST,
        view_formats: &[],
    })
}

fn write(queue: &RenderQueue, texture: &Texture, badge: &Badge, format: TextureFormat) {
    let mut bytes = badge.rgba.clone();
    if channel_order(format) == Some(ChannelOrder::Bgra) {
        for pixel in bytes.as_chunks_mut::<4>().0 {
            pixel.swap(0, 2);
        }
    }
    let layout = TexelCopyBufferLayout {
        offset: 0,
        bytes_per_row: Some(4 * badge.size.x),
        rows_per_image: None,
    };
    queue.write_texture(texture.as_image_copy(), &bytes, layout, extent(badge.size));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn film(phase: FilmPhase, n_skipped: u64) -> FilmState {
        FilmState {
            path: "a.mp4".into(),
            phase,
            secs: 75.9,
            n_frames: 2277,
            n_bytes: 4_200_000,
            n_skipped,
        }
    }

    #[test]
    fn it_says_how_long_and_large_the_film_is_and_what_was_skipped() {
        let (state, numbers) = texts(&film(FilmPhase::Recording, 0));
        assert_eq!(state, "REC");
        assert!(numbers.starts_with("1:15   2277 frames   4"), "{numbers}");
        assert!(!numbers.contains("skipped"), "{numbers}");

        let (state, numbers) = texts(&film(FilmPhase::Paused, 3));
        assert_eq!(state, "PAUSED");
        assert!(numbers.ends_with("3 skipped"), "{numbers}");
    }

    #[test]
    fn it_is_opaque_and_red_where_it_records() {
        let lettering = Lettering::default();
        let recording = film(FilmPhase::Recording, 0);
        let (size, rgba) = paint(&recording, Theme::Dark, 1.0, &lettering).unwrap();

        assert_eq!(rgba.len() as u32, 4 * size.x * size.y);
        let pixels = rgba.as_chunks::<4>().0;
        assert!(pixels.iter().all(|pixel| pixel[3] == 255));
        let [r, g, b] = RECORDING;
        let n_red = pixels.iter().filter(|pixel| **pixel == [r, g, b, 255]);
        assert!(n_red.count() > 50);
    }

    #[test]
    fn it_stays_within_any_picture() {
        let badge = Badge {
            size: UVec2::new(100, 20),
            rgba: Vec::new(),
            at: Vec2::new(0.5, 0.0),
        };

        assert_eq!(badge.corner(UVec2::new(400, 300)), UVec2::new(150, 6));
        assert_eq!(badge.corner(UVec2::new(40, 10)), UVec2::ZERO);
        assert_eq!(badge.corner(UVec2::new(101, 300)).x, 0);
    }
}
