//! Pictures of the work in progress.

use burn::tensor::Tensor;
use comfy_diffusion::Vae;
use comfy_diffusion::sampling::LatentFormat;
use comfy_diffusion::sampling::preview::latent_to_rgb;
use comfy_graph::{Json, Preview, PreviewFormat};
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

use crate::resize::{Shape, bytes_from_units, fit_bytes};
use crate::runtime::{PreviewMethod, Runtime};
use crate::sockets::values_of;

/// JPEG's scale of 1 to 100.
const QUALITY: u8 = 95;

/// Makes previews as the application wants them.
#[derive(Debug, Clone)]
pub struct Previewer {
    side: usize,
    format: LatentFormat,
    /// The tiny autoencoder that decodes latents of the format, where one is wanted and there.
    decoder: Option<Vae>,
}

impl Previewer {
    /// For latents of a format; nothing when no previews are wanted. `asked` is what the client asked for with its prompt
    /// (`extra_data.preview_method`): the name of a method, or anything else for the application's choice.
    pub fn new(runtime: &Runtime, format: &LatentFormat, asked: Option<&Json>) -> Option<Self> {
        let options = runtime.options();
        let asked = asked
            .and_then(Json::as_str)
            .and_then(|name| name.parse().ok());
        let method = asked.unwrap_or(options.preview);
        let side = options.preview_size as usize;
        if method == PreviewMethod::None || side == 0 {
            return None;
        }
        let decoder = (method == PreviewMethod::Taesd).then(|| decoder(runtime, format));
        Some(Self {
            side,
            format: *format,
            decoder: decoder.flatten(),
        })
    }

    /// A picture of the first member of a clean latent in the model's scale, as JPEG that fits the square. A preview that cannot be
    /// made is logged and left out: it is not worth failing for.
    pub fn render(&self, x0: &Tensor<4>) -> Option<Preview> {
        let bytes = self.encode(x0);
        bytes
            .map_err(|reason| tracing::warn!(%reason, "no preview of this step"))
            .ok()
            .map(|bytes| Preview {
                format: PreviewFormat::Jpeg,
                bytes,
            })
    }

    fn encode(&self, x0: &Tensor<4>) -> Result<Vec<u8>, String> {
        let (width, height, rgb) = self.picture(x0)?;
        let from = Shape {
            height,
            width,
            channels: 3,
        };
        let (height, width, rgb) =
            fit_bytes(&rgb, from, self.side).map_err(|error| error.to_string())?;
        let mut file = Vec::new();
        JpegEncoder::new_with_quality(&mut file, QUALITY)
            .encode(&rgb, width as u32, height as u32, ExtendedColorType::Rgb8)
            .map_err(|error| error.to_string())?;
        Ok(file)
    }

    /// Width, height and bytes of the picture.
    fn picture(&self, x0: &Tensor<4>) -> Result<(usize, usize, Vec<u8>), String> {
        let Some(decoder) = &self.decoder else {
            return latent_to_rgb(&self.format, x0).map_err(|error| error.to_string());
        };
        if x0.dims()[0] == 0 {
            return Err("expected a latent of at least one picture".to_owned());
        }
        let decoded = decoder.decode(x0.clone().narrow(0, 0, 1));
        let decoded = decoded.map_err(|error| error.to_string())?;
        let [_, height, width, channels] = decoded.dims();
        if channels != 3 {
            return Err(format!(
                "the tiny autoencoder gave {channels} channels, expected 3"
            ));
        }
        let values = values_of(decoded).map_err(|error| error.to_string())?;
        Ok((width, height, bytes_from_units(&values)))
    }
}

/// The tiny autoencoder for latents of a format. It works on the network's scale.
fn decoder(runtime: &Runtime, format: &LatentFormat) -> Option<Vae> {
    let start = format.preview_decoder?;
    let folders = runtime.folders();
    let files = folders.list("vae_approx").unwrap_or_default();
    let Some(file) = files.iter().find(|file| file.starts_with(start)) else {
        tracing::warn!(
            "previews by tiny autoencoders are wanted, but there is no file `{start}` in the model folder vae_approx; colours are guessed instead"
        );
        return None;
    };
    let path = folders.find("vae_approx", file).ok()?;
    let opened = runtime.device().and_then(|device| {
        Vae::open_tiny(None, Some(&path), None, &device).map_err(crate::errors::from_diffusion)
    });
    opened
        .map_err(|reason| tracing::warn!(%reason, "colours are guessed instead"))
        .ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use std::sync::Arc;

    use burn::tensor::TensorData;
    use comfy_diffusion::device::{DevicePlan, DeviceRequest};

    use super::*;
    use crate::folders::{Folders, FoldersOptions};
    use crate::runtime::RuntimeOptions;
    use crate::sockets::host_device;

    fn preview(base: &std::path::Path, method: PreviewMethod) -> Vec<u8> {
        let folders = Folders::new(FoldersOptions {
            base: base.to_path_buf(),
            ..FoldersOptions::default()
        });
        let runtime = Runtime::new(RuntimeOptions {
            folders: Arc::new(folders.unwrap()),
            device: DevicePlan::survey(DeviceRequest::Cpu).unwrap(),
            preview: method,
            preview_size: 64,
            metadata: true,
        });
        let previewer = Previewer::new(&runtime, &LatentFormat::SD15, None).unwrap();
        let latent = (0..4 * 4).map(|value| (value as f32).sin()).collect();
        let latent = TensorData::new(latent, [1, 4, 2, 2]);
        let latent = Tensor::<4>::from_data(latent, &host_device());
        previewer.render(&latent).unwrap().bytes
    }

    #[test]
    fn a_tiny_autoencoder_is_used_where_there_is_one() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("models/vae_approx");
        std::fs::create_dir_all(&folder).unwrap();
        let guessed = preview(base.path(), PreviewMethod::Latent2Rgb);
        // Without its file there is a picture all the same.
        assert_eq!(preview(base.path(), PreviewMethod::Taesd), guessed);
        let decoder = comfy_fixtures::checkpoint("taesd_decoder");
        std::fs::copy(decoder, folder.join("taesd_decoder.safetensors")).unwrap();
        let decoded = preview(base.path(), PreviewMethod::Taesd);
        assert_ne!(decoded, guessed);
        assert_eq!(preview(base.path(), PreviewMethod::Auto), guessed);
        let picture = image::load_from_memory(&decoded).unwrap();
        assert_eq!((picture.width(), picture.height()), (64, 64));
    }
}
