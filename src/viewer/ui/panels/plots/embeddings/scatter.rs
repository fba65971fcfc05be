//! Points in a plane: to be looked at, moved, pointed at and chosen, by pointer and by keyboard.

use egui::{
    Color32, EventFilter, Key, Rect, Response, RichText, Sense, Stroke, StrokeKind, Ui, Vec2,
    WidgetInfo, WidgetType, pos2, vec2,
};

use super::dots::{Dots, Scattered};
use super::frame::{Frame, beside, hit};
use super::look::Look;
use crate::color::Theme;
use crate::viewer::readout::exact;
use crate::viewer::ui::theme;

/// What a scatter shows.
pub struct ScatterView<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Points and their colours.
    pub scattered: Scattered<'a>,
    /// All points there is to be room for, those of other places among them.
    pub reach: &'a [f32],
    /// What runs along the axes; of three, the last one runs into the depth.
    pub axes: &'a [String],
    /// What the colours show, with its unit.
    pub value: &'a str,
    /// A point's text.
    pub label: &'a dyn Fn(usize) -> String,
    /// A point in words.
    pub spelled: &'a dyn Fn(usize) -> String,
    /// Points that stand out: they are ringed and have a name.
    pub marked: &'a [usize],
    /// The one that is chosen.
    pub chosen: Option<usize>,
    /// Points near the chosen one: they have a name.
    pub near: &'a [usize],
    /// Height of the whole, in points.
    pub height: f32,
    /// Dark or light.
    pub theme: Theme,
}

/// What was done to a scatter in this frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ScatterOutput {
    /// The point that was chosen with the pointer, or with Enter or Space at the cursor.
    pub clicked: Option<usize>,
    /// The point that was chosen by a double click.
    pub double_clicked: Option<usize>,
}

/// A scatter's memory from frame to frame.
#[derive(Default)]
pub struct Scatter {
    dots: Dots,
    /// Which part is seen; all of it without one.
    frame: Option<Frame>,
    /// Where the keyboard is.
    cursor: usize,
    /// Points whose names were drawn.
    pub named: Vec<usize>,
}

/// How near the pointer must come to a point, in points.
const REACH: f32 = 9.0;
/// Height of a line of small type, in points.
const LINE: f32 = 14.0;

impl Scatter {
    /// Where the keyboard is.
    #[cfg(test)]
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Shows all points again.
    pub fn fit(&mut self) {
        self.frame = None;
    }

    /// Brings a point into the part that is seen, and the cursor to it.
    pub fn reveal(&mut self, scattered: &Scattered<'_>, index: usize) {
        self.cursor = index;
        let point = &scattered.points[index * scattered.n_dims..];
        if let Some(frame) = &mut self.frame {
            frame.middle = vec2(point[0], point[1]);
        }
    }

    /// Draws it, as wide as there is room.
    pub fn ui(&mut self, ui: &mut Ui, view: &ScatterView<'_>) -> ScatterOutput {
        let scattered = &view.scattered;
        let n = scattered.points.len() / scattered.n_dims;
        self.named.clear();
        if n == 0 {
            return ScatterOutput::default();
        }
        self.cursor = self.cursor.min(n - 1);
        let size = vec2(ui.available_width(), (view.height - 4.0 * LINE).max(80.0));
        axis_name(ui, view, "↑", 1);
        let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
        let response = ui.interact(
            rect,
            ui.id().with(("scatter", view.name)),
            Sense::click_and_drag(),
        );
        let all = Frame::around(view.reach, scattered.n_dims, rect.size());
        self.handle_pointer(ui, &response, rect, all);
        self.handle_keys(ui, &response, scattered, rect, all);
        let frame = self.frame.unwrap_or(all);
        let texture = self.dots.of(ui, scattered, frame, rect, view.theme);
        let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        ui.painter().image(texture, rect, whole, Color32::WHITE);
        let pointed = response.hover_pos().and_then(|place| {
            let (points, n_dims) = (scattered.points, scattered.n_dims);
            hit(points, n_dims, &frame, rect, place, REACH)
        });
        let look = Look {
            view,
            frame,
            rect,
            painter: ui.painter().with_clip_rect(rect),
        };
        look.grid();
        let at_cursor = response.has_focus().then_some(self.cursor);
        let highlighted = pointed.or(at_cursor);
        look.marks(highlighted);
        look.names(highlighted, &mut self.named);
        ui.painter().rect_stroke(
            rect,
            0.0,
            Stroke::new(1.0, theme::color(view.theme.neutrals().road)),
            StrokeKind::Inside,
        );
        axis_name(ui, view, "→", 0);
        let read_out = highlighted.map(|index| describe(view, index));
        footer(ui, view.theme, read_out.as_deref());
        self.finish(view, response, pointed, read_out)
    }

