//! Weights on show: exact reductions of every field, and windows of those seen near.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::thread;

use bevy::prelude::*;
use bevy::tasks::AsyncComputeTaskPool;
use crossbeam_channel::{Receiver, Sender, bounded};

use super::values::finite_or_stand_in;
use crate::color::{TileStats, ValueRange};
use crate::layout::WeightField;
use crate::model::Weights;
use crate::weight::WeightPoint;

/// Rows and columns of a field's finest reduction, at most.
const MAX_GRID: usize = 64;
/// Readings that may wait for the next frame.
const READING_ROOM: usize = 32;
/// Windows being read at once, at most.
const MAX_READERS: usize = 4;

/// Which field: the weight, and the first of its entries along the field's columns.
pub type FieldKey = (WeightPoint, usize);

/// A part of a weight field, reduced `level` times by half; its place and size in cells of that
/// level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// The field.
    pub field: FieldKey,
    /// A cell stands for `2^level` by `2^level` numbers.
    pub level: u32,
    /// The first row.
    pub first_row: usize,
    /// The first column.
    pub first_col: usize,
    /// Rows.
    pub n_rows: usize,
    /// Columns.
    pub n_cols: usize,
}

/// The reductions of one field: root mean squares, level upon level, row by row; level 0 has
/// `grid_rows` by `grid_cols` cells and each further one half as many along both edges, rounded up.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldOverview {
    /// Rows of level 0.
    pub grid_rows: usize,
    /// Columns of level 0.
    pub grid_cols: usize,
    /// Root mean squares.
    pub values: Vec<f32>,
    /// The range of the field's numbers.
    pub range: ValueRange,
    /// What its numbers come down to as a whole.
    pub stats: TileStats,
}

enum Reading {
    Overview(FieldKey, FieldOverview),
    Window(Window, Vec<f32>),
}

/// The weights of the model on show, as far as they have been read.
#[derive(Resource)]
pub struct WeightStore {
    weights: Option<Arc<Weights>>,
    overviews: BTreeMap<FieldKey, FieldOverview>,
    /// Where each overview begins in the buffer of all of them.
    offsets: BTreeMap<FieldKey, usize>,
    values: Vec<f32>,
    n_uploaded: usize,
    pending: BTreeSet<Window>,
    /// What was read while the frame waited for it.
    read_here: Vec<Reading>,
    sender: Sender<Reading>,
    readings: Receiver<Reading>,
    /// Whether reading waits, as for pictures, or goes on beside the frames.
    pub is_blocking: bool,
}

impl Default for WeightStore {
    fn default() -> Self {
        let (sender, readings) = bounded(READING_ROOM);
        Self {
            weights: None,
            overviews: BTreeMap::new(),
            offsets: BTreeMap::new(),
            values: Vec::new(),
            n_uploaded: 0,
            pending: BTreeSet::new(),
            read_here: Vec::new(),
            sender,
            readings,
            is_blocking: false,
        }
    }
}

impl WeightStore {
    /// Begins to reduce the fields of another model.
    pub fn load(&mut self, weights: Option<Arc<Weights>>, fields: Vec<WeightField>) {
        // A new channel: what is still being read of the last model finds no reader.
        *self = Self {
            is_blocking: self.is_blocking,
            ..Self::default()
        };
        let Some(weights) = weights else {
            return;
        };
        self.weights = Some(Arc::clone(&weights));
        let sender = self.sender.clone();
        let overviews = fields.into_iter().filter_map(move |field| {
            let values = read_field(&weights, &field)?;
            let key = (field.weight, field.columns.start);
            Some(Reading::Overview(key, reduce_field(&field, &values)))
        });
        if self.is_blocking {
            self.read_here.extend(overviews);
        } else {
            // A thread of its own: it waits where frames are slow.
            let reader = thread::Builder::new().name("llmscope-weights".to_owned());
            let spawned = reader.spawn(move || {
                for reading in overviews {
                    if sender.send(reading).is_err() {
                        return; // Another model is on show.
                    }
                }
            });
            if let Err(error) = spawned {
                warn!("the weights can't be shown: {error}");
            }
        }
    }

    /// Whether there are weights to show.
    pub fn has_weights(&self) -> bool {
        self.weights.is_some()
    }

