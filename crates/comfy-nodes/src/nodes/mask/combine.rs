//! `MaskComposite`.

use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec};
use rayon::prelude::*;

use crate::nodes::outputs::OneMask;
use crate::pixels::{collect, zip};
use crate::sockets::Mask;

/// How two masks are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum MaskOperation {
    /// Their product.
    #[choice("multiply")]
    Multiply,
    /// Their sum.
    #[choice("add")]
    Add,
    /// Their difference.
    #[choice("subtract")]
    Subtract,
    /// 1 where both round to 1.
    #[choice("and")]
    And,
    /// 1 where either rounds to 1.
    #[choice("or")]
    Or,
    /// 1 where one of them rounds to 1 and the other does not.
    #[choice("xor")]
    Xor,
}

impl MaskOperation {
    fn value(self, destination: f32, source: f32) -> f32 {
        let set = |value: f32| value.round_ties_even() != 0.0;
        let (below, above) = (set(destination), set(source));
        match self {
            Self::Multiply => destination * source,
            Self::Add => destination + source,
            Self::Subtract => destination - source,
            Self::And => f32::from(u8::from(below && above)),
            Self::Or => f32::from(u8::from(below || above)),
            Self::Xor => f32::from(u8::from(below != above)),
        }
    }

    /// Every value with its counterpart, within 0 and 1. One operation for a whole loop is several times faster than one for each value.
    fn of_all(self, below: &[f32], above: &[f32]) -> Result<Vec<f32>, NodeError> {
        match self {
            Self::Multiply => zip(below, above, |below, above| (below * above).clamp(0.0, 1.0)),
            Self::Add => zip(below, above, |below, above| (below + above).clamp(0.0, 1.0)),
            Self::Subtract => zip(below, above, |below, above| (below - above).clamp(0.0, 1.0)),
            Self::And | Self::Or | Self::Xor => {
                zip(below, above, |below, above| self.value(below, above))
            }
        }
    }
}

/// Combines masks with others that are laid on them. What hangs over the edge is cut off.
#[derive(Debug, NodeSpec)]
#[node(
    id = "MaskComposite",
    name = "MaskComposite",
    category = "mask",
    module = "comfy_extras.nodes_mask"
)]
pub struct MaskComposite {
    /// The masks below; they give the size.
    destination: Mask,
    /// The masks that are laid on them: as many, or a single one.
    source: Mask,
    /// How far from the left they lie, in pixels.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 1u32)]
    x: u32,
    /// How far from the top they lie, in pixels.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 1u32)]
    y: u32,
    /// How values that lie on each other are combined.
    operation: MaskOperation,
}

/// Length of what is seen of a source along an axis. Beyond the edge `ComfyUI` counts from the source's far end, finds that the
/// lengths differ, and fails unless nothing or one pixel is left of it.
fn visible(start: usize, destination: usize, source: usize) -> Result<usize, NodeError> {
    let left_over = source.saturating_sub(start.saturating_sub(destination));
    if start > destination && left_over > 1 {
        return Err(NodeError::runtime(format_args!(
            "expected the masks to touch: the destination is {destination} pixels long, the source begins at {start}"
        )));
    }
    Ok(source.min(destination.saturating_sub(start)))
}

impl Node for MaskComposite {
    type Output = OneMask;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneMask, NodeError> {
        let shape = self.destination.shape();
        let [batch, height, width] = shape;
        let [source_batch, source_height, source_width] = self.source.shape();
        if source_batch != batch && source_batch != 1 {
            return Err(NodeError::runtime(format_args!(
                "expected one source or as many as destinations, got {source_batch} for {batch}"
            )));
        }
        let (left, top) = (self.x as usize, self.y as usize);
        let columns = visible(left, width, source_width)?;
        let rows = visible(top, height, source_height)?;
        if self.source.shape() == shape && (left, top) == (0, 0) {
            let (below, above) = (self.destination.pixels(), self.source.pixels());
            return OneMask::of(self.operation.of_all(below, above)?, shape);
        }
        let mut values = collect(self.destination.pixels().par_iter().copied())?;
        values
            .par_chunks_mut(width.max(1))
            .enumerate()
            .for_each(|(index, row)| {
                let inside = (index % height).checked_sub(top);
                if let Some(y) = inside.filter(|&y| y < rows && columns > 0) {
                    let source = &self.source.member(index / height)[y * source_width..][..columns];
                    for (value, &source) in row[left..].iter_mut().zip(source) {
                        *value = self.operation.value(*value, source);
                    }
                }
                for value in row {
                    *value = value.clamp(0.0, 1.0);
                }
            });
        OneMask::of(values, shape)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use comfy_graph::testing::NodeTester;

    use super::*;

    fn run(operation: &str, x: u32, source: &[f32]) -> Result<Vec<f32>, NodeError> {
        let mask =
            |values: &[f32]| Mask::from_values(values.to_vec(), [1, 1, values.len()]).unwrap();
        let output = NodeTester::<MaskComposite>::new()
            .wire("destination", mask(&[0.0, 0.4, 0.5, 0.6, 1.0]))
            .wire("source", mask(source))
            .set("x", x)
            .set("y", 0)
            .set("operation", operation)
            .run()?;
        Ok(output.mask.pixels().to_vec())
    }

    #[test]
    fn each_operation() {
        for (operation, expected) in [
            ("multiply", [0.0, 0.4, 0.5, 0.6, 0.5]),
            ("add", [0.5, 1.0, 1.0, 1.0, 1.0]),
            ("subtract", [0.0, 0.0, 0.0, 0.0, 0.5]),
            // One half rounds to 0.
            ("and", [0.0, 0.0, 0.0, 1.0, 0.0]),
            ("or", [0.0, 1.0, 1.0, 1.0, 1.0]),
            ("xor", [0.0, 1.0, 1.0, 0.0, 1.0]),
        ] {
            assert_eq!(
                run(operation, 0, &[0.5, 1.0, 1.0, 1.0, 0.5]).unwrap(),
                expected,
                "{operation}"
            );
        }
    }

    #[test]
    fn a_source_of_the_same_size_is_combined_alike() {
        for operation in ["multiply", "add", "subtract", "and", "or", "xor"] {
            let source = [0.5, 1.0, 0.2, 0.7, 0.5];
            let covering = run(operation, 0, &source).unwrap();
            // One pixel more takes the general way.
            let larger = [&source[..], &[0.0]].concat();
            assert_eq!(covering, run(operation, 0, &larger).unwrap(), "{operation}");
        }
    }

    #[test]
    fn what_hangs_over_is_cut_off() {
        assert_eq!(
            run("add", 3, &[0.25, 0.5, 0.5]).unwrap(),
            [0.0, 0.4, 0.5, 0.85, 1.0]
        );
        assert_eq!(run("add", 5, &[1.0; 9]).unwrap(), [0.0, 0.4, 0.5, 0.6, 1.0]);
        assert!(run("add", 7, &[1.0; 9]).is_err());
        assert!(run("add", 7, &[1.0; 3]).is_ok());
    }
}
