//! Films of the window as it is used.
//!
//! Each frame that a film wants is copied (`copy`) while the next is made, waits in a [`Reel`] until it
//! is known for how long it was on show, and is encoded on a thread of its own. The film runs in the
//! window's time: where the window is slower a picture stays, and what the encoder has no time for is
//! counted. The `badge` that says so is drawn when the film has its picture already.

mod badge;
mod clock;
mod copy;
mod reel;

use bevy::prelude::*;

use copy::{Copies, WantedCopy};
use reel::Reel;

use crate::viewer::capture::session::SessionView;
use crate::viewer::capture::tile::Tile;
use crate::viewer::filming::{FilmAgain, FilmNews, FilmPhase, FilmSettings, FilmWish, Filming};
use crate::viewer::inference::ActiveTrace;
use crate::viewer::session::log_path;

/// Makes films of the camera's picture.
pub(super) struct LiveFilmPlugin;

impl Plugin for LiveFilmPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<FilmInHand>()
            .add_plugins(copy::plugin)
            .add_systems(
                Last,
                (
                    obey_wishes,
                    take_in_copies,
                    want_copy,
                    note_session,
                    end_with_window,
                    tell_state,
                    badge::allow_badge,
                    badge::paint_badge,
                )
                    .chain(),
            );
    }
}

/// The film being made.
#[derive(Resource, Default)]
struct FilmInHand(Option<Reel>);

fn obey_wishes(
    mut wishes: MessageReader<FilmWish>,
    settings: Res<FilmSettings>,
    trace: Res<ActiveTrace>,
    cameras: Query<&Camera, With<Camera3d>>,
    mut in_hand: ResMut<FilmInHand>,
    mut copies: ResMut<Copies>,
    mut news: MessageWriter<FilmNews>,
) {
    for wish in wishes.read() {
        match (wish, &mut in_hand.0) {
            (FilmWish::Toggle, Some(reel)) => reel.ask_to_end(),
            (FilmWish::Toggle, None) => {
                let size = cameras.iter().find_map(Camera::physical_target_size);
                let Some(size) = size.filter(|size| size.min_element() > 0) else {
                    let why = "There is no picture to record: the window is not shown";
                    news.write(FilmNews::Failed(why.to_owned()));
                    continue;
                };
                match Reel::begin(&settings, size, metadata(&trace)) {
                    Ok(reel) => {
                        copies.forget();
                        news.write(FilmNews::Note(format!(
                            "Recording {}",
                            reel.path().display()
                        )));
                        in_hand.0 = Some(reel);
                    }
                    Err(error) => {
                        news.write(FilmNews::Failed(format!("Nothing is recorded: {error}")));
                    }
                }
            }
            (FilmWish::TogglePause, Some(reel)) => {
                reel.phase = match reel.phase {
                    FilmPhase::Recording => FilmPhase::Paused,
                    FilmPhase::Paused => FilmPhase::Recording,
                    FilmPhase::Ending => FilmPhase::Ending,
                };
            }
            (FilmWish::TogglePause, None) => {
                let why = "Nothing is being recorded; F9 begins a film";
                news.write(FilmNews::Note(why.to_owned()));
            }
            (FilmWish::MakeAgain, _) => {}
        }
    }
}

/// What a film says of itself.
fn metadata(trace: &ActiveTrace) -> Vec<(String, String)> {
    let model = trace.model();
    let text: String = model.map_or_else(String::new, |model| {
        let tokens = trace.tokens();
        tokens
            .iter()
            .map(|token| model.vocab.label(*token))
            .collect()
    });
    let name = model.map_or_else(String::new, |model| model.name.clone());
    let version = format!("llmscope {}", env!("CARGO_PKG_VERSION"));
    vec![
        ("title".to_owned(), "llmscope".to_owned()),
        ("com.llmscope.software".to_owned(), version),
        ("com.llmscope.model".to_owned(), name),
        ("com.llmscope.text".to_owned(), text),
    ]
}

fn take_in_copies(
    mut in_hand: ResMut<FilmInHand>,
    mut copies: ResMut<Copies>,
    session: SessionView,
    mut again: ResMut<FilmAgain>,
    mut news: MessageWriter<FilmNews>,
) {
    let Some(reel) = &mut in_hand.0 else {
        return;
    };
    while let Some(copied) = copies.take() {
        reel.take_in(copied);
        copies.give_back(reel.used_buffer());
    }
    let is_over = reel.has_failed()
        || (reel.phase == FilmPhase::Ending && reel.go_on_ending(copies.is_awaiting()));
    if is_over && let Some(reel) = in_hand.0.take() {
        again.last = Some(reel.path().to_owned());
        news.write_batch(end(reel, &session));
    }
}

/// Ends a film, writes its session beside it, and says what came of both.
fn end(mut reel: Reel, session: &SessionView) -> Vec<FilmNews> {
    let log = reel.session(session.log());
    let (path, secs) = (log_path(reel.path()), reel.clock.secs());
    let mut news = vec![match reel.finish() {
        Ok(film) => FilmNews::Note(format!("Recorded {secs:.1} s: {}", film.path.display())),
        Err(error) => FilmNews::Failed(format!("The recording ended: {error}")),
    }];
    if let Err(error) = log.save(&path) {
        news.push(FilmNews::Failed(format!(
            "The film can be played, but not be made again: {error}"
        )));
    }
    news
}

