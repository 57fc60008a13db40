#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use comfy_fixtures::{checkpoint_with, golden};

use super::super::testing::{Comparison, recorded, weights};
use super::*;
use crate::weights::Weights;

const PREFIX: &str = "first_stage_model";

fn load() -> AutoencoderKl {
    let weights = weights("sd15_tiny");
    AutoencoderKl::load(&weights.root().enter(PREFIX), &ComputeDevice::cpu()).unwrap()
}

/// Pictures `[batch, height, width, 3]` of 0 to 1 from what a decoder gives, and back.
fn pictures(decoded: Tensor<4>) -> Tensor<4> {
    ((decoded + 1.0) / 2.0)
        .clamp(0.0, 1.0)
        .permute([0, 2, 3, 1])
}

fn pixels(pictures: Tensor<4>) -> Tensor<4> {
    pictures.permute([0, 3, 1, 2]) * 2.0 - 1.0
}

#[test]
fn the_decoder_computes_what_was_recorded() {
    let autoencoder = load();
    let golden = golden("vae_sd15_tiny");
    let device = ComputeDevice::cpu();
    assert_eq!(autoencoder.ratio(), 8);
    let mut parts = Comparison::new(&golden, "dec.");
    let latent = recorded(&golden, "latent", &device);
    let decoded = autoencoder
        .decode_observed(latent, &mut |name, value| parts.observe(name, value))
        .unwrap();
    // The norm before the last convolution is computed together with its activation.
    parts.finish(&["decoder.norm_out"]);
    let mut whole = Comparison::new(&golden, "decoded");
    whole.compare("", pictures(decoded));
    let latent = recorded(&golden, "latent_b2", &device);
    whole.compare("_b2", pictures(autoencoder.decode(latent).unwrap()));
    whole.finish(&[]);
}

#[test]
fn the_encoder_computes_what_was_recorded() {
    let autoencoder = load();
    let golden = golden("vae_sd15_tiny");
    let device = ComputeDevice::cpu();
    let mut parts = Comparison::new(&golden, "enc.");
    let image = pixels(recorded(&golden, "image", &device));
    let encoded = autoencoder
        .encode_observed(image, &mut |name, value| parts.observe(name, value))
        .unwrap();
    parts.finish(&["encoder.norm_out"]);
    let mut whole = Comparison::new(&golden, "encoded");
    whole.compare("", encoded);
    // 75 by 70 pixels are cut to multiples of eight around their centre.
    let image: Tensor<4> = recorded(&golden, "image_75x70", &device);
    let image = pixels(image.narrow(1, 1, 72).narrow(2, 3, 64));
    whole.compare("_75x70", autoencoder.encode(image).unwrap());
    whole.finish(&[]);
}

#[test]
fn inputs_that_do_not_fit_are_errors() {
    let autoencoder = load();
    let device = ComputeDevice::cpu();
    let zeros = |shape: [usize; 4]| Tensor::<4>::zeros(shape, device.tensor_device());
    let error = autoencoder.decode(zeros([1, 16, 8, 8])).unwrap_err();
    assert!(error.to_string().contains("4 channels"), "{error}");
    assert!(autoencoder.decode(zeros([1, 4, 8, 0])).is_err());
    let error = autoencoder.encode(zeros([1, 3, 64, 60])).unwrap_err();
    assert!(error.to_string().contains("multiples of 8"), "{error}");
    assert!(autoencoder.encode(zeros([1, 4, 64, 64])).is_err());
}

/// Loads a checkpoint without some tensors and with others reshaped.
fn changed(without: Option<&str>, reshaped: Option<(&str, &[usize])>) -> Result<AutoencoderKl> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("changed.safetensors");
    checkpoint_with("sd15_tiny", &path, |tensors| {
        tensors.retain(|entry| {
            without.is_none_or(|name| !entry.name.starts_with(&format!("{PREFIX}.{name}")))
        });
        if let Some((name, shape)) = reshaped {
            let name = format!("{PREFIX}.{name}");
            let entry = tensors.iter_mut().find(|entry| entry.name == name).unwrap();
            entry.shape = shape.to_vec();
        }
    });
    let weights = Weights::open(&path).unwrap();
    AutoencoderKl::load(&weights.root().enter(PREFIX), &ComputeDevice::cpu())
}

#[test]
fn files_that_do_not_fit_are_errors_that_name_the_place() {
    /// Tensors that are taken out, one that is reshaped, and the place that the error names.
    type Case = (
        Option<&'static str>,
        Option<(&'static str, &'static [usize])>,
        &'static str,
    );
    let cases: [Case; 5] = [
        (
            None,
            Some(("decoder.conv_in.weight", &[96, 4, 3, 3])),
            "decoder.conv_in",
        ),
        (
            Some("decoder.mid.attn_1.q.weight"),
            None,
            "decoder.mid.attn_1",
        ),
        (
            None,
            Some((
                "encoder.down.1.block.0.nin_shortcut.weight",
                &[64, 31, 1, 1],
            )),
            "encoder.down.1.block.0",
        ),
        (
            None,
            Some(("decoder.norm_out.weight", &[64])),
            "decoder.norm_out",
        ),
        (Some("decoder.up.3.upsample"), None, "do not fit each other"),
    ];
    for (without, reshaped, place) in cases {
        let error = changed(without, reshaped).unwrap_err().to_string();
        assert!(error.contains(place), "{place}: {error}");
    }
}

#[test]
fn convolutions_around_the_latent_are_optional() {
    // Without them the encoder gives eight channels and the decoder takes four, which fits.
    let autoencoder = changed(Some("quant_conv"), None).unwrap();
    assert_eq!(autoencoder.latent_channels(), 4);
    let autoencoder = changed(Some("post_quant_conv"), None).unwrap();
    assert_eq!(autoencoder.latent_channels(), 4);
}
