//! Changes of weights that prompts carry, and how they vary on the way.

use std::sync::Arc;

use comfy_diffusion::weight_hooks::{Keyframes, WeightHooks};
use comfy_graph::{Json, Number, Socket, Widget};

/// Changes of weights that count only for the prompts that carry them.
#[derive(Debug, Clone, Default)]
pub struct Hooks(pub WeightHooks);

impl Socket for Hooks {
    const TYPE: &'static str = "HOOKS";
}

/// How the strengths of such changes vary on the way from noise to picture.
#[derive(Debug, Clone, Default)]
pub struct HookKeyframes(pub Keyframes);

impl Socket for HookKeyframes {
    const TYPE: &'static str = "HOOK_KEYFRAMES";
}

/// Several numbers. Nodes of other packages make them; a prompt may give them as a list, or one number alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Floats(pub Arc<[f64]>);

impl Socket for Floats {
    const TYPE: &'static str = "FLOATS";

    fn from_json(json: &Json) -> Option<Self> {
        match json.as_array() {
            Some(numbers) => numbers
                .iter()
                .map(Json::as_f64)
                .collect::<Option<_>>()
                .map(Self),
            None => json.as_f64().map(|number| Self([number].into())),
        }
    }

    fn size(&self) -> usize {
        size_of_val(&*self.0)
    }
}

impl Widget for Floats {
    type Setting = f64;
}

impl Number for Floats {}