    fn finish(
        &mut self,
        view: &ScatterView<'_>,
        response: Response,
        pointed: Option<usize>,
        read_out: Option<String>,
    ) -> ScatterOutput {
        response.widget_info(|| WidgetInfo {
            current_text_value: Some(describe(view, self.cursor)),
            ..WidgetInfo::labeled(WidgetType::Other, true, view.name)
        });
        let response = match (pointed, read_out) {
            (Some(_), Some(text)) if !response.dragged() => response.on_hover_ui_at_pointer(|ui| {
                ui.set_max_width(340.0);
                for line in text.split(" · ") {
                    ui.label(RichText::new(line).size(12.0));
                }
            }),
            _ => response,
        };
        // Enter and Space click without a pointer.
        let target = match response.interact_pointer_pos() {
            Some(_) => pointed,
            None => Some(self.cursor),
        };
        if response.clicked() {
            response.request_focus();
            self.cursor = target.unwrap_or(self.cursor);
        }
        ScatterOutput {
            clicked: target.filter(|_| response.clicked()),
            double_clicked: target.filter(|_| response.double_clicked()),
        }
    }

    fn handle_pointer(&mut self, ui: &Ui, response: &Response, rect: Rect, all: Frame) {
        if response.dragged() && response.drag_delta() != Vec2::ZERO {
            self.frame.get_or_insert(all).pan(response.drag_delta());
        }
        let Some(place) = response.hover_pos() else {
            return;
        };
        // The wheel alone zooms here too: there is nothing below to scroll to while it points here.
        let (pinch, wheel) = ui.input(|input| (input.zoom_delta(), input.smooth_scroll_delta.y));
        let factor = pinch * (wheel / 240.0).exp();
        if factor != 1.0 {
            self.frame.get_or_insert(all).zoom_at(rect, place, factor);
        }
    }

    fn handle_keys(
        &mut self,
        ui: &Ui,
        response: &Response,
        scattered: &Scattered<'_>,
        rect: Rect,
        all: Frame,
    ) {
        if !response.has_focus() {
            return;
        }
        ui.memory_mut(|memory| {
            let filter = EventFilter {
                horizontal_arrows: true,
                vertical_arrows: true,
                ..EventFilter::default()
            };
            memory.set_focus_lock_filter(response.id, filter);
        });
        let mut cursor = self.cursor;
        let mut zoom = 0;
        let mut is_reset = false;
        ui.input(|input| {
            for (key, direction) in [
                (Key::ArrowLeft, vec2(-1.0, 0.0)),
                (Key::ArrowRight, vec2(1.0, 0.0)),
                (Key::ArrowUp, vec2(0.0, -1.0)),
                (Key::ArrowDown, vec2(0.0, 1.0)),
            ] {
                for _ in 0..input.num_presses(key) {
                    let next = beside(scattered.points, scattered.n_dims, cursor, direction);
                    cursor = next.unwrap_or(cursor);
                }
            }
            zoom += (input.num_presses(Key::Plus) + input.num_presses(Key::Equals)) as i32;
            zoom -= input.num_presses(Key::Minus) as i32;
            is_reset = input.key_pressed(Key::Home);
        });
        let point = &scattered.points[cursor * scattered.n_dims..];
        let at = vec2(point[0], point[1]);
        if zoom != 0 {
            let frame = self.frame.get_or_insert(all);
            let place = frame.place(rect, at);
            frame.zoom_at(rect, place, 1.5f32.powi(zoom));
        }
        if is_reset {
            self.frame = None;
        }
        if cursor != self.cursor {
            self.cursor = cursor;
            if let Some(frame) = &mut self.frame
                && !rect.shrink(12.0).contains(frame.place(rect, at))
            {
                frame.middle = at;
            }
        }
    }
}

/// A point with its exact numbers, in one line.
fn describe(view: &ScatterView<'_>, index: usize) -> String {
    let scattered = &view.scattered;
    let point = &scattered.points[index * scattered.n_dims..][..scattered.n_dims];
    let mut text = (view.spelled)(index);
    for (axis, at) in view.axes.iter().zip(point) {
        let name = axis.split(" (").next().unwrap_or(axis);
        text.push_str(&format!(" · {name} {}", exact(*at)));
    }
    if let Some(value) = scattered.values.get(index) {
        text.push_str(&format!(" · {} {}", view.value, exact(*value)));
    }
    text
}

fn axis_name(ui: &mut Ui, view: &ScatterView<'_>, arrow: &str, axis: usize) {
    let Some(name) = view.axes.get(axis) else {
        return;
    };
    let depth = view.axes.get(2).filter(|_| axis == 0);
    let mut text = format!("{arrow} {name}");
    if let Some(depth) = depth {
        text.push_str(&format!("     ⊗ {depth}, into the depth"));
    }
    let text = RichText::new(text).size(11.0);
    let label = egui::Label::new(text.color(theme::weak_text(view.theme))).truncate();
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        ui.add(label);
    });
}

fn footer(ui: &mut Ui, theme: Theme, read_out: Option<&str>) {
    let hint =
        "Drag moves, the wheel zooms, a click chooses; with keys: arrows, + and −, Home, Enter";
    let line = RichText::new(read_out.unwrap_or(hint)).size(11.0);
    let line = match read_out {
        Some(_) => line,
        None => line.color(theme::weak_text(theme)),
    };
    ui.add(egui::Label::new(line).truncate());
}
