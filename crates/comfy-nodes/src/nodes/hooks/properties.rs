//! Prompts with hooks, masks and ranges: the `…SetProperties`, `…AndCombine` and `…SetDefaultCombine` nodes, for one prompt and for pairs.

use comfy_diffusion::sampling::{ConditionMask, ProgressRange};
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec, Outputs};

use crate::nodes::{ChangedConditioning, ConditionArea, TimestepsRange};
use crate::sockets::{Conditioning, Hooks, Mask};

/// What is set about prompts; what is absent stays as it is.
#[derive(Clone, Debug, Default)]
struct Properties {
    hooks: Option<Hooks>,
    mask: Option<ConditionMask>,
    range: Option<ProgressRange>,
    is_default: bool,
}

impl Properties {
    fn new(
        hooks: Option<Hooks>,
        mask: Option<&Mask>,
        strength: f64,
        area: ConditionArea,
        timesteps: Option<TimestepsRange>,
    ) -> Self {
        Self {
            hooks,
            mask: mask.map(|mask| ConditionMask {
                values: mask.tensor(),
                strength,
                bounds_area: area == ConditionArea::MaskBounds,
            }),
            range: timesteps.map(|range| range.0),
            is_default: false,
        }
    }

    /// For what counts only where other prompts leave something over.
    fn of_default(hooks: Option<Hooks>) -> Self {
        Self {
            hooks,
            is_default: true,
            ..Self::default()
        }
    }

    fn set(&self, prompts: Conditioning) -> Conditioning {
        prompts.map(|prompt| {
            if let Some(hooks) = &self.hooks {
                prompt.weight_hooks = prompt.weight_hooks.and(&hooks.0);
            }
            if let Some(mask) = &self.mask {
                prompt.mask = Some(mask.clone());
            }
            if let Some(range) = self.range {
                prompt.range = range;
            }
            prompt.is_default |= self.is_default;
        })
    }

    /// The prompts after the others.
    fn set_behind(&self, before: Conditioning, prompts: Conditioning) -> Conditioning {
        let mut all = before.0;
        all.extend(self.set(prompts).0);
        Conditioning(all)
    }
}

/// What a model is asked for and what it is to avoid.
#[derive(Debug, Outputs)]
pub struct PairOfPrompts {
    /// What it is asked for.
    #[output(name = "positive")]
    positive: Conditioning,
    /// What it is to avoid.
    #[output(name = "negative")]
    negative: Conditioning,
}

/// Gives prompts hooks, a mask and a part of the way.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ConditioningSetProperties",
    name = "Cond Set Props",
    category = "advanced/hooks/cond single",
    module = "comfy_extras.nodes_hooks",
    experimental
)]
pub struct ConditioningSetProperties {
    /// The prompts.
    #[input(name = "cond_NEW")]
    prompts: Conditioning,
    /// A factor on the mask; without a mask it does not count.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    strength: f64,
    /// Which part of the latent the model is shown under a masked prompt.
    set_cond_area: ConditionArea,
    /// 1 where the prompts count. It is stretched over the latent.
    mask: Option<Mask>,
    /// Changes of weights under these prompts, after those that they carry already.
    hooks: Option<Hooks>,
    /// The part of the way on which they count.
    timesteps: Option<TimestepsRange>,
}

impl Node for ConditioningSetProperties {
    type Output = ChangedConditioning;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedConditioning, NodeError> {
        let (mask, area) = (self.mask.as_ref(), self.set_cond_area);
        let properties = Properties::new(self.hooks, mask, self.strength, area, self.timesteps);
        Ok(properties.set(self.prompts).into())
    }
}

