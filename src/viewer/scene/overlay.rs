//! Colours and heights that stand for each number's part in a prediction instead of its value.
//!
//! What has no part, and everything while the parts are being worked out, looks as a cell without a
//! value.

use bevy::prelude::*;

use super::values::ValueTable;
use super::{SceneLimits, SceneSettings, ValuePool};
use crate::analysis::{attribution_cells, direct_cells};
use crate::attribution::{Target, TargetWish};
use crate::config::ModelConfig;
use crate::engine::{Answer, GradientExtent, Question, Study};
use crate::hook::BlockSite;
use crate::layout::CellId;
use crate::trace::{Pass, TokenTrace};
use crate::viewer::inference::{ActiveTrace, Asked, EngineWish, Studies, StudyState, Topic};
use crate::viewer::playback::Playhead;

/// What colours and heights stand for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorBy {
    /// The numbers themselves.
    #[default]
    Value,
    /// Derivative times value: what a target would lose, to first order, without the number.
    Gradient,
    /// What each number that is written to the stream adds to the target by itself.
    Direct,
}

impl ColorBy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Value, Self::Gradient, Self::Direct];

    /// Its name on screen.
    pub fn title(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Gradient => "gradient × value",
            Self::Direct => "direct attribution",
        }
    }

    /// What it asks of a prediction.
    fn question(self, wish: TargetWish) -> Option<Question> {
        match self {
            Self::Value => None,
            Self::Gradient => Some(Question::Gradients {
                wish,
                extent: GradientExtent::All,
            }),
            Self::Direct => Some(Question::Direct { wish }),
        }
    }
}

/// What colours and heights stand for now.
#[derive(Resource, Debug, Default)]
pub struct Overlay {
    /// The target that the parts are of; without one, the most probable token after the playhead's.
    pub wish: Option<TargetWish>,
    shown: ColorBy,
    /// The study that the parts are from, once it is answered.
    study: Option<u64>,
    parts: Option<Parts>,
    failure: Option<String>,
    /// Counts up when something else is shown; 0 while values always were.
    version: u64,
}

#[derive(Debug)]
struct Parts {
    target: Target,
    /// What the target is.
    value: f32,
    /// In the shapes of what the model computes.
    pass: Pass,
}

impl Overlay {
    /// What colours and heights stand for.
    pub fn shown(&self) -> ColorBy {
        self.shown
    }

    /// The target that the parts shown are of, and its value; none while they are worked out.
    pub fn target(&self) -> Option<(Target, f32)> {
        let parts = self.parts.as_ref()?;
        Some((parts.target, parts.value))
    }

    /// Why the parts can't be shown.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// Whether everything that is to be shown is there, or known to be impossible.
    pub fn is_settled(&self, settings: &SceneSettings) -> bool {
        self.shown == settings.color_by
            && (self.shown == ColorBy::Value || self.parts.is_some() || self.failure.is_some())
    }

    /// What is shown of the position `pos`.
    pub fn token<'a>(&'a self, trace: &'a ActiveTrace, pos: usize) -> Option<TokenTrace<'a>> {
        match self.shown {
            ColorBy::Value => trace.token(pos),
            _ => self.parts.as_ref()?.pass.token(pos),
        }
    }

    /// A number's part in the prediction; none of values, and where there is none.
    pub fn part(&self, config: &ModelConfig, cell: CellId) -> Option<f32> {
        let token = self.parts.as_ref()?.pass.token(cell.pos)?;
        if let Some(BlockSite::Pattern | BlockSite::AttnScores) = cell.hook.site() {
            let row = token.attention_row(cell.hook, cell.head)?;
            return row.get(cell.index).copied();
        }
        let index = cell.head * config.d_head + cell.index;
        token.row(cell.hook)?.get(index).copied()
    }

    /// The study that answers what is to be shown.
    fn wanted(&self, by: ColorBy, trace: &ActiveTrace, playhead: &Playhead) -> Option<Study> {
        let mut tokens = trace.tokens();
        let last = tokens.len().checked_sub(1)?;
        let wish = self.wish.unwrap_or_default();
        let pos = wish.pos.unwrap_or(playhead.lane).min(last);
        let wish = TargetWish {
            pos: Some(pos),
            ..wish
        };
        tokens.truncate(pos + 1);
        Some(Study {
            id: 0,
            tokens,
            ablations: trace.ablations().to_vec(),
            question: by.question(wish)?,
        })
    }

