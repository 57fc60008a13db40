//! `InpaintModelConditioning` and `InstructPixToPixConditioning`: pictures that a model sees beside the latent.

use burn::tensor::Tensor;
use comfy_diffusion::sampling::Beside;
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec, Outputs};

use crate::nodes::latent::greyed;
use crate::sockets::{Conditioning, Image, Latent, Mask, Vae};

/// What a latent cell stands for in the models that these nodes are for, in pixels.
const PIXELS_PER_CELL: usize = 8;

/// Conditioning and the latent that belongs to it.
#[derive(Debug, Outputs)]
pub struct ConditionedLatent {
    /// The positive conditioning, with the picture.
    positive: Conditioning,
    /// The negative conditioning, with the picture.
    negative: Conditioning,
    /// The latent to sample.
    latent: Latent,
}

/// Shows an inpainting model a picture and which part of it is to be made anew. Other models take the latent and the mask alone.
#[derive(Debug, NodeSpec)]
#[node(
    id = "InpaintModelConditioning",
    category = "conditioning/inpaint",
    module = "nodes"
)]
pub struct InpaintModelConditioning {
    /// What the picture is to show.
    positive: Conditioning,
    /// What it is not to show.
    negative: Conditioning,
    /// The autoencoder of the model.
    vae: Vae,
    /// The picture.
    pixels: Image,
    /// 1 where it is to be made anew. It is stretched over the picture.
    mask: Mask,
    /// Whether sampling changes nothing but the masked part. It may make the result better, or worse, depending on the model.
    #[input(default = true)]
    noise_mask: bool,
}

impl Node for InpaintModelConditioning {
    type Output = ConditionedLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ConditionedLatent, NodeError> {
        let (grey, mask) = greyed(&self.pixels, &self.mask, PIXELS_PER_CELL)?;
        let mask = mask.into_tensor();
        let beside = Beside {
            latent: Some(self.vae.encode(&grey)?),
            mask: Some(mask.clone()),
        };
        let latent = Latent {
            noise_mask: self.noise_mask.then_some(mask),
            ..Latent::new(self.vae.encode(&self.pixels)?)?
        };
        Ok(ConditionedLatent {
            positive: with_beside(self.positive, &beside),
            negative: with_beside(self.negative, &beside),
            latent,
        })
    }
}

/// Shows a picture to a model that was trained to change pictures after an instruction, which is the prompt.
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
    /// The picture to change. What is over a multiple of 8 pixels is cut off at the sides.
    pixels: Image,
}

impl Node for InstructPixToPixConditioning {
    type Output = ConditionedLatent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ConditionedLatent, NodeError> {
        let shown = self.vae.encode(&self.pixels)?;
        let empty = Tensor::zeros(shown.dims(), &shown.device());
        let beside = Beside {
            latent: Some(shown),
            mask: None,
        };
        Ok(ConditionedLatent {
            positive: with_beside(self.positive, &beside),
            negative: with_beside(self.negative, &beside),
            latent: Latent::new(empty)?,
        })
    }
}

fn with_beside(conditioning: Conditioning, beside: &Beside) -> Conditioning {
    let conditions = conditioning.0.into_iter();
    let conditions = conditions.map(|mut condition| {
        condition.beside = Beside {
            latent: beside.latent.clone(),
            // A mask from elsewhere stays where this node brings none.
            mask: beside.mask.clone().or(condition.beside.mask),
        };
        condition
    });
    Conditioning(conditions.collect())
}
