//! `CheckpointLoaderSimple`.

use std::sync::Arc;

use comfy_diffusion::open_checkpoint;
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
    model: Model,
    /// The text encoder, which turns prompts into conditioning.
    #[output(name = "CLIP")]
    clip: Clip,
    /// The autoencoder, which goes between pictures and latents.
    #[output(name = "VAE")]
    vae: Vae,
}

impl Node for CheckpointLoaderSimple {
    type Output = LoadedCheckpoint;

    fn run(self, context: &mut NodeContext<'_>) -> Result<LoadedCheckpoint, NodeError> {
        let runtime = context.service::<Runtime>()?;
        let path = runtime
            .folders()
            .find("checkpoints", &self.ckpt_name.0)
            .map_err(from_folders)?;
        let checkpoint = open_checkpoint(&path, &runtime.device()?).map_err(from_diffusion)?;
        let embeddings = Arc::new(EmbeddingFolder::new(runtime.folders()));
        let name = self.ckpt_name.0;
        Ok(LoadedCheckpoint {
            model: Model::new(checkpoint.model, &name),
            clip: Clip::new(
                checkpoint.clip.map(|clip| clip.with_embeddings(embeddings)),
                &name,
            ),
            vae: Vae::new(checkpoint.vae, &name),
        })
    }
}
