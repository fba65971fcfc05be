//! What the views' tests share: a model and a text it has read, and a harness that draws one view of
//! it by egui alone.

use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

use egui::{Pos2, Rect, Ui};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

use super::{Plot, PlotView, Plots};
use crate::ablation::Ablation;
use crate::analysis::{Candidate, LensReading, top_candidates};
use crate::color::Theme;
use crate::config::ModelConfig;
use crate::engine::{Answer, LoadedModel, Question, Study};
use crate::hook::{BlockSite, HookPoint};
use crate::layout::Cell;
use crate::model::{LoadSettings, Model, ModelError, ModelSource};
use crate::trace::{Activation, ActivationCache, Pass, TokenTrace, Trace, Vocab};
use crate::viewer::inference::{EngineWish, Studies, TraceEvent};
use crate::viewer::playback::Playhead;
use crate::viewer::ui::panels::Intent;
use crate::viewer::ui::theme;

/// What the model of [`Fixture::demo`] has read: some words come twice, so that heads have something
/// to find.
pub const PROMPT: &str = "Mary gave John a red ball. Mary gave";

/// A model and a text it has read.
pub struct Fixture {
    /// What runs; none where the values are made up.
    pub model: Option<Model>,
    /// What the views know of the model.
    pub loaded: LoadedModel,
    /// Everything recorded.
    pub trace: Trace,
    /// What each layer's end predicts, `[layer][pos]`, most probable first.
    pub lens: Vec<Vec<Vec<Candidate>>>,
    /// The same with how sure each layer is.
    pub readings: Vec<Vec<LensReading>>,
}

impl Fixture {
    /// The embedded model after [`PROMPT`]; made once for all tests.
    pub fn demo() -> Arc<Self> {
        static DEMO: OnceLock<Arc<Fixture>> = OnceLock::new();
        Arc::clone(DEMO.get_or_init(|| Arc::new(Self::of_prompt(PROMPT))))
    }

    /// The embedded model after one token.
    pub fn one_token() -> Arc<Self> {
        Arc::new(Self::of_prompt("Mary"))
    }

    /// The embedded model after a text, which is read in one pass.
    pub fn of_prompt(prompt: &str) -> Self {
        let model = Model::load(&ModelSource::Demo, &LoadSettings::default(), &mut |_| {}).unwrap();
        let tokens = model.encode_prompt(prompt).unwrap();
        let mut cache = ActivationCache::new();
        model
            .run(&mut model.session(), &tokens, &mut |hook, activation| {
                cache.insert(hook, activation);
                ControlFlow::Continue(())
            })
            .unwrap();
        let config = model.config().clone();
        let readings = readings(&model, &cache);
        let tops = |row: &Vec<LensReading>| row.iter().map(|reading| reading.top.clone()).collect();
        let lens = readings.iter().map(tops).collect();
        let mut trace = Trace::new(config.clone());
        trace.push(Arc::new(Pass {
            first_pos: 0,
            tokens,
            cache,
        }));
        let loaded = LoadedModel {
            name: model.name().to_owned(),
            config,
            vocab: model.vocab().clone(),
            weights: model.weights().cloned(),
        };
        Self {
            model: Some(model),
            loaded,
            trace,
            lens,
            readings,
        }
    }

    /// Values made up by `value` from their hook point and place in the tensor, over a text of `n_pos`
    /// tokens; the tokens repeat after ten.
    pub fn made_up(
        config: ModelConfig,
        n_pos: usize,
        value: impl Fn(HookPoint, usize) -> f32,
    ) -> Arc<Self> {
        let hooks = config.hook_points().into_iter();
        // Nothing here shows them, and they are many.
        let hooks = hooks.filter(|hook| *hook != HookPoint::Logits);
        let cache = hooks
            .map(|hook| {
                let shape = config.shape(hook, n_pos);
                let values = (0..shape.iter().product()).map(|index| value(hook, index));
                (hook, Activation::new(shape, values.collect()))
            })
            .collect();
        let mut trace = Trace::new(config.clone());
        trace.push(Arc::new(Pass {
            first_pos: 0,
            tokens: (0..n_pos as u32).map(|pos| pos % 10).collect(),
            cache,
        }));
        let texts = (0..10).map(|token| format!(" word{token}")).collect();
        Arc::new(Self {
            model: None,
            loaded: LoadedModel {
                name: "made up".to_owned(),
                config,
                vocab: Vocab::new(texts),
                weights: None,
            },
            trace,
            lens: Vec::new(),
            readings: Vec::new(),
        })
    }

