//! `EmptyLatentImage`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec, Outputs};

use crate::sockets::Latent;

/// Makes a batch of empty latents, from which pictures are sampled.
#[derive(Debug, NodeSpec)]
#[node(
    id = "EmptyLatentImage",
    name = "Empty Latent Image",
    category = "latent",
    module = "nodes"
)]
pub struct EmptyLatentImage {
    /// Width of the picture in pixels; what is over a multiple of 8 is dropped.
    #[input(default = 512u32, min = 16u32, max = 16384u32, step = 8u32)]
    width: u32,
    /// Height of the picture in pixels; what is over a multiple of 8 is dropped.
    #[input(default = 512u32, min = 16u32, max = 16384u32, step = 8u32)]
    height: u32,
    /// How many pictures are made at once.
    #[input(default = 1u32, min = 1u32, max = 4096u32)]
    batch_size: u32,
}

/// The result of [`EmptyLatentImage`].
#[derive(Debug, Outputs)]
pub struct EmptyLatent {
    /// Latents of zeros.
    #[output(name = "LATENT")]
    latent: Latent,
}

impl From<Latent> for EmptyLatent {
    fn from(latent: Latent) -> Self {
        Self { latent }
    }
}

impl Node for EmptyLatentImage {
    type Output = EmptyLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<EmptyLatent, NodeError> {
        let shape = [self.batch_size, 4, self.height / 8, self.width / 8].map(|size| size as usize);
        Ok(EmptyLatent {
            latent: Latent::zeros(shape)?,
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use comfy_graph::testing::NodeTester;

    use super::*;

    fn run(width: u32, height: u32, batch_size: u32) -> Result<EmptyLatent, NodeError> {
        NodeTester::<EmptyLatentImage>::new()
            .set("width", width)
            .set("height", height)
            .set("batch_size", batch_size)
            .run()
    }

    #[test]
    fn latents_are_an_eighth() {
        assert_eq!(run(97, 79, 2).unwrap().latent.shape(), [2, 4, 9, 12]);
    }

    #[test]
    fn no_machine_holds_the_largest() {
        assert!(matches!(
            run(16384, 16384, u32::MAX),
            Err(NodeError::OutOfMemory(_))
        ));
    }
}
