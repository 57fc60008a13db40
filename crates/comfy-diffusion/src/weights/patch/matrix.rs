//! The little arithmetic that changes of weights need, on the processor.

use burn::tensor::{Device, Tensor, TensorData};

/// Values in C order with their shape.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Array {
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<f32>,
}

/// Why arrays do not go together.
pub(super) type Misfit = String;

/// The most values on the way to a product of so many: the rank may exceed what the product has on that side, as with the four channels
/// of a latent.
pub(super) fn on_the_way(count: usize) -> usize {
    const ALWAYS: usize = 1 << 22;
    count.saturating_mul(4).max(ALWAYS)
}

impl Array {
    /// The first dimension, and the product of the others.
    pub(super) fn flat(&self) -> [usize; 2] {
        let rows = self.shape.first().copied().unwrap_or(1);
        [rows, self.values.len() / rows.max(1)]
    }

    pub(super) fn dimension(&self, index: usize) -> usize {
        self.shape.get(index).copied().unwrap_or(1)
    }

    /// The product of two matrices, if it has at most so many values; further dimensions are taken as columns.
    pub(super) fn times(&self, other: &Self, most: usize) -> Result<Self, Misfit> {
        let ([rows, inner], [other_rows, columns]) = (self.flat(), other.flat());
        if inner != other_rows {
            return Err(format!(
                "{:?} cannot be multiplied with {:?}",
                self.shape, other.shape
            ));
        }
        if rows == 0 || columns == 0 || inner == 0 {
            return Err("one of its parts is empty".to_owned());
        }
        if rows.checked_mul(columns).is_none_or(|count| count > most) {
            return Err(self.too_large(other));
        }
        let device = Device::flex();
        let tensor = |array: &Self, shape: [usize; 2]| -> Tensor<2> {
            Tensor::from_data(TensorData::new(array.values.clone(), shape), &device)
        };
        let product = tensor(self, [rows, inner]).matmul(tensor(other, [inner, columns]));
        let values = product.into_data().try_into_vec();
        let shape = [&[rows], other.shape.get(1..).unwrap_or_default()].concat();
        Ok(Self {
            shape,
            values: values.map_err(|error| error.to_string())?,
        })
    }

    fn too_large(&self, other: &Self) -> Misfit {
        format!(
            "the product of {:?} and {:?} is larger than what is changed",
            self.shape, other.shape
        )
    }

    /// Rows and columns exchanged; further dimensions stay.
    pub(super) fn exchanged(&self) -> Self {
        let (rows, columns) = (self.dimension(0), self.dimension(1));
        let rest = self.values.len() / (rows * columns).max(1);
        let mut values = Vec::with_capacity(self.values.len());
        // Of nothing there may be any number of rows and columns.
        let [to, from] = if rest == 0 { [0, 0] } else { [columns, rows] };
        for column in 0..to {
            for row in 0..from {
                let start = (row * columns + column) * rest;
                values.extend_from_slice(&self.values[start..start + rest]);
            }
        }
        let mut shape = self.shape.clone();
        shape.resize(shape.len().max(2), 1);
        shape.swap(0, 1);
        Self { shape, values }
    }

    /// A core tensor [i, j, …] with its first two dimensions replaced: Σ core[i, j, …] · first[i, p] · second[j, r] as [p, r, …].
    /// At most so many values.
    pub(super) fn expanded(
        &self,
        first: &Self,
        second: &Self,
        most: usize,
    ) -> Result<Self, Misfit> {
        // [p, i] · [i, j, …], then the same for the other dimension.
        let rows = first.exchanged().times(self, on_the_way(most))?;
        let columns = second.exchanged().times(&rows.exchanged(), most)?;
        Ok(columns.exchanged())
    }

    /// Element by element.
    pub(super) fn multiplied(&self, other: &Self) -> Result<Self, Misfit> {
        if self.values.len() != other.values.len() {
            return Err(format!("{:?} is not {:?}", self.shape, other.shape));
        }
        let values = self.values.iter().zip(&other.values);
        Ok(Self {
            shape: self.shape.clone(),
            values: values.map(|(a, b)| a * b).collect(),
        })
    }

    /// The Kronecker product of a matrix with a matrix of blocks, whose further dimensions stay, if it has at most so many values.
    pub(super) fn kronecker(&self, other: &Self, most: usize) -> Result<Self, Misfit> {
        let count = self.values.len().checked_mul(other.values.len());
        if count.is_none_or(|count| count > most) {
            return Err(self.too_large(other));
        }
        if count == Some(0) {
            return Err("one of its parts is empty".to_owned());
        }
        let [outer_rows, outer_columns] = [self.dimension(0), self.dimension(1)];
        let [rows, columns] = [other.dimension(0), other.dimension(1)];
        let rest = other.values.len() / (rows * columns).max(1);
        let mut values = Vec::with_capacity(self.values.len() * other.values.len());
        for outer_row in 0..outer_rows {
            for row in 0..rows {
                for outer_column in 0..outer_columns {
                    let factor = self.values[outer_row * outer_columns + outer_column];
                    let block = &other.values[row * columns * rest..][..columns * rest];
                    values.extend(block.iter().map(|value| factor * value));
                }
            }
        }
        let mut shape = vec![outer_rows * rows, outer_columns * columns];
        shape.extend(other.shape.get(2..).unwrap_or_default());
        Ok(Self { shape, values })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::Array;

    fn array(shape: &[usize], values: &[f32]) -> Array {
        Array {
            shape: shape.to_vec(),
            values: values.to_vec(),
        }
    }

    #[test]
    fn products_are_those_of_numpy() {
        let a = array(&[2, 2], &[1.0, 2.0, 3.0, 4.0]);
        let b = array(&[2, 1, 1, 2], &[5.0, 6.0, 7.0, 8.0]);
        let product = a.times(&b, 4).unwrap();
        assert_eq!(product, array(&[2, 1, 1, 2], &[19.0, 22.0, 43.0, 50.0]));
        assert!(a.times(&array(&[3, 1], &[1.0; 3]), 100).is_err());
        assert_eq!(
            a.kronecker(&array(&[1, 2], &[1.0, 10.0]), 8).unwrap(),
            array(&[2, 4], &[1.0, 10.0, 2.0, 20.0, 3.0, 30.0, 4.0, 40.0])
        );
        // Larger than what is changed, and nothing at all.
        assert!(a.times(&b, 3).is_err());
        assert!(a.kronecker(&b, 15).is_err());
        assert!(a.kronecker(&array(&[2, 2, 0], &[]), 8).is_err());
        assert_eq!(a.exchanged(), array(&[2, 2], &[1.0, 3.0, 2.0, 4.0]));
    }

    #[test]
    fn cores_are_expanded_in_both_dimensions() {
        let core = array(&[1, 2, 1, 1], &[1.0, 10.0]);
        let first = array(&[1, 2], &[1.0, 2.0]);
        let second = array(&[2, 1], &[3.0, 4.0]);
        let expanded = core.expanded(&first, &second, 2).unwrap();
        assert_eq!(expanded, array(&[2, 1, 1, 1], &[43.0, 86.0]));
    }
}
