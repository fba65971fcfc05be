//! Films: every kind is whole and reads as it should, and nothing that goes wrong loses what was
//! filmed.
#![cfg(feature = "h264")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use llmscope::color::{Colormap, Theme};
use llmscope::video::{
    EncoderChoice, FfmpegSettings, FilmError, FilmKind, FilmSettings, Quality, Recorder, begin,
    begin_with_ffmpeg,
};
use openh264::decoder::Decoder;
use openh264::formats::YUVSource as _;

const WIDTH: u32 = 96;
const HEIGHT: u32 = 64;
const FPS: u32 = 10;

fn settings() -> FilmSettings {
    FilmSettings {
        width: WIDTH,
        height: HEIGHT,
        fps: FPS,
        quality: Quality::default(),
        encoder: EncoderChoice::BuiltIn,
        metadata: vec![
            ("title".to_owned(), "llmscope".to_owned()),
            ("com.llmscope.prompt".to_owned(), "naïve 東京".to_owned()),
        ],
        force: false,
    }
}

/// The plain colour of each block of 32 by 32 pixels at a frame, one of the legend's: other ones at
/// every frame.
fn color(frame: u64, column: usize, row: usize) -> [u8; 3] {
    let maps = [
        Colormap::Diverging,
        Colormap::Sequential,
        Colormap::Magnitude,
    ];
    let theme = [Theme::Dark, Theme::Light][row];
    let step = (frame * 7 + column as u64 * 3 + row as u64) % 16;
    maps[column].color(theme, step as f32 / 15.0)
}

fn frame(number: u64) -> Vec<u8> {
    let (width, height) = (WIDTH as usize, HEIGHT as usize);
    let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    pixels
        .flat_map(|(x, y)| {
            let [r, g, b] = color(number, x / 32, y / 32);
            [r, g, b, 255]
        })
        .collect()
}

fn film(path: &Path, settings: &FilmSettings, n_frames: u64) {
    let recorder = Recorder::start(path, settings).unwrap();
    for number in 0..n_frames {
        let mut buffer = recorder.buffer();
        buffer.extend_from_slice(&frame(number));
        assert!(recorder.push(buffer));
    }
    let (film, _) = recorder.finish().unwrap();
    assert_eq!((film.n_frames, film.path.as_path()), (n_frames, path));
    if path.is_file() {
        assert_eq!(film.n_bytes, fs::metadata(path).unwrap().len());
    }
}

/// What an MP4 file holds, read box by box as far as they are whole.
struct Movie {
    /// The track's parameter sets, each behind a start code.
    head: Vec<u8>,
    /// Each sample as a stream of NAL units behind start codes.
    samples: Vec<Vec<u8>>,
    /// When each sample is shown, in thousandths of a frame.
    times: Vec<u64>,
    metadata: Vec<(String, String)>,
}

/// The boxes that lie one after the other in `bytes`, by name, as far as they are whole.
fn boxes(mut bytes: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut found = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        if length > bytes.len() {
            break;
        }
        found.push(rest[..length - 4].split_at(4));
        bytes = &bytes[length..];
    }
    found
}

/// What is in the box that these names lead to.
fn at<'a>(bytes: &'a [u8], path: &[&str]) -> &'a [u8] {
    path.iter().fold(bytes, |bytes, name| {
        let inner = boxes(bytes).into_iter();
        let mut named = inner.filter(|(found, _)| *found == name.as_bytes());
        named.next().unwrap_or_else(|| panic!("no {name}")).1
    })
}

