//! Empty latents of other model families.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec, Outputs};

use crate::nodes::EmptyLatent;
use crate::sockets::Latent;

fn empty(
    batch: u32,
    channels: u32,
    height: u32,
    width: u32,
    cell: u32,
) -> Result<EmptyLatent, NodeError> {
    Ok(EmptyLatent::from(zeros(
        batch, channels, height, width, cell,
    )?))
}

/// Zeros for pictures of `width` by `height` pixels, `cell` pixels to a latent cell.
fn zeros(
    batch: u32,
    channels: u32,
    height: u32,
    width: u32,
    cell: u32,
) -> Result<Latent, NodeError> {
    Latent::zeros([batch, channels, height / cell, width / cell].map(|size| size as usize))
}

/// Makes a batch of empty latents for Stable Diffusion 3 and Flux.
#[derive(Debug, NodeSpec)]
#[node(
    id = "EmptySD3LatentImage",
    category = "latent/sd3",
    module = "comfy_extras.nodes_sd3",
    v3
)]
pub struct EmptySd3LatentImage {
    /// Width of the picture in pixels.
    #[input(default = 1024u32, min = 16u32, max = 16384u32, step = 16u32)]
    width: u32,
    /// Height of the picture in pixels.
    #[input(default = 1024u32, min = 16u32, max = 16384u32, step = 16u32)]
    height: u32,
    /// How many pictures are made at once.
    #[input(default = 1u32, min = 1u32, max = 4096u32)]
    batch_size: u32,
}

impl Node for EmptySd3LatentImage {
    type Output = EmptyLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<EmptyLatent, NodeError> {
        empty(self.batch_size, 16, self.height, self.width, 8)
    }
}

/// Makes a batch of empty latents for Hunyuan Image.
#[derive(Debug, NodeSpec)]
#[node(
    id = "EmptyHunyuanImageLatent",
    category = "latent",
    module = "comfy_extras.nodes_hunyuan"
)]
pub struct EmptyHunyuanImageLatent {
    /// Width of the picture in pixels.
    #[input(default = 2048u32, min = 64u32, max = 16384u32, step = 32u32)]
    width: u32,
    /// Height of the picture in pixels.
    #[input(default = 2048u32, min = 64u32, max = 16384u32, step = 32u32)]
    height: u32,
    /// How many pictures are made at once.
    #[input(default = 1u32, min = 1u32, max = 4096u32)]
    batch_size: u32,
}

impl Node for EmptyHunyuanImageLatent {
    type Output = EmptyLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<EmptyLatent, NodeError> {
        empty(self.batch_size, 64, self.height, self.width, 32)
    }
}

/// Makes a batch of empty latents for Chroma Radiance, whose latents are the pixels themselves.
#[derive(Debug, NodeSpec)]
#[node(
    id = "EmptyChromaRadianceLatentImage",
    category = "latent/chroma_radiance",
    module = "comfy_extras.nodes_chroma_radiance",
    v3
)]
pub struct EmptyChromaRadianceLatentImage {
    /// Width of the picture in pixels.
    #[input(default = 1024u32, min = 16u32, max = 16384u32, step = 16u32)]
    width: u32,
    /// Height of the picture in pixels.
    #[input(default = 1024u32, min = 16u32, max = 16384u32, step = 16u32)]
    height: u32,
    /// How many pictures are made at once.
    #[input(default = 1u32, min = 1u32, max = 4096u32)]
    batch_size: u32,
}

impl Node for EmptyChromaRadianceLatentImage {
    type Output = EmptyLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<EmptyLatent, NodeError> {
        empty(self.batch_size, 3, self.height, self.width, 1)
    }
}

/// Makes the two empty latents of Stable Cascade: a small one for its first stage, and one for the second.
#[derive(Debug, NodeSpec)]
#[node(
    id = "StableCascade_EmptyLatentImage",
    category = "latent/stable_cascade",
    module = "comfy_extras.nodes_stable_cascade",
    v3
)]
pub struct StableCascadeEmptyLatentImage {
    /// Width of the picture in pixels.
    #[input(default = 1024u32, min = 256u32, max = 16384u32, step = 8u32)]
    width: u32,
    /// Height of the picture in pixels.
    #[input(default = 1024u32, min = 256u32, max = 16384u32, step = 8u32)]
    height: u32,
    /// How many pixels in each direction one cell of the first stage stands for.
    #[input(default = 42u32, min = 4u32, max = 128u32, step = 1u32)]
    compression: u32,
    /// How many pictures are made at once.
    #[input(default = 1u32, min = 1u32, max = 4096u32)]
    batch_size: u32,
}

/// The result of [`StableCascadeEmptyLatentImage`].
#[derive(Debug, Outputs)]
pub struct CascadeLatents {
    /// The latent of the first stage, with sixteen channels.
    stage_c: Latent,
    /// The latent of the second stage, with four channels.
    stage_b: Latent,
}

impl Node for StableCascadeEmptyLatentImage {
    type Output = CascadeLatents;

    fn run(self, _: &mut NodeContext<'_>) -> Result<CascadeLatents, NodeError> {
        if self.compression == 0 {
            return Err(NodeError::value(
                "expected a compression of at least 1, got 0",
            ));
        }
        let zeros =
            |channels, cell| zeros(self.batch_size, channels, self.height, self.width, cell);
        Ok(CascadeLatents {
            stage_c: zeros(16, self.compression)?,
            stage_b: zeros(4, 4)?,
        })
    }
}