    /// One learned number, as the weight's own rows and columns count.
    pub fn value(&self, weight: WeightPoint, row: usize, column: usize) -> Option<f32> {
        let weights = self.weights.as_ref()?;
        let slice = weights.config().weight_slice(weight);
        let (row, column) = if slice.is_transposed {
            (column, row)
        } else {
            (row, column)
        };
        weights
            .read(&slice, row..row + 1, column..column + 1)?
            .first()
            .copied()
    }

    /// Every number of one field, row by row as it lies on the ground.
    pub fn field_values(&self, field: &WeightField) -> Option<Vec<f32>> {
        read_field(self.weights.as_ref()?, field)
    }

    /// The reductions of a field; none until they have been read.
    pub fn overview(&self, key: FieldKey) -> Option<&FieldOverview> {
        self.overviews.get(&key)
    }

    /// Where a field's reductions begin among all of them.
    pub fn offset(&self, key: FieldKey) -> Option<usize> {
        self.offsets.get(&key).copied()
    }

    /// Reductions of all fields that have been read, in the order they came.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The reductions that came since this was last asked.
    pub fn take_new(&mut self) -> Range<usize> {
        let range = self.n_uploaded..self.values.len();
        self.n_uploaded = self.values.len();
        range
    }

    /// Whether something is still being read.
    pub fn is_reading(&self, n_fields: usize) -> bool {
        self.has_weights() && (self.overviews.len() < n_fields || !self.pending.is_empty())
    }

    /// Has a window read; it comes with a later [`receive`](Self::receive).
    pub(super) fn ask(&mut self, field: &WeightField, window: Window) {
        let Some(weights) = self.weights.clone() else {
            return;
        };
        if self.pending.contains(&window)
            || (!self.is_blocking && self.pending.len() >= MAX_READERS)
        {
            return;
        }
        self.pending.insert(window);
        let (sender, field) = (self.sender.clone(), field.clone());
        let read = move || {
            let values = read_window(&weights, &field, &window).unwrap_or_default();
            Reading::Window(window, values)
        };
        if self.is_blocking {
            self.read_here.push(read());
        } else {
            AsyncComputeTaskPool::get()
                // Without a reader another model is on show.
                .spawn(async move { drop(sender.send(read())) })
                .detach();
        }
    }

    /// Takes in what has been read; returns whether an overview came, and the windows.
    pub(super) fn receive(&mut self) -> (bool, Vec<(Window, Vec<f32>)>) {
        let mut has_overviews = false;
        let mut windows = Vec::new();
        let read_here = std::mem::take(&mut self.read_here);
        let come = self.readings.try_iter();
        for reading in read_here.into_iter().chain(come) {
            match reading {
                Reading::Overview(key, overview) => {
                    self.offsets.insert(key, self.values.len());
                    self.values.extend_from_slice(&overview.values);
                    self.overviews.insert(key, overview);
                    has_overviews = true;
                }
                Reading::Window(window, values) => {
                    self.pending.remove(&window);
                    windows.push((window, values));
                }
            }
        }
        (has_overviews, windows)
    }
}

/// Rows `rows` and columns `cols` of a field, row by row as they lie on the ground.
fn read_part(
    weights: &Weights,
    field: &WeightField,
    rows: Range<usize>,
    cols: Range<usize>,
) -> Option<Vec<f32>> {
    let slice = weights.config().weight_slice(field.weight);
    let along = field.columns.start + cols.start..field.columns.start + cols.end;
    // How the field's rows and columns lie in the tensor.
    if field.is_transposed == slice.is_transposed {
        return weights.read(&slice, rows, along);
    }
    let read = weights.read(&slice, along, rows.clone())?;
    let (n_rows, n_cols) = (rows.len(), cols.len());
    let mut turned = vec![0.0; read.len()];
    for (col, line) in read.chunks_exact(n_rows.max(1)).enumerate() {
        for (row, value) in line.iter().enumerate() {
            turned[row * n_cols + col] = *value;
        }
    }
    Some(turned)
}

fn read_field(weights: &Weights, field: &WeightField) -> Option<Vec<f32>> {
    read_part(weights, field, 0..field.n_rows, 0..field.n_cols())
}

