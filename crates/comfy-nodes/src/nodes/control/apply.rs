//! Control nets and prompts joined: `ControlNetApply`, `ControlNetApplyAdvanced`, `ControlNetApplySD3` and
//! `ControlNetInpaintingAliMamaApply`.

use std::sync::Arc;

use burn::tensor::Tensor;
use comfy_diffusion::sampling::{Control, ProgressRange};
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec, Outputs};

use crate::nodes::ChangedConditioning;
use crate::sockets::{Conditioning, ControlNet, Image, Mask, Vae};

/// Lets a control net steer the model under a prompt, and under the negative one too where that has no control net of its own.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ControlNetApply",
    name = "Apply ControlNet (OLD)",
    category = "conditioning/controlnet",
    module = "nodes",
    deprecated
)]
pub struct ControlNetApply {
    /// The prompt. A control net that it has already counts too.
    conditioning: Conditioning,
    /// The control net.
    control_net: ControlNet,
    /// The picture that it is shown; its middle is scaled to the size of the latent.
    image: Image,
    /// How strongly it steers.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    strength: f64,
}

impl Node for ControlNetApply {
    type Output = ChangedConditioning;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedConditioning, NodeError> {
        if self.strength == 0.0 {
            return Ok(self.conditioning.into());
        }
        let pictures = pictures(&self.image);
        let changed = self.conditioning.map(|prompt| {
            let net = self.control_net.0.clone();
            let control = Control::new(net, pictures.clone(), self.strength)
                .covering_negative()
                .after(prompt.control.take());
            prompt.control = Some(Arc::new(control));
        });
        Ok(changed.into())
    }
}

/// Lets a control net steer the model on a part of the way from noise to picture.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ControlNetApplyAdvanced",
    name = "Apply ControlNet",
    category = "conditioning/controlnet",
    module = "nodes"
)]
pub struct ControlNetApplyAdvanced {
    /// The prompt. A control net that it has already counts too.
    positive: Conditioning,
    /// The negative prompt.
    negative: Conditioning,
    /// The control net.
    control_net: ControlNet,
    /// The picture that it is shown; its middle is scaled to the size of the latent.
    image: Image,
    /// How strongly it steers.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    strength: f64,
    /// The part of the way after which it steers.
    #[input(default = 0.0, min = 0.0, max = 1.0, step = 0.001)]
    start_percent: f64,
    /// The part of the way after which it no longer steers.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.001)]
    end_percent: f64,
    /// The autoencoder, for control nets that are shown latents; those of Stable Diffusion 1, 2 and XL are shown pictures.
    #[expect(
        dead_code,
        reason = "no family so far has a control net that is shown latents"
    )]
    vae: Option<Vae>,
}

/// Lets a control net steer the model; it may be one that is shown latents.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ControlNetApplySD3",
    name = "Apply Controlnet with VAE",
    category = "conditioning/controlnet",
    module = "comfy_extras.nodes_sd3",
    v3,
    deprecated
)]
pub struct ControlNetApplySd3 {
    /// The prompt. A control net that it has already counts too.
    positive: Conditioning,
    /// The negative prompt.
    negative: Conditioning,
    /// The control net.
    control_net: ControlNet,
    /// The autoencoder, for control nets that are shown latents; those of Stable Diffusion 1, 2 and XL are shown pictures.
    #[expect(
        dead_code,
        reason = "no family so far has a control net that is shown latents"
    )]
    vae: Vae,
    /// The picture that it is shown; its middle is scaled to the size of the latent.
    image: Image,
    /// How strongly it steers.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    strength: f64,
    /// The part of the way after which it steers.
    #[input(default = 0.0, min = 0.0, max = 1.0, step = 0.001)]
    start_percent: f64,
    /// The part of the way after which it no longer steers.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.001)]
    end_percent: f64,
}

