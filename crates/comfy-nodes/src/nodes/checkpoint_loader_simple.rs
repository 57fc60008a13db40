//! `CheckpointLoaderSimple`.

use std::path::Path;
use std::sync::Arc;

use comfy_diffusion::{Checkpoint, open_checkpoint};
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec, Outputs};

use crate::embeddings::EmbeddingFolder;
use crate::errors::{from_diffusion, from_folders};
use crate::runtime::Runtime;
use crate::sockets::{CheckpointName, Clip, Model, Vae};

/// Opens a checkpoint: one file with the diffusion model, the text encoder and the autoencoder. Their weights are read when they
/// are first used.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CheckpointLoaderSimple",
    name = "Load Checkpoint",
    category = "loaders",
    module = "nodes"
)]
pub struct CheckpointLoaderSimple {
    /// A file in the folder models/checkpoints.
    ckpt_name: CheckpointName,
}

/// The parts of a checkpoint.
#[derive(Debug, Outputs)]
pub struct LoadedCheckpoint {
    /// The diffusion model, which removes noise from latents.
    #[output(name = "MODEL")]
    pub(super) model: Model,
    /// The text encoder, which turns prompts into conditioning.
    #[output(name = "CLIP")]
    pub(super) clip: Clip,
    /// The autoencoder, which goes between pictures and latents.
    #[output(name = "VAE")]
    pub(super) vae: Vae,
}

impl Node for CheckpointLoaderSimple {
    type Output = LoadedCheckpoint;

    fn run(self, context: &mut NodeContext<'_>) -> Result<LoadedCheckpoint, NodeError> {
        let runtime = context.service::<Runtime>()?;
        let path = runtime
            .folders()
            .find("checkpoints", &self.ckpt_name.0)
            .map_err(from_folders)?;
        let (model, clip, vae) = open(&runtime, &path, &self.ckpt_name.0)?;
        Ok(LoadedCheckpoint { model, clip, vae })
    }
}

/// The parts of the checkpoint called `name`.
pub(super) fn open(
    runtime: &Runtime,
    path: &Path,
    name: &str,
) -> Result<(Model, Clip, Vae), NodeError> {
    let checkpoint = open_checkpoint(path, &runtime.device()?).map_err(from_diffusion)?;
    Ok(parts(runtime, checkpoint, name))
}

/// The parts of an opened checkpoint as they travel along wires.
pub(super) fn parts(runtime: &Runtime, checkpoint: Checkpoint, name: &str) -> (Model, Clip, Vae) {
    let embeddings = Arc::new(EmbeddingFolder::new(runtime.folders()));
    let clip = checkpoint.clip.map(|clip| clip.with_embeddings(embeddings));
    (
        Model::new(checkpoint.model, name),
        Clip::new(clip, name),
        Vae::new(checkpoint.vae, name),
    )
}
