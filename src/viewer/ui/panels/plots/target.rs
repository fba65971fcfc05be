//! Which logit is explained: of which token, after which position, and less which other.

use egui::{ComboBox, DragValue, Ui};

use super::parts::token_name;
use super::{PlotView, TokenPicker};
use crate::attribution::{Target, TargetWish};

/// Which logit the views explain; they share it.
#[derive(Default)]
pub struct TargetChooser {
    token: TokenPicker,
    minus: TokenPicker,
    has_minus: bool,
    place: Place,
}

/// After which position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// The playhead's.
    #[default]
    Playhead,
    /// The text's last.
    Last,
    /// This one.
    At(usize),
}

impl TargetChooser {
    /// What is asked for, with its position; none without a text.
    pub fn wish(&self, view: &PlotView<'_>) -> Option<(usize, TargetWish)> {
        let last = view.tokens.len().checked_sub(1)?;
        let pos = match self.place {
            Place::Playhead => view.playhead.lane.min(last),
            Place::Last => last,
            Place::At(pos) => pos.min(last),
        };
        let wish = TargetWish {
            pos: Some(pos),
            token: self.token.chosen(),
            minus: self.minus.chosen().filter(|_| self.has_minus),
        };
        Some((pos, wish))
    }

    /// Explains this token's logit from now on; the most probable one's without one.
    pub fn choose(&mut self, token: Option<u32>) {
        self.token.choose(token);
    }

    /// Draws the choice.
    pub fn ui(&mut self, ui: &mut Ui, view: &PlotView<'_>) {
        let Some((pos, _)) = self.wish(view) else {
            return;
        };
        ui.horizontal_wrapped(|ui| {
            let best = most_probable(view, pos);
            self.token.ui(ui, view, "target", &best);
            let hint = "Explains by how much the target's logit exceeds another token's";
            ui.checkbox(&mut self.has_minus, "minus")
                .on_hover_text(hint);
            if self.has_minus {
                self.minus.ui(ui, view, "", "choose a token");
            }
            self.place(ui, view, pos);
        });
    }

    fn place(&mut self, ui: &mut Ui, view: &PlotView<'_>, pos: usize) {
        let text = match self.place {
            Place::Playhead => format!("after the playhead's, {}", token_name(view, pos)),
            Place::Last => format!("after the last, {}", token_name(view, pos)),
            Place::At(_) => format!("after {}", token_name(view, pos)),
        };
        ComboBox::from_id_salt("target's position")
            .selected_text(text)
            .width(190.0)
            .show_ui(ui, |ui| {
                for (place, title) in [
                    (Place::Playhead, "after the playhead's token"),
                    (Place::Last, "after the last token"),
                    (Place::At(pos), "after one position"),
                ] {
                    ui.selectable_value(&mut self.place, place, title);
                }
            });
        if let Place::At(pos) = &mut self.place {
            let last = view.tokens.len().saturating_sub(1);
            let number = ui.add(DragValue::new(pos).range(0..=last));
            number.on_hover_text("The position whose prediction is explained");
        }
    }
}

/// The default, as well as it is known.
fn most_probable(view: &PlotView<'_>, pos: usize) -> String {
    let last_layer = view.model.map_or(0, |model| model.config.n_layers) - 1;
    let best = (view.lens)(last_layer, pos).and_then(<[_]>::first);
    best.map_or_else(
        || "most probable".to_owned(),
        |best| format!("“{}”, most probable", (view.token_text)(best.token)),
    )
}

/// A target in words, such as `logit of “ball” after 3 “red”`.
pub fn title(target: &Target, tokens: &[u32], text: &dyn Fn(u32) -> String) -> String {
    let token = |token: u32| format!("“{}”", text(token));
    let of = match target.minus {
        Some(minus) => format!("{} − {}", token(target.token), token(minus)),
        None => token(target.token),
    };
    let after = tokens
        .get(target.pos)
        .copied()
        .map_or_else(String::new, token);
    format!("logit of {of} after {} {after}", target.pos)
}
