//! A box that finds a token of the text by what it reads.

use egui::{Key, RichText, TextEdit, Ui};

use super::PlotView;
use super::parts::token_text;
use crate::viewer::ui::theme;

/// A box that finds a token of the text by what it reads: the first with Enter, with Enter again the
/// next.
#[derive(Default)]
pub struct TokenFinder {
    text: String,
    /// The position found last.
    found: Option<usize>,
    /// Whether nothing reads so.
    is_missing: bool,
}

impl TokenFinder {
    /// Draws the box; the position that was found now.
    pub fn ui(&mut self, ui: &mut Ui, view: &PlotView<'_>) -> Option<usize> {
        let label = ui.label("find token");
        let edit = TextEdit::singleline(&mut self.text)
            .hint_text("text or number")
            .desired_width(96.0);
        let edit = ui
            .add(edit)
            .labelled_by(label.id)
            .on_hover_text("Enter goes to the next token that reads so, or to the position");
        if edit.changed() {
            (self.found, self.is_missing) = (None, false);
        }
        if self.is_missing {
            let text = RichText::new("none reads so").size(11.5);
            ui.label(text.color(theme::weak_text(view.theme)));
        }
        if !edit.lost_focus() || !ui.input(|input| input.key_pressed(Key::Enter)) {
            return None;
        }
        edit.request_focus(); // For the next one.
        let found = self.next(view);
        self.is_missing = found.is_none();
        self.found = found.or(self.found);
        found
    }

    /// The next token after the one found last.
    fn next(&self, view: &PlotView<'_>) -> Option<usize> {
        let search = self.text.trim().to_lowercase();
        if search.is_empty() {
            return None;
        }
        let n = view.positions.len();
        let from = self.found.map_or(0, |pos| pos + 1);
        let mut places = (from..n).chain(0..from.min(n));
        let by_text = places.find(|pos| token_text(view, *pos).to_lowercase().contains(&search));
        by_text.or_else(|| search.parse().ok().filter(|pos| *pos < n))
    }
}
