//! `UpscaleModelLoader`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec, Outputs};

use crate::errors::{from_diffusion, from_folders};
use crate::runtime::Runtime;
use crate::sockets::{UpscaleModel, UpscaleModelName};

/// Opens a model that makes pictures larger, or cleans them.
#[derive(Debug, NodeSpec)]
#[node(
    id = "UpscaleModelLoader",
    name = "Load Upscale Model",
    category = "loaders",
    module = "comfy_extras.nodes_upscale_model",
    v3
)]
pub struct UpscaleModelLoader {
    /// A file in the folder `models/upscale_models`.
    model_name: UpscaleModelName,
}

/// The result of [`UpscaleModelLoader`].
#[derive(Debug, Outputs)]
pub struct LoadedUpscaleModel {
    /// The upscale model.
    #[output(name = "UPSCALE_MODEL")]
    upscale_model: UpscaleModel,
}

impl Node for UpscaleModelLoader {
    type Output = LoadedUpscaleModel;

    fn run(self, context: &mut NodeContext<'_>) -> Result<LoadedUpscaleModel, NodeError> {
        let runtime = context.service::<Runtime>()?;
        let path = runtime
            .folders()
            .find("upscale_models", &self.model_name.0)
            .map_err(from_folders)?;
        let model = comfy_diffusion::UpscaleModel::open(&path, &runtime.device()?);
        Ok(LoadedUpscaleModel {
            upscale_model: UpscaleModel(model.map_err(from_diffusion)?),
        })
    }
}
