//! When prompts count: `ConditioningSetTimestepRange` and `ConditioningTimestepsRange`.

use comfy_diffusion::sampling::ProgressRange;
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec, Outputs, Socket};

use super::ChangedConditioning;
use crate::sockets::Conditioning;

/// Lets prompts count on a part of the way from noise to picture only.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ConditioningSetTimestepRange",
    name = "ConditioningSetTimestepRange",
    category = "advanced/conditioning",
    module = "nodes"
)]
pub struct ConditioningSetTimestepRange {
    /// The prompts.
    conditioning: Conditioning,
    /// The part of the way after which they count.
    #[input(default = 0.0, min = 0.0, max = 1.0, step = 0.001)]
    start: f64,
    /// The part of the way after which they no longer count.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.001)]
    end: f64,
}

impl Node for ConditioningSetTimestepRange {
    type Output = ChangedConditioning;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedConditioning, NodeError> {
        let range = ProgressRange {
            start: self.start,
            end: self.end,
        };
        Ok(self.conditioning.map(|prompt| prompt.range = range).into())
    }
}

/// A part of the way from noise to picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimestepsRange(pub ProgressRange);

impl Socket for TimestepsRange {
    const TYPE: &'static str = "TIMESTEPS_RANGE";
}

/// The way in three parts.
#[derive(Debug, Outputs)]
pub struct ThreeRanges {
    /// The part that was given.
    #[output(name = "TIMESTEPS_RANGE")]
    pub range: TimestepsRange,
    /// What lies before it.
    #[output(name = "BEFORE_RANGE")]
    pub before: TimestepsRange,
    /// What lies after it.
    #[output(name = "AFTER_RANGE")]
    pub after: TimestepsRange,
}

/// Divides the way from noise to picture at two places.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ConditioningTimestepsRange",
    name = "Timesteps Range",
    category = "advanced/hooks",
    module = "comfy_extras.nodes_hooks",
    experimental
)]
pub struct ConditioningTimestepsRange {
    /// Where the middle part begins.
    #[input(default = 0.0, min = 0.0, max = 1.0, step = 0.001)]
    start_percent: f64,
    /// Where the middle part ends.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.001)]
    end_percent: f64,
}

impl Node for ConditioningTimestepsRange {
    type Output = ThreeRanges;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ThreeRanges, NodeError> {
        let range = |start, end| TimestepsRange(ProgressRange { start, end });
        Ok(ThreeRanges {
            range: range(self.start_percent, self.end_percent),
            before: range(0.0, self.start_percent),
            after: range(self.end_percent, 1.0),
        })
    }
}
