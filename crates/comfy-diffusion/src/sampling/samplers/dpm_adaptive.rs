//! DPM-Solver with an adaptive step.
//!
//! Source: C. Lu et al., "DPM-Solver: a fast ODE solver for diffusion probabilistic model sampling in around 10 steps" (2022),
//! appendix C, with the step controlled as in G. Söderlind, "Digital filters in adaptive time-stepping" (2003).

use burn::tensor::Tensor;

use super::Method;
use super::arithmetic::Ancestral;
use super::dpm_solver::{DpmStep, lambda_range, sigma_at};
use crate::sampling::Run;
use crate::sampling::host::values;
use crate::{Error, Result};

/// How close to the end counts as the end.
const END_TOLERANCE: f64 = 1e-5;
/// The order of convergence that counts where noise is added.
const STOCHASTIC_ORDER: f64 = 1.5;
/// Far more attempts than any smooth model needs.
const MOST_ATTEMPTS: usize = 20_000;

/// Two or three calls of the model an attempt; the run's levels only say where to begin and to end.
#[derive(Clone, Copy, Debug)]
pub struct DpmAdaptive {
    /// The order of the more exact of the two solutions that are compared, 2 or 3.
    pub order: usize,
    /// The error allowed in proportion to the values.
    pub relative_tolerance: f64,
    /// The error allowed in any case.
    pub absolute_tolerance: f64,
    /// The first step in λ.
    pub first_step: f64,
    /// How the length of the next step follows from errors.
    pub controller: Controller,
    /// How much of the noise is renewed in each step: 0 none, 1 as DDPM.
    pub eta: f64,
    /// A factor on the added noise.
    pub noise_scale: f64,
}

/// The parts that the present error, its sum and its change have in a step's length.
#[derive(Clone, Copy, Debug)]
pub struct Controller {
    /// The present error's.
    pub proportional: f64,
    /// The sum's.
    pub integral: f64,
    /// The change's.
    pub derivative: f64,
    /// Steps whose growth factor is below this are done again.
    pub accepted_factor: f64,
}

impl DpmAdaptive {
    /// The settings of the sampler of this name.
    pub const USUAL: Self = Self {
        order: 3,
        relative_tolerance: 0.05,
        absolute_tolerance: 0.0078,
        first_step: 0.05,
        controller: Controller {
            proportional: 0.0,
            integral: 1.0,
            derivative: 0.0,
            accepted_factor: 0.81,
        },
        eta: 0.0,
        noise_scale: 1.0,
    };

    /// The root mean square of the difference of two solutions in units of what is allowed.
    fn error(&self, rough: &Tensor<4>, fine: &Tensor<4>, previous: &Tensor<4>) -> Result<f64> {
        let (rough, fine, previous) = (
            values(rough.clone())?,
            values(fine.clone())?,
            values(previous.clone())?,
        );
        let sum: f64 = rough
            .iter()
            .zip(&fine)
            .zip(&previous)
            .map(|((rough, fine), previous)| {
                let size = f64::from(rough.abs().max(previous.abs()));
                let allowed = (self.relative_tolerance * size).max(self.absolute_tolerance);
                (f64::from(rough - fine) / allowed).powi(2)
            })
            .sum();
        Ok((sum / rough.len() as f64).sqrt())
    }
}

impl Method for DpmAdaptive {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        let Some((mut lambda, end)) = lambda_range(run.sigmas()).filter(|_| run.steps() > 0) else {
            return Ok(x);
        };
        let mut control = Control::new(self);
        let mut noise = run.noise_like(&x);
        let mut previous = x.clone();
        for attempt in 0.. {
            if lambda >= end - END_TOLERANCE {
                break;
            }
            if attempt == MOST_ATTEMPTS {
                return Err(Error::input(format!(
                    "the adaptive sampler did not reach the end within {MOST_ATTEMPTS} steps"
                )));
            }
            let to = end.min(lambda + control.length);
            let (down, deviation) = self.target(lambda, to, end);
            let (step, x0) = DpmStep::begin(run, &x, lambda)?;
            let (rough, fine) = if self.order < 3 {
                let within = step.call(run, 0.5, down)?;
                (step.first_order(down), step.second_order(&within, down))
            } else {
                let first = step.call(run, 1.0 / 3.0, down)?;
                let second = step.call_through(run, &first, 2.0 / 3.0, down)?;
                (
                    step.second_order(&first, down),
                    step.third_order(&second, down),
                )
            };
            let error = self.error(&rough, &fine, &previous)?;
            if !error.is_finite() {
                return Err(Error::NotFinite {
                    what: "the adaptive sampler".to_owned(),
                    dtype: format!("{:?}", x.dtype()),
                });
            }
            if control.accepts(error) {
                previous = rough;
                x = if deviation > 0.0 {
                    fine + noise.draw().mul_scalar(deviation)
                } else {
                    fine
                };
                lambda = to;
            }
            run.report(attempt, &x0, &x)?;
        }
        Ok(x)
    }
}

impl DpmAdaptive {
    /// Where in λ a step to `to` goes down to, and the deviation of the noise that is added there.
    fn target(&self, from: f64, to: f64, end: f64) -> (f64, f64) {
        if self.eta == 0.0 {
            return (to, 0.0);
        }
        let step = Ancestral::between(sigma_at(from), sigma_at(to), self.eta);
        let down = end.min(-step.down.ln());
        let up = (sigma_at(to).powi(2) - sigma_at(down).powi(2))
            .max(0.0)
            .sqrt();
        (down, up * self.noise_scale)
    }
}

/// The length of steps, controlled by the errors of the last three that were done.
struct Control {
    length: f64,
    accepted_factor: f64,
    exponents: [f64; 3],
    /// What allowed is in units of the error: in the present attempt, in the last accepted one and the one before.
    inverse_errors: Option<[f64; 3]>,
}

impl Control {
    fn new(settings: &DpmAdaptive) -> Self {
        let Controller {
            proportional,
            integral,
            derivative,
            accepted_factor,
        } = settings.controller;
        let order = if settings.eta == 0.0 {
            settings.order as f64
        } else {
            STOCHASTIC_ORDER
        };
        Self {
            length: settings.first_step.abs(),
            accepted_factor,
            exponents: [
                (proportional + integral + derivative) / order,
                -(proportional + 2.0 * derivative) / order,
                derivative / order,
            ],
            inverse_errors: None,
        }
    }

    /// Whether an attempt with this error stands; sets the length of the next.
    fn accepts(&mut self, error: f64) -> bool {
        let newest = 1.0 / (error + 1e-8);
        let errors = self.inverse_errors.get_or_insert([newest; 3]);
        errors[0] = newest;
        let wanted: f64 = errors
            .iter()
            .zip(self.exponents)
            .map(|(error, power)| error.powf(power))
            .product();
        // Growth is limited smoothly.
        let factor = 1.0 + (wanted - 1.0).atan();
        let is_accepted = factor >= self.accepted_factor;
        if is_accepted {
            errors[2] = errors[1];
            errors[1] = errors[0];
        }
        self.length *= factor;
        is_accepted
    }
}
