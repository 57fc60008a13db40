//! `EasyCache` and `LazyCache`.

use std::sync::Arc;

use comfy_diffusion::patches::{EasyCache as CacheHook, LazyCache as LazyHook};
use comfy_diffusion::sampling::ProgressRange;
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use super::ChangedModel;
use crate::sockets::Model;

/// Saves time by leaving out steps in which the network would hardly say anything new.
#[derive(Debug, NodeSpec)]
#[node(
    id = "EasyCache",
    name = "EasyCache",
    category = "advanced/debug/model",
    module = "comfy_extras.nodes_easycache",
    experimental,
    v3
)]
pub struct EasyCache {
    /// The model.
    model: Model,
    /// How much change may add up before a step is computed again; more saves more time and details.
    #[input(default = 0.2, min = 0.0, max = 3.0, step = 0.01)]
    reuse_threshold: f64,
    /// The part of the way after which steps may be left out.
    #[input(default = 0.15, min = 0.0, max = 1.0, step = 0.01)]
    start_percent: f64,
    /// The part of the way after which all steps are computed again.
    #[input(default = 0.95, min = 0.0, max = 1.0, step = 0.01)]
    end_percent: f64,
    /// Whether the log tells which steps are left out.
    #[input(default = false)]
    verbose: bool,
}

impl Node for EasyCache {
    type Output = ChangedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedModel, NodeError> {
        let range = ProgressRange {
            start: self.start_percent,
            end: self.end_percent,
        };
        let cache = Arc::new(CacheHook::new(self.reuse_threshold, range, self.verbose));
        let model = self.model.with_hooks(|mut hooks| {
            hooks.network = hooks.network.with_around(cache);
            hooks
        })?;
        Ok(model.into())
    }
}

/// Saves time by leaving out whole steps in which the clean picture would hardly change, whatever the network is.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LazyCache",
    name = "LazyCache",
    category = "advanced/debug/model",
    module = "comfy_extras.nodes_easycache",
    experimental,
    v3
)]
pub struct LazyCache {
    /// The model.
    model: Model,
    /// How much change may add up before a step is computed again; more saves more time and details.
    #[input(default = 0.2, min = 0.0, max = 3.0, step = 0.01)]
    reuse_threshold: f64,
    /// The part of the way after which steps may be left out.
    #[input(default = 0.15, min = 0.0, max = 1.0, step = 0.01)]
    start_percent: f64,
    /// The part of the way after which all steps are computed again.
    #[input(default = 0.95, min = 0.0, max = 1.0, step = 0.01)]
    end_percent: f64,
    /// Whether the log tells which steps are left out.
    #[input(default = false)]
    verbose: bool,
}

impl Node for LazyCache {
    type Output = ChangedModel;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedModel, NodeError> {
        let range = ProgressRange {
            start: self.start_percent,
            end: self.end_percent,
        };
        let cache = LazyHook::new(self.reuse_threshold, range, self.verbose);
        let model = self
            .model
            .with_hooks(|hooks| hooks.with_around(Arc::new(cache)))?;
        Ok(model.into())
    }
}
