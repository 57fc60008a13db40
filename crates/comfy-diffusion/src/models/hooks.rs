//! Changing what a network computes on its way, without the network knowing by whom.
//!
//! A [`NetworkHook`] is asked at each place of the network and changes what it wants to; an [`AttentionFunction`] takes the
//! place of attention somewhere. Both are immutable and shared: [`NetworkHooks`] is cheap to clone, and what a hook must
//! remember it keeps in the [`Memory`] of the run.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use burn::tensor::{DType, Tensor};

use super::NetworkInput;
use crate::Result;
use crate::ops::{InElement, Strategies};
use crate::sampling::{Memory, ModelSampling};

/// A third of a network that goes down in resolution and up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The way down.
    Input,
    /// The lowest resolution.
    Middle,
    /// The way up.
    Output,
}

/// A stage of a network, as files number them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The third it is in.
    pub part: Part,
    /// Its number there, from 0.
    pub stage: usize,
}

/// What attention reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttentionKind {
    /// The tokens of the picture themselves.
    ToItself,
    /// The text.
    ToText,
}

/// What a hook may know of the call of the network that it changes.
#[derive(Clone, Debug)]
pub struct NetworkCall {
    /// The noise level.
    pub sigma: f32,
    /// The batch is made of equal parts; for each the number of the list of conditions it is computed for.
    pub lists: Vec<usize>,
    /// What hooks remember during this run.
    pub memory: Arc<Memory>,
    /// The hooks to ask.
    pub hooks: NetworkHooks,
}

/// Where in a call a hook is asked.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The call.
    pub call: &'a NetworkCall,
    /// The stage.
    pub place: Place,
    /// Height and width of the latent that the network was called with.
    pub latent: [usize; 2],
    /// The channels of the network's first stage, of which others have multiples.
    pub base_channels: usize,
}

/// Which attention a hook is asked at.
#[derive(Clone, Copy, Debug)]
pub struct AttentionSite<'a> {
    /// Where.
    pub site: Site<'a>,
    /// What it reads.
    pub kind: AttentionKind,
    /// The number of its transformer block within the stage, from 0.
    pub block: usize,
}

/// What attention is computed from: normed tokens [batch, tokens, width], or what the layer has projected them to.
#[derive(Clone, Debug)]
pub struct AttentionInput {
    /// What asks.
    pub query: Tensor<3>,
    /// What is asked.
    pub key: Tensor<3>,
    /// What answers, as long as the keys.
    pub value: Tensor<3>,
}

impl InElement for AttentionInput {
    fn element(&self) -> DType {
        self.query.element()
    }

    fn in_element(self, element: DType) -> Self {
        Self {
            query: self.query.in_element(element),
            key: self.key.in_element(element),
            value: self.value.in_element(element),
        }
    }
}

/// Changes what passes through a network. Every method does nothing unless it is written. Tensors are `f32`, whatever the network
/// computes in.
pub trait NetworkHook: Debug + Send + Sync {
    /// Whether any of the methods about attention does something. Where none of all hooks' does, they are not asked there.
    fn changes_attention(&self) -> bool {
        true
    }

    /// Changes what attention reads, before it is projected.
    fn before_attention(
        &self,
        site: &AttentionSite<'_>,
        input: AttentionInput,
    ) -> Result<AttentionInput> {
        let _ = site;
        Ok(input)
    }

    /// Changes what attention gives, before it is added to its input.
    fn after_attention(&self, site: &AttentionSite<'_>, output: Tensor<3>) -> Result<Tensor<3>> {
        let _ = site;
        Ok(output)
    }

    /// Changes the tokens between the attention to themselves and that to the text, each in `heads` heads.
    fn between_attentions(
        &self,
        site: &AttentionSite<'_>,
        heads: usize,
        x: Tensor<3>,
    ) -> Result<Tensor<3>> {
        let _ = (site, heads);
        Ok(x)
    }

    /// Changes what a stage of the way down or of the middle gives: to the next stage, and to the way up.
    fn after_stage(&self, site: &Site<'_>, x: Tensor<4>) -> Result<Tensor<4>> {
        let _ = site;
        Ok(x)
    }

    /// Changes what a stage of the way down gives to the next stage alone.
    fn after_skip(&self, site: &Site<'_>, x: Tensor<4>) -> Result<Tensor<4>> {
        let _ = site;
        Ok(x)
    }

    /// Changes what a stage of the way up is made of: x from the stage before it, and what its counterpart on the way down
    /// has left for it. Both must have the same size afterwards.
    fn before_join(
        &self,
        site: &Site<'_>,
        x: Tensor<4>,
        skip: Tensor<4>,
    ) -> Result<(Tensor<4>, Tensor<4>)> {
        let _ = site;
        Ok((x, skip))
    }
}

/// Attention by another formula.
pub trait AttentionFunction: Debug + Send + Sync {
    /// From projected tokens, `heads` of them side by side, to something of the query's shape.
    fn attend(
        &self,
        site: &AttentionSite<'_>,
        input: AttentionInput,
        heads: usize,
        strategies: &Strategies,
    ) -> Result<Tensor<3>>;
}

