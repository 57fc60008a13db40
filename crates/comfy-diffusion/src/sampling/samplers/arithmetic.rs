//! Steps that several samplers share.

use burn::tensor::Tensor;

/// Σ weight · tensor over at least one term. Weights of 0 drop their term, so that an infinite intermediate does not
/// spoil the sum.
#[expect(
    clippy::float_cmp,
    reason = "only a factor of exactly one can be left out"
)]
pub(super) fn weighted_sum<const N: usize>(terms: [(f64, &Tensor<4>); N]) -> Tensor<4> {
    let first = terms[0].1;
    terms
        .into_iter()
        .filter(|(weight, _)| *weight != 0.0)
        .map(|(weight, tensor)| {
            if weight == 1.0 {
                tensor.clone()
            } else {
                tensor.clone().mul_scalar(weight)
            }
        })
        .reduce(|sum, term| sum + term)
        .unwrap_or_else(|| first.zeros_like())
}

/// The slope dx/dσ = (x − x₀)/σ.
pub(super) fn slope(x: &Tensor<4>, x0: &Tensor<4>, sigma: f32) -> Tensor<4> {
    (x.clone() - x0.clone()).div_scalar(f64::from(sigma))
}

/// Euler's step from σ to `next`: along the line from x through x₀, which reaches x₀ at no noise.
pub(super) fn euler_step(x: &Tensor<4>, x0: &Tensor<4>, sigma: f32, next: f64) -> Tensor<4> {
    let rest = next / f64::from(sigma);
    weighted_sum([(rest, x), (1.0 - rest, x0)])
}

/// λ = −ln σ, half the logarithm of the signal-to-noise ratio.
pub(super) fn half_log_snr(sigma: f64) -> f64 {
    -sigma.ln()
}

/// How far a stochastic sampler goes down and how much noise it adds to come out at the next level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ancestral {
    /// The level that is stepped to.
    pub(super) down: f64,
    /// The deviation of the noise that is added there.
    pub(super) up: f64,
}

impl Ancestral {
    /// The ancestral step from `sigma` to `next`: √(down² + up²) = next. `eta` scales the added noise, 1 being the full
    /// posterior deviation of DDPM (Ho et al., 2020) and 0 none.
    pub(super) fn new(sigma: f32, next: f32, eta: f64) -> Self {
        Self::between(f64::from(sigma), f64::from(next), eta)
    }

    /// The same for levels that are no entries of a schedule.
    pub(super) fn between(sigma: f64, next: f64, eta: f64) -> Self {
        if eta == 0.0 {
            return Self {
                down: next,
                up: 0.0,
            };
        }
        let posterior = next * ((sigma * sigma - next * next).max(0.0)).sqrt() / sigma;
        let up = next.min(eta * posterior);
        Self {
            down: (next * next - up * up).max(0.0).sqrt(),
            up,
        }
    }
}

/// Solves Σⱼ ratios[j]^i · ρ[j] = targets[i] by elimination with pivoting. The ratios are distinct.
pub(super) fn solve_powers(ratios: &[f64], targets: &[f64]) -> Vec<f64> {
    let size = ratios.len();
    let mut rows: Vec<Vec<f64>> = (0..size)
        .map(|power| {
            ratios
                .iter()
                .map(|ratio| ratio.powi(power as i32))
                .chain([targets[power]])
                .collect()
        })
        .collect();
    for column in 0..size {
        let pivot =
            (column..size).max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs()));
        rows.swap(column, pivot.unwrap_or(column));
        let pivot_row = rows[column].clone();
        for (index, row) in rows.iter_mut().enumerate() {
            if index != column {
                let factor = row[column] / pivot_row[column];
                for (value, pivot) in row.iter_mut().zip(&pivot_row) {
                    *value -= factor * pivot;
                }
            }
        }
    }
    rows.iter()
        .enumerate()
        .map(|(index, row)| row[size] / row[index])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Ancestral, solve_powers};

    #[test]
    fn ancestral_parts_make_up_the_level() {
        for (sigma, next) in [(14.6, 7.0), (1.0, 0.9), (0.03, 0.029), (2.0, 0.0)] {
            for eta in [0.0, 0.3, 1.0, 5.0] {
                let step = Ancestral::new(sigma, next, eta);
                assert!((step.down.hypot(step.up) - f64::from(next)).abs() < 1e-7);
                assert!(step.down >= 0.0 && step.up >= 0.0);
            }
        }
        assert_eq!(
            Ancestral::new(3.0, 2.0, 0.0),
            Ancestral { down: 2.0, up: 0.0 }
        );
    }

    #[test]
    fn solves_small_systems() {
        assert!(solve_powers(&[], &[]).is_empty());
        let solution = solve_powers(&[-2.0, -1.0, 1.0], &[1.0, 0.5, 0.25]);
        for (power, want) in [1.0, 0.5, 0.25].into_iter().enumerate() {
            let sum: f64 = [-2.0_f64, -1.0, 1.0]
                .iter()
                .zip(&solution)
                .map(|(r, s)| r.powi(power as i32) * s)
                .sum();
            assert!((sum - want).abs() < 1e-12);
        }
    }
}
