//! Whole checkpoints: what they hold, and what is said of those that are wrong.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use std::path::Path;

use burn::tensor::Tensor;
use comfy_fixtures::{TensorEntry, assert_close, checkpoint, checkpoint_with, golden};

use super::*;
use crate::error::Error;
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
    let prefix = diffusion_prefix(&weights);
    let (family, facts) = Family::of(&weights.root().enter(prefix)).unwrap();
    let network = weights.root().enter(prefix);
    let marks = Marks {
        root: weights.root(),
        network,
        facts,
    };
    model(&weights, &marks, family, Rounding::None, &device)
        .unwrap()
        .network
        .get()
        .unwrap();
    Vae::at(&weights, "first_stage_model", &device)
        .unwrap()
        .decode(Tensor::zeros([1, 4, 1, 1], device.tensor_device()))
        .unwrap();
    family
        .text_encoder(&weights, &device)
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
        &[32, 7, 3, 3],
    ));
    assert!(text.contains("7 input"), "{text}");
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

/// Writes tensors of a file below a prefix, in diffusers' layout or as they are, into a file of their own.
fn part_of(source: &str, prefix: &str, target: &Path, rename: impl Fn(&str) -> String) {
    let bytes = std::fs::read(checkpoint(source)).unwrap();
    let length = u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let data = &bytes[8 + length..];
    let (mut entries, mut kept) = (serde_json::Map::new(), Vec::new());
    for (name, tensor) in header.as_object().unwrap() {
        let Some(rest) = name.strip_prefix(prefix) else {
            continue;
        };
        let offset = |index: usize| tensor["data_offsets"][index].as_u64().unwrap() as usize;
        let mut tensor = tensor.clone();
        tensor["data_offsets"] =
            serde_json::json!([kept.len(), kept.len() + offset(1) - offset(0)]);
        kept.extend_from_slice(&data[offset(0)..offset(1)]);
        entries.insert(rename(rest), tensor);
    }
    let header = serde_json::to_vec(&entries).unwrap();
    let length = (header.len() as u64).to_le_bytes();
    std::fs::create_dir_all(target.parent().unwrap()).unwrap();
    std::fs::write(target, [&length, header.as_slice(), &kept].concat()).unwrap();
}

/// The name of a UNet's tensor in diffusers' layout, for networks of two residual blocks a level.
fn diffusers_unet_name(name: &str, levels: usize) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    let number = |text: &str| text.parse::<usize>().unwrap();
    let layer = |kind: &str| if kind == "0" { "resnets" } else { "attentions" };
    let place = match parts.as_slice() {
        ["input_blocks", "0", "0", rest @ ..] => format!("conv_in.{}", rest.join(".")),
        ["input_blocks", stage, "0", "op", rest @ ..] => {
            format!(
                "down_blocks.{}.downsamplers.0.conv.{}",
                number(stage) / 3 - 1,
                rest.join(".")
            )
        }
        ["input_blocks", stage, kind, rest @ ..] => {
            let (level, block) = ((number(stage) - 1) / 3, (number(stage) - 1) % 3);
            format!(
                "down_blocks.{level}.{}.{block}.{}",
                layer(kind),
                rest.join(".")
            )
        }
        ["middle_block", "1", rest @ ..] => format!("mid_block.attentions.0.{}", rest.join(".")),
        ["middle_block", stage, rest @ ..] => {
            format!("mid_block.resnets.{}.{}", number(stage) / 2, rest.join("."))
        }
        ["output_blocks", stage, _, "conv", rest @ ..] => {
            format!(
                "up_blocks.{}.upsamplers.0.conv.{}",
                number(stage) / 3,
                rest.join(".")
            )
        }
        ["output_blocks", stage, kind, rest @ ..] => {
            let (level, block) = (number(stage) / 3, number(stage) % 3);
            format!(
                "up_blocks.{level}.{}.{block}.{}",
                layer(kind),
                rest.join(".")
            )
        }
        _ => name.to_owned(),
    };
    assert!(levels > 0);
    [
        ("in_layers.0", "norm1"),
        ("in_layers.2", "conv1"),
        ("emb_layers.1", "time_emb_proj"),
        ("out_layers.0", "norm2"),
        ("out_layers.3", "conv2"),
        ("skip_connection", "conv_shortcut"),
        ("time_embed.0", "time_embedding.linear_1"),
        ("time_embed.2", "time_embedding.linear_2"),
        ("label_emb.0.0", "add_embedding.linear_1"),
        ("label_emb.0.2", "add_embedding.linear_2"),
        ("out.0.", "conv_norm_out."),
        ("out.2.", "conv_out."),
    ]
    .iter()
    .fold(place, |name, (original, diffusers)| {
        // `to_out.0.weight` is the same in both.
        if name.contains("to_out") {
            name
        } else {
            name.replace(original, diffusers)
        }
    })
}

