//! DPM-Solver-fast: a fixed number of model calls in steps of order 3, with a shorter one at the end.
//!
//! Source: C. Lu et al., "DPM-Solver: a fast ODE solver for diffusion probabilistic model sampling in around 10 steps" (2022),
//! §3.4.

use burn::tensor::Tensor;

use super::Method;
use super::dpm_solver::{DpmStep, lambda_range};
use crate::Result;
use crate::sampling::Run;

/// As many calls of the model as the run has steps, at levels of its own between the run's first and its last above no
/// noise, where it ends.
#[derive(Clone, Copy, Debug)]
pub struct DpmFast;

impl Method for DpmFast {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        let Some((start, end)) = lambda_range(run.sigmas()).filter(|_| run.steps() > 0) else {
            return Ok(x);
        };
        let orders = orders(run.steps());
        let length = (end - start) / orders.len() as f64;
        for (index, order) in orders.iter().enumerate() {
            let (from, to) = (
                start + index as f64 * length,
                start + (index + 1) as f64 * length,
            );
            let (step, x0) = DpmStep::begin(run, &x, from)?;
            run.report(index, &x0, &x)?;
            x = match order {
                1 => step.first_order(to),
                2 => {
                    let within = step.call(run, 0.5, to)?;
                    step.second_order(&within, to)
                }
                _ => {
                    let first = step.call(run, 1.0 / 3.0, to)?;
                    let second = step.call_through(run, &first, 2.0 / 3.0, to)?;
                    step.third_order(&second, to)
                }
            };
        }
        Ok(x)
    }
}

/// Orders that add up to `calls`: threes, and at the end what is left; a multiple of three ends on 2 and 1.
fn orders(calls: usize) -> Vec<usize> {
    let mut orders = vec![3; (calls - 1) / 3];
    match calls % 3 {
        0 => orders.extend([2, 1]),
        rest => orders.push(rest),
    }
    orders
}

#[cfg(test)]
mod tests {
    use super::orders;

    #[test]
    fn orders_use_every_call() {
        assert_eq!(orders(1), [1]);
        assert_eq!(orders(3), [2, 1]);
        assert_eq!(orders(8), [3, 3, 2]);
        assert_eq!(orders(9), [3, 3, 2, 1]);
        assert!((1..100).all(|calls| orders(calls).iter().sum::<usize>() == calls));
    }
}
