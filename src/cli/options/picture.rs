//! How pictures of the world look.

use std::collections::BTreeSet;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use crate::cli::error::CliError;
use crate::config::ModelConfig;
use crate::layout::Kind;

/// How a picture of the world looks.
#[derive(Clone, Debug, Args)]
pub struct PictureArgs {
    /// Width and height in pixels
    #[arg(long, value_name = "WxH", default_value_t)]
    pub size: Size,
    /// The colours of background and text
    #[arg(long, value_name = "THEME", default_value = "dark")]
    pub theme: ThemeArg,
    /// Kinds of things left out, such as `weights,scores,norm-1`; the map closes up behind them
    #[arg(long, value_name = "KIND,...", value_delimiter = ',', value_parser = kind)]
    pub hide: Vec<Kind>,
    /// The heads whose attention is drawn as arcs; all without it
    #[arg(long, value_name = "N,...", value_delimiter = ',')]
    pub arc_heads: Vec<usize>,
    /// What the weights of several heads become in one arc
    #[arg(long, value_name = "HOW", default_value = "mean")]
    pub arc_pool: PoolArg,
}

/// What the colours and heights of the world stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, ValueEnum)]
pub enum ColorByArg {
    /// The numbers themselves
    #[default]
    Value,
    /// Derivative times value: what the most probable next token's logit would lose, to first order,
    /// without the number
    Gradient,
    /// What the number adds to that logit by itself
    Direct,
}

/// What the weights of several heads become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PoolArg {
    /// Their mean
    Mean,
    /// The greatest
    Max,
}

/// A kind by its title, with hyphens for blanks.
fn kind(text: &str) -> Result<Kind, String> {
    let names = Kind::all().into_iter().map(|kind| (kind_name(kind), kind));
    let asked = text.trim().replace(' ', "-");
    names
        .clone()
        .find(|(name, _)| name.eq_ignore_ascii_case(&asked))
        .map(|(_, kind)| kind)
        .ok_or_else(|| {
            let names: Vec<String> = names.map(|(name, _)| name).collect();
            format!("the kinds are {}", names.join(", "))
        })
}

fn kind_name(kind: Kind) -> String {
    kind.title().to_lowercase().replace(' ', "-")
}

impl PictureArgs {
    /// What is left out of the world.
    pub fn hidden(&self) -> BTreeSet<Kind> {
        self.hide.iter().copied().collect()
    }

    /// Refuses heads that a model of this shape does not have.
    ///
    /// # Errors
    ///
    /// Names the first that is missing.
    pub fn require_heads(&self, config: &ModelConfig) -> Result<(), CliError> {
        match self.arc_heads.iter().find(|head| **head >= config.n_heads) {
            None => Ok(()),
            Some(head) => Err(CliError::Usage(format!(
                "--arc-heads names head {head}, and each layer has {} heads, counted from 0",
                config.n_heads
            ))),
        }
    }
}

/// A picture's width and height in pixels, each from 16 to 16384.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
}

/// The colours of background and text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, ValueEnum)]
pub enum ThemeArg {
    /// Light on dark
    #[default]
    Dark,
    /// Dark on light
    Light,
}

impl Default for Size {
    fn default() -> Self {
        Self {
            width: 1280,
            height: 720,
        }
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let side = |side: &str| {
            let pixels: Option<u32> = side.parse().ok();
            pixels.filter(|pixels| (16..=16_384).contains(pixels))
        };
        text.split_once(['x', 'X'])
            .and_then(|(width, height)| {
                Some(Self {
                    width: side(width)?,
                    height: side(height)?,
                })
            })
            .ok_or_else(|| "a size reads like 1280x720, each side from 16 to 16384".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_a_name_of_its_own() {
        for each in Kind::all() {
            assert_eq!(kind(&kind_name(each)), Ok(each));
            assert_eq!(kind(each.title()), Ok(each));
        }
        assert!(kind("everything").unwrap_err().contains("norm-1"));
    }

    #[test]
    fn a_size_prints_as_it_was_written_and_has_bounds() {
        for text in ["1280x720", "16x16", "16384x16384"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "x",
            "1280",
            "15x720",
            "1280x16385",
            "1280x-720",
            "1x2x3",
        ] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
