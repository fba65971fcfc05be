//! How long projections take: PCA of as many vectors as GPT-2 has tokens, t-SNE and UMAP of 5,000.
//!
//! `cargo bench --bench projection -- [pca] [tsne] [umap] [vocabulary] [--write FOLDER]`; without names
//! the first three. `vocabulary` makes t-SNE and UMAP of the 50,257 vectors, which takes many minutes.
//! `--write` leaves the vectors in a folder as raw little-endian f32, for other programs to project.
//! The last line is JSON.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use llmscope::analysis::projection::{
    Method, Metric, Progress, ProjectionSettings, Stage, TsneSettings, UmapSettings, Vectors,
    project, trustworthiness,
};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const N_TOKENS: usize = 50_257;
const D_MODEL: usize = 768;
const N_POINTS: usize = 5_000;
const N_COLUMNS: usize = 50;
const N_CLUSTERS: usize = 20;
const RANK: usize = 30;
const N_RUNS: usize = 3;

#[expect(clippy::print_stdout, reason = "a bench's result is its output")]
fn main() -> Result<()> {
    let mut args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    let folder = args.iter().position(|arg| arg == "--write").map(|at| {
        args.remove(at);
        args.remove(at)
    });
    let is_wanted = |name: &str| {
        args.iter().any(|arg| arg == name) || (args.is_empty() && name != "vocabulary")
    };
    let mut figures = serde_json::Map::new();
    if is_wanted("pca") || is_wanted("vocabulary") {
        let values = low_rank(N_TOKENS, D_MODEL);
        write(folder.as_deref(), "pca.f32", &values)?;
        let vectors = Vectors::new(&values, D_MODEL)?;
        if is_wanted("pca") {
            for n_dims in [2, 3] {
                let (secs, _) = best_of(N_RUNS, vectors, Method::Pca, n_dims)?;
                figures.insert(
                    format!("pca_{N_TOKENS}x{D_MODEL}_{n_dims}d_secs"),
                    secs.into(),
                );
            }
        }
        if is_wanted("vocabulary") {
            for method in [
                Method::Tsne(TsneSettings::default()),
                Method::Umap(UmapSettings::default()),
            ] {
                let (secs, _) = best_of(1, vectors, method, 2)?;
                figures.insert(format!("{}_{N_TOKENS}_secs", method.name()), secs.into());
            }
        }
    }
    let values = clusters(N_POINTS, N_COLUMNS);
    write(folder.as_deref(), "clusters.f32", &values)?;
    let vectors = Vectors::new(&values, N_COLUMNS)?;
    let methods = [
        ("tsne", Method::Tsne(TsneSettings::default())),
        ("umap", Method::Umap(UmapSettings::default())),
    ];
    for (name, method) in methods.into_iter().filter(|(name, _)| is_wanted(name)) {
        let (secs, points) = best_of(N_RUNS, vectors, method, 2)?;
        let trust = trustworthiness(vectors, &points, 2, 15, Metric::Euclidean);
        figures.insert(format!("{name}_{N_POINTS}x{N_COLUMNS}_secs"), secs.into());
        figures.insert(format!("{name}_trustworthiness"), trust.into());
    }
    println!("{}", serde_json::Value::Object(figures));
    Ok(())
}

/// The shortest of some runs, in seconds, and the points.
fn best_of(
    n_runs: usize,
    vectors: Vectors<'_>,
    method: Method,
    n_dims: usize,
) -> Result<(f64, Vec<f32>)> {
    let settings = ProjectionSettings {
        method,
        n_dims,
        ..ProjectionSettings::default()
    };
    let mut best = (f64::INFINITY, Vec::new());
    for _ in 0..n_runs {
        let started = Instant::now();
        let mut stages: Vec<(Stage, f64)> = Vec::new();
        let mut note = |progress: Progress<'_>| {
            if stages
                .last()
                .is_none_or(|(stage, _)| *stage != progress.stage)
            {
                stages.push((progress.stage, started.elapsed().as_secs_f64()));
            }
            ControlFlow::Continue(())
        };
        let projection = project(vectors, &settings, &mut note)?;
        let secs = started.elapsed().as_secs_f64();
        eprintln!(
            "{} {n_dims}D: {secs:.3} s, stages began {stages:.3?}",
            method.name()
        );
        if secs < best.0 {
            best = (secs, projection.points);
        }
    }
    Ok(best)
}

fn low_rank(n: usize, d: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let axes: Vec<f32> = (0..RANK * d).map(|_| rng.random_range(-1.0..1.0)).collect();
    let mut values = Vec::with_capacity(n * d);
    for _ in 0..n {
        let start = values.len();
        values.extend((0..d).map(|_| rng.random_range(-1.0f32..1.0)));
        for (rank, axis) in axes.chunks(d).enumerate() {
            let along = rng.random_range(-1.0f32..1.0) * 2.0 / (1 + rank) as f32;
            for (value, loading) in values[start..].iter_mut().zip(axis) {
                *value += along * loading;
            }
        }
    }
    values
}

fn clusters(n: usize, d: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let centers: Vec<f32> = (0..N_CLUSTERS * d)
        .map(|_| rng.random_range(-3.0..3.0))
        .collect();
    (0..n)
        .flat_map(|index| {
            let center = &centers[index % N_CLUSTERS * d..][..d];
            let around: Vec<f32> = center
                .iter()
                .map(|at| at + rng.random_range(-2.0f32..2.0))
                .collect();
            around
        })
        .collect()
}

fn write(folder: Option<&str>, name: &str, values: &[f32]) -> Result<()> {
    let Some(folder) = folder else {
        return Ok(());
    };
    fs::create_dir_all(folder)?;
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    Ok(fs::write(Path::new(folder).join(name), bytes)?)
}