/// A window's cells: the numbers themselves at level 0, else root mean squares.
fn read_window(weights: &Weights, field: &WeightField, window: &Window) -> Option<Vec<f32>> {
    let block = 1usize << window.level;
    let rows =
        window.first_row * block..((window.first_row + window.n_rows) * block).min(field.n_rows);
    let cols =
        window.first_col * block..((window.first_col + window.n_cols) * block).min(field.n_cols());
    let n_cols = cols.len();
    let values = read_part(weights, field, rows, cols)?;
    if block == 1 {
        return Some(values.into_iter().map(finite_or_stand_in).collect());
    }
    let mut cells = vec![(0.0f64, 0u32); window.n_rows * window.n_cols];
    for (row, line) in values.chunks_exact(n_cols.max(1)).enumerate() {
        let cells = &mut cells[row / block * window.n_cols..];
        for (col, value) in line.iter().enumerate() {
            let (sum_sq, count) = &mut cells[col / block];
            *sum_sq += f64::from(*value).powi(2);
            *count += 1;
        }
    }
    Some(cells.into_iter().map(root_mean_square).collect())
}

fn root_mean_square((sum_sq, count): (f64, u32)) -> f32 {
    finite_or_stand_in((sum_sq / f64::from(count.max(1))).sqrt() as f32)
}

/// Reduces a field's numbers, row by row, level upon level.
fn reduce_field(field: &WeightField, values: &[f32]) -> FieldOverview {
    let (n_rows, n_cols) = (field.n_rows, field.n_cols());
    let (grid_rows, grid_cols) = (n_rows.min(MAX_GRID), n_cols.min(MAX_GRID));
    let mut level = vec![(0.0f64, 0u32); grid_rows * grid_cols];
    for (row, line) in values.chunks_exact(n_cols).enumerate() {
        let cells = &mut level[row * grid_rows / n_rows * grid_cols..];
        for (col, value) in line.iter().enumerate() {
            let (sum_sq, count) = &mut cells[col * grid_cols / n_cols];
            *sum_sq += f64::from(*value).powi(2);
            *count += 1;
        }
    }
    let mut reduced = Vec::new();
    let (mut rows, mut cols) = (grid_rows, grid_cols);
    loop {
        reduced.extend(level.iter().copied().map(root_mean_square));
        if rows * cols <= 1 {
            break;
        }
        let (next_rows, next_cols) = (rows.div_ceil(2), cols.div_ceil(2));
        let mut next = vec![(0.0f64, 0u32); next_rows * next_cols];
        for row in 0..rows {
            for col in 0..cols {
                let (sum_sq, count) = level[row * cols + col];
                let cell = &mut next[row / 2 * next_cols + col / 2];
                cell.0 += sum_sq;
                cell.1 += count;
            }
        }
        (level, rows, cols) = (next, next_rows, next_cols);
    }
    let stats = TileStats::of(values);
    FieldOverview {
        grid_rows,
        grid_cols,
        values: reduced,
        range: ValueRange::default().including(&stats),
        stats,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::GroundRect;

    fn field(n_rows: usize, n_cols: usize) -> WeightField {
        WeightField {
            weight: WeightPoint::Embed,
            is_transposed: false,
            columns: 0..n_cols,
            n_rows,
            rect: GroundRect::default(),
        }
    }

    #[test]
    fn the_top_of_the_reductions_is_the_root_mean_square_of_all() {
        let values: Vec<f32> = (0..150 * 70).map(|n| (n % 23) as f32 - 11.0).collect();

        let overview = reduce_field(&field(150, 70), &values);

        assert_eq!((overview.grid_rows, overview.grid_cols), (64, 64));
        let whole = TileStats::of(&values).rms;
        let top = *overview.values.last().unwrap();
        assert!((top - whole).abs() < 1e-4, "{top} {whole}");
    }

    #[test]
    fn a_cell_of_the_reductions_is_of_its_own_numbers_only() {
        let mut values = vec![0.0; 128 * 128];
        values[5 * 128 + 9] = 4.0;

        let overview = reduce_field(&field(128, 128), &values);

        // Two by two numbers a cell: one of four is 4.
        assert_eq!(overview.values[2 * 64 + 4], 2.0);
        let n_lit = overview.values[..64 * 64].iter().filter(|v| **v > 0.0);
        assert_eq!(n_lit.count(), 1);
    }

    #[test]
    fn a_thin_strip_is_reduced_along_its_length_alone() {
        let values: Vec<f32> = (0..100).map(|n| n as f32).collect();

        let overview = reduce_field(&field(1, 100), &values);

        assert_eq!((overview.grid_rows, overview.grid_cols), (1, 64));
        let n_levels = 64 + 32 + 16 + 8 + 4 + 2 + 1;
        assert_eq!(overview.values.len(), n_levels);
    }
}
