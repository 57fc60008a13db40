//! The noise levels a model was trained at, and the two ways to name one: by σ and by time step.
//!
//! Source: J. Ho, A. Jain, P. Abbeel, "Denoising diffusion probabilistic models" (2020) for β and ᾱ;
//! T. Karras et al., "Elucidating the design space of diffusion-based generative models" (2022) for σ = √((1−ᾱ)/ᾱ).

use std::f32::consts::PI;
use std::sync::Arc;

use super::schedulers::linspace;

/// σ that stands for "before the first step": larger than any noise level of a model.
const ABOVE_ALL_SIGMAS: f64 = 999_999_999.9;
/// Percentages are spread over this many time steps whatever the table's length.
const PERCENT_STEPS: f64 = 999.0;

/// ᾱ at the last step of a schedule that ends in pure noise: not quite 0, so that σ is finite.
const PURE_NOISE: f64 = 4.897_345_189_085_343_5e-8;
/// The levels that stand for a continuous range where a schedule wants a table.
const CONTINUOUS_LEVELS: usize = 1000;

/// Noise levels of a model, least noise first, and how its network counts them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct NoiseTable {
    levels: Arc<Levels>,
    time: Time,
}

/// What the network calls a noise level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// The number of the level, of which the table has every `stride`-th.
    Step {
        /// How many of the network's steps lie between two levels of the table.
        stride: usize,
    },
    /// ln(σ)/4, as in Karras et al.
    QuarterLogarithm,
    /// atan(σ) in units of a quarter turn.
    Angle,
    /// σ/(σ+1)
    NoiseShare,
}

#[derive(Debug)]
struct Levels {
    sigmas: Vec<f32>,
    logarithms: Vec<f32>,
}

impl NoiseTable {
    /// The schedule of Stable Diffusion: √β grows linearly from √`first` to √`last` over `steps` (at least two) steps.
    pub fn scaled_linear(first: f64, last: f64, steps: usize) -> Self {
        Self::from_remaining(remaining(first, last, steps), Time::Step { stride: 1 })
    }

    /// The same, stretched so that nothing is left of the picture at the last step.
    ///
    /// Source: S. Lin et al., "Common diffusion noise schedules and sample steps are flawed" (2023), algorithm 1.
    pub fn scaled_linear_to_pure_noise(first: f64, last: f64, steps: usize) -> Self {
        let mut roots = remaining(first, last, steps);
        for value in &mut roots {
            *value = value.sqrt();
        }
        let (first, last) = (roots[0], roots[roots.len() - 1]);
        let scale = first / (first - last);
        let mut stretched: Vec<f64> = roots.iter().map(|root| ((root - last) * scale).powi(2)).collect();
        if let Some(end) = stretched.last_mut() {
            *end = PURE_NOISE;
        }
        Self::from_remaining(stretched, Time::Step { stride: 1 })
    }

    /// All levels between two, as they were distributed in training: equally spaced in ln σ. Both must be positive.
    pub fn continuous(sigma_min: f64, sigma_max: f64, time: Time) -> Self {
        let logarithms = linspace(sigma_min.ln() as f32, sigma_max.ln() as f32, CONTINUOUS_LEVELS);
        let sigmas: Vec<f32> = logarithms.iter().map(|logarithm| logarithm.exp()).collect();
        Self::from_levels(sigmas, time)
    }

    /// The last of every `levels.len() / count` levels: those that a distilled network was trained at. The network goes on
    /// to count all.
    #[must_use]
    pub fn distilled(&self, count: usize) -> Self {
        let all = self.sigmas();
        let stride = (all.len() / count.max(1)).max(1);
        let mut sigmas: Vec<f32> = all.iter().rev().step_by(stride).take(count).copied().collect();
        sigmas.reverse();
        Self::from_levels(sigmas, Time::Step { stride })
    }

    /// From the part of the picture's variance that is left at each level, ᾱ.
    fn from_remaining(remaining: Vec<f64>, time: Time) -> Self {
        let (sigmas, logarithms) = remaining
            .into_iter()
            .map(|left| ((1.0 - left) / left).sqrt())
            .map(|sigma| (sigma as f32, sigma.ln() as f32))
            .unzip();
        Self {
            levels: Arc::new(Levels { sigmas, logarithms }),
            time,
        }
    }

