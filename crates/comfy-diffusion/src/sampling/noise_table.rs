//! The noise levels a model was trained at, and the two ways to name one: by σ and by time step.
//!
//! Source: J. Ho, A. Jain, P. Abbeel, "Denoising diffusion probabilistic models" (2020) for β and ᾱ;
//! T. Karras et al., "Elucidating the design space of diffusion-based generative models" (2022) for σ = √((1−ᾱ)/ᾱ).

use std::sync::Arc;

/// σ that stands for "before the first step": larger than any noise level of a model.
const ABOVE_ALL_SIGMAS: f64 = 999_999_999.9;
/// Percentages are spread over this many time steps whatever the table's length.
const PERCENT_STEPS: f64 = 999.0;

/// Noise levels of a model with discrete time steps, least noise first. Cheap to clone.
#[derive(Clone, Debug)]
pub struct NoiseTable {
    levels: Arc<Levels>,
}

#[derive(Debug)]
struct Levels {
    sigmas: Vec<f32>,
    logarithms: Vec<f32>,
}

impl NoiseTable {
    /// The schedule of Stable Diffusion: √β grows linearly from √`first` to √`last` over `steps` (at least two) steps.
    pub fn scaled_linear(first: f64, last: f64, steps: usize) -> Self {
        let steps = steps.max(2);
        let (low, high) = (first.sqrt(), last.sqrt());
        let increment = (high - low) / (steps - 1) as f64;
        let mut cumulative = 1.0;
        let sigmas = (0..steps).map(|step| {
            let root = low + increment * step as f64;
            cumulative *= 1.0 - root * root;
            ((1.0 - cumulative) / cumulative).sqrt()
        });
        Self::from_sigmas(sigmas)
    }

    /// A table of given σ, which must be positive and ascending.
    fn from_sigmas(sigmas: impl Iterator<Item = f64>) -> Self {
        let (sigmas, logarithms) = sigmas
            .map(|sigma| (sigma as f32, sigma.ln() as f32))
            .unzip();
        Self {
            levels: Arc::new(Levels { sigmas, logarithms }),
        }
    }

    /// All σ, ascending.
    pub fn sigmas(&self) -> &[f32] {
        &self.levels.sigmas
    }

    /// The smallest σ.
    pub fn sigma_min(&self) -> f32 {
        self.sigmas()[0]
    }

    /// The largest σ.
    pub fn sigma_max(&self) -> f32 {
        self.sigmas()[self.last_index()]
    }

    /// The time step whose log σ is nearest; of two equally near ones the lower. The network wants whole steps.
    pub fn timestep(&self, sigma: f32) -> f32 {
        let logarithm = sigma.ln();
        let mut nearest = (0, f32::INFINITY);
        for (index, level) in self.levels.logarithms.iter().enumerate() {
            let distance = (logarithm - level).abs();
            if distance < nearest.1 {
                nearest = (index, distance);
            }
        }
        nearest.0 as f32
    }

    /// σ at a time step, between two steps by linear interpolation of log σ; outside of the table its end.
    pub fn sigma(&self, timestep: f32) -> f32 {
        let timestep = timestep.clamp(0.0, self.last_index() as f32);
        let low = self.levels.logarithms[timestep.floor() as usize];
        let high = self.levels.logarithms[timestep.ceil() as usize];
        let weight = timestep.fract();
        ((1.0 - weight) * low + weight * high).exp()
    }

    /// σ when a fraction `percent` (0 to 1) of the time steps is done. At 0 or below it is larger than every σ, at 1 or
    /// above it is 0, so that a range from 0 to 1 holds every step.
    pub fn percent_to_sigma(&self, percent: f64) -> f64 {
        if percent <= 0.0 {
            ABOVE_ALL_SIGMAS
        } else if percent >= 1.0 {
            0.0
        } else {
            f64::from(self.sigma(((1.0 - percent) * PERCENT_STEPS) as f32))
        }
    }

    fn last_index(&self) -> usize {
        self.levels.sigmas.len() - 1
    }
}

#[cfg(test)]
#[expect(
    clippy::float_cmp,
    reason = "these values must be equal to the last bit"
)]
mod tests {
    use super::NoiseTable;

    fn table() -> NoiseTable {
        NoiseTable::scaled_linear(0.000_85, 0.012, 1000)
    }

    #[test]
    fn has_stable_diffusions_ends() {
        assert!((table().sigma_min() - 0.029_167_2).abs() < 1e-7);
        assert!((table().sigma_max() - 14.614_6).abs() < 1e-4);
        assert!(table().sigmas().is_sorted_by(|low, high| low < high));
    }

    #[test]
    fn timestep_and_sigma_are_inverse_on_the_table() {
        let table = table();
        for (index, &sigma) in table.sigmas().iter().enumerate() {
            assert_eq!(table.timestep(sigma), index as f32);
            assert!((table.sigma(index as f32) - sigma).abs() <= 1e-6 * sigma);
        }
    }

    #[test]
    fn stays_inside_the_table() {
        let table = table();
        assert_eq!(table.timestep(0.0), 0.0);
        assert_eq!(table.timestep(1e9), 999.0);
        assert_eq!(table.sigma(-5.0), table.sigma(0.0));
        assert_eq!(table.sigma(1e9), table.sigma(999.0));
        assert_eq!(table.percent_to_sigma(1.0), 0.0);
        assert!(table.percent_to_sigma(0.0) > 1e8);
    }

    #[test]
    fn equals_the_recorded_conversions() {
        let golden = comfy_fixtures::golden("sigmas_sd15_tiny");
        let table = table();
        let near = |got: f32, want: f32| (got - want).abs() <= 1e-6 * want.abs();
        for (got, want) in table.sigmas().iter().zip(golden.f32("table.sigmas")) {
            assert!(near(*got, want), "{got} is not {want}");
        }
        let timesteps = golden.f32("ts.out_timestep");
        for (sigma, want) in golden.f32("ts.in_sigma").into_iter().zip(timesteps) {
            assert_eq!(table.timestep(sigma), want, "time step of {sigma}");
        }
        let sigmas = golden.f32("pct.out_sigma");
        for (percent, want) in golden.f32("pct.in").into_iter().zip(sigmas) {
            let got = table.percent_to_sigma(f64::from(percent)) as f32;
            assert!(near(got, want), "{got} is not {want} at {percent}");
        }
    }
}
