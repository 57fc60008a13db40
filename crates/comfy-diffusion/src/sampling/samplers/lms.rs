//! Linear multistep: the slopes of the last steps as a polynomial in σ.
//!
//! Source: the Adams-Bashforth methods with variable steps (E. Hairer, S. Nørsett, G. Wanner, "Solving ordinary differential
//! equations I", §III.5), applied to dx/dσ.

use std::collections::VecDeque;
use std::f64::consts::PI;

use burn::tensor::Tensor;

use super::Method;
use super::arithmetic::slope;
use crate::Result;
use crate::sampling::Run;

/// More than a start this near needs.
const NEWTON_STEPS: usize = 8;

/// One call of the model a step.
#[derive(Clone, Copy, Debug)]
pub struct Lms {
    /// How many slopes enter a step, at least 1.
    pub order: usize,
}

impl Method for Lms {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        let mut slopes: VecDeque<(f64, Tensor<4>)> = VecDeque::new();
        for (index, levels) in run.sigmas().windows(2).enumerate() {
            let x0 = run.denoise(&x, levels[0])?;
            run.report(index, &x0, &x)?;
            if levels[1] == 0.0 {
                x = x0;
                continue;
            }
            slopes.push_front((f64::from(levels[0]), slope(&x, &x0, levels[0])));
            slopes.truncate(self.order.max(1));
            let nodes: Vec<f64> = slopes.iter().map(|(sigma, _)| *sigma).collect();
            let rule = gauss_legendre(nodes.len().div_ceil(2));
            for (node, (_, slope)) in slopes.iter().enumerate() {
                let weight = lagrange_integral(&rule, &nodes, node, f64::from(levels[1]));
                x = x + slope.clone().mul_scalar(weight);
            }
        }
        Ok(x)
    }
}

/// ∫ from `nodes[0]` to `end` of the polynomial that is 1 at `nodes[node]` and 0 at the others, by a rule that is exact for
/// its degree.
fn lagrange_integral(rule: &[(f64, f64)], nodes: &[f64], node: usize, end: f64) -> f64 {
    let (centre, half) = (0.5 * (nodes[0] + end), 0.5 * (end - nodes[0]));
    let value = |place: f64| -> f64 {
        let factor = |(index, other): (usize, &f64)| {
            if index == node {
                1.0
            } else {
                (place - other) / (nodes[node] - other)
            }
        };
        nodes.iter().enumerate().map(factor).product()
    };
    let terms = rule
        .iter()
        .map(|(place, weight)| weight * value(centre + half * place));
    half * terms.sum::<f64>()
}

/// Gauss and Legendre's rule for -1..1: places and weights, exact for polynomials below degree 2 · `points`. The places are the
/// zeros of Legendre's polynomial, found by Newton's method.
fn gauss_legendre(points: usize) -> Vec<(f64, f64)> {
    (0..points)
        .map(|index| {
            let mut place = (PI * (index as f64 + 0.75) / (points as f64 + 0.5)).cos();
            let mut slope = 1.0;
            for _ in 0..NEWTON_STEPS {
                let (mut value, mut before) = (1.0, 0.0);
                for degree in 0..points {
                    let degree = degree as f64;
                    let next =
                        ((2.0 * degree + 1.0) * place * value - degree * before) / (degree + 1.0);
                    (value, before) = (next, value);
                }
                slope = points as f64 * (place * value - before) / (place * place - 1.0);
                place -= value / slope;
            }
            (place, 2.0 / ((1.0 - place * place) * slope * slope))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::gauss_legendre;

    #[test]
    fn rules_are_exact_for_their_degree() {
        for points in 1..20 {
            let rule = gauss_legendre(points);
            for degree in 0..2 * points {
                let sum: f64 = rule
                    .iter()
                    .map(|(place, weight)| weight * place.powi(degree as i32))
                    .sum();
                let want = if degree % 2 == 0 {
                    2.0 / (degree + 1) as f64
                } else {
                    0.0
                };
                assert!(
                    (sum - want).abs() < 1e-12,
                    "{points} points, degree {degree}: {sum}"
                );
            }
        }
    }
}
