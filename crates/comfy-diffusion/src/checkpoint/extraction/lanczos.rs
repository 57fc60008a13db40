//! Leading singular vectors of a matrix by the method of Lanczos (1950), with full reorthogonalisation.

use rayon::prelude::*;

use super::tridiagonal::{Tridiagonal, eigenvectors};

/// How exact squares of singular values are, relative to the largest.
const EXACTNESS: f64 = 1e-11;

/// The result is looked at when there are so many vectors more than are asked for, and then whenever there are so many times as many.
const FIRST_LOOK: usize = 24;
const GROWTH: f64 = 1.3;

/// Columns that one thread adds up at once.
const BLOCK: usize = 1024;

/// A matrix that is not taller than wide.
pub(super) struct Matrix {
    values: Vec<f32>,
    rows: usize,
    columns: usize,
}

impl Matrix {
    /// A matrix of values in C order.
    pub(super) fn new(values: &[f32], [rows, columns]: [usize; 2]) -> Self {
        Self {
            values: values.to_vec(),
            rows,
            columns,
        }
    }

    /// The same with rows and columns exchanged.
    pub(super) fn transposed(values: &[f32], [rows, columns]: [usize; 2]) -> Self {
        let mut transposed = vec![0.0; values.len()];
        for (row, line) in values.chunks_exact(columns.max(1)).enumerate() {
            for (column, value) in line.iter().enumerate() {
                transposed[column * rows + row] = *value;
            }
        }
        Self {
            values: transposed,
            rows: columns,
            columns: rows,
        }
    }

    /// The sum of the rows, each with its factor.
    pub(super) fn along(&self, factors: &[f64]) -> Vec<f64> {
        let mut sum = vec![0.0; self.columns];
        let blocks = sum.par_chunks_mut(BLOCK).enumerate();
        blocks.for_each(|(block, sum)| {
            let start = block * BLOCK;
            for (row, factor) in factors.iter().enumerate() {
                let line = &self.values[row * self.columns + start..][..sum.len()];
                for (sum, value) in sum.iter_mut().zip(line) {
                    *sum += factor * f64::from(*value);
                }
            }
        });
        sum
    }

    /// The product of each row with a vector.
    fn across(&self, vector: &[f64]) -> Vec<f64> {
        let rows = self.values.par_chunks_exact(self.columns.max(1));
        rows.map(|row| {
            let products = row.iter().zip(vector);
            products
                .map(|(value, factor)| f64::from(*value) * factor)
                .sum()
        })
        .collect()
    }
}

/// The `count` left singular vectors with the largest singular values, of length 1, the strongest first.
pub(super) fn leading_vectors(matrix: &Matrix, count: usize) -> Vec<Vec<f64>> {
    let size = matrix.rows;
    let count = count.min(size);
    if count == 0 {
        return Vec::new();
    }
    let mut basis = vec![start(size, 0, &[])];
    let mut found = Tridiagonal::default();
    let mut next_look = count + FIRST_LOOK;
    loop {
        let newest = &basis[basis.len() - 1];
        let mut image = matrix.across(&matrix.along(newest));
        found.diagonal.push(dot(&image, newest));
        remove(&mut image, &basis);
        let length = norm(&image);
        let is_complete = basis.len() == size;
        if is_complete || basis.len() >= next_look {
            next_look = (basis.len() as f64 * GROWTH) as usize;
            let (values, vectors) = eigenvectors(&found);
            let largest = values.first().copied().unwrap_or_default();
            let leading = vectors.iter().take(count);
            let is_exact = |vector: &Vec<f64>| {
                let last = vector.last().copied().unwrap_or_default();
                (length * last).abs() <= EXACTNESS * largest
            };
            if is_complete || leading.clone().all(is_exact) {
                return leading.map(|vector| combined(&basis, vector)).collect();
            }
        }
        let scale = found
            .diagonal
            .iter()
            .fold(0.0, |most: f64, value| most.max(value.abs()));
        if length > f64::EPSILON * scale * size as f64 {
            found.beside.push(length);
            for value in &mut image {
                *value /= length;
            }
            basis.push(image);
        } else {
            // The vectors so far have all of their images among them: others are looked for elsewhere.
            found.beside.push(0.0);
            let other = start(size, basis.len(), &basis);
            basis.push(other);
        }
    }
}

/// A vector of length 1 that is orthogonal to others. Its values are arbitrary but the same each time.
fn start(size: usize, seed: usize, others: &[Vec<f64>]) -> Vec<f64> {
    let mut state = seed as u64 + 1;
    loop {
        let mut draw = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / f64::from(1 << 30) - 1.0
        };
        let mut vector: Vec<f64> = (0..size).map(|_| draw()).collect();
        remove(&mut vector, others);
        let length = norm(&vector);
        if length > 1e-6 {
            for value in &mut vector {
                *value /= length;
            }
            return vector;
        }
    }
}

/// Takes from a vector what lies in the direction of others; the second time what the first has left over by rounding.
fn remove(vector: &mut [f64], others: &[Vec<f64>]) {
    for _ in 0..2 {
        for other in others {
            let part = dot(vector, other);
            for (value, other) in vector.iter_mut().zip(other) {
                *value -= part * other;
            }
        }
    }
}

fn combined(basis: &[Vec<f64>], factors: &[f64]) -> Vec<f64> {
    let mut sum = vec![0.0; basis.first().map_or(0, Vec::len)];
    for (vector, factor) in basis.iter().zip(factors) {
        for (sum, value) in sum.iter_mut().zip(vector) {
            *sum += factor * value;
        }
    }
    sum
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

/// The length of a vector.
pub(super) fn norm(vector: &[f64]) -> f64 {
    dot(vector, vector).sqrt()
}
