//! `UNETLoader`.

use comfy_diffusion::open_diffusion_model;
use comfy_diffusion::weights::Rounding;
use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec, Outputs};

use crate::errors::{from_diffusion, from_folders};
use crate::runtime::Runtime;
use crate::sockets::{DiffusionModelName, Model};

/// How weights are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum WeightType {
    /// As in the file.
    #[choice("default")]
    AsStored,
    /// In eight bits, four of them for the exponent.
    #[choice("fp8_e4m3fn")]
    E4m3,
    /// The same; where a device has faster arithmetic for it, that may be used.
    #[choice("fp8_e4m3fn_fast")]
    E4m3Fast,
    /// In eight bits, five of them for the exponent.
    #[choice("fp8_e5m2")]
    E5m2,
}

/// Opens a diffusion model that has a file of its own, without text encoder and autoencoder. Files in the layout of diffusers are
/// opened too.
#[derive(Debug, NodeSpec)]
#[node(
    id = "UNETLoader",
    name = "Load Diffusion Model",
    category = "advanced/loaders",
    module = "nodes"
)]
pub struct UnetLoader {
    /// A file in the folder `models/diffusion_models` or models/unet.
    unet_name: DiffusionModelName,
    /// How many bits the weights are rounded to; fewer bits make a slightly different picture.
    weight_dtype: WeightType,
}

/// The result of a node that gives a diffusion model.
#[derive(Debug, Outputs)]
pub struct LoadedModel {
    /// The diffusion model.
    #[output(name = "MODEL")]
    pub(in crate::nodes) model: Model,
}

impl Node for UnetLoader {
    type Output = LoadedModel;

    fn run(self, context: &mut NodeContext<'_>) -> Result<LoadedModel, NodeError> {
        let runtime = context.service::<Runtime>()?;
        let name = self.unet_name.0;
        let path = runtime
            .folders()
            .find("diffusion_models", &name)
            .map_err(from_folders)?;
        let rounding = match self.weight_dtype {
            WeightType::AsStored => Rounding::None,
            WeightType::E4m3 | WeightType::E4m3Fast => Rounding::E4m3,
            WeightType::E5m2 => Rounding::E5m2,
        };
        let model =
            open_diffusion_model(&path, rounding, &runtime.device()?).map_err(from_diffusion)?;
        Ok(LoadedModel {
            model: Model::new(Some(model), &name),
        })
    }
}
