//! What the views beside the world cost: a frame with one of them open less the frame without, at
//! GPT-2 Medium's shape and 256 tokens. The values are made up; the cost does not hang on them.
//!
//! It is egui alone, with no application and no GPU: laying out, painting, and tessellating what was
//! painted. `steady` is a frame in which nothing changes, `moving` one in which the playhead moves,
//! `worst` the longest after the page was opened, while what it shows is computed.
//!
//! The last line is JSON, in milliseconds. Words on the command line pick pages by their names.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Instant;

use egui::{Context, Event, Modifiers, PointerButton, Pos2, RawInput, Rect, vec2};
use llmscope::analysis::Candidate;
use llmscope::attribution::{DirectAttribution, Gradients, Target};
use llmscope::color::Theme;
use llmscope::config::ModelConfig;
use llmscope::engine::{Answer, LoadedModel, Question, Study};
use llmscope::hook::HookPoint;
use llmscope::trace::{Activation, ActivationCache, Pass, Trace, Vocab};
use llmscope::viewer::inference::{EngineWish, Studies, TraceEvent};
use llmscope::viewer::playback::Playhead;
use llmscope::viewer::ui::panels::{Intent, Plot, PlotView, Plots};
use llmscope::viewer::ui::theme;
use serde_json::{Map, json};

const N_POS: usize = 256;
/// Frames after which a page that still computes is given up.
const MAX_SETTLING: usize = 4_000;
const FRAMES: usize = 200;
/// What a view may add to a frame.
const BUDGET_MS: f64 = 2.0;
/// Points: a view as it opens in a large window.
const SIZE: [f32; 2] = [780.0, 900.0];

/// A view, and the label of what is clicked to come to one of its pages.
const PAGES: [(&str, Plot, &[&str]); 21] = [
    ("summary", Plot::Summary, &["Open all"]),
    ("activations-map", Plot::Activations, &["Map"]),
    ("activations-neurons", Plot::Activations, &["Most active"]),
    ("activations-table", Plot::Activations, &["Neuron table"]),
    ("activations-spread", Plot::Activations, &["Distribution"]),
    ("activations-norms", Plot::Activations, &["Residual norms"]),
    ("attention-matrix", Plot::Attention, &["Matrix"]),
    (
        "attention-mean",
        Plot::Attention,
        &["Matrix", "mean of heads"],
    ),
    ("attention-rollout", Plot::Attention, &["Matrix", "rollout"]),
    ("attention-lines", Plot::Attention, &["Lines"]),
    ("attention-heads", Plot::Attention, &["All heads"]),
    ("attention-scores", Plot::Attention, &["Head scores"]),
    ("embeddings", Plot::Embeddings, &[]),
    ("saliency-tokens", Plot::Saliency, &["Compute", "Tokens"]),
    (
        "saliency-layers",
        Plot::Saliency,
        &["Compute", "Tokens by layer"],
    ),
    ("saliency-heads", Plot::Saliency, &["Compute", "Heads"]),
    ("saliency-neurons", Plot::Saliency, &["Compute", "Neurons"]),
    (
        "attribution-layers",
        Plot::Lens,
        &["Attribution", "Compute", "By layer"],
    ),
    (
        "attribution-heads",
        Plot::Lens,
        &["Attribution", "Compute", "Heads"],
    ),
    (
        "attribution-neurons",
        Plot::Lens,
        &["Attribution", "Compute", "Neurons"],
    ),
    ("ablation", Plot::Ablation, &[]),
];

/// What every study is about.
const TARGET: Target = Target {
    pos: N_POS - 1,
    token: 5,
    minus: None,
};

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    let is_wanted =
        |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    let text = Text::new();
    let empty = Bench::new(&text, None).steady(false);
    let mut figures = Map::new();
    let mut out = io::stdout();
    writeln!(out, "frame without a view: {empty:.3} ms")?;
    writeln!(
        out,
        "{:<22}{:>9}{:>9}{:>9}",
        "page", "steady", "moving", "worst"
    )?;
    let lens = [("lens-grid", Plot::Lens, &[][..])];
    for (name, plot, clicks) in PAGES.into_iter().chain(lens) {
        if !is_wanted(name) {
            continue;
        }
        let mut bench = Bench::new(&text, Some(plot));
        for label in clicks {
            bench.click(label);
        }
        let worst = bench.settle();
        let steady = bench.steady(false) - empty;
        let moving = bench.steady(true) - empty;
        let mark = if steady.max(moving) > BUDGET_MS {
            "  over"
        } else {
            ""
        };
        writeln!(
            out,
            "{name:<22}{steady:>9.3}{moving:>9.3}{worst:>9.3}{mark}"
        )?;
        let figure = json!({ "steady": steady, "moving": moving, "worst": worst });
        figures.insert(name.to_owned(), figure);
    }
    let all = json!({ "unit": "ms", "budget": BUDGET_MS, "empty": empty, "pages": figures });
    writeln!(out, "{all}")
}