    fn from_levels(sigmas: Vec<f32>, time: Time) -> Self {
        let logarithms = sigmas.iter().map(|sigma| sigma.ln()).collect();
        Self {
            levels: Arc::new(Levels { sigmas, logarithms }),
            time,
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

    /// What the network calls a noise level. Where it counts steps that is the step whose log σ is nearest, of two equally near
    /// ones the lower: it wants whole steps.
    pub fn timestep(&self, sigma: f32) -> f32 {
        match self.time {
            Time::Step { stride } => (self.nearest(sigma) * stride + stride - 1) as f32,
            Time::QuarterLogarithm => 0.25 * sigma.ln(),
            Time::Angle => sigma.atan() / PI * 2.0,
            Time::NoiseShare => sigma / (sigma + 1.0),
        }
    }

    fn nearest(&self, sigma: f32) -> usize {
        let logarithm = sigma.ln();
        let mut nearest = (0, f32::INFINITY);
        for (index, level) in self.levels.logarithms.iter().enumerate() {
            let distance = (logarithm - level).abs();
            if distance < nearest.1 {
                nearest = (index, distance);
            }
        }
        nearest.0
    }

    /// The noise level that the network calls `timestep`; between two steps by linear interpolation of log σ, and outside of
    /// the table its end.
    pub fn sigma(&self, timestep: f32) -> f32 {
        match self.time {
            Time::Step { stride } => self.interpolated((timestep - (stride - 1) as f32) / stride as f32),
            Time::QuarterLogarithm => (timestep / 0.25).exp(),
            Time::Angle => (timestep * PI / 2.0).tan(),
            Time::NoiseShare => {
                let largest = self.sigma_max();
                if timestep >= largest / (largest + 1.0) {
                    largest
                } else {
                    timestep / (1.0 - timestep)
                }
            }
        }
    }

    fn interpolated(&self, place: f32) -> f32 {
        let timestep = place.clamp(0.0, self.last_index() as f32);
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
        } else if matches!(self.time, Time::Step { .. }) {
            f64::from(self.sigma(((1.0 - percent) * PERCENT_STEPS) as f32))
        } else {
            let (low, high) = (f64::from(self.sigma_min()).ln(), f64::from(self.sigma_max()).ln());
            ((high - low) * (1.0 - percent) + low).exp()
        }
    }

    fn last_index(&self) -> usize {
        self.levels.sigmas.len() - 1
    }
}

/// ᾱ of Stable Diffusion's schedule at each of at least two steps.
fn remaining(first: f64, last: f64, steps: usize) -> Vec<f64> {
    let steps = steps.max(2);
    let (low, high) = (first.sqrt(), last.sqrt());
    let increment = (high - low) / (steps - 1) as f64;
    let mut cumulative = 1.0;
    (0..steps)
        .map(|step| {
            let root = low + increment * step as f64;
            cumulative *= 1.0 - root * root;
            cumulative
        })
        .collect()
}

#[cfg(test)]
#[expect(
    clippy::float_cmp,
    reason = "these values must be equal to the last bit"
)]
mod tests {
    use super::{NoiseTable, Time};

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
    fn continuous_levels_count_by_a_formula() {
        for (time, at_one) in [
            (Time::QuarterLogarithm, 0.0),
            (Time::Angle, 0.5),
            (Time::NoiseShare, 0.5),
        ] {
            let table = NoiseTable::continuous(0.002, 120.0, time);
            assert!((table.timestep(1.0) - at_one).abs() < 1e-6);
            for sigma in [0.01, 0.7, 30.0] {
                let back = table.sigma(table.timestep(sigma));
                assert!((back - sigma).abs() < 1e-4 * sigma, "{back} is not {sigma}");
            }
            assert!((table.sigma_max() - 120.0).abs() < 1e-3 && (table.sigma_min() - 0.002).abs() < 1e-8);
            let middle = (0.002_f64 * 120.0).sqrt();
            assert!((table.percent_to_sigma(0.5) - middle).abs() < 1e-5 * middle);
        }
    }

    #[test]
    fn distilled_networks_know_every_twentieth_level() {
        let (all, some) = (table(), table().distilled(50));
        assert_eq!(some.sigmas().len(), 50);
        assert_eq!((some.sigmas()[49], some.sigmas()[0]), (all.sigmas()[999], all.sigmas()[19]));
        assert_eq!((some.timestep(20.0), some.timestep(0.0)), (999.0, 19.0));
        assert!((some.sigma(519.0) - all.sigmas()[519]).abs() < 1e-5);
    }

    #[test]
    fn stretched_levels_end_in_pure_noise() {
        let table = NoiseTable::scaled_linear_to_pure_noise(0.000_85, 0.012, 1000);
        // (1 − ᾱ)/ᾱ at the fixed end, and at the beginning as before.
        assert!((table.sigma_max() - 4518.76).abs() < 0.01, "{}", table.sigma_max());
        assert!((table.sigma_min() - 0.029_167_2).abs() < 1e-7);
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
