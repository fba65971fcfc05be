//! Tours of a hand-made text whose values are known.

use std::sync::Arc;

use super::*;
use crate::config::ModelConfig;
use crate::hook::{BlockSite, HookPoint};
use crate::layout::ModelLayout;
use crate::trace::{Activation, ActivationCache, Pass, Trace, Vocab};

const WORDS: [&str; 6] = ["Mary", " took", " the", " ball", " red", "."];
/// “Mary took the ball . the”
const TEXT: [u32; 6] = [0, 1, 2, 3, 5, 2];
const LANE: usize = 5;

fn config() -> ModelConfig {
    ModelConfig {
        n_layers: 3,
        n_heads: 2,
        d_head: 8,
        d_model: 16,
        d_mlp: 8,
        d_vocab: 6,
        ..ModelConfig::preset("gpt2").unwrap()
    }
}

fn vocab() -> Vocab {
    Vocab::new(WORDS.map(str::to_owned).to_vec())
}

/// Every vector is all ones, every head looks at itself; but for what is set apart: head 1 of
/// layer 1 looks from the last token at “ball” with 0.75, head 0 of layer 0 with 0.9 at “took” and
/// head 0 of layer 2 with 1 at the first token; neuron 6 of layer 2 has 4.2; “ball” will follow
/// with 61 %.
fn trace() -> Trace {
    let config = config();
    let n_pos = TEXT.len();
    let mut cache = ActivationCache::new();
    for hook in config.hook_points() {
        let shape = config.shape(hook, n_pos);
        let n_values: usize = shape.iter().product();
        let mut values = vec![1.0; n_values];
        let at = |layer, site| HookPoint::block(layer, site);
        let is_attention = matches!(
            hook.site(),
            Some(BlockSite::Pattern | BlockSite::AttnScores)
        );
        if is_attention {
            for head in 0..config.n_heads {
                for query in 0..n_pos {
                    for key in 0..n_pos {
                        let value = if key == query { 1.0 } else { 0.0 };
                        values[(head * n_pos + query) * n_pos + key] = value;
                    }
                }
            }
        }
        let last_row = |head: usize, key: usize| (head * n_pos + LANE) * n_pos + key;
        if hook == at(1, BlockSite::Pattern) {
            values[last_row(1, 3)] = 0.75;
        } else if hook == at(1, BlockSite::AttnScores) {
            values[last_row(1, 3)] = 7.5;
        } else if hook == at(0, BlockSite::Pattern) {
            values[last_row(0, 1)] = 0.9;
        } else if hook == at(2, BlockSite::Pattern) {
            values[last_row(0, 0)] = 1.0;
        } else if hook == at(2, BlockSite::MlpPost) {
            values.fill(-0.1);
            values[LANE * config.d_mlp + 6] = 4.2;
        } else if hook == HookPoint::Logits {
            values.fill(f32::NEG_INFINITY);
            values[LANE * config.d_vocab + 3] = 0.61f32.ln();
            values[LANE * config.d_vocab + 4] = 0.39f32.ln();
        }
        cache.insert(hook, Activation::new(shape, values));
    }
    let mut trace = Trace::new(config);
    trace.push(Arc::new(Pass {
        first_pos: 0,
        tokens: TEXT.to_vec(),
        cache,
    }));
    trace
}

fn layout() -> ModelLayout {
    ModelLayout::new(&config(), TEXT.len())
}

fn tour() -> Tour {
    Tour::plan(&layout(), &trace(), &vocab(), LANE, &Screen::default())
}

fn text<'a>(tour: &'a Tour, title: &str) -> &'a str {
    let stop = tour.stops().iter().find(|stop| stop.title == title);
    &stop.unwrap().text
}