fn number(bytes: &[u8], at: usize) -> usize {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

fn read_movie(bytes: &[u8]) -> Movie {
    let mut movie = Movie {
        head: Vec::new(),
        samples: Vec::new(),
        times: Vec::new(),
        metadata: Vec::new(),
    };
    let mut fragment = None;
    for (name, data) in boxes(bytes) {
        match name {
            b"moov" => {
                // ISO/IEC 14496-12: a description has 8 bytes before its entries, an entry of a picture 78.
                let entry = &at(data, &["trak", "mdia", "minf", "stbl", "stsd"])[8..];
                let config = at(&at(entry, &["avc1"])[78..], &["avcC"]);
                let n_sps = usize::from(u16::from_be_bytes([config[6], config[7]]));
                let pps = &config[8 + n_sps + 3..];
                for set in [&config[8..8 + n_sps], pps] {
                    movie.head.extend_from_slice(&[0, 0, 0, 1]);
                    movie.head.extend_from_slice(set);
                }
                let meta = &at(data, &["meta"])[4..];
                let keys = boxes(&at(meta, &["keys"])[8..]);
                for ((_, key), (_, value)) in keys.into_iter().zip(boxes(at(meta, &["ilst"]))) {
                    let texts = [key, &at(value, &["data"])[8..]];
                    let [key, value] = texts.map(|text| String::from_utf8(text.to_vec()).unwrap());
                    movie.metadata.push((key, value));
                }
            }
            b"moof" => fragment = Some(data),
            b"mdat" => {
                let head = at(fragment.take().unwrap(), &["traf"]);
                let mut time = number(at(head, &["tfdt"]), 8) as u64;
                let run = at(head, &["trun"]);
                let mut rest = data;
                for sample in 0..number(run, 4) {
                    let (bytes, after) = rest.split_at(number(run, 12 + 8 * sample));
                    movie.samples.push(with_start_codes(bytes));
                    movie.times.push(time);
                    time += 1_000;
                    rest = after;
                }
                assert!(rest.is_empty());
            }
            _ => {}
        }
    }
    movie
}

fn with_start_codes(mut sample: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    while let Some((length, rest)) = sample.split_first_chunk::<4>() {
        let (unit, after) = rest.split_at(u32::from_be_bytes(*length) as usize);
        stream.extend_from_slice(&[0, 0, 0, 1]);
        stream.extend_from_slice(unit);
        sample = after;
    }
    stream
}

/// The colour in the middle of each block, frame after frame.
fn decoded(movie: &Movie) -> Vec<Vec<[u8; 3]>> {
    let mut decoder = Decoder::new().unwrap();
    let mut stream = movie.head.clone();
    let mut frames = Vec::new();
    for sample in &movie.samples {
        stream.extend_from_slice(sample);
        let picture = decoder.decode(&stream).unwrap().expect("a frame a sample");
        let (y_stride, u_stride, _) = picture.strides();
        let blocks = (0..2).flat_map(|row| (0..3).map(move |column| (column, row)));
        frames.push(
            blocks
                .map(|(column, row)| {
                    let (x, y) = (32 * column + 16, 32 * row + 16);
                    let chroma = y / 2 * u_stride + x / 2;
                    llmscope::video::rgb_of(
                        picture.y()[y * y_stride + x],
                        picture.u()[chroma],
                        picture.v()[chroma],
                    )
                })
                .collect(),
        );
        stream.clear();
    }
    frames
}

/// Colours survive the encoder within this much of 255.
const COLOR_TOLERANCE: u8 = 6;

#[test]
fn an_mp4_holds_every_frame_once_in_its_colours_and_says_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");

    film(&path, &settings(), 25);

    let movie = read_movie(&fs::read(&path).unwrap());
    assert_eq!(movie.times, (0..25).map(|n| 1_000 * n).collect::<Vec<_>>());
    assert_eq!(movie.metadata, settings().metadata);
    for (number, blocks) in (0..).zip(decoded(&movie)) {
        for (index, got) in blocks.iter().enumerate() {
            let expected = color(number, index % 3, index / 3);
            let difference = got.iter().zip(expected).map(|(a, b)| a.abs_diff(b)).max();
            assert!(
                difference.unwrap() <= COLOR_TOLERANCE,
                "frame {number}, block {index}: {got:?}, filmed {expected:?}"
            );
        }
    }
}

#[test]
fn a_film_keeps_to_the_rate_that_was_asked_for_and_leaves_no_frame_out() {
    let folder = tempfile::tempdir().unwrap();
    // Noise that is new at every frame, twice as loud in the second half.
    let pixel = |x: u32, y: u32, frame: u32| {
        let place = (x / 2) + 1_000 * (y / 2) + 1_000_000 * frame;
        let hash = place.wrapping_mul(0x9E37_79B1);
        let hash = (hash ^ (hash >> 15)).wrapping_mul(0x85EB_CA77);
        let loud = if frame < 100 { 2 } else { 1 };
        ((hash >> 24) as u8) >> loud
    };
    for bits_per_sec in [200_000u32, 600_000] {
        let path = folder.path().join(format!("{bits_per_sec}.mp4"));
        let (width, height) = (160, 96);
        let settings = FilmSettings {
            width,
            height,
            quality: Quality::BitRate(bits_per_sec),
            ..settings()
        };
        let mut writer = begin(&path, &settings).unwrap();
        for frame in 0..200 {
            let rgba: Vec<u8> = (0..width * height)
                .flat_map(|at| [pixel(at % width, at / width, frame); 4])
                .collect();
            writer.push(&rgba).unwrap();
        }
        let film = writer.finish().unwrap();

        assert_eq!(read_movie(&fs::read(&path).unwrap()).samples.len(), 200);
        let rate = 8.0 * film.n_bytes as f64 / 20.0;
        let share = rate / f64::from(bits_per_sec);
        assert!((0.8..1.2).contains(&share), "{bits_per_sec}: {rate}");
    }
}

