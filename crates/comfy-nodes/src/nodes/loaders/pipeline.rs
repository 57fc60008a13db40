//! `DiffusersLoader`.

use std::path::Path;

use comfy_diffusion::open_diffusers_folder;
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use crate::errors::{from_diffusion, from_folders};
use crate::nodes::checkpoint_loader_simple::{LoadedCheckpoint, parts};
use crate::runtime::Runtime;
use crate::sockets::PipelineName;

/// Opens a folder as the library diffusers saves models, with a folder for each part.
#[derive(Debug, NodeSpec)]
#[node(
    id = "DiffusersLoader",
    category = "advanced/loaders/deprecated",
    module = "nodes"
)]
pub struct DiffusersLoader {
    /// A folder in models/diffusers with a file `model_index.json`.
    model_path: PipelineName,
}

impl Node for DiffusersLoader {
    type Output = LoadedCheckpoint;

    fn run(self, context: &mut NodeContext<'_>) -> Result<LoadedCheckpoint, NodeError> {
        let runtime = context.service::<Runtime>()?;
        let name = self.model_path.0;
        let index = format!("{name}/{}", crate::pipelines::INDEX);
        let index = runtime
            .folders()
            .find("diffusers", &index)
            .map_err(from_folders)?;
        let folder = index.parent().unwrap_or(Path::new(""));
        let opened = open_diffusers_folder(folder, &runtime.device()?).map_err(from_diffusion)?;
        let (model, clip, vae) = parts(&runtime, opened, &name);
        Ok(LoadedCheckpoint { model, clip, vae })
    }
}
