//! Which part of a checkpoint's tensor a weight is.

/// Where a weight lies in its checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightSlice {
    /// The checkpoint's key, such as `h.0.attn.c_attn.weight`.
    pub key: String,
    /// Which rows (the tensor's first dimension) belong to the weight; a vector has one.
    pub rows: Stripes,
    /// Which columns (the tensor's last dimension) belong to the weight.
    pub columns: Stripes,
    /// Whether the weight is that part of the tensor transposed.
    pub is_transposed: bool,
}

/// Indices in even stripes: `width` in a row, then on to the next stripe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stripes {
    /// The first index.
    pub first: usize,
    /// How many indices there are in all.
    pub len: usize,
    /// Indices of a stripe.
    pub width: usize,
    /// From the beginning of a stripe to the next one's.
    pub stride: usize,
}

impl Stripes {
    /// All of a dimension.
    pub const fn all(len: usize) -> Self {
        Self::one(0, len)
    }

    /// One stripe.
    pub const fn one(first: usize, len: usize) -> Self {
        Self {
            first,
            len,
            width: len,
            stride: len,
        }
    }

    /// The tensor's index of the weight's index `at`.
    pub const fn index(&self, at: usize) -> usize {
        self.first + at / self.width * self.stride + at % self.width
    }

    /// Whether all lie side by side.
    pub const fn is_one(&self) -> bool {
        self.len <= self.width || self.width == self.stride
    }
}

impl WeightSlice {
    pub(super) fn whole(key: impl Into<String>, n_rows: usize, n_columns: usize) -> Self {
        Self {
            key: key.into(),
            rows: Stripes::all(n_rows),
            columns: Stripes::all(n_columns),
            is_transposed: false,
        }
    }

    pub(super) fn vector(key: impl Into<String>, len: usize) -> Self {
        Self::whole(key, 1, len)
    }

    pub(super) fn transposed(self) -> Self {
        Self {
            is_transposed: true,
            ..self
        }
    }

    /// The weight's own shape: rows (1 for a vector) and columns.
    pub fn shape(&self) -> (usize, usize) {
        if self.is_transposed {
            (self.columns.len, self.rows.len)
        } else {
            (self.rows.len, self.columns.len)
        }
    }

    /// The tensor's own row and column of a number of the weight.
    pub fn stored_at(&self, row: usize, column: usize) -> (usize, usize) {
        let (row, column) = if self.is_transposed {
            (column, row)
        } else {
            (row, column)
        };
        (self.rows.index(row), self.columns.index(column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stripes_skip_what_lies_between_them() {
        let stripes = Stripes {
            first: 2,
            len: 6,
            width: 2,
            stride: 6,
        };

        let indices: Vec<usize> = (0..6).map(|at| stripes.index(at)).collect();

        assert_eq!(indices, [2, 3, 8, 9, 14, 15]);
        assert!(!stripes.is_one());
        assert!(Stripes::one(7, 3).is_one());
        assert_eq!(Stripes::one(7, 3).index(2), 9);
    }
}
