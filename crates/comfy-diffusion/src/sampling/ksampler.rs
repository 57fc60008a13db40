//! From a number of steps and a strength of denoising to noise levels.

use super::samplers::Method;
use super::{ModelSampling, Scheduler};
use crate::{Error, Result};

/// A strength above this counts as full.
const FULL_DENOISE: f64 = 0.9999;
/// A small strength asks for the end of a long schedule, of which there is a limit.
const MOST_STEPS: f64 = 10_000_000.0;

/// Which part of which schedule is sampled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KSamplerSteps {
    /// The number of steps.
    pub steps: usize,
    /// 1 starts from pure noise; less takes the last `steps` of a schedule of `steps`/`denoise` steps.
    pub denoise: f64,
    /// The first step that is done; `None` is step 0.
    pub start: Option<usize>,
    /// The step before which sampling ends; `None` does all.
    pub end: Option<usize>,
    /// Whether a schedule that ends early goes to no noise in its last step.
    pub force_full_denoise: bool,
}

impl KSamplerSteps {
    /// All of a schedule of this many steps.
    pub fn new(steps: usize) -> Self {
        Self {
            steps,
            denoise: 1.0,
            start: None,
            end: None,
            force_full_denoise: false,
        }
    }

    /// The noise levels. No levels at all mean that the latent is to be returned as it is: nothing is to be denoised, or
    /// the first step lies behind the last.
    pub fn sigmas(
        &self,
        sampling: &ModelSampling,
        scheduler: &Scheduler,
        method: &dyn Method,
    ) -> Result<Vec<f32>> {
        let mut sigmas = self.denoised_part(sampling, scheduler, method)?;
        let steps = sigmas.len().saturating_sub(1);
        if let Some(end) = self.end.filter(|end| *end < steps) {
            sigmas.truncate(end + 1);
            if let Some(last) = sigmas.last_mut().filter(|_| self.force_full_denoise) {
                *last = 0.0;
            }
        }
        if let Some(start) = self.start {
            if start + 1 >= sigmas.len() {
                return Ok(Vec::new());
            }
            sigmas.drain(..start);
        }
        Ok(sigmas)
    }

    fn denoised_part(
        &self,
        sampling: &ModelSampling,
        scheduler: &Scheduler,
        method: &dyn Method,
    ) -> Result<Vec<f32>> {
        if self.denoise > FULL_DENOISE {
            return Ok(whole_schedule(self.steps, sampling, scheduler, method));
        }
        // Not a number is no strength either.
        if self.denoise.is_nan() || self.denoise <= 0.0 {
            return Ok(Vec::new());
        }
        let long = self.steps as f64 / self.denoise;
        if long > MOST_STEPS {
            return Err(Error::input(format!(
                "a denoise of {} with {} steps asks for a schedule of {long:.0} steps, of which there are at most {MOST_STEPS}",
                self.denoise, self.steps
            )));
        }
        let mut sigmas = whole_schedule(long as usize, sampling, scheduler, method);
        sigmas.drain(..sigmas.len().saturating_sub(self.steps + 1));
        Ok(sigmas)
    }
}

/// The schedule of `steps` steps, without its last but one level where the method wants that.
fn whole_schedule(
    steps: usize,
    sampling: &ModelSampling,
    scheduler: &Scheduler,
    method: &dyn Method,
) -> Vec<f32> {
    if !method.drops_penultimate_level() {
        return scheduler.sigmas(&sampling.table, steps);
    }
    let mut sigmas = scheduler.sigmas(&sampling.table, steps + 1);
    if sigmas.len() >= 2 {
        sigmas.remove(sigmas.len() - 2);
    }
    sigmas
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::KSamplerSteps;
    use crate::sampling::schedulers::tests::assert_levels;
    use crate::sampling::{ModelSampling, Prediction, find_sampler, find_scheduler};

    fn levels(steps: KSamplerSteps, sampler: &str) -> Vec<f32> {
        let sampling = ModelSampling::stable_diffusion(Prediction::Epsilon);
        steps
            .sigmas(
                &sampling,
                find_scheduler("karras").unwrap(),
                find_sampler(sampler).unwrap(),
            )
            .unwrap()
    }

    #[test]
    fn partial_denoising_equals_the_recorded_levels() {
        let golden = comfy_fixtures::golden("sigmas_sd15_tiny");
        for denoise in ["0.1", "0.3", "0.5", "0.75", "1.0"] {
            // dpm_2 and uni_pc lose the same level.
            for (sampler, recorded) in [("euler", "euler"), ("uni_pc", "dpm_2")] {
                let name = format!("ksampler.{recorded}.karras.20.denoise{denoise}");
                let steps = KSamplerSteps {
                    denoise: denoise.parse().unwrap(),
                    ..KSamplerSteps::new(20)
                };
                assert_levels(&name, &levels(steps, sampler), &golden.tensor(&name).1);
            }
        }
    }

    #[test]
    fn start_and_end_cut_the_schedule() {
        let whole = levels(KSamplerSteps::new(20), "euler");
        let part = |start, end, force| {
            let steps = KSamplerSteps {
                start,
                end,
                force_full_denoise: force,
                ..KSamplerSteps::new(20)
            };
            levels(steps, "euler")
        };
        assert_eq!(part(Some(0), Some(10_000), true), whole);
        assert_eq!(part(Some(10), None, false), whole[10..]);
        assert_eq!(part(None, Some(10), false), whole[..11]);
        let forced = part(Some(4), Some(10), true);
        assert_eq!((&forced[..6], forced[6]), (&whole[4..10], 0.0));
        assert!(part(Some(20), None, false).is_empty());
        assert!(part(Some(10), Some(10), true).is_empty());
        assert_eq!(part(None, Some(0), false), whole[..1]);
    }

    #[test]
    fn nothing_to_denoise_gives_no_levels() {
        for denoise in [0.0, -1.0, f64::NAN] {
            assert!(
                levels(
                    KSamplerSteps {
                        denoise,
                        ..KSamplerSteps::new(20)
                    },
                    "euler"
                )
                .is_empty()
            );
        }
        assert!(levels(KSamplerSteps::new(0), "euler").is_empty());
    }

    #[test]
    fn endless_schedules_are_refused() {
        let sampling = ModelSampling::stable_diffusion(Prediction::Epsilon);
        let steps = KSamplerSteps {
            denoise: 1e-12,
            ..KSamplerSteps::new(20)
        };
        let scheduler = find_scheduler("simple").unwrap();
        let error = steps
            .sigmas(&sampling, scheduler, find_sampler("euler").unwrap())
            .unwrap_err();
        assert!(error.to_string().contains("at most 10000000"), "{error}");
    }
}
