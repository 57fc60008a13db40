//! Arithmetic on batches of planes, `[batch, channel, height, width]`, in the host's memory: what nodes do with latents and with
//! the noise masks that belong to them.
//!
//! Shapes fit each other as in `PyTorch`: along every axis two sizes are equal, or one of them is 1 and its values are used
//! again and again.

mod resize;

use burn::tensor::{Tensor, TensorData};
use comfy_graph::NodeError;

use crate::sockets::{host_device, values_of};

pub use resize::PlaneMethod;

/// Axes of a batch of planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Members of the batch.
    Batch = 0,
    /// Channels.
    Channel = 1,
    /// Rows.
    Height = 2,
    /// Cells of a row.
    Width = 3,
}

/// A batch of planes.
#[derive(Debug, Clone, PartialEq)]
pub struct Planes {
    shape: [usize; 4],
    values: Vec<f32>,
}

impl Planes {
    /// Takes values in row-major order. Fails when their number is not that of the shape.
    pub fn new(values: Vec<f32>, shape: [usize; 4]) -> Result<Self, NodeError> {
        if checked_length(shape) == Some(values.len()) {
            return Ok(Self { shape, values });
        }
        Err(NodeError::value(format_args!(
            "expected the values of planes of shape {shape:?}, got {}",
            values.len()
        )))
    }

    /// Reads a tensor from any device.
    pub fn read(tensor: &Tensor<4>) -> Result<Self, NodeError> {
        Self::new(values_of(tensor.clone())?, tensor.dims())
    }

    /// Computes every value from its indices. Fails when this machine cannot hold them.
    pub fn filled(shape: [usize; 4], value: impl Fn([usize; 4]) -> f32) -> Result<Self, NodeError> {
        let mut values = reserve(shape)?;
        let [batch, channels, height, width] = shape;
        for b in 0..batch {
            for c in 0..channels {
                for y in 0..height {
                    values.extend((0..width).map(|x| value([b, c, y, x])));
                }
            }
        }
        Ok(Self { shape, values })
    }

    /// As a tensor in the host's memory.
    pub fn into_tensor(self) -> Tensor<4> {
        Tensor::from_data(TensorData::new(self.values, self.shape), &host_device())
    }

    /// Batch, channels, height, width.
    pub fn shape(&self) -> [usize; 4] {
        self.shape
    }

    /// The values in row-major order.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The size along an axis.
    pub fn size(&self, axis: Axis) -> usize {
        self.shape[axis as usize]
    }

    /// The value at these indices; along axes of size 1 whatever the index.
    pub fn at(&self, indices: [usize; 4]) -> f32 {
        let mut offset = 0;
        for (index, size) in indices.into_iter().zip(self.shape) {
            offset = offset * size + if size == 1 { 0 } else { index };
        }
        self.values[offset]
    }

    /// Changes every value.
    #[must_use]
    pub fn map(mut self, change: impl Fn(f32) -> f32) -> Self {
        for value in &mut self.values {
            *value = change(*value);
        }
        self
    }

    /// Combines the values of two batches whose shapes fit each other.
    pub fn zip(&self, other: &Self, combine: impl Fn(f32, f32) -> f32) -> Result<Self, NodeError> {
        if self.shape == other.shape {
            let pairs = self.values.iter().zip(&other.values);
            let mut values = reserve(self.shape)?;
            values.extend(pairs.map(|(&left, &right)| combine(left, right)));
            return Self::new(values, self.shape);
        }
        let shape = common_shape(self.shape, other.shape)?;
        Self::filled(shape, |indices| {
            combine(self.at(indices), other.at(indices))
        })
    }

    /// `length` slices along an axis, from `start` on. Both are clipped to what is there.
    pub fn narrow(&self, axis: Axis, start: usize, length: usize) -> Result<Self, NodeError> {
        let size = self.size(axis);
        let start = start.min(size);
        self.picked(axis, start..start.saturating_add(length).min(size))
    }

    /// The slices of these indices along an axis, in this order; each index must be below the size.
    pub fn picked(
        &self,
        axis: Axis,
        indices: impl IntoIterator<Item = usize>,
    ) -> Result<Self, NodeError> {
        let indices: Vec<usize> = indices.into_iter().collect();
        let axis = axis as usize;
        let inner: usize = self.shape[axis + 1..].iter().product();
        let outer: usize = self.shape[..axis].iter().product();
        let mut shape = self.shape;
        shape[axis] = indices.len();
        let mut values = reserve(shape)?;
        for block in 0..outer {
            for index in &indices {
                let start = (block * self.shape[axis] + index) * inner;
                values.extend_from_slice(&self.values[start..start + inner]);
            }
        }
        Self::new(values, shape)
    }

