//! The parts of a logit, layer by layer, and their sum so far.

use egui::{Align2, FontId, Rect, Sense, Stroke, StrokeKind, Ui, WidgetInfo, WidgetType};
use egui::{pos2, vec2};

use crate::attribution::DirectAttribution;
use crate::config::ModelConfig;
use crate::hook::{Axis, BlockSite, HookPoint};
use crate::layout::{Cell, CellId};
use crate::viewer::readout::{digits, exact};
use crate::viewer::ui::panels::Intent;
use crate::viewer::ui::panels::plots::PlotView;
use crate::viewer::ui::panels::plots::bars::{ROW, limit, signed_bar};
use crate::viewer::ui::theme;

/// One part of a logit.
#[derive(Clone, Debug, PartialEq)]
pub struct Contribution {
    /// What it is, in words.
    pub name: String,
    /// Where the stream gets it from; none of the final norm's bias.
    pub hook: Option<HookPoint>,
    /// What it adds.
    pub value: f32,
    /// The sum of all up to it.
    pub sum: f32,
}

/// All parts, in the order a pass reaches them.
pub fn contributions(direct: &DirectAttribution) -> Vec<Contribution> {
    let mut parts = Vec::new();
    let mut sum = 0.0f64;
    let mut add = |name: String, hook: Option<HookPoint>, value: f32| {
        sum += f64::from(value);
        parts.push(Contribution {
            name,
            hook,
            value,
            sum: sum as f32,
        });
    };
    let embed = "token embedding".to_owned();
    add(embed, Some(HookPoint::Embed), direct.embed);
    if direct.pos_embed != 0.0 {
        let name = "position embedding".to_owned();
        add(name, Some(HookPoint::PosEmbed), direct.pos_embed);
    }
    for layer in 0..direct.heads.len() {
        for (title, site, value) in [
            ("attention", BlockSite::AttnOut, direct.attention(layer)),
            ("MLP", BlockSite::MlpOut, direct.mlp(layer)),
        ] {
            let hook = HookPoint::block(layer, site);
            add(format!("layer {layer} {title}"), Some(hook), value);
        }
    }
    if direct.bias != 0.0 {
        add("final norm's bias".to_owned(), None, direct.bias);
    }
    parts
}

/// Room for the names, and for a number, in points.
const NAME: f32 = 118.0;
const NUMBER: f32 = 66.0;

/// Where things stand in a row.
struct Columns {
    bar: Rect,
    sum: Rect,
}

impl Columns {
    fn of(row: Rect) -> Self {
        let room = (row.width() - NAME - 2.0 * NUMBER).max(40.0);
        let bar_left = row.left() + NAME;
        let sum_left = bar_left + 0.55 * room + NUMBER;
        let zone = |left: f32, width: f32| {
            Rect::from_min_size(pos2(left, row.top()), vec2(width, row.height()))
        };
        Self {
            bar: zone(bar_left, 0.55 * room),
            sum: zone(sum_left, 0.45 * room),
        }
    }
}

/// Draws a row for each part: its bar, its number, and the sum so far as a line.
pub fn running_sum(
    ui: &mut Ui,
    view: &PlotView<'_>,
    config: &ModelConfig,
    direct: &DirectAttribution,
    parts: &[Contribution],
    intents: &mut Vec<Intent>,
) {
    let scales = Scales {
        limit: limit(parts.iter().map(|part| part.value)),
        low: parts.iter().fold(0.0f32, |low, part| low.min(part.sum)),
        high: parts.iter().fold(0.0f32, |high, part| high.max(part.sum)),
    };
    ui.spacing_mut().item_spacing.y = 1.0;
    header(ui, view);
    let mut before = 0.0;
    for part in parts {
        let response = row(ui, view, part, before, &scales);
        before = part.sum;
        let cell = part.hook.map(|hook| strongest(view, config, direct, hook));
        if let Some(cell) = cell {
            if response.double_clicked() {
                intents.push(Intent::Visit(cell));
            } else if response.clicked() {
                intents.push(Intent::Pin(cell));
            }
        }
        let hook = part.hook.map_or_else(String::new, |hook| hook.to_string());
        response.on_hover_ui(|ui| {
            ui.strong(&part.name);
            ui.label(format!("adds {}", exact(part.value)));
            ui.label(format!("sum so far {}", exact(part.sum)));
            if !hook.is_empty() {
                ui.weak(format!("{hook}\nClick shows it in the world"));
            }
        });
    }
}

struct Scales {
    limit: f32,
    low: f32,
    high: f32,
}

impl Scales {
    fn sum_x(&self, zone: Rect, sum: f32) -> f32 {
        let span = (self.high - self.low).max(f32::MIN_POSITIVE);
        let share = ((sum - self.low) / span).clamp(0.0, 1.0);
        zone.left() + share * zone.width()
    }
}

fn header(ui: &mut Ui, view: &PlotView<'_>) {
    let (row, _) = ui.allocate_exact_size(vec2(ui.available_width(), 16.0), Sense::hover());
    let columns = Columns::of(row);
    let font = FontId::proportional(10.5);
    let weak = theme::weak_text(view.theme);
    for (zone, title) in [(columns.bar, "adds, logits"), (columns.sum, "sum so far")] {
        let at = zone.center();
        ui.painter()
            .text(at, Align2::CENTER_CENTER, title, font.clone(), weak);
    }
}