#[test]
fn the_texts_tell_the_values_that_were_computed() {
    let tour = tour();

    for (title, said) in [
        ("A language model, laid out", "a text of 6 tokens"),
        (
            "A word becomes numbers",
            "“ball” became the 16 numbers of this tile: its norm is 4.00",
        ),
        ("Where it stands", "at position 3"),
        (
            "Queries and keys",
            "the query of “the” and the key of “ball” fit with a score of 7.50",
        ),
        (
            "Attention",
            "In layer 1, head 1 attends from “the” to “ball” with weight 0.75. \
             That is the word it will predict.",
        ),
        (
            "Neurons",
            "In layer 2, 8 neurons read the stream of “the”. The most active is number 6 with 4.20; 12\u{a0}%",
        ),
        (
            "The prediction",
            "gives “ball” 61\u{a0}%, then “red” 39\u{a0}%.",
        ),
        ("And again", "such as “ball”"),
    ] {
        let text = text(&tour, title);
        assert!(text.contains(said), "{title}: {text}");
    }
}

#[test]
fn the_mark_of_a_look_is_the_very_cell_it_speaks_of() {
    let tour = tour();
    let layout = layout();

    let stop = tour.stops().iter().find(|stop| stop.title == "Attention");

    let mark = stop.unwrap().marks[0].center();
    let cell = layout.cell_at(mark.x, mark.z).unwrap();
    assert_eq!(cell.hook, HookPoint::block(1, BlockSite::Pattern));
    assert_eq!((cell.head, cell.pos, cell.index), (1, LANE, 3));
}

#[test]
fn a_shape_alone_is_explained_by_as_many_stops_without_values() {
    let empty = Trace::new(config());

    let plain = Tour::plan(&layout(), &empty, &Vocab::default(), 2, &Screen::default());

    assert_eq!(plain.stops().len(), tour().stops().len());
    for stop in plain.stops() {
        let is_told = !stop.text.contains("norm is") && !stop.text.contains("with weight");
        assert!(is_told, "{}: {}", stop.title, stop.text);
        assert!(!stop.text.contains('“'), "{}", stop.text);
    }
}

#[test]
fn the_first_token_and_the_second_have_a_tour_too() {
    for lane in 0..2 {
        let tour = Tour::plan(&layout(), &trace(), &vocab(), lane, &Screen::default());

        let attention = text(&tour, "Attention");
        let expected = ["has none before it", "to “Mary” with weight"][lane];
        assert!(attention.contains(expected), "{attention}");
    }
}

#[test]
fn the_signal_runs_forward_from_stop_to_stop_after_the_first() {
    let tour = tour();

    let orders: Vec<f32> = tour.stops().iter().map(|stop| stop.order).collect();

    assert!(orders[1..].is_sorted(), "{orders:?}");
    assert_eq!(orders[1], 0.0);
    assert_eq!(*orders.last().unwrap(), config().hook_points().len() as f32);
}

fn shape(name: &str) -> (ModelLayout, Trace, usize) {
    let config = ModelConfig::preset(name).unwrap();
    (ModelLayout::new(&config, 12), Trace::new(config), 6)
}

#[test]
fn each_family_is_told_what_is_true_of_it() {
    let told = |name: &str| {
        let (layout, trace, lane) = shape(name);
        let tour = Tour::plan(&layout, &trace, &Vocab::default(), lane, &Screen::default());
        let stops = tour.stops().iter();
        let texts: Vec<String> = stops
            .map(|stop| format!("{}: {}", stop.title, stop.text))
            .collect();
        let orders: Vec<f32> = tour.stops().iter().map(|stop| stop.order).collect();
        assert!(orders[1..].is_sorted(), "{name}: {orders:?}");
        (texts.len(), texts.join("\n"))
    };
    let (n_gpt2, gpt2) = told("gpt2");
    let (n_llama, llama) = told("llama-3-8b");
    let (n_pythia, pythia) = told("pythia-160m");

    assert_eq!([n_gpt2, n_llama], [n_pythia; 2]);
    assert!(gpt2.contains("two tiles are added") && !gpt2.contains("turned"));
    assert!(llama.contains("32 heads of queries share 8") && llama.contains("turned by"));
    assert!(!llama.contains("tiles are added") && !llama.contains("The sum"));
    assert!(pythia.contains("The MLP reads the same stream") && !pythia.contains("share"));
    assert!(!llama.contains("reads the same stream"));
}