    /// A small shape, for [`Self::made_up`].
    pub fn small_config() -> ModelConfig {
        ModelConfig {
            n_layers: 2,
            d_model: 8,
            n_heads: 2,
            d_head: 4,
            d_mlp: 16,
            n_ctx: 1024,
            d_vocab: 10,
            ..ModelConfig::preset("gpt2").unwrap()
        }
    }

    /// How many tokens were read.
    pub fn n_pos(&self) -> usize {
        self.trace.len()
    }

    /// A token's vector, or one of its heads' rows, as it was recorded.
    pub fn row(&self, hook: HookPoint, pos: usize) -> &[f32] {
        self.trace.token(pos).unwrap().row(hook).unwrap()
    }

    /// What a head's query attends to.
    pub fn pattern(&self, layer: usize, head: usize, query: usize) -> &[f32] {
        let hook = HookPoint::block(layer, BlockSite::Pattern);
        let token = self.trace.token(query).unwrap();
        token.attention_row(hook, head).unwrap()
    }
}

fn readings(model: &Model, cache: &ActivationCache) -> Vec<Vec<LensReading>> {
    let last = cache[&HookPoint::Logits].values();
    (0..model.config().n_layers)
        .map(|layer| {
            let resid = &cache[&HookPoint::block(layer, BlockSite::ResidPost)];
            let logits = model.unembed(resid.values()).unwrap();
            let rows = logits.chunks_exact(model.config().d_vocab);
            let last = last.chunks_exact(model.config().d_vocab);
            rows.zip(last)
                .map(|(row, last)| LensReading::of(row, last, 5))
                .collect()
        })
        .collect()
}

/// What a harness draws, and what came of it.
pub struct Stage {
    /// The views.
    pub plots: Plots,
    /// What they show.
    pub fixture: Arc<Fixture>,
    /// The one that is drawn; the dock with all that are open without one.
    pub plot: Option<Plot>,
    /// Whether the model is there yet.
    pub is_loaded: bool,
    /// How many of the text's tokens are there yet.
    pub n_pos: usize,
    /// Where the picture stands.
    pub playhead: Playhead,
    /// The number that is chosen in the world.
    pub pinned: Option<Cell>,
    /// The token that is chosen among those of a projection.
    pub chosen_token: Option<u32>,
    /// Dark or light.
    pub theme: Theme,
    /// Whether a pass is being computed.
    pub is_computing: bool,
    /// Whether there are weights to run.
    pub can_run: bool,
    /// How far loading has come, 0 to 1.
    pub loading: Option<f32>,
    /// What went wrong last.
    pub failure: Option<String>,
    /// Counts up as in [`PlotView`].
    pub version: u64,
    /// Counts up as in [`PlotView`].
    pub text: u64,
    /// The parts that are set to zero.
    pub ablations: Vec<Ablation>,
    /// What was asked about predictions, and found.
    pub studies: Studies,
    /// Everything that was wished since it was last emptied.
    pub intents: Vec<Intent>,
    /// What the dock left to the world.
    pub world: Rect,
    themed: Option<Theme>,
}

impl Stage {
    /// One view of a text that is read to its end.
    pub fn new(fixture: Arc<Fixture>, plot: Plot) -> Self {
        let n_pos = fixture.n_pos();
        let n_orders = fixture.loaded.config.hook_points().len();
        Self {
            plots: Plots::default(),
            fixture,
            plot: Some(plot),
            is_loaded: true,
            n_pos,
            playhead: Playhead {
                lane: n_pos.saturating_sub(1),
                first_lane: 0,
                order: n_orders as f32,
            },
            pinned: None,
            chosen_token: None,
            theme: Theme::Dark,
            is_computing: false,
            can_run: true,
            loading: None,
            failure: None,
            version: 1,
            text: 1,
            ablations: Vec::new(),
            studies: Studies::default(),
            intents: Vec::new(),
            world: Rect::NOTHING,
            themed: None,
        }
    }