/// Gives prompts hooks, a mask and a part of the way, and puts them beside others.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ConditioningSetPropertiesAndCombine",
    name = "Cond Set Props Combine",
    category = "advanced/hooks/cond single",
    module = "comfy_extras.nodes_hooks",
    experimental
)]
pub struct ConditioningSetPropertiesAndCombine {
    /// The others, which stay as they are.
    #[input(name = "cond")]
    others: Conditioning,
    /// The prompts.
    #[input(name = "cond_NEW")]
    prompts: Conditioning,
    /// A factor on the mask; without a mask it does not count.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    strength: f64,
    /// Which part of the latent the model is shown under a masked prompt.
    set_cond_area: ConditionArea,
    /// 1 where the prompts count. It is stretched over the latent.
    mask: Option<Mask>,
    /// Changes of weights under these prompts, after those that they carry already.
    hooks: Option<Hooks>,
    /// The part of the way on which they count.
    timesteps: Option<TimestepsRange>,
}

impl Node for ConditioningSetPropertiesAndCombine {
    type Output = ChangedConditioning;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedConditioning, NodeError> {
        let (mask, area) = (self.mask.as_ref(), self.set_cond_area);
        let properties = Properties::new(self.hooks, mask, self.strength, area, self.timesteps);
        Ok(properties.set_behind(self.others, self.prompts).into())
    }
}

/// Gives a pair of prompts hooks, a mask and a part of the way.
#[derive(Debug, NodeSpec)]
#[node(
    id = "PairConditioningSetProperties",
    name = "Cond Pair Set Props",
    category = "advanced/hooks/cond pair",
    module = "comfy_extras.nodes_hooks",
    experimental
)]
pub struct PairConditioningSetProperties {
    /// What the model is asked for.
    #[input(name = "positive_NEW")]
    positive: Conditioning,
    /// What it is to avoid.
    #[input(name = "negative_NEW")]
    negative: Conditioning,
    /// A factor on the mask; without a mask it does not count.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    strength: f64,
    /// Which part of the latent the model is shown under a masked prompt.
    set_cond_area: ConditionArea,
    /// 1 where the prompts count. It is stretched over the latent.
    mask: Option<Mask>,
    /// Changes of weights under these prompts, after those that they carry already.
    hooks: Option<Hooks>,
    /// The part of the way on which they count.
    timesteps: Option<TimestepsRange>,
}

impl Node for PairConditioningSetProperties {
    type Output = PairOfPrompts;

    fn run(self, _: &mut NodeContext<'_>) -> Result<PairOfPrompts, NodeError> {
        let (mask, area) = (self.mask.as_ref(), self.set_cond_area);
        let properties = Properties::new(self.hooks, mask, self.strength, area, self.timesteps);
        Ok(PairOfPrompts {
            positive: properties.set(self.positive),
            negative: properties.set(self.negative),
        })
    }
}

/// Gives a pair of prompts hooks, a mask and a part of the way, and puts them beside another pair.
#[derive(Debug, NodeSpec)]
#[node(
    id = "PairConditioningSetPropertiesAndCombine",
    name = "Cond Pair Set Props Combine",
    category = "advanced/hooks/cond pair",
    module = "comfy_extras.nodes_hooks",
    experimental
)]
pub struct PairConditioningSetPropertiesAndCombine {
    /// What the model is asked for already.
    #[input(name = "positive")]
    other_positive: Conditioning,
    /// What it is to avoid already.
    #[input(name = "negative")]
    other_negative: Conditioning,
    /// What the model is asked for.
    #[input(name = "positive_NEW")]
    positive: Conditioning,
    /// What it is to avoid.
    #[input(name = "negative_NEW")]
    negative: Conditioning,
    /// A factor on the mask; without a mask it does not count.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.01)]
    strength: f64,
    /// Which part of the latent the model is shown under a masked prompt.
    set_cond_area: ConditionArea,
    /// 1 where the prompts count. It is stretched over the latent.
    mask: Option<Mask>,
    /// Changes of weights under these prompts, after those that they carry already.
    hooks: Option<Hooks>,
    /// The part of the way on which they count.
    timesteps: Option<TimestepsRange>,
}

