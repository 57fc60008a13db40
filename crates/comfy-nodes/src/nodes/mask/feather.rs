//! `FeatherMask`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};
use rayon::prelude::*;

use crate::nodes::outputs::OneMask;
use crate::sockets::Mask;

/// Lets masks fade towards their sides.
///
/// On the right and at the bottom the fading is off by one: the faintest value hits the opposite side, as in `ComfyUI`.
#[derive(Debug, NodeSpec)]
#[node(
    id = "FeatherMask",
    name = "FeatherMask",
    category = "mask",
    module = "comfy_extras.nodes_mask"
)]
pub struct FeatherMask {
    /// The masks to fade.
    mask: Mask,
    /// How many columns on the left fade.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 1u32)]
    left: u32,
    /// How many rows at the top fade.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 1u32)]
    top: u32,
    /// How many columns on the right fade.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 1u32)]
    right: u32,
    /// How many rows at the bottom fade.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 1u32)]
    bottom: u32,
}

/// Pairs of index and factor along an axis, in the order in which they are multiplied.
fn factors(size: usize, near: u32, far: u32) -> Vec<(usize, f32)> {
    let ramp = |length: u32| {
        let length = (length as usize).min(size);
        (0..length).map(move |index| (index, ((index + 1) as f64 / length as f64) as f32))
    };
    let far = ramp(far).map(|(index, factor)| ((size - index) % size, factor));
    ramp(near).chain(far).collect()
}

impl Node for FeatherMask {
    type Output = OneMask;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneMask, NodeError> {
        let shape = self.mask.shape();
        let [_, height, width] = shape;
        let columns = factors(width, self.left, self.right);
        let rows = factors(height, self.top, self.bottom);
        let mut values = self.mask.pixels().to_vec();
        values
            .par_chunks_mut(width.max(1))
            .enumerate()
            .for_each(|(index, row)| {
                for &(x, factor) in &columns {
                    row[x] *= factor;
                }
                for &(_, factor) in rows.iter().filter(|&&(y, _)| y == index % height) {
                    for value in &mut *row {
                        *value *= factor;
                    }
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

    fn run(left: u32, top: u32, right: u32, bottom: u32) -> Vec<f32> {
        let mask = Mask::from_values(vec![1.0; 2 * 4], [1, 2, 4]).unwrap();
        let output = NodeTester::<FeatherMask>::new()
            .wire("mask", mask)
            .set("left", left)
            .set("top", top)
            .set("right", right)
            .set("bottom", bottom)
            .run();
        output.unwrap().mask.pixels().to_vec()
    }

    #[test]
    fn ramps_begin_with_the_first_share() {
        assert_eq!(run(2, 0, 0, 0)[..4], [0.5, 1.0, 1.0, 1.0]);
        assert_eq!(run(99, 0, 0, 0)[..4], [0.25, 0.5, 0.75, 1.0]);
        assert_eq!(run(0, 2, 0, 0), [0.5, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn the_far_side_is_off_by_one() {
        assert_eq!(run(0, 0, 4, 0)[..4], [0.25, 1.0, 0.75, 0.5]);
        assert_eq!(run(0, 0, 0, 2), [0.5, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0]);
    }
}
