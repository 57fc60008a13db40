//! The samplers against formulas, without any weights.

use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor, TensorData};

use super::{Dpmpp2mSde, EulerAncestral, Method, SAMPLERS, Sampler, find_sampler};
use crate::Result;
use crate::sampling::{
    Denoise, Guided, ModelSampling, Prediction, Run, find_scheduler, prepare_noise,
};

/// The best denoiser when clean values are independent normals of this mean and variance.
pub(crate) struct Gaussian {
    mean: f64,
    variance: f64,
    sampling: ModelSampling,
    calls: Vec<f32>,
}

impl Gaussian {
    pub(crate) fn new(mean: f64, variance: f64) -> Self {
        let sampling = ModelSampling::stable_diffusion(Prediction::Epsilon);
        Self {
            mean,
            variance,
            sampling,
            calls: Vec::new(),
        }
    }
}

impl Denoise for Gaussian {
    fn denoise(&mut self, x: &Tensor<4>, sigma: f32) -> Result<Tensor<4>> {
        self.calls.push(sigma);
        let share = self.variance / (self.variance + f64::from(sigma) * f64::from(sigma));
        Ok(x.clone()
            .mul_scalar(share)
            .add_scalar(self.mean * (1.0 - share)))
    }

    fn denoise_both(&mut self, x: &Tensor<4>, sigma: f32) -> Result<Guided> {
        let x0 = self.denoise(x, sigma)?;
        Ok(Guided {
            negative: x0.clone(),
            x0,
        })
    }

    fn sampling(&self) -> &ModelSampling {
        &self.sampling
    }
}

fn tensor(values: Vec<f32>, shape: [usize; 4]) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

fn values(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().try_into_vec().unwrap()
}

fn karras(steps: usize) -> Vec<f32> {
    let table = ModelSampling::stable_diffusion(Prediction::Epsilon).table;
    find_scheduler("karras").unwrap().sigmas(&table, steps)
}

/// Runs a method on the Gaussian from the same noise each time.
fn run(
    method: &dyn Method,
    sigmas: &[f32],
    denoiser: &mut Gaussian,
    shape: [usize; 4],
) -> (Vec<f32>, usize) {
    let noise = tensor(prepare_noise(shape, 3, None).unwrap(), shape);
    let first = f64::from(sigmas.first().copied().unwrap_or(1.0));
    let x = noise
        .mul_scalar((first * first + denoiser.variance).sqrt())
        .add_scalar(denoiser.mean);
    let mut reports = 0;
    let mut observe = |step: crate::sampling::Step<'_>| {
        assert_eq!((step.index, step.count), (reports, sigmas.len() - 1));
        assert_eq!(step.x0.dims(), step.x.dims());
        reports += 1;
        ControlFlow::Continue(())
    };
    let end = method
        .run(&mut Run::new(denoiser, sigmas, 3, &mut observe), x)
        .unwrap();
    (values(end), reports)
}

fn is_stochastic(sampler: &Sampler) -> bool {
    matches!(sampler.name, "euler_ancestral" | "dpmpp_2m_sde" | "lcm")
}

/// For a Gaussian the equation has a closed solution: x keeps its place in the distribution, so
/// x(0) = mean + (x(σ) − mean)·√(v/(v+σ²)).
fn exact(shape: [usize; 4], mean: f64, variance: f64) -> Vec<f32> {
    let noise = prepare_noise(shape, 3, None).unwrap();
    noise
        .into_iter()
        .map(|value| (mean + variance.sqrt() * f64::from(value)) as f32)
        .collect()
}

fn rms(left: &[f32], right: &[f32]) -> f64 {
    let sum: f64 = left
        .iter()
        .zip(right)
        .map(|(l, r)| f64::from(l - r).powi(2))
        .sum();
    (sum / left.len() as f64).sqrt()
}

#[test]
fn names_are_unique_and_found() {
    for (index, sampler) in SAMPLERS.iter().enumerate() {
        assert_eq!(
            SAMPLERS.iter().position(|other| other.name == sampler.name),
            Some(index)
        );
        assert_eq!(
            find_sampler(sampler.name).map(|found| found.name),
            Some(sampler.name)
        );
    }
    assert!(find_sampler("Euler").is_none());
}

#[test]
fn deterministic_samplers_converge_at_their_order() {
    let shape = [1, 4, 8, 8];
    let want = exact(shape, 0.5, 1.0);
    for sampler in SAMPLERS.iter().filter(|sampler| !is_stochastic(sampler)) {
        let error = |steps| {
            rms(
                &run(sampler, &karras(steps), &mut Gaussian::new(0.5, 1.0), shape).0,
                &want,
            )
        };
        let (coarse, fine) = (error(20), error(160));
        assert!(fine < 0.03, "{}: error {fine} with 160 steps", sampler.name);
        let least_gain = if matches!(sampler.name, "euler" | "ddim") {
            6.0
        } else {
            14.0
        };
        // Below 5e-4 it is the last step, down from the lowest level of the model, that is seen.
        assert!(
            coarse / fine > least_gain || fine < 5e-4,
            "{}: error {coarse} with 20 steps, {fine} with 160",
            sampler.name
        );
    }
}