#[test]
fn the_same_frames_make_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["film.mp4", "film.gif", "film.png"] {
        let [first, second] = ["a", "b"].map(|run| {
            let path = folder.path().join(format!("{run}-{name}"));
            film(&path, &settings(), 15);
            fs::read(path).unwrap()
        });
        assert!(first == second, "{name}");
    }
}

#[test]
fn a_file_that_is_cut_anywhere_plays_up_to_its_last_whole_second() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    film(&path, &settings(), 35);
    let bytes = fs::read(&path).unwrap();
    let mut seen = Vec::new();
    for n_kept in (0..bytes.len()).step_by(97) {
        let movie = read_movie(&bytes[..n_kept]);
        let n_frames = movie.samples.len();
        assert!(
            n_frames.is_multiple_of(FPS as usize),
            "{n_frames} frames of {n_kept} bytes"
        );
        if n_frames > 0 {
            assert_eq!(decoded(&movie).len(), n_frames);
        }
        seen.push(n_frames);
    }
    seen.dedup();
    assert_eq!(seen, [0, 10, 20, 30]);
}

#[test]
fn animations_hold_every_frame_and_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let gif_path = folder.path().join("film.gif");
    let png_path = folder.path().join("film.png");
    let fast = FilmSettings {
        fps: 30,
        ..settings()
    };

    film(&gif_path, &fast, 9);
    film(&png_path, &settings(), 9);

    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::RGBA);
    let mut decoder = options
        .read_info(fs::File::open(&gif_path).unwrap())
        .unwrap();
    let mut ticks = 0;
    let mut n_frames = 0;
    let mut canvas = vec![0; (4 * WIDTH * HEIGHT) as usize];
    while let Some(read) = decoder.read_next_frame().unwrap() {
        ticks += read.delay;
        for (shown, pixel) in canvas.chunks_mut(4).zip(read.buffer.chunks(4)) {
            if pixel[3] > 0 {
                shown.copy_from_slice(pixel);
            }
        }
        assert!(canvas == frame(n_frames), "frame {n_frames}");
        n_frames += 1;
    }
    assert_eq!(
        (n_frames, ticks),
        (9, 30),
        "9 frames of a thirtieth of a second"
    );

    let file = std::io::BufReader::new(fs::File::open(&png_path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let animation = *reader.info().animation_control().unwrap();
    assert_eq!(animation.num_frames, 9);
    let mut buffer = vec![0; reader.output_buffer_size().unwrap()];
    for number in 0..9 {
        reader.next_frame(&mut buffer).unwrap();
        assert!(buffer == frame(number), "frame {number}");
        let control = reader.info().frame_control().unwrap();
        assert_eq!((control.delay_num, control.delay_den), (1, FPS as u16));
    }
    let texts = &reader.info().utf8_text;
    assert_eq!(texts[1].get_text().unwrap(), "naïve 東京");
}

#[test]
fn what_stays_as_it_is_takes_no_room_in_a_gif() {
    let folder = tempfile::tempdir().unwrap();
    let n_bytes = |name: &str, step: u64| {
        let path = folder.path().join(name);
        let mut writer = begin(&path, &settings()).unwrap();
        for number in 0..20 {
            writer.push(&frame(step * number)).unwrap();
        }
        writer.finish().unwrap().n_bytes
    };

    let (still, moving) = (n_bytes("still.gif", 0), n_bytes("moving.gif", 1));

    assert!(4 * still < 3 * moving, "{still} {moving}");
}

#[test]
fn an_animated_png_is_whole_after_every_frame() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.png");
    let mut writer = begin(&path, &settings()).unwrap();
    for number in 0..3 {
        writer.push(&frame(number)).unwrap();

        let file = std::io::BufReader::new(fs::File::open(&path).unwrap());
        let mut reader = png::Decoder::new(file).read_info().unwrap();
        let mut buffer = vec![0; reader.output_buffer_size().unwrap()];
        for number in 0..=number {
            reader.next_frame(&mut buffer).unwrap();
            assert!(buffer == frame(number));
        }
        reader.finish().unwrap();
    }
}