#[test]
fn a_diffusers_folder_is_the_same_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let at = |part: &str| folder.path().join(part);
    for (source, levels) in [("sd15_tiny", 4), ("sdxl_tiny", 3)] {
        part_of(
            source,
            "model.diffusion_model.",
            &at("unet/diffusion_pytorch_model.safetensors"),
            |name| diffusers_unet_name(name, levels),
        );
        let device = ComputeDevice::cpu();
        let whole = open_checkpoint(&checkpoint(source), &device)
            .unwrap()
            .model
            .unwrap();
        let model = open_diffusion_model(
            &at("unet/diffusion_pytorch_model.safetensors"),
            Rounding::None,
            &device,
        )
        .unwrap();
        assert_eq!(model.latent_format, whole.latent_format);
        let [_, network] = [&whole, &model].map(|model| model.network.get().unwrap());
        assert_eq!(network.in_channels(), 4);
        let original = Weights::open(&checkpoint(source)).unwrap();
        let converted = in_original_layout(
            Weights::open(&at("unet/diffusion_pytorch_model.safetensors")).unwrap(),
        );
        let prefix = "model.diffusion_model.";
        let names = |weights: &Weights, prefix: &str| -> Vec<String> {
            weights
                .names(prefix)
                .map(|name| name[prefix.len()..].to_owned())
                .collect()
        };
        assert_eq!(names(&converted, ""), names(&original, prefix), "{source}");
    }
    part_of(
        "sd15_tiny",
        "first_stage_model.",
        &at("vae/diffusion_pytorch_model.safetensors"),
        diffusers_name,
    );
    part_of(
        "sd15_tiny",
        "cond_stage_model.transformer.",
        &at("text_encoder/model.safetensors"),
        str::to_owned,
    );
    let opened = open_diffusers_folder(folder.path(), &ComputeDevice::cpu()).unwrap();
    assert!(opened.clip.unwrap().encode("cat").is_ok() && opened.vae.is_some());
    let error = open_diffusers_folder(&at("vae"), &ComputeDevice::cpu()).unwrap_err();
    assert!(error.to_string().contains("unet"), "{error}");
}

#[test]
fn text_encoders_of_their_own_are_those_of_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let at = |part: &str| folder.path().join(part);
    part_of(
        "sd15_tiny",
        "cond_stage_model.transformer.",
        &at("l.safetensors"),
        str::to_owned,
    );
    part_of(
        "sd2_tiny",
        "cond_stage_model.model.",
        &at("h.safetensors"),
        str::to_owned,
    );
    part_of(
        "sdxl_tiny",
        "conditioner.embedders.0.transformer.",
        &at("xl.safetensors"),
        str::to_owned,
    );
    part_of(
        "sdxl_tiny",
        "conditioner.embedders.1.model.",
        &at("g.safetensors"),
        str::to_owned,
    );
    let device = ComputeDevice::cpu();
    for (source, files, purpose) in [
        ("sd15_tiny", vec!["l"], "stable_diffusion"),
        ("sd2_tiny", vec!["h"], "stable_diffusion"),
        ("sdxl_tiny", vec!["xl", "g"], "sdxl"),
        ("sdxl_tiny", vec!["g", "xl"], "sdxl"),
    ] {
        let paths: Vec<_> = files
            .iter()
            .map(|name| at(&format!("{name}.safetensors")))
            .collect();
        let alone = open_text_encoder(&paths, purpose, &device).unwrap();
        let whole = open_checkpoint(&checkpoint(source), &device)
            .unwrap()
            .clip
            .unwrap();
        let [alone, whole] = [alone, whole].map(|clip| clip.encode("a (cat:1.2)").unwrap());
        assert_eq!(alone.cond.into_data(), whole.cond.into_data(), "{source}");
        assert_eq!(
            alone.pooled.unwrap().into_data(),
            whole.pooled.unwrap().into_data()
        );
    }
    let text = |files: &[&str], purpose| {
        let paths: Vec<_> = files
            .iter()
            .map(|name| at(&format!("{name}.safetensors")))
            .collect();
        open_text_encoder(&paths, purpose, &device)
            .unwrap_err()
            .to_string()
    };
    assert!(text(&["l", "h"], "sdxl").contains("ClipH"));
    assert!(text(&["l", "g"], "flux").contains("flux"));
    assert!(text(&["g"], "sd3").contains("sd3"));
    let unet = open_text_encoder(&[checkpoint("taesd_decoder")], "sdxl", &device);
    assert!(message(unet).contains("text_model.encoder"));
}
