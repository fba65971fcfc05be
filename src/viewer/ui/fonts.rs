//! Fonts for whatever script comes up.
//!
//! egui brings a few fonts. When a text holds characters that none of them has, fitting fonts of
//! the system are looked for, beside the frames, and added behind them. What no font has is shown
//! as its code point.

mod search;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, TryRecvError, bounded};
use egui::{FontData, FontDefinitions, FontFamily};
use skrifa::{FontRef, MetadataProvider as _};

use search::{Found, find_fonts, system_folders};

/// The fonts in use, and what is asked of them.
pub struct Fonts {
    definitions: FontDefinitions,
    folders: Vec<PathBuf>,
    /// Characters that a font in use has.
    present: BTreeSet<char>,
    /// Characters that none has; they were looked for, or are.
    absent: BTreeSet<char>,
    /// Characters that are still to be looked for.
    wanted: BTreeSet<char>,
    search: Option<Receiver<Vec<Found>>>,
    /// Whether egui does not have the definitions yet.
    is_new: bool,
}

impl Default for Fonts {
    fn default() -> Self {
        Self::with_folders(system_folders())
    }
}

impl Fonts {
    /// egui's own fonts, and those of these folders where they are needed.
    pub fn with_folders(folders: Vec<PathBuf>) -> Self {
        let mut definitions = FontDefinitions::default();
        // The monospaced font has arrows and brackets that the other lacks.
        let families = &mut definitions.families;
        let monospace = families.get(&FontFamily::Monospace).cloned();
        if let Some(proportional) = families.get_mut(&FontFamily::Proportional) {
            for name in monospace.into_iter().flatten() {
                if !proportional.contains(&name) {
                    proportional.push(name);
                }
            }
        }
        Self {
            definitions,
            folders,
            present: BTreeSet::new(),
            absent: BTreeSet::new(),
            wanted: BTreeSet::new(),
            search: None,
            is_new: true,
        }
    }

    /// Takes note of the characters of a text that is or will be shown.
    pub fn note(&mut self, text: &str) {
        if text.is_ascii() {
            return;
        }
        for character in text.chars() {
            if character.is_ascii()
                || is_unseen(character)
                || self.present.contains(&character)
                || self.absent.contains(&character)
            {
                continue;
            }
            if has_glyph(&self.definitions, character) {
                self.present.insert(character);
            } else {
                self.absent.insert(character);
                self.wanted.insert(character);
            }
        }
    }

    /// Looks for fonts that have what was noted, beside the frames unless `is_waited_for`; and
    /// hands over the fonts that egui is to use from now on, where there are new ones.
    pub fn advance(&mut self, is_waited_for: bool) -> Option<FontDefinitions> {
        self.take_found();
        if !self.wanted.is_empty() && self.search.is_none() {
            let wanted = std::mem::take(&mut self.wanted);
            if is_waited_for {
                let found = find_fonts(&self.folders, &wanted);
                self.add(found);
            } else {
                self.search = start_search(self.folders.clone(), wanted);
            }
        }
        std::mem::take(&mut self.is_new).then(|| self.definitions.clone())
    }

    fn take_found(&mut self) {
        let Some(search) = &self.search else {
            return;
        };
        match search.try_recv() {
            Ok(found) => {
                self.search = None;
                self.add(found);
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => self.search = None,
        }
    }

    fn add(&mut self, found: Vec<Found>) {
        for Found { name, index, bytes } in found {
            // egui takes a font's word for it that it is one.
            if FontRef::from_index(&bytes, index).is_err()
                || self.definitions.font_data.contains_key(&name)
            {
                continue;
            }
            let mut data = FontData::from_owned(bytes);
            data.index = index;
            self.definitions
                .font_data
                .insert(name.clone(), Arc::new(data));
            for family in [FontFamily::Proportional, FontFamily::Monospace] {
                let fonts = self.definitions.families.entry(family).or_default();
                fonts.push(name.clone());
            }
            self.is_new = true;
        }
        let definitions = &self.definitions;
        let now_present: Vec<char> = self
            .absent
            .iter()
            .copied()
            .filter(|character| has_glyph(definitions, *character))
            .collect();
        for character in now_present {
            self.absent.remove(&character);
            self.present.insert(character);
        }
    }

    /// A text as it can be shown: characters that no font has stand as their code points, such as
    /// `⟨U+1F984⟩`, and what is written from right to left is turned round, since egui sets every
    /// text from left to right.
    pub fn shown<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let is_plain =
            |character: char| !self.absent.contains(&character) && !is_right_to_left(character);
        if text.is_ascii() || text.chars().all(is_plain) {
            return Cow::Borrowed(text);
        }
        let mut shown = String::with_capacity(2 * text.len());
        // Letters of a word from right to left, each with the marks on it.
        let mut turned: Vec<String> = Vec::new();
        for character in text.chars() {
            let as_shown = if self.absent.contains(&character) {
                format!("⟨U+{:04X}⟩", u32::from(character))
            } else {
                character.to_string()
            };
            if is_right_to_left(character) {
                match turned.last_mut() {
                    Some(letter) if is_mark(character) => letter.push_str(&as_shown),
                    _ => turned.push(as_shown),
                }
            } else {
                shown.extend(turned.drain(..).rev());
                shown.push_str(&as_shown);
            }
        }
        shown.extend(turned.drain(..).rev());
        Cow::Owned(shown)
    }
}

