//! Models that enlarge pictures.

use comfy_graph::Socket;

/// A model that enlarges pictures. Its weights are loaded when it is used.
#[derive(Debug, Clone)]
pub struct UpscaleModel(pub comfy_diffusion::UpscaleModel);

impl Socket for UpscaleModel {
    const TYPE: &'static str = "UPSCALE_MODEL";
}
