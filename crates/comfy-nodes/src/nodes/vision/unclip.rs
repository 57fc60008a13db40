//! `unCLIPCheckpointLoader` and `unCLIPConditioning`.

use comfy_diffusion::sampling::ImageHint;
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec, Outputs};

use crate::errors::from_folders;
use crate::nodes::checkpoint_loader_simple::open;
use crate::nodes::conditioning::ChangedConditioning;
use crate::runtime::Runtime;
use crate::sockets::{
    CheckpointName, Clip, ClipVision, Conditioning, Model, Vae, WhatPicturesShow,
};

/// Opens a checkpoint of a model that makes variations of pictures, with its image encoder.
#[derive(Debug, NodeSpec)]
#[node(
    id = "unCLIPCheckpointLoader",
    name = "unCLIPCheckpointLoader",
    category = "loaders",
    module = "nodes"
)]
pub struct UnclipCheckpointLoader {
    /// A file in the folder models/checkpoints.
    ckpt_name: CheckpointName,
}

/// The parts of a checkpoint with an image encoder.
#[derive(Debug, Outputs)]
pub struct LoadedUnclip {
    /// The diffusion model, which removes noise from latents.
    #[output(name = "MODEL")]
    model: Model,
    /// The text encoder, which turns prompts into conditioning.
    #[output(name = "CLIP")]
    clip: Clip,
    /// The autoencoder, which goes between pictures and latents.
    #[output(name = "VAE")]
    vae: Vae,
    /// The image encoder, which says what pictures show.
    #[output(name = "CLIP_VISION")]
    clip_vision: ClipVision,
}

impl Node for UnclipCheckpointLoader {
    type Output = LoadedUnclip;

    fn run(self, context: &mut NodeContext<'_>) -> Result<LoadedUnclip, NodeError> {
        let runtime = context.service::<Runtime>()?;
        let name = self.ckpt_name.0;
        let path = runtime
            .folders()
            .find("checkpoints", &name)
            .map_err(from_folders)?;
        let (model, clip, vae) = open(&runtime, &path, &name)?;
        let vision = comfy_diffusion::ClipVision::open(&path, &runtime.device()?);
        if let Err(reason) = &vision {
            tracing::debug!(%reason, "no image encoder");
        }
        Ok(LoadedUnclip {
            model,
            clip,
            vae,
            clip_vision: ClipVision::new(vision.ok(), &name),
        })
    }
}

/// Lets the result resemble pictures, for models that make variations. Several can follow each other.
#[derive(Debug, NodeSpec)]
#[node(
    id = "unCLIPConditioning",
    name = "unCLIPConditioning",
    category = "conditioning",
    module = "nodes"
)]
pub struct UnclipConditioning {
    /// The prompts.
    conditioning: Conditioning,
    /// What the pictures show.
    clip_vision_output: WhatPicturesShow,
    /// How strongly the result resembles them; below 0 it resembles their opposite.
    #[input(default = 1.0, min = -10.0, max = 10.0, step = 0.01)]
    strength: f64,
    /// How much noise hides them; more noise makes freer variations.
    #[input(default = 0.0, min = 0.0, max = 1.0, step = 0.01)]
    noise_augmentation: f64,
}

impl Node for UnclipConditioning {
    type Output = ChangedConditioning;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedConditioning, NodeError> {
        if self.strength == 0.0 {
            return Ok(self.conditioning.into());
        }
        let hint = ImageHint {
            embedding: self.clip_vision_output.0.summary,
            strength: self.strength,
            noise: self.noise_augmentation,
        };
        let changed = self
            .conditioning
            .map(|prompt| prompt.hints.images.push(hint.clone()));
        Ok(changed.into())
    }
}