#[test]
fn a_folder_gets_a_png_a_frame_and_keeps_what_is_not_a_frame() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("frames");
    film(&path, &settings(), 12);
    fs::write(path.join("frame-notes.png"), "mine").unwrap();
    let again = FilmSettings {
        force: true,
        ..settings()
    };
    film(&path, &again, 3);

    let mut names: Vec<String> = fs::read_dir(&path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "frame-00000.png",
            "frame-00001.png",
            "frame-00002.png",
            "frame-notes.png"
        ]
    );
}

#[test]
fn what_can_not_be_filmed_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().join("there.mp4");
    fs::write(&there, "mine").unwrap();
    let odd = FilmSettings {
        width: 97,
        height: 1,
        ..settings()
    };
    let refusal =
        |path: &Path, settings: &FilmSettings| begin(path, settings).err().unwrap().to_string();

    let exists = refusal(&there, &settings());
    let no_folder = refusal(&folder.path().join("no/film.mp4"), &settings());
    let unknown = refusal(&folder.path().join("film.avi"), &settings());
    let odd = refusal(&folder.path().join("odd.mp4"), &odd);

    assert!(exists.contains("--force"), "{exists}");
    assert_eq!(fs::read(&there).unwrap(), b"mine");
    assert!(no_folder.contains("film.mp4"), "{no_folder}");
    assert!(unknown.contains(".mp4, .webm"), "{unknown}");
    assert!(odd.contains("96x2 fits"), "{odd}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_frame_of_another_size_ends_the_film_and_loses_none_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    let recorder = Recorder::start(&path, &settings()).unwrap();
    for number in 0..13 {
        recorder.push(frame(number));
    }
    recorder.push(vec![0; 12]);
    // The channel takes a few more before it is known.
    while recorder.push(frame(0)) {}

    let error = recorder.finish().unwrap_err();

    assert!(
        matches!(error, FilmError::WrongFrame { got: 12, .. }),
        "{error}"
    );
    assert_eq!(read_movie(&fs::read(&path).unwrap()).samples.len(), 13);
}

/// A writer that takes a frame when it may: for each it waits for a word, or for the end of them.
struct Slow {
    n_frames: u64,
    words: crossbeam_channel::Receiver<()>,
}

impl llmscope::video::FilmWriter for Slow {
    fn push(&mut self, _rgba: &[u8]) -> Result<(), FilmError> {
        // One word, or the end of them, which lets all pass.
        for () in self.words.iter().take(1) {}
        self.n_frames += 1;
        Ok(())
    }

    fn n_bytes(&self) -> u64 {
        0
    }

    fn finish(self: Box<Self>) -> Result<llmscope::video::Film, FilmError> {
        Ok(llmscope::video::Film {
            path: PathBuf::new(),
            n_frames: self.n_frames,
            n_bytes: 0,
        })
    }
}

#[test]
fn a_slow_encoder_makes_a_film_wait_and_a_live_recording_count_what_it_skips() {
    let start = || {
        let (say, words) = crossbeam_channel::bounded(1);
        let slow = Slow { n_frames: 0, words };
        let recorder = Recorder::start_with(Box::new(slow), Path::new("film")).unwrap();
        (recorder, say)
    };
    let (offline, say) = start();
    for number in 0..30 {
        // Room for four and the one in work; each one more waits for one to be done.
        if number >= 5 {
            say.send(()).unwrap();
        }
        assert!(offline.push(frame(number)));
        let n_waiting = number + 1 - offline.state().n_frames;
        assert!(n_waiting <= 7, "{n_waiting}");
    }
    drop(say);
    let (live, say_live) = start();
    for number in 0..30 {
        assert!(live.offer(frame(number)));
    }
    let n_skipped = live.state().n_skipped;
    drop(say_live);

    assert_eq!(offline.finish().unwrap().0.n_frames, 30);
    assert_eq!(live.finish().unwrap().0.n_frames, 30 - n_skipped);
    assert!((25..=26).contains(&n_skipped), "{n_skipped}");
}

/// A program in place of ffmpeg.
fn fake_ffmpeg(folder: &Path, script: &str) -> FfmpegSettings {
    use std::os::unix::fs::PermissionsExt as _;

    // A name of its own: other tests run the real one.
    let program = folder.join("ff-fake");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    FfmpegSettings {
        program,
        patience: Duration::from_millis(600),
    }
}

