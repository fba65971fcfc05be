//! A map of activations that is computed over several frames, a few tokens in each.

use crate::analysis::{Matrix, Measure, activation_column};
use crate::hook::HookPoint;
use crate::trace::TokenTrace;
use crate::viewer::ui::panels::plots::PlotView;

/// Numbers that are read in one frame: about half a millisecond.
pub const VALUES_A_FRAME: usize = 1 << 20;

/// A map of activations, `[hook, token]`, as far as it is computed. A new token costs its column.
#[derive(Default)]
pub struct Filling {
    /// Text, places and measure.
    key: Option<(u64, Vec<HookPoint>, Measure)>,
    columns: Vec<Option<f32>>,
    n_done: usize,
    matrix: Matrix,
    generation: u64,
}

impl Filling {
    /// Goes on computing, and says whether all is done.
    pub fn advance(&mut self, view: &PlotView<'_>, hooks: &[HookPoint], measure: Measure) -> bool {
        let is_same = matches!(&self.key, Some((text, made, of))
            if *text == view.text && made == hooks && *of == measure)
            && self.n_done <= view.positions.len();
        if !is_same {
            self.key = Some((view.text, hooks.to_vec(), measure));
            self.columns.clear();
            self.n_done = 0;
        }
        let mut n_left = VALUES_A_FRAME as isize;
        let before = self.n_done;
        while n_left > 0
            && let Some(token) = view.positions.get(self.n_done)
        {
            self.columns
                .extend(activation_column(token, hooks, measure));
            self.n_done += 1;
            n_left -= cost(token, hooks, measure) as isize;
        }
        if self.n_done != before || !is_same {
            self.matrix = Matrix::from_columns(hooks.len(), &self.columns);
            self.generation += 1;
        }
        self.n_done == view.positions.len()
    }

    /// What is computed so far.
    pub fn matrix(&self) -> &Matrix {
        &self.matrix
    }

    /// Counts up whenever the matrix changes.
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

fn cost(token: &TokenTrace<'_>, hooks: &[HookPoint], measure: Measure) -> usize {
    let width = match measure {
        Measure::Index(_) => 8,
        _ => hooks
            .first()
            .and_then(|hook| token.row(*hook))
            .map_or(1, <[f32]>::len),
    };
    width * hooks.len().max(1)
}
