//! The innermost loops: the product of two panels, held in registers.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(crate) mod half_precision;
mod plain;
pub(crate) mod turn;
#[cfg(target_arch = "x86_64")]
mod unrolled;

use std::fmt;

/// How exactly products are computed. Sums are kept in `f32` in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// Factors as they are.
    #[default]
    Single,
    /// Factors rounded to `bf16` (eight bits of mantissa) where the processor multiplies those faster, as they are elsewhere.
    Brain,
}

/// The product of a panel of some rows and a panel of some lanes.
#[derive(Clone, Copy)]
pub struct Tile {
    /// Rows of the result: the width of panels of the left side.
    pub(crate) rows: usize,
    /// Columns of the result: the width of panels of the right side.
    pub(crate) lanes: usize,
    /// How many depths one word of a panel holds.
    pub(crate) depths_of_word: usize,
    /// What it needs.
    name: &'static str,
    run: Run,
    join: Join,
}

/// Two panels of as many words, the result, the distance of its rows, and whether the product is added to what is there.
type Run = fn(&[f32], &[f32], &mut [f32], usize, bool);

/// Makes words of the depths of a panel of some width, in place.
type Join = fn(&mut [f32], usize);

impl Tile {
    /// The best that this processor has.
    pub fn of(precision: Precision) -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let brain = (precision == Precision::Brain).then(avx512::brain);
            let best = brain
                .flatten()
                .or_else(avx512::single)
                .or_else(avx2::single);
            if let Some(tile) = best {
                return tile;
            }
        }
        let _ = precision;
        plain::single()
    }

    /// Every one that this processor has, the best last.
    pub fn all() -> Vec<Self> {
        let mut list = vec![plain::single()];
        #[cfg(target_arch = "x86_64")]
        list.extend(
            [avx2::single(), avx512::single(), avx512::brain()]
                .into_iter()
                .flatten(),
        );
        list
    }

    /// Whether factors are rounded to `bf16`.
    pub fn rounds(&self) -> bool {
        self.depths_of_word == 2
    }

    /// How many values a panel of some width and depth takes while it is packed.
    pub(crate) fn panel(&self, width: usize, depth: usize) -> usize {
        width * depth.next_multiple_of(self.depths_of_word)
    }

    /// How many of them are words afterwards.
    pub(crate) fn words(&self, width: usize, depth: usize) -> usize {
        width * depth.div_ceil(self.depths_of_word)
    }

    /// Makes words of a packed panel; the words are at its beginning.
    pub(crate) fn join(&self, panel: &mut [f32], width: usize) {
        (self.join)(panel, width);
    }

    /// `result = left · right`, or `result += …`, in rows that begin `row_stride` apart.
    ///
    /// Panics if the result has no room for all rows and lanes.
    pub(crate) fn run(
        &self,
        left: &[f32],
        right: &[f32],
        result: &mut [f32],
        row_stride: usize,
        add: bool,
    ) {
        let depth = left.len() / self.rows;
        assert_eq!(depth, right.len() / self.lanes, "both panels are as deep");
        (self.run)(left, right, result, row_stride, add);
    }
}

impl fmt::Debug for Tile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name, rows, lanes, ..
        } = self;
        write!(formatter, "{name} ({rows}×{lanes})")
    }
}

/// For panels whose words are their values.
fn as_it_is(_: &mut [f32], _: usize) {}