    /// One batch behind the other along an axis; the other sizes must be equal.
    pub fn concatenated(&self, other: &Self, axis: Axis) -> Result<Self, NodeError> {
        let axis = axis as usize;
        let fits = (0..4).all(|index| index == axis || self.shape[index] == other.shape[index]);
        if !fits {
            return Err(NodeError::value(format_args!(
                "expected latents of equal sizes but along axis {axis}, got {:?} and {:?}",
                self.shape, other.shape
            )));
        }
        let mut shape = self.shape;
        shape[axis] += other.shape[axis];
        let outer: usize = shape[..axis].iter().product();
        let rows = |planes: &Self| -> usize { planes.shape[axis..].iter().product() };
        let (left, right) = (rows(self), rows(other));
        let mut values = reserve(shape)?;
        for block in 0..outer {
            values.extend_from_slice(&self.values[block * left..][..left]);
            values.extend_from_slice(&other.values[block * right..][..right]);
        }
        Self::new(values, shape)
    }

    /// As many members as wanted: cut off, or the batch again and again.
    pub fn with_batch(self, wanted: usize) -> Result<Self, NodeError> {
        match self.size(Axis::Batch) {
            found if found == wanted => Ok(self),
            0 => Err(NodeError::value(format_args!(
                "expected a batch to repeat {wanted} times, got an empty one"
            ))),
            found => self.picked(Axis::Batch, (0..wanted).map(|index| index % found)),
        }
    }
}

/// The shape that two shapes have together.
pub fn common_shape(left: [usize; 4], right: [usize; 4]) -> Result<[usize; 4], NodeError> {
    let mut shape = left;
    for (size, other) in shape.iter_mut().zip(right) {
        match (*size, other) {
            (left, right) if left == right || right == 1 => {}
            (1, right) => *size = right,
            _ => {
                return Err(NodeError::value(format_args!(
                    "expected latents whose shapes fit each other, got {left:?} and {right:?}"
                )));
            }
        }
    }
    Ok(shape)
}

/// What Python's `sequence[start:end]` takes of a sequence: negative numbers count from its end, and what lies outside is
/// clipped.
pub fn python_slice(start: i64, end: i64, length: usize) -> std::ops::Range<usize> {
    let length = length as i64;
    let clip = |index: i64| {
        let index = if index < 0 {
            index.saturating_add(length)
        } else {
            index
        };
        index.clamp(0, length) as usize
    };
    let (start, end) = (clip(start), clip(end));
    start..end.max(start)
}

fn checked_length(shape: [usize; 4]) -> Option<usize> {
    shape
        .iter()
        .try_fold(1_usize, |product, &size| product.checked_mul(size))
}

/// Room for the values of a shape. Fails when this machine has not got it.
fn reserve(shape: [usize; 4]) -> Result<Vec<f32>, NodeError> {
    let failed = || NodeError::OutOfMemory(format!("cannot hold a latent of shape {shape:?}"));
    let mut values = Vec::new();
    let length = checked_length(shape).ok_or_else(failed)?;
    values.try_reserve_exact(length).map_err(|_| failed())?;
    Ok(values)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    fn counted(shape: [usize; 4]) -> Planes {
        let length = shape.iter().product::<usize>();
        Planes::new((0..length).map(|value| value as f32).collect(), shape).unwrap()
    }

    #[test]
    fn sizes_of_one_fit_everything() {
        let sum = counted([2, 1, 1, 3])
            .zip(&counted([1, 2, 1, 1]), |left, right| left + 10.0 * right)
            .unwrap();
        assert_eq!(sum.shape(), [2, 2, 1, 3]);
        assert_eq!(
            sum.values(),
            [0., 1., 2., 10., 11., 12., 3., 4., 5., 13., 14., 15.]
        );
        let error = counted([2, 1, 1, 3]).zip(&counted([3, 1, 1, 3]), |left, _| left);
        assert!(error.is_err());
    }

    #[test]
    fn parts_are_cut_and_joined() {
        let planes = counted([2, 2, 2, 3]);
        for axis in [Axis::Batch, Axis::Channel, Axis::Height, Axis::Width] {
            let first = planes.narrow(axis, 0, 1).unwrap();
            let rest = planes.narrow(axis, 1, 9).unwrap();
            assert_eq!(first.concatenated(&rest, axis).unwrap(), planes);
        }
        assert_eq!(
            planes.narrow(Axis::Width, 7, 2).unwrap().shape(),
            [2, 2, 2, 0]
        );
        assert!(
            planes
                .concatenated(&counted([1, 2, 2, 2]), Axis::Batch)
                .is_err()
        );
    }

    #[test]
    fn batches_are_cut_or_repeated() {
        let planes = counted([2, 1, 1, 1]);
        assert_eq!(planes.clone().with_batch(1).unwrap().values(), [0.]);
        assert_eq!(planes.with_batch(5).unwrap().values(), [0., 1., 0., 1., 0.]);
        assert!(counted([0, 1, 1, 1]).with_batch(2).is_err());
    }

    #[test]
    fn slices_are_pythons() {
        for (start, end, expected) in [
            (0, 3, 0..3),
            (-2, 9, 3..5),
            (-9, 2, 0..2),
            (4, 1, 4..4),
            (-1, 0, 4..4),
            (i64::MIN, i64::MAX, 0..5),
        ] {
            assert_eq!(python_slice(start, end, 5), expected, "{start}:{end}");
        }
    }
}
