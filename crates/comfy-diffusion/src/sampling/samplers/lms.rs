//! Linear multistep: the slopes of the last steps as a polynomial in σ.
//!
//! Source: the Adams-Bashforth methods with variable steps (E. Hairer, S. Nørsett, G. Wanner, "Solving ordinary differential
//! equations I", §III.5), applied to dx/dσ.

use std::collections::VecDeque;

use burn::tensor::Tensor;

use super::Method;
use super::arithmetic::slope;
use crate::Result;
use crate::sampling::Run;

/// One call of the model a step.
#[derive(Clone, Copy, Debug)]
pub struct Lms {
    /// How many slopes enter a step, at least 1 and at most 4 exactly.
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
            for (node, (_, slope)) in slopes.iter().enumerate() {
                let weight = lagrange_integral(&nodes, node, f64::from(levels[1]));
                x = x + slope.clone().mul_scalar(weight);
            }
        }
        Ok(x)
    }
}

/// ∫ from `nodes[0]` to `end` of the polynomial that is 1 at `nodes[node]` and 0 at the others, by Gauss' two-point rule,
/// which is exact up to degree 3.
fn lagrange_integral(nodes: &[f64], node: usize, end: f64) -> f64 {
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
    let offset = half / 3.0_f64.sqrt();
    half * (value(centre - offset) + value(centre + offset))
}
