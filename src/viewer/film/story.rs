//! The story of a text: its prompt appears token by token, the signal runs through the layers, the
//! next token is chosen, and again.

use crate::viewer::playback::Playhead;

/// What happens in a film, chapter after chapter.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    chapters: Vec<Chapter>,
    /// Hook points of a pass.
    n_orders: f32,
}

/// A part of a story.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chapter {
    /// What happens in it.
    pub kind: ChapterKind,
    /// The token that it is about.
    pub lane: usize,
    /// When it begins, in seconds.
    pub start_secs: f64,
    /// How long the signal runs, in seconds; it begins the chapter.
    pub run_secs: f64,
    /// How long the picture then stays as it is, in seconds.
    pub rest_secs: f64,
}

/// What happens in a chapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChapterKind {
    /// The empty world.
    Opening,
    /// A token of the prompt is read.
    Word,
    /// The prompt's last token runs through the layers, slowly, up to the first prediction.
    Thought,
    /// A token that was chosen is read, up to the next prediction.
    Token,
    /// The world as it is in the end.
    Ending,
}

/// A story at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// The chapter, counted from 0.
    pub chapter: usize,
    /// Seconds since it began.
    pub secs: f64,
    /// How far the signal has come.
    pub playhead: Playhead,
}

const OPENING_SECS: f64 = 1.2;
const WORD_SECS: f64 = 0.45;
const THOUGHT_SECS: f64 = 6.0;
/// How long the first prediction is looked at.
const LOOK_SECS: f64 = 2.2;
const TOKEN_SECS: f64 = 1.7;
const TOKEN_LOOK_SECS: f64 = 0.5;
const ENDING_SECS: f64 = 2.6;

impl Story {
    /// The story of a text of `n_tokens` tokens, the first `n_prompt` of which were given, by a model
    /// with `n_orders` hook points. It takes `secs` seconds, or the time that it needs.
    ///
    /// Without tokens, as with a shape that has no weights, nothing happens in it.
    pub fn new(n_prompt: usize, n_tokens: usize, n_orders: usize, secs: Option<f64>) -> Self {
        let last_word = n_prompt.saturating_sub(1);
        let kinds = (0..n_tokens).map(|lane| match lane {
            _ if lane < last_word => (ChapterKind::Word, lane, WORD_SECS, 0.0),
            _ if lane == last_word => (ChapterKind::Thought, lane, THOUGHT_SECS, LOOK_SECS),
            _ => (ChapterKind::Token, lane, TOKEN_SECS, TOKEN_LOOK_SECS),
        });
        let last = n_tokens.saturating_sub(1);
        let opening = (ChapterKind::Opening, 0, 0.0, OPENING_SECS);
        let ending = (ChapterKind::Ending, last, 0.0, ENDING_SECS);
        let all: Vec<_> = [opening].into_iter().chain(kinds).chain([ending]).collect();
        let own_secs: f64 = all.iter().map(|(.., run, rest)| run + rest).sum();
        let pace = secs.map_or(1.0, |secs| secs / own_secs);
        let mut start_secs = 0.0;
        let chapters = all.into_iter().map(|(kind, lane, run, rest)| {
            let chapter = Chapter {
                kind,
                lane,
                start_secs,
                run_secs: pace * run,
                rest_secs: pace * rest,
            };
            start_secs += chapter.secs();
            chapter
        });
        Self {
            chapters: chapters.collect(),
            n_orders: n_orders as f32,
        }
    }

    /// The chapters, in order; at least two.
    pub fn chapters(&self) -> &[Chapter] {
        &self.chapters
    }

    /// How long it takes, in seconds.
    pub fn secs(&self) -> f64 {
        self.chapters
            .last()
            .map_or(0.0, |last| last.start_secs + last.secs())
    }

    /// The story `secs` after it began.
    pub fn at(&self, secs: f64) -> Moment {
        let begun = self
            .chapters
            .partition_point(|chapter| chapter.start_secs <= secs);
        let index = begun.saturating_sub(1);
        let chapter = &self.chapters[index];
        let secs = (secs - chapter.start_secs).clamp(0.0, chapter.secs());
        let order = match chapter.kind {
            ChapterKind::Opening => 0.0,
            ChapterKind::Ending => self.n_orders,
            _ => chapter.run_share(secs) as f32 * self.n_orders,
        };
        Moment {
            chapter: index,
            secs,
            playhead: Playhead {
                lane: chapter.lane,
                first_lane: chapter.lane,
                order,
            },
        }
    }
}

impl Chapter {
    /// How long it takes, in seconds.
    pub fn secs(&self) -> f64 {
        self.run_secs + self.rest_secs
    }

    /// How much of its way the signal has come, `secs` after the chapter began.
    pub fn run_share(&self, secs: f64) -> f64 {
        if self.run_secs > 0.0 {
            (secs / self.run_secs).clamp(0.0, 1.0)
        } else {
            1.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_has_its_chapter_and_the_signal_runs_through_each_to_its_end() {
        let story = Story::new(3, 5, 40, None);

        let kinds: Vec<_> = story
            .chapters()
            .iter()
            .map(|chapter| (chapter.kind, chapter.lane))
            .collect();
        assert_eq!(
            kinds,
            [
                (ChapterKind::Opening, 0),
                (ChapterKind::Word, 0),
                (ChapterKind::Word, 1),
                (ChapterKind::Thought, 2),
                (ChapterKind::Token, 3),
                (ChapterKind::Token, 4),
                (ChapterKind::Ending, 4),
            ]
        );
        for chapter in &story.chapters()[1..6] {
            let order = |secs| story.at(chapter.start_secs + secs).playhead.order;
            assert_eq!(order(0.0), 0.0);
            assert!((order(0.5 * chapter.run_secs) - 20.0).abs() < 1e-3);
            assert_eq!(order(chapter.secs() - 1e-9), 40.0);
        }
    }

    #[test]
    fn a_story_takes_as_long_as_it_is_asked_to_and_never_goes_back() {
        let story = Story::new(4, 9, 40, Some(7.0));

        assert!((story.secs() - 7.0).abs() < 1e-9);
        let mut last = (0, 0.0);
        for step in 0..=720 {
            let playhead = story.at(f64::from(step) * 0.01).playhead;
            let now = (playhead.lane, playhead.order);
            assert!(now >= last, "{now:?} after {last:?}");
            last = now;
        }
        assert_eq!(last, (8, 40.0));
    }

    #[test]
    fn without_tokens_the_world_is_shown_as_it_is() {
        let story = Story::new(0, 0, 40, Some(3.0));

        assert_eq!(story.chapters().len(), 2);
        assert!((story.secs() - 3.0).abs() < 1e-9);
    }
}
