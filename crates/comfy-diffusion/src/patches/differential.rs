//! Masks whose grey parts are sampled later.
//!
//! Source: E. Levin, O. Fried, "Differential diffusion: giving each pixel its strength" (2023), algorithm 1.

use burn::tensor::Tensor;

use crate::sampling::ModelSampling;
use crate::sampling::hooks::MaskHook;

/// A cell is sampled once the part of the way that is left is not larger than its mask.
#[derive(Clone, Copy, Debug)]
pub struct Differential {
    /// How much of this there is beside the mask as it is, from 0 to 1; 0 counts as 1.
    pub strength: f64,
}

impl MaskHook for Differential {
    fn mask(
        &self,
        mask: &Tensor<4>,
        sigma: f32,
        sigmas: &[f32],
        sampling: &ModelSampling,
    ) -> Tensor<4> {
        let table = &sampling.table;
        let last = sigmas
            .last()
            .copied()
            .unwrap_or_default()
            .max(table.sigma_min());
        let first = sigmas.first().copied().unwrap_or(last);
        let [from, to, now] = [first, last, sigma].map(|sigma| table.timestep(sigma));
        let threshold = (now - to) / (from - to);
        let hard = mask.clone().greater_equal_elem(threshold).float();
        if self.strength > 0.0 && self.strength < 1.0 {
            hard.mul_scalar(self.strength) + mask.clone().mul_scalar(1.0 - self.strength)
        } else {
            hard
        }
    }
}
