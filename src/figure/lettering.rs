//! The fonts, and how wide a text is in them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use resvg::usvg::fontdb::{Database, Source};
use resvg::usvg::{Node, Options, Tree};

use super::drawing::FAMILIES;
use super::marks::escape;

/// The fonts of a drawing.
///
/// Those within the program have the Latin, Greek and Cyrillic scripts, arrows and emoji. The system's
/// are read only when a text needs more, so that all other pictures are the same everywhere.
#[derive(Default)]
pub struct Lettering {
    widths: RefCell<HashMap<String, f32>>,
    needs_system: RefCell<bool>,
}

/// At which texts are measured, in units.
const MEASURED_SIZE: f32 = 100.0;

impl Lettering {
    /// The width of a text of one line at `size`, in units.
    pub fn width(&self, text: &str, size: f32) -> f32 {
        if let Some(width) = self.widths.borrow().get(text) {
            return width * size;
        }
        let width = self.measure(text) / MEASURED_SIZE;
        self.widths.borrow_mut().insert(text.to_owned(), width);
        width * size
    }

    /// The text, or as much of its beginning as is no wider than `room`, with an ellipsis.
    pub fn fit(&self, text: &str, size: f32, room: f32) -> String {
        if self.width(text, size) <= room {
            return text.to_owned();
        }
        let characters: Vec<char> = text.chars().collect();
        let shortened = |n: usize| -> String {
            let kept: String = characters[..n].iter().collect();
            format!("{}…", kept.trim_end())
        };
        let (mut fits, mut too_long) = (0, characters.len());
        while fits + 1 < too_long {
            let middle = usize::midpoint(fits, too_long);
            if self.width(&shortened(middle), size) <= room {
                fits = middle;
            } else {
                too_long = middle;
            }
        }
        if fits == 0 {
            "…".to_owned()
        } else {
            shortened(fits)
        }
    }

    /// What reads drawings with these fonts.
    pub fn options(&self) -> Options<'static> {
        let fonts = if *self.needs_system.borrow() {
            all_fonts()
        } else {
            own_fonts()
        };
        Options {
            fontdb: fonts,
            ..Options::default()
        }
    }

    fn measure(&self, text: &str) -> f32 {
        let (width, has_all) = self.lay_out(text);
        if has_all || *self.needs_system.borrow() {
            return width;
        }
        *self.needs_system.borrow_mut() = true;
        // What was measured before stays as it is: the fonts within the program come first.
        self.lay_out(text).0
    }

    /// The width, and whether there is a glyph for every character.
    fn lay_out(&self, text: &str) -> (f32, bool) {
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1\" height=\"1\" \
             font-family=\"{FAMILIES}\" font-weight=\"300\" xml:space=\"preserve\">\
             <text font-size=\"{MEASURED_SIZE}\">"
        );
        escape(&mut svg, text);
        svg.push_str("</text></svg>");
        let Ok(tree) = Tree::from_str(&svg, &self.options()) else {
            return (0.0, true);
        };
        let [Node::Text(laid_out)] = tree.root().children() else {
            return (0.0, true);
        };
        let mut glyphs = laid_out
            .layouted()
            .iter()
            .flat_map(|span| &span.positioned_glyphs);
        let has_all = glyphs.all(|glyph| glyph.id.0 != 0);
        (laid_out.bounding_box().width(), has_all)
    }
}

/// The fonts within the program.
fn own_fonts() -> Arc<Database> {
    static FONTS: OnceLock<Arc<Database>> = OnceLock::new();
    Arc::clone(FONTS.get_or_init(|| {
        let mut fonts = Database::new();
        for bytes in [
            epaint_default_fonts::UBUNTU_LIGHT,
            epaint_default_fonts::HACK_REGULAR,
            epaint_default_fonts::NOTO_EMOJI_REGULAR,
            epaint_default_fonts::EMOJI_ICON,
        ] {
            fonts.load_font_source(Source::Binary(Arc::new(bytes)));
        }
        Arc::new(fonts)
    }))
}

/// These, then the system's.
fn all_fonts() -> Arc<Database> {
    static FONTS: OnceLock<Arc<Database>> = OnceLock::new();
    Arc::clone(FONTS.get_or_init(|| {
        let mut fonts = Database::clone(&own_fonts());
        fonts.load_system_fonts();
        Arc::new(fonts)
    }))
}
