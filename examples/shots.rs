//! Renders the standard views into `target/shots/*.png`: of the embedded model, of small models and of
//! large shapes of every family, and of a thousand tokens. Words on the command line pick the shots
//! whose names hold them.

#[path = "shots/families.rs"]
mod families;
#[path = "shots/panels.rs"]
mod panels;

use std::collections::HashMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use candle_core::{Device, Tensor};
use llmscope::ablation::Ablation;
use llmscope::analysis::projection::{ProjectionSettings, project};
use llmscope::color::{Scaling, Theme};
use llmscope::config::ModelConfig;
use llmscope::engine::{
    EngineHandle, EngineRequest, EngineUpdate, LoadWatch, Prompt, VectorSource,
};
use llmscope::hook::{BlockSite, HookPoint};
use llmscope::layout::{CellId, GroundRect, Kind, ModelLayout};
use llmscope::model::{LoadSettings, Model, ModelError, ModelSource};
use llmscope::viewer::app::{Subject, ViewerOptions};
use llmscope::viewer::capture::{Offscreen, save_png};
use llmscope::viewer::scene::{Cloud, CloudPoint, ColorBy, PointCloud, SceneSettings};
use llmscope::viewer::ui::UiSettings;
use llmscope::viewer::ui::panels::Plot;
use llmscope::viewer::viewpoint::{Pose, Screen, Viewpoint};
use llmscope::weight::{WeightPoint, WeightSite};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const PROMPT: &str = "Mary gave John a red ball. John took the";
const NEW_TOKENS: usize = 3;

/// Where the camera stands.
type PoseOf = fn(&ModelLayout, &Screen) -> Pose;

/// A picture to be made.
struct Shot {
    name: String,
    theme: Theme,
    has_panels: bool,
    pose: PoseOf,
    /// How far the signal has come in the last pass, in hook points; all the way without it.
    order: Option<f32>,
    /// Changes what is shown.
    settings: fn(&mut SceneSettings),
    /// Views open beside the world, with the page in front of each.
    plots: Vec<(Plot, usize)>,
    /// Parts set to zero.
    ablations: Vec<Ablation>,
    /// Whether the vocabulary's projection stands in the world.
    has_cloud: bool,
}

fn main() -> Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter("error")
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
    let folder = PathBuf::from("target/shots");
    fs::create_dir_all(&folder)?;
    let only: Vec<String> = std::env::args().skip(1).collect();
    let is_wanted = |name: &str| only.is_empty() || only.iter().any(|only| name.contains(only));
    let wanted = |shots: Vec<Shot>| -> Vec<Shot> {
        let shots = shots.into_iter();
        shots.filter(|shot| is_wanted(&shot.name)).collect()
    };
    let shots = wanted(demo_shots());
    let mut panels = panels::shots();
    panels.retain(|shot| is_wanted(shot.name));
    if !shots.is_empty() || !panels.is_empty() {
        let engine = EngineHandle::start()?;
        let updates = run(&engine, ModelSource::Demo, Prompt::Text(PROMPT.to_owned()))?;
        shoot_all(&folder, shots, &updates)?;
        for shot in panels {
            panels::shoot(&folder, &shot, PROMPT, &updates)?;
        }
    }
    for shot in wanted(study_shots()) {
        shoot_studied(&folder, &shot)?;
    }
    for (name, shots) in families::shapes() {
        for shot in wanted(shots) {
            shoot_shape(&folder, name, &shot)?;
        }
    }
    for (name, shots) in families::models() {
        let shots = wanted(shots);
        if !shots.is_empty() {
            let updates = families::run(name)?;
            shoot_all(&folder, shots, &updates)?;
        }
    }
    let shots = wanted(long_shots());
    if !shots.is_empty() {
        let engine = EngineHandle::start_with(load_random)?;
        let tokens = (0..1_024u32).map(|index| index * 37 % 50_257).collect();
        let source = ModelSource::Unknown("gpt2".to_owned());
        let updates = run(&engine, source, Prompt::Tokens(tokens))?;
        shoot_all(&folder, shots, &updates)?;
    }
    Ok(())
}

