//! What the views' tests share: a model and a text it has read, and a harness that draws one view of
//! it by egui alone.

mod stage;

use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

use crate::analysis::{Candidate, LensReading, top_candidates};
use crate::config::ModelConfig;
use crate::engine::LoadedModel;
use crate::hook::{BlockSite, HookPoint};
use crate::model::{LoadSettings, Model, ModelSource};
use crate::trace::{Activation, ActivationCache, Pass, Trace, Vocab};
pub use stage::{Stage, StageHarness, cell_at, click, click_at, harness, harness_of, hover, texts};

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
        Self::of_model(&ModelSource::Demo, prompt)
    }

    /// A model after a text, which is read in one pass.
    pub fn of_model(source: &ModelSource, prompt: &str) -> Self {
        let model = Model::load(source, &LoadSettings::default(), &mut |_| {}).unwrap();
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

mod tests {
    use std::path::Path;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::analysis::grouped;
    use crate::viewer::ui::panels::plots::Plot;

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

    #[test]
    fn every_view_shows_a_text_of_every_family() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        for family in ["llama", "mistral", "qwen2", "qwen3", "gpt_neox"] {
            let source = ModelSource::Folder(fixtures.join(family));
            let fixture = Arc::new(Fixture::of_model(&source, "The quick brown fox"));
            let config = &fixture.loaded.config;
            let last = config.n_layers - 1;
            let read = fixture.trace.tokens().last().unwrap();
            let best = fixture.lens[last].last().unwrap()[0].token;
            for (plot, shown) in [
                (Plot::Summary, grouped(config.parameter_count())),
                (Plot::Activations, fixture.loaded.vocab.label(read)),
                (Plot::Attention, format!("of {}", config.n_heads)),
                (Plot::Embeddings, "Variance explained".to_owned()),
                (Plot::Saliency, "Greatest".to_owned()),
                (Plot::Lens, fixture.loaded.vocab.label(best)),
                (Plot::Ablation, format!("of {}", config.n_heads)),
            ] {
                let stage = Stage::new(Arc::clone(&fixture), plot);
                let mut harness = harness_of(stage, [900.0, 700.0]);
                while harness.state_mut().answer() > 0 {
                    harness.run_ok();
                }
                let started = Instant::now();
                while !texts(&harness).contains(&shown) {
                    let texts = texts(&harness);
                    let waited = started.elapsed();
                    assert!(
                        waited < Duration::from_secs(20),
                        "{family} {plot:?}: {shown:?} in {texts}"
                    );
                    harness.step();
                }
            }
        }
    }
}
