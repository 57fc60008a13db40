//! `CombineHooks2`, `CombineHooks4` and `CombineHooks8`.

use comfy_diffusion::weight_hooks::WeightHooks;
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};

use super::MadeHooks;
use crate::sockets::Hooks;

/// Puts the hooks of two nodes together. A hook that comes twice counts once.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CombineHooks2",
    name = "Combine Hooks [2]",
    category = "advanced/hooks/combine",
    module = "comfy_extras.nodes_hooks",
    experimental
)]
pub struct CombineHooks2 {
    /// The first hooks.
    #[input(name = "hooks_A")]
    first: Option<Hooks>,
    /// The second hooks.
    #[input(name = "hooks_B")]
    second: Option<Hooks>,
}

impl Node for CombineHooks2 {
    type Output = MadeHooks;

    fn run(self, _: &mut NodeContext<'_>) -> Result<MadeHooks, NodeError> {
        Ok(together([self.first, self.second]))
    }
}

/// Puts the hooks of up to four nodes together. A hook that comes twice counts once.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CombineHooks4",
    name = "Combine Hooks [4]",
    category = "advanced/hooks/combine",
    module = "comfy_extras.nodes_hooks",
    experimental
)]
pub struct CombineHooks4 {
    /// The first hooks.
    #[input(name = "hooks_A")]
    first: Option<Hooks>,
    /// The second hooks.
    #[input(name = "hooks_B")]
    second: Option<Hooks>,
    /// The third hooks.
    #[input(name = "hooks_C")]
    third: Option<Hooks>,
    /// The fourth hooks.
    #[input(name = "hooks_D")]
    fourth: Option<Hooks>,
}

impl Node for CombineHooks4 {
    type Output = MadeHooks;

    fn run(self, _: &mut NodeContext<'_>) -> Result<MadeHooks, NodeError> {
        Ok(together([self.first, self.second, self.third, self.fourth]))
    }
}

/// Puts the hooks of up to eight nodes together. A hook that comes twice counts once.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CombineHooks8",
    name = "Combine Hooks [8]",
    category = "advanced/hooks/combine",
    module = "comfy_extras.nodes_hooks",
    experimental
)]
pub struct CombineHooks8 {
    /// The first hooks.
    #[input(name = "hooks_A")]
    first: Option<Hooks>,
    /// The second hooks.
    #[input(name = "hooks_B")]
    second: Option<Hooks>,
    /// The third hooks.
    #[input(name = "hooks_C")]
    third: Option<Hooks>,
    /// The fourth hooks.
    #[input(name = "hooks_D")]
    fourth: Option<Hooks>,
    /// The fifth hooks.
    #[input(name = "hooks_E")]
    fifth: Option<Hooks>,
    /// The sixth hooks.
    #[input(name = "hooks_F")]
    sixth: Option<Hooks>,
    /// The seventh hooks.
    #[input(name = "hooks_G")]
    seventh: Option<Hooks>,
    /// The eighth hooks.
    #[input(name = "hooks_H")]
    eighth: Option<Hooks>,
}

impl Node for CombineHooks8 {
    type Output = MadeHooks;

    fn run(self, _: &mut NodeContext<'_>) -> Result<MadeHooks, NodeError> {
        let first = [self.first, self.second, self.third, self.fourth];
        let further = [self.fifth, self.sixth, self.seventh, self.eighth];
        Ok(together(first.into_iter().chain(further)))
    }
}

fn together(groups: impl IntoIterator<Item = Option<Hooks>>) -> MadeHooks {
    let groups = groups.into_iter().flatten();
    let all = groups.fold(WeightHooks::default(), |all, group| all.and(&group.0));
    all.into()
}
