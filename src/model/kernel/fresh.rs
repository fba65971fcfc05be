//! Room for results, made ready by the threads that write them: cores fill their parts side by side, each
//! while it is near.
#![expect(
    unsafe_code,
    reason = "a vector must be told that all of its numbers have been written"
)]

use std::mem::MaybeUninit;
use std::ops::Range;

use super::simd::Simd;
use super::threads::share;

/// How many numbers a thread should have to compute with, at least, for it to be worth waking one.
const WORTH_WAKING: usize = 1 << 15;

/// How many numbers are made ready at once, about: they stay near until they are written.
const AT_ONCE: usize = 1 << 11;

/// `n` numbers, rows of `width`: `work` is given some rows at a time, the first one's index and their
/// numbers, which are zero.
pub(super) fn rows(n: usize, width: usize, work: impl Fn(usize, &mut [f32]) + Sync) -> Vec<f32> {
    let width = width.max(1);
    let n_pieces = (n / WORTH_WAKING).clamp(1, 16);
    let rows_each = (n / width).div_ceil(n_pieces).max(1);
    let rows_at_once = (AT_ONCE / width).max(1);
    cut(n, rows_each * width, |piece, room| {
        let parts = room.chunks_mut(rows_at_once * width);
        for (part, room) in parts.enumerate() {
            let first = piece * rows_each + part * rows_at_once;
            work(first, filled(room, 0.0));
        }
    })
}

/// `n` numbers: `work` is given every piece of `width` numbers, its index and the numbers, which are all
/// `first`.
pub(super) fn pieces(
    n: usize,
    width: usize,
    first: f32,
    work: impl Fn(usize, &mut [f32]) + Sync,
) -> Vec<f32> {
    cut(n, width.max(1), |piece, room| {
        work(piece, filled(room, first));
    })
}

/// `n` numbers, of which `fill` must write every piece of `width` that it is given.
fn cut(n: usize, width: usize, fill: impl Fn(usize, &mut [MaybeUninit<f32>]) + Sync) -> Vec<f32> {
    let mut numbers = Vec::with_capacity(n);
    let pieces = numbers.spare_capacity_mut()[..n].chunks_mut(width);
    share(pieces.enumerate().collect(), |(piece, room)| {
        fill(piece, room);
    });
    // SAFETY: there is room for `n`, and both callers' `fill` writes all of each piece, or `share` has not
    // returned.
    unsafe { numbers.set_len(n) };
    numbers
}

/// Some columns of a table that is computed by columns.
pub(super) struct Columns<'a, 'p> {
    /// Which they are, counted through all tables.
    pub columns: Range<usize>,
    /// Their place in each row.
    pub out: &'a mut [Place<'p>],
}

/// Room for some numbers of a row, which are put there from left to right; those that are not are zero.
pub(super) struct Place<'a> {
    numbers: &'a mut [MaybeUninit<f32>],
    /// How many have been put there.
    n_put: usize,
}

impl Place<'_> {
    /// How many numbers there is room for.
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Puts numbers behind those that are there, or adds them to as many from `first` on.
    #[inline(always)]
    pub(super) fn put(&mut self, first: usize, numbers: &[f32]) {
        if first == self.n_put {
            let places = &mut self.numbers[first..][..numbers.len()];
            for (place, number) in places.iter_mut().zip(numbers) {
                place.write(*number);
            }
            self.n_put = first + numbers.len();
        } else {
            let places = &mut self.so_far()[first..][..numbers.len()];
            for (place, number) in places.iter_mut().zip(numbers) {
                *place += number;
            }
        }
    }

    /// Has the room from number `first` on brought near, to be written soon.
    #[inline(always)]
    pub(super) fn fetch<S: Simd>(&self, simd: S, first: usize) {
        if let Some(place) = self.numbers.get(first) {
            simd.fetch(place);
        }
    }

    /// What has been put there.
    #[inline(always)]
    fn so_far(&mut self) -> &mut [f32] {
        // SAFETY: so many have been written.
        unsafe { self.numbers[..self.n_put].assume_init_mut() }
    }

    /// All numbers.
    #[inline(always)]
    pub(super) fn all(&mut self) -> &mut [f32] {
        for place in &mut self.numbers[self.n_put..] {
            place.write(0.0);
        }
        self.n_put = self.numbers.len();
        self.so_far()
    }
}

