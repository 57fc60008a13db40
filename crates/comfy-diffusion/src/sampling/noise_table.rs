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

/// The largest cumulative noise that is left of ᾱ at the last step of a schedule without signal: it keeps σ finite.
const LAST_ALPHA_BAR: f64 = 4.897_345_189_085_343_5e-8;
/// Levels that stand for a continuous range.
const CONTINUOUS_LEVELS: usize = 1000;

/// Noise levels of a model, least noise first. Cheap to clone.
#[derive(Clone, Debug)]
pub struct NoiseTable {
    levels: Arc<Levels>,
    clock: Clock,
}

/// How σ and the time that the network is told belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    /// Time is a place in the table, which has every `stride`-th of the network's steps.
    Steps {
        /// 1 where the table has them all.
        stride: usize,
    },
    /// Time is ¼·ln σ, for every σ (Karras et al. 2022).
    Logarithm,
    /// Time is 2/π·atan σ, for every σ.
    Arctangent,
    /// Time is σ/(σ+1), for every σ up to the largest.
    NoiseShare,
}

#[derive(Debug)]
struct Levels {
    /// As they were computed: bending a schedule takes differences of them.
    exact: Vec<f64>,
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
        Self::from_sigmas(sigmas, Clock::Steps { stride: 1 })
    }

    /// The squared cosine of A. Nichol and P. Dhariwal, "Improved denoising diffusion probabilistic models" (2021): ᾱ falls as
    /// cos², and no β is above 0.999.
    pub fn squared_cosine(steps: usize) -> Self {
        let steps = steps.max(2);
        let alpha_bar = |step: usize| {
            let time = step as f64 / steps as f64;
            ((time + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2)
                .cos()
                .powi(2)
        };
        let mut cumulative = 1.0;
        let sigmas = (0..steps).map(|step| {
            let beta = (1.0 - alpha_bar(step + 1) / alpha_bar(step)).min(0.999);
            cumulative *= 1.0 - beta;
            ((1.0 - cumulative) / cumulative).sqrt()
        });
        Self::from_sigmas(sigmas, Clock::Steps { stride: 1 })
    }

    /// The same schedule, bent so that its last step has no signal left while its first stays as it is: √ᾱ is shifted and scaled
    /// (Lin et al., "Common diffusion noise schedules and sample steps are flawed", 2024). Time is a step afterwards.
    #[must_use]
    pub fn with_zero_terminal_snr(&self) -> Self {
        let roots: Vec<f64> = self
            .levels
            .exact
            .iter()
            .map(|sigma| (sigma.powi(2) + 1.0).recip().sqrt())
            .collect();
        let (first, last) = (roots[0], roots[self.last_index()]);
        let factor = first / (first - last);
        let bent = roots.iter().enumerate().map(|(index, root)| {
            let alpha_bar = if index == self.last_index() {
                LAST_ALPHA_BAR
            } else {
                ((root - last) * factor).powi(2)
            };
            ((1.0 - alpha_bar) / alpha_bar).sqrt()
        });
        Self::from_sigmas(bent, Clock::Steps { stride: 1 })
    }

    /// All σ from `smallest` to `largest` (positive), told to the network as ¼·ln σ.
    pub fn continuous_edm(smallest: f64, largest: f64) -> Self {
        Self::log_linear(smallest, largest, Clock::Logarithm)
    }

    /// All σ from `smallest` to `largest` (positive), told to the network as 2/π·atan σ.
    pub fn continuous_arctangent(smallest: f64, largest: f64) -> Self {
        Self::log_linear(smallest, largest, Clock::Arctangent)
    }

    /// All σ from `smallest` to `largest` (positive), told to the network as σ/(σ+1).
    pub fn continuous_share(smallest: f64, largest: f64) -> Self {
        Self::log_linear(smallest, largest, Clock::NoiseShare)
    }

    /// The last of every `steps / count` steps: those that a distilled network was trained at. It goes on to count all.
    #[must_use]
    pub fn distilled(&self, count: usize) -> Self {
        let all = self.sigmas();
        let stride = (all.len() / count.max(1)).max(1);
        let mut sigmas: Vec<f64> = all
            .iter()
            .rev()
            .step_by(stride)
            .take(count)
            .map(|sigma| f64::from(*sigma))
            .collect();
        sigmas.reverse();
        Self::from_sigmas(sigmas.into_iter(), Clock::Steps { stride })
    }

    /// The same steps, but told to the network as ¼·ln σ, as continuous models take them.
    #[must_use]
    pub fn told_as_logarithm(&self) -> Self {
        Self {
            clock: Clock::Logarithm,
            ..self.clone()
        }
    }

    fn log_linear(smallest: f64, largest: f64, clock: Clock) -> Self {
        // In f32, as the levels were made that recordings have.
        let logarithms = linspace(smallest.ln() as f32, largest.ln() as f32, CONTINUOUS_LEVELS);
        let sigmas = logarithms
            .into_iter()
            .map(|logarithm| f64::from(logarithm.exp()));
        Self::from_sigmas(sigmas, clock)
    }

    /// A table of given σ, which must be positive and ascending.
    fn from_sigmas(sigmas: impl Iterator<Item = f64>, clock: Clock) -> Self {
        let exact: Vec<f64> = sigmas.collect();
        let (sigmas, logarithms) = exact
            .iter()
            .map(|sigma| (*sigma as f32, sigma.ln() as f32))
            .unzip();
        Self {
            levels: Arc::new(Levels {
                exact,
                sigmas,
                logarithms,
            }),
            clock,
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

    /// The time that the network is told for σ. Where time is counted in steps it is the whole step whose log σ is nearest; of two
    /// equally near ones the lower.
    pub fn timestep(&self, sigma: f32) -> f32 {
        match self.clock {
            Clock::Steps { stride } => (self.nearest_step(sigma) * stride + stride - 1) as f32,
            Clock::Logarithm => 0.25 * sigma.ln(),
            Clock::Arctangent => sigma.atan() / PI * 2.0,
            Clock::NoiseShare => sigma / (sigma + 1.0),
        }
    }

    fn nearest_step(&self, sigma: f32) -> usize {
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

    /// σ at a time: between two steps by linear interpolation of log σ, and outside of the table its end; continuous times have no
    /// bounds.
    pub fn sigma(&self, timestep: f32) -> f32 {
        let place = match self.clock {
            Clock::Steps { stride } => (timestep - (stride - 1) as f32) / stride as f32,
            Clock::Logarithm => return (timestep / 0.25).exp(),
            Clock::Arctangent => return (timestep * PI / 2.0).tan(),
            Clock::NoiseShare => {
                let largest = self.sigma_max();
                let is_beyond = timestep >= largest / (largest + 1.0);
                return if is_beyond {
                    largest
                } else {
                    timestep / (1.0 - timestep)
                };
            }
        };
        let timestep = place.clamp(0.0, self.last_index() as f32);
        let low = self.levels.logarithms[timestep.floor() as usize];
        let high = self.levels.logarithms[timestep.ceil() as usize];
        let weight = timestep.fract();
        ((1.0 - weight) * low + weight * high).exp()
    }

    /// σ when a fraction `percent` (0 to 1) of the time steps is done, or of the way down log σ where σ is continuous. At 0 or below it is larger than every σ, at 1 or
    /// above it is 0, so that a range from 0 to 1 holds every step.
    pub fn percent_to_sigma(&self, percent: f64) -> f64 {
        if percent <= 0.0 {
            ABOVE_ALL_SIGMAS
        } else if percent >= 1.0 {
            0.0
        } else if matches!(self.clock, Clock::Steps { .. }) {
            f64::from(self.sigma(((1.0 - percent) * PERCENT_STEPS) as f32))
        } else {
            let [low, high] =
                [self.sigma_min(), self.sigma_max()].map(|sigma| f64::from(sigma).ln());
            ((high - low) * (1.0 - percent) + low).exp()
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
    fn a_schedule_without_signal_at_its_end_begins_as_before() {
        let bent = table().with_zero_terminal_snr();
        let alpha_bar = |sigma: f32| 1.0 / (f64::from(sigma).powi(2) + 1.0);
        let first = alpha_bar(table().sigma_min());
        assert!((alpha_bar(bent.sigma_min()) - first).abs() < 1e-9);
        // √(1/4.897e-8 − 1)
        assert!(
            (bent.sigma_max() - 4_518.75).abs() < 0.1,
            "{}",
            bent.sigma_max()
        );
        assert!(bent.sigmas().is_sorted_by(|low, high| low < high));
    }

    #[test]
    fn distilled_networks_know_every_twentieth_step() {
        let (all, some) = (table(), table().distilled(50));
        assert_eq!(some.sigmas().len(), 50);
        assert_eq!(
            (some.sigmas()[49], some.sigmas()[0]),
            (all.sigmas()[999], all.sigmas()[19])
        );
        assert_eq!((some.timestep(20.0), some.timestep(0.0)), (999.0, 19.0));
        assert!((some.sigma(519.0) - all.sigmas()[519]).abs() < 1e-5);
    }

    #[test]
    fn continuous_times_are_inverse_and_unbounded() {
        for table in [
            NoiseTable::continuous_edm(0.002, 80.0),
            NoiseTable::continuous_arctangent(0.002, 80.0),
            NoiseTable::continuous_share(0.002, 80.0),
        ] {
            assert!(
                (table.sigma_min() - 0.002).abs() < 1e-8 && (table.sigma_max() - 80.0).abs() < 1e-4
            );
            for sigma in [0.01_f32, 0.5, 7.0, 70.0] {
                assert!((table.sigma(table.timestep(sigma)) - sigma).abs() < 1e-3 * sigma);
            }
            // Half of the way down the logarithm: √(0.002 · 80).
            assert!((table.percent_to_sigma(0.5) - 0.4).abs() < 1e-6);
        }
        assert!(
            (NoiseTable::continuous_edm(0.002, 80.0).timestep(1.0_f32.exp()) - 0.25).abs() < 1e-7
        );
        assert!((NoiseTable::continuous_arctangent(0.002, 80.0).timestep(1.0) - 0.5).abs() < 1e-7);
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