fn overview(layout: &ModelLayout, screen: &Screen) -> Pose {
    Viewpoint::Overview.pose(layout, screen)
}

fn shot(name: &str, pose: PoseOf) -> Shot {
    Shot {
        name: name.to_owned(),
        theme: Theme::Dark,
        has_panels: false,
        pose,
        order: None,
        settings: |_| {},
        plots: Vec::new(),
        ablations: Vec::new(),
        has_cloud: false,
    }
}

/// Straight before a tensor of layer 1, on the lane of the sixth token.
fn before(layout: &ModelLayout, screen: &Screen, site: BlockSite) -> Pose {
    let hook = HookPoint::block(1, site);
    let rect = match (layout.block(hook), layout.band(hook)) {
        (Some(block), _) => layout.tile_rect(block, 5),
        (_, Some(band)) => band.square(2),
        _ => layout.bounds(),
    };
    Pose::before(rect, screen)
}

fn before_weight(layout: &ModelLayout, screen: &Screen, weight: WeightPoint) -> Pose {
    let rect = layout.fields_of(weight).next().map(|field| field.rect);
    Pose::before(rect.unwrap_or_default(), screen)
}

fn before_exit(layout: &ModelLayout, screen: &Screen) -> Pose {
    let last = layout.n_lanes - 1;
    let Some(skyline) = &layout.skyline else {
        return overview(layout, screen);
    };
    let near = skyline.bar(last.saturating_sub(5), 0);
    let rect = near.union(&skyline.bar(last, skyline.n_ranks - 1));
    let room = GroundRect {
        size: rect.size + glam::Vec2::new(0.0, 0.5 * skyline.height),
        ..rect
    };
    Pose {
        pitch: 0.35,
        ..Pose::before(room, screen)
    }
}

fn demo_shots() -> Vec<Shot> {
    let views: [(&str, PoseOf); 6] = [
        ("overview", overview),
        ("layer", |l, s| Viewpoint::Layer.pose(l, s)),
        ("street", |l, s| Viewpoint::Street.pose(l, s)),
        ("heads", |l, s| Viewpoint::Heads.pose(l, s)),
        ("neurons", |l, s| Viewpoint::Neurons.pose(l, s)),
        ("map", |l, s| Viewpoint::Map.pose(l, s)),
    ];
    let mut shots = Vec::new();
    for (name, pose) in views {
        for theme in [Theme::Dark, Theme::Light] {
            let suffix = if theme == Theme::Light { "-light" } else { "" };
            shots.push(Shot {
                theme,
                ..shot(&format!("{name}{suffix}"), pose)
            });
        }
    }
    let stages: [(&str, PoseOf); 8] = [
        ("stage-stream", |l, s| before(l, s, BlockSite::ResidPre)),
        ("stage-queries", |l, s| before(l, s, BlockSite::Q)),
        ("stage-scores", |l, s| before(l, s, BlockSite::AttnScores)),
        ("stage-pattern", |l, s| before(l, s, BlockSite::Pattern)),
        ("stage-neurons", |l, s| before(l, s, BlockSite::MlpPost)),
        ("stage-exit", before_exit),
        ("weights-attention", |l, s| {
            before_weight(l, s, WeightPoint::block(1, WeightSite::Query))
        }),
        ("weights-mlp", |l, s| {
            before_weight(l, s, WeightPoint::block(1, WeightSite::MlpIn))
        }),
    ];
    shots.extend(stages.map(|(name, pose)| shot(name, pose)));
    shots.push(shot("weights-close", |layout, screen| {
        let pose = before_weight(layout, screen, WeightPoint::block(1, WeightSite::Query));
        Pose {
            radius: 0.12 * pose.radius,
            ..pose
        }
    }));
    shots.push(shot("numbers", |layout, screen| {
        let pose = before(layout, screen, BlockSite::ResidPre);
        Pose {
            radius: 0.4 * pose.radius,
            ..pose
        }
    }));
    shots.push(Shot {
        order: Some(36.0),
        ..shot("halfway", overview)
    });
    shots.push(Shot {
        settings: |settings| {
            settings.arc_choice.heads = [2].into();
            settings.arc_choice.layer = Some(1);
            settings.arc_threshold = 0.05;
        },
        ..shot("arcs-one-head", |l, s| Viewpoint::Layer.pose(l, s))
    });
    shots.push(Shot {
        settings: |settings| {
            settings.hidden = [
                Kind::Weights,
                Kind::Site(BlockSite::AttnScores),
                Kind::Site(BlockSite::Ln1Normalized),
                Kind::Site(BlockSite::Ln2Normalized),
                Kind::Site(BlockSite::MlpPre),
            ]
            .into();
        },
        ..shot("hidden-kinds", overview)
    });
    shots.push(Shot {
        settings: |settings| settings.ranges.scaling = Scaling::SymLog,
        ..shot("log-range", |l, s| Viewpoint::Layer.pose(l, s))
    });
    for theme in [Theme::Dark, Theme::Light] {
        let suffix = if theme == Theme::Light { "-light" } else { "" };
        shots.push(Shot {
            theme,
            has_panels: true,
            ..shot(&format!("window{suffix}"), overview)
        });
        shots.push(Shot {
            theme,
            has_panels: true,
            plots: vec![(Plot::Embeddings, 0)],
            ..shot(&format!("panel-embeddings{suffix}"), overview)
        });
        shots.push(Shot {
            theme,
            has_cloud: true,
            ..shot(&format!("cloud{suffix}"), Pose::before_cloud)
        });
    }
    shots
}

