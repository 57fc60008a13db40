//! Synthetic checkpoints of every family against recordings.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use comfy_fixtures::{
    Golden, TensorEntry, assert_close, checkpoint, checkpoint_with, golden, relative_l2,
};

use super::*;
use crate::Model;
use crate::checkpoint::open_checkpoint;
use crate::models::NetworkInput;
use crate::models::testing::Comparison;
use crate::random::TorchGenerator;
use crate::sampling::{
    ClassifierFree, Conditioning, KSamplerSteps, LabelSource, Prediction, SAMPLERS, SampleRequest,
    find_sampler, find_scheduler, prepare_noise, sample,
};

const TOLERANCE: f64 = 1e-4;
const TEXT: &str = "a photo of a cat";
/// Features of each number in a label of sizes.
const NUMBERS: usize = 6 * 256;

fn recorded<const D: usize>(golden: &Golden, name: &str) -> Tensor<D> {
    let (shape, values) = golden.tensor(name);
    let shape: [usize; D] = shape.try_into().unwrap();
    let device = ComputeDevice::cpu();
    Tensor::from_data(TensorData::new(values, shape), device.tensor_device())
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

fn opened(name: &str) -> (Model, Clip) {
    let opened = open_checkpoint(&checkpoint(name), &ComputeDevice::cpu()).unwrap();
    (opened.model.unwrap(), opened.clip.unwrap())
}

/// The recorded texts, what is wanted first. The recorded call has the negative text first.
fn conditions(golden: &Golden) -> [Vec<Conditioning>; 2] {
    let contexts: Tensor<3> = recorded(golden, "fwd.context");
    [1, 0].map(|row| {
        let pooled = golden.has("fwd.y").then(|| {
            let label: Tensor<2> = recorded(golden, "fwd.y");
            let width = label.dims()[1] - NUMBERS;
            label.narrow(0, row, 1).narrow(1, 0, width)
        });
        vec![Conditioning::new(
            contexts.clone().narrow(0, row, 1),
            pooled,
        )]
    })
}

/// One call of the network, block by block where blocks were recorded.
fn check_forward(name: &str, file: &str) {
    let (golden, device) = (golden(file), ComputeDevice::cpu());
    let weights = Weights::open(&checkpoint(name)).unwrap();
    let scope = weights.root().enter("model.diffusion_model");
    let network = UNet::load(&scope, &device).unwrap();
    let input = NetworkInput {
        x: recorded(&golden, "fwd.x"),
        timesteps: recorded(&golden, "fwd.timesteps"),
        context: Some(recorded(&golden, "fwd.context")),
        label: golden.has("fwd.y").then(|| recorded(&golden, "fwd.y")),
        hooks: None,
    };
    let mut parts = Comparison::new(&golden, "blk.");
    let output = network
        .forward_observed(input, &mut |name, value| parts.observe(name, value))
        .unwrap();
    // What becomes of the label is added to the time before anything is told.
    parts.finish(&["label_emb"]);
    assert_close(file, &values(output), &golden.f32("fwd.out"), TOLERANCE);
    assert_eq!(weights.unused(scope.prefix()).count(), 0);
}

fn run(
    model: &Model,
    conditions: &[Vec<Conditioning>; 2],
    sampler: &str,
    scheduler: &str,
    steps: usize,
    [height, width]: [usize; 2],
) -> Vec<f32> {
    let shape = [1, 4, height, width];
    let device = model.device.tensor_device();
    let mut generator = TorchGenerator::new(42);
    let noise = prepare_noise(shape, &mut generator, None).unwrap();
    let guidance = ClassifierFree {
        positive: conditions[0].clone(),
        negative: conditions[1].clone(),
        scale: 7.0,
    };
    let sampler = find_sampler(sampler).unwrap();
    let request = SampleRequest {
        model,
        guidance: &guidance,
        latent: Tensor::zeros(shape, device),
        noise: Tensor::from_data(TensorData::new(noise, shape), device),
        sampler,
        sigmas: KSamplerSteps::new(steps)
            .sigmas(&model.sampling, find_scheduler(scheduler).unwrap(), sampler)
            .unwrap(),
        noise_mask: None,
        seed: 42,
        generator,
    };
    values(sample(request, &mut |_| ControlFlow::Continue(())).unwrap())
}

/// From noise to the final latent.
fn check_whole(name: &str, file: &str) {
    let (model, _) = opened(name);
    let golden = golden(file);
    let [height, width] = golden.tensor("final").0[2..].try_into().unwrap();
    let conditions = conditions(&golden);
    if let Some(rule) = &model.label {
        let labels: Tensor<2> = recorded(&golden, "fwd.y");
        for (row, condition) in [1, 0].into_iter().zip(&conditions) {
            let label = rule.label(&LabelSource {
                pooled: condition[0].pooled.as_ref(),
                hints: &condition[0].hints,
                height: 8.0 * height as f64,
                width: 8.0 * width as f64,
                is_negative: row == 0,
                seed: 42,
                device: &model.device,
            });
            let want = values(labels.clone().narrow(0, row, 1));
            let got = values(label.unwrap());
            assert_close(&format!("{file} label"), &got, &want, TOLERANCE);
        }
    }
    let got = run(&model, &conditions, "euler", "normal", 4, [height, width]);
    assert_close(file, &got, &golden.f32("final"), TOLERANCE);
}

#[test]
fn stable_diffusion_2_equals_the_recordings() {
    check_forward("sd2_tiny", "forward_sd2_tiny");
    check_whole("sd2_tiny", "forward_sd2_tiny");
    let (_, clip) = opened("sd2_tiny");
    let got = values(clip.encode(TEXT).unwrap().cond);
    let want = golden("clip_layers_sd2_tiny").f32("cond");
    assert_close("text", &got, &want, TOLERANCE);
}

#[test]
fn velocities_are_recognised_and_equal_the_recordings() {
    let (model, _) = opened("sd2_v_tiny");
    assert_eq!(model.sampling.prediction, Prediction::Velocity);
    check_whole("sd2_v_tiny", "forward_sd2_v_tiny");
    let levels = golden("sigmas_sd2_v_tiny").f32("table.sigmas");
    assert_close("levels", model.sampling.table.sigmas(), &levels, 1e-6);
}

#[test]
fn stable_diffusion_xl_equals_the_recordings() {
    check_forward("sdxl_tiny", "forward_sdxl_tiny");
    check_whole("sdxl_tiny", "forward_sdxl_tiny");
    check_whole("sdxl_tiny", "forward_sdxl_tiny_12x8");
}

#[test]
fn samplers_on_xl_equal_the_recordings() {
    let (model, _) = opened("sdxl_tiny");
    let conditions = conditions(&golden("forward_sdxl_tiny"));
    let golden = golden("samplers_sdxl_tiny");
    let mut compared = 0;
    let mut wrong = Vec::new();
    for sampler in SAMPLERS {
        let name = format!("{}.karras", sampler.name);
        if !golden.has(&name) {
            continue;
        }
        let got = run(&model, &conditions, sampler.name, "karras", 8, [8, 8]);
        let difference = relative_l2(&got, &golden.f32(&name));
        if difference > TOLERANCE {
            wrong.push(format!("{name} differs by {difference:.1e}"));
        }
        compared += 1;
    }
    assert!(
        wrong.is_empty() && compared > 40,
        "{compared} compared: {wrong:#?}"
    );
}

#[test]
fn two_text_encoders_give_the_recorded_vectors() {
    let clip = open_checkpoint(&checkpoint("sdxl_tiny"), &ComputeDevice::cpu())
        .unwrap()
        .clip
        .unwrap();
    let golden = golden("clip_sdxl_tiny");
    let prompts: Vec<String> =
        serde_json::from_value(comfy_fixtures::json("golden/prompts.json")).unwrap();
    let mut compared = 0;
    for (index, prompt) in prompts.iter().enumerate() {
        let skips =
            [-1, -2, -3].map(|skip| (format!("p{index}.skip{skip}"), clip.with_last_layer(skip)));
        for (name, clip) in skips
            .into_iter()
            .chain([(format!("p{index}"), clip.clone())])
        {
            if !golden.has(&format!("{name}.cond")) {
                continue;
            }
            let encoded = clip.encode(prompt).unwrap();
            for (part, got) in [
                ("cond", values(encoded.cond)),
                ("pooled", values(encoded.pooled.unwrap())),
            ] {
                let part = format!("{name}.{part}");
                assert_close(&part, &got, &golden.f32(&part), TOLERANCE);
            }
            compared += 1;
        }
    }
    assert!(compared >= 8, "{compared}");
}

#[test]
fn every_recorded_layer_of_openclip_is_the_same() {
    use crate::checkpoint::layout::in_original_layout;
    use crate::text::clip_model::ClipTextModel;
    use crate::text::token::chunks_of_prompt;
    use crate::weights::{Rounding, TensorSource};
    for (name, prefix, kind, place) in [
        (
            "sd2_tiny",
            "cond_stage_model.model",
            crate::text::CLIP_H_PENULTIMATE,
            "clip_h",
        ),
        (
            "sdxl_tiny",
            "conditioner.embedders.1.model",
            crate::text::CLIP_G_PENULTIMATE,
            "clip_g",
        ),
        (
            "sdxl_tiny",
            "conditioner.embedders.0.transformer",
            crate::text::CLIP_L_PENULTIMATE,
            "clip_l",
        ),
    ] {
        let weights = Arc::new(in_original_layout(
            Weights::open(&checkpoint(name)).unwrap(),
        ));
        let device = ComputeDevice::cpu();
        let source = TensorSource::new(&weights, prefix, Rounding::Half);
        let model = ClipTextModel::load(&source, kind.activation, &device).unwrap();
        let chunks = chunks_of_prompt(TEXT, kind.rules, None).unwrap();
        let outputs = model.layer_outputs(&chunks, kind.rules.padding).unwrap();
        let golden = golden(&format!("clip_layers_{name}"));
        let mut compared = 0;
        for (index, output) in outputs.into_iter().enumerate() {
            let part = if index == model.depth() {
                "final_layer_norm".to_owned()
            } else {
                format!("encoder.layers.{index}")
            };
            let part = format!("{place}.transformer.text_model.{part}");
            if golden.has(&part) {
                assert_close(&part, &values(output), &golden.f32(&part), TOLERANCE);
                compared += 1;
            }
        }
        assert!(compared >= 4, "{name}");
    }
}

#[test]
fn the_autoencoder_of_xl_is_the_same() {
    let vae = open_checkpoint(&checkpoint("sdxl_tiny"), &ComputeDevice::cpu())
        .unwrap()
        .vae
        .unwrap();
    let golden = golden("vae_sdxl_tiny");
    let decoded = vae.decode(recorded(&golden, "latent")).unwrap();
    assert_close(
        "decoded",
        &values(decoded),
        &golden.f32("decoded"),
        TOLERANCE,
    );
    let encoded = vae.encode(recorded(&golden, "image_75x70")).unwrap();
    assert_close(
        "encoded",
        &values(encoded),
        &golden.f32("encoded_75x70"),
        TOLERANCE,
    );
}

#[test]
fn tiles_equal_the_recordings() {
    let vae = open_checkpoint(&checkpoint("sdxl_tiny"), &ComputeDevice::cpu())
        .unwrap()
        .vae
        .unwrap();
    let golden = golden("vae_sdxl_tiny");
    let decoded = vae
        .decode_tiled(recorded(&golden, "latent_24x20"), 16, 4)
        .unwrap();
    let name = "decoded_24x20_tiled16_ov4";
    assert_close(name, &values(decoded), &golden.f32(name), TOLERANCE);
    let encoded = vae
        .encode_tiled(recorded(&golden, "image_160x128"), 64, 16)
        .unwrap();
    let name = "encoded_160x128_tiled64_ov16";
    assert_close(name, &values(encoded), &golden.f32(name), TOLERANCE);
}

/// A checkpoint whose list of tensors was changed.
fn changed(name: &str, change: impl FnOnce(&mut Vec<TensorEntry>)) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.safetensors");
    checkpoint_with(name, &path, change);
    (folder, path)
}

