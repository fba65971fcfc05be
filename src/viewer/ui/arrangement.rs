//! Keeps how the views beside the world are arranged from one run to the next.

use std::path::PathBuf;

use bevy::prelude::*;
use serde::{Deserialize, Serialize};

use super::panels::plots::dock::Arrangement;
use super::{UiSettings, UiState};
use crate::viewer::settings_file;

/// The file that keeps the arrangement; none where nothing is kept.
#[derive(Resource, Clone, Debug, Default, PartialEq, Eq)]
pub struct ArrangementFile(pub Option<PathBuf>);

/// What the file keeps, as messages call it.
const WHAT: &str = "panel positions";
/// What this program writes and reads.
const VERSION: u32 = 1;
/// Seconds that an arrangement stays as it is before it is written.
const SECS_AT_REST: f32 = 1.0;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    version: u32,
    arrangement: Arrangement,
}

fn parse(bytes: &[u8]) -> Result<Option<Arrangement>, String> {
    let file: FileText = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if file.version != VERSION {
        return Err(format!("version {} is not known here", file.version));
    }
    Ok(Some(file.arrangement))
}

/// Arranges the views as they were left, and opens those that were asked for.
pub(super) fn read(
    mut file: ResMut<ArrangementFile>,
    settings: Res<UiSettings>,
    mut state: ResMut<UiState>,
) {
    if let Some(path) = &file.0 {
        let loaded = settings_file::load(path, WHAT, parse);
        if loaded.message.is_some() {
            state.slots_failure = loaded.message;
        }
        if let Some(arrangement) = &loaded.kept {
            state.panels.plots.dock.arrange(arrangement);
        }
        if !loaded.may_be_replaced {
            file.0 = None;
        }
    }
    for (plot, page) in &settings.pages {
        state.panels.plots.turn_to(*plot, *page);
    }
    for plot in &settings.plots {
        if !state.panels.plots.dock.is_open(*plot) {
            state.panels.plots.dock.toggle(*plot);
        }
    }
}

/// What is known of the arrangement on disk.
#[derive(Default)]
pub(super) struct Keeper {
    written: Option<Arrangement>,
    /// What it is now, and since when, in seconds of the program.
    pending: Option<(Arrangement, f32)>,
}

/// Writes the arrangement once it has come to rest.
pub(super) fn keep(
    time: Res<Time<Real>>,
    mut file: ResMut<ArrangementFile>,
    mut state: ResMut<UiState>,
    mut keeper: Local<Keeper>,
    mut exits: MessageReader<AppExit>,
) {
    let Some(path) = file.0.clone() else { return };
    let now = time.elapsed_secs();
    let arrangement = state.panels.plots.dock.arrangement();
    if keeper.written.is_none() {
        keeper.written = Some(arrangement.clone()); // As it was read.
    }
    if keeper.written.as_ref() == Some(&arrangement) {
        keeper.pending = None;
        return;
    }
    let since = match &keeper.pending {
        Some((pending, since)) if *pending == arrangement => *since,
        _ => now,
    };
    let is_leaving = exits.read().next().is_some();
    if now - since < SECS_AT_REST && !is_leaving {
        keeper.pending = Some((arrangement, since));
        return;
    }
    let text = FileText {
        version: VERSION,
        arrangement: arrangement.clone(),
    };
    if let Err(error) = settings_file::save(&path, WHAT, &text) {
        state.slots_failure = Some(error.to_string());
        file.0 = None; // Said once.
    }
    keeper.pending = None;
    keeper.written = Some(arrangement);
}
