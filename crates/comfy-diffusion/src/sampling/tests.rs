//! Whole runs: on the synthetic Stable Diffusion 1.5 against recordings, and on a network with a formula.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use burn::tensor::Tensor;
use comfy_fixtures::{Golden, golden, relative_l2};

use super::host::{from_values, values};
use super::*;
use crate::device::ComputeDevice;
use crate::models::unet::UNet;
use crate::models::{Network, NetworkInput};
use crate::random::TorchGenerator;
use crate::residency::{Resident, Room};
use crate::weights::Weights;
use crate::{Error, Model, Result};

fn model(network: impl Network + 'static, device: &ComputeDevice) -> Model {
    Model {
        recognised: None,
        network: Resident::ready(Arc::new(network)),
        sampling: ModelSampling::stable_diffusion(Prediction::Epsilon),
        latent_format: LatentFormat::SD15,
        label: None,
        beside: BesideRule::Nothing,
        hooks: Hooks::default(),
        device: device.clone(),
    }
}

fn recorded<const D: usize>(golden: &Golden, name: &str, device: &ComputeDevice) -> Tensor<D> {
    let (shape, values) = golden.tensor(name);
    from_values(values, shape.try_into().unwrap(), device.tensor_device())
}

/// The checkpoint and the two texts of the recordings.
fn stable_diffusion() -> (UNet, ClassifierFree) {
    let device = ComputeDevice::cpu();
    let weights = Weights::open(&comfy_fixtures::checkpoint("sd15_tiny")).unwrap();
    let network = UNet::load(&weights.root().enter("model.diffusion_model"), &device).unwrap();
    let contexts: Tensor<3> = recorded(&golden("forward_sd15_tiny"), "fwd.context", &device);
    // The recorded call has the negative text first.
    let texts = [1, 0].map(|row| vec![Conditioning::new(contexts.clone().narrow(0, row, 1), None)]);
    (network, guided(texts))
}

/// Positive and negative texts, and the scale of the recordings.
fn guided([positive, negative]: [Vec<Conditioning>; 2]) -> ClassifierFree {
    ClassifierFree {
        positive,
        negative,
        scale: 7.0,
    }
}

/// A request on an empty latent of one picture, its noise from seed 42.
fn request<'a>(
    model: &'a Model,
    guidance: &'a dyn Guidance,
    sampler: &'a dyn Method,
    sigmas: Vec<f32>,
    [height, width]: [usize; 2],
) -> SampleRequest<'a> {
    let shape = [1, 4, height, width];
    let device = model.device.tensor_device();
    SampleRequest {
        model,
        guidance,
        latent: Tensor::zeros(shape, device),
        noise: from_values(
            prepare_noise(shape, &mut TorchGenerator::new(42), None).unwrap(),
            shape,
            device,
        ),
        sampler,
        sigmas,
        noise_mask: None,
        seed: 42,
        generator: TorchGenerator::new(42),
    }
}

fn run(request: SampleRequest<'_>) -> Result<Vec<f32>> {
    values(sample(request, &mut |_| ControlFlow::Continue(()))?)
}

#[test]
fn every_step_equals_the_recorded_one() {
    let (network, texts) = stable_diffusion();
    let model = model(network, &ComputeDevice::cpu());
    let golden = golden("forward_sd15_tiny");
    let sampler = find_sampler("euler").unwrap();
    let normal = find_scheduler("normal").unwrap();
    let sigmas = KSamplerSteps::new(4)
        .sigmas(&model.sampling, normal, sampler)
        .unwrap();
    let request = request(&model, &texts, sampler, sigmas, [8, 8]);
    let mut differences = Vec::new();
    let result = sample(request, &mut |step| {
        for (name, tensor) in [("x", step.x), ("x0", step.x0)] {
            let (_, want) = golden.tensor(&format!("step{}.{name}", step.index));
            differences.push(relative_l2(&values(tensor.clone()).unwrap(), &want));
        }
        ControlFlow::Continue(())
    });
    assert_eq!(differences.len(), 8);
    assert!(
        differences.iter().all(|difference| *difference <= 1e-4),
        "{differences:?}"
    );
    let difference = relative_l2(&values(result.unwrap()).unwrap(), &golden.tensor("final").1);
    assert!(
        difference <= 1e-4,
        "the final latent differs by {difference:.1e}"
    );
}

/// A network whose calls are counted.
struct Counted {
    network: UNet,
    calls: Arc<AtomicU64>,
}

