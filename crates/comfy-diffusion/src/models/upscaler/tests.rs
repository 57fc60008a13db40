//! Every kind of upscaler against what spandrel made of the same picture.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use comfy_fixtures::{assert_close, golden};

use super::super::testing::{recorded, weights};
use super::*;

const CASES: [&str; 15] = [
    "list_2x.safetensors",
    "list_8x.safetensors",
    "plus_4x.safetensors",
    "second_1x.safetensors",
    "second_4x.safetensors",
    "unshuffled_2x.safetensors",
    "unshuffled_1x.pth",
    "compact_4x.safetensors",
    "compact_1x.safetensors",
    "swin_direct_2x.safetensors",
    "swin_steps_3x.safetensors",
    "swin_steps_4x.safetensors",
    "swin_doublings_4x.safetensors",
    "swin_residual_1x.safetensors",
    "swin_grey_1x.safetensors",
];

fn open(file: &str) -> Result<UpscalerFile> {
    let path = comfy_fixtures::path(&format!("upscalers/{file}"));
    UpscalerFile::new(Weights::open(&path).unwrap())
}

fn values(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

#[test]
fn every_kind_equals_its_recording() {
    let device = ComputeDevice::cpu();
    let golden = golden("upscalers");
    for file in CASES {
        let (name, _) = file.split_once('.').unwrap();
        let upscaler = open(file).unwrap();
        let network = upscaler.load(&Arc::default(), &device).unwrap();
        let scale = name.rsplit('_').next().unwrap().trim_end_matches('x');
        assert_eq!(network.scale().to_string(), scale, "{name}");
        let picture: Tensor<4> = recorded(&golden, &format!("{name}/in"), &device);
        let [_, channels, height, width] = picture.dims();
        assert_eq!(network.channels(), channels, "{name}");
        let got = enlarge(&*network, picture);
        let size = [height, width].map(|side| side * network.scale());
        assert_eq!(got.dims(), [1, channels, size[0], size[1]], "{name}");
        assert_close(
            name,
            &values(got),
            &golden.f32(&format!("{name}/out")),
            1e-4,
        );
        let unused: Vec<&str> = upscaler.weights().unused("").collect();
        assert!(unused.is_empty(), "{name}: {unused:?}");
    }
}

#[test]
fn the_recorded_model_gives_the_recorded_picture() {
    let device = ComputeDevice::cpu();
    let upscaler = UpscalerFile::new(weights("esrgan_x4_tiny")).unwrap();
    let network = upscaler.load(&Arc::default(), &device).unwrap();
    let golden = golden("esrgan_x4_tiny");
    let image: Tensor<4> = recorded(&golden, "image", &device);
    let got = enlarge(&*network, image.permute([0, 3, 1, 2])).permute([0, 2, 3, 1]);
    assert_close("upscaled", &values(got), &golden.f32("upscaled"), 1e-4);
}

#[test]
fn other_files_are_told_apart() {
    for (file, says) in [
        ("taesd_decoder", "upscale models known here are"),
        ("sd15_tiny", "upscale models known here are"),
    ] {
        let error = UpscalerFile::new(weights(file)).err().unwrap().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn networks_that_contradict_themselves_are_refused() {
    let device = ComputeDevice::cpu();
    let weights = |change: &dyn Fn(&str) -> Option<String>| {
        let path = comfy_fixtures::path("upscalers/compact_4x.safetensors");
        let weights = Weights::open(&path).unwrap();
        weights.arranged(|name, _| {
            let name = change(name);
            name.map(|name| (name, crate::weights::View::Whole))
                .into_iter()
                .collect()
        })
    };
    let missing = weights(&|name| (name != "body.5.weight").then(|| name.to_owned()));
    let swapped = weights(&|name| {
        Some(match name {
            "body.0.weight" => "body.2.weight".to_owned(),
            "body.2.weight" => "body.0.weight".to_owned(),
            other => other.to_owned(),
        })
    });
    for wrong in [missing, swapped] {
        let error = UpscalerFile::new(wrong)
            .unwrap()
            .load(&Arc::default(), &device)
            .err()
            .unwrap();
        assert!(error.to_string().contains("compact_4x"), "{error}");
    }
}

#[test]
fn pictures_end_in_their_mirror_image() {
    let device = ComputeDevice::cpu();
    let row = Tensor::<1>::from_floats([1.0, 2.0, 3.0], device.tensor_device());
    let longer = extend(row.reshape([1, 1, 1, 3]), [2, 7]);
    let expected = [1.0, 2.0, 3.0, 2.0, 1.0, 1.0, 1.0];
    assert_eq!(values(longer), [expected, expected].concat());
}
