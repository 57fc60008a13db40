//! Prompts with a picture for models that read one: `InpaintModelConditioning` and `InstructPixToPixConditioning`.

use burn::tensor::Tensor;
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec, Outputs};

use crate::nodes::latent::greyed;
use crate::sockets::{Conditioning, Image, Latent, Mask, Vae};

/// Two prompts and the latent to begin with.
#[derive(Debug, Outputs)]
pub struct PromptsAndLatent {
    /// The positive prompt with the picture.
    pub positive: Conditioning,
    /// The negative prompt with the picture.
    pub negative: Conditioning,
    /// The latent to begin with.
    pub latent: Latent,
}

/// Shows a model for inpainting the picture and the mask of what is to be made anew.
#[derive(Debug, NodeSpec)]
#[node(
    id = "InpaintModelConditioning",
    name = "InpaintModelConditioning",
    category = "conditioning/inpaint",
    module = "nodes"
)]
pub struct InpaintModelConditioning {
    /// What the picture is to show.
    positive: Conditioning,
    /// What the picture is not to show.
    negative: Conditioning,
    /// The autoencoder of the model.
    vae: Vae,
    /// The picture. What is under the mask is hidden from the model.
    pixels: Image,
    /// 1 where the picture is to be made anew. It is stretched over the picture.
    mask: Mask,
    /// Whether the rest of the latent is kept exactly while sampling.
    #[input(default = true)]
    noise_mask: bool,
}

impl Node for InpaintModelConditioning {
    type Output = PromptsAndLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<PromptsAndLatent, NodeError> {
        let (grey, mask) = greyed(&self.pixels, &self.mask, self.vae.ratio()?)?;
        let shown = Latent::new(self.vae.encode(&grey)?)?.samples;
        let mask = mask.into_tensor();
        let with_picture = |prompts: Conditioning| {
            prompts.map(|prompt| {
                prompt.beside.latent = Some(shown.clone());
                prompt.beside.mask = Some(mask.clone());
            })
        };
        Ok(PromptsAndLatent {
            positive: with_picture(self.positive),
            negative: with_picture(self.negative),
            latent: Latent {
                noise_mask: self.noise_mask.then(|| mask.clone()),
                ..Latent::new(self.vae.encode(&self.pixels)?)?
            },
        })
    }
}

/// Shows a model that follows instructions the picture that is to be changed.
#[derive(Debug, NodeSpec)]
#[node(
    id = "InstructPixToPixConditioning",
    category = "conditioning/instructpix2pix",
    module = "comfy_extras.nodes_ip2p",
    v3
)]
pub struct InstructPixToPixConditioning {
    /// What is to be done.
    positive: Conditioning,
    /// What is not to be done.
    negative: Conditioning,
    /// The autoencoder of the model.
    vae: Vae,
    /// The picture. What is over a multiple of 8 pixels is cut off at the sides.
    pixels: Image,
}

impl Node for InstructPixToPixConditioning {
    type Output = PromptsAndLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<PromptsAndLatent, NodeError> {
        let shown = Latent::new(self.vae.encode(&self.pixels)?)?.samples;
        let with_picture =
            |prompts: Conditioning| prompts.map(|prompt| prompt.beside.latent = Some(shown.clone()));
        Ok(PromptsAndLatent {
            positive: with_picture(self.positive),
            negative: with_picture(self.negative),
            latent: Latent::new(Tensor::zeros_like(&shown))?,
        })
    }
}
