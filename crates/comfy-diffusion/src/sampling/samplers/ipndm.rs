//! Improved pseudo numerical methods: Adams-Bashforth on the slope.
//!
//! Sources: L. Liu, Y. Ren, Z. Lin, Z. Zhao, "Pseudo numerical methods for diffusion models on manifolds" (2022) for the constant
//! coefficients; Q. Zhang and Y. Chen, "Fast sampling of diffusion models with exponential integrator" (2023) for starting with lower
//! orders.

use std::collections::VecDeque;

use burn::tensor::Tensor;

use super::Method;
use super::arithmetic::slope;
use crate::Result;
use crate::sampling::Run;

/// Slopes of earlier steps that are kept.
const KEPT: usize = 3;

/// One call of the model a step, with the coefficients of equal steps.
#[derive(Clone, Copy, Debug)]
pub struct Ipndm;

/// One call of the model a step, with coefficients from the lengths of the steps.
#[derive(Clone, Copy, Debug)]
pub struct IpndmV;

impl Method for Ipndm {
    fn run(&self, run: &mut Run<'_>, x: Tensor<4>) -> Result<Tensor<4>> {
        multistep(run, x, |lengths| match lengths.len() {
            1 => vec![1.0],
            2 => vec![3.0 / 2.0, -1.0 / 2.0],
            3 => vec![23.0 / 12.0, -16.0 / 12.0, 5.0 / 12.0],
            _ => vec![55.0 / 24.0, -59.0 / 24.0, 37.0 / 24.0, -9.0 / 24.0],
        })
    }
}

impl Method for IpndmV {
    fn run(&self, run: &mut Run<'_>, x: Tensor<4>) -> Result<Tensor<4>> {
        multistep(run, x, variable_coefficients)
    }
}

/// Steps along the sum of the present slope and earlier ones. `coefficients` is given the length of the step and of those
/// before it, latest first, one for each slope.
fn multistep(
    run: &mut Run<'_>,
    mut x: Tensor<4>,
    coefficients: impl Fn(&[f64]) -> Vec<f64>,
) -> Result<Tensor<4>> {
    let mut slopes: VecDeque<Tensor<4>> = VecDeque::new();
    let mut lengths: VecDeque<f64> = VecDeque::new();
    for (index, levels) in run.sigmas().windows(2).enumerate() {
        let x0 = run.denoise(&x, levels[0])?;
        run.report(index, &x0, &x)?;
        if levels[1] == 0.0 {
            x = x0;
            continue;
        }
        slopes.push_front(slope(&x, &x0, levels[0]));
        slopes.truncate(KEPT + 1);
        lengths.push_front(f64::from(levels[1]) - f64::from(levels[0]));
        lengths.truncate(KEPT + 1);
        let length = lengths[0];
        for (slope, coefficient) in slopes.iter().zip(coefficients(lengths.make_contiguous())) {
            x = x + slope.clone().mul_scalar(length * coefficient);
        }
    }
    Ok(x)
}

/// The coefficients of variable steps as the sampler of this name has had them from its first publication. They differ from the
/// exact ones from the third order on: the ratio of lengths multiplies only the second term of the bracket.
fn variable_coefficients(lengths: &[f64]) -> Vec<f64> {
    let ratio = |index: usize| lengths[index] / lengths[index + 1];
    let sum = |from: usize, to: usize| lengths[from..=to].iter().sum::<f64>();
    let second = |third: f64| (1.0 - lengths[0] / (3.0 * sum(0, 1)) * third) / 2.0;
    match lengths.len() {
        1 => vec![1.0],
        2 => vec![1.0 + ratio(0) / 2.0, -ratio(0) / 2.0],
        3 => {
            let bend = second(lengths[0] * sum(0, 1) / (lengths[1] * sum(1, 2)));
            vec![
                1.0 + ratio(0) / 2.0 + bend,
                -ratio(0) / 2.0 - (1.0 + ratio(1)) * bend,
                bend * ratio(1),
            ]
        }
        _ => {
            let bend = second(lengths[0] * sum(0, 1) / (lengths[1] * sum(1, 2)));
            let twist = ((1.0 - lengths[0] / (3.0 * sum(0, 1))) / 2.0
                + (1.0 - lengths[0] / (2.0 * sum(0, 1))) * lengths[0] / (6.0 * sum(0, 2)))
                * (lengths[0] * sum(0, 1) * sum(0, 2))
                / (lengths[1] * sum(1, 2) * sum(1, 3));
            let span = lengths[1] * sum(1, 2) / (lengths[2] * sum(2, 3));
            vec![
                1.0 + ratio(0) / 2.0 + bend + twist,
                -ratio(0) / 2.0 - (1.0 + ratio(1)) * bend - (1.0 + ratio(1) + span) * twist,
                bend * ratio(1) + (ratio(1) + span * (1.0 + ratio(2))) * twist,
                -twist * span * ratio(1),
            ]
        }
    }
}
