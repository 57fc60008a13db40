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
    /// What preconditioning leaves to the network: as the velocity, with the other sign (Karras et al., "Elucidating the design
    /// space of diffusion-based generative models", 2022).
    Edm,
    /// The clean latent itself.
    Clean,
    /// The clean latent, from an x that is not scaled.
    CleanOfUnscaled,
    /// ε, of which a latent consistency model makes its answer (Luo et al., "Latent consistency models", 2023).
    Consistency,
    /// The flow of Cosmos, counted in σ.
    CosmosFlow,
}

/// The deviation of the data, and how much time counts, in the boundary condition of consistency models.
const CONSISTENCY_DATA: f64 = 0.5;
const CONSISTENCY_TIME: f64 = 10.0;

/// How a model is sampled: its noise levels and its prediction. x is kept unscaled (x = x₀ + σ·ε) everywhere.
#[derive(Clone, Debug)]
pub struct ModelSampling {
    /// What the network's output means.
    pub prediction: Prediction,
    /// The deviation `σ_d` of clean latents that the network was trained for.
    pub sigma_data: f64,
    /// The noise levels.
    pub table: NoiseTable,
}

impl ModelSampling {
    /// Stable Diffusion 1 and its relatives.
    pub fn stable_diffusion(prediction: Prediction) -> Self {
        Self {
            prediction,
            sigma_data: 1.0,
            table: NoiseTable::scaled_linear(0.000_85, 0.012, 1000),
        }
    }

    /// The input the network was trained on, mostly of unit variance: `x/√(σ²+σ_d²)`.
    pub fn network_input(&self, x: Tensor<4>, sigma: f32) -> Tensor<4> {
        match self.prediction {
            Prediction::CleanOfUnscaled => x,
            Prediction::CosmosFlow => x.mul_scalar(1.0 - noise_share(sigma)),
            _ => x.div_scalar(self.variance(sigma).sqrt()),
        }
    }

    /// σ² + `σ_d²`
    fn variance(&self, sigma: f32) -> f64 {
        f64::from(sigma).powi(2) + self.sigma_data.powi(2)
    }

    /// The clean latent x₀ for a network's `output` at `x` and σ.
    pub fn clean(&self, x: Tensor<4>, output: Tensor<4>, sigma: f32) -> Tensor<4> {
        let (level, variance) = (f64::from(sigma), self.variance(sigma));
        let kept = self.sigma_data.powi(2) / variance;
        let predicted = level * self.sigma_data / variance.sqrt();
        match self.prediction {
            Prediction::Epsilon => x - output.mul_scalar(level),
            Prediction::Velocity => x.mul_scalar(kept) - output.mul_scalar(predicted),
            Prediction::Edm => x.mul_scalar(kept) + output.mul_scalar(predicted),
            Prediction::Clean | Prediction::CleanOfUnscaled => output,
            Prediction::Consistency => {
                let time = f64::from(self.table.timestep(sigma)) * CONSISTENCY_TIME;
                let data = CONSISTENCY_DATA * CONSISTENCY_DATA;
                let clean = x.clone() - output.mul_scalar(level);
                clean.mul_scalar(time / (time * time + data).sqrt())
                    + x.mul_scalar(data / (time * time + data))
            }
            Prediction::CosmosFlow => {
                let share = noise_share(sigma);
                x.mul_scalar(1.0 - share) - output.mul_scalar(share)
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
        let scale = if from_pure_noise && self.prediction != Prediction::CosmosFlow {
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

/// σ/(σ+1), which goes from 0 to 1.
fn noise_share(sigma: f32) -> f64 {
    let sigma = f64::from(sigma);
    sigma / (sigma + 1.0)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use burn::tensor::{Device, Tensor};

    use super::{ModelSampling, Prediction};
    use crate::sampling::host::values;

    fn of(value: f32) -> Tensor<4> {
        Tensor::full([1, 1, 1, 1], value, &Device::flex())
    }

    fn value(tensor: Tensor<4>) -> f32 {
        values(tensor).unwrap()[0]
    }

    #[test]
    fn predictions_of_the_true_noise_give_the_clean_value_back() {
        let (clean, noise) = (0.7_f32, -1.3_f32);
        for sigma in [0.03_f32, 0.5, 3.0, 14.6] {
            let x = clean + sigma * noise;
            // On the unit circle of signal and noise: v = cos·noise − sin·clean.
            let norm = sigma.hypot(1.0);
            let velocity = (noise - sigma * clean) / norm;
            for (prediction, output) in [
                (Prediction::Epsilon, noise),
                (Prediction::Velocity, velocity),
                (Prediction::Edm, -velocity),
                (Prediction::Clean, clean),
            ] {
                let sampling = ModelSampling::stable_diffusion(prediction);
                let got = value(sampling.clean(of(x), of(output), sigma));
                assert!(
                    (got - clean).abs() < 1e-5,
                    "{prediction:?} at {sigma}: {got}"
                );
                let input = value(sampling.network_input(of(x), sigma));
                assert!((input - x / norm).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn clean_latents_of_other_deviations_come_back_too() {
        let sampling = ModelSampling {
            sigma_data: 0.5,
            ..ModelSampling::stable_diffusion(Prediction::Edm)
        };
        let (clean, x, sigma) = (0.3_f32, -1.1_f32, 2.0_f32);
        // x₀ = x·σ_d²/(σ²+σ_d²) + F·σ·σ_d/√(σ²+σ_d²), solved for F.
        let output = (clean - x * 0.25 / 4.25) * 4.25_f32.sqrt() / (sigma * 0.5);
        let got = value(sampling.clean(of(x), of(output), sigma));
        assert!((got - clean).abs() < 1e-6, "{got}");
        let input = value(sampling.network_input(of(x), sigma));
        assert!((input - x / 4.25_f32.sqrt()).abs() < 1e-6);
    }

    #[test]
    fn pure_noise_begins_at_the_highest_level() {
        let sampling = ModelSampling::stable_diffusion(Prediction::Epsilon);
        let highest = sampling.table.sigma_max();
        assert!(sampling.starts_from_pure_noise(highest));
        assert!(sampling.starts_from_pure_noise(highest * (1.0 - 5e-6)));
        assert!(sampling.starts_from_pure_noise(highest * 2.0));
        assert!(!sampling.starts_from_pure_noise(highest * (1.0 - 5e-5)));
        let noised = |pure| value(sampling.add_noise(of(1.0), of(2.0), 3.0, pure));
        assert!((noised(false) - 7.0).abs() < 1e-6);
        assert!((noised(true) - (1.0 + 2.0 * 10.0_f32.sqrt())).abs() < 1e-5);
    }
}
