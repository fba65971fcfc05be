//! Figures drawn from hand-made numbers.

use resvg::usvg::Tree;

use super::callouts::crosses;
use super::number::{tick, ticks};
use super::*;
use crate::analysis::{Matrix, MatrixRange};
use crate::color::{Colormap, NOT_FINITE, Theme};

fn matrix(n_rows: usize, n_columns: usize, value: impl Fn(usize, usize) -> f32) -> Matrix {
    let mut matrix = Matrix::new(n_columns);
    for row in 0..n_rows {
        let values: Vec<f32> = (0..n_columns).map(|column| value(row, column)).collect();
        matrix.push_row(&values);
    }
    matrix
}

fn heatmap(matrix: Matrix, labels: impl Fn(usize) -> String) -> Heatmap {
    let range = matrix.range();
    Heatmap {
        rows: Axis::counted("layer", matrix.n_rows()),
        columns: Axis::new("token", (0..matrix.n_columns()).map(labels).collect()),
        scale: ColorScale::diverging(range, "value"),
        texts: Vec::new(),
        cell: None,
        matrix,
    }
}

fn figure(chart: impl Chart + 'static) -> Figure {
    Figure {
        title: "What is shown <&> \"how\"".to_owned(),
        subtitles: vec!["in which unit".to_owned()],
        notes: vec!["of what \u{1}".to_owned()],
        charts: vec![(String::new(), Box::new(chart))],
    }
}

/// Every text of a drawing: its letters and the box that they take, in units.
fn texts(drawing: &Drawing, lettering: &Lettering) -> Vec<(String, [f32; 4])> {
    fn visit(group: &resvg::usvg::Group, found: &mut Vec<(String, [f32; 4])>) {
        for node in group.children() {
            match node {
                resvg::usvg::Node::Group(group) => visit(group, found),
                resvg::usvg::Node::Text(text) => {
                    let letters = text.chunks().iter().map(|chunk| chunk.text()).collect();
                    let b = text.abs_bounding_box();
                    found.push((letters, [b.left(), b.top(), b.right(), b.bottom()]));
                }
                _ => {}
            }
        }
    }
    let tree = Tree::from_str(&drawing.to_svg(1.0), &lettering.options()).unwrap();
    let mut found = Vec::new();
    visit(tree.root(), &mut found);
    found
}

#[track_caller]
fn assert_nothing_is_cut_off(drawing: &Drawing, lettering: &Lettering) {
    for (text, [left, top, right, bottom]) in texts(drawing, lettering) {
        assert!(
            left >= 0.0 && top >= 0.0 && right <= drawing.width() && bottom <= drawing.height(),
            "{text:?} at {left} {top} {right} {bottom} leaves {} x {}",
            drawing.width(),
            drawing.height()
        );
    }
}

#[test]
fn no_text_leaves_the_figure_whatever_is_shown() {
    let lettering = Lettering::default();
    let long = |index: usize| format!("·averylongtokenindeed{index}");
    let bars = |n: usize| Bars {
        bars: (0..n)
            .map(|index| Bar {
                label: long(index),
                value: index as f32 - 3.0,
            })
            .collect(),
        unit: "logit".to_owned(),
        of: "part".to_owned(),
        scale: ColorScale::diverging(
            MatrixRange {
                low: -3.0,
                high: 9.0,
                ..Default::default()
            },
            "logit",
        ),
    };
    let ribbon = Ribbon {
        pieces: (0..60)
            .map(|index| Piece {
                label: long(index),
                value: Some(index as f32),
                is_marked: index == 3,
            })
            .collect(),
        scale: ColorScale::from_zero(
            MatrixRange {
                high: 60.0,
                ..Default::default()
            },
            "norm",
        ),
    };
    let lines = Lines {
        lines: vec![
            Line {
                label: "entropy".to_owned(),
                values: vec![1.0, f32::NAN, 2.0],
            },
            Line {
                label: "KL".to_owned(),
                values: vec![0.5, 0.2, 0.0],
            },
        ],
        axis: Axis::counted("layer", 3),
        unit: "nats".to_owned(),
        is_from_zero: true,
    };
    let scatter = |n_axes: usize| Scatter {
        points: (0..200)
            .map(|index| ScatterPoint {
                place: [
                    index as f32,
                    (index * 37 % 101) as f32,
                    (index * 17 % 53) as f32,
                ],
                label: long(index),
                is_marked: index % 40 == 0,
            })
            .collect(),
        axes: ["one", "two", "three"][..n_axes]
            .iter()
            .map(|axis| (*axis).to_owned())
            .collect(),
        is_joined: false,
    };
    let figures = [
        figure(heatmap(matrix(2, 1, |_, _| 1.0), long)),
        figure(heatmap(matrix(12, 40, |r, c| (r * c) as f32 - 9.0), long)),
        figure(heatmap(matrix(1, 1, |_, _| f32::NAN), long)),
        figure(bars(1)),
        figure(bars(30)),
        figure(bars(400)),
        figure(ribbon),
        figure(lines),
        figure(scatter(2)),
        figure(scatter(3)),
    ];

    for figure in figures {
        for size in [None, Some((640.0, 480.0)), Some((1400.0, 500.0))] {
            let drawing = figure.draw(Look::new(Theme::Dark), size, &lettering);
            assert_nothing_is_cut_off(&drawing, &lettering);
            if let Some(size) = size {
                assert_eq!((drawing.width(), drawing.height()), size);
            }
        }
    }
}

