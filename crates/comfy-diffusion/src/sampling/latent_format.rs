//! What the numbers of a latent mean: the scale that the network wants, and roughly which colours they are.

use burn::tensor::Tensor;

/// How a model family scales its latents.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LatentFormat {
    /// A name for logs.
    pub name: &'static str,
    /// The number of channels.
    pub channels: usize,
    /// The network works on (latent − shift) · scale.
    pub scale: f64,
    /// The network works on (latent − shift) · scale.
    pub shift: f64,
    /// Red, green and blue in −1..1 per unit of each channel of a scaled latent: the linear fit that previews use.
    pub colours: &'static [[f32; 3]],
    /// Added to the colours.
    pub colour_offset: [f32; 3],
    /// What the name of a small decoder for previews of this format begins with.
    pub preview_decoder: Option<&'static str>,
}

impl LatentFormat {
    /// Stable Diffusion 1 and 2.
    pub const SD15: Self = Self {
        name: "SD15",
        channels: 4,
        scale: 0.182_15,
        shift: 0.0,
        colours: &[
            [0.3512, 0.2297, 0.3227],
            [0.3250, 0.4974, 0.2350],
            [-0.2829, 0.1762, 0.2721],
            [-0.2120, -0.2616, -0.7177],
        ],
        colour_offset: [0.0; 3],
        preview_decoder: Some("taesd_decoder"),
    };

    /// From the autoencoder's scale to the network's.
    pub fn to_network(&self, latent: Tensor<4>) -> Tensor<4> {
        if self.shift == 0.0 {
            latent.mul_scalar(self.scale)
        } else {
            latent.sub_scalar(self.shift).mul_scalar(self.scale)
        }
    }

    /// From the network's scale to the autoencoder's.
    pub fn from_network(&self, latent: Tensor<4>) -> Tensor<4> {
        if self.shift == 0.0 {
            latent.div_scalar(self.scale)
        } else {
            latent.div_scalar(self.scale).add_scalar(self.shift)
        }
    }
}
