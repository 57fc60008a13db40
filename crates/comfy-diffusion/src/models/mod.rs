//! Networks, built from the tensors of a file: every width, depth and head count comes from shapes.

pub mod autoencoder;
pub mod clip_vision;
pub mod control;
pub mod gligen;
pub mod hooks;
pub mod hypernetwork;
pub mod photo_maker;
pub mod picture_adapter;
pub mod style_adapter;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
pub(crate) mod testing;
pub mod timestep;
pub mod tiny_autoencoder;
pub mod unet;
pub mod upscaler;

use burn::tensor::Tensor;

use self::hooks::NetworkCall;
use crate::device::Demand;
use crate::error::Result;

/// A network that predicts what a sampler needs from a noisy latent.
pub trait Network: Send + Sync {
    /// One prediction, of the shape of `input.x` but for the number of channels.
    ///
    /// # Errors
    ///
    /// If the input does not fit the network.
    fn forward(&self, input: NetworkInput) -> Result<Tensor<4>>;

    /// How many channels `input.x` must have.
    fn in_channels(&self) -> usize;
}

/// A network between pictures and latents.
pub trait Autoencoder: Send + Sync {
    /// How many pixels in each direction one latent cell stands for.
    fn ratio(&self) -> usize;

    /// How many channels a picture has.
    fn image_channels(&self) -> usize;

    /// The latents of pictures `[batch, channels, height, width]` with values from -1 to 1, whose sides are multiples of the ratio.
    ///
    /// # Errors
    ///
    /// If the pictures do not fit the network.
    fn encode(&self, pixels: Tensor<4>) -> Result<Tensor<4>>;

    /// The pictures of latents `[batch, channels, height, width]`, with values from about -1 to 1.
    ///
    /// # Errors
    ///
    /// If the latents do not fit the network.
    fn decode(&self, latent: Tensor<4>) -> Result<Tensor<4>>;

    /// The memory that encoding one picture of this height and width takes.
    fn encoding(&self, pixels: [usize; 2]) -> Demand;

    /// The memory that decoding one latent of this height and width takes.
    fn decoding(&self, cells: [usize; 2]) -> Demand;
}

/// The memory that convolutions and norms one after the other take where the largest tensor between them has so many values: a block's
/// input, which is added to its result, what its norm makes of it, and the result.
fn demand(largest: u64) -> Demand {
    let bytes = largest.saturating_mul(size_of::<f32>() as u64);
    Demand {
        total: bytes.saturating_mul(3),
        largest: bytes,
    }
}

/// What a network is called with.
#[derive(Debug, Clone)]
pub struct NetworkInput {
    /// The scaled noisy latent, `[batch, channels, height, width]`.
    pub x: Tensor<4>,
    /// The time of each item, `[batch]`, in the unit that the network was trained with. Networks read it: on the processor that costs
    /// nothing, on another device they would have to wait for all that it was asked to do.
    pub timesteps: Tensor<1>,
    /// The encoded text, `[batch, tokens, width]`.
    pub context: Option<Tensor<3>>,
    /// What conditions the network as a whole (pooled text, sizes), `[batch, width]`.
    pub label: Option<Tensor<2>>,
    /// What changes the network on the way, and what that may know; `None` changes nothing.
    pub hooks: Option<NetworkCall>,
}

/// Something that a network computed on its way, for those who watch it.
#[derive(Debug, Clone, Copy)]
pub enum Activation<'a> {
    /// `[batch, features]`
    Rows(&'a Tensor<2>),
    /// `[batch, tokens, features]`
    Tokens(&'a Tensor<3>),
    /// `[batch, channels, height, width]`
    Image(&'a Tensor<4>),
}

/// Called with the name of a part of a network, as in its file, and with what the part computed.
pub type Observer<'a> = &'a mut dyn FnMut(&str, Activation);
