//! What is pointed at and what was chosen, looked up for the panels.

use bevy::prelude::*;
use bevy::tasks::futures::check_ready;
use bevy::tasks::{AsyncComputeTaskPool, Task};
use egui::{Pos2, Rect};

use super::panels::plots::ablation::part_of;
use super::panels::tooltip::Hover;
use crate::ablation::Ablation;
use crate::color::{Colormap, NOT_FINITE, RangeEnd, RangeMode, Rgb, ValueRange};
use crate::config::ModelConfig;
use crate::layout::{Cell, ModelLayout};
use crate::viewer::inference::ActiveTrace;
use crate::viewer::playback::Playhead;
use crate::viewer::pointing::Pointer;
use crate::viewer::readout::{ReadOut, Subject, Survey, exact, is_attention, is_reached};
use crate::viewer::scene::{
    Highlight, Overlay, Reduction, SceneSettings, ValueTable, WeightStore, shown_hooks,
    tensor_ranges,
};

/// What is pointed at, what was chosen, and where their numbers are.
#[derive(bevy::ecs::system::SystemParam)]
pub(super) struct Pointed<'w> {
    pub(super) pointer: ResMut<'w, Pointer>,
    pub(super) highlight: Res<'w, Highlight>,
    pub(super) weights: Res<'w, WeightStore>,
    /// What colours and heights stand for.
    pub(super) overlay: ResMut<'w, Overlay>,
}

/// What a read-out was made of; it is made anew when that changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Version {
    cell: Cell,
    is_reached: bool,
    n_pos: usize,
    is_computing: bool,
    /// Rises with every pass.
    n_passes: u64,
}

impl Version {
    pub(super) fn of(
        cell: Cell,
        trace: &ActiveTrace,
        playhead: &Playhead,
        n_passes: u64,
    ) -> Option<Self> {
        let config = &trace.model()?.config;
        Some(Self {
            cell,
            is_reached: match cell {
                Cell::Value(cell) => is_reached(config, playhead, cell),
                Cell::Weight(_) => true,
            },
            n_pos: trace.n_pos(),
            is_computing: trace.is_computing(),
            n_passes,
        })
    }
}

/// A read-out, as long as what it was made of stays the same.
#[derive(Default)]
pub(super) struct Cached(Option<(Version, ReadOut)>);

impl Cached {
    /// Makes the read-out of `cell`, if that is not what is there; none of no cell.
    pub(super) fn refresh(
        &mut self,
        cell: Option<Cell>,
        trace: &ActiveTrace,
        playhead: &Playhead,
        n_passes: u64,
    ) {
        let version = cell.and_then(|cell| Version::of(cell, trace, playhead, n_passes));
        if self.0.as_ref().map(|(version, _)| *version) != version {
            self.0 = version.and_then(|version| {
                let read_out = ReadOut::new(trace, playhead, version.cell)?;
                Some((version, read_out))
            });
        }
    }

    pub(super) fn version(&self) -> Option<Version> {
        self.0.as_ref().map(|(version, _)| *version)
    }

    pub(super) fn get(&self) -> Option<&ReadOut> {
        self.0.as_ref().map(|(_, read_out)| read_out)
    }
}

/// Counts what the chosen number's tensor comes down to, beside the frames.
#[derive(Default)]
pub(super) struct Surveyor {
    /// Of which version the survey is, or will be.
    version: Option<Version>,
    under_way: Option<Task<Survey>>,
    survey: Option<Survey>,
}

impl Surveyor {
    /// The survey of a number's tensor, once it is counted; it begins when another is asked for.
    pub(super) fn survey(
        &mut self,
        trace: &ActiveTrace,
        version: Option<Version>,
    ) -> Option<&Survey> {
        if self.version != version {
            if self.version.map(|before| before.cell) != version.map(|now| now.cell) {
                self.survey = None;
            }
            self.version = version;
            self.under_way = version.map(|version| {
                let weights = trace.model().and_then(|model| model.weights.clone());
                let subject = Subject::new(version.cell, trace.trace().cloned(), weights);
                AsyncComputeTaskPool::get().spawn(async move { subject.survey() })
            });
        }
        if let Some(task) = &mut self.under_way
            && let Some(survey) = check_ready(task)
        {
            self.survey = Some(survey);
            self.under_way = None;
        }
        self.survey.as_ref()
    }
}

/// What is on show, and how.
#[derive(Clone, Copy)]
pub(super) struct Shown<'a> {
    pub(super) layout: &'a ModelLayout,
    pub(super) values: &'a ValueTable,
    pub(super) weights: &'a WeightStore,
    pub(super) settings: &'a SceneSettings,
    pub(super) overlay: &'a Overlay,
    /// The shape of the model on show.
    pub(super) config: &'a ModelConfig,
    pub(super) ablations: &'a [Ablation],
    /// The target in words, while colours stand for parts in a prediction.
    pub(super) target: &'a str,
}

/// Cells seen smaller than this, in points, are not told apart.
const LEAST_POINTS: f32 = 1.5;

