//! `UniPC`: a predictor and a corrector of the same order that share their calls of the model.
//!
//! Source: W. Zhao, L. Bai, Y. Rao, J. Zhou, J. Lu, "`UniPC`: a unified predictor-corrector framework for fast sampling of
//! diffusion models" (2023), algorithms 1 and 2 with data prediction, in the variables used here (α = 1, λ = −ln σ).

use std::collections::VecDeque;

use burn::tensor::Tensor;

use super::Method;
use super::arithmetic::{solve_powers, weighted_sum};
use crate::Result;
use crate::sampling::Run;

/// The highest order.
const ORDER: usize = 3;
/// Where the last step ends instead of at no noise, where λ would be infinite.
const LAST_LEVEL: f32 = 0.001;

/// The function B(h) of the paper, which weighs the higher-order terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaling {
    /// B₁(h) = h.
    H,
    /// B₂(h) = eʰ − 1.
    Exponential,
}

/// One call of the model a step.
#[derive(Clone, Copy, Debug)]
pub struct UniPc {
    /// The function B(h).
    pub scaling: Scaling,
}

/// What the model saw at a level.
struct Seen {
    lambda: f64,
    x0: Tensor<4>,
}

impl Method for UniPc {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        let steps = run.steps();
        let Some((&first, &last)) = run.sigmas().first().zip(run.sigmas().last()) else {
            return Ok(x);
        };
        if steps == 0 {
            return Ok(x);
        }
        let end = if last == 0.0 { LAST_LEVEL } else { last };
        let order = ORDER.min(steps - 1);
        let x0 = run.denoise(&x, first)?;
        run.report(0, &x0, &x)?;
        if order == 0 {
            // The original makes no step at all here: it only moves x, scaled to unit variance, to the scale of the end.
            return Ok(x.mul_scalar(unit_scale(first) / unit_scale(end)));
        }
        let mut newest = Seen {
            lambda: lambda(first),
            x0,
        };
        let mut earlier = VecDeque::new();
        for index in 1..steps {
            let (from, to) = (run.sigmas()[index - 1], run.sigmas()[index]);
            // Fewer calls lie behind at the beginning, and fewer steps ahead at the end.
            let step_order = index.min(order).min(steps + 1 - index);
            let step = self.step(&newest, &earlier, step_order, from, to);
            let predicted = step.predict(&x);
            let x0 = run.denoise(&predicted, to)?;
            x = step.correct(&x, &x0);
            earlier.push_front(std::mem::replace(
                &mut newest,
                Seen {
                    lambda: lambda(to),
                    x0,
                },
            ));
            earlier.truncate(order - 1);
            if index + 1 == steps {
                x = self.step(&newest, &earlier, 1, to, end).predict(&x);
            }
            run.report(index, &newest.x0, &x)?;
        }
        Ok(x)
    }

    fn drops_penultimate_level(&self) -> bool {
        true
    }
}

fn lambda(sigma: f32) -> f64 {
    -f64::from(sigma).ln()
}

/// The factor that gives x unit variance.
fn unit_scale(sigma: f32) -> f64 {
    1.0 / (1.0 + f64::from(sigma) * f64::from(sigma)).sqrt()
}

/// A step of some order with its coefficients.
struct UniStep<'a> {
    /// σ′/σ
    rest: f64,
    /// e^{−h} − 1
    decay: f64,
    /// B(−h)
    scale: f64,
    newest: &'a Tensor<4>,
    /// (x₀ of an earlier call − newest)/r for each earlier call, latest first.
    differences: Vec<Tensor<4>>,
    predictor: Vec<f64>,
    corrector: Vec<f64>,
}

impl UniPc {
    /// The step of order `order` from level `from`, whose call is `newest`, to level `to`. `earlier` has the calls
    /// before it, latest first.
    fn step<'a>(
        self,
        newest: &'a Seen,
        earlier: &VecDeque<Seen>,
        order: usize,
        from: f32,
        to: f32,
    ) -> UniStep<'a> {
        let signed = -(lambda(to) - newest.lambda);
        let decay = signed.exp_m1();
        let scale = match self.scaling {
            Scaling::H => signed,
            Scaling::Exponential => decay,
        };
        let mut ratios = Vec::new();
        let mut differences = Vec::new();
        for call in earlier.iter().take(order - 1) {
            let ratio = (call.lambda - newest.lambda) / -signed;
            ratios.push(ratio);
            differences.push((call.x0.clone() - newest.x0.clone()).div_scalar(ratio));
        }
        ratios.push(1.0);
        // Right-hand sides φ_{k+1}(−h)·k!/B(−h).
        let mut phi = decay / signed - 1.0;
        let mut factorial = 1.0;
        let mut targets = Vec::new();
        for k in 1..=order {
            targets.push(phi * factorial / scale);
            factorial *= (k + 1) as f64;
            phi = phi / signed - 1.0 / factorial;
        }
        let lower = order - 1;
        UniStep {
            rest: f64::from(to) / f64::from(from),
            decay,
            scale,
            newest: &newest.x0,
            differences,
            // The paper fixes the solution of the one-dimensional systems.
            predictor: if order == 2 {
                vec![0.5]
            } else {
                solve_powers(&ratios[..lower], &targets[..lower])
            },
            corrector: if order == 1 {
                vec![0.5]
            } else {
                solve_powers(&ratios, &targets)
            },
        }
    }
}

impl UniStep<'_> {
    fn predict(&self, x: &Tensor<4>) -> Tensor<4> {
        self.add_differences(self.first_order(x), &self.predictor)
    }

    fn correct(&self, x: &Tensor<4>, x0: &Tensor<4>) -> Tensor<4> {
        let x = self.add_differences(self.first_order(x), &self.corrector);
        match self.corrector.last() {
            Some(weight) => x - (x0.clone() - self.newest.clone()).mul_scalar(self.scale * weight),
            None => x,
        }
    }

    fn first_order(&self, x: &Tensor<4>) -> Tensor<4> {
        weighted_sum([(self.rest, x), (-self.decay, self.newest)])
    }

    fn add_differences(&self, x: Tensor<4>, weights: &[f64]) -> Tensor<4> {
        self.differences
            .iter()
            .zip(weights)
            .fold(x, |x, (difference, weight)| {
                x - difference.clone().mul_scalar(self.scale * weight)
            })
    }
}
