//! Makes a picture larger with an upscale model: `cargo run --release --example upscale -- MODEL PICTURE OUT.png`

use std::path::Path;

use burn::tensor::{Tensor, TensorData};
use comfy_diffusion::UpscaleModel;
use comfy_diffusion::device::ComputeDevice;
use comfy_nodes::pictures::{ReadLimits, read};
use comfy_nodes::resize::bytes_from_units;
use comfy_nodes::sockets::values_of;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, picture, out] = arguments.as_slice() else {
        return Err("expected a model, a picture and the name of a new PNG file".into());
    };
    let device = ComputeDevice::cpu();
    let model = UpscaleModel::open(Path::new(model), &device)?;
    let pictures = read(Path::new(picture), &ReadLimits::default())?;
    let frame = pictures.frames.into_iter().next().ok_or("no frame")?;
    let values: Vec<f32> = frame
        .rgb
        .iter()
        .map(|byte| f32::from(*byte) / 255.0)
        .collect();
    let values = TensorData::new(values, [1, frame.height, frame.width, 3]);
    let values = Tensor::<4>::from_data(values, device.tensor_device());
    let larger = model.upscale(values, &mut |done, count| {
        eprintln!("tile {done} of {count}");
        Ok(())
    })?;
    let [_, height, width, _] = larger.dims();
    let bytes = bytes_from_units(&values_of(larger)?);
    image::save_buffer(
        out,
        &bytes,
        u32::try_from(width)?,
        u32::try_from(height)?,
        image::ColorType::Rgb8,
    )?;
    Ok(())
}
