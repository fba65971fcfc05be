//! Films and pictures of the window: films run in its time, show what it shows, and are whole however
//! they end; pictures of any size are what a larger window would show.
#![cfg(all(feature = "viewer", feature = "h264"))]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bevy::app::AppExit;
use bevy::asset::Assets;
use bevy::camera::{Camera3d, RenderTarget};
use bevy::ecs::message::Messages;
use bevy::ecs::query::With;
use bevy::image::Image;
use bevy::math::UVec2;
use bevy::render::render_resource::Extent3d;
use llmscope::color::{RECORDING, Theme};
use llmscope::config::ModelConfig;
use llmscope::viewer::app::{Subject, ViewerOptions};
use llmscope::viewer::capture::{Offscreen, Picture};
use llmscope::viewer::filming::{
    FilmNews, FilmSettings, FilmState, FilmWish, Filming, PictureSize, PictureWish,
};
use llmscope::viewer::playback::Playhead;
use llmscope::viewer::scene::SceneSettings;
use llmscope::viewer::session::{SessionLog, log_path};
use llmscope::viewer::viewpoint::{Screen, Viewpoint};

const WIDTH: u32 = 401;
const HEIGHT: u32 = 241;

/// A window of odd sides whose films go to `folder`.
fn window(folder: &Path, ending: &'static str) -> Offscreen {
    let subject = Subject::Shape {
        name: "gpt2".to_owned(),
        config: ModelConfig::preset("gpt2").unwrap(),
    };
    let options = ViewerOptions {
        has_panels: false,
        has_labels: false,
        ..ViewerOptions::default()
    };
    let mut window = Offscreen::new(subject, &options, WIDTH, HEIGHT).unwrap();
    window.world().insert_resource(FilmSettings {
        fps: 30,
        folders: vec![folder.to_owned()],
        ending,
    });
    window.settle();
    window
}

fn wish(window: &mut Offscreen, wish: FilmWish) {
    window.world().write_message(wish);
}

/// Draws `n` frames of a window that makes `fps` a second.
fn draw(window: &mut Offscreen, n: usize, fps: u32) {
    window.set_frame_time(Duration::from_secs(1) / fps);
    for _ in 0..n {
        window.draw();
    }
}

fn film(window: &mut Offscreen) -> Option<FilmState> {
    window.world().resource::<Filming>().0.clone()
}

/// Ends the film and draws until it has ended; says what is told of it.
fn end(window: &mut Offscreen) -> Vec<FilmNews> {
    wish(window, FilmWish::Toggle);
    window.set_frame_time(Duration::from_millis(10));
    for _ in 0..1_000 {
        window.draw();
        if film(window).is_none() {
            let mut news = window.world().resource_mut::<Messages<FilmNews>>();
            return news.drain().collect();
        }
    }
    panic!("the film never ends");
}

/// The frames of an MP4 file, and how long they are shown in thousandths of a film's frame.
fn mp4_times(path: &Path) -> (usize, usize) {
    let bytes = fs::read(path).unwrap();
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let mut found = (0, 0);
    for at in 4..bytes.len() - 4 {
        // ISO/IEC 14496-12, 8.8.8: flags, number of samples, offset, then what the flags say.
        if &bytes[at..at + 4] == b"trun" && matches!(number(at + 4), 0x601 | 0x701) {
            let n_samples = number(at + 8);
            found.0 += n_samples;
            found.1 += match number(at + 4) {
                0x601 => 1_000 * n_samples,
                _ => (0..n_samples).map(|n| number(at + 16 + 12 * n)).sum(),
            };
        }
    }
    found
}

