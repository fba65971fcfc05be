//! A box to type a token into, with the tokens it may mean below.

use egui::{Button, Key, TextEdit, Ui};

use super::PlotView;

/// A box to type a token into, with the tokens it may mean below.
#[derive(Default)]
pub struct TokenPicker {
    text: String,
    /// What was searched for last, and found.
    searched: String,
    found: Vec<u32>,
    chosen: Option<u32>,
}

/// Tokens offered at once.
const N_OFFERED: usize = 8;

impl TokenPicker {
    /// The token that was chosen; none where the default is meant.
    pub fn chosen(&self) -> Option<u32> {
        self.chosen
    }

    /// Chooses a token, or the default.
    pub fn choose(&mut self, token: Option<u32>) {
        self.chosen = token;
        self.text.clear();
        self.found.clear();
    }

    /// Draws the box named `name`, which reads `default` while nothing is chosen, and says whether the
    /// choice has changed.
    pub fn ui(&mut self, ui: &mut Ui, view: &PlotView<'_>, name: &str, default: &str) -> bool {
        let before = self.chosen;
        let shown = match self.chosen {
            Some(token) => format!("“{}”", (view.token_text)(token)),
            None => default.to_owned(),
        };
        ui.horizontal(|ui| {
            let label = ui.label(name);
            let edit = ui
                .add(
                    TextEdit::singleline(&mut self.text)
                        .hint_text(&shown)
                        .desired_width(168.0),
                )
                .labelled_by(label.id)
                .on_hover_text("Type a token's text, or # and its number");
            if edit.lost_focus()
                && ui.input(|input| input.key_pressed(Key::Enter))
                && let Some(first) = self.found.first().copied()
            {
                self.choose(Some(first));
            }
            if self.chosen.is_some()
                && ui
                    .small_button("×")
                    .on_hover_text(format!("Back to {default}"))
                    .clicked()
            {
                self.choose(None);
            }
        });
        if self.text != self.searched {
            self.searched.clone_from(&self.text);
            self.found = view
                .model
                .map_or_else(Vec::new, |model| model.vocab.search(&self.text, N_OFFERED));
        }
        if !self.text.is_empty() {
            ui.horizontal_wrapped(|ui| {
                if self.found.is_empty() {
                    ui.weak("no such token");
                }
                let mut picked = None;
                for token in &self.found {
                    let text = (view.token_text)(*token);
                    let tip = format!("token {token}");
                    if ui
                        .add(Button::new(text).small())
                        .on_hover_text(tip)
                        .clicked()
                    {
                        picked = Some(*token);
                    }
                }
                if picked.is_some() {
                    self.choose(picked);
                }
            });
        }
        self.chosen != before
    }
}
