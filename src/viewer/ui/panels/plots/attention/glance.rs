//! All heads of all layers at a glance: each one's matrix in small, as one texture.

use egui::{
    Align2, Color32, ColorImage, FontId, Rect, ScrollArea, Sense, Stroke, StrokeKind,
    TextureHandle, TextureOptions, Ui, WidgetInfo, WidgetType, pos2, vec2,
};

use super::{HeadChoice, Whose, pattern};
use crate::analysis::{Matrix, MatrixRange, thumbnail, thumbnail_side};
use crate::color::Theme;
use crate::config::ModelConfig;
use crate::viewer::ui::panels::plots::PlotView;
use crate::viewer::ui::panels::plots::heatmap::{Scale, painted, strip};
use crate::viewer::ui::panels::plots::parts::note;
use crate::viewer::ui::theme;

/// Texels of a head's side; longer texts are shown by the greatest weight of blocks.
const SIDE: usize = 32;
/// Weights that are read in one frame: about a millisecond.
const WEIGHTS_A_FRAME: usize = 150_000;
/// Side of a head's picture, in points.
const SMALLEST: f32 = 22.0;
const LARGEST: f32 = 84.0;
const GAP: f32 = 3.0;
/// Room for the numbers of layers, in points.
const LEFT: f32 = 24.0;

/// All heads at a glance.
#[derive(Default)]
pub struct GlancePage {
    atlas: Option<Atlas>,
}

struct Atlas {
    texture: TextureHandle,
    /// Text, theme, layers and heads that it is of.
    of: (u64, Theme, usize, usize),
    /// Of each head, by how many tokens its picture is; zero without one.
    drawn: Vec<usize>,
    /// The head to be drawn next.
    next: usize,
}

impl GlancePage {
    /// Draws the page; the head that was clicked, by layer and head.
    pub fn ui(
        &mut self,
        ui: &mut Ui,
        view: &PlotView<'_>,
        config: &ModelConfig,
        choice: &HeadChoice,
    ) -> Option<(usize, usize)> {
        let (n_layers, n_heads) = (config.n_layers, config.n_heads);
        let n_pos = view.positions.len();
        self.advance(ui, view, config);
        let Some(atlas) = &self.atlas else {
            return None;
        };
        let n_at_once = n_pos.div_ceil(SIDE).max(1);
        let how = match n_at_once {
            1 => "every weight is a texel".to_owned(),
            n => format!("a texel: the greatest of {n} × {n} weights"),
        };
        note(
            ui,
            view.theme,
            format!(
                "Every head's attention weights, 0 to 1; rows are queries, columns keys; {how}"
            ),
        );
        let scale = Scale::of_weights(MatrixRange::default());
        let ends = ["0", "0.5", "1"].map(str::to_owned);
        strip(ui, view.theme, &scale, &ends, "attention weight", 8.0);
        let room = (ui.available_width() - LEFT - 14.0) / n_heads as f32 - GAP;
        let side = room.clamp(SMALLEST, LARGEST);
        let width = LEFT + n_heads as f32 * (side + GAP);
        let mut clicked = None;
        let font = FontId::proportional(10.5);
        let weak = theme::weak_text(view.theme);
        ScrollArea::horizontal()
            .id_salt("heads across")
            .show(ui, |ui| {
                let (numbers, _) = ui.allocate_exact_size(vec2(width, 13.0), Sense::hover());
                for head in 0..n_heads {
                    let x = numbers.left() + LEFT + head as f32 * (side + GAP) + side / 2.0;
                    let at = pos2(x, numbers.bottom());
                    let text = head.to_string();
                    ui.painter()
                        .text(at, Align2::CENTER_BOTTOM, text, font.clone(), weak);
                }
                ui.spacing_mut().item_spacing.y = 0.0;
                ScrollArea::vertical()
                    .id_salt("layers down")
                    .auto_shrink([true, true])
                    .show_rows(ui, side + GAP, n_layers, |ui, layers| {
                        for layer in layers {
                            let size = vec2(width, side + GAP);
                            let (row, _) = ui.allocate_exact_size(size, Sense::hover());
                            let at = pos2(row.left() + LEFT - 5.0, row.top() + side / 2.0);
                            let text = layer.to_string();
                            ui.painter()
                                .text(at, Align2::RIGHT_CENTER, text, font.clone(), weak);
                            for head in 0..n_heads {
                                let x = row.left() + LEFT + head as f32 * (side + GAP);
                                let rect =
                                    Rect::from_min_size(pos2(x, row.top()), vec2(side, side));
                                let place = (layer, head);
                                if atlas.head(ui, view.theme, rect, place, choice) {
                                    clicked = Some(place);
                                }
                            }
                        }
                    });
            });
        clicked
    }