/// Shots that need answers of the engine.
fn study_shots() -> Vec<Shot> {
    let mut shots = Vec::new();
    let head = Ablation::new(HookPoint::block(1, BlockSite::Z), Some(3));
    let neuron = Ablation::new(HookPoint::block(1, BlockSite::MlpPost), Some(33));
    for theme in [Theme::Dark, Theme::Light] {
        let suffix = if theme == Theme::Light { "-light" } else { "" };
        let mut view = |name: &str, plot: Plot, page: usize, ablations: Vec<Ablation>| {
            shots.push(Shot {
                theme,
                has_panels: true,
                plots: vec![(plot, page)],
                ablations,
                ..shot(&format!("{name}{suffix}"), overview)
            });
        };
        view("panel-saliency", Plot::Saliency, 0, Vec::new());
        view("panel-saliency-layers", Plot::Saliency, 1, Vec::new());
        view("panel-saliency-heads", Plot::Saliency, 2, Vec::new());
        view("panel-saliency-neurons", Plot::Saliency, 3, Vec::new());
        view("panel-lens", Plot::Lens, 0, Vec::new());
        view("panel-attribution", Plot::Lens, 1, Vec::new());
        view("panel-attribution-heads", Plot::Lens, 2, Vec::new());
        view("panel-attribution-neurons", Plot::Lens, 3, Vec::new());
        view("panel-ablation", Plot::Ablation, 0, vec![head, neuron]);
        let by: [(&str, fn(&mut SceneSettings)); 2] = [
            ("gradient", |settings| settings.color_by = ColorBy::Gradient),
            ("direct", |settings| settings.color_by = ColorBy::Direct),
        ];
        let from: [(&str, PoseOf); 2] = [
            ("", overview),
            ("-layer", |l, s| Viewpoint::Layer.pose(l, s)),
        ];
        for (name, settings) in by {
            for (place, pose) in from {
                shots.push(Shot {
                    theme,
                    settings,
                    ..shot(&format!("color-by-{name}{place}{suffix}"), pose)
                });
            }
        }
    }
    shots
}

