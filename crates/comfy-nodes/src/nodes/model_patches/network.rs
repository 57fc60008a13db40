//! Nodes that change a model on its way through the network.

use std::sync::Arc;

use comfy_diffusion::patches::{
    Differential, FreeU as FreeUHook, FreeUVersion, HyperTile as TileHook, TokenMerging,
};
use comfy_diffusion::sampling::Hooks;
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use super::ChangedModel;
use crate::sockets::Model;

/// The hooks with one more inside of the network.
pub(super) fn inside(
    mut hooks: Hooks,
    hook: impl comfy_diffusion::models::hooks::NetworkHook + 'static,
) -> Hooks {
    hooks.network = hooks.network.with(Arc::new(hook));
    hooks
}

/// Gives what the network has understood more weight than what it has copied.
#[derive(Debug, NodeSpec)]
#[node(
    id = "FreeU",
    name = "FreeU",
    category = "model_patches/unet",
    module = "comfy_extras.nodes_freelunch"
)]
pub struct FreeU {
    /// The model.
    model: Model,
    /// The factor of what comes up, at the second lowest resolution and below.
    #[input(default = 1.1, min = 0.0, max = 10.0, step = 0.01)]
    b1: f64,
    /// The same one resolution higher.
    #[input(default = 1.2, min = 0.0, max = 10.0, step = 0.01)]
    b2: f64,
    /// The factor of the coarsest structures of what is skipped to there.
    #[input(default = 0.9, min = 0.0, max = 10.0, step = 0.01)]
    s1: f64,
    /// The same one resolution higher.
    #[input(default = 0.2, min = 0.0, max = 10.0, step = 0.01)]
    s2: f64,
}

impl Node for FreeU {
    type Output = ChangedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedModel, NodeError> {
        let hook = FreeUHook {
            version: FreeUVersion::Plain,
            backbone: [self.b1, self.b2],
            skip: [self.s1, self.s2],
        };
        Ok(self.model.with_hooks(|hooks| inside(hooks, hook))?.into())
    }
}

/// Gives what the network has understood more weight than what it has copied, most where there is most of it.
#[derive(Debug, NodeSpec)]
#[node(
    id = "FreeU_V2",
    name = "FreeU_V2",
    category = "model_patches/unet",
    module = "comfy_extras.nodes_freelunch"
)]
pub struct FreeUV2 {
    /// The model.
    model: Model,
    /// The factor of what comes up, at the second lowest resolution and below.
    #[input(default = 1.3, min = 0.0, max = 10.0, step = 0.01)]
    b1: f64,
    /// The same one resolution higher.
    #[input(default = 1.4, min = 0.0, max = 10.0, step = 0.01)]
    b2: f64,
    /// The factor of the coarsest structures of what is skipped to there.
    #[input(default = 0.9, min = 0.0, max = 10.0, step = 0.01)]
    s1: f64,
    /// The same one resolution higher.
    #[input(default = 0.2, min = 0.0, max = 10.0, step = 0.01)]
    s2: f64,
}

impl Node for FreeUV2 {
    type Output = ChangedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedModel, NodeError> {
        let hook = FreeUHook {
            version: FreeUVersion::Structured,
            backbone: [self.b1, self.b2],
            skip: [self.s1, self.s2],
        };
        Ok(self.model.with_hooks(|hooks| inside(hooks, hook))?.into())
    }
}

/// Divides attention into tiles, which is faster for large pictures.
#[derive(Debug, NodeSpec)]
#[node(
    id = "HyperTile",
    category = "model_patches/unet",
    module = "comfy_extras.nodes_hypertile",
    v3
)]
pub struct HyperTile {
    /// The model.
    model: Model,
    /// The size of the tiles in pixels.
    #[input(default = 256u32, min = 1u32, max = 2048u32)]
    tile_size: u32,
    /// Among how many sizes one is drawn each time, so that no borders show.
    #[input(default = 2u32, min = 1u32, max = 128u32)]
    swap_size: u32,
    /// How many lower resolutions are divided too.
    #[input(default = 0u32, min = 0u32, max = 10u32)]
    max_depth: u32,
    /// Whether tiles are larger there.
    #[input(default = false)]
    scale_depth: bool,
}

impl Node for HyperTile {
    type Output = ChangedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedModel, NodeError> {
        let hook = TileHook::new(
            self.tile_size as usize,
            self.swap_size as usize,
            self.max_depth,
            self.scale_depth,
        );
        Ok(self.model.with_hooks(|hooks| inside(hooks, hook))?.into())
    }
}

/// Merges places that look alike before attention, which is faster for large pictures.
#[derive(Debug, NodeSpec)]
#[node(
    id = "TomePatchModel",
    category = "model_patches/unet",
    module = "comfy_extras.nodes_tomesd",
    v3
)]
pub struct TomePatchModel {
    /// The model.
    model: Model,
    /// Which part of the places is merged into others.
    #[input(default = 0.3, min = 0.0, max = 1.0, step = 0.01)]
    ratio: f64,
}

impl Node for TomePatchModel {
    type Output = ChangedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedModel, NodeError> {
        Ok(self
            .model
            .with_hooks(|hooks| inside(hooks, TokenMerging::new(self.ratio)))?
            .into())
    }
}

/// Lets the grey parts of a noise mask be sampled in the last steps only: the darker, the later.
#[derive(Debug, NodeSpec)]
#[node(
    id = "DifferentialDiffusion",
    name = "Differential Diffusion",
    category = "_for_testing",
    module = "comfy_extras.nodes_differential_diffusion",
    v3,
    experimental
)]
pub struct DifferentialDiffusion {
    /// The model.
    model: Model,
    /// How much of this there is beside the mask as it is.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.01)]
    strength: Option<f64>,
}

impl Node for DifferentialDiffusion {
    type Output = ChangedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedModel, NodeError> {
        let strength = self.strength.unwrap_or(1.0);
        Ok(self
            .model
            .with_hooks(|hooks| hooks.with_mask(Arc::new(Differential { strength })))?
            .into())
    }
}
