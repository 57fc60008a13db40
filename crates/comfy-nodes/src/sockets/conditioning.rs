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
            let tensors = [&condition.beside.latent, &condition.beside.mask];
            let tensors: usize = tensors.into_iter().flatten().map(bytes_of).sum();
            let mask = condition
                .mask
                .as_ref()
                .map_or(0, |mask| bytes_of(&mask.values));
            let pooled = condition.pooled.as_ref().map_or(0, bytes_of);
            let control = condition.control.as_ref();
            let pictures = control.map_or(0, |control| bytes_of(control.pictures()));
            bytes_of(&condition.cond) + pooled + mask + tensors + pictures
        });
        sizes.sum()
    }
}

impl Conditioning {
    /// The same prompts, each changed.
    #[must_use]
    pub fn map(mut self, change: impl FnMut(&mut comfy_diffusion::sampling::Conditioning)) -> Self {
        self.0.iter_mut().for_each(change);
        self
    }
}
