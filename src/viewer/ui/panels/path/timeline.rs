//! The timeline itself: its seconds, and what marks a keyframe on it.

use egui::{Align2, FontId, Id, Pos2, Rect, Response, Sense, Shape, Stroke, Ui, pos2, vec2};

use crate::color::Theme;
use crate::viewer::camera_path::{Ease, Keyframe, PathDesk};
use crate::viewer::ui::theme;

/// The shortest timeline, in seconds.
const MIN_SPAN_SECS: f64 = 10.0;
/// Half a keyframe's diamond, in points.
const DIAMOND: f32 = 7.0;

/// Where times are on the timeline.
pub(super) struct TimeScale {
    rect: Rect,
    span_secs: f64,
}

impl TimeScale {
    pub(super) fn new(rect: Rect, desk: &PathDesk) -> Self {
        let end_secs = desk.path.duration_secs().max(desk.secs);
        Self {
            rect: rect.shrink2(vec2(DIAMOND + 2.0, 0.0)),
            span_secs: (1.15 * end_secs).max(MIN_SPAN_SECS),
        }
    }

    pub(super) fn place(&self, secs: f64) -> Pos2 {
        let share = (secs / self.span_secs) as f32;
        pos2(
            self.rect.left() + share * self.rect.width(),
            self.rect.center().y + 8.0,
        )
    }

    pub(super) fn secs(&self, x: f32) -> f64 {
        let share = (x - self.rect.left()) / self.rect.width().max(1.0);
        f64::from(share.clamp(0.0, 1.0)) * self.span_secs
    }
}

/// Draws the ground of the timeline, and its seconds.
pub(super) fn draw_axis(painter: &egui::Painter, scale: &TimeScale, theme: Theme) {
    let neutrals = theme.neutrals();
    let rect = scale.rect.expand2(vec2(DIAMOND + 2.0, 0.0));
    painter.rect_filled(rect, 4.0, theme::color(neutrals.road).gamma_multiply(0.4));
    let line = Stroke::new(1.0, theme::color(neutrals.line).gamma_multiply(0.6));
    let (ticks, _) = crate::analysis::round_numbers(0.0, scale.span_secs, 10);
    for secs in ticks {
        let at = scale.place(secs);
        painter.line_segment(
            [pos2(at.x, rect.top() + 15.0), pos2(at.x, rect.bottom())],
            line,
        );
        let text = format!("{} s", (secs * 100.0).round() / 100.0);
        let font = FontId::proportional(10.5);
        let weak = theme::weak_text(theme);
        painter.text(
            pos2(at.x, rect.top() + 2.0),
            Align2::CENTER_TOP,
            text,
            font,
            weak,
        );
    }
}

/// What a keyframe is taken by.
pub(super) fn diamond_at(ui: &Ui, at: Pos2, index: usize) -> Response {
    let rect = Rect::from_center_size(at, vec2(2.0 * DIAMOND + 2.0, 2.0 * DIAMOND + 4.0));
    let handle = ui.interact(
        rect,
        Id::new(("path_keyframe", index)),
        Sense::click_and_drag(),
    );
    handle.widget_info(|| {
        egui::WidgetInfo::labeled(
            egui::WidgetType::Button,
            true,
            format!("keyframe {}", index + 1),
        )
    });
    handle
}

/// A diamond where the camera rests, a disc where it flies through, a square where it cuts.
pub(super) fn draw_diamond(
    painter: &egui::Painter,
    at: Pos2,
    keyframe: &Keyframe,
    is_bright: bool,
    theme: Theme,
) {
    let fill = if is_bright {
        theme::accent(theme)
    } else {
        theme::color(theme.neutrals().text)
    };
    let stroke = Stroke::new(1.5, theme::panel_fill(theme));
    match keyframe.ease {
        Ease::Rest => {
            let corners = [(0.0, -1.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0)];
            let corners = corners.map(|(x, y)| at + DIAMOND * vec2(x, y)).to_vec();
            painter.add(Shape::convex_polygon(corners, fill, stroke));
        }
        Ease::Through => {
            painter.circle(at, 0.8 * DIAMOND, fill, stroke);
        }
        Ease::Cut => {
            let rect = Rect::from_center_size(at, egui::Vec2::splat(1.5 * DIAMOND));
            painter.rect(rect, 1.0, fill, stroke, egui::StrokeKind::Outside);
        }
    }
}
