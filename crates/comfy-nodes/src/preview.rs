//! Pictures of the work in progress.

use burn::tensor::Tensor;
use comfy_diffusion::sampling::LatentFormat;
use comfy_diffusion::sampling::preview::latent_to_rgb;
use comfy_graph::{Json, Preview, PreviewFormat};
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

use crate::resize::{Shape, fit_bytes};
use crate::runtime::{PreviewMethod, RuntimeOptions};

/// JPEG's scale of 1 to 100.
const QUALITY: u8 = 95;

/// Makes previews as the application wants them.
#[derive(Debug, Clone, Copy)]
pub struct Previewer {
    side: usize,
}

impl Previewer {
    /// Nothing when no previews are wanted. `asked` is what the client asked for with its prompt (`extra_data.preview_method`): the
    /// name of a method, or anything else for the application's choice.
    pub fn new(options: &RuntimeOptions, asked: Option<&Json>) -> Option<Self> {
        let asked = asked
            .and_then(Json::as_str)
            .and_then(|name| name.parse().ok());
        let method = asked.unwrap_or(options.preview);
        let side = options.preview_size as usize;
        (method != PreviewMethod::None && side > 0).then_some(Self { side })
    }

    /// A picture of the first member of a clean latent in the model's scale, as JPEG that fits the square. A preview that cannot be
    /// made is logged and left out: it is not worth failing for.
    pub fn render(self, format: &LatentFormat, x0: &Tensor<4>) -> Option<Preview> {
        let bytes = self.encode(format, x0);
        bytes
            .map_err(|reason| tracing::warn!(%reason, "no preview of this step"))
            .ok()
            .map(|bytes| Preview {
                format: PreviewFormat::Jpeg,
                bytes,
            })
    }

    fn encode(self, format: &LatentFormat, x0: &Tensor<4>) -> Result<Vec<u8>, String> {
        let (width, height, rgb) = latent_to_rgb(format, x0).map_err(|error| error.to_string())?;
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
}