/// What was computed of the text.
struct Text {
    model: LoadedModel,
    trace: Trace,
    lens: Vec<Candidate>,
}

impl Text {
    fn new() -> Self {
        let config = ModelConfig::preset("gpt2-medium").expect("a shape known by name");
        let mut trace = Trace::new(config.clone());
        let hooks = config.hook_points().into_iter();
        let cache = hooks
            .filter(|hook| *hook != HookPoint::Logits)
            .map(|hook| (hook, values(&config, hook)))
            .collect();
        trace.push(Arc::new(Pass {
            first_pos: 0,
            tokens: (0..N_POS as u32).map(|pos| pos * 37 % 97).collect(),
            cache,
        }));
        let texts = (0..config.d_vocab).map(|token| format!(" word{token}"));
        let vocab = Vocab::new(texts.collect());
        let lens = (0..5).map(|rank| Candidate {
            token: rank * 1_001,
            probability: 0.5 / (1 << rank) as f32,
        });
        Self {
            model: LoadedModel {
                name: "gpt2-medium".to_owned(),
                config,
                vocab,
                weights: None,
            },
            trace,
            lens: lens.collect(),
        }
    }
}

/// Numbers made up; a pattern's rows sum to about one, most of it at few keys.
fn values(config: &ModelConfig, hook: HookPoint) -> Activation {
    let shape = config.shape(hook, N_POS);
    let n = shape.iter().product();
    let mut state = hook.layer().unwrap_or(99) as u32 ^ 0x9E37_79B9;
    let values = (0..n).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let share = (state >> 8) as f32 / (1 << 24) as f32;
        if hook.is_non_negative() {
            share.powi(64)
        } else {
            4.0 * share - 2.0
        }
    });
    Activation::new(shape, values.collect())
}

/// An answer of the right shape; none to what no page here asks.
fn answer(config: &ModelConfig, study: &Study) -> Option<Answer> {
    match study.question {
        Question::Gradients { extent, .. } => {
            let hooks = config.hook_points().into_iter();
            let cache: ActivationCache = hooks
                .filter(|hook| extent.includes(*hook))
                .map(|hook| (hook, values(config, hook)))
                .collect();
            Some(Answer::Gradients(Arc::new(Gradients {
                target: TARGET,
                value: 3.0,
                gradients: cache.clone(),
                values: cache,
            })))
        }
        Question::Direct { .. } => {
            let share = |index: usize| (index % 17) as f32 / 8.0 - 1.0;
            let layers = |width: usize| -> Vec<Vec<f32>> {
                let layers = 0..config.n_layers;
                layers
                    .map(|layer| (0..width).map(|n| share(n * 7 + layer)).collect())
                    .collect()
            };
            Some(Answer::Direct(Arc::new(DirectAttribution {
                target: TARGET,
                value: 3.0,
                embed: 0.1,
                pos_embed: -0.1,
                heads: layers(config.n_heads),
                z: layers(config.d_model),
                attn_bias: vec![0.1; config.n_layers],
                neurons: layers(config.d_mlp),
                mlp_bias: vec![0.1; config.n_layers],
                bias: 0.1,
                direction: vec![0.1; config.d_model],
            })))
        }
        Question::Integrated { .. } | Question::Ablation { .. } => None,
    }
}

/// One view, drawn frame by frame.
struct Bench<'a> {
    text: &'a Text,
    studies: Studies,
    plot: Option<Plot>,
    plots: Plots,
    context: Context,
    lane: usize,
    time: f64,
    repaints: bool,
    /// What the view wished for in its last frame.
    asked: Vec<Intent>,
}

impl<'a> Bench<'a> {
    fn new(text: &'a Text, plot: Option<Plot>) -> Self {
        let context = Context::default();
        theme::apply(&context, Theme::Dark);
        let mut bench = Self {
            text,
            studies: Studies::default(),
            plot,
            plots: Plots::default(),
            context,
            lane: N_POS - 1,
            time: 0.0,
            repaints: false,
            asked: Vec::new(),
        };
        for _ in 0..3 {
            bench.frame(Vec::new());
        }
        bench
    }