fn model_of(name: &str, change: impl FnOnce(&mut Vec<TensorEntry>)) -> Model {
    let (_folder, path) = changed(name, change);
    open_checkpoint(&path, &ComputeDevice::cpu())
        .unwrap()
        .model
        .unwrap()
}

fn mark(tensors: &mut Vec<TensorEntry>, name: &str, shape: &[usize]) {
    let mut entry = tensors
        .iter()
        .find(|entry| entry.shape.len() == 1)
        .unwrap()
        .clone();
    entry.name = name.to_owned();
    entry.shape = shape.to_vec();
    tensors.push(entry);
}

#[test]
fn marks_tell_how_xl_was_trained() {
    let playground = model_of("sdxl_tiny", |tensors| {
        mark(tensors, "edm_mean", &[1, 4, 1, 1]);
        mark(tensors, "edm_std", &[1, 4, 1, 1]);
    });
    assert_eq!(playground.sampling.prediction, Prediction::Edm);
    assert_eq!(playground.latent_format, LatentFormat::PLAYGROUND);
    assert!((playground.sampling.table.sigma_max() - 80.0).abs() < 1e-3);
    let velocities = model_of("sdxl_tiny", |tensors| mark(tensors, "v_pred", &[0]));
    assert_eq!(velocities.sampling.prediction, Prediction::Velocity);
    assert!((velocities.sampling.table.sigma_max() - 14.6146).abs() < 1e-3);
    let zero = model_of("sdxl_tiny", |tensors| {
        mark(tensors, "v_pred", &[0]);
        mark(tensors, "ztsnr", &[0]);
    });
    assert!(zero.sampling.table.sigma_max() > 4500.0);
    let plain = model_of("sdxl_tiny", |_| {});
    assert_eq!(plain.sampling.prediction, Prediction::Epsilon);
    assert_eq!(plain.latent_format, LatentFormat::SDXL);
}

