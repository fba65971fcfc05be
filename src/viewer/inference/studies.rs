//! Questions about the text that were asked of the engine, and what has come of them.

use std::collections::BTreeMap;

use bevy::prelude::*;

use super::{EngineWish, TraceEvent};
use crate::ablation::Ablation;
use crate::engine::{Answer, Question, Study};

/// What a question is asked for: of each there is one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Derivatives, for the view of them.
    Gradients,
    /// Integrated gradients.
    Integrated,
    /// Direct logit attribution, for the view of it.
    Direct,
    /// What the parts that are set to zero do to the prediction.
    Ablation,
    /// What the world's colours show instead of values.
    World,
}

/// How far a study has come.
#[derive(Clone, Debug, PartialEq)]
pub enum StudyState {
    /// It is under way: steps done, and steps in all, where it is done in steps.
    Working(Option<(usize, usize)>),
    /// It is answered.
    Done(Answer),
    /// It can't be answered: why.
    Failed(String),
}

/// A question that was asked, and what has come of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// What was asked.
    pub study: Study,
    /// What has come of it.
    pub state: StudyState,
}

impl Asked {
    /// Whether it is of just this text, with these parts set to zero.
    pub fn is_of(&self, tokens: &[u32], ablations: &[Ablation]) -> bool {
        self.study.tokens == tokens && self.study.ablations == ablations
    }

    /// The answer, if there is one.
    pub fn answer(&self) -> Option<&Answer> {
        match &self.state {
            StudyState::Done(answer) => Some(answer),
            _ => None,
        }
    }
}

/// The questions of each topic that were asked last.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub struct Studies {
    last_id: u64,
    asked: BTreeMap<Topic, Asked>,
    /// What was answered last for each topic, and the answer; it stays while the next is worked on.
    answered: BTreeMap<Topic, (Study, Answer)>,
}

impl Studies {
    /// What was asked last for a topic, if anything was.
    pub fn get(&self, topic: Topic) -> Option<&Asked> {
        self.asked.get(&topic)
    }

    /// The study that was answered last for a topic, and its answer: of another question perhaps, or
    /// another text.
    pub fn last_answer(&self, topic: Topic) -> Option<(&Study, &Answer)> {
        let (study, answer) = self.answered.get(&topic)?;
        Some((study, answer))
    }

    /// Whether any study is under way.
    pub fn is_busy(&self) -> bool {
        let mut all = self.asked.values();
        all.any(|asked| matches!(asked.state, StudyState::Working(_)))
    }

    /// Notes a question for a topic, in place of the one before, and says what the engine is to be
    /// told: nothing if just this was asked already.
    pub fn ask(
        &mut self,
        topic: Topic,
        tokens: &[u32],
        ablations: &[Ablation],
        question: Question,
    ) -> Vec<EngineWish> {
        let is_same =
            |asked: &Asked| asked.study.question == question && asked.is_of(tokens, ablations);
        if self.get(topic).is_some_and(is_same) {
            return Vec::new();
        }
        let mut wishes = self.cancel(topic);
        self.last_id += 1;
        let study = Study {
            id: self.last_id,
            tokens: tokens.to_vec(),
            ablations: ablations.to_vec(),
            question,
        };
        wishes.push(EngineWish::Study(study.clone()));
        let state = StudyState::Working(None);
        self.asked.insert(topic, Asked { study, state });
        wishes
    }

    /// Forgets that a topic's question failed, so that it can be asked again.
    pub fn forget_failure(&mut self, topic: Topic) {
        let is_failed = |asked: &Asked| matches!(asked.state, StudyState::Failed(_));
        if self.get(topic).is_some_and(is_failed) {
            self.asked.remove(&topic);
        }
    }

    /// Forgets a topic's question, and says what the engine is to be told.
    pub fn cancel(&mut self, topic: Topic) -> Vec<EngineWish> {
        let cancelled = self.asked.remove(&topic);
        let unanswered = cancelled
            .filter(|asked| matches!(asked.state, StudyState::Working(_)))
            .map(|asked| EngineWish::CancelStudy(asked.study.id));
        unanswered.into_iter().collect()
    }

    /// Takes in what the engine has told.
    pub fn note(&mut self, event: &TraceEvent) {
        match event {
            // The answers are of another model.
            TraceEvent::ModelLoaded => {
                self.asked.clear();
                self.answered.clear();
            }
            TraceEvent::StudyProgress { id, n_done, n_all } => {
                self.set(*id, StudyState::Working(Some((*n_done, *n_all))));
            }
            TraceEvent::StudyDone { id, answer } => self.set(
                *id,
                match answer {
                    Ok(answer) => StudyState::Done(answer.clone()),
                    Err(message) => StudyState::Failed(message.clone()),
                },
            ),
            // It may be a study's, or the end of all of them; one that is answered yet is taken back.
            TraceEvent::Failed(why) => {
                for asked in self.asked.values_mut() {
                    if matches!(asked.state, StudyState::Working(_)) {
                        asked.state = StudyState::Failed(why.clone());
                    }
                }
            }
            _ => {}
        }
    }