#[test]
fn stochastic_samplers_keep_the_distribution() {
    let shape = [1, 4, 64, 64];
    for sampler in SAMPLERS
        .iter()
        .filter(|sampler| is_stochastic(sampler) && sampler.name != "lcm")
    {
        let (end, _) = run(sampler, &karras(60), &mut Gaussian::new(-1.0, 4.0), shape);
        let mean = end.iter().map(|v| f64::from(*v)).sum::<f64>() / end.len() as f64;
        let variance = end
            .iter()
            .map(|v| (f64::from(*v) - mean).powi(2))
            .sum::<f64>()
            / end.len() as f64;
        assert!((mean + 1.0).abs() < 0.08, "{}: mean {mean}", sampler.name);
        assert!(
            (variance - 4.0).abs() < 0.4,
            "{}: variance {variance}",
            sampler.name
        );
    }
}

#[test]
fn without_noise_the_stochastic_methods_are_deterministic_ones() {
    let shape = [1, 4, 4, 4];
    let sigmas = karras(12);
    let of = |method: &dyn Method| run(method, &sigmas, &mut Gaussian::new(0.0, 1.0), shape).0;
    let ancestral = EulerAncestral {
        eta: 0.0,
        noise_scale: 1.0,
    };
    assert!(rms(&of(&ancestral), &of(find_sampler("euler").unwrap())) < 1e-6);
    let sde = Dpmpp2mSde {
        eta: 0.0,
        ..Dpmpp2mSde::USUAL
    };
    assert!(rms(&of(&sde), &of(find_sampler("dpmpp_2m").unwrap())) < 1e-5);
}

#[test]
fn samplers_report_each_step_and_end_where_the_levels_end() {
    let shape = [1, 4, 4, 4];
    for sampler in SAMPLERS {
        for steps in [1, 2, 3, 4, 9] {
            let (end, reports) = run(sampler, &karras(steps), &mut Gaussian::new(0.0, 1.0), shape);
            assert_eq!(reports, steps, "{} with {steps} steps", sampler.name);
            assert!(
                end.iter().all(|value| value.is_finite()),
                "{} with {steps} steps",
                sampler.name
            );
        }
        // Levels that stop above no noise leave that much noise in x.
        let open = &karras(80)[..60];
        let (end, _) = run(sampler, open, &mut Gaussian::new(0.0, 1.0), [1, 4, 32, 32]);
        let deviation = rms(&end, &vec![0.0; end.len()]);
        let want = f64::from(open[59]).hypot(1.0);
        if sampler.name != "lcm" {
            assert!(
                (deviation - want).abs() < 0.06 * want,
                "{}: {deviation}, expected {want}",
                sampler.name
            );
        }
        assert_eq!(
            run(sampler, &[2.0], &mut Gaussian::new(0.0, 1.0), shape).1,
            0
        );
    }
}

#[test]
fn breaking_ends_the_run() {
    for sampler in SAMPLERS {
        let mut denoiser = Gaussian::new(0.0, 1.0);
        let sigmas = karras(6);
        let mut observe = |step: crate::sampling::Step<'_>| {
            if step.index == 2 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let x = tensor(vec![1.0; 16], [1, 1, 4, 4]);
        let result = sampler.run(&mut Run::new(&mut denoiser, &sigmas, 0, &mut observe), x);
        assert!(
            matches!(result, Err(crate::Error::Interrupted)),
            "{}",
            sampler.name
        );
    }
}

#[test]
fn samplers_call_the_model_where_the_original_does() {
    let info = comfy_fixtures::json("golden/samplers_sd15_tiny.info.json");
    for sampler in SAMPLERS {
        for scheduler in ["normal", "karras"] {
            let name = format!("{}.{scheduler}", sampler.name);
            let want: Vec<f64> = info[&name]["call_sigmas"]
                .as_array()
                .unwrap()
                .iter()
                .map(|v| v.as_f64().unwrap())
                .collect();
            let sampling = ModelSampling::stable_diffusion(Prediction::Epsilon);
            let sigmas = crate::sampling::KSamplerSteps::new(8)
                .sigmas(&sampling, find_scheduler(scheduler).unwrap(), sampler)
                .unwrap();
            let mut denoiser = Gaussian::new(0.0, 1.0);
            run(sampler, &sigmas, &mut denoiser, [1, 4, 4, 4]);
            assert_eq!(
                Some(denoiser.calls.len() as u64),
                info[&name]["nfe"].as_u64(),
                "calls of {name}"
            );
            for (got, want) in denoiser.calls.iter().zip(&want) {
                assert!(
                    (f64::from(*got) - want).abs() <= 1e-6 * want.max(1.0),
                    "{name}: {:?}",
                    denoiser.calls
                );
            }
        }
    }
}
