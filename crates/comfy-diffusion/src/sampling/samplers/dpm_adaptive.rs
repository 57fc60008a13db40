//! DPM-Solver with an adaptive step.
//!
//! Source: C. Lu et al., "DPM-Solver: a fast ODE solver for diffusion probabilistic model sampling in around 10 steps" (2022),
//! appendix C, with the step controlled as in G. Söderlind, "Digital filters in adaptive time-stepping" (2003).

use burn::tensor::Tensor;

use super::Method;
use super::dpm_solver::{DpmStep, lambda_range};
use crate::sampling::Run;
use crate::sampling::host::values;
use crate::{Error, Result};

/// The first step in λ.
const FIRST_STEP: f64 = 0.05;
/// How close to the end counts as the end.
const END_TOLERANCE: f64 = 1e-5;
/// The order of the more exact of the two solutions that are compared.
const ORDER: f64 = 3.0;
/// Steps whose growth factor is below this are done again.
const ACCEPTED_FACTOR: f64 = 0.81;
/// Far more attempts than any smooth model needs.
const MOST_ATTEMPTS: usize = 20_000;

/// Three calls of the model an attempt; the run's levels only say where to begin and to end.
#[derive(Clone, Copy, Debug)]
pub struct DpmAdaptive {
    /// The error allowed in proportion to the values.
    pub relative_tolerance: f64,
    /// The error allowed in any case.
    pub absolute_tolerance: f64,
}

impl DpmAdaptive {
    /// The settings of the sampler of this name.
    pub const USUAL: Self = Self {
        relative_tolerance: 0.05,
        absolute_tolerance: 0.0078,
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
        let mut length = FIRST_STEP;
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
            let to = end.min(lambda + length);
            let (step, x0) = DpmStep::begin(run, &x, lambda)?;
            let first = step.call(run, 1.0 / 3.0, to)?;
            let rough = step.second_order(&first, to);
            let second = step.call_through(run, &first, 2.0 / 3.0, to)?;
            let fine = step.third_order(&second, to);
            let error = self.error(&rough, &fine, &previous)?;
            if !error.is_finite() {
                return Err(Error::NotFinite {
                    what: "the adaptive sampler".to_owned(),
                    dtype: format!("{:?}", x.dtype()),
                });
            }
            let factor = growth(error);
            if factor >= ACCEPTED_FACTOR {
                previous = rough;
                x = fine;
                lambda = to;
            }
            length *= factor;
            run.report(attempt, &x0, &x)?;
        }
        Ok(x)
    }
}

/// By how much the next step is longer, limited smoothly.
fn growth(error: f64) -> f64 {
    let wanted = (1.0 / (error + 1e-8)).powf(1.0 / ORDER);
    1.0 + (wanted - 1.0).atan()
}
