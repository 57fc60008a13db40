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
    /// As the velocity, with the other sign (Karras et al., "Elucidating the design space of diffusion-based generative
    /// models", 2022).
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
    /// The deviation of the clean latents that the network was trained on.
    pub data_deviation: f64,
    /// The noise levels.
    pub table: NoiseTable,
}

impl ModelSampling {
    /// Stable Diffusion 1 and its relatives.
    pub fn stable_diffusion(prediction: Prediction) -> Self {
        Self::new(prediction, NoiseTable::scaled_linear(0.000_85, 0.012, 1000))
    }

    /// For clean latents of deviation 1.
    pub fn new(prediction: Prediction, table: NoiseTable) -> Self {
        Self {
            prediction,
            data_deviation: 1.0,
            table,
        }
    }

    /// The input the network was trained on, in most of them of unit variance: x/√(σ²+d²), where d is the deviation of the data.
    pub fn network_input(&self, x: Tensor<4>, sigma: f32) -> Tensor<4> {
        let sigma = f64::from(sigma);
        match self.prediction {
            Prediction::CleanOfUnscaled => x,
            Prediction::CosmosFlow => x.mul_scalar(1.0 - sigma / (sigma + 1.0)),
            _ => x.div_scalar(sigma.hypot(self.data_deviation)),
        }
    }

    /// The clean latent x₀ for a network's `output` at `x` and σ.
    pub fn clean(&self, x: Tensor<4>, output: Tensor<4>, sigma: f32) -> Tensor<4> {
        let level = f64::from(sigma);
        let data = self.data_deviation;
        // What of x is left, and how much of the output is added, for a velocity.
        let variance = level * level + data * data;
        let (rest, turn) = (data * data / variance, level * data / variance.sqrt());
        match self.prediction {
            Prediction::Epsilon => x - output.mul_scalar(level),
            Prediction::Velocity => x.mul_scalar(rest) - output.mul_scalar(turn),
            Prediction::Edm => x.mul_scalar(rest) + output.mul_scalar(turn),
            Prediction::Clean | Prediction::CleanOfUnscaled => output,
            Prediction::Consistency => {
                let time = f64::from(self.table.timestep(sigma)) * CONSISTENCY_TIME;
                let variance = time * time + CONSISTENCY_DATA * CONSISTENCY_DATA;
                let clean = x.clone() - output.mul_scalar(level);
                clean.mul_scalar(time / variance.sqrt())
                    + x.mul_scalar(CONSISTENCY_DATA * CONSISTENCY_DATA / variance)
            }
            Prediction::CosmosFlow => {
                let share = level / (level + 1.0);
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