    /// Takes over what is to be shown; says whether that is something else.
    fn show(&mut self, by: ColorBy, answer: Option<(u64, Option<Parts>)>) -> bool {
        let study = answer.as_ref().map(|(study, _)| *study);
        if (self.shown, self.study) == (by, study) {
            return false;
        }
        (self.shown, self.study) = (by, study);
        self.parts = answer.and_then(|(_, parts)| parts);
        self.version += 1;
        true
    }
}

/// The parts of an answer; none if it is none, or was not of what is recorded.
fn parts(answer: &Answer, trace: &ActiveTrace) -> Option<Parts> {
    match answer {
        Answer::Gradients(gradients) => Some(Parts {
            target: gradients.target,
            value: gradients.value,
            pass: Pass {
                first_pos: 0,
                tokens: trace.tokens()[..=gradients.target.pos].to_vec(),
                cache: attribution_cells(gradients),
            },
        }),
        Answer::Direct(direct) => {
            let token = trace.token(direct.target.pos)?;
            let config = &trace.model()?.config;
            Some(Parts {
                target: direct.target,
                value: direct.value,
                pass: Pass {
                    first_pos: direct.target.pos,
                    tokens: vec![token.token],
                    cache: direct_cells(direct, &token, config),
                },
            })
        }
        Answer::Integrated(_) | Answer::Ablation(_) => None,
    }
}

/// Asks for what is to be shown, and brings it into the table once it is there.
pub(super) fn follow(
    settings: Res<SceneSettings>,
    trace: Res<ActiveTrace>,
    playhead: Res<Playhead>,
    limits: Res<SceneLimits>,
    mut studies: ResMut<Studies>,
    mut overlay: ResMut<Overlay>,
    mut values: ResMut<ValueTable>,
    mut pool: ResMut<ValuePool>,
    mut engine: MessageWriter<EngineWish>,
) {
    let Some(model) = trace.model() else {
        return;
    };
    let by = settings.color_by;
    let mut answer = None;
    let mut failure = None;
    if let Some(wanted) = overlay.wanted(by, &trace, &playhead)
        && !trace.is_computing()
    {
        engine.write_batch(studies.bypass_change_detection().ask(
            Topic::World,
            &wanted.tokens,
            &wanted.ablations,
            wanted.question,
        ));
        match studies.get(Topic::World) {
            Some(Asked {
                study,
                state: StudyState::Done(found),
            }) => {
                let is_shown = overlay.shown == by && overlay.study == Some(study.id);
                let found = (!is_shown).then(|| parts(found, &trace)).flatten();
                answer = Some((study.id, found));
            }
            Some(Asked {
                state: StudyState::Failed(why),
                ..
            }) => failure = Some(why.clone()),
            _ => {}
        }
    }
    if overlay.failure != failure {
        overlay.failure = failure;
    }
    let before = (overlay.shown, overlay.study);
    let study = answer.as_ref().map(|(study, _)| *study);
    let is_new = before != (by, study) && overlay.show(by, answer);
    // Another text has made the table anew.
    if is_new || values.source() != overlay.version && by != ColorBy::Value {
        values.reset(&model.config, limits.buffer_bytes / size_of::<f32>());
        values.set_source(if by == ColorBy::Value {
            0
        } else {
            overlay.version
        });
        if trace.is_saved() {
            values.allow_gaps();
        }
        values.set_lanes(trace.n_lanes());
        values.note_refilled();
        pool.clear();
        let choice = &settings.arc_choice;
        let mut take = |pass: &Pass| {
            for (hook, activation) in &pass.cache {
                values.write(*hook, pass.first_pos, activation, choice);
            }
        };
        match (by, &overlay.parts) {
            (ColorBy::Value, _) => trace.passes().for_each(take),
            (_, Some(parts)) => take(&parts.pass),
            (_, None) => {}
        }
    }
}
