//! Questions about a prediction, answered piece by piece while no request waits.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{EngineError, EngineUpdate};
use crate::ablation::Ablation;
use crate::attribution::{
    AblationEffect, DirectAttribution, Gradients, IntegratedGradients, IntegrationSettings,
    TargetWish,
};
use crate::hook::{BlockSite, HookPoint};
use crate::model::{Integration, Model, ModelError};
use crate::trace::{ActivationCache, Pass};

/// A question about a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Study {
    /// Chosen by the asker: the answer carries it, and a newer study with it takes this one's place.
    pub id: u64,
    /// The text.
    pub tokens: Vec<u32>,
    /// What is set to zero in its passes; for [`Question::Ablation`], what the effect is asked of.
    pub ablations: Vec<Ablation>,
    /// What is asked.
    pub question: Question,
}

/// What is asked of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// How a target changes with the values of the pass.
    Gradients {
        /// The target.
        wish: TargetWish,
        /// Which values.
        extent: GradientExtent,
    },
    /// What each token's embedding adds on the way from a baseline.
    Integrated {
        /// The target.
        wish: TargetWish,
        /// The way.
        settings: IntegrationSettings,
    },
    /// What each part of the residual stream adds to a target directly.
    Direct {
        /// The target.
        wish: TargetWish,
    },
    /// What setting parts to zero does.
    Ablation {
        /// The target that is watched.
        wish: TargetWish,
    },
}

/// Which values a target is differentiated by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GradientExtent {
    /// Embeddings, residual stream, heads and neurons.
    #[default]
    Summary,
    /// Every value of the pass but the logits.
    All,
}

impl GradientExtent {
    /// Whether it includes `hook`.
    pub fn includes(self, hook: HookPoint) -> bool {
        match self {
            Self::All => hook != HookPoint::Logits,
            Self::Summary => match hook.site() {
                Some(site) => site.is_stream() || matches!(site, BlockSite::Z | BlockSite::MlpPost),
                None => hook == HookPoint::Embed,
            },
        }
    }
}

/// What a study has found.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// How a target changes with the values of the pass.
    Gradients(Arc<Gradients>),
    /// What each token's embedding adds on the way from a baseline.
    Integrated(Arc<IntegratedGradients>),
    /// What each part of the residual stream adds to a target directly.
    Direct(Arc<DirectAttribution>),
    /// What setting parts to zero does.
    Ablation(Arc<AblationEffect>),
}

/// Studies that wait, and the one under way, which is the first.
#[derive(Default)]
pub(super) struct StudyQueue {
    studies: VecDeque<Study>,
    /// The first study's, if it is done in pieces and was begun.
    integration: Option<Integration>,
}

impl StudyQueue {
    /// Puts a study last; one with the same id is forgotten.
    pub(super) fn push(&mut self, study: Study) {
        self.cancel(study.id);
        self.studies.push_back(study);
    }

    /// Forgets a study.
    pub(super) fn cancel(&mut self, id: u64) {
        if self.studies.front().is_some_and(|first| first.id == id) {
            self.integration = None;
        }
        self.studies.retain(|study| study.id != id);
    }

    pub(super) fn clear(&mut self) {
        self.studies.clear();
        self.integration = None;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.studies.is_empty()
    }

    /// Does a piece of the first study, and tells what has come of it.
    pub(super) fn work_on(&mut self, model: &Model) -> Option<EngineUpdate> {
        let study = self.studies.front()?;
        let id = study.id;
        let answer = match answer(model, study, &mut self.integration) {
            Ok(Progress::Done(answer)) => Ok(answer),
            Ok(Progress::Steps { n_done, n_all }) => {
                return Some(EngineUpdate::StudyProgress { id, n_done, n_all });
            }
            Err(error) => Err(Arc::new(EngineError::Model(error))),
        };
        self.studies.pop_front();
        self.integration = None;
        Some(EngineUpdate::StudyDone { id, answer })
    }
}

/// How far a study has come.
enum Progress {
    Done(Answer),
    Steps { n_done: usize, n_all: usize },
}

fn answer(
    model: &Model,
    study: &Study,
    integration: &mut Option<Integration>,
) -> Result<Progress, ModelError> {
    let (tokens, ablations) = (&study.tokens, &study.ablations);
    let answer = match study.question {
        Question::Gradients { wish, extent } => {
            let is_wanted = |hook| extent.includes(hook);
            let gradients = model.gradients(tokens, ablations, wish, &is_wanted)?;
            Answer::Gradients(Arc::new(gradients))
        }
        Question::Integrated { wish, settings } => {
            let mut begun = match integration.take() {
                Some(begun) => begun,
                None => model.integration(tokens, ablations, wish, settings)?,
            };
            if !begun.advance(model)? {
                let progress = Progress::Steps {
                    n_done: begun.n_done(),
                    n_all: begun.n_steps(),
                };
                *integration = Some(begun);
                return Ok(progress);
            }
            Answer::Integrated(Arc::new(begun.finish()?))
        }
        Question::Direct { wish } => Answer::Direct(Arc::new(direct(model, study, wish)?)),
        Question::Ablation { wish } => {
            Answer::Ablation(Arc::new(model.ablation_effect(tokens, ablations, wish)?))
        }
    };
    Ok(Progress::Done(answer))
}

fn direct(model: &Model, study: &Study, wish: TargetWish) -> Result<DirectAttribution, ModelError> {
    let pos = wish.position(study.tokens.len())?;
    let tokens = study.tokens[..=pos].to_vec();
    let last_layer = model.config().n_layers - 1;
    let mut cache = ActivationCache::new();
    let mut session = model.session_without(&study.ablations)?;
    model.run(&mut session, &tokens, &mut |hook, activation| {
        let is_needed = match (hook.site(), hook.layer()) {
            (Some(BlockSite::Z | BlockSite::MlpPost), _) => true,
            (Some(BlockSite::ResidPost), Some(layer)) => layer == last_layer,
            (Some(_), _) => false,
            (None, _) => hook != HookPoint::FinalNormalized,
        };
        if is_needed {
            cache.insert(hook, activation);
        }
        std::ops::ControlFlow::Continue(())
    })?;
    let pass = Pass {
        first_pos: 0,
        tokens,
        cache,
    };
    let hook = HookPoint::Embed;
    let token = pass
        .token(pos)
        .ok_or(ModelError::NotRecorded { hook, pos })?;
    model.direct_attribution(&token, wish)
}