impl Shown<'_> {
    /// The colour that a number has in the world.
    pub(super) fn color(&self, read_out: &ReadOut) -> Option<Rgb> {
        let value = match read_out.cell {
            Cell::Value(cell) if self.values.has_parts() => {
                read_out.reading.value()?;
                self.overlay.part(self.config, cell)?
            }
            _ => read_out.reading.value()?,
        };
        if !value.is_finite() {
            return Some(NOT_FINITE);
        }
        let theme = self.settings.theme;
        let range = match read_out.cell {
            Cell::Value(cell) if self.values.is_weights(cell.hook) => {
                return Some(Colormap::Sequential.color(theme, value));
            }
            Cell::Value(cell) => {
                let ranges = self.settings.ranges;
                let hooks = match ranges.mode {
                    RangeMode::PerTensor => vec![cell.hook],
                    _ => shown_hooks(self.layout),
                };
                tensor_ranges(&hooks, self.values, ranges)
                    .get(&cell.hook)?
                    .range
            }
            Cell::Weight(cell) => {
                let mut fields = self.layout.fields_of(cell.weight);
                let field = fields.find(|field| field.place(cell).is_some())?;
                let key = (field.weight, field.columns.start);
                let overview = self.weights.overview(key)?;
                match self.settings.ranges.end {
                    RangeEnd::Quantile => overview.range,
                    RangeEnd::Max => ValueRange {
                        limit: overview.stats.max_abs,
                    },
                }
            }
        };
        let place = self.settings.ranges.scaling.place(value * range.scale());
        Some(Colormap::Diverging.color(theme, 0.5 + 0.5 * place))
    }

    /// What else is to be known of a number: its part in a prediction, where colours stand for it, and
    /// whether it is set to zero.
    pub(super) fn notes(&self, read_out: &ReadOut) -> Vec<String> {
        let Cell::Value(cell) = read_out.cell else {
            return Vec::new();
        };
        let mut notes = Vec::new();
        if self.values.has_parts() && read_out.reading.value().is_some() {
            let title = self.overlay.shown().title();
            notes.push(match self.overlay.part(self.config, cell) {
                Some(part) => format!("{title} {}, {}", exact(part), self.target),
                None => format!("no {title} here"),
            });
        }
        let n_sharing = self.config.n_heads / self.config.n_heads_at(cell.hook);
        if n_sharing > 1 {
            let first = cell.head * n_sharing;
            notes.push(format!(
                "read by heads {first} to {}",
                first + n_sharing - 1
            ));
        }
        let part = part_of(cell, self.config);
        let covers = |zeroed: &Ablation| zeroed.covers(part.hook, cell.head, cell.index);
        if let Some(zeroed) = self.ablations.iter().find(|zeroed| covers(zeroed)) {
            notes.push(format!("{} is set to zero; X restores it", zeroed.title()));
        }
        notes
    }

    /// What the tile of a cell shows from afar, where the cell is too small to be seen.
    fn afar_note(&self, cell: Cell, seen: Rect) -> Option<String> {
        if !seen.is_finite() || seen.width().max(seen.height()) >= LEAST_POINTS {
            return None;
        }
        Some(match (cell, self.settings.reduction) {
            (Cell::Value(cell), reduction) if is_attention(cell.hook) => match reduction {
                Reduction::Max => "From here a pixel shows the greatest of what it covers",
                Reduction::Mean => "From here a pixel shows the mean of what it covers",
            }
            .to_owned(),
            (Cell::Value(cell), _) => {
                let rms = self.values.tile_rms(cell.hook, cell.pos)?;
                if rms < 0.0 {
                    return None; // There are no numbers.
                }
                let rms = exact(rms);
                format!("From here the tile shows its root mean square, {rms}")
            }
            (Cell::Weight(_), _) => "From here a pixel shows the root mean square".to_owned(),
        })
    }

    /// Where a cell's box is seen, in points; all of the picture where a corner is behind the camera.
    fn seen(&self, cell: Cell, height: f32, project: &dyn Fn(Vec3) -> Option<Pos2>) -> Rect {
        let Some(ground) = self.layout.ground_of(cell) else {
            return Rect::EVERYTHING;
        };
        let (low, high) = (ground.low(), ground.high());
        let mut seen = Rect::NOTHING;
        for y in [0.0, height] {
            for (x, z) in [
                (low.x, low.y),
                (high.x, low.y),
                (high.x, high.y),
                (low.x, high.y),
            ] {
                match project(Vec3::new(x, y, z)) {
                    Some(place) => seen.extend_with(place),
                    None => return Rect::EVERYTHING,
                }
            }
        }
        seen
    }

    /// All that the tooltip needs; `scale` is how many points one of the camera's pixels is.
    pub(super) fn hover<'a>(
        &self,
        read_out: &'a ReadOut,
        pointed: &Pointed<'_>,
        scale: f32,
        project: &dyn Fn(Vec3) -> Option<Pos2>,
    ) -> Option<Hover<'a>> {
        let place = scale * pointed.pointer.place?;
        let seen = self.seen(read_out.cell, pointed.highlight.hovered_height, project);
        Some(Hover {
            read_out,
            color: self.color(read_out),
            notes: self.notes(read_out),
            from_afar: self.afar_note(read_out.cell, seen),
            pointer: Pos2::new(place.x, place.y),
            seen,
        })
    }
}