/// Whether no child of this process is left, running or not waited for.
fn children() -> String {
    let own = std::process::id();
    let listed = Command::new("ps")
        .args(["--ppid", &own.to_string(), "-o", "stat=,comm="])
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    listed
        .lines()
        .filter(|line| ["ff-fake", "sleep"].iter().any(|name| line.contains(name)))
        .collect()
}

#[test]
fn an_ffmpeg_that_is_missing_dies_or_hangs_is_reported_and_leaves_no_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mp4");
    let run = |ffmpeg: FfmpegSettings| -> String {
        let started = Instant::now();
        let result =
            begin_with_ffmpeg(&path, FilmKind::Mp4, &settings(), ffmpeg).and_then(|mut writer| {
                for number in 0..500 {
                    writer.push(&frame(number))?;
                }
                writer.finish()
            });
        assert!(started.elapsed() < Duration::from_secs(20));
        result.unwrap_err().to_string()
    };

    let missing = run(FfmpegSettings {
        program: PathBuf::from("/nowhere/ffmpeg"),
        ..FfmpegSettings::default()
    });
    let dies = run(fake_ffmpeg(
        folder.path(),
        "echo 'Unknown encoder' >&2; exit 3",
    ));
    let dies_late = run(fake_ffmpeg(
        folder.path(),
        "head -c 100000 >/dev/null; echo 'out of luck' >&2; exit 1",
    ));
    let fails_at_the_end = run(fake_ffmpeg(
        folder.path(),
        "cat >/dev/null; echo 'cannot close' >&2; exit 1",
    ));
    let hangs = run(fake_ffmpeg(folder.path(), "exec sleep 60"));
    let never_ends = run(fake_ffmpeg(folder.path(), "cat >/dev/null; exec sleep 60"));
    // More lines than a pipe holds.
    let talks = run(fake_ffmpeg(
        folder.path(),
        "i=0; while [ $i -lt 20000 ]; do echo 'some warning or other' >&2; i=$((i+1)); done; exit 1",
    ));

    assert!(missing.contains("not found"), "{missing}");
    assert!(
        dies.contains("exit status: 3") && dies.contains("Unknown encoder"),
        "{dies}"
    );
    assert!(dies_late.contains("out of luck"), "{dies_late}");
    assert!(
        fails_at_the_end.contains("cannot close"),
        "{fails_at_the_end}"
    );
    assert!(hangs.contains("took no frame"), "{hangs}");
    assert!(never_ends.contains("ended"), "{never_ends}");
    assert!(talks.contains("some warning"), "{talks}");
    assert_eq!(children(), "");
}

/// What ffprobe reads of a file: name and value of each thing asked for.
fn probe(path: &Path) -> String {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-select_streams", "v"])
        .args([
            "-show_entries",
            "stream=codec_name,width,height,r_frame_rate,nb_read_frames,color_space,color_transfer:format_tags",
        ])
        .args(["-of", "default=noprint_wrappers=1"])
        .arg(path)
        .output()
        .expect("ffprobe is installed with ffmpeg");
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn ffprobe_reads_each_kind_of_file_as_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let by_ffmpeg = FilmSettings {
        encoder: EncoderChoice::Ffmpeg,
        ..settings()
    };
    for (name, settings, codec) in [
        ("own.mp4", settings(), "h264"),
        ("own.gif", settings(), "gif"),
        ("own.png", settings(), "apng"),
        ("by-ffmpeg.mp4", by_ffmpeg.clone(), "h264"),
        ("by-ffmpeg.webm", by_ffmpeg.clone(), "vp9"),
        ("by-ffmpeg.mkv", by_ffmpeg, "av1"),
    ] {
        let path = folder.path().join(name);
        film(&path, &settings, 12);

        let read = probe(&path);

        let mut expected = vec![
            format!("codec_name={codec}"),
            format!("width={WIDTH}"),
            format!("height={HEIGHT}"),
            "nb_read_frames=12".to_owned(),
        ];
        if name.ends_with(".mp4") || name.ends_with(".webm") {
            expected.push("color_space=bt709".to_owned());
            expected.push("color_transfer=iec61966-2-1".to_owned());
            expected.push("TAG:title=llmscope".to_owned());
        }
        if name.ends_with(".mp4") {
            expected.push("TAG:com.llmscope.prompt=naïve 東京".to_owned());
        }
        if codec != "apng" {
            expected.push(format!("r_frame_rate={FPS}/1"));
        }
        for line in expected {
            assert!(
                read.lines().any(|read| read == line),
                "{name}: no {line} in\n{read}"
            );
        }
    }
}
