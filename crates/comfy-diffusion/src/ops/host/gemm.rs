//! The matrix product.

/// A matrix that lies anywhere in a slice.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    pub(super) values: &'a [f32],
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) row_stride: usize,
    pub(super) column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// A matrix whose rows follow each other.
    pub(super) fn dense(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::rows(values, rows, columns, columns)
    }

    /// A matrix whose rows start `row_stride` apart.
    pub(super) fn rows(values: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        Self {
            values,
            rows,
            columns,
            row_stride,
            column_stride: 1,
        }
    }

    pub(super) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    fn end(&self) -> usize {
        end(self.rows, self.columns, self.row_stride, self.column_stride)
    }
}

/// One past the last element.
fn end(rows: usize, columns: usize, row_stride: usize, column_stride: usize) -> usize {
    if rows == 0 || columns == 0 {
        0
    } else {
        (rows - 1) * row_stride + (columns - 1) * column_stride + 1
    }
}

/// The result: rows of consecutive values, `row_stride` apart.
pub(super) struct Output<'a> {
    pub(super) values: &'a mut [f32],
    pub(super) row_stride: usize,
    /// Whether the product is added to what is there.
    pub(super) accumulate: bool,
}

/// How many threads work on one product.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Threads {
    /// The calling one.
    One,
    /// All of rayon's, if the product is large enough to divide.
    All,
}

/// Products of fewer multiplications than this are not worth dividing.
const DIVIDE_FROM: usize = 1 << 20;

/// `output = factor · left · right`, or `output += …`.
pub(super) fn product(output: Output, left: Matrix, right: Matrix, factor: f32, threads: Threads) {
    let Output {
        values,
        row_stride,
        accumulate,
    } = output;
    let (rows, depth, columns) = (left.rows, left.columns, right.columns);
    assert_eq!(depth, right.rows, "the inner sizes of a product must agree");
    assert!(left.end() <= left.values.len(), "left matrix out of bounds");
    assert!(
        right.end() <= right.values.len(),
        "right matrix out of bounds"
    );
    assert!(row_stride >= columns, "rows of the result overlap");
    assert!(
        end(rows, columns, row_stride, 1) <= values.len(),
        "result out of bounds"
    );
    let parallelism = if threads == Threads::All && rows * depth * columns >= DIVIDE_FROM {
        gemm::Parallelism::Rayon(0)
    } else {
        gemm::Parallelism::None
    };
    #[expect(
        unsafe_code,
        reason = "the product crate takes pointers; the assertions above keep them within the slices"
    )]
    // SAFETY: every element that the shapes and strides reach lies in its slice, rows of the result do not overlap, and the
    // result is borrowed exclusively.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            depth,
            values.as_mut_ptr(),
            1,
            row_stride as isize,
            accumulate,
            left.values.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.values.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            1.0,
            factor,
            false,
            false,
            false,
            parallelism,
        );
    }
}
