//! Where a plot goes, in which form, and how it looks.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::table::Table;
use crate::cli::error::CliError;
use crate::cli::files::{check_file, save};
use crate::cli::options::{Size, ThemeArg};
use crate::color::Theme;
use crate::figure::{Figure, Lettering, Look, png, raster};

/// Options of every plot.
#[derive(Clone, Debug, Args)]
pub struct OutputArgs {
    /// The file to write, whose name ends in .png, .svg, .json or .csv; `-` for standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// The form, in place of what the file's name ends in
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// The colours of background and text
    #[arg(long, value_name = "THEME", default_value = "dark")]
    pub theme: ThemeArg,
    /// Width and height in pixels; without it, what the plot looks best at
    #[arg(long, value_name = "WxH")]
    pub size: Option<Size>,
    /// Pixels for each unit of type and lines, from 0.5 to 8
    #[arg(long, value_name = "N", default_value_t = 2.0)]
    pub scale: f32,
    /// Replace an existing file
    #[arg(long)]
    pub force: bool,
}

/// The form of a plot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A picture in pixels
    Png,
    /// A picture in shapes
    Svg,
    /// The numbers
    Json,
    /// The numbers, as a table
    Csv,
}

/// A plot: its numbers and its picture.
pub(super) struct Plot {
    pub table: Table,
    pub figure: Figure,
}

impl OutputArgs {
    /// Refuses what could not be written, before anything is computed.
    pub(super) fn check(&self) -> Result<Format, CliError> {
        let format = self.read_format()?;
        if !(0.5..=8.0).contains(&self.scale) {
            return Err(CliError::Usage(format!(
                "--scale is {}; it goes from 0.5 to 8 pixels a unit",
                self.scale
            )));
        }
        if self.is_stdout() {
            return Ok(format);
        }
        check_file(&self.output, self.force)?;
        Ok(format)
    }

    fn is_stdout(&self) -> bool {
        self.output == Path::new("-")
    }

    fn read_format(&self) -> Result<Format, CliError> {
        if let Some(format) = self.format {
            return Ok(format);
        }
        if self.is_stdout() {
            return Err(CliError::Usage(
                "-o - needs --format png, svg, json or csv".to_owned(),
            ));
        }
        let extension = self.output.extension().and_then(|ending| ending.to_str());
        let extension = extension.map(str::to_ascii_lowercase);
        match extension.as_deref() {
            Some("png") => Ok(Format::Png),
            Some("svg") => Ok(Format::Svg),
            Some("json") => Ok(Format::Json),
            Some("csv") => Ok(Format::Csv),
            _ => Err(CliError::Usage(format!(
                "{} ends in none of .png, .svg, .json and .csv, so its form is unknown; \
                 name it so or give --format",
                self.output.display()
            ))),
        }
    }

    /// The theme.
    pub(super) fn theme(&self) -> Theme {
        match self.theme {
            ThemeArg::Dark => Theme::Dark,
            ThemeArg::Light => Theme::Light,
        }
    }

    /// Writes the plot.
    pub(super) fn write(&self, format: Format, plot: &Plot) -> Result<(), CliError> {
        let bytes = match format {
            Format::Json => {
                let mut json = serde_json::to_vec(&plot.table).map_err(io::Error::from)?;
                json.push(b'\n');
                json
            }
            Format::Csv => plot.table.to_csv().into_bytes(),
            Format::Svg | Format::Png => self.draw(format, plot)?,
        };
        if self.is_stdout() {
            let mut out = io::stdout().lock();
            out.write_all(&bytes)?;
            return Ok(out.flush()?);
        }
        save(&self.output, &bytes, self.force)?;
        crate::cli::say(&format!("wrote {}", self.output.display()));
        Ok(())
    }

    fn draw(&self, format: Format, plot: &Plot) -> Result<Vec<u8>, CliError> {
        let lettering = Lettering::default();
        let size = self.size.map(|size| {
            let units = |pixels: u32| pixels as f32 / self.scale;
            (units(size.width), units(size.height))
        });
        let drawing = plot.figure.draw(Look::new(self.theme()), size, &lettering);
        if format == Format::Svg {
            return Ok(drawing.to_svg(self.scale).into_bytes());
        }
        let (width, height, rgba) = raster(&drawing, self.scale, &lettering)
            .map_err(|error| CliError::Failed(error.to_string()))?;
        let texts = [
            ("Software", format!("llmscope {}", plot.table.llmscope)),
            ("Title", plot.table.title.clone()),
            ("Model", plot.table.model.clone()),
        ]
        .map(|(keyword, text)| (keyword.to_owned(), text));
        Ok(png(width, height, &rgba, &texts)?)
    }
}