/// Lets a control net for inpainting steer the model.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ControlNetInpaintingAliMamaApply",
    category = "conditioning/controlnet",
    module = "comfy_extras.nodes_controlnet"
)]
pub struct ControlNetInpaintingAliMamaApply {
    /// The prompt. A control net that it has already counts too.
    positive: Conditioning,
    /// The negative prompt.
    negative: Conditioning,
    /// The control net.
    control_net: ControlNet,
    /// The autoencoder, for control nets that are shown latents; those of Stable Diffusion 1, 2 and XL are shown pictures.
    #[expect(
        dead_code,
        reason = "no family so far has a control net that is shown latents"
    )]
    vae: Vae,
    /// The picture that it is shown; its middle is scaled to the size of the latent.
    image: Image,
    /// What is to be made anew, for control nets that are shown a mask; those of Stable Diffusion 1, 2 and XL are not.
    #[expect(
        dead_code,
        reason = "no family so far has a control net that is shown a mask"
    )]
    mask: Mask,
    /// How strongly it steers.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    strength: f64,
    /// The part of the way after which it steers.
    #[input(default = 0.0, min = 0.0, max = 1.0, step = 0.001)]
    start_percent: f64,
    /// The part of the way after which it no longer steers.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.001)]
    end_percent: f64,
}

/// Two prompts under a control net.
#[derive(Debug, Outputs)]
pub struct SteeredPrompts {
    /// The prompt.
    #[output(name = "positive")]
    pub positive: Conditioning,
    /// The negative prompt.
    #[output(name = "negative")]
    pub negative: Conditioning,
}

impl Node for ControlNetApplyAdvanced {
    type Output = SteeredPrompts;

    fn run(self, _: &mut NodeContext<'_>) -> Result<SteeredPrompts, NodeError> {
        let range = [self.start_percent, self.end_percent];
        let steering = Steering::new(self.control_net, &self.image, self.strength, range);
        Ok(steering.of(self.positive, self.negative))
    }
}

impl Node for ControlNetApplySd3 {
    type Output = SteeredPrompts;

    fn run(self, _: &mut NodeContext<'_>) -> Result<SteeredPrompts, NodeError> {
        let range = [self.start_percent, self.end_percent];
        let steering = Steering::new(self.control_net, &self.image, self.strength, range);
        Ok(steering.of(self.positive, self.negative))
    }
}

impl Node for ControlNetInpaintingAliMamaApply {
    type Output = SteeredPrompts;

    fn run(self, _: &mut NodeContext<'_>) -> Result<SteeredPrompts, NodeError> {
        let range = [self.start_percent, self.end_percent];
        let steering = Steering::new(self.control_net, &self.image, self.strength, range);
        Ok(steering.of(self.positive, self.negative))
    }
}

/// How a control net is to steer.
struct Steering {
    net: ControlNet,
    pictures: Tensor<4>,
    strength: f64,
    range: ProgressRange,
}

impl Steering {
    fn new(net: ControlNet, image: &Image, strength: f64, [start, end]: [f64; 2]) -> Self {
        Self {
            net,
            pictures: pictures(image),
            strength,
            range: ProgressRange { start, end },
        }
    }

    /// Both prompts under it. Parts of them that had the same control before have the same one afterwards, so that they are computed
    /// together.
    fn of(self, positive: Conditioning, negative: Conditioning) -> SteeredPrompts {
        if self.strength == 0.0 {
            return SteeredPrompts { positive, negative };
        }
        let mut made: Vec<(Option<Arc<Control>>, Arc<Control>)> = Vec::new();
        let mut steered = |prompts: Conditioning| {
            prompts.map(|prompt| {
                let previous = prompt.control.take();
                let known = made
                    .iter()
                    .find(|(before, _)| is_same(before.as_ref(), previous.as_ref()));
                let control = if let Some((_, control)) = known {
                    Arc::clone(control)
                } else {
                    let net = self.net.0.clone();
                    let control = Control::new(net, self.pictures.clone(), self.strength)
                        .with_range(self.range)
                        .after(previous.clone());
                    Arc::new(control)
                };
                prompt.control = Some(Arc::clone(&control));
                made.push((previous, control));
            })
        };
        SteeredPrompts {
            positive: steered(positive),
            negative: steered(negative),
        }
    }
}

fn is_same(first: Option<&Arc<Control>>, second: Option<&Arc<Control>>) -> bool {
    match (first, second) {
        (None, None) => true,
        (Some(first), Some(second)) => Arc::ptr_eq(first, second),
        _ => false,
    }
}

/// `[pictures, channels, height, width]`
fn pictures(image: &Image) -> Tensor<4> {
    image.tensor().permute([0, 3, 1, 2])
}
