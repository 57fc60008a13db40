//! DPM-Solver++(2M) that renoises along the negative prediction.
//!
//! Sources: C. Lu et al., "DPM-Solver++: fast solver for guided sampling of diffusion probabilistic models" (2022),
//! algorithm 2, and H. Chung et al., "CFG++: manifold-constrained classifier free guidance for diffusion models" (2024).

use burn::tensor::Tensor;

use super::Method;
use super::arithmetic::weighted_sum;
use crate::Result;
use crate::sampling::Run;

/// One call of the model a step.
#[derive(Clone, Copy, Debug)]
pub struct Dpmpp2mCfgPp;

impl Method for Dpmpp2mCfgPp {
    fn run(&self, run: &mut Run<'_>, mut x: Tensor<4>) -> Result<Tensor<4>> {
        let mut previous: Option<(f64, Tensor<4>)> = None;
        for (index, levels) in run.sigmas().windows(2).enumerate() {
            let (sigma, next) = (f64::from(levels[0]), f64::from(levels[1]));
            let guided = run.denoise_both(&x, levels[0])?;
            run.report(index, &guided.x0, &x)?;
            let rest = next / sigma;
            let step = sigma.ln() - next.ln();
            let renoised = weighted_sum([(1.0, &guided.x0), (rest, &x), (-rest, &guided.negative)]);
            x = match &previous {
                Some((previous_step, previous_negative)) if next > 0.0 => {
                    let change = (1.0 - rest) * step / (2.0 * previous_step);
                    weighted_sum([
                        (1.0, &renoised),
                        (change, &guided.x0),
                        (-change, previous_negative),
                    ])
                }
                _ => renoised,
            };
            previous = Some((step, guided.negative));
        }
        Ok(x)
    }
}