fn long_shots() -> Vec<Shot> {
    vec![
        shot("long-overview", overview),
        shot("long-layer", |l, s| Viewpoint::Layer.pose(l, s)),
        shot("long-heads", |l, s| Viewpoint::Heads.pose(l, s)),
        shot("long-pattern", |l, s| before(l, s, BlockSite::Pattern)),
        shot("long-pattern-close", |layout, screen| {
            let cell = CellId {
                hook: HookPoint::block(1, BlockSite::Pattern),
                pos: 700,
                head: 2,
                index: 300,
            };
            let rect = layout.cell_rect(cell).unwrap_or_default();
            let pose = Pose::before(rect, screen);
            Pose {
                radius: 24.0 * pose.radius,
                ..pose
            }
        }),
    ]
}

/// A model of a published shape with random weights, large enough that heads choose among keys.
fn load_random(
    source: &ModelSource,
    _settings: &LoadSettings,
    _watch: &mut LoadWatch<'_>,
) -> Result<Model, ModelError> {
    let name = source.to_string();
    let config = ModelConfig::preset(&name).ok_or_else(|| ModelError::NoSuchModel(name.clone()))?;
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut weights = HashMap::new();
    for spec in config.weights() {
        let reach = match spec.name.as_str() {
            name if name.ends_with("ln_1.weight") => 2.0,
            name if name.contains("c_attn.weight") => 0.12,
            name if name.starts_with("w") => 0.08,
            _ => 0.05,
        };
        let values: Vec<f32> = (0..spec.element_count())
            .map(|_| rng.random_range(-reach..reach))
            .collect();
        let tensor = Tensor::from_vec(values, spec.shape.clone(), &Device::Cpu)?;
        weights.insert(spec.name, tensor);
    }
    Model::from_tensors(&name, config, weights, Device::Cpu)
}

/// Everything the engine tells of the prompt and a few tokens after it.
fn run(engine: &EngineHandle, source: ModelSource, prompt: Prompt) -> Result<Vec<EngineUpdate>> {
    let n_new = if matches!(source, ModelSource::Demo) {
        NEW_TOKENS
    } else {
        0
    };
    engine.request(EngineRequest::SetLens(n_new > 0))?;
    engine.request(EngineRequest::Load {
        source,
        settings: LoadSettings::default(),
    })?;
    engine.request(EngineRequest::SetPrompt(prompt))?;
    engine.request(EngineRequest::Play(n_new))?;
    let mut updates = Vec::new();
    while let Some(update) = engine.wait_update() {
        if let EngineUpdate::Failed(error) | EngineUpdate::LoadFailed(error) = &update {
            anyhow::bail!("{error}");
        }
        let is_last = if n_new > 0 {
            matches!(update, EngineUpdate::LensDone)
        } else {
            matches!(update, EngineUpdate::Paused(_))
        };
        updates.push(update);
        if is_last {
            break;
        }
    }
    Ok(updates)
}

/// Every token of the vocabulary along its embedding's first three principal components.
fn vocabulary_cloud(updates: &[EngineUpdate]) -> Result<Cloud> {
    let model = updates.iter().find_map(|update| match update {
        EngineUpdate::Loaded(model) => Some(model),
        _ => None,
    });
    let model = model.ok_or_else(|| anyhow::anyhow!("no model was loaded"))?;
    let weights = model.weights.clone();
    let weights = weights.ok_or_else(|| anyhow::anyhow!("the model has no weights"))?;
    let source = VectorSource::of_weight(weights, WeightPoint::Embed);
    let settings = ProjectionSettings {
        n_dims: 3,
        ..ProjectionSettings::default()
    };
    let projection = project(source.vectors()?, &settings, &mut |_| {
        ControlFlow::Continue(())
    })?;
    let reach = projection
        .points
        .iter()
        .fold(0.0f32, |reach, at| reach.max(at.abs()));
    let lengths = source.lengths().unwrap_or_default();
    let text: Vec<u32> = updates
        .iter()
        .filter_map(|update| match update {
            EngineUpdate::PassDone { pass, .. } => Some(pass.tokens.clone()),
            _ => None,
        })
        .flatten()
        .collect();
    let points = lengths
        .iter()
        .enumerate()
        .map(|(token, length)| CloudPoint {
            at: glam::Vec3::from_slice(projection.point(token)) / reach,
            token: token as u32,
            pos: text.iter().rposition(|own| *own as usize == token),
            value: *length,
        });
    Ok(Cloud {
        title: "embed.W_E, PCA".to_owned(),
        axes: [0, 1, 2].map(|axis| projection.axis(axis)),
        value: "length of the vector".to_owned(),
        points: points.collect(),
    })
}

