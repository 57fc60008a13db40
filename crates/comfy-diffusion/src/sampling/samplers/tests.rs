//! The samplers against formulas, without any weights.

use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor, TensorData};

use super::{Dpmpp2mSde, EulerAncestral, Method, SAMPLERS, Sampler, find_sampler};
use crate::Result;
use crate::random::TorchGenerator;
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
    let noise = tensor(
        prepare_noise(shape, &mut TorchGenerator::new(3), None).unwrap(),
        shape,
    );
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

/// Samplers that add noise on their way.
const STOCHASTIC: &[&str] = &[
    "euler_ancestral",
    "euler_ancestral_cfg_pp",
    "dpm_2_ancestral",
    "dpmpp_2s_ancestral",
    "dpmpp_2s_ancestral_cfg_pp",
    "dpmpp_sde",
    "dpmpp_sde_gpu",
    "dpmpp_2m_sde",
    "dpmpp_2m_sde_gpu",
    "dpmpp_2m_sde_heun",
    "dpmpp_2m_sde_heun_gpu",
    "dpmpp_3m_sde",
    "dpmpp_3m_sde_gpu",
    "ddpm",
    "lcm",
    "res_multistep_ancestral",
    "res_multistep_ancestral_cfg_pp",
    "er_sde",
    "seeds_2",
    "seeds_3",
    "sa_solver",
    "sa_solver_pece",
];

/// Deterministic samplers whose error only halves with twice the steps: by design, or because their coefficients are
/// exact for equal steps alone.
const FIRST_ORDER: &[&str] = &[
    "euler",
    "euler_cfg_pp",
    "ddim",
    "heunpp2",
    "ipndm",
    "ipndm_v",
    "gradient_estimation",
    "gradient_estimation_cfg_pp",
];

/// Samplers that choose their own steps between the first level and the last above no noise, where they end.
const OWN_STEPS: &[&str] = &["dpm_fast", "dpm_adaptive"];

fn is_stochastic(sampler: &Sampler) -> bool {
    STOCHASTIC.contains(&sampler.name)
}

/// For a Gaussian the equation has a closed solution: x keeps its place in the distribution, so
/// x(0) = mean + (x(σ) − mean)·√(v/(v+σ²)).
fn exact(shape: [usize; 4], mean: f64, variance: f64) -> Vec<f32> {
    let noise = prepare_noise(shape, &mut TorchGenerator::new(3), None).unwrap();
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
fn names_are_in_the_original_order() {
    let names: Vec<&str> = SAMPLERS.iter().map(|sampler| sampler.name).collect();
    let info = comfy_fixtures::json("golden/samplers_sd15_tiny.info.json");
    // The recordings were made in the order of the list, first with one scheduler, then with another.
    let recorded: Vec<&str> = info
        .as_object()
        .unwrap()
        .keys()
        .filter_map(|name| name.strip_suffix(".karras"))
        .collect();
    assert_eq!(names, recorded);
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
    let mut wrong = Vec::new();
    for sampler in SAMPLERS.iter().filter(|sampler| !is_stochastic(sampler)) {
        let error = |steps| {
            rms(
                &run(sampler, &karras(steps), &mut Gaussian::new(0.5, 1.0), shape).0,
                &want,
            )
        };
        let (coarse, fine) = (error(20), error(160));
        let good = match sampler.name {
            // Its error depends on its tolerance of 5 % and not on the steps.
            "dpm_adaptive" => fine < 0.05,
            // Below 6e-4 it is the last step, down from the lowest level of the model, that is seen.
            name if FIRST_ORDER.contains(&name) => {
                fine < 0.03 && coarse / fine > 6.0 || fine < 6e-4
            }
            _ => fine < 0.03 && coarse / fine > 14.0 || fine < 6e-4,
        };
        if !good {
            wrong.push(format!(
                "{}: error {coarse} with 20 steps, {fine} with 160",
                sampler.name
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// How far the variance of a stochastic sampler may be from the right one, in proportion to it; nothing for those that
/// do not keep it.
fn variance_tolerance(sampler: &Sampler) -> Option<f64> {
    match sampler.name {
        // The answer of each step of the first is the mean of the distribution and not a member of it; the other mixes
        // predictions of two levels, which changes x even without guidance.
        "lcm" | "dpmpp_2s_ancestral_cfg_pp" => None,
        // Its integrals are taken at the left ends, so that long steps make too much noise.
        "er_sde" => Some(0.25),
        // Its noise begins and ends within the run, which its polynomials do not know.
        "sa_solver" | "sa_solver_pece" => Some(0.2),
        _ => Some(0.12),
    }
}

#[test]
fn stochastic_samplers_keep_the_distribution() {
    let shape = [1, 4, 32, 32];
    let mut wrong = Vec::new();
    for sampler in SAMPLERS.iter().filter(|sampler| is_stochastic(sampler)) {
        let Some(tolerance) = variance_tolerance(sampler) else {
            continue;
        };
        let (end, _) = run(sampler, &karras(60), &mut Gaussian::new(-1.0, 4.0), shape);
        let mean = end.iter().map(|v| f64::from(*v)).sum::<f64>() / end.len() as f64;
        let variance = end
            .iter()
            .map(|v| (f64::from(*v) - mean).powi(2))
            .sum::<f64>()
            / end.len() as f64;
        if (mean + 1.0).abs() > 0.12 || (variance / 4.0 - 1.0).abs() > tolerance {
            wrong.push(format!(
                "{}: mean {mean}, variance {variance}",
                sampler.name
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
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
fn samplers_report_each_step() {
    let shape = [1, 4, 4, 4];
    for sampler in SAMPLERS {
        for steps in [1, 2, 3, 4, 9] {
            let (end, reports) = run(sampler, &karras(steps), &mut Gaussian::new(0.0, 1.0), shape);
            if !OWN_STEPS.contains(&sampler.name) {
                assert_eq!(reports, steps, "{} with {steps} steps", sampler.name);
            }
            assert!(
                end.iter().all(|value| value.is_finite()),
                "{} with {steps} steps",
                sampler.name
            );
        }
        let (_, reports) = run(sampler, &[2.0], &mut Gaussian::new(0.0, 1.0), shape);
        assert_eq!(reports, 0, "{} with one level", sampler.name);
    }
}

#[test]
fn levels_that_end_early_leave_their_noise() {
    let open = &karras(80)[..60];
    let want = f64::from(open[59]).powi(2) + 1.0;
    let mut wrong = Vec::new();
    for sampler in SAMPLERS {
        let tolerance = if is_stochastic(sampler) {
            variance_tolerance(sampler)
        } else {
            Some(0.12)
        };
        let Some(tolerance) = tolerance else { continue };
        let (end, _) = run(sampler, open, &mut Gaussian::new(0.0, 1.0), [1, 4, 32, 32]);
        let variance = rms(&end, &vec![0.0; end.len()]).powi(2);
        if (variance / want - 1.0).abs() > tolerance {
            wrong.push(format!(
                "{}: variance {variance}, expected {want}",
                sampler.name
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
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
    // Where the adaptive sampler calls the model depends on what the model answers.
    for sampler in SAMPLERS
        .iter()
        .filter(|sampler| sampler.name != "dpm_adaptive")
    {
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
