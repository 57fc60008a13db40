//! Encoded prompts.

use comfy_graph::Socket;

use super::transfer::bytes_of;

/// What a model is asked for: one or more encoded prompts, each with its strength, area and time.
#[derive(Debug, Clone)]
pub struct Conditioning(pub Vec<comfy_diffusion::sampling::Conditioning>);

impl Socket for Conditioning {
    const TYPE: &'static str = "CONDITIONING";

    fn size(&self) -> usize {
        let sizes = self.0.iter().map(|condition| {
            let beside = [&condition.beside.latent, &condition.beside.mask];
            let beside: usize = beside.into_iter().flatten().map(bytes_of).sum();
            bytes_of(&condition.cond) + condition.pooled.as_ref().map_or(0, bytes_of) + beside
        });
        sizes.sum()
    }
}