/// Notes what the pictures of the film show.
fn note_session(wanted: Res<WantedCopy>, mut in_hand: ResMut<FilmInHand>, session: SessionView) {
    if let (Some(reel), Some(_)) = (&mut in_hand.0, wanted.first_frame) {
        let look = session.look();
        reel.note(&session.present(&look));
    }
}

fn want_copy(
    time: Res<Time<Real>>,
    cameras: Query<Entity, With<Camera3d>>,
    mut in_hand: ResMut<FilmInHand>,
    tile: Res<Tile>,
    mut copies: ResMut<Copies>,
    mut wanted: ResMut<WantedCopy>,
) {
    let Some(reel) = &mut in_hand.0 else {
        wanted.set_if_neq(WantedCopy::default());
        return;
    };
    let mut first_frame = None;
    if reel.phase == FilmPhase::Recording {
        reel.clock.advance(time.delta_secs_f64());
        // What is drawn for a picture of its own is not what the window shows.
        first_frame = tile.0.is_none().then(|| reel.clock.due()).flatten();
    }
    if first_frame.is_some() {
        copies.note_wanted();
    }
    *wanted = WantedCopy {
        camera: cameras.iter().next().filter(|_| tile.0.is_none()),
        first_frame,
    };
}

/// Ends the film before the program does.
fn end_with_window(
    mut exits: MessageReader<AppExit>,
    mut in_hand: ResMut<FilmInHand>,
    session: SessionView,
) {
    if exits.read().count() > 0
        && let Some(reel) = in_hand.0.take()
    {
        // The window is gone: the log is the only place left.
        for news in end(reel, &session) {
            match news {
                FilmNews::Note(text) => info!("{text}"),
                FilmNews::Failed(message) => error!("{message}"),
            }
        }
    }
}

fn tell_state(in_hand: Res<FilmInHand>, mut filming: ResMut<Filming>) {
    let state = Filming(in_hand.0.as_ref().map(Reel::state));
    filming.set_if_neq(state);
}

#[cfg(test)]
mod tests {
    use bevy::ecs::system::RunSystemOnce as _;

    use super::copy::{Copied, Pixels};
    use super::*;
    use crate::video::{ChannelOrder, Film, FilmError, FilmWriter, Recorder};
    use crate::viewer::playback::Playhead;
    use crate::viewer::scene::{SceneLayout, SceneSettings};
    use crate::viewer::session::SessionFacts;
    use crate::viewer::viewpoint::CameraPose;

    /// A film that takes two frames and no more.
    struct ShortFilm(u64);

    impl FilmWriter for ShortFilm {
        fn push(&mut self, _: &[u8]) -> Result<(), FilmError> {
            if self.0 == 2 {
                return Err(FilmError::Full {
                    path: "short.mp4".into(),
                    n_frames: 2,
                });
            }
            self.0 += 1;
            Ok(())
        }

        fn n_bytes(&self) -> u64 {
            10 * self.0
        }

        fn finish(self: Box<Self>) -> Result<Film, FilmError> {
            Ok(Film {
                path: "short.mp4".into(),
                n_frames: self.0,
                n_bytes: 10 * self.0,
            })
        }
    }

    #[test]
    fn a_full_disk_ends_the_recording_and_says_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("short.mp4");
        let recorder = Recorder::start_with(Box::new(ShortFilm(0)), &path).unwrap();
        let mut reel = Reel::with(recorder, &path, UVec2::splat(2), 30);
        for first_frame in 0..4 {
            let picture = Pixels {
                width: 2,
                height: 2,
                order: ChannelOrder::Rgba,
                bytes: vec![0; 16],
            };
            reel.take_in(Copied {
                first_frame,
                picture: Some(picture),
            });
        }
        while !reel.has_failed() {
            std::thread::yield_now();
        }
        let mut world = World::new();
        world.init_resource::<Messages<FilmNews>>();
        world.insert_resource(FilmInHand(Some(reel)));
        world.insert_resource(Copies::unconnected());
        world.init_resource::<SessionFacts>();
        world.init_resource::<FilmAgain>();
        world.init_resource::<ActiveTrace>();
        world.init_resource::<SceneSettings>();
        world.init_resource::<SceneLayout>();
        world.init_resource::<Playhead>();
        world.init_resource::<CameraPose>();

        world.run_system_once(take_in_copies).unwrap();

        assert!(world.resource::<FilmInHand>().0.is_none());
        let news: Vec<FilmNews> = world.resource_mut::<Messages<FilmNews>>().drain().collect();
        let [FilmNews::Failed(message)] = &news[..] else {
            panic!("{news:?}");
        };
        assert!(message.contains("first 2 frames"), "{message}");
        assert!(log_path(&path).is_file(), "what it was made of");
    }
}