    /// Draws a frame, and says how long that took, in milliseconds.
    fn frame(&mut self, events: Vec<Event>) -> f64 {
        let start = Instant::now();
        let output = self.run(events);
        let primitives = self
            .context
            .tessellate(output.shapes, output.pixels_per_point);
        let millis = 1e3 * start.elapsed().as_secs_f64();
        drop(primitives);
        self.answer();
        let mut viewports = output.viewport_output.into_values();
        self.repaints = viewports.any(|viewport| viewport.repaint_delay.is_zero());
        millis
    }

    fn run(&mut self, events: Vec<Event>) -> egui::FullOutput {
        self.time += 1.0 / 60.0;
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, SIZE.into())),
            time: Some(self.time),
            events,
            ..RawInput::default()
        };
        let Self {
            text,
            studies,
            plot,
            plots,
            ..
        } = self;
        let positions = text.trace.positions();
        let tokens: Vec<u32> = text.trace.tokens().collect();
        let view = PlotView {
            lens_reading: &|_, _| None,
            tokens: &tokens,
            ablations: &[],
            studies,
            model: Some(&text.model),
            positions: &positions,
            version: 1,
            text: 1,
            token_text: &|token| text.model.vocab.label(token),
            lens: &|_, _| Some(&text.lens),
            playhead: Playhead {
                lane: self.lane,
                first_lane: 0,
                order: text.model.config.hook_points().len() as f32,
            },
            pinned: None,
            chosen_token: None,
            theme: Theme::Dark,
            is_computing: false,
            can_run: true,
            loading: None,
            failure: None,
        };
        let mut intents = Vec::new();
        let output = self.context.run_ui(input, |ui| {
            if let Some(plot) = *plot {
                plots.plot(ui, plot, &view, &mut intents);
            }
        });
        self.asked = intents;
        output
    }

    /// Answers what the view has asked.
    fn answer(&mut self) {
        for intent in std::mem::take(&mut self.asked) {
            let Intent::Study(topic, study) = intent else {
                continue;
            };
            let wishes = self
                .studies
                .ask(topic, &study.tokens, &study.ablations, study.question);
            for wish in wishes {
                if let EngineWish::Study(study) = wish
                    && let Some(answer) = answer(&self.text.model.config, &study)
                {
                    self.studies.note(&TraceEvent::StudyDone {
                        id: study.id,
                        answer: Ok(answer),
                    });
                }
            }
        }
    }

    /// Clicks what has this label.
    fn click(&mut self, label: &str) {
        self.context.enable_accesskit();
        let output = self.run(Vec::new());
        let update = output.platform_output.accesskit_update;
        let nodes = update.into_iter().flat_map(|update| update.nodes);
        let at = nodes
            .filter(|(_, node)| node.label() == Some(label))
            .find_map(|(_, node)| node.bounds())
            .unwrap_or_else(|| panic!("nothing is labelled {label}"));
        let at = Pos2::new(at.x0 as f32, at.y0 as f32) + vec2(4.0, 4.0);
        self.context.disable_accesskit();
        self.frame(vec![Event::PointerMoved(at)]);
        for pressed in [true, false] {
            self.frame(vec![Event::PointerButton {
                pos: at,
                button: PointerButton::Primary,
                pressed,
                modifiers: Modifiers::NONE,
            }]);
        }
        self.frame(vec![Event::PointerGone]);
    }

    /// Draws until nothing more is computed, and says how long the longest frame took.
    fn settle(&mut self) -> f64 {
        let mut worst = 0.0f64;
        for _ in 0..MAX_SETTLING {
            worst = worst.max(self.frame(Vec::new()));
            if !self.repaints {
                break;
            }
        }
        worst
    }

    /// The median frame, with the playhead at rest or moving, in milliseconds.
    fn steady(&mut self, is_moving: bool) -> f64 {
        let mut frames: Vec<f64> = (0..FRAMES)
            .map(|frame| {
                if is_moving {
                    self.lane = N_POS - 1 - frame % N_POS;
                }
                self.frame(Vec::new())
            })
            .collect();
        frames.sort_by(f64::total_cmp);
        frames[FRAMES / 2]
    }
}
