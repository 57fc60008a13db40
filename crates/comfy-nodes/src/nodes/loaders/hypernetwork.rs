//! `HypernetworkLoader`.

use std::sync::Arc;

use comfy_diffusion::models::hypernetwork::Hypernetworking;
use comfy_diffusion::open_hypernetwork;
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use super::LoadedModel;
use crate::errors::{from_diffusion, from_folders};
use crate::runtime::Runtime;
use crate::sockets::{HypernetworkName, Model};

/// Changes what the attention of a model reads by a hypernetwork. Several can follow each other.
#[derive(Debug, NodeSpec)]
#[node(
    id = "HypernetworkLoader",
    category = "loaders",
    module = "comfy_extras.nodes_hypernetwork"
)]
pub struct HypernetworkLoader {
    /// The diffusion model to change.
    model: Model,
    /// A file in the folder models/hypernetworks.
    hypernetwork_name: HypernetworkName,
    /// How strongly it is changed; negative values change it the other way.
    #[input(default = 1.0, min = -10.0, max = 10.0, step = 0.01)]
    strength: f64,
}

impl Node for HypernetworkLoader {
    type Output = LoadedModel;

    fn run(self, context: &mut NodeContext<'_>) -> Result<LoadedModel, NodeError> {
        let runtime = context.service::<Runtime>()?;
        let path = runtime
            .folders()
            .find("hypernetworks", &self.hypernetwork_name.0)
            .map_err(from_folders)?;
        let network = open_hypernetwork(&path, &runtime.device()?).map_err(from_diffusion)?;
        let hook = Hypernetworking {
            network,
            strength: self.strength,
        };
        let model = self.model.with_hooks(|mut hooks| {
            hooks.network = hooks.network.with(Arc::new(hook));
            hooks
        })?;
        Ok(LoadedModel { model })
    }
}
