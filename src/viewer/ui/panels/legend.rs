//! What the colours mean.

use egui::{Align2, Color32, FontId, Mesh, RichText, Sense, Shape, Ui, pos2, vec2};

use crate::color::{LUT_SIZE, NOT_FINITE};
use crate::viewer::scene::ColorBy;
use crate::viewer::ui::theme;
use crate::viewer::ui::view::{LegendRow, UiView};

/// What the colours mean.
#[derive(Default)]
pub struct LegendPanel;

impl LegendPanel {
    /// Draws the panel.
    pub fn ui(&mut self, ui: &mut Ui, view: &UiView<'_>) {
        let weak = theme::weak_text(view.theme);
        let swatch = |ui: &mut Ui, color: Color32, text: String| {
            ui.horizontal(|ui| {
                let (rect, _) = ui.allocate_exact_size(vec2(11.0, 11.0), Sense::hover());
                ui.painter().rect_filled(rect, 2.0, color);
                ui.label(RichText::new(text).size(11.0).color(weak));
            });
        };
        let neutrals = view.theme.neutrals();
        if view.is_shape {
            let text = "a cell for each number; it has no values".to_owned();
            swatch(ui, theme::color(neutrals.shape), text);
            return;
        }
        for row in view.legend {
            ui.label(RichText::new(row.title).strong().size(12.5));
            gradient(ui, view, row);
            ui.label(
                RichText::new(&row.note)
                    .size(11.0)
                    .color(theme::weak_text(view.theme)),
            );
            ui.add_space(3.0);
        }
        let no_value = match view.color_by {
            ColorBy::Value => "no value yet",
            ColorBy::Gradient | ColorBy::Direct => "no part in it, or not known yet",
        };
        swatch(ui, theme::color(neutrals.no_value), no_value.to_owned());
        swatch(
            ui,
            theme::color(NOT_FINITE),
            format!("NaN or infinite: {}", view.n_not_finite),
        );
        ui.label(
            RichText::new("Height goes by magnitude, on the scale of the colours")
                .size(11.0)
                .color(weak),
        );
    }
}

fn gradient(ui: &mut Ui, view: &UiView<'_>, row: &LegendRow) {
    let width = ui.available_width();
    let (rect, _) = ui.allocate_exact_size(vec2(width, 24.0), Sense::hover());
    let table = row.map.table(view.theme);
    let mut mesh = Mesh::default();
    for (index, rgb) in table.iter().enumerate() {
        let x = rect.left() + width * index as f32 / (LUT_SIZE - 1) as f32;
        mesh.colored_vertex(pos2(x, rect.top()), theme::color(*rgb));
        mesh.colored_vertex(pos2(x, rect.top() + 11.0), theme::color(*rgb));
        if index > 0 {
            let last = 2 * index as u32;
            mesh.add_triangle(last - 2, last - 1, last);
            mesh.add_triangle(last - 1, last, last + 1);
        }
    }
    ui.painter().add(Shape::mesh(mesh));
    let places = [
        (rect.left_bottom(), Align2::LEFT_BOTTOM),
        (rect.center_bottom(), Align2::CENTER_BOTTOM),
        (rect.right_bottom(), Align2::RIGHT_BOTTOM),
    ];
    for ((place, align), tick) in places.into_iter().zip(&row.ticks) {
        ui.painter().text(
            place,
            align,
            tick,
            FontId::proportional(10.5),
            theme::color(view.theme.neutrals().text),
        );
    }
}
