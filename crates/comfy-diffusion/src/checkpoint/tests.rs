//! Whole checkpoints: what they hold, and what is said of those that are wrong.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::path::Path;

use burn::tensor::Tensor;
use comfy_fixtures::{TensorEntry, assert_close, checkpoint, checkpoint_with, golden};

use super::*;
use crate::sampling::Prediction;

fn opened(change: impl FnOnce(&mut Vec<TensorEntry>)) -> Result<Checkpoint> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.safetensors");
    checkpoint_with("sd15_tiny", &path, change);
    // The map outlives the name.
    open_checkpoint(&path, &ComputeDevice::cpu())
}

fn message<T>(result: Result<T>) -> String {
    result.err().expect("the checkpoint is wrong").to_string()
}

fn values(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

const RECORDED: &str = "vae_sd15_tiny";

fn recorded(tensor: &str) -> Tensor<4> {
    let (shape, values) = golden(RECORDED).tensor(tensor);
    let shape: [usize; 4] = shape.try_into().unwrap();
    Tensor::from_data(
        burn::tensor::TensorData::new(values, shape),
        ComputeDevice::cpu().tensor_device(),
    )
}

#[test]
fn a_checkpoint_is_opened_without_loading_and_unloads() {
    let device = ComputeDevice::cpu();
    let Checkpoint { model, clip, vae } =
        open_checkpoint(&checkpoint("sd15_tiny"), &device).unwrap();
    let (model, clip) = (model.unwrap(), clip.unwrap());
    assert!(vae.is_some());
    assert_eq!(model.sampling.prediction, Prediction::Epsilon);
    assert_eq!(device.residency().loaded(), [""; 0]);
    let before = clip.encode("cat").unwrap().cond.into_data();
    assert_eq!(model.network.get().unwrap().in_channels(), 4);
    assert_eq!(device.residency().loaded().len(), 2);
    assert_eq!(device.residency().unload_all(), 2);
    assert_eq!(clip.encode("cat").unwrap().cond.into_data(), before);
}

#[test]
fn nothing_of_the_tiny_checkpoint_is_left_unused() {
    let weights = Arc::new(Weights::open(&checkpoint("sd15_tiny")).unwrap());
    let device = ComputeDevice::cpu();
    let family = family_of(&weights.root().enter(diffusion_prefix(&weights))).unwrap();
    model(&weights, diffusion_prefix(&weights), family, &device)
        .network
        .get()
        .unwrap();
    Vae::at(&weights, "first_stage_model", &device)
        .unwrap()
        .decode(Tensor::zeros([1, 4, 1, 1], device.tensor_device()))
        .unwrap();
    (family.text_encoder)(&weights, &device)
        .unwrap()
        .encode("")
        .unwrap();
    assert_eq!(weights.unused("").collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn parts_may_be_absent() {
    let checkpoint =
        opened(|tensors| tensors.retain(|tensor| tensor.name.starts_with("model."))).unwrap();
    assert!(checkpoint.model.is_some() && checkpoint.clip.is_none() && checkpoint.vae.is_none());
}

#[test]
fn a_missing_tensor_is_named() {
    let name = "model.diffusion_model.middle_block.1.proj_out.weight";
    let checkpoint = opened(|tensors| tensors.retain(|tensor| tensor.name != name)).unwrap();
    let text = message(checkpoint.model.unwrap().network.get());
    assert!(
        text.contains(name) && text.contains("changed.safetensors"),
        "{text}"
    );
    let name = "cond_stage_model.transformer.text_model.encoder.layers.3.mlp.fc2.bias";
    let checkpoint = opened(|tensors| tensors.retain(|tensor| tensor.name != name)).unwrap();
    // A layer without a bias is known elsewhere; the text encoder's always have one.
    assert!(checkpoint.clip.unwrap().encode("cat").is_err());
}

#[test]
fn a_misshaped_tensor_is_named() {
    let reshape = |name: &'static str, shape: &'static [usize]| {
        opened(move |tensors| {
            tensors
                .iter_mut()
                .find(|tensor| tensor.name == name)
                .unwrap()
                .shape = shape.to_vec();
        })
        .unwrap()
    };
    let name = "cond_stage_model.transformer.text_model.encoder.layers.3.mlp.fc2.weight";
    let text = message(reshape(name, &[128, 255]).clip.unwrap().encode("cat"));
    assert!(
        text.contains(name) && text.contains("[128, 255]") && text.contains("[128, 256]"),
        "{text}"
    );
    let name = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight";
    let text = message(reshape(name, &[100, 128]).clip.unwrap().encode("cat"));
    assert!(text.contains(name) && text.contains("49408"), "{text}");
    let name = "model.diffusion_model.input_blocks.1.0.in_layers.2.weight";
    let text = message(reshape(name, &[32, 31, 3, 3]).model.unwrap().network.get());
    assert!(text.contains("input_blocks.1.0.in_layers.2"), "{text}");
    let name = "first_stage_model.decoder.mid.block_1.conv1.weight";
    let vae = reshape(name, &[7, 7, 3, 3]).vae.unwrap();
    let text = message(vae.decode(Tensor::zeros(
        [1, 4, 2, 2],
        ComputeDevice::cpu().tensor_device(),
    )));
    assert!(text.contains("decoder.mid.block_1.conv1"), "{text}");
}

#[test]
fn other_models_are_described() {
    let reshape = |name: &'static str, shape: &'static [usize]| {
        opened(move |tensors| {
            tensors
                .iter_mut()
                .find(|tensor| tensor.name == name)
                .unwrap()
                .shape = shape.to_vec();
        })
    };
    let text = message(reshape(
        "model.diffusion_model.input_blocks.0.0.weight",
        &[32, 9, 3, 3],
    ));
    assert!(text.contains("9 input"), "{text}");
    let text = message(opened(|tensors| {
        tensors.retain(|tensor| tensor.name.starts_with("first_stage_model."));
    }));
    assert!(
        text.contains("first_stage_model.decoder") && text.contains("Stable Diffusion 1"),
        "{text}"
    );
    let text = message(opened(Vec::clear));
    assert!(text.contains("no tensors"), "{text}");
    let text = message(Vae::open(
        &comfy_fixtures::path("embeddings/ref_emb128.safetensors"),
        &ComputeDevice::cpu(),
    ));
    assert!(text.contains("emb_params"), "{text}");
    assert!(matches!(
        open_checkpoint(Path::new("absent.safetensors"), &ComputeDevice::cpu()),
        Err(Error::Io { .. })
    ));
}

#[test]
fn pictures_and_latents_are_the_recorded_ones() {
    let vae = Vae::open(&checkpoint("sd15_tiny"), &ComputeDevice::cpu()).unwrap();
    for (latent, picture) in [("latent", "decoded"), ("latent_b2", "decoded_b2")] {
        let (shape, want) = golden(RECORDED).tensor(picture);
        let got = vae.decode(recorded(latent)).unwrap();
        assert_eq!(got.dims().to_vec(), shape);
        assert_close(picture, &values(got), &want, 1e-4);
    }
    for (picture, latent) in [("image", "encoded"), ("image_75x70", "encoded_75x70")] {
        let (shape, want) = golden(RECORDED).tensor(latent);
        let got = vae.encode(recorded(picture)).unwrap();
        assert_eq!(got.dims().to_vec(), shape);
        assert_close(latent, &values(got), &want, 1e-4);
    }
}

/// The name in diffusers' layout of a tensor of the tiny autoencoder, which has four resolutions.
fn diffusers_name(name: &str) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    let level = |text: &str| text.parse::<usize>().unwrap();
    let name = match parts.as_slice() {
        ["encoder", "down", at, "block", rest @ ..] => {
            format!("encoder.down_blocks.{at}.resnets.{}", rest.join("."))
        }
        ["encoder", "down", at, "downsample", rest @ ..] => {
            format!("encoder.down_blocks.{at}.downsamplers.0.{}", rest.join("."))
        }
        ["decoder", "up", at, "block", rest @ ..] => format!(
            "decoder.up_blocks.{}.resnets.{}",
            3 - level(at),
            rest.join(".")
        ),
        ["decoder", "up", at, "upsample", rest @ ..] => format!(
            "decoder.up_blocks.{}.upsamplers.0.{}",
            3 - level(at),
            rest.join(".")
        ),
        _ => name.to_owned(),
    };
    [
        ("mid.block_1", "mid_block.resnets.0"),
        ("mid.block_2", "mid_block.resnets.1"),
        ("attn_1.norm", "attn_1.group_norm"),
        ("attn_1.q", "attn_1.to_q"),
        ("attn_1.k", "attn_1.to_k"),
        ("attn_1.v", "attn_1.to_v"),
        ("attn_1.proj_out", "attn_1.to_out.0"),
        ("mid.attn_1", "mid_block.attentions.0"),
        ("nin_shortcut", "conv_shortcut"),
        ("norm_out", "conv_norm_out"),
    ]
    .iter()
    .fold(name, |name, (original, diffusers)| {
        name.replace(original, diffusers)
    })
}

#[test]
fn an_autoencoder_in_the_other_layout_is_the_same() {
    // The tiny checkpoint with another header: other names, and attention weights of two dimensions.
    let bytes = std::fs::read(checkpoint("sd15_tiny")).unwrap();
    let length = u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let renamed: serde_json::Map<_, _> = header
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, tensor)| {
            let Some(name) = name.strip_prefix("first_stage_model.") else {
                return (name.clone(), tensor.clone());
            };
            let (name, mut tensor) = (diffusers_name(name), tensor.clone());
            if name.contains("attentions") && name.ends_with("weight") && !name.contains("norm") {
                tensor["shape"].as_array_mut().unwrap().truncate(2);
            }
            (name, tensor)
        })
        .collect();
    let header = serde_json::to_vec(&renamed).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("diffusers.safetensors");
    let new_length = (header.len() as u64).to_le_bytes();
    std::fs::write(
        &path,
        [&new_length, header.as_slice(), &bytes[8 + length..]].concat(),
    )
    .unwrap();
    let device = ComputeDevice::cpu();
    let picture = |path: &Path| {
        values(
            Vae::open(path, &device)
                .unwrap()
                .decode(recorded("latent"))
                .unwrap(),
        )
    };
    assert_eq!(picture(&path), picture(&checkpoint("sd15_tiny")));
}

#[test]
fn pictures_that_cannot_be_encoded_are_refused() {
    let device = ComputeDevice::cpu();
    let vae = Vae::open(&checkpoint("sd15_tiny"), &device).unwrap();
    for shape in [[1, 7, 64, 3], [1, 64, 64, 1], [0, 64, 64, 3]] {
        assert!(
            vae.encode(Tensor::zeros(shape, device.tensor_device()))
                .is_err(),
            "{shape:?}"
        );
    }
    let text = message(vae.decode(Tensor::full([1, 4, 2, 2], f32::NAN, device.tensor_device())));
    assert!(text.contains("not finite"), "{text}");
}