impl Network for Counted {
    fn forward(&self, input: NetworkInput) -> Result<Tensor<4>> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.network.forward(input)
    }

    fn in_channels(&self) -> usize {
        self.network.in_channels()
    }
}

#[test]
fn every_sampler_equals_the_recorded_one() {
    let (network, texts) = stable_diffusion();
    let calls = Arc::default();
    let counted = Counted {
        network,
        calls: Arc::clone(&calls),
    };
    let model = model(counted, &ComputeDevice::cpu());
    let golden = golden("samplers_sd15_tiny");
    let info = comfy_fixtures::json("golden/samplers_sd15_tiny.info.json");
    let mut wrong = Vec::new();
    for sampler in SAMPLERS {
        for scheduler in ["normal", "karras"] {
            let scheduler = find_scheduler(scheduler).unwrap();
            let sigmas = KSamplerSteps::new(8)
                .sigmas(&model.sampling, scheduler, sampler)
                .unwrap();
            calls.store(0, Ordering::Relaxed);
            let got = run(request(&model, &texts, sampler, sigmas, [8, 8])).unwrap();
            let name = format!("{}.{}", sampler.name, scheduler.name);
            let difference = relative_l2(&got, &golden.tensor(&name).1);
            // Not a number is wrong too.
            if difference.is_nan() || difference > 1e-4 {
                wrong.push(format!("{name} differs by {difference:.1e}"));
            }
            let (called, want) = (calls.load(Ordering::Relaxed), info[&name]["nfe"].as_u64());
            if Some(called) != want {
                wrong.push(format!(
                    "{name} calls the network {called} times, not {want:?}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A network that predicts ε = x · text, where the text is the mean of its context, and remembers its calls.
#[derive(Default)]
struct Formula {
    calls: Arc<Mutex<Vec<[usize; 3]>>>,
}

impl Network for Formula {
    fn forward(&self, input: NetworkInput) -> Result<Tensor<4>> {
        let context = input.context.unwrap();
        self.calls.lock().unwrap().push(context.dims());
        assert_eq!(
            (input.timesteps.dims()[0], context.dims()[0]),
            (input.x.dims()[0], input.x.dims()[0])
        );
        let text = context.mean_dim(1).mean_dim(2).unsqueeze_dim::<4>(3);
        Ok(input.x * text)
    }

    fn in_channels(&self) -> usize {
        4
    }
}

/// Calls of [`Formula`] as context shapes, and its model.
fn formula() -> (Arc<Mutex<Vec<[usize; 3]>>>, Model) {
    let network = Formula::default();
    let calls = Arc::clone(&network.calls);
    (calls, model(network, &ComputeDevice::cpu()))
}

fn text(value: f32, batch: usize, tokens: usize) -> Conditioning {
    let device = ComputeDevice::cpu();
    Conditioning::new(
        from_values(
            vec![value; batch * tokens * 2],
            [batch, tokens, 2],
            device.tensor_device(),
        ),
        None,
    )
}

/// The result of one Euler step from σ = 2 to 0, with and without cfg: x₀ = x − σ·x/√(σ²+1)·text.
fn one_step(texts: &[Vec<Conditioning>; 2], cfg: f64) -> (Vec<f32>, Vec<[usize; 3]>) {
    let (calls, model) = formula();
    let guidance = ClassifierFree {
        scale: cfg,
        ..guided(texts.clone())
    };
    let mut request = request(
        &model,
        &guidance,
        find_sampler("euler").unwrap(),
        vec![2.0, 0.0],
        [2, 2],
    );
    request.noise = request.noise.ones_like();
    let got = run(request).unwrap();
    let calls = calls.lock().unwrap().clone();
    (got, calls)
}

/// What [`one_step`] gives where the guided text is `text`.
fn expected(text: f32) -> f32 {
    let x = 2.0;
    (x - 2.0 * x / 5.0_f32.sqrt() * text) / 0.182_15
}

fn assert_all(got: &[f32], want: f32) {
    assert!(
        got.iter()
            .all(|value| (value - want).abs() <= 1e-5 * want.abs().max(1.0)),
        "{got:?} is not {want}"
    );
}

#[test]
fn both_texts_share_one_call() {
    let (got, calls) = one_step(&[vec![text(0.5, 1, 3)], vec![text(0.25, 1, 3)]], 3.0);
    assert_all(&got, expected(0.25 + 3.0 * 0.25));
    assert_eq!(calls, [[2, 3, 2]]);
}

#[test]
fn guidance_of_one_leaves_out_the_negative_text() {
    let (got, calls) = one_step(&[vec![text(0.5, 1, 3)], vec![text(0.25, 1, 3)]], 1.0);
    assert_all(&got, expected(0.5));
    assert_eq!(calls, [[1, 3, 2]]);
}

#[test]
fn shorter_texts_are_repeated_to_a_common_length() {
    let (got, calls) = one_step(&[vec![text(0.5, 1, 6)], vec![text(0.25, 1, 4)]], 3.0);
    assert_all(&got, expected(1.0));
    assert_eq!(calls, [[2, 12, 2]]);
    // A common length five times as long as the shorter text is too much: two calls.
    let (got, calls) = one_step(&[vec![text(0.5, 1, 5)], vec![text(0.25, 1, 1)]], 3.0);
    assert_all(&got, expected(1.0));
    assert_eq!(calls, [[1, 5, 2], [1, 1, 2]]);
}

#[test]
fn texts_of_one_list_are_averaged_by_strength() {
    let weak = Conditioning {
        strength: 0.5,
        ..text(0.3, 1, 3)
    };
    let strong = Conditioning {
        strength: 1.5,
        ..text(0.7, 1, 3)
    };
    let (got, calls) = one_step(&[vec![weak.clone(), strong], vec![text(0.0, 1, 3)]], 1.0);
    assert_all(&got, expected(0.6));
    assert_eq!(calls, [[2, 3, 2]]);
    // A lone text counts in full, but one of no strength counts as none, and none as a clean latent of zeros.
    assert_all(
        &one_step(&[vec![weak.clone()], vec![]], 1.0).0,
        expected(0.3),
    );
    let none = Conditioning {
        strength: 0.0,
        ..weak
    };
    assert_all(&one_step(&[vec![none], vec![]], 1.0).0, 0.0);
}

#[test]
fn texts_count_only_in_their_range() {
    // σ = 2 is at 44 % of the way.
    let early = Conditioning {
        range: ProgressRange {
            start: 0.0,
            end: 0.4,
        },
        ..text(0.9, 1, 3)
    };
    let late = Conditioning {
        range: ProgressRange {
            start: 0.4,
            end: 1.0,
        },
        ..text(0.2, 1, 3)
    };
    assert_all(
        &one_step(&[vec![early, late], vec![]], 1.0).0,
        expected(0.2),
    );
}

#[test]
fn texts_are_fitted_to_the_batch() {
    let (_, model) = formula();
    let device = model.device.tensor_device();
    let values = [vec![0.1; 4], vec![0.2; 4]].concat();
    let two = Conditioning::new(from_values(values, [2, 2, 2], device), None);
    let texts = ClassifierFree::positive(vec![two]);
    for batch in [1, 2, 5] {
        let shape = [batch, 4, 1, 1];
        let mut request = request(
            &model,
            &texts,
            find_sampler("euler").unwrap(),
            vec![2.0, 0.0],
            [1, 1],
        );
        request.latent = Tensor::zeros(shape, device);
        request.noise = Tensor::ones(shape, device);
        let got = run(request).unwrap();
        for (index, member) in got.chunks(4).enumerate() {
            assert_all(member, expected(if index % 2 == 0 { 0.1 } else { 0.2 }));
        }
    }
}

#[test]
fn masked_parts_stay_as_they_were() {
    for sampler in SAMPLERS {
        let (_, model) = formula();
        let device = model.device.tensor_device();
        let texts = guided([vec![text(0.4, 1, 3)], vec![text(0.1, 1, 3)]]);
        let scheduler = find_scheduler("karras").unwrap();
        let sigmas = KSamplerSteps::new(6)
            .sigmas(&model.sampling, scheduler, sampler)
            .unwrap();
        let mut request = request(&model, &texts, sampler, sigmas, [2, 2]);
        request.latent = Tensor::full([1, 4, 2, 2], 3.0, device);
        request.noise_mask = Some(from_values(vec![1.0, 1.0, 0.0, 0.0], [1, 1, 2, 2], device));
        let got = run(request).unwrap();
        for plane in got.chunks(4) {
            // The network's scale hides the noise of the level at which some samplers end.
            let left = match sampler.name {
                "dpm_fast" | "dpm_adaptive" => 0.7,
                _ => 0.03,
            };
            assert!(
                (plane[2] - 3.0).abs() < left && (plane[3] - 3.0).abs() < left,
                "{}: {plane:?}",
                sampler.name
            );
            assert!((plane[0] - 3.0).abs() > 0.1, "{}: {plane:?}", sampler.name);
        }
    }
}

#[test]
fn levels_decide_how_much_happens() {
    let (calls, model) = formula();
    let texts = guided([vec![text(0.4, 1, 3)], vec![]]);
    let sampler = find_sampler("euler").unwrap();
    let mut nothing = request(&model, &texts, sampler, vec![], [2, 2]);
    nothing.latent = nothing.latent.add_scalar(5.0);
    assert_eq!(run(nothing).unwrap(), [5.0; 16]);
    let mut noising = request(&model, &texts, sampler, vec![2.0], [2, 2]);
    noising.noise = noising.noise.ones_like();
    assert_all(&run(noising).unwrap(), 2.0 / 0.182_15);
    // From the highest level on, the noise has the deviation √(σ²+1).
    let mut pure = request(&model, &texts, sampler, vec![20.0], [2, 2]);
    pure.noise = pure.noise.ones_like();
    assert_all(&run(pure).unwrap(), 401.0_f32.sqrt() / 0.182_15);
    assert!(calls.lock().unwrap().is_empty());
}

#[test]
fn what_does_not_fit_is_refused() {
    let (_, model) = formula();
    let device = model.device.tensor_device();
    let texts = guided([vec![text(0.4, 1, 3)], vec![]]);
    let sampler = find_sampler("euler").unwrap();
    let plain = || request(&model, &texts, sampler, vec![2.0, 0.0], [2, 2]);
    let message = |request| run(request).unwrap_err().to_string();
    let noise = SampleRequest {
        noise: Tensor::zeros([1, 4, 2, 3], device),
        ..plain()
    };
    assert!(message(noise).contains("[1, 4, 2, 3]"));
    let shape = [1, 16, 2, 2];
    let channels = SampleRequest {
        latent: Tensor::zeros(shape, device),
        noise: Tensor::zeros(shape, device),
        ..plain()
    };
    assert!(message(channels).contains("takes latents of 4 channels, but this one has 16"));
    let shape = [1, 4, 0, 2];
    let empty = SampleRequest {
        latent: Tensor::zeros(shape, device),
        noise: Tensor::zeros(shape, device),
        ..plain()
    };
    assert!(message(empty).contains("must not be empty"));
    let nothing = ClassifierFree::positive(vec![Conditioning::new(
        Tensor::zeros([1, 0, 2], device),
        None,
    )]);
    assert!(
        message(SampleRequest {
            guidance: &nothing,
            ..plain()
        })
        .contains("at least one token")
    );
}

/// Gives what is no number unless it was loaded to be exact.
struct Overflowing {
    is_exact: bool,
}

impl Network for Overflowing {
    fn forward(&self, input: NetworkInput) -> Result<Tensor<4>> {
        let overflow = if self.is_exact { 1.0 } else { f32::INFINITY };
        Ok(input.x.zeros_like() * overflow)
    }

    fn in_channels(&self) -> usize {
        4
    }
}

#[test]
fn what_is_no_number_in_half_precision_is_computed_again() {
    let device = ComputeDevice::imitating_a_card();
    let loads = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&loads);
    let load = move |room: &Arc<Room>| -> Result<Arc<dyn Network>> {
        count.fetch_add(1, Ordering::Relaxed);
        let is_exact = room.is_exact();
        Ok(Arc::new(Overflowing { is_exact }))
    };
    let network = Resident::new(device.residency(), "overflowing", |_| 0, load);
    let model = Model {
        network,
        ..model(Overflowing { is_exact: true }, &device)
    };
    let texts = guided([vec![text(0.4, 1, 3)], vec![]]);
    let sampler = find_sampler("euler").unwrap();
    for loaded in [2, 2] {
        let request = request(&model, &texts, sampler, vec![2.0, 0.0], [2, 2]);
        run(request).unwrap();
        // The second run begins exactly.
        assert_eq!(loads.load(Ordering::Relaxed), loaded);
    }
    // What is no number in any case is an error, and not the network's fault.
    let request = SampleRequest {
        noise: Tensor::full([1, 4, 2, 2], f32::NAN, device.tensor_device()),
        ..request(&model, &texts, sampler, vec![2.0, 0.0], [2, 2])
    };
    assert!(matches!(run(request), Err(Error::NotFinite { .. })));
    assert_eq!(loads.load(Ordering::Relaxed), 2);
}

#[test]
fn a_result_that_is_no_number_is_an_error() {
    let (_, model) = formula();
    let texts = guided([vec![text(f32::NAN, 1, 3)], vec![]]);
    let request = request(
        &model,
        &texts,
        find_sampler("euler").unwrap(),
        vec![2.0, 0.0],
        [2, 2],
    );
    assert!(matches!(run(request), Err(Error::NotFinite { .. })));
}