    fn set(&mut self, id: u64, state: StudyState) {
        let asked = self.asked.iter_mut();
        let asked = asked.into_iter().find(|(_, asked)| asked.study.id == id);
        let Some((topic, asked)) = asked else {
            return;
        };
        if let StudyState::Done(answer) = &state {
            let answered = (asked.study.clone(), answer.clone());
            self.answered.insert(*topic, answered);
        }
        asked.state = state;
    }
}

/// Whether an event is about studies.
pub(super) fn concerns(event: &TraceEvent) -> bool {
    matches!(
        event,
        TraceEvent::ModelLoaded
            | TraceEvent::StudyProgress { .. }
            | TraceEvent::StudyDone { .. }
            | TraceEvent::Failed(_)
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::attribution::{AblationEffect, Target, TargetWish};

    const QUESTION: Question = Question::Direct {
        wish: TargetWish {
            pos: None,
            token: None,
            minus: None,
        },
    };

    fn progress(id: u64) -> TraceEvent {
        TraceEvent::StudyProgress {
            id,
            n_done: 1,
            n_all: 4,
        }
    }

    #[test]
    fn the_same_question_is_asked_once_and_another_takes_its_place() {
        let mut studies = Studies::default();

        let first = studies.ask(Topic::Direct, &[1, 2], &[], QUESTION);
        let again = studies.ask(Topic::Direct, &[1, 2], &[], QUESTION);
        let other = studies.ask(Topic::Direct, &[1, 2, 3], &[], QUESTION);

        assert!(matches!(&first[..], [EngineWish::Study(study)] if study.id == 1));
        assert!(again.is_empty());
        assert!(matches!(
            &other[..],
            [EngineWish::CancelStudy(1), EngineWish::Study(study)] if study.id == 2
        ));
        let asked = studies.get(Topic::Direct).unwrap();
        assert!(asked.is_of(&[1, 2, 3], &[]) && !asked.is_of(&[1, 2], &[]));
        assert!(studies.get(Topic::Gradients).is_none());
    }

    #[test]
    fn the_last_answer_stays_while_the_next_is_worked_on_and_a_failure_can_be_asked_again() {
        let mut studies = Studies::default();
        studies.ask(Topic::Ablation, &[1], &[], QUESTION);
        let effect = AblationEffect {
            parts: Vec::new(),
            target: Target {
                pos: 0,
                token: 0,
                minus: None,
            },
            value_before: 1.0,
            value_after: 0.0,
            logits_before: vec![1.0],
            logits_after: vec![0.0],
            kl: vec![0.0],
        };
        studies.note(&TraceEvent::StudyDone {
            id: 1,
            answer: Ok(Answer::Ablation(Arc::new(effect))),
        });
        studies.ask(Topic::Ablation, &[1, 2], &[], QUESTION);
        assert!(studies.is_busy());
        let (study, _) = studies.last_answer(Topic::Ablation).unwrap();
        assert_eq!(study.tokens, [1]);

        studies.note(&TraceEvent::Failed("no memory".to_owned()));
        assert!(!studies.is_busy());
        let again = studies.ask(Topic::Ablation, &[1, 2], &[], QUESTION);
        assert!(again.is_empty(), "not by itself");
        studies.forget_failure(Topic::Ablation);
        let again = studies.ask(Topic::Ablation, &[1, 2], &[], QUESTION);
        assert_eq!(again.len(), 1);
    }

    #[test]
    fn answers_find_their_question_and_late_ones_none() {
        let mut studies = Studies::default();
        studies.ask(Topic::Direct, &[1], &[], QUESTION);
        studies.ask(Topic::Direct, &[2], &[], QUESTION);
        let failed = |id| TraceEvent::StudyDone {
            id,
            answer: Err("no".to_owned()),
        };
        let state = |studies: &Studies| studies.get(Topic::Direct).map(|asked| asked.state.clone());

        studies.note(&failed(1));
        assert_eq!(state(&studies), Some(StudyState::Working(None)));
        studies.note(&progress(2));
        assert_eq!(state(&studies), Some(StudyState::Working(Some((1, 4)))));
        studies.note(&failed(2));
        assert_eq!(state(&studies), Some(StudyState::Failed("no".to_owned())));
        assert!(studies.cancel(Topic::Direct).is_empty(), "it had ended");
        assert_eq!(state(&studies), None);
        studies.ask(Topic::Direct, &[2], &[], QUESTION);
        studies.note(&TraceEvent::ModelLoaded);
        assert_eq!(state(&studies), None);
    }
}
