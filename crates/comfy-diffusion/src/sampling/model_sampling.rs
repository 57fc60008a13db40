//! What a network's input and output mean: how x is scaled for it and how its answer becomes a clean latent.

use burn::tensor::Tensor;

use super::NoiseTable;

/// What a network predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prediction {
    /// The noise ε: x₀ = x − σ·ε (Ho et al., "Denoising diffusion probabilistic models", 2020).
    Epsilon,
    /// The velocity v: x₀ = x/(σ²+1) − v·σ/√(σ²+1) (Salimans and Ho, "Progressive distillation for fast sampling of
    /// diffusion models", 2022).
    Velocity,
}

/// How a model is sampled: its noise levels and its prediction. x is kept unscaled (x = x₀ + σ·ε) everywhere.
#[derive(Clone, Debug)]
pub struct ModelSampling {
    /// What the network's output means.
    pub prediction: Prediction,
    /// The noise levels.
    pub table: NoiseTable,
}

impl ModelSampling {
    /// Stable Diffusion 1 and its relatives that predict the noise.
    pub fn stable_diffusion(prediction: Prediction) -> Self {
        Self {
            prediction,
            table: NoiseTable::scaled_linear(0.000_85, 0.012, 1000),
        }
    }

    /// The input the network was trained on, of unit variance: x/√(σ²+1).
    pub fn network_input(&self, x: Tensor<4>, sigma: f32) -> Tensor<4> {
        let sigma = f64::from(sigma);
        x.div_scalar((sigma * sigma + 1.0).sqrt())
    }

    /// The clean latent x₀ for a network's `output` at `x` and σ.
    pub fn clean(&self, x: Tensor<4>, output: Tensor<4>, sigma: f32) -> Tensor<4> {
        let sigma = f64::from(sigma);
        match self.prediction {
            Prediction::Epsilon => x - output.mul_scalar(sigma),
            Prediction::Velocity => {
                let variance = sigma * sigma + 1.0;
                x.div_scalar(variance) - output.mul_scalar(sigma / variance.sqrt())
            }
        }
    }

    /// A latent noised to σ: latent + σ·noise. With `from_pure_noise` the noise is scaled by √(σ²+1), the deviation that
    /// x has at the highest noise level of training, where the latent no longer shows.
    pub fn add_noise(
        &self,
        latent: Tensor<4>,
        noise: Tensor<4>,
        sigma: f32,
        from_pure_noise: bool,
    ) -> Tensor<4> {
        let sigma = f64::from(sigma);
        let scale = if from_pure_noise {
            (sigma * sigma + 1.0).sqrt()
        } else {
            sigma
        };
        latent + noise.mul_scalar(scale)
    }

    /// Whether sampling from σ begins with nothing but noise: σ is the model's largest within 10⁻⁵, or larger.
    pub fn starts_from_pure_noise(&self, sigma: f32) -> bool {
        let (sigma, largest) = (f64::from(sigma), f64::from(self.table.sigma_max()));
        sigma > largest || (sigma - largest).abs() <= 1e-5 * sigma.abs().max(largest.abs())
    }

    /// Half the logarithm of the signal-to-noise ratio, λ = −ln σ, in which the multistep solvers count.
    pub fn half_log_snr(&self, sigma: f32) -> f64 {
        -f64::from(sigma).ln()
    }
}