fn options(shot: &Shot) -> ViewerOptions {
    ViewerOptions {
        theme: shot.theme,
        has_panels: shot.has_panels,
        plots: shot.plots.iter().map(|(plot, _)| *plot).collect(),
        ..ViewerOptions::default()
    }
}

fn shoot_all(folder: &Path, shots: Vec<Shot>, updates: &[EngineUpdate]) -> Result<()> {
    for shot in shots {
        let subject = Subject::Model {
            engine: EngineHandle::start()?,
            prompt: PROMPT.to_owned(),
        };
        let mut offscreen = Offscreen::new(subject, &options(&shot), 1280, 720)?;
        (shot.settings)(&mut offscreen.world().resource_mut::<SceneSettings>());
        for update in updates {
            offscreen.feed(update.clone());
        }
        if shot.has_cloud {
            let cloud = vocabulary_cloud(updates)?;
            let mut shown = offscreen.world().resource_mut::<PointCloud>();
            shown.chosen = cloud
                .points
                .iter()
                .find(|point| point.pos.is_some())
                .map(|point| point.token);
            shown.cloud = Some(Arc::new(cloud));
        }
        shoot(folder, &shot, &mut offscreen)?;
    }
    Ok(())
}

/// A shot with the engine still there, so that it answers what the views and colours ask.
fn shoot_studied(folder: &Path, shot: &Shot) -> Result<()> {
    let engine = EngineHandle::start()?;
    let mut updates = run(&engine, ModelSource::Demo, Prompt::Text(PROMPT.to_owned()))?;
    if !shot.ablations.is_empty() {
        engine.request(EngineRequest::SetAblations(shot.ablations.clone()))?;
        while let Some(update) = engine.wait_update() {
            let is_last = matches!(update, EngineUpdate::LensDone);
            updates.push(update);
            if is_last {
                break;
            }
        }
    }
    let subject = Subject::Model {
        engine,
        prompt: PROMPT.to_owned(),
    };
    let mut offscreen = Offscreen::new(subject, &options(shot), 1600, 1000)?;
    (shot.settings)(&mut offscreen.world().resource_mut::<SceneSettings>());
    let mut ui = offscreen.world().resource_mut::<UiSettings>();
    ui.pages.clone_from(&shot.plots);
    ui.scale = 1.0; // The larger the picture, the more of a view is in it.
    for update in updates {
        offscreen.feed(update);
    }
    offscreen.draw();
    offscreen.wait_for_studies();
    shoot(folder, shot, &mut offscreen)
}

fn shoot_shape(folder: &Path, name: &str, shot: &Shot) -> Result<()> {
    let subject = Subject::Shape {
        name: name.to_owned(),
        config: ModelConfig::preset(name).ok_or_else(|| anyhow::anyhow!("no shape {name}"))?,
    };
    let mut offscreen = Offscreen::new(subject, &options(shot), 1280, 720)?;
    shoot(folder, shot, &mut offscreen)
}

fn shoot(folder: &Path, shot: &Shot, offscreen: &mut Offscreen) -> Result<()> {
    offscreen.draw(); // Where the panels are, the camera knows from here on.
    let has_points = shot.plots.iter().any(|(plot, _)| *plot == Plot::Embeddings);
    if has_points {
        // What views compute beside the frames is there soon.
        for _ in 0..40 {
            std::thread::sleep(Duration::from_millis(10));
            offscreen.draw();
        }
    }
    offscreen.look_from(shot.pose);
    if let Some(order) = shot.order {
        offscreen.seek(9);
        offscreen.seek_order(order);
    }
    let path = folder.join(format!("{}.png", shot.name));
    save_png(&offscreen.picture()?, &[], &path, true)?;
    eprintln!("{}", path.display());
    Ok(())
}