/// Width, height and pixels of an animated picture's frames.
fn apng_frames(path: &Path) -> (u32, u32, Vec<Vec<u8>>) {
    let file = BufReader::new(File::open(path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let (width, height) = (reader.info().width, reader.info().height);
    let n_frames = reader.info().animation_control().unwrap().num_frames;
    let frames = (0..n_frames).map(|_| {
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        pixels
    });
    let frames = frames.collect();
    (width, height, frames)
}

fn n_red(rgb: &[u8], n_channels: usize) -> usize {
    let pixels = rgb.chunks_exact(n_channels);
    pixels.filter(|pixel| pixel[..3] == RECORDING).count()
}

fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(name)
}

#[test]
fn a_film_takes_as_long_as_what_it_shows_at_any_pace_of_the_window_and_without_its_pauses() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = window(folder.path(), "mp4");
    wish(&mut window, FilmWish::Toggle);

    draw(&mut window, 31, 60); // Half a second.
    draw(&mut window, 10, 10); // One.
    wish(&mut window, FilmWish::TogglePause);
    draw(&mut window, 20, 10);
    wish(&mut window, FilmWish::TogglePause);
    draw(&mut window, 15, 30); // Half.
    let state = film(&mut window).unwrap();
    let news = end(&mut window);

    let file = path(folder.path(), "llmscope-001.mp4");
    assert!((state.secs - 2.0).abs() < 0.01, "{state:?}");
    assert_eq!(state.path, file);
    let (n_frames, ticks) = mp4_times(&file);
    assert_eq!(ticks, 61 * 1_000, "one at the start, one each thirtieth");
    assert!((45..=61).contains(&n_frames), "{n_frames} frames");
    assert!(
        matches!(&news[..], [.., FilmNews::Note(text)] if text.contains("llmscope-001.mp4")),
        "{news:?}"
    );
}

#[test]
fn the_film_shows_what_the_window_shows_but_the_badge() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = window(folder.path(), "png");
    let before = window.read_back().unwrap();
    wish(&mut window, FilmWish::Toggle);

    draw(&mut window, 6, 30);
    let during = window.read_back().unwrap();
    end(&mut window);
    window.draw();
    let after = window.read_back().unwrap();

    assert_eq!(n_red(&before.rgba, 4), 0);
    assert!(n_red(&during.rgba, 4) > 50);
    assert_eq!(n_red(&after.rgba, 4), 0, "the badge is gone");
    let (width, height, frames) = apng_frames(&path(folder.path(), "llmscope-001.png"));
    assert_eq!((width, height), (WIDTH - 1, HEIGHT - 1));
    assert!(frames.len() >= 5, "{} frames", frames.len());
    let n_channels = frames[0].len() / (width * height) as usize;
    for frame in &frames {
        assert_eq!(n_red(frame, n_channels), 0);
        let at = |x: usize, y: usize| &frame[n_channels * (y * width as usize + x)..][..3];
        for (x, y) in [(0, 0), (200, 120), (123, 77), (399, 239)] {
            let pixel = &before.rgba[4 * (y * WIDTH as usize + x)..][..3];
            // On its way to the window a colour is rounded once more.
            let is_near = |(a, b): (&u8, &u8)| a.abs_diff(*b) <= 1;
            assert!(at(x, y).iter().zip(pixel).all(is_near), "{x}, {y}");
        }
    }
}

#[test]
fn beside_the_film_stands_what_was_shown_when_and_from_where() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = window(folder.path(), "mp4");
    let (layout, screen) = window.stage().unwrap();
    let playhead = |order| Playhead {
        order,
        ..Playhead::default()
    };
    window.show(playhead(3.0));
    wish(&mut window, FilmWish::Toggle);
    draw(&mut window, 15, 30);
    window.show(playhead(7.5));
    let heads = Viewpoint::Heads.pose(&layout, &screen);
    window.look(heads);
    window.world().resource_mut::<SceneSettings>().theme = Theme::Light;
    draw(&mut window, 15, 30);
    end(&mut window);

    let film = path(folder.path(), "llmscope-001.mp4");
    let log = SessionLog::load(&log_path(&film)).unwrap();
    assert_eq!((log.width, log.height, log.fps), (400, 240, 30));
    assert!((log.secs - 29.0 / 30.0).abs() < 0.02, "{} s", log.secs);
    assert_eq!(log.model, "gpt2");
    let order = |secs| log.at(secs).showing.playhead.order;
    assert_eq!([order(0.0), order(0.4), order(0.6)], [3.0, 3.0, 7.5]);
    let theme = |secs| log.at(secs).look.unwrap().scene.theme;
    assert_eq!([theme(0.4), theme(0.6)], [Theme::Dark, Theme::Light]);
    let eye = |secs| {
        log.at(secs)
            .pose(&layout, &Screen::default())
            .unwrap()
            .position()
    };
    let tile = layout.tile_size.x;
    assert!(eye(0.9).distance(heads.position()) < 0.1 * tile);
    assert!(eye(0.2).distance(heads.position()) > tile);
}