    /// Takes the wishes so far.
    pub fn wishes(&mut self) -> Vec<Intent> {
        std::mem::take(&mut self.intents)
    }

    /// Takes what is asked of the engine out of the wishes, and says what that was.
    pub fn asked(&mut self) -> Vec<Study> {
        let mut asked = Vec::new();
        let intents = std::mem::take(&mut self.intents);
        for intent in intents {
            match intent {
                Intent::Study(topic, study) => {
                    self.studies.forget_failure(topic);
                    let (tokens, ablations) = (&study.tokens, &study.ablations);
                    let wishes = self.studies.ask(topic, tokens, ablations, study.question);
                    asked.extend(wishes.into_iter().filter_map(|wish| match wish {
                        EngineWish::Study(study) => Some(study),
                        _ => None,
                    }));
                }
                Intent::CancelStudy(topic) => drop(self.studies.cancel(topic)),
                other => self.intents.push(other),
            }
        }
        asked
    }

    /// Tells what an engine would of a study.
    pub fn tell(&mut self, event: TraceEvent) {
        self.studies.note(&event);
    }

    /// Answers what is asked of the engine with the fixture's own model; how many questions there were.
    pub fn answer(&mut self) -> usize {
        let asked = self.asked();
        let n_asked = asked.len();
        for study in asked {
            let answer = self.answer_to(&study).map_err(|error| error.to_string());
            self.tell(TraceEvent::StudyDone {
                id: study.id,
                answer,
            });
        }
        n_asked
    }

    fn answer_to(&self, study: &Study) -> Result<Answer, ModelError> {
        let model = self.fixture.model.as_ref().unwrap();
        let (tokens, parts) = (&study.tokens[..], &study.ablations[..]);
        Ok(match study.question {
            Question::Gradients { wish, extent } => {
                let is_wanted = |hook| extent.includes(hook);
                Answer::Gradients(Arc::new(model.gradients(tokens, parts, wish, &is_wanted)?))
            }
            Question::Integrated { wish, settings } => {
                let answer = model.integrated_gradients(tokens, parts, wish, settings)?;
                Answer::Integrated(Arc::new(answer))
            }
            Question::Direct { wish } => {
                let pos = wish.position(tokens.len())?;
                let token = self.fixture.trace.token(pos).unwrap();
                Answer::Direct(Arc::new(model.direct_attribution(&token, wish)?))
            }
            Question::Ablation { wish } => {
                Answer::Ablation(Arc::new(model.ablation_effect(tokens, parts, wish)?))
            }
        })
    }

    fn ui(&mut self, ui: &mut Ui) {
        if self.themed.replace(self.theme) != Some(self.theme) {
            theme::apply(ui.ctx(), self.theme);
            ui.ctx().all_styles_mut(|style| {
                style.interaction.tooltip_delay = 0.0;
                style.interaction.show_tooltips_only_when_still = false;
            });
        }
        let fixture = Arc::clone(&self.fixture);
        let failure = self.failure.clone();
        let mut positions: Vec<TokenTrace<'_>> = fixture.trace.positions();
        positions.truncate(self.n_pos);
        let tokens: Vec<u32> = positions.iter().map(|position| position.token).collect();
        let view = PlotView {
            lens_reading: &|layer, pos| fixture.readings.get(layer)?.get(pos),
            tokens: &tokens,
            ablations: &self.ablations,
            studies: &self.studies,
            model: self.is_loaded.then_some(&fixture.loaded),
            positions: &positions,
            version: self.version,
            text: self.text,
            token_text: &|token| fixture.loaded.vocab.label(token),
            lens: &|layer, pos| Some(fixture.lens.get(layer)?.get(pos)?.as_slice()),
            playhead: self.playhead,
            pinned: self.pinned,
            chosen_token: self.chosen_token,
            theme: self.theme,
            is_computing: self.is_computing,
            can_run: self.can_run,
            loading: self.loading,
            failure: failure.as_deref(),
        };
        match self.plot {
            Some(plot) => self.plots.plot(ui, plot, &view, &mut self.intents),
            None => self.world = self.plots.show(ui, &view, &mut self.intents),
        }
    }
}

/// A stage that is drawn into this many points, and what can be done to it.
pub type StageHarness = Harness<'static, Stage>;