#[test]
fn a_cells_pixel_has_the_colour_of_its_number() {
    let lettering = Lettering::default();
    let values = matrix(1, 3, |_, column| [-1.0, 1.0, f32::NAN][column]);
    let mut map = heatmap(values, |index| index.to_string());
    map.cell = Some((20.0, 20.0));
    let drawing = figure(map).draw(Look::new(Theme::Light), None, &lettering);

    let (width, height, rgba) = raster(&drawing, 2.0, &lettering).unwrap();

    assert_eq!(rgba.len(), 4 * (width * height) as usize);
    assert_eq!(
        (width, height),
        (2 * drawing.width() as u32, 2 * drawing.height() as u32)
    );
    for color in [
        Colormap::Diverging.color(Theme::Light, 0.0),
        Colormap::Diverging.color(Theme::Light, 1.0),
        NOT_FINITE,
    ] {
        let n = rgba.chunks(4).filter(|pixel| pixel[..3] == color).count();
        assert!(n > 100, "{color:?} fills {n} pixels only");
    }
    assert!(rgba.chunks(4).all(|pixel| pixel[3] == 255));
}

#[test]
fn a_map_of_many_cells_is_one_picture_and_masked_cells_show_the_ground() {
    let lettering = Lettering::default();
    let mut triangle = Matrix::new(120);
    for query in 0..120 {
        triangle.push_row(&vec![1.0; query + 1]);
    }
    let map = Heatmap {
        cell: Some((2.0, 2.0)),
        ..heatmap(triangle, |index| index.to_string())
    };
    let drawing = figure(map).draw(Look::new(Theme::Dark), None, &lettering);
    let svg = drawing.to_svg(1.0);

    let (_, _, rgba) = raster(&drawing, 1.0, &lettering).unwrap();

    assert_eq!(svg.matches("<image").count(), 1);
    let high = Colormap::Diverging.color(Theme::Dark, 1.0);
    let n_high = rgba.chunks(4).filter(|pixel| pixel[..3] == high).count();
    // 7260 cells of 4 pixels, less the 480 along the left and the lower edge that the frame tints.
    assert!((28_500..28_700).contains(&n_high), "{n_high}");
}

#[test]
fn the_same_figure_is_the_same_file() {
    let draw = || {
        let lettering = Lettering::default();
        let map = heatmap(matrix(3, 3, |r, c| (r + c) as f32), |index| {
            index.to_string()
        });
        figure(map)
            .draw(Look::new(Theme::Dark), None, &lettering)
            .to_svg(2.0)
    };

    assert_eq!(draw(), draw());
}

#[test]
fn leaders_of_callouts_never_cross() {
    let mut seed = 1u32;
    let mut random = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as f32 / (1 << 24) as f32
    };
    for _ in 0..50 {
        let callouts = (0..13).map(|index| Callout {
            places: [(random(), random()), (random(), random())],
            title: index.to_string(),
            details: Vec::new(),
        });
        let callouts = Callouts {
            callouts: callouts.collect(),
            picture: Pixels {
                width: 3,
                height: 2,
                rgba: vec![0; 24],
            },
        };
        let names = Area {
            x: 0.0,
            y: 0.0,
            width: 1200.0,
            height: 600.0,
        };
        let picture = Area {
            x: 200.0,
            y: 50.0,
            width: 800.0,
            height: 500.0,
        };

        let leaders: Vec<_> = callouts
            .leaders(names, picture)
            .into_iter()
            .flatten()
            .collect();

        assert_eq!(leaders.len(), 13);
        for (index, a) in leaders.iter().enumerate() {
            for b in &leaders[index + 1..] {
                assert!(!crosses(a, b), "{a:?} {b:?}");
            }
        }
    }
}

#[test]
fn a_text_that_does_not_fit_is_cut_and_fits_then() {
    let lettering = Lettering::default();

    let cut = lettering.fit("a rather long text", 12.0, 60.0);

    assert!(cut.ends_with('…') && cut.len() > 4, "{cut}");
    assert!(lettering.width(&cut, 12.0) <= 60.0);
    assert_eq!(lettering.fit("short", 12.0, 60.0), "short");
    let (one, ten) = (
        lettering.width("n", 10.0),
        lettering.width("nnnnnnnnnn", 10.0),
    );
    assert!((10.0 * one - ten).abs() < 0.01, "{one} {ten}");
}

#[test]
fn ticks_are_round_and_within_the_ends() {
    assert_eq!(
        ticks(0.0, 1.0, 5).0,
        [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]
    );
    assert_eq!(ticks(-3.0, 3.0, 4).0, [-2.0, 0.0, 2.0]);
    assert_eq!(tick(-0.25, 0.25), "−0.25");
    assert_eq!(tick(0.0, 0.2), "0.0");
    assert_eq!(tick(20_000.0, 5_000.0), "20,000");
    assert_eq!(ticks(2.0, 2.0, 5).0, [2.0]);
    assert_eq!(ticks(f64::NAN, 1.0, 5).0.len(), 1);
}

#[test]
fn short_numbers_keep_three_digits() {
    let texts = [
        0.0,
        1.0,
        -0.5,
        12.345,
        1234.5,
        1e-7,
        0.004_56,
        f32::NAN,
        f32::NEG_INFINITY,
    ];
    let texts = texts.map(short);
    assert_eq!(
        texts,
        [
            "0", "1.00", "−0.50", "12.3", "1234", "1e-7", "0.005", "NaN", "−∞"
        ]
        .map(|text| text.replace("1e-7", "1e−7"))
    );
}
