//! Pictures and neighbours as they come back, and what ends them.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::*;
use crate::analysis::projection::{Method, TsneSettings, Vectors, nearest_to, project};

/// Numbers without a pattern, 40 vectors of 6.
fn source() -> Arc<VectorSource> {
    let values = (0..240u32).map(|index| ((index * index * 7919) % 101) as f32);
    Arc::new(VectorSource::of_values(values.collect(), 6))
}

fn endless() -> ProjectionSettings {
    let method = Method::Tsne(TsneSettings {
        n_steps: 100_000_000,
        ..TsneSettings::default()
    });
    ProjectionSettings {
        method,
        ..ProjectionSettings::default()
    }
}

/// Waits for the first update that is none of progress.
fn outcome(projector: &Projector) -> ProjectorUpdate {
    loop {
        let update = projector.wait_update().unwrap();
        if !matches!(update, ProjectorUpdate::Progress { .. }) {
            return update;
        }
    }
}

#[test]
fn a_projection_comes_back_as_it_would_have_been_made_here() {
    let projector = Projector::start().unwrap();
    let source = source();
    let settings = ProjectionSettings::default();

    projector.project(3, Arc::clone(&source), settings).unwrap();

    let ProjectorUpdate::Done { id, projection } = outcome(&projector) else {
        panic!("it fails");
    };
    let vectors = source.vectors().unwrap();
    let expected = project(vectors, &settings, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!((id, &*projection), (3, &expected));
    assert_eq!(source.lengths().unwrap().len(), 40);
}

#[test]
fn one_under_way_shows_pictures_makes_place_for_the_next_and_stops_when_asked() {
    let projector = Projector::start().unwrap();
    projector.project(1, source(), endless()).unwrap();
    let has_points = |update: &ProjectorUpdate| {
        matches!(update, ProjectorUpdate::Progress { stage: Stage::Points, points: Some(points), .. }
            if points.len() == 80)
    };
    while !has_points(&projector.wait_update().unwrap()) {}

    projector.project(2, source(), endless()).unwrap();
    let first = outcome(&projector);
    projector.stop().unwrap();
    let second = outcome(&projector);

    assert!(
        matches!(first, ProjectorUpdate::Stopped { id: 1 }),
        "{first:?}"
    );
    assert!(
        matches!(second, ProjectorUpdate::Stopped { id: 2 }),
        "{second:?}"
    );
}

#[test]
fn neighbours_are_found_while_a_projection_is_under_way() {
    let projector = Projector::start().unwrap();
    projector.project(1, source(), endless()).unwrap();

    projector.neighbors(2, source(), 10..20, 3, 4).unwrap();

    let ProjectorUpdate::Neighbors {
        id: 2,
        index: 3,
        near,
    } = outcome(&projector)
    else {
        panic!("it fails");
    };
    let source = source();
    let part = &source.vectors().unwrap().values()[60..120];
    let part = Vectors::new(part, 6).unwrap();
    let expected = METRICS.map(|metric| nearest_to(part, 3, 4, metric));
    assert_eq!(near, expected);
}

#[test]
fn what_has_no_picture_and_no_vector_is_told_of_and_the_next_is_done() {
    let projector = Projector::start().unwrap();
    let constant = Arc::new(VectorSource::of_values(vec![1.0; 12], 3));

    let settings = ProjectionSettings::default();
    projector.project(1, constant, settings).unwrap();
    let failed = outcome(&projector);
    projector.neighbors(2, source(), 0..40, 40, 1).unwrap();
    let missing = outcome(&projector);
    projector.project(3, source(), settings).unwrap();

    let ProjectorUpdate::Failed { id: 1, error } = failed else {
        panic!("{failed:?}");
    };
    assert!(error.to_string().contains("the same"), "{error}");
    let error = ProjectorError::NoVector { index: 40, n: 40 };
    assert!(matches!(missing, ProjectorUpdate::Failed { id: 2, error: e } if e == error));
    assert!(matches!(
        outcome(&projector),
        ProjectorUpdate::Done { id: 3, .. }
    ));
}

#[test]
fn dropping_the_handle_ends_an_endless_projection() {
    let projector = Projector::start().unwrap();
    projector.project(1, source(), endless()).unwrap();
    projector.wait_update();

    let started = Instant::now();
    drop(projector);

    assert!(started.elapsed() < Duration::from_secs(5));
}