#[test]
fn a_window_that_is_resized_stands_as_a_whole_in_the_film_that_was_begun() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = window(folder.path(), "png");
    wish(&mut window, FilmWish::Toggle);
    draw(&mut window, 3, 30);

    let world = window.world();
    let mut targets = world.query_filtered::<&RenderTarget, With<Camera3d>>();
    let RenderTarget::Image(target) = targets.single(world).unwrap().clone() else {
        panic!("the camera draws into an image");
    };
    let mut images = world.resource_mut::<Assets<Image>>();
    images.get_mut(&target.handle).unwrap().resize(Extent3d {
        width: 200,
        height: 240,
        depth_or_array_layers: 1,
    });
    draw(&mut window, 6, 30);
    let news = end(&mut window);

    assert!(matches!(&news[..], [.., FilmNews::Note(_)]), "{news:?}");
    let (width, height, frames) = apng_frames(&path(folder.path(), "llmscope-001.png"));
    assert_eq!((width, height), (400, 240));
    let last = frames.last().unwrap();
    let n_channels = last.len() / (width * height) as usize;
    let at = |x: usize| &last[n_channels * (120 * width as usize + x)..][..3];
    assert_eq!(at(50), [0, 0, 0], "beside the narrow window");
    assert_ne!(at(200), [0, 0, 0]);
    assert_eq!(at(350), [0, 0, 0]);
}

#[test]
fn closing_the_window_ends_the_film_and_the_next_has_a_name_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(path(folder.path(), "llmscope-004.png"), "mine").unwrap();
    let mut window = window(folder.path(), "mp4");
    wish(&mut window, FilmWish::Toggle);
    draw(&mut window, 30, 30);

    window.world().write_message(AppExit::Success);
    window.draw();

    assert_eq!(film(&mut window), None);
    let (_, ticks) = mp4_times(&path(folder.path(), "llmscope-005.mp4"));
    assert!((25_000..=31_000).contains(&ticks), "{ticks}");
    let mine = fs::read_to_string(path(folder.path(), "llmscope-004.png")).unwrap();
    assert_eq!(mine, "mine");
}

#[test]
fn a_folder_that_can_not_be_written_gives_way_to_the_next_and_without_one_the_reason_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = path(folder.path(), "file");
    fs::write(&file, "").unwrap();
    let mut window = window(&file, "mp4");
    wish(&mut window, FilmWish::Toggle);
    window.draw();
    let mut news = window.world().resource_mut::<Messages<FilmNews>>();
    let told: Vec<FilmNews> = news.drain().collect();
    assert!(
        matches!(&told[..], [FilmNews::Failed(why)] if why.contains("llmscope-001.mp4")),
        "{told:?}"
    );
    let other = path(folder.path(), "made/here");
    let mut settings = window.world().resource_mut::<FilmSettings>();
    settings.folders.push(other.clone());

    wish(&mut window, FilmWish::Toggle);
    draw(&mut window, 3, 30);
    end(&mut window);

    assert!(other.join("llmscope-001.mp4").is_file());
}

fn shape() -> Subject {
    Subject::Shape {
        name: "gpt2".to_owned(),
        config: ModelConfig::preset("gpt2").unwrap(),
    }
}

/// A picture of 640 by 400 pixels with names and legend, drawn in tiles of this side.
fn picture_in_tiles(options: &ViewerOptions, tile_side: Option<u32>) -> Picture {
    let size = UVec2::new(640, 400);
    let mut offscreen = Offscreen::in_tiles(shape(), options, size, tile_side).unwrap();
    offscreen.draw();
    offscreen.look_from(|layout, screen| Viewpoint::Layer.pose(layout, screen));
    offscreen.picture().unwrap()
}

/// The share of pixels in which two pictures differ by more than `room` in a colour.
fn differing(a: &Picture, b: &Picture, room: u8) -> f64 {
    assert_eq!((a.width, a.height), (b.width, b.height));
    let pixels = a.rgba.chunks_exact(4).zip(b.rgba.chunks_exact(4));
    let is_apart = |(a, b): &(&[u8], &[u8])| a.iter().zip(*b).any(|(a, b)| a.abs_diff(*b) > room);
    pixels.filter(is_apart).count() as f64 / (a.width * a.height) as f64
}

