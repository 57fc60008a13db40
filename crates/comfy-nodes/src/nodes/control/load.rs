//! `ControlNetLoader` and `DiffControlNetLoader`.

use comfy_diffusion::open_control_net;
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec, Outputs};

use crate::errors::{from_diffusion, from_folders};
use crate::runtime::Runtime;
use crate::sockets::{ControlNet, ControlNetName, Model};

/// Opens a control net, a Control-LoRA or a T2I-adapter.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ControlNetLoader",
    name = "Load ControlNet Model",
    category = "loaders",
    module = "nodes"
)]
pub struct ControlNetLoader {
    /// A file in the folder models/controlnet or `models/t2i_adapter`.
    control_net_name: ControlNetName,
}

/// Opens a control net whose weights are differences from those of a model.
#[derive(Debug, NodeSpec)]
#[node(
    id = "DiffControlNetLoader",
    name = "Load ControlNet Model (diff)",
    category = "loaders",
    module = "nodes"
)]
pub struct DiffControlNetLoader {
    /// The model that the differences are added to.
    model: Model,
    /// A file in the folder models/controlnet or `models/t2i_adapter`.
    control_net_name: ControlNetName,
}

/// The result of a node that gives a control net.
#[derive(Debug, Outputs)]
pub struct LoadedControlNet {
    /// The control net.
    #[output(name = "CONTROL_NET")]
    pub control_net: ControlNet,
}

impl Node for ControlNetLoader {
    type Output = LoadedControlNet;

    fn run(self, context: &mut NodeContext<'_>) -> Result<LoadedControlNet, NodeError> {
        open(context, &self.control_net_name, None)
    }
}

impl Node for DiffControlNetLoader {
    type Output = LoadedControlNet;

    fn run(self, context: &mut NodeContext<'_>) -> Result<LoadedControlNet, NodeError> {
        open(context, &self.control_net_name, Some(&self.model))
    }
}

fn open(
    context: &mut NodeContext<'_>,
    name: &ControlNetName,
    model: Option<&Model>,
) -> Result<LoadedControlNet, NodeError> {
    let runtime = context.service::<Runtime>()?;
    let path = runtime
        .folders()
        .find("controlnet", &name.0)
        .map_err(from_folders)?;
    let model = model.map(Model::get).transpose()?;
    let net = open_control_net(&path, model, &runtime.device()?).map_err(from_diffusion)?;
    Ok(LoadedControlNet {
        control_net: ControlNet(net),
    })
}
