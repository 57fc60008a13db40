//! Extended reverse-time stochastic solver of order 3.
//!
//! Source: Q. Cui et al., "Elucidating the solution space of extended reverse-time SDE for diffusion models" (2023),
//! algorithm for data prediction with the noise scale function of "ER-SDE 5", in the variables used here (α = 1).

use burn::tensor::Tensor;

use super::Method;
use super::arithmetic::weighted_sum;
use crate::Result;
use crate::sampling::Run;

/// Points of the numerical integrals.
const POINTS: usize = 200;

/// The function φ that says how much noise is renewed between two levels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NoiseFunction {
    /// That of "ER-SDE 5".
    Extended,
    /// σ to a power: 1 renews none, 2 is the reverse-time equation.
    Power(f64),
}

impl NoiseFunction {
    fn at(self, sigma: f64) -> f64 {
        match self {
            Self::Extended => sigma * (sigma.powf(0.3).exp() + 10.0),
            Self::Power(power) => sigma.powf(power),
        }
    }
}

/// One call of the model a step, noise added in each but the last.
#[derive(Clone, Copy, Debug)]
pub struct ErSde {
    /// How much noise is renewed.
    pub function: NoiseFunction,
    /// A factor on the added noise.
    pub noise_scale: f64,
    /// The highest order, 1 to 3.
    pub order: usize,
}

impl ErSde {
    /// The settings of the sampler of this name.
    pub const USUAL: Self = Self {
        function: NoiseFunction::Extended,
        noise_scale: 1.0,
        order: 3,
    };
}

impl Method for ErSde {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        let mut noise = run.noise_like(&x);
        let noise_function = |sigma| self.function.at(sigma);
        let sigmas = run.sigmas();
        // x₀ of the step before, and the slope of x₀ over σ there.
        let mut previous: Option<Tensor<4>> = None;
        let mut previous_slope: Option<Tensor<4>> = None;
        for (index, levels) in sigmas.windows(2).enumerate() {
            let x0 = run.denoise(&x, levels[0])?;
            run.report(index, &x0, &x)?;
            if levels[1] == 0.0 {
                x = x0;
                continue;
            }
            let (sigma, next) = (f64::from(levels[0]), f64::from(levels[1]));
            let step = next - sigma;
            let rest = noise_function(next) / noise_function(sigma);
            x = weighted_sum([(rest, &x), (1.0 - rest, &x0)]);
            let slope = previous
                .as_ref()
                .filter(|_| self.order >= 2)
                .map(|previous| {
                    (x0.clone() - previous.clone()).div_scalar(sigma - f64::from(sigmas[index - 1]))
                });
            if let Some(slope) = &slope {
                let integrals = Integrals::new(self.function, sigma, next);
                let weight = step + integrals.plain * noise_function(next);
                x = weighted_sum([(1.0, &x), (weight, slope)]);
                if let Some(previous_slope) = previous_slope.as_ref().filter(|_| self.order >= 3) {
                    let span = (sigma - f64::from(sigmas[index - 2])) / 2.0;
                    let weight = step * step / 2.0 + integrals.weighted * noise_function(next);
                    x = weighted_sum([
                        (1.0, &x),
                        (weight / span, slope),
                        (-weight / span, previous_slope),
                    ]);
                }
            }
            let variance = next * next - (sigma * rest).powi(2);
            if self.noise_scale > 0.0 {
                let deviation = variance.max(0.0).sqrt() * self.noise_scale;
                x = x + noise.draw().mul_scalar(deviation);
            }
            previous_slope = slope;
            previous = Some(x0);
        }
        Ok(x)
    }
}

/// Integrals over a step, as sums of the left ends of equal parts.
struct Integrals {
    /// ∫ 1/φ from the next level to the present one.
    plain: f64,
    /// ∫ (τ − σ)/φ over the same.
    weighted: f64,
}

impl Integrals {
    fn new(function: NoiseFunction, sigma: f64, next: f64) -> Self {
        let width = (sigma - next) / POINTS as f64;
        let mut sums = Self {
            plain: 0.0,
            weighted: 0.0,
        };
        for point in 0..POINTS {
            let place = next + point as f64 * width;
            sums.plain += width / function.at(place);
            sums.weighted += width * (place - sigma) / function.at(place);
        }
        sums
    }
}