impl Node for PairConditioningSetPropertiesAndCombine {
    type Output = PairOfPrompts;

    fn run(self, _: &mut NodeContext<'_>) -> Result<PairOfPrompts, NodeError> {
        let (mask, area) = (self.mask.as_ref(), self.set_cond_area);
        let properties = Properties::new(self.hooks, mask, self.strength, area, self.timesteps);
        Ok(PairOfPrompts {
            positive: properties.set_behind(self.other_positive, self.positive),
            negative: properties.set_behind(self.other_negative, self.negative),
        })
    }
}

/// Puts prompts beside others that count only where those leave something over.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ConditioningSetDefaultCombine",
    name = "Cond Set Default Combine",
    category = "advanced/hooks/cond single",
    module = "comfy_extras.nodes_hooks",
    experimental
)]
pub struct ConditioningSetDefaultCombine {
    /// The prompts that come first.
    #[input(name = "cond")]
    others: Conditioning,
    /// The prompts that get what is left over.
    #[input(name = "cond_DEFAULT")]
    prompts: Conditioning,
    /// Changes of weights under the latter.
    hooks: Option<Hooks>,
}

impl Node for ConditioningSetDefaultCombine {
    type Output = ChangedConditioning;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedConditioning, NodeError> {
        let properties = Properties::of_default(self.hooks);
        Ok(properties.set_behind(self.others, self.prompts).into())
    }
}

/// Puts a pair of prompts beside another pair that counts only where the first leaves something over.
#[derive(Debug, NodeSpec)]
#[node(
    id = "PairConditioningSetDefaultCombine",
    name = "Cond Pair Set Default Combine",
    category = "advanced/hooks/cond pair",
    module = "comfy_extras.nodes_hooks",
    experimental
)]
pub struct PairConditioningSetDefaultCombine {
    /// What the model is asked for first.
    #[input(name = "positive")]
    other_positive: Conditioning,
    /// What it is to avoid first.
    #[input(name = "negative")]
    other_negative: Conditioning,
    /// What it is asked for where something is left over.
    #[input(name = "positive_DEFAULT")]
    positive: Conditioning,
    /// What it is to avoid where something is left over.
    #[input(name = "negative_DEFAULT")]
    negative: Conditioning,
    /// Changes of weights under the latter pair.
    hooks: Option<Hooks>,
}

impl Node for PairConditioningSetDefaultCombine {
    type Output = PairOfPrompts;

    fn run(self, _: &mut NodeContext<'_>) -> Result<PairOfPrompts, NodeError> {
        let properties = Properties::of_default(self.hooks);
        Ok(PairOfPrompts {
            positive: properties.set_behind(self.other_positive, self.positive),
            negative: properties.set_behind(self.other_negative, self.negative),
        })
    }
}

/// Puts two pairs of prompts side by side.
#[derive(Debug, NodeSpec)]
#[node(
    id = "PairConditioningCombine",
    name = "Cond Pair Combine",
    category = "advanced/hooks/cond pair",
    module = "comfy_extras.nodes_hooks",
    experimental
)]
pub struct PairConditioningCombine {
    /// What the model is asked for by the first pair.
    #[input(name = "positive_A")]
    first_positive: Conditioning,
    /// What it is to avoid by the first pair.
    #[input(name = "negative_A")]
    first_negative: Conditioning,
    /// What it is asked for by the second pair.
    #[input(name = "positive_B")]
    second_positive: Conditioning,
    /// What it is to avoid by the second pair.
    #[input(name = "negative_B")]
    second_negative: Conditioning,
}

impl Node for PairConditioningCombine {
    type Output = PairOfPrompts;

    fn run(self, _: &mut NodeContext<'_>) -> Result<PairOfPrompts, NodeError> {
        let nothing = Properties::default();
        Ok(PairOfPrompts {
            positive: nothing.set_behind(self.first_positive, self.second_positive),
            negative: nothing.set_behind(self.first_negative, self.second_negative),
        })
    }
}
