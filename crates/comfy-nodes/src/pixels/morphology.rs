//! Grey-value morphology with a square of ones, as kornia has it.

use comfy_graph::{Choice, NodeError};

use super::buffer::zip;
use super::extremum::{Extremum, slide};

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum Operation {
    /// Dark parts grow.
    #[choice("erode")]
    Erode,
    /// Light parts grow.
    #[choice("dilate")]
    Dilate,
    /// Small light parts vanish.
    #[choice("open")]
    Open,
    /// Small dark parts vanish.
    #[choice("close")]
    Close,
    /// The outlines: what dilation and erosion differ by.
    #[choice("gradient")]
    Gradient,
    /// The small dark parts alone.
    #[choice("bottom_hat")]
    BottomHat,
    /// The small light parts alone.
    #[choice("top_hat")]
    TopHat,
}

/// Applies an operation to each channel of each picture of a batch. `size` is the side of the square; its centre is at
/// `size / 2`, and of an even square dilation sees the mirror image of what erosion sees. Pixels outside do not count.
pub fn morphology(
    source: &[f32],
    shape: [usize; 4],
    operation: Operation,
    size: usize,
) -> Result<Vec<f32>, NodeError> {
    let (origin, rest) = (size / 2, size.saturating_sub(size / 2 + 1));
    let erode = |values: &[f32]| slide(values, shape, origin, rest, Extremum::Smallest);
    let dilate = |values: &[f32]| slide(values, shape, rest, origin, Extremum::Largest);
    let difference = |a: &[f32], b: &[f32]| zip(a, b, |a, b| a - b);
    match operation {
        Operation::Erode => erode(source),
        Operation::Dilate => dilate(source),
        Operation::Open => dilate(&erode(source)?),
        Operation::Close => erode(&dilate(source)?),
        Operation::Gradient => difference(&dilate(source)?, &erode(source)?),
        Operation::BottomHat => difference(&erode(&dilate(source)?)?, source),
        Operation::TopHat => difference(source, &dilate(&erode(source)?)?),
    }
}
