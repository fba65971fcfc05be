//! What a film says of each of its moments.

use super::Caption;
use super::story::{Chapter, ChapterKind, Moment, Story};
use crate::analysis::{Candidate, top_candidates};
use crate::config::ModelConfig;
use crate::hook::HookPoint;
use crate::trace::{Trace, Vocab};

/// Everything that is said in a film, known from its start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Captions {
    /// What the model is, in a line.
    about: String,
    /// The text of every token.
    words: Vec<String>,
    /// What follows each token: its words, and how probable it was.
    choices: Vec<Option<(String, f32)>>,
    /// What each hook point of a pass is called, and its layer.
    stages: Vec<(&'static str, Option<usize>)>,
    n_layers: usize,
}

impl Captions {
    /// What there is to say of `trace`, by a model of that name.
    pub fn new(name: &str, trace: &Trace, vocab: &Vocab, story: &Story) -> Self {
        let config = trace.config();
        let tokens: Vec<u32> = trace.tokens().collect();
        let word = |token: u32| vocab.text(token).into_owned();
        let n_lanes = story.chapters().last().map_or(0, |last| last.lane + 1);
        let choices = (0..n_lanes.min(tokens.len())).map(|pos| {
            let logits = trace.token(pos)?.row(HookPoint::Logits)?;
            let next = match tokens.get(pos + 1) {
                Some(token) => chosen(logits, *token),
                None => top_candidates(logits, 1).first().copied(),
            }?;
            Some((word(next.token), next.probability))
        });
        Self {
            about: about(name, config),
            choices: choices.collect(),
            words: tokens.iter().map(|token| word(*token)).collect(),
            stages: config
                .hook_points()
                .into_iter()
                .map(|hook| (config.title(hook), hook.layer()))
                .collect(),
            n_layers: config.n_layers,
        }
    }

    /// What is said `secs` after the film began.
    pub fn at(&self, story: &Story, secs: f64) -> Caption {
        let moment = story.at(secs);
        let chapter = &story.chapters()[moment.chapter];
        let n_shown = match chapter.kind {
            ChapterKind::Opening => 0,
            _ => self.words.len().min(chapter.lane + 1),
        };
        let (newest, before) = match self.words[..n_shown].split_last() {
            Some((newest, before)) if chapter.kind != ChapterKind::Ending => {
                (newest.as_str(), before)
            }
            _ => ("", &self.words[..n_shown]),
        };
        Caption {
            text: before.concat(),
            newest: newest.to_owned(),
            line: self.line(chapter, &moment),
            place: self.place(chapter, &moment),
        }
    }

    fn line(&self, chapter: &Chapter, moment: &Moment) -> String {
        let is_run = chapter.run_share(moment.secs) >= 1.0;
        match chapter.kind {
            ChapterKind::Opening | ChapterKind::Ending => self.about.clone(),
            ChapterKind::Word => "The prompt is read, one token after the other".to_owned(),
            ChapterKind::Thought if !is_run => {
                "The signal runs through the layers, to predict what comes next".to_owned()
            }
            ChapterKind::Token if !is_run => {
                "The new token is read in turn, to predict the next".to_owned()
            }
            ChapterKind::Thought | ChapterKind::Token => self.choice(chapter.lane),
        }
    }

    fn choice(&self, lane: usize) -> String {
        let Some(Some((word, probability))) = self.choices.get(lane) else {
            return "Nothing is predicted: a logit is no number".to_owned();
        };
        let word = word.trim_start_matches(' ').replace('\n', "↵");
        let percent = 100.0 * probability;
        if lane + 1 < self.words.len() {
            format!("“{word}” is chosen, with a probability of {percent:.0} %")
        } else {
            format!("“{word}” would be next, with a probability of {percent:.0} %")
        }
    }

    fn place(&self, chapter: &Chapter, moment: &Moment) -> String {
        let is_running = matches!(chapter.kind, ChapterKind::Thought | ChapterKind::Token)
            && chapter.run_share(moment.secs) < 1.0;
        if !is_running {
            return String::new();
        }
        let reached =
            (moment.playhead.order.ceil() as usize).clamp(1, self.stages.len().max(1)) - 1;
        match self.stages.get(reached) {
            Some((title, Some(layer))) => {
                format!("{title}, layer {} of {}", layer + 1, self.n_layers)
            }
            Some((title, None)) => (*title).to_owned(),
            None => String::new(),
        }
    }
}

/// A token that was chosen, and how probable it was.
fn chosen(logits: &[f32], token: u32) -> Option<Candidate> {
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits
        .iter()
        .map(|logit| f64::from(logit - greatest).exp())
        .sum();
    let own = f64::from(*logits.get(token as usize)? - greatest).exp();
    let probability = (own / sum) as f32;
    probability
        .is_finite()
        .then_some(Candidate { token, probability })
}

fn about(name: &str, config: &ModelConfig) -> String {
    format!(
        "{name}: {} layers of {} attention heads and {} neurons",
        config.n_layers, config.n_heads, config.d_mlp
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::trace::{Activation, Pass};

    fn told() -> (Captions, Story) {
        let config = ModelConfig {
            n_layers: 2,
            ..ModelConfig::preset("gpt2").unwrap()
        };
        let mut trace = Trace::new(config.clone());
        for (pos, token) in [1u32, 0, 2].into_iter().enumerate() {
            let logits = Activation::new(vec![1, 3], vec![3f32.ln(), 0.0, 1f32.ln()]);
            trace.push(Arc::new(Pass {
                first_pos: pos,
                tokens: vec![token],
                cache: [(HookPoint::Logits, logits)].into(),
            }));
        }
        let words = ["One", " two", "\nthree"].map(str::to_owned).to_vec();
        let story = Story::new(2, 3, config.hook_points().len(), None);
        let captions = Captions::new("tiny", &trace, &Vocab::new(words), &story);
        (captions, story)
    }

    #[test]
    fn every_chapter_says_what_is_seen_and_the_text_grows() {
        let (captions, story) = told();
        let say = |chapter: usize, share: f64| {
            let chapter = &story.chapters()[chapter];
            captions.at(&story, chapter.start_secs + share * chapter.secs())
        };

        let opening = say(0, 0.5);
        assert_eq!((opening.text.as_str(), opening.newest.as_str()), ("", ""));
        assert!(opening.line.starts_with("tiny: 2 layers of 12"));
        assert_eq!(say(1, 0.5).newest, " two");
        let thought = say(2, 0.3);
        assert_eq!(
            (thought.text.as_str(), thought.newest.as_str()),
            (" two", "One")
        );
        assert!(thought.place.ends_with("layer 1 of 2"), "{}", thought.place);
        // exp of the logits is 3, 1, 1.
        assert_eq!(
            say(2, 0.99).line,
            "“↵three” is chosen, with a probability of 20 %"
        );
        assert_eq!(
            say(3, 0.99).line,
            "“One” would be next, with a probability of 60 %"
        );
        let ending = say(4, 0.5);
        assert_eq!(ending.text, " twoOne\nthree");
        assert_eq!(ending.place, "");
    }

    #[test]
    fn what_is_no_number_is_not_chosen() {
        assert_eq!(chosen(&[0.0, f32::NAN], 0), None);
        assert_eq!(chosen(&[0.0], 7), None);
    }
}