fn row(
    ui: &mut Ui,
    view: &PlotView<'_>,
    part: &Contribution,
    before: f32,
    scales: &Scales,
) -> egui::Response {
    let size = vec2(ui.available_width(), ROW);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    let is_chosen = matches!(view.pinned, Some(Cell::Value(cell)) if Some(cell.hook) == part.hook);
    response.widget_info(|| {
        let (value, sum) = (exact(part.value), exact(part.sum));
        let text = format!("{} adds {value}, sum {sum}", part.name);
        WidgetInfo::selected(WidgetType::Button, true, is_chosen, text)
    });
    if !ui.is_rect_visible(rect) {
        return response;
    }
    let painter = ui.painter();
    let neutrals = view.theme.neutrals();
    if response.hovered() || response.has_focus() || is_chosen {
        painter.rect_filled(rect, 3.0, theme::color(neutrals.road));
    }
    let font = FontId::proportional(12.0);
    let text = theme::color(neutrals.text);
    let columns = Columns::of(rect);
    let at = rect.left_center() + vec2(4.0, 0.0);
    painter.text(at, Align2::LEFT_CENTER, &part.name, font.clone(), text);
    signed_bar(
        ui,
        view.theme,
        columns.bar.shrink2(vec2(0.0, 3.0)),
        part.value,
        scales.limit,
    );
    for (zone, number) in [(columns.bar, part.value), (columns.sum, part.sum)] {
        let at = pos2(zone.right() + NUMBER - 6.0, rect.center().y);
        let number = digits(number).replace('-', "−");
        painter.text(at, Align2::RIGHT_CENTER, number, font.clone(), text);
    }
    let zone = columns.sum.shrink2(vec2(4.0, 0.0));
    let (from, to) = (scales.sum_x(zone, before), scales.sum_x(zone, part.sum));
    let zero = scales.sum_x(zone, 0.0);
    painter.vline(
        zero,
        rect.y_range().expand(1.0),
        Stroke::new(1.0, theme::color(neutrals.line)),
    );
    let stroke = Stroke::new(1.8, theme::accent(view.theme));
    let middle = rect.center().y;
    painter.vline(from, rect.top() - 1.0..=middle, stroke);
    painter.hline(from.min(to)..=from.max(to), middle, stroke);
    painter.vline(to, middle..=rect.bottom() + 1.0, stroke);
    if response.has_focus() {
        let stroke = Stroke::new(1.0, theme::accent(view.theme));
        painter.rect_stroke(rect, 3.0, stroke, StrokeKind::Inside);
    }
    response
}

/// The number of a part that adds most: it stands for the part in the world.
fn strongest(
    view: &PlotView<'_>,
    config: &ModelConfig,
    direct: &DirectAttribution,
    hook: HookPoint,
) -> Cell {
    let pos = direct.target.pos;
    let row = view.positions.get(pos).and_then(|token| token.row(hook));
    let added = row.unwrap_or_default().iter().zip(&direct.direction);
    let added = added
        .map(|(value, along)| (value * along).abs())
        .enumerate();
    let strongest = added.max_by(|(_, a), (_, b)| a.total_cmp(b));
    let index = strongest.map_or(0, |(index, _)| index);
    debug_assert!(
        !hook.axes().contains(&Axis::Head),
        "{hook} is written to the stream"
    );
    debug_assert!(index < config.d_model);
    Cell::Value(CellId {
        hook,
        pos,
        head: 0,
        index,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::Target;

    #[test]
    fn a_model_without_positions_and_shifts_has_no_rows_for_them() {
        let direct = DirectAttribution {
            pos_embed: 0.0,
            bias: 0.0,
            ..direct()
        };

        let parts = contributions(&direct);

        let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(
            names,
            ["token embedding", "layer 0 attention", "layer 0 MLP"]
        );
        assert_eq!(parts[2].sum, direct.sum());
    }

    fn direct() -> DirectAttribution {
        DirectAttribution {
            target: Target {
                pos: 0,
                token: 0,
                minus: None,
            },
            value: 4.0,
            embed: 1.0,
            pos_embed: -0.5,
            heads: vec![vec![0.25, 0.5]],
            z: vec![vec![0.25, 0.5]],
            attn_bias: vec![0.125],
            neurons: vec![vec![2.0, -1.0]],
            mlp_bias: vec![0.5],
            bias: 1.125,
            direction: vec![1.0],
        }
    }

    #[test]
    fn the_sum_so_far_ends_at_the_sum_of_all_parts() {
        let direct = direct();

        let parts = contributions(&direct);

        let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        let expected = [
            "token embedding",
            "position embedding",
            "layer 0 attention",
            "layer 0 MLP",
            "final norm's bias",
        ];
        assert_eq!(names, expected);
        let values: Vec<f32> = parts.iter().map(|part| part.value).collect();
        assert_eq!(values, [1.0, -0.5, 0.875, 1.5, 1.125]);
        assert_eq!(parts[4].sum, direct.sum());
    }
}
