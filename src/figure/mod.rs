//! Pictures of what analysis gives, as vector drawings and as pixels.
//!
//! Plain data becomes a [`Chart`]; a [`Figure`] sets charts under a title and over a line that says what
//! they are of; drawing it gives a [`Drawing`], which is SVG text; and [`raster`] makes pixels of that.
//! Every step is a pure function: the same data is the same picture, to the last byte. Text is measured
//! with the fonts it is drawn with, which are within the program.

mod axis;
mod bars;
mod callouts;
mod canvas;
mod crowd;
mod drawing;
mod encode;
mod heatmap;
mod lettering;
mod lines;
mod look;
mod marks;
mod number;
mod panels;
mod raster;
mod ribbon;
mod scale;
mod scatter;
mod sheet;
#[cfg(test)]
mod tests;

pub use axis::Axis;
pub use bars::{Bar, Bars};
pub use callouts::{Callout, Callouts};
pub use canvas::{Area, Canvas};
pub use drawing::Drawing;
pub use encode::{png, quick_png};
pub use heatmap::Heatmap;
pub use lettering::Lettering;
pub use lines::{Line, Lines};
pub use look::Look;
pub use marks::{Paint, Pixels, Stroke, TextAnchor};
pub use number::{exact, short, tick};
pub use panels::{Panel, Panels};
pub use raster::{RasterError, raster};
pub use ribbon::{Piece, Ribbon};
pub use scale::ColorScale;
pub use scatter::{Scatter, ScatterPoint};
pub use sheet::{Chart, Figure};
