//! `LatentComposite`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use super::{ChangedLatent, cells};
use crate::planes::{Axis, Planes, common_shape, python_slice};
use crate::sockets::Latent;

/// Pastes one latent into another, with soft edges if wanted. What goes over the edge is cut off.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LatentComposite",
    name = "Latent Composite",
    category = "latent",
    module = "nodes"
)]
pub struct LatentComposite {
    /// The latent to paste into. Its noise mask is kept.
    samples_to: Latent,
    /// The latent to paste.
    samples_from: Latent,
    /// Pixels from the left edge to the pasted latent.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 8u32)]
    x: u32,
    /// Pixels from the upper edge to the pasted latent.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 8u32)]
    y: u32,
    /// The width of the soft edges in pixels. Edges that lie on an edge of the latent stay hard.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 8u32)]
    feather: u32,
}

impl Node for LatentComposite {
    type Output = ChangedLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedLatent, NodeError> {
        let [left, top, feather] =
            [self.x, self.y, self.feather].map(|pixels| cells(pixels.into()) as usize);
        let below = self.samples_to.planes()?;
        let [_, _, height, width] = below.shape();
        let above = self
            .samples_from
            .planes()?
            .narrow(Axis::Height, 0, height.saturating_sub(top))?
            .narrow(Axis::Width, 0, width.saturating_sub(left))?;
        let [_, _, rows, columns] = above.shape();
        if rows == 0 || columns == 0 {
            return Ok(self.samples_to.into());
        }
        let part = below
            .narrow(Axis::Height, top, rows)?
            .narrow(Axis::Width, left, columns)?;
        if common_shape(part.shape(), above.shape())? != part.shape() {
            return Err(NodeError::value(format_args!(
                "expected a latent to paste with as many members and channels as {:?}, got {:?}",
                below.shape(),
                above.shape()
            )));
        }
        let part = if feather == 0 {
            part.zip(&above, |_, above| above)?
        } else {
            let mask = feathered(rows, columns, feather, |edge| match edge {
                Edge::Top => top != 0,
                Edge::Bottom => top + rows < height,
                Edge::Left => left != 0,
                Edge::Right => left + columns < width,
            })?;
            let above = above.zip(&mask, |value, opacity| value * opacity)?;
            let below = part.zip(&mask, |value, opacity| value * (1.0 - opacity))?;
            above.zip(&below, |above, below| above + below)?
        };
        let pasted = Planes::filled(below.shape(), |[b, c, y, x]| {
            let inside = (top..top + rows).contains(&y) && (left..left + columns).contains(&x);
            if inside {
                part.at([b, c, y - top, x - left])
            } else {
                below.at([b, c, y, x])
            }
        })?;
        Ok(self.samples_to.with_planes(pasted).into())
    }
}

/// The edges of a rectangle.
#[derive(Debug, Clone, Copy)]
enum Edge {
    Top,
    Bottom,
    Left,
    Right,
}

/// An opacity that grows from the soft edges inwards, in `feather` steps to 1. Where the rectangle is narrower than the feather,
/// the steps beyond it come back from the other side, as Python's negative indices have it.
fn feathered(
    rows: usize,
    columns: usize,
    feather: usize,
    is_soft: impl Fn(Edge) -> bool,
) -> Result<Planes, NodeError> {
    let mut by_row = vec![vec![]; rows];
    let mut by_column = vec![vec![]; columns];
    for step in 0..feather {
        let factor = (1.0 / feather as f64 * (step + 1) as f64) as f32;
        let step = step as i64;
        let from_start = |size| python_slice(step, step + 1, size);
        let from_end = |size: usize| {
            let size_ = size as i64;
            python_slice(size_ - 1 - step, size_ - step, size)
        };
        for (edge, range) in [
            (Edge::Top, from_start(rows)),
            (Edge::Bottom, from_end(rows)),
            (Edge::Left, from_start(columns)),
            (Edge::Right, from_end(columns)),
        ] {
            let slots = match edge {
                Edge::Top | Edge::Bottom => &mut by_row,
                Edge::Left | Edge::Right => &mut by_column,
            };
            if is_soft(edge) {
                for factors in &mut slots[range] {
                    factors.push((step, factor));
                }
            }
        }
    }
    // The factors of both directions are multiplied in the order of the steps: rounding depends on it.
    Planes::filled([1, 1, rows, columns], |[_, _, y, x]| {
        let mut factors: Vec<(i64, f32)> = [&by_row[y][..], &by_column[x][..]].concat();
        factors.sort_by_key(|(step, _)| *step);
        factors
            .iter()
            .fold(1.0, |opacity, (_, factor)| opacity * factor)
    })
}