/// Draws a stage until it comes to rest.
pub fn harness_of(stage: Stage, size: [f32; 2]) -> StageHarness {
    Harness::builder()
        .with_size(size)
        .with_max_steps(64)
        .build_ui_state(|ui, stage: &mut Stage| stage.ui(ui), stage)
}

/// One view of the embedded model's text, in a window of a usual size.
pub fn harness(plot: Plot) -> StageHarness {
    harness_of(Stage::new(Fixture::demo(), plot), [720.0, 620.0])
}

/// Every text that was drawn in the last frame, tooltips included, a line each.
pub fn texts(harness: &StageHarness) -> String {
    fn collect(shape: &egui::Shape, lines: &mut String) {
        match shape {
            egui::Shape::Text(text) => {
                lines.push_str(&text.galley.job.text);
                lines.push('\n');
            }
            egui::Shape::Vec(shapes) => shapes.iter().for_each(|shape| collect(shape, lines)),
            _ => {}
        }
    }
    let mut lines = String::new();
    for clipped in &harness.output().shapes {
        collect(&clipped.shape, &mut lines);
    }
    lines
}

/// Clicks what is labelled so, and lets it come to rest.
pub fn click(harness: &mut StageHarness, label: &str) {
    harness.get_by_label(label).click();
    harness.run_ok();
}

/// Where a cell of a picture of `[n_rows, n_columns]` is that has a name beginning so.
pub fn cell_at(
    harness: &StageHarness,
    name: &str,
    (row, column): (usize, usize),
    (n_rows, n_columns): (usize, usize),
) -> Pos2 {
    let rect = harness.get_by_label_contains(name).rect();
    let share = egui::vec2(
        (column as f32 + 0.5) / n_columns as f32,
        (row as f32 + 0.5) / n_rows as f32,
    );
    rect.min + share * rect.size()
}

/// Puts the pointer there, and lets the tooltip come.
pub fn hover(harness: &mut StageHarness, at: Pos2) {
    harness.hover_at(at);
    harness.run_ok();
    harness.run_ok();
}

/// Clicks there.
pub fn click_at(harness: &mut StageHarness, at: Pos2) {
    harness.hover_at(at);
    harness.drag_at(at);
    harness.run_ok();
    harness.event(egui::Event::PointerButton {
        pos: at,
        button: egui::PointerButton::Primary,
        pressed: false,
        modifiers: egui::Modifiers::NONE,
    });
    harness.run_ok();
}

mod tests {
    use super::*;

    #[test]
    fn the_fixture_is_a_real_run() {
        let fixture = Fixture::demo();
        let model = fixture.model.as_ref().unwrap();
        assert_eq!(model.encode_prompt(PROMPT).unwrap(), tokens(&fixture));

        assert_eq!(fixture.n_pos(), fixture.trace.tokens().count());
        assert!(fixture.n_pos() > 6, "{}", fixture.n_pos());
        let last = fixture.n_pos() - 1;
        let sum: f32 = fixture.pattern(0, 0, last).iter().sum();
        assert!((sum - 1.0).abs() < 1e-5, "{sum}");
        assert_eq!(fixture.lens.len(), fixture.loaded.config.n_layers);
        let best = fixture.lens.last().unwrap()[last][0];
        let logits = fixture.row(HookPoint::Logits, last);
        assert_eq!(top_candidates(logits, 1)[0].token, best.token);
    }

    fn tokens(fixture: &Fixture) -> Vec<u32> {
        fixture.trace.tokens().collect()
    }

    #[test]
    fn every_view_says_what_it_waits_for_and_what_failed() {
        for plot in Plot::ALL {
            let mut harness = harness(plot);
            assert!(!texts(&harness).is_empty(), "{plot:?}");
            harness.state_mut().is_loaded = false;
            harness.state_mut().n_pos = 0;
            harness.state_mut().loading = Some(0.25);
            harness.run_ok();
            assert!(texts(&harness).contains("25%"), "{plot:?}");

            harness.state_mut().loading = None;
            harness.state_mut().failure = Some("No such file: model.safetensors".to_owned());
            harness.run_ok();
            assert!(texts(&harness).contains("No such file"), "{plot:?}");

            harness.state_mut().failure = None;
            harness.run_ok();
            assert!(
                texts(&harness).contains("No model is loaded yet"),
                "{plot:?}"
            );
        }
    }
}
