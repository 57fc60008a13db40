//! Rotations of groups of rows: R = (I + Q)·(I − Q)⁻¹ with Q antisymmetric (Cayley). OFT rotates each group once; BOFT does so several
//! times, with the rows shuffled like the cards of a butterfly network in between.

use super::matrix::{Array, Misfit};

/// Added to a norm before it is divided by.
const SMALL: f64 = 1e-8;

/// What the rotations change, at a strength: [blocks, size, size] for OFT, [times, blocks, size, size] for BOFT.
pub(super) fn difference(
    blocks: &Array,
    rescale: Option<&Array>,
    bound: f32,
    strength: f32,
    weight: &Array,
) -> Result<Array, Misfit> {
    let (times, count, size) = match *blocks.shape.as_slice() {
        [count, size, columns] if size == columns => (None, count, size),
        [times, count, size, columns] if size == columns => (Some(times), count, size),
        ref shape => return Err(format!("{shape:?} is no list of square blocks")),
    };
    let [rows, columns] = weight.flat();
    if count * size != rows || size == 0 || columns == 0 {
        return Err(format!(
            "{count} blocks of {size} rows do not make {rows} rows"
        ));
    }
    let rotations = rotations(&blocks.values, size, bound)?;
    let changed = match times {
        // R is read by columns, and the strength counts here and once more when the difference is added.
        None => turn(&weight.values, columns, size, |block, row, column| {
            let one = f64::from(u8::from(row == column));
            (rotations[(block * size + column) * size + row] - one) * f64::from(strength)
        }),
        Some(times) => {
            let mut turned = weight.values.clone();
            for time in 0..times {
                let half = (1_usize << time.min(30)) * (size / 2);
                if half == 0 || !rows.is_multiple_of(2 * half) {
                    return Err(format!("{rows} rows cannot be shuffled by {half}"));
                }
                let shuffled = shuffle(&turned, columns, half, false);
                let all = &rotations[time * count * size * size..][..count * size * size];
                let turned_blocks = turn(&shuffled, columns, size, |block, row, column| {
                    let one = f64::from(u8::from(row == column));
                    let value = all[(block * size + row) * size + column];
                    value * f64::from(strength) + (1.0 - f64::from(strength)) * one
                });
                turned = shuffle(&turned_blocks, columns, half, true);
            }
            if let Some(rescale) = rescale {
                if rescale.values.len() != rows {
                    return Err(format!("{:?} cannot scale {rows} rows", rescale.shape));
                }
                for (row, factor) in turned.chunks_exact_mut(columns).zip(&rescale.values) {
                    for value in row.iter_mut() {
                        *value *= factor;
                    }
                }
            }
            let before = turned.iter().zip(&weight.values);
            before.map(|(after, before)| after - before).collect()
        }
    };
    Ok(Array {
        shape: weight.shape.clone(),
        values: changed,
    })
}

/// Rows of each block replaced by sums over them, with factors by block, row and column.
fn turn(
    values: &[f32],
    columns: usize,
    size: usize,
    factor: impl Fn(usize, usize, usize) -> f64,
) -> Vec<f32> {
    let mut turned = Vec::with_capacity(values.len());
    for (block, rows) in values.chunks_exact(size * columns).enumerate() {
        for row in 0..size {
            let mut sum = vec![0.0_f64; columns];
            for (column, source) in rows.chunks_exact(columns).enumerate() {
                let factor = factor(block, row, column);
                for (sum, value) in sum.iter_mut().zip(source) {
                    *sum += factor * f64::from(*value);
                }
            }
            turned.extend(sum.into_iter().map(|value| value as f32));
        }
    }
    turned
}

/// Within every `2 · half` rows the two halves are laid into each other like cards, or taken apart again.
fn shuffle(values: &[f32], columns: usize, half: usize, back: bool) -> Vec<f32> {
    let mut shuffled = Vec::with_capacity(values.len());
    for group in values.chunks_exact(2 * half * columns) {
        for row in 0..2 * half {
            let source = if back {
                (row % half) * 2 + row / half
            } else {
                (row % 2) * half + row / 2
            };
            shuffled.extend_from_slice(&group[source * columns..][..columns]);
        }
    }
    shuffled
}

/// The rotations of all blocks, one after the other, by rows.
fn rotations(values: &[f32], size: usize, bound: f32) -> Result<Vec<f64>, Misfit> {
    let mut generators: Vec<f64> = Vec::with_capacity(values.len());
    for block in values.chunks_exact(size * size) {
        for row in 0..size {
            generators.extend((0..size).map(|column| {
                f64::from(block[row * size + column]) - f64::from(block[column * size + row])
            }));
        }
    }
    if bound > 0.0 {
        let norm = generators
            .iter()
            .map(|value| value * value)
            .sum::<f64>()
            .sqrt()
            + SMALL;
        if norm > f64::from(bound) {
            let factor = f64::from(bound) / norm;
            for value in &mut generators {
                *value *= factor;
            }
        }
    }
    let mut rotations = Vec::with_capacity(values.len());
    for generator in generators.chunks_exact(size * size) {
        rotations.extend(cayley(generator, size)?);
    }
    Ok(rotations)
}

/// (I + Q)·(I − Q)⁻¹. Both commute, so it is the solution X of (I − Q)·X = I + Q, found by elimination.
fn cayley(generator: &[f64], size: usize) -> Result<Vec<f64>, Misfit> {
    let with_identity = |sign: f64| -> Vec<f64> {
        let entries = generator.iter().enumerate();
        entries
            .map(|(index, value)| {
                let one = f64::from(u8::from(index / size == index % size));
                one + sign * value
            })
            .collect()
    };
    let (mut left, mut right) = (with_identity(-1.0), with_identity(1.0));
    for pivot in 0..size {
        let best = (pivot..size).max_by(|a, b| {
            let size_of = |row: &usize| left[row * size + pivot].abs();
            size_of(a).total_cmp(&size_of(b))
        });
        let best = best.unwrap_or(pivot);
        let value = left[best * size + pivot];
        if value == 0.0 || !value.is_finite() {
            return Err("a block is no generator of a rotation".to_owned());
        }
        for column in 0..size {
            left.swap(pivot * size + column, best * size + column);
            right.swap(pivot * size + column, best * size + column);
        }
        for column in 0..size {
            left[pivot * size + column] /= value;
            right[pivot * size + column] /= value;
        }
        for row in (0..size).filter(|row| *row != pivot) {
            let factor = left[row * size + pivot];
            if factor != 0.0 {
                for column in 0..size {
                    left[row * size + column] -= factor * left[pivot * size + column];
                    right[row * size + column] -= factor * right[pivot * size + column];
                }
            }
        }
    }
    Ok(right)
}