/// Letters and marks of Hebrew, Arabic, Syriac, Thaana and N'Ko, but not their digits.
fn is_right_to_left(character: char) -> bool {
    matches!(
        character,
        '\u{0590}'..='\u{065F}'
            | '\u{066A}'..='\u{06EF}'
            | '\u{06FA}'..='\u{08FF}'
            | '\u{FB1D}'..='\u{FDFF}'
            | '\u{FE70}'..='\u{FEFC}'
    )
}

/// Marks that sit on the letter before them, of what is written from right to left.
fn is_mark(character: char) -> bool {
    matches!(
        character,
        '\u{0591}'..='\u{05BD}'
            | '\u{05BF}'
            | '\u{05C1}'..='\u{05C7}'
            | '\u{0610}'..='\u{061A}'
            | '\u{064B}'..='\u{065F}'
            | '\u{0670}'
            | '\u{06D6}'..='\u{06ED}'
    )
}

/// Characters that only say how others are drawn, and blanks.
fn is_unseen(character: char) -> bool {
    character.is_whitespace()
        || character.is_control()
        || matches!(
            character,
            '\u{200B}'..='\u{200F}'
                | '\u{202A}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}'
                | '\u{FE00}'..='\u{FE0F}'
                | '\u{FEFF}'
                | '\u{E0000}'..='\u{E01EF}'
        )
}

fn has_glyph(definitions: &FontDefinitions, character: char) -> bool {
    let names = definitions.families.get(&FontFamily::Proportional);
    names.into_iter().flatten().any(|name| {
        definitions
            .font_data
            .get(name)
            .and_then(|data| FontRef::from_index(&data.font, data.index).ok())
            .and_then(|font| font.charmap().map(character))
            .is_some()
    })
}

/// Looks for fonts on a thread of its own; none where there is no thread.
fn start_search(folders: Vec<PathBuf>, wanted: BTreeSet<char>) -> Option<Receiver<Vec<Found>>> {
    let (sender, found) = bounded(1);
    let search = move || {
        // Nobody waits for it once the window is closed.
        drop(sender.send(find_fonts(&folders, &wanted)));
    };
    let thread = thread::Builder::new().name("llmscope-fonts".to_owned());
    thread.spawn(search).ok().map(|_running| found)
}

#[cfg(test)]
mod tests {
    use super::search::tests::fake_font;
    use super::*;

    #[test]
    fn what_no_font_has_is_shown_as_its_code_point() {
        let mut fonts = Fonts::with_folders(Vec::new());
        for text in ["a🦄ሀ", "Zoë → ⟨↵⟩", "\u{200D}x\u{FE0F}"] {
            fonts.note(text);
        }
        fonts.advance(true);

        // Ethiopic is in none of egui's fonts.
        assert_eq!(fonts.shown("aሀb"), "a⟨U+1200⟩b");
        assert_eq!(fonts.shown("Zoë → ⟨↵⟩ ·"), "Zoë → ⟨↵⟩ ·");
        assert_eq!(fonts.shown("\u{200D}x\u{FE0F}"), "\u{200D}x\u{FE0F}");
    }

    #[test]
    fn what_is_written_from_right_to_left_reads_so() {
        let fonts = Fonts::with_folders(Vec::new());

        assert_eq!(fonts.shown("·שלום"), "·םולש");
        assert_eq!(fonts.shown("שָׁלוֹם 12, ok"), "םוֹלשָׁ 12, ok");
    }

    #[test]
    fn a_font_of_the_system_is_added_behind_eguis_once_a_text_needs_it() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("Fidel-Regular.ttf"),
            fake_font(&['ሀ', 'ለ']),
        )
        .unwrap();
        let mut fonts = Fonts::with_folders(vec![folder.path().to_owned()]);
        let own = fonts.advance(true).unwrap();
        fonts.note("plain words");
        assert!(fonts.advance(true).is_none(), "nothing was missing");

        fonts.note("ሀለሐ");
        let definitions = fonts.advance(true).unwrap();

        assert_eq!(definitions.font_data.len(), own.font_data.len() + 1);
        for family in definitions.families.values() {
            assert!(family.last().unwrap().contains("Fidel"), "{family:?}");
        }
        assert_eq!(fonts.shown("ሀሐ"), "ሀ⟨U+1210⟩");
        fonts.note("ሀለሐ");
        assert!(fonts.advance(true).is_none(), "nothing is looked for twice");
    }

    #[test]
    fn in_a_window_the_search_runs_beside_the_frames() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Fidel.ttf"), fake_font(&['ሀ'])).unwrap();
        let mut fonts = Fonts::with_folders(vec![folder.path().to_owned()]);
        fonts.advance(false);
        fonts.note("ሀ");
        assert_eq!(fonts.shown("ሀ"), "⟨U+1200⟩");

        let found = (0..2000).find_map(|_| {
            thread::sleep(std::time::Duration::from_millis(2));
            fonts.advance(false)
        });

        assert!(found.is_some());
        assert_eq!(fonts.shown("ሀ"), "ሀ");
    }
}