#[test]
fn further_input_channels_tell_what_stands_beside() {
    let widen = |channels: usize| {
        move |tensors: &mut Vec<TensorEntry>| {
            let name = "model.diffusion_model.input_blocks.0.0.weight";
            let entry = tensors.iter_mut().find(|entry| entry.name == name).unwrap();
            entry.shape[1] = channels;
        }
    };
    for name in ["sd15_tiny", "sdxl_tiny"] {
        assert_eq!(model_of(name, widen(9)).beside, BesideRule::MaskAndLatent);
        let instructed = BesideRule::Latent { scale: 1.0 };
        assert_eq!(model_of(name, widen(8)).beside, instructed);
    }
    assert_eq!(
        model_of("sd2_tiny", widen(9)).beside,
        BesideRule::MaskAndLatent
    );
    // Velocities are looked for in models of four channels only.
    let inpainting = model_of("sd2_v_tiny", widen(9));
    assert_eq!(inpainting.sampling.prediction, Prediction::Epsilon);
    let (_folder, path) = changed("sd2_tiny", widen(7));
    let error = open_checkpoint(&path, &ComputeDevice::cpu()).unwrap_err();
    assert!(error.to_string().contains("7 input"), "{error}");
}

#[test]
fn labels_and_depths_tell_the_families_apart() {
    let facts = |first_depth, last_depth, label_width| UnetFacts {
        in_channels: 4,
        out_channels: 4,
        context_width: Some(1024),
        has_linear_projections: true,
        label_width,
        is_temporal: false,
        first_depth,
        last_depth,
    };
    for (facts, name) in [
        (facts(1, 0, None), "Stable Diffusion 2"),
        (facts(1, 0, Some(1536)), "Stable unCLIP 2.1"),
        (facts(1, 0, Some(2048)), "Stable unCLIP 2.1"),
        (facts(0, 10, Some(2816)), "Stable Diffusion XL"),
        // SSD-1B, Vega, KOALA
        (facts(0, 4, Some(2816)), "Stable Diffusion XL"),
        (facts(0, 2, Some(2816)), "Stable Diffusion XL"),
        (facts(0, 5, Some(2816)), "Stable Diffusion XL"),
        (facts(0, 0, Some(2560)), "Stable Diffusion XL refiner"),
    ] {
        let found: Vec<&str> = FAMILIES
            .iter()
            .filter(|family| (family.matches)(&facts))
            .map(|family| family.name)
            .collect();
        assert_eq!(found, [name]);
    }
    assert!(
        FAMILIES
            .iter()
            .all(|family| !(family.matches)(&facts(1, 0, Some(4))))
    );
}