/// Stands around the whole network, and may leave it out.
pub trait AroundNetwork: Debug + Send + Sync {
    /// The output for an input; `network` is what stands within, down to the network itself.
    fn call(
        &self,
        input: NetworkInput,
        sampling: &ModelSampling,
        network: &dyn Fn(NetworkInput) -> Result<Tensor<4>>,
    ) -> Result<Tensor<4>>;
}

/// Which attention is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttentionPlace {
    /// What it reads.
    pub kind: AttentionKind,
    /// The stage.
    pub place: Place,
    /// The transformer block within the stage; `None` is all that have no replacement of their own.
    pub block: Option<usize>,
}

/// The hooks of a network, in the order in which they are asked.
#[derive(Clone, Debug, Default)]
pub struct NetworkHooks {
    hooks: Vec<Arc<dyn NetworkHook>>,
    attention: BTreeMap<AttentionPlace, Arc<dyn AttentionFunction>>,
    around: Vec<Arc<dyn AroundNetwork>>,
}

impl NetworkHooks {
    /// With one more hook, which is asked after the others.
    #[must_use]
    pub fn with(mut self, hook: Arc<dyn NetworkHook>) -> Self {
        self.hooks.push(hook);
        self
    }

    /// With one more hook, which is asked before the others.
    #[must_use]
    pub fn with_first(mut self, hook: Arc<dyn NetworkHook>) -> Self {
        self.hooks.insert(0, hook);
        self
    }

    /// With another formula for attention somewhere, instead of one that was there.
    #[must_use]
    pub fn with_attention(
        mut self,
        place: AttentionPlace,
        function: Arc<dyn AttentionFunction>,
    ) -> Self {
        self.attention.insert(place, function);
        self
    }

    /// With one more that stands around the network, outside of those that are there.
    #[must_use]
    pub fn with_around(mut self, around: Arc<dyn AroundNetwork>) -> Self {
        self.around.push(around);
        self
    }

    /// Calls the network through all that stand around it.
    pub(crate) fn call(
        &self,
        input: NetworkInput,
        sampling: &ModelSampling,
        network: &dyn Fn(NetworkInput) -> Result<Tensor<4>>,
    ) -> Result<Tensor<4>> {
        through(&self.around, input, sampling, network)
    }

    /// Whether nothing is changed inside the network.
    pub fn is_empty(&self) -> bool {
        self.hooks.is_empty() && self.attention.is_empty()
    }

    /// The formula for the attention at a site, if it is replaced.
    pub(super) fn attention(&self, site: &AttentionSite<'_>) -> Option<&dyn AttentionFunction> {
        let place = |block| AttentionPlace {
            kind: site.kind,
            place: site.site.place,
            block,
        };
        let own = self.attention.get(&place(Some(site.block)));
        own.or_else(|| self.attention.get(&place(None)))
            .map(AsRef::as_ref)
    }
}

/// Calls the network through these, the last one first.
fn through(
    around: &[Arc<dyn AroundNetwork>],
    input: NetworkInput,
    sampling: &ModelSampling,
    network: &dyn Fn(NetworkInput) -> Result<Tensor<4>>,
) -> Result<Tensor<4>> {
    match around.split_last() {
        None => network(input),
        Some((outermost, within)) => outermost.call(input, sampling, &|input| {
            through(within, input, sampling, network)
        }),
    }
}

/// Asks all hooks.
impl NetworkHook for NetworkHooks {
    fn changes_attention(&self) -> bool {
        !self.attention.is_empty() || self.hooks.iter().any(|hook| hook.changes_attention())
    }

    fn before_attention(
        &self,
        site: &AttentionSite<'_>,
        input: AttentionInput,
    ) -> Result<AttentionInput> {
        let mut hooks = self.hooks.iter();
        hooks.try_fold(input, |input, hook| hook.before_attention(site, input))
    }

    fn after_attention(&self, site: &AttentionSite<'_>, output: Tensor<3>) -> Result<Tensor<3>> {
        let mut hooks = self.hooks.iter();
        hooks.try_fold(output, |output, hook| hook.after_attention(site, output))
    }

    fn between_attentions(
        &self,
        site: &AttentionSite<'_>,
        heads: usize,
        x: Tensor<3>,
    ) -> Result<Tensor<3>> {
        let mut hooks = self.hooks.iter();
        hooks.try_fold(x, |x, hook| hook.between_attentions(site, heads, x))
    }

    fn after_stage(&self, site: &Site<'_>, x: Tensor<4>) -> Result<Tensor<4>> {
        let mut hooks = self.hooks.iter();
        hooks.try_fold(x, |x, hook| hook.after_stage(site, x))
    }

    fn after_skip(&self, site: &Site<'_>, x: Tensor<4>) -> Result<Tensor<4>> {
        let mut hooks = self.hooks.iter();
        hooks.try_fold(x, |x, hook| hook.after_skip(site, x))
    }

    fn before_join(
        &self,
        site: &Site<'_>,
        x: Tensor<4>,
        skip: Tensor<4>,
    ) -> Result<(Tensor<4>, Tensor<4>)> {
        let mut hooks = self.hooks.iter();
        hooks.try_fold((x, skip), |(x, skip), hook| hook.before_join(site, x, skip))
    }
}