#[test]
fn a_picture_in_tiles_is_the_picture_drawn_at_once_names_and_panels_included() {
    for has_panels in [false, true] {
        let options = ViewerOptions {
            has_panels,
            ..ViewerOptions::default()
        };

        let whole = picture_in_tiles(&options, None);
        let tiled = picture_in_tiles(&options, Some(150));

        // Edges lie on other fractions of a float in another projection.
        let share = differing(&whole, &tiled, 3);
        assert!(share < 2e-3, "{share} of the pixels differ");
    }
}

#[test]
fn without_backdrop_there_is_nothing_behind_the_world_and_no_dark_edge_around_it() {
    let options = |has_backdrop| ViewerOptions {
        has_panels: false,
        theme: Theme::Light,
        has_backdrop,
        ..ViewerOptions::default()
    };

    let opaque = picture_in_tiles(&options(true), None);
    let transparent = picture_in_tiles(&options(false), None);

    assert!(opaque.rgba.chunks_exact(4).all(|pixel| pixel[3] == 255));
    let pixels: Vec<&[u8]> = transparent.rgba.chunks_exact(4).collect();
    assert_eq!(pixels[0], [0, 0, 0, 0], "the sky");
    let share = |is: &dyn Fn(u8) -> bool| {
        pixels.iter().filter(|pixel| is(pixel[3])).count() as f64 / pixels.len() as f64
    };
    assert!(share(&|alpha| alpha == 255) > 0.05);
    assert!(share(&|alpha| alpha == 0) > 0.2);
    // In this theme all that has edges against the sky is light: an edge that was not divided by its
    // alpha would be nearly black.
    let edges = pixels.iter().filter(|pixel| (24..128).contains(&pixel[3]));
    let (dark, n) = edges.fold((0, 0), |(dark, n), pixel| {
        let is_dark = pixel[..3].iter().all(|byte| *byte < 60);
        (dark + usize::from(is_dark), n + 1)
    });
    assert!(n > 50, "{n} edges");
    assert!(10 * dark < n, "{dark} of {n} edges are dark");
}

#[test]
fn a_picture_of_the_window_is_larger_where_asked_says_what_it_shows_and_leaves_the_window_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = window(folder.path(), "mp4");
    window.settle();
    let before = window.read_back().unwrap();
    window.world().write_message(PictureWish {
        size: PictureSize::Times(2),
        is_transparent: false,
        has_panels: false,
    });

    let file = path(folder.path(), "llmscope-001.png");
    for _ in 0..200 {
        window.draw();
        if file.is_file() {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    draw(&mut window, 12, 30); // What is laid out for the window is there again.
    let after = window.read_back().unwrap();

    let mut reader = png::Decoder::new(BufReader::new(File::open(&file).unwrap()))
        .read_info()
        .unwrap();
    let info = reader.info();
    assert_eq!((info.width, info.height), (2 * WIDTH, 2 * HEIGHT));
    let keywords: Vec<&str> = info
        .utf8_text
        .iter()
        .map(|text| text.keyword.as_str())
        .collect();
    for keyword in ["Software", "Model", "Seed", "Step", "Camera"] {
        assert!(keywords.contains(&keyword), "{keyword} in {keywords:?}");
    }
    let mut rgba = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut rgba).unwrap();
    // Halved, it is what the window shows, but for what is sharper.
    let halved: Vec<u8> = (0..HEIGHT as usize)
        .flat_map(|y| (0..WIDTH as usize).map(move |x| (x, y)))
        .flat_map(|(x, y)| {
            let width = 2 * WIDTH as usize;
            let corner = 4 * (2 * y * width + 2 * x);
            let at = [
                corner,
                corner + 4,
                corner + 4 * width,
                corner + 4 * width + 4,
            ];
            [0, 1, 2, 3]
                .map(|c| (at.iter().map(|at| u32::from(rgba[at + c])).sum::<u32>() / 4) as u8)
        })
        .collect();
    let halved = Picture {
        rgba: halved,
        ..before.clone()
    };
    let share = differing(&before, &halved, 40);
    assert!(share < 0.1, "{share} of the pixels are others");
    let share = differing(&before, &after, 3);
    assert!(share < 2e-3, "{share} of the window's pixels have changed");
}
