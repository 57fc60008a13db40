//! The innermost loops: the product of two panels, held in registers.

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(crate) mod block;
pub(crate) mod half_precision;
mod plain;
pub(crate) mod turn;
#[cfg(target_arch = "x86_64")]
mod unrolled;

use std::fmt;
use std::marker::PhantomData;

use self::block::Block;

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
    pub(crate) layout: Layout,
    /// What it needs.
    name: &'static str,
    run: Run,
    /// Lets the calling thread use `run`, and ends that.
    prepare: fn(),
    release: fn(),
}

/// How panels are laid out.
#[derive(Clone, Copy)]
pub(crate) enum Layout {
    /// Values, `[depth, width]`.
    Values,
    /// Words of two depths, `[depth / 2, width]`, which the function makes of values in place.
    Words(fn(&mut [f32], usize)),
    /// Blocks, `[width / 16, depth / 32]`: by lane on the left side, by word on the right.
    Blocks,
}

/// Two panels of as many words, the result, the distance of its rows, and whether the product is added to what is there.
type Run = fn(&[f32], &[f32], &mut [f32], usize, bool);

impl Tile {
    /// The best that this processor has.
    pub fn of(precision: Precision) -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let brain = match precision {
                Precision::Single => None,
                Precision::Brain => amx::brain().or_else(avx512::faster_brain),
            };
            let best = brain.or_else(avx512::single).or_else(avx2::single);
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
            [
                avx2::single(),
                avx512::single(),
                avx512::brain(),
                amx::brain(),
            ]
            .into_iter()
            .flatten(),
        );
        list
    }

    /// Whether factors are rounded to `bf16`.
    pub fn rounds(&self) -> bool {
        self.depths_of_word() == 2
    }

    /// How many depths one word of a panel holds.
    pub(crate) fn depths_of_word(&self) -> usize {
        match self.layout {
            Layout::Values => 1,
            Layout::Words(_) | Layout::Blocks => 2,
        }
    }

    /// How many depths are multiplied by one step, beyond which a panel is filled up with zeros.
    pub(crate) fn depths_of_step(&self) -> usize {
        match self.layout {
            Layout::Values => 1,
            Layout::Words(_) => 2,
            Layout::Blocks => block::DEPTHS,
        }
    }

    /// How many values a panel of some width and depth takes while it is packed.
    pub(crate) fn panel(&self, width: usize, depth: usize) -> usize {
        match self.layout {
            Layout::Values => width * depth,
            Layout::Words(_) => width * depth.next_multiple_of(2),
            Layout::Blocks => self.words(width, depth),
        }
    }

    /// How many of them are words afterwards.
    pub(crate) fn words(&self, width: usize, depth: usize) -> usize {
        match self.layout {
            Layout::Values => width * depth,
            Layout::Words(_) => width * depth.div_ceil(2),
            Layout::Blocks => width * block::WORDS * depth.div_ceil(block::DEPTHS),
        }
    }

    /// What multiplies on the calling thread.
    ///
    /// It is dropped before other work is taken up: while it lives, changing threads costs more on some processors.
    pub(crate) fn ready(&self) -> Ready<'_> {
        (self.prepare)();
        Ready {
            tile: self,
            of_thread: PhantomData,
        }
    }
}

/// A tile that the thread it was made on may use.
pub(crate) struct Ready<'a> {
    tile: &'a Tile,
    of_thread: PhantomData<*const ()>,
}

impl Ready<'_> {
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
        let Tile { rows, lanes, .. } = *self.tile;
        let depth = left.len() / rows;
        assert_eq!(depth, right.len() / lanes, "both panels are as deep");
        (self.tile.run)(left, right, result, row_stride, add);
    }
}

impl Drop for Ready<'_> {
    fn drop(&mut self) {
        (self.tile.release)();
    }
}

/// The blocks of a panel that consists of them.
pub(crate) fn blocks_of(panel: &mut [f32]) -> &mut [Block] {
    panel.as_chunks_mut().0.as_chunks_mut().0
}

impl fmt::Debug for Tile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name, rows, lanes, ..
        } = self;
        write!(formatter, "{name} ({rows}×{lanes})")
    }
}

/// For tiles that any thread can use at any time.
fn nothing() {}
