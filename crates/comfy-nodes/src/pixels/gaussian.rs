//! The Gaussians that blur and sharpen, as squares of weights, with `PyTorch`'s roundings.

/// `count` numbers from -1 to 1, the second half counted from the end, each with one rounding.
fn positions(count: usize) -> Vec<f32> {
    let step = 2.0 / (count - 1) as f32;
    (0..count)
        .map(|index| {
            if index < count / 2 {
                step.mul_add(index as f32, -1.0)
            } else {
                (-step).mul_add((count - 1 - index) as f32, 1.0)
            }
        })
        .collect()
}

/// A Gaussian of `2·radius + 1` rows and columns with the sum 1. Its samples lie from -1 to 1 whatever the radius, so `sigma` is
/// relative to the radius.
pub fn gaussian_square(radius: usize, sigma: f64) -> Vec<f32> {
    let positions = positions(2 * radius + 1);
    let divisor = (2.0 * sigma * sigma) as f32;
    let mut weights = Vec::with_capacity(positions.len() * positions.len());
    for y in &positions {
        for x in &positions {
            let distance = (y * y + x * x).sqrt();
            let exponent = -(distance * distance) / divisor;
            weights.push(f64::from(exponent).exp() as f32);
        }
    }
    let total = sum(&weights);
    for weight in &mut weights {
        *weight /= total;
    }
    weights
}

/// Minus ten times `alpha` of a Gaussian, with a centre that makes the sum 1.
pub fn sharpening_square(radius: usize, sigma: f64, alpha: f64) -> Vec<f32> {
    let mut weights = gaussian_square(radius, sigma);
    let factor = (-10.0 * alpha) as f32;
    for weight in &mut weights {
        *weight *= factor;
    }
    let total = sum(&weights);
    let centre = weights.len() / 2;
    weights[centre] = weights[centre] - total + 1.0;
    weights
}

/// Lanes that are added side by side, and rows of lanes that are.
const LANES: usize = 8;
const ROWS: usize = 4;
/// Steps after which a partial sum is put aside.
const BLOCK: usize = 16;

/// A sum in `PyTorch`'s order: 32 partial sums, each put aside every sixteen steps; then rows, what is left over, and lanes.
fn sum(values: &[f32]) -> f32 {
    let lanes = values.chunks_exact(LANES);
    let mut total: f32 = lanes.remainder().iter().sum();
    let vectors: Vec<&[f32]> = lanes.collect();
    let add = |to: &mut [f32; LANES], from: &[f32]| {
        for (to, from) in to.iter_mut().zip(from) {
            *to += from;
        }
    };
    let steps = vectors.chunks_exact(ROWS);
    let left_over = steps.remainder();
    let steps: Vec<_> = steps.collect();
    let blocks = steps.chunks_exact(BLOCK);
    let mut sums = [[0.0_f32; LANES]; ROWS];
    let mut aside = sums;
    let rest = blocks.remainder();
    for block in blocks.chain(std::iter::once(rest)) {
        for step in block {
            for (sum, vector) in sums.iter_mut().zip(*step) {
                add(sum, vector);
            }
        }
        if block.len() == BLOCK {
            for (aside, sum) in aside.iter_mut().zip(&mut sums) {
                add(aside, sum.as_slice());
                *sum = [0.0; LANES];
            }
        }
    }
    for (sum, aside) in sums.iter_mut().zip(&aside) {
        add(sum, aside.as_slice());
    }
    let [mut first, others @ ..] = sums;
    for vector in left_over {
        add(&mut first, vector);
    }
    for other in &others {
        add(&mut first, other);
    }
    for lane in first {
        total += lane;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values that torch 2.8.0 gives.
    #[test]
    fn kernels_equal_those_of_pytorch() {
        let bits = |values: &[f32]| {
            values
                .iter()
                .map(|value| value.to_bits())
                .collect::<Vec<_>>()
        };
        for (radius, sigma, alpha, first, centre, total) in RECORDED {
            let blur = gaussian_square(radius, sigma);
            let sharpen = sharpening_square(radius, sigma, alpha);
            let middle = blur.len() / 2;
            assert_eq!(
                bits(&[blur[0], blur[middle], sharpen[middle]]),
                bits(&[first, centre, total]),
                "radius {radius}, sigma {sigma}, alpha {alpha}"
            );
        }
    }

    const RECORDED: [(usize, f64, f64, f32, f32, f32); 4] = [
        (1, 1.0, 1.0, 0.0751136, 0.20417994, 8.9581995),
        (1, 0.3, 2.5, 1.47169e-05, 0.98471373, 1.3821545),
        (2, 1.0, 1.5, 0.02324684, 0.06319146, 15.052127),
        (2, 0.7, 0.1, 0.012146127, 0.093487374, 1.9065125),
    ];
}
