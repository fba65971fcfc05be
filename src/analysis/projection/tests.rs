//! Small cases whose answers are known, clusters that must stay together, and bad input.

use std::ops::ControlFlow;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};

use super::*;
use crate::trace::Vocab;

fn go_on(_: Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn uniform(rng: &mut ChaCha8Rng) -> f32 {
    rng.next_u32() as f32 / u32::MAX as f32 - 0.5
}

/// `n_clusters` groups of `size` vectors of 20 numbers, group by group.
fn clusters(n_clusters: usize, size: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut values = Vec::new();
    for _ in 0..n_clusters {
        let center: Vec<f32> = (0..20).map(|_| 8.0 * uniform(&mut rng)).collect();
        for _ in 0..size {
            values.extend(center.iter().map(|at| at + uniform(&mut rng)));
        }
    }
    values
}

fn settings(method: Method, n_dims: usize) -> ProjectionSettings {
    ProjectionSettings {
        method,
        n_dims,
        seed: 3,
        ..ProjectionSettings::default()
    }
}

fn methods() -> [Method; 3] {
    [
        Method::Pca,
        Method::Tsne(TsneSettings {
            perplexity: 10.0,
            n_steps: 400,
            ..TsneSettings::default()
        }),
        Method::Umap(UmapSettings::default()),
    ]
}

#[test]
fn pca_of_a_rectangle_is_its_sides() {
    // The corners of a rectangle, 6 by 2, in the plane x = y, z: sides along (1, 1, 0) and z.
    let side = 3.0 / 2f32.sqrt();
    let corners = [
        [-side, -side, -1.0],
        [-side, -side, 1.0],
        [side, side, -1.0],
        [side, side, 1.0],
    ];
    let values: Vec<f32> = corners.iter().flatten().map(|at| at + 10.0).collect();

    let pca = Pca::fit(Vectors::new(&values, 3).unwrap(), 3, 0, &mut go_on).unwrap();

    let half = 0.5f32.sqrt();
    let expected = [half, half, 0.0, 0.0, 0.0, 1.0];
    for (got, expected) in pca.components.iter().zip(expected) {
        assert!((got - expected).abs() < 1e-5, "{:?}", pca.components);
    }
    for (got, expected) in pca.variances.iter().zip([12.0, 4.0 / 3.0, 0.0]) {
        assert!((got - expected).abs() < 1e-4, "{:?}", pca.variances);
    }
    for (got, expected) in pca.explained.iter().zip([0.9, 0.1, 0.0]) {
        assert!((got - expected).abs() < 1e-5, "{:?}", pca.explained);
    }
    let expected = [-3.0, -1.0, -3.0, 1.0, 3.0, -1.0, 3.0, 1.0];
    let scores = pca.scores.chunks(3).flat_map(|point| &point[..2]);
    for (got, expected) in scores.zip(expected) {
        assert!((got - expected).abs() < 1e-4, "{:?}", pca.scores);
    }
}

#[test]
fn pca_of_fewer_vectors_than_dimensions_keeps_their_distances() {
    let values: Vec<f32> = (0..3 * 50)
        .map(|index| ((index * 37) % 23) as f32)
        .collect();
    let vectors = Vectors::new(&values, 50).unwrap();

    let pca = Pca::fit(vectors, 3, 0, &mut go_on).unwrap();

    // Three points lie in a plane: all of the variance is in two directions.
    assert!((pca.explained[0] + pca.explained[1] - 1.0).abs() < 1e-6);
    for (a, b) in [(0, 1), (1, 2), (0, 2)] {
        let shown =
            Metric::Euclidean.distance(&pca.scores[3 * a..][..3], &pca.scores[3 * b..][..3]);
        let real = Metric::Euclidean.distance(vectors.row(a), vectors.row(b));
        assert!((shown - real).abs() < 1e-3 * real, "{shown} {real}");
    }
}

#[test]
fn pca_by_passes_agrees_with_all_eigenvalues() {
    // Enough numbers that the block of directions is turned, few enough to check in f64.
    let (n, d) = (3_000, 420);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let axes: Vec<f32> = (0..4 * d).map(|_| uniform(&mut rng)).collect();
    let mut values = Vec::with_capacity(n * d);
    for _ in 0..n {
        let along: Vec<f32> = (1..=4)
            .map(|k| 20.0 / k as f32 * uniform(&mut rng))
            .collect();
        for column in 0..d {
            let low_rank = along.iter().zip(axes.chunks(d));
            let sum: f32 = low_rank.map(|(along, axis)| along * axis[column]).sum();
            values.push(sum + uniform(&mut rng) + 3.0);
        }
    }
    let vectors = Vectors::new(&values, d).unwrap();

    let pca = Pca::fit(vectors, 3, 0, &mut go_on).unwrap();

    let means: Vec<f64> = (0..d)
        .map(|column| {
            (0..n)
                .map(|row| f64::from(values[row * d + column]))
                .sum::<f64>()
                / n as f64
        })
        .collect();
    let data = faer::Mat::from_fn(n, d, |row, column| {
        f64::from(values[row * d + column]) - means[column]
    });
    let eigen = (data.transpose() * &data)
        .self_adjoint_eigen(faer::Side::Lower)
        .unwrap();
    for component in 0..3 {
        let exact = eigen.S()[d - 1 - component] / (n - 1) as f64;
        let relative = pca.variances[component] / exact - 1.0;
        assert!(relative.abs() < 1e-5, "{component}: {relative}");
        let along: f64 = (0..d)
            .map(|row| {
                eigen.U()[(row, d - 1 - component)] * f64::from(pca.components[component * d + row])
            })
            .sum();
        assert!(along.abs() > 1.0 - 1e-5, "{component}: {along}");
    }
}

#[test]
fn every_method_keeps_the_neighbours_of_clusters() {
    let values = clusters(6, 60);
    let vectors = Vectors::new(&values, 20).unwrap();
    for (method, least) in methods().into_iter().zip([0.80, 0.95, 0.95]) {
        for n_dims in [2, 3] {
            let projection = project(vectors, &settings(method, n_dims), &mut go_on).unwrap();

            let trust = trustworthiness(vectors, &projection.points, n_dims, 12, Metric::Euclidean);
            assert!(trust > least, "{}, {n_dims}D: {trust}", method.name());
            if method == Method::Pca {
                continue;
            }
            // A point's nearest five are of its own cluster.
            let points = Vectors::new(&projection.points, n_dims).unwrap();
            let strangers = (0..360).flat_map(|index| {
                let near = nearest_to(points, index, 5, Metric::Euclidean).into_iter();
                near.filter(move |near| near.index / 60 != index / 60)
            });
            assert_eq!(strangers.count(), 0, "{}, {n_dims}D", method.name());
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_picture_on_any_number_of_threads() {
    let values = clusters(5, 80);
    let vectors = Vectors::new(&values, 20).unwrap();
    for method in methods() {
        let on_threads = |n_threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(n_threads)
                .build()
                .unwrap();
            pool.install(|| project(vectors, &settings(method, 2), &mut go_on).unwrap())
        };

        let bits = |projection: Projection| -> Vec<u32> {
            projection.points.iter().map(|at| at.to_bits()).collect()
        };
        let first = bits(on_threads(1));

        assert_eq!(first, bits(on_threads(4)), "{}", method.name());
        assert_eq!(first, bits(on_threads(3)), "{}", method.name());
    }
}

#[test]
fn another_seed_gives_another_umap() {
    let values = clusters(3, 20);
    let vectors = Vectors::new(&values, 20).unwrap();
    let umap = settings(Method::Umap(UmapSettings::default()), 2);

    let one = project(vectors, &umap, &mut go_on).unwrap();
    let other = project(vectors, &ProjectionSettings { seed: 4, ..umap }, &mut go_on).unwrap();

    assert_ne!(one.points, other.points);
}

#[test]
fn a_projection_tells_how_far_it_is_and_stops_when_it_is_told_to() {
    let values = clusters(3, 30);
    let vectors = Vectors::new(&values, 20).unwrap();
    for method in methods() {
        let mut shares = Vec::new();
        let mut watch = |progress: Progress<'_>| {
            if progress.stage == Stage::Points {
                assert_eq!(progress.points.len(), 2 * 90);
                shares.push(progress.share);
            }
            if shares.len() == 7 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };

        let outcome = project(vectors, &settings(method, 2), &mut watch);

        if method == Method::Pca {
            assert!(outcome.is_ok());
        } else {
            assert_eq!(outcome, Err(ProjectionError::Stopped), "{}", method.name());
            assert!(
                shares.is_sorted() && shares[0] > 0.0 && shares.len() == 7,
                "{shares:?}"
            );
        }
    }
}

#[test]
fn few_vectors_have_a_picture_with_settings_that_suit_them() {
    let values = clusters(1, 6);
    let vectors = Vectors::new(&values, 20).unwrap();

    let tsne = Method::Tsne(TsneSettings::default());
    let tsne = project(vectors, &settings(tsne, 2), &mut go_on).unwrap();
    let umap = Method::Umap(UmapSettings::default());
    let umap = project(vectors, &settings(umap, 3), &mut go_on).unwrap();

    assert!(
        tsne.points
            .iter()
            .chain(&umap.points)
            .all(|at| at.is_finite())
    );
    let Method::Tsne(used) = tsne.method else {
        panic!()
    };
    assert_eq!(used.perplexity, 5.0 / 3.0);
    let Method::Umap(used) = umap.method else {
        panic!()
    };
    assert_eq!((used.n_neighbors, used.n_steps), (6, 500));
}

#[test]
fn input_that_has_no_picture_is_refused_in_words() {
    let constant = vec![2.0; 40];
    let mut holed = clusters(1, 10);
    holed[47] = f32::NAN;
    let one = [1.0, 2.0, 3.0, 4.0];

    assert_eq!(Vectors::new(&[], 4), Err(ProjectionError::Empty));
    assert_eq!(
        Vectors::new(&one, 3),
        Err(ProjectionError::Shape {
            n_values: 4,
            n_columns: 3
        })
    );
    let error = Vectors::new(&holed, 20).unwrap_err();
    assert_eq!(
        error.to_string(),
        "vector 2 has NaN as its number 7: only finite numbers can be projected"
    );
    for method in methods() {
        let of = |values, d| {
            project(
                Vectors::new(values, d).unwrap(),
                &settings(method, 2),
                &mut go_on,
            )
            .unwrap_err()
        };
        assert_eq!(of(&constant, 4), ProjectionError::Constant { n: 10 });
        assert!(matches!(of(&one, 4), ProjectionError::TooFew { n: 1, .. }));
        let flat: Vec<f32> = (0..9).map(|at| at as f32).collect();
        assert!(matches!(of(&flat, 1), ProjectionError::TooFlat { .. }));
    }
    let values = clusters(1, 10);
    let of = |method, n_dims| {
        project(
            Vectors::new(&values, 20).unwrap(),
            &settings(method, n_dims),
            &mut go_on,
        )
    };
    assert_eq!(of(Method::Pca, 4), Err(ProjectionError::Dimensions(4)));
    let perplexity = TsneSettings {
        perplexity: f32::NAN,
        ..TsneSettings::default()
    };
    assert!(matches!(
        of(Method::Tsne(perplexity), 2),
        Err(ProjectionError::Setting { .. })
    ));
    let min_dist = UmapSettings {
        min_dist: -1.0,
        ..UmapSettings::default()
    };
    assert!(matches!(
        of(Method::Umap(min_dist), 2),
        Err(ProjectionError::Setting { .. })
    ));
}

#[test]
fn huge_tiny_and_doubled_vectors_have_finite_pictures() {
    let values = clusters(2, 12);
    for scale in [1e-30, 1e30] {
        let mut scaled: Vec<f32> = values.iter().map(|value| value * scale).collect();
        // The first vector three times.
        let first: Vec<f32> = scaled[..20].to_vec();
        scaled[20..40].copy_from_slice(&first);
        scaled[40..60].copy_from_slice(&first);
        for method in methods() {
            let vectors = Vectors::new(&scaled, 20).unwrap();

            let projection = project(vectors, &settings(method, 2), &mut go_on).unwrap();

            let is_finite = projection.points.iter().all(|at| at.is_finite());
            assert!(is_finite, "{scale} {}", method.name());
        }
    }
}

#[test]
fn the_nearest_of_all_are_the_nearest_of_each() {
    let values = clusters(4, 90);
    let vectors = Vectors::new(&values, 20).unwrap();
    for metric in [Metric::Euclidean, Metric::Cosine] {
        let all = nearest(vectors, 9, metric, &mut go_on).unwrap();

        for (index, row) in all.chunks(9).enumerate() {
            assert_eq!(row, nearest_to(vectors, index, 9, metric), "{index}");
        }
    }
}

#[test]
fn distances_are_exact_and_equal_ones_keep_their_order() {
    let values = [1.0, 0.0, 0.0, 2.0, 3.0, 0.0, 0.0, 0.0, 0.0, 5.0];
    let vectors = Vectors::new(&values, 2).unwrap();

    let cosine = nearest_to(vectors, 0, 9, Metric::Cosine);
    let euclidean = nearest_to(vectors, 0, 2, Metric::Euclidean);

    let pairs = |near: &[Neighbor]| -> Vec<(usize, f64)> {
        near.iter()
            .map(|near| (near.index, near.distance))
            .collect()
    };
    assert_eq!(pairs(&cosine), [(2, 0.0), (1, 1.0), (3, 1.0), (4, 1.0)]);
    assert_eq!(pairs(&euclidean), [(3, 1.0), (2, 2.0)]);
}

#[test]
fn trust_is_whole_in_an_exact_picture_and_broken_by_a_shuffled_one() {
    let values = clusters(1, 40);
    let vectors = Vectors::new(&values, 20).unwrap();
    let mut shuffled = values.clone();
    shuffled.rotate_left(7 * 20 + 3);

    let exact = trustworthiness(vectors, &values, 20, 5, Metric::Euclidean);
    let broken = trustworthiness(vectors, &shuffled, 20, 5, Metric::Euclidean);

    assert_eq!(exact, 1.0);
    assert!(broken < 0.7, "{broken}");
}

#[test]
fn tokens_come_with_their_texts_and_lengths() {
    let vocab = Vocab::new(["a", " b", "c"].map(str::to_owned).to_vec());
    let values = [3.0, 4.0, 0.0, 1.0, 0.0, -2.0];

    let settings = ProjectionSettings::default();
    let tokens = project_tokens(&values, 2, &[1, 2, 0], &vocab, &settings, &mut go_on).unwrap();
    let error = project_tokens(&values, 2, &[1], &vocab, &settings, &mut go_on).unwrap_err();

    assert_eq!(tokens.labels, ["·b", "c", "a"]);
    assert_eq!(tokens.lengths, [5.0, 1.0, 2.0]);
    assert!(tokens.projection.axis(0).starts_with("PC 1 ("));
    assert_eq!(error.to_string(), "there are 3 vectors of 1 tokens");
}