/// Tables of `n_rows` rows, side by side, of `widths` columns: `work` is given `width_each` columns or
/// fewer of one table at a time.
pub(super) fn columns<const N: usize>(
    n_rows: usize,
    widths: [usize; N],
    width_each: usize,
    work: impl Fn(Columns<'_, '_>) + Sync,
) -> [Vec<f32>; N] {
    let mut tables = widths.map(|width| Vec::with_capacity(n_rows * width));
    let mut jobs = Vec::new();
    let mut first = 0;
    for (table, width) in tables.iter_mut().zip(widths) {
        let begin = jobs.len();
        for start in (0..width).step_by(width_each) {
            let end = (start + width_each).min(width);
            let places: Vec<Place<'_>> = Vec::with_capacity(n_rows);
            jobs.push((first + start..first + end, places));
        }
        let room = &mut table.spare_capacity_mut()[..n_rows * width];
        for row in room.chunks_exact_mut(width.max(1)) {
            let parts = row.chunks_mut(width_each);
            for ((_, places), numbers) in jobs[begin..].iter_mut().zip(parts) {
                places.push(Place { numbers, n_put: 0 });
            }
        }
        first += width;
    }
    share(jobs, |(columns, mut places)| {
        let out = &mut places[..];
        work(Columns { columns, out });
        for place in &mut places {
            place.all();
        }
    });
    for (table, width) in tables.iter_mut().zip(widths) {
        // SAFETY: there is room for them, and each row's parts have been filled by `all`, or `share` has
        // not returned.
        unsafe { table.set_len(n_rows * width) };
    }
    tables
}

fn filled(room: &mut [MaybeUninit<f32>], number: f32) -> &mut [f32] {
    for place in room.iter_mut() {
        place.write(number);
    }
    // SAFETY: every number has just been written.
    unsafe { room.assume_init_mut() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_there_once_and_in_its_place() {
        let n = 5 * WORTH_WAKING + 30;
        let found = rows(n, 10, |first, rows| {
            for (row, index) in rows.chunks_mut(10).zip(first..) {
                row[..9].fill(index as f32);
            }
        });
        for (at, number) in found.iter().enumerate() {
            let expected = if at % 10 == 9 { 0 } else { at / 10 };
            assert_eq!(*number, expected as f32);
        }

        let found = pieces(7, 3, -1.0, |piece, numbers| numbers[0] = piece as f32);
        assert_eq!(found, [0.0, -1.0, -1.0, 1.0, -1.0, -1.0, 2.0]);
        assert!(rows(0, 4, |_, _| ()).is_empty());
    }

    #[test]
    fn numbers_are_put_or_added_and_what_is_left_is_zero() {
        let [table] = columns(1, [5], 5, |part| {
            let place = &mut part.out[0];
            place.put(0, &[1.0, 2.0]);
            place.put(2, &[3.0]);
            place.put(1, &[10.0, 10.0]);
            assert_eq!(place.len(), 5);
        });

        assert_eq!(table, [1.0, 12.0, 13.0, 0.0, 0.0]);
    }

    #[test]
    fn columns_of_several_tables_are_counted_through() {
        let [left, none, right] = columns(2, [5, 0, 3], 2, |part| {
            for (row, place) in part.out.iter_mut().enumerate() {
                for (at, column) in part.columns.clone().enumerate() {
                    place.put(at, &[(10 * row + column) as f32]);
                }
            }
        });

        assert_eq!(
            left,
            [0.0, 1.0, 2.0, 3.0, 4.0, 10.0, 11.0, 12.0, 13.0, 14.0]
        );
        assert!(none.is_empty());
        assert_eq!(right, [5.0, 6.0, 7.0, 15.0, 16.0, 17.0]);
    }
}
