//! `CreateHookLora`, `CreateHookModelAsLora` and their forms for the diffusion model alone.

use comfy_diffusion::open_checkpoint;
use comfy_diffusion::weight_hooks::{WeightChange, WeightHook, WeightHooks};
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use super::MadeHooks;
use crate::errors::{from_diffusion, from_folders};
use crate::nodes::loaders::open_lora;
use crate::runtime::Runtime;
use crate::sockets::{CheckpointName, Hooks, LoraName};

/// Makes a hook of a file of `LoRA`, or of one of its relatives: prompts that carry it are seen by the model with these changes, others
/// without them.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CreateHookLora",
    name = "Create Hook LoRA",
    category = "advanced/hooks/create",
    module = "comfy_extras.nodes_hooks",
    experimental
)]
pub struct CreateHookLora {
    /// A file in the folder models/loras.
    lora_name: LoraName,
    /// How strongly the diffusion model is changed; negative values change it the other way.
    #[input(default = 1.0, min = -20.0, max = 20.0, step = 0.01)]
    strength_model: f64,
    /// How strongly a text encoder with this hook is changed; negative values change it the other way.
    #[input(default = 1.0, min = -20.0, max = 20.0, step = 0.01)]
    strength_clip: f64,
    /// Hooks that come before this one.
    prev_hooks: Option<Hooks>,
}

impl Node for CreateHookLora {
    type Output = MadeHooks;

    fn run(self, context: &mut NodeContext<'_>) -> Result<MadeHooks, NodeError> {
        let strengths = [self.strength_model, self.strength_clip];
        of_file(context, &self.lora_name, strengths, self.prev_hooks)
    }
}

/// Makes a hook of a file of `LoRA`, or of one of its relatives, that leaves text encoders as they are.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CreateHookLoraModelOnly",
    name = "Create Hook LoRA (MO)",
    category = "advanced/hooks/create",
    module = "comfy_extras.nodes_hooks",
    experimental
)]
pub struct CreateHookLoraModelOnly {
    /// A file in the folder models/loras.
    lora_name: LoraName,
    /// How strongly the diffusion model is changed; negative values change it the other way.
    #[input(default = 1.0, min = -20.0, max = 20.0, step = 0.01)]
    strength_model: f64,
    /// Hooks that come before this one.
    prev_hooks: Option<Hooks>,
}

impl Node for CreateHookLoraModelOnly {
    type Output = MadeHooks;

    fn run(self, context: &mut NodeContext<'_>) -> Result<MadeHooks, NodeError> {
        let strengths = [self.strength_model, 0.0];
        of_file(context, &self.lora_name, strengths, self.prev_hooks)
    }
}

/// Makes a hook of another checkpoint: under prompts that carry it the model goes part of the way to that one.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CreateHookModelAsLora",
    name = "Create Hook Model as LoRA",
    category = "advanced/hooks/create",
    module = "comfy_extras.nodes_hooks",
    experimental
)]
pub struct CreateHookModelAsLora {
    /// A file in the folder models/checkpoints, of the same family as the model.
    ckpt_name: CheckpointName,
    /// The part of the way that the diffusion model goes; 1 makes it the other one.
    #[input(default = 1.0, min = -20.0, max = 20.0, step = 0.01)]
    strength_model: f64,
    /// The part of the way that a text encoder with this hook goes.
    #[input(default = 1.0, min = -20.0, max = 20.0, step = 0.01)]
    strength_clip: f64,
    /// Hooks that come before this one.
    prev_hooks: Option<Hooks>,
}

impl Node for CreateHookModelAsLora {
    type Output = MadeHooks;

    fn run(self, context: &mut NodeContext<'_>) -> Result<MadeHooks, NodeError> {
        let strengths = [self.strength_model, self.strength_clip];
        of_checkpoint(context, &self.ckpt_name, strengths, self.prev_hooks)
    }
}

/// Makes a hook of another checkpoint that leaves text encoders as they are.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CreateHookModelAsLoraModelOnly",
    name = "Create Hook Model as LoRA (MO)",
    category = "advanced/hooks/create",
    module = "comfy_extras.nodes_hooks",
    experimental
)]
pub struct CreateHookModelAsLoraModelOnly {
    /// A file in the folder models/checkpoints, of the same family as the model.
    ckpt_name: CheckpointName,
    /// The part of the way that the diffusion model goes; 1 makes it the other one.
    #[input(default = 1.0, min = -20.0, max = 20.0, step = 0.01)]
    strength_model: f64,
    /// Hooks that come before this one.
    prev_hooks: Option<Hooks>,
}

impl Node for CreateHookModelAsLoraModelOnly {
    type Output = MadeHooks;

    fn run(self, context: &mut NodeContext<'_>) -> Result<MadeHooks, NodeError> {
        let strengths = [self.strength_model, 0.0];
        of_checkpoint(context, &self.ckpt_name, strengths, self.prev_hooks)
    }
}

fn of_file(
    context: &mut NodeContext<'_>,
    name: &LoraName,
    strengths: [f64; 2],
    before: Option<Hooks>,
) -> Result<MadeHooks, NodeError> {
    let before = before.unwrap_or_default().0;
    if strengths == [0.0, 0.0] {
        return Ok(before.into());
    }
    let change = WeightChange::File(open_lora(context, name)?);
    Ok(behind(&before, change, strengths))
}

fn of_checkpoint(
    context: &mut NodeContext<'_>,
    name: &CheckpointName,
    strengths: [f64; 2],
    before: Option<Hooks>,
) -> Result<MadeHooks, NodeError> {
    let runtime = context.service::<Runtime>()?;
    let path = runtime
        .folders()
        .find("checkpoints", &name.0)
        .map_err(from_folders)?;
    let checkpoint = open_checkpoint(&path, &runtime.device()?).map_err(from_diffusion)?;
    let change = WeightChange::Model {
        network: checkpoint.model.and_then(|model| model.network.source()),
        texts: checkpoint.clip.map_or_else(Vec::new, |clip| clip.sources()),
    };
    Ok(behind(&before.unwrap_or_default().0, change, strengths))
}

fn behind(before: &WeightHooks, change: WeightChange, [network, text]: [f64; 2]) -> MadeHooks {
    let hook = WeightHook::new(change, network, text);
    before.and(&WeightHooks::one(hook)).into()
}
