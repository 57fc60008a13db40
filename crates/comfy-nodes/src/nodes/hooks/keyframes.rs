//! `SetHookKeyframes`, `CreateHookKeyframe`, `CreateHookKeyframesInterpolated` and `CreateHookKeyframesFromFloats`.

use comfy_diffusion::sampling::schedulers::linspace;
use comfy_diffusion::weight_hooks::Keyframe;
use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec, Outputs};

use super::MadeHooks;
use crate::sockets::{Floats, HookKeyframes, Hooks};

/// Lets the strengths of hooks follow keyframes on the way from noise to picture.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SetHookKeyframes",
    name = "Set Hook Keyframes",
    category = "advanced/hooks/scheduling",
    module = "comfy_extras.nodes_hooks",
    experimental
)]
pub struct SetHookKeyframes {
    /// The hooks.
    hooks: Hooks,
    /// The keyframes; without them the hooks stay as they are.
    hook_kf: Option<HookKeyframes>,
}

impl Node for SetHookKeyframes {
    type Output = MadeHooks;

    fn run(self, _: &mut NodeContext<'_>) -> Result<MadeHooks, NodeError> {
        Ok(match self.hook_kf {
            None => self.hooks.0.into(),
            Some(keyframes) => self.hooks.0.with_keyframes(&keyframes.0).into(),
        })
    }
}

/// The result of a node that makes keyframes.
#[derive(Debug, Outputs)]
pub struct MadeKeyframes {
    /// The keyframes.
    #[output(name = "HOOK_KF")]
    keyframes: HookKeyframes,
}

/// Makes a keyframe: from some part of the way on, a factor on the strengths of hooks.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CreateHookKeyframe",
    name = "Create Hook Keyframe",
    category = "advanced/hooks/scheduling",
    module = "comfy_extras.nodes_hooks",
    experimental
)]
pub struct CreateHookKeyframe {
    /// The factor.
    #[input(default = 1.0, min = -20.0, max = 20.0, step = 0.01)]
    strength_mult: f64,
    /// The part of the way after which it counts. It counts for one step at least.
    #[input(default = 0.0, min = 0.0, max = 1.0, step = 0.001)]
    start_percent: f64,
    /// Keyframes to add it to.
    prev_hook_kf: Option<HookKeyframes>,
}

impl Node for CreateHookKeyframe {
    type Output = MadeKeyframes;

    fn run(self, _: &mut NodeContext<'_>) -> Result<MadeKeyframes, NodeError> {
        let before = self.prev_hook_kf.unwrap_or_default().0;
        let frame = Keyframe::new(self.strength_mult, self.start_percent, 1);
        Ok(MadeKeyframes {
            keyframes: HookKeyframes(before.with([frame])),
        })
    }
}

/// How strengths go from one to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum Interpolation {
    /// At the same pace.
    #[choice("linear")]
    Linear,
    /// Slowly at first.
    #[choice("ease_in")]
    EaseIn,
    /// Slowly in the end.
    #[choice("ease_out")]
    EaseOut,
    /// Slowly at first and in the end.
    #[choice("ease_in_out")]
    EaseInOut,
}

impl Interpolation {
    /// The numbers on the way, in 32 bits.
    fn numbers(self, from: f32, to: f32, count: usize) -> Vec<f32> {
        if self == Self::Linear {
            return linspace(from, to, count);
        }
        let way = linspace(0.0, 1.0, count).into_iter();
        let eased = way.map(|part| match self {
            Self::Linear => part,
            Self::EaseIn => part * part,
            Self::EaseOut => 1.0 - (1.0 - part) * (1.0 - part),
            Self::EaseInOut => (1.0 - (part * std::f32::consts::PI).cos()) / 2.0,
        });
        eased.map(|part| (to - from) * part + from).collect()
    }
}

/// Makes several keyframes whose factors go from one to another.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CreateHookKeyframesInterpolated",
    name = "Create Hook Keyframes Interp.",
    category = "advanced/hooks/scheduling",
    module = "comfy_extras.nodes_hooks",
    experimental
)]
pub struct CreateHookKeyframesInterpolated {
    /// The first factor.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.001)]
    strength_start: f64,
    /// The last factor.
    #[input(default = 1.0, min = 0.0, max = 10.0, step = 0.001)]
    strength_end: f64,
    /// How it gets there.
    interpolation: Interpolation,
    /// The part of the way after which the first counts.
    #[input(default = 0.0, min = 0.0, max = 1.0, step = 0.001)]
    start_percent: f64,
    /// The part of the way after which the last counts.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.001)]
    end_percent: f64,
    /// How many keyframes there are.
    #[input(default = 5u32, min = 2u32, max = 100u32, step = 1u32)]
    keyframes_count: u32,
    /// Whether the log tells which they are.
    #[input(default = false)]
    print_keyframes: bool,
    /// Keyframes to add them to.
    prev_hook_kf: Option<HookKeyframes>,
}

impl Node for CreateHookKeyframesInterpolated {
    type Output = MadeKeyframes;

    fn run(self, _: &mut NodeContext<'_>) -> Result<MadeKeyframes, NodeError> {
        let [from, to] = [self.strength_start, self.strength_end].map(|number| number as f32);
        let count = self.keyframes_count as usize;
        let strengths = self.interpolation.numbers(from, to, count);
        let strengths: Vec<f64> = strengths.into_iter().map(f64::from).collect();
        let ends = [self.start_percent, self.end_percent];
        Ok(spread(
            self.prev_hook_kf,
            &strengths,
            ends,
            self.print_keyframes,
        ))
    }
}

/// Makes a keyframe of each of several numbers.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CreateHookKeyframesFromFloats",
    name = "Create Hook Keyframes From Floats",
    category = "advanced/hooks/scheduling",
    module = "comfy_extras.nodes_hooks",
    experimental
)]
pub struct CreateHookKeyframesFromFloats {
    /// The factors.
    #[input(default = -1.0, min = -1.0, step = 0.001, force_input)]
    floats_strength: Floats,
    /// The part of the way after which the first counts.
    #[input(default = 0.0, min = 0.0, max = 1.0, step = 0.001)]
    start_percent: f64,
    /// The part of the way after which the last counts.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.001)]
    end_percent: f64,
    /// Whether the log tells which they are.
    #[input(default = false)]
    print_keyframes: bool,
    /// Keyframes to add them to.
    prev_hook_kf: Option<HookKeyframes>,
}

impl Node for CreateHookKeyframesFromFloats {
    type Output = MadeKeyframes;

    fn run(self, _: &mut NodeContext<'_>) -> Result<MadeKeyframes, NodeError> {
        let ends = [self.start_percent, self.end_percent];
        Ok(spread(
            self.prev_hook_kf,
            &self.floats_strength.0,
            ends,
            self.print_keyframes,
        ))
    }
}

/// Keyframes at even distances, of which only the first counts for one step at least.
fn spread(
    before: Option<HookKeyframes>,
    strengths: &[f64],
    [start, end]: [f64; 2],
    is_told: bool,
) -> MadeKeyframes {
    let starts = linspace(start as f32, end as f32, strengths.len());
    let frames = strengths.iter().zip(starts).enumerate();
    let frames = frames.map(|(index, (strength, start))| {
        if is_told {
            tracing::info!(start, strength, "hook keyframe");
        }
        let guaranteed = usize::from(index == 0);
        Keyframe::new(*strength, f64::from(start), guaranteed)
    });
    let keyframes = before.unwrap_or_default().0.with(frames);
    MadeKeyframes {
        keyframes: HookKeyframes(keyframes),
    }
}