#[test]
fn every_stop_has_its_marks_in_the_free_part_of_the_picture_and_a_short_text() {
    let screen = Screen {
        aspect: 1.6,
        low: Vec2::new(-0.6, -0.45),
        high: Vec2::new(0.55, 1.0),
    };
    for (layout, trace, lane) in [
        (layout(), trace(), LANE),
        shape("gpt2-medium"),
        shape("llama-3-8b"),
        shape("qwen3-0.6b"),
        shape("pythia-160m"),
    ] {
        let tour = Tour::plan(&layout, &trace, &vocab(), lane, &screen);
        for stop in tour.stops() {
            assert!(stop.pose.position().y > 0.5, "{}", stop.title);
            assert!(
                stop.pose.kept_in(&layout).is_near(&stop.pose),
                "{}",
                stop.title
            );
            let length = stop.text.chars().count();
            assert!((40..=240).contains(&length), "{}: {length}", stop.title);
            for mark in &stop.marks {
                let place = stop.pose.project(mark.center(), screen.aspect).unwrap();
                let is_free = place.cmpgt(screen.low) & place.cmplt(screen.high);
                assert!(is_free.all(), "{}: {place}", stop.title);
            }
        }
    }
}

#[test]
fn at_a_moment_the_tour_is_where_its_stops_say() {
    let tour = tour();
    let n_stops = tour.stops().len();

    let end = tour.at(tour.duration_secs() + 100.0);
    assert_eq!((end.stop, end.share), (n_stops - 1, 1.0));
    assert_eq!(end.pose, tour.stops()[n_stops - 1].pose);
    assert_eq!(tour.at(-1.0).stop, 0);
    assert_eq!(tour.at(0.0).pose, tour.stops()[0].pose);
    for (index, stop) in tour.stops().iter().enumerate() {
        let there = tour.at(tour.arrival_secs(index) + 0.01);
        assert_eq!((there.stop, there.order), (index, stop.order));
        assert!(there.pose.is_near(&stop.pose), "{}", stop.title);
        let leaving = tour.at(tour.start_secs(index + 1) - 0.01);
        assert_eq!(leaving.stop, index);
    }
}

#[test]
fn between_any_two_frames_of_a_film_the_camera_makes_no_jump() {
    let tour = tour();
    let n_frames = (30.0 * tour.duration_secs()) as usize;
    let mut before = tour.at(0.0).pose;
    for frame in 1..n_frames {
        let pose = tour.at(frame as f32 / 30.0).pose;
        let step = pose.position().distance(before.position());
        let reach = 0.12 * (pose.radius + before.radius);
        assert!(step < reach, "frame {frame}: {step} of {reach}");
        before = pose;
    }
}

fn run() -> Run {
    Run {
        tour: Some(tour()),
        is_camera_sent: true,
        ..Run::default()
    }
}

#[test]
fn a_running_tour_goes_on_by_itself_and_stays_at_its_end() {
    let mut run = run();
    let n_stops = run.n_stops();

    for _ in 0..3_000 {
        run.advance(0.1);
    }

    assert_eq!(run.stop().unwrap().0, n_stops - 1);
    assert!(run.is_paused());
}

#[test]
fn beyond_the_last_stop_there_is_none() {
    let mut run = run();

    run.go_to(99);

    assert_eq!(run.stop().unwrap().0, run.n_stops() - 1);
}

#[test]
fn a_paused_tour_stays_where_it_is() {
    let mut run = run();
    run.go_to(4);
    run.is_paused = true;

    for _ in 0..1_000 {
        run.advance(0.1);
    }

    let (index, stop) = run.stop().unwrap();
    assert_eq!(index, 4);
    assert_eq!(run.secs, stop.travel_secs, "the signal has come to it");
}