    /// Goes on drawing heads, those first that are not of the text as it is.
    fn advance(&mut self, ui: &Ui, view: &PlotView<'_>, config: &ModelConfig) {
        let of = (view.text, view.theme, config.n_layers, config.n_heads);
        let n_all = config.n_layers * config.n_heads;
        if self.atlas.as_ref().is_none_or(|atlas| atlas.of != of) {
            let size = [config.n_heads * SIDE, config.n_layers * SIDE];
            let image = ColorImage::filled(size, Color32::TRANSPARENT);
            let texture = ui
                .ctx()
                .load_texture("all heads", image, TextureOptions::NEAREST);
            self.atlas = Some(Atlas {
                texture,
                of,
                drawn: vec![0; n_all],
                next: 0,
            });
        }
        let Some(atlas) = &mut self.atlas else {
            return;
        };
        let n_pos = view.positions.len();
        let n_weights = n_pos * (n_pos + 1) / 2;
        let mut n_left = WEIGHTS_A_FRAME;
        for _ in 0..n_all {
            if n_left == 0 {
                ui.ctx().request_repaint();
                return;
            }
            let index = atlas.next;
            atlas.next = (index + 1) % n_all.max(1);
            if atlas.drawn[index] == n_pos {
                continue;
            }
            let (layer, head) = (index / config.n_heads, index % config.n_heads);
            let small = thumbnail(view.positions, pattern(layer), head, SIDE);
            atlas.drawn[index] = n_pos;
            n_left = n_left.saturating_sub(n_weights.max(1));
            if let Some(image) = picture(&small, view.theme) {
                let at = [head * SIDE, layer * SIDE];
                atlas
                    .texture
                    .set_partial(at, image, TextureOptions::NEAREST);
            }
        }
    }
}

fn picture(small: &Matrix, theme: Theme) -> Option<ColorImage> {
    let scale = Scale::of_weights(MatrixRange::default());
    (!small.is_empty()).then(|| painted(small, &scale, theme))
}

impl Atlas {
    /// Draws one head, and says whether it was clicked.
    fn head(
        &self,
        ui: &Ui,
        theme: Theme,
        rect: Rect,
        (layer, head): (usize, usize),
        choice: &HeadChoice,
    ) -> bool {
        let (.., n_layers, n_heads) = self.of;
        let name = format!("layer {layer} head {head}");
        let response = ui.interact(rect, ui.id().with(("head", layer, head)), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(WidgetType::Button, true, &name));
        let n_pos = self.drawn.get(layer * n_heads + head).copied().unwrap_or(0);
        let painter = ui.painter();
        let neutrals = theme.neutrals();
        painter.rect_filled(rect, 0.0, theme::color(neutrals.ground));
        if n_pos > 0 {
            let side = thumbnail_side(n_pos, SIDE) as f32;
            let whole = vec2((n_heads * SIDE) as f32, (n_layers * SIDE) as f32);
            let corner = vec2((head * SIDE) as f32, (layer * SIDE) as f32);
            let uv = Rect::from_min_max(
                (corner / whole).to_pos2(),
                ((corner + vec2(side, side)) / whole).to_pos2(),
            );
            painter.image(self.texture.id(), rect, uv, Color32::WHITE);
        }
        let is_chosen = choice.whose == Whose::Head && (choice.layer, choice.head) == (layer, head);
        let stroke = if is_chosen {
            Stroke::new(2.0, theme::accent(theme))
        } else if response.hovered() || response.has_focus() {
            Stroke::new(1.5, theme::color(neutrals.text))
        } else {
            Stroke::new(1.0, theme::color(neutrals.road))
        };
        painter.rect_stroke(rect, 0.0, stroke, StrokeKind::Outside);
        response
            .on_hover_text(format!("{name}\nClick opens it"))
            .clicked()
    }
}
