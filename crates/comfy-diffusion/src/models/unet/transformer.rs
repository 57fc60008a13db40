//! Transformers over the pixels of an image, reading the text.

use burn::tensor::{DType, Tensor};

use super::super::hooks::{AttentionInput, AttentionKind, AttentionSite, NetworkHook};
use super::super::{Activation, Observer};
use super::{GROUPS, Hooking};
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::ops::{GroupNorm, InElement, LayerNorm, Linear, Mask, Strategies, attention};
use crate::residency::Part;
use crate::weights::Scope;

/// Added to variances in the norm before a transformer.
const IMAGE_EPSILON: f64 = 1e-6;

/// Added to variances of tokens.
const TOKEN_EPSILON: f64 = 1e-5;

/// Heads of the first generation, whatever the width.
const FIXED_HEADS: usize = 8;

/// The head size of later generations, whatever the width.
const FIXED_HEAD_SIZE: usize = 64;

/// A norm, a projection to tokens, transformer blocks, a projection back, and the input added.
#[derive(Debug)]
pub(super) struct SpatialTransformer {
    norm: GroupNorm,
    project_in: Linear,
    /// With what an observer calls them.
    blocks: Vec<(String, Part<Block>)>,
    project_out: Linear,
}

impl SpatialTransformer {
    pub(super) fn load(scope: &Scope, name: &str, device: &ComputeDevice) -> Result<Self> {
        let norm = GroupNorm::load(&scope.enter("norm"), GROUPS, IMAGE_EPSILON, device)?;
        let project_in = Linear::load(&scope.enter("proj_in"), device)?;
        let project_out = Linear::load(&scope.enter("proj_out"), device)?;
        let width = project_in.outputs();
        // Networks that project with convolutions have eight heads, those that project with linear layers heads of 64.
        let convolutional = scope.shape("proj_in.weight")?.len() == 4;
        let heads = if convolutional {
            FIXED_HEADS
        } else {
            (width / FIXED_HEAD_SIZE).max(1)
        };
        if !width.is_multiple_of(heads) {
            let expected = format!("a number of outputs that {heads} heads divide");
            let shape = scope.shape("proj_in.weight")?;
            return Err(scope.shape_error("proj_in.weight", expected, shape));
        }
        let channels = norm.channels();
        let fits = [
            ("proj_in.weight", project_in.inputs() == channels),
            (
                "proj_out.weight",
                (project_out.inputs(), project_out.outputs()) == (width, channels),
            ),
        ];
        if let Some((wrong, _)) = fits.iter().find(|(_, fits)| !fits) {
            let expected = format!("to connect {channels} channels with features of width {width}");
            return Err(scope.shape_error(wrong, expected, scope.shape(wrong)?));
        }
        let blocks = (0..scope.count("transformer_blocks"))
            .map(|index| {
                let local = format!("transformer_blocks.{index}");
                let target = device.clone();
                let block = Part::new(&scope.enter(&local), move |scope| {
                    Block::load(scope, width, heads, &target)
                });
                (format!("{name}.{local}"), block)
            })
            .collect();
        Ok(Self {
            norm,
            project_in,
            blocks,
            project_out,
        })
    }

    pub(super) fn channels(&self) -> usize {
        self.norm.channels()
    }

    /// Whether each block fits itself; `contexts` collects the widths of the texts that the blocks read.
    pub(super) fn check(&self, contexts: &mut Vec<usize>) -> Result<()> {
        for (_, block) in &self.blocks {
            let block = block.get()?;
            let layer = block.cross_attention.as_ref();
            contexts.extend(layer.map(|layer| layer.attention.key.inputs()));
        }
        Ok(())
    }

    /// `x` is `[batch, channels, height, width]`, `context` `[batch, tokens, width]`.
    pub(super) fn forward(
        &self,
        x: Tensor<4>,
        context: Option<&Tensor<3>>,
        at: &Hooking<'_>,
        observe: Observer,
    ) -> Result<Tensor<4>> {
        let shape @ [batch, channels, height, width] = x.dims();
        let pixels = height * width;
        let normal: Tensor<3> = self
            .norm
            .forward(x.clone())
            .reshape([batch, channels, pixels]);
        let mut tokens = self.project_in.forward(normal.swap_dims(1, 2));
        for (index, (name, block)) in self.blocks.iter().enumerate() {
            tokens = block.get()?.forward(tokens, context, at, index)?;
            observe(name, Activation::Tokens(&tokens));
        }
        let residual = x.reshape([batch, channels, pixels]);
        Ok(self
            .project_out
            .forward_to_channels(tokens, Some(residual))
            .reshape(shape))
    }
}

/// Attention among the tokens, attention to the text, and a gated feed-forward layer, each after a norm and added to its input.
#[derive(Debug)]
struct Block {
    self_attention: AttentionLayer,
    cross_attention: Option<AttentionLayer>,
    feed_norm: LayerNorm,
    feed_in: Linear,
    feed_out: Linear,
}

impl Block {
    fn load(scope: &Scope, width: usize, heads: usize, device: &ComputeDevice) -> Result<Self> {
        let attention = |norm: &str, layer: &str| {
            AttentionLayer::load(scope, norm, layer, width, heads, device)
        };
        let feed_norm = LayerNorm::load(&scope.enter("norm3"), TOKEN_EPSILON, device)?;
        let feed_in = Linear::load(&scope.enter("ff.net.0.proj"), device)?;
        let feed_out = Linear::load(&scope.enter("ff.net.2"), device)?;
        let fits = [
            ("norm3.weight", feed_norm.width() == width),
            ("ff.net.0.proj.weight", feed_in.inputs() == width),
            (
                "ff.net.2.weight",
                2 * feed_out.inputs() == feed_in.outputs() && feed_out.outputs() == width,
            ),
        ];
        check(scope, &fits, width)?;
        let self_attention = attention("norm1", "attn1")?;
        let reads_itself = self_attention.attention.key.inputs() == width;
        check(scope, &[("attn1.to_k.weight", reads_itself)], width)?;
        Ok(Self {
            self_attention,
            cross_attention: scope
                .has_scope("attn2")
                .then(|| attention("norm2", "attn2"))
                .transpose()?,
            feed_norm,
            feed_in,
            feed_out,
        })
    }

    /// `index` is the block's number within its stage.
    fn forward(
        &self,
        x: Tensor<3>,
        context: Option<&Tensor<3>>,
        at: &Hooking<'_>,
        index: usize,
    ) -> Result<Tensor<3>> {
        let site = |kind| {
            at.attention().map(|site| AttentionSite {
                site,
                kind,
                block: index,
            })
        };
        let own = site(AttentionKind::ToItself);
        let mut x = self.self_attention.forward(x, None, own.as_ref())?;
        if let Some(site) = &own {
            let (hooks, element) = (&site.site.call.hooks, x.element());
            let heads = self.self_attention.heads;
            x = hooks
                .between_attentions(site, heads, x.in_element(DType::F32))?
                .in_element(element);
        }
        if let Some(layer) = &self.cross_attention {
            let text = site(AttentionKind::ToText);
            x = layer.forward(x, context, text.as_ref())?;
        }
        let hidden = self
            .feed_in
            .forward_geglu(self.feed_norm.forward(x.clone()));
        Ok(self.feed_out.forward_add(hidden, x))
    }
}

/// A norm and attention, added to the input.
#[derive(Debug)]
struct AttentionLayer {
    norm: LayerNorm,
    attention: Projections,
    heads: usize,
    strategies: Strategies,
}

/// What attention multiplies its inputs and its result with.
#[derive(Debug)]
struct Projections {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
}

impl AttentionLayer {
    fn load(
        scope: &Scope,
        norm: &str,
        layer: &str,
        width: usize,
        heads: usize,
        device: &ComputeDevice,
    ) -> Result<Self> {
        let norm_layer = LayerNorm::load(&scope.enter(norm), TOKEN_EPSILON, device)?;
        let load = |name: &str| Linear::load(&scope.enter(layer).enter(name), device);
        let (query, key, value, output) = (
            load("to_q")?,
            load("to_k")?,
            load("to_v")?,
            load("to_out.0")?,
        );
        let name = |part: &str| format!("{layer}.{part}.weight");
        let fits = [
            (format!("{norm}.weight"), norm_layer.width() == width),
            (
                name("to_q"),
                (query.inputs(), query.outputs()) == (width, width),
            ),
            (name("to_k"), key.outputs() == width),
            (
                name("to_v"),
                (value.inputs(), value.outputs()) == (key.inputs(), width),
            ),
            (
                name("to_out.0"),
                (output.inputs(), output.outputs()) == (width, width),
            ),
        ];
        let fits = fits.each_ref().map(|(name, fits)| (name.as_str(), *fits));
        check(scope, &fits, width)?;
        Ok(Self {
            norm: norm_layer,
            attention: Projections {
                query,
                key,
                value,
                output,
            },
            heads,
            strategies: *device.strategies(),
        })
    }

    /// Attends to `context`, or to the tokens themselves.
    fn forward(
        &self,
        x: Tensor<3>,
        context: Option<&Tensor<3>>,
        site: Option<&AttentionSite<'_>>,
    ) -> Result<Tensor<3>> {
        let normal = self.norm.forward(x.clone());
        let read = context.cloned().unwrap_or_else(|| normal.clone());
        if let Some(site) = site {
            return Ok(x + self.forward_hooked(normal, read, site)?);
        }
        let Projections {
            query,
            key,
            value,
            output,
        } = &self.attention;
        let (key, value) = (key.forward(read.clone()), value.forward(read));
        let query = query.forward(normal);
        let result = attention(&self.strategies, query, key, value, self.heads, Mask::None);
        Ok(output.forward_add(result, x))
    }

    /// What is to be added to the input, with every hook asked. Hooks compute in f32, whatever the network does.
    fn forward_hooked(
        &self,
        query: Tensor<3>,
        read: Tensor<3>,
        site: &AttentionSite<'_>,
    ) -> Result<Tensor<3>> {
        let (hooks, element) = (&site.site.call.hooks, query.element());
        let input = AttentionInput {
            query,
            key: read.clone(),
            value: read,
        };
        let changed = hooks.before_attention(site, input.in_element(DType::F32))?;
        let AttentionInput { query, key, value } = changed.in_element(element);
        let projections = &self.attention;
        let projected = AttentionInput {
            query: projections.query.forward(query),
            key: projections.key.forward(key),
            value: projections.value.forward(value),
        };
        let result = if let Some(function) = hooks.attention(site) {
            let projected = projected.in_element(DType::F32);
            let result = function.attend(site, projected, self.heads, &self.strategies)?;
            result.in_element(element)
        } else {
            let AttentionInput { query, key, value } = projected;
            attention(&self.strategies, query, key, value, self.heads, Mask::None)
        };
        let output = projections.output.forward(result);
        let output = hooks.after_attention(site, output.in_element(DType::F32))?;
        Ok(output.in_element(element))
    }
}

fn check(scope: &Scope, fits: &[(&str, bool)], width: usize) -> Result<()> {
    match fits.iter().find(|(_, fits)| !fits) {
        None => Ok(()),
        Some((name, _)) => Err(Error::UnknownModel {
            path: scope.weights().path().to_owned(),
            reason: format!(
                "{} has shape {:?}, which does not fit tokens of width {width} and the rest of its block",
                scope.full_name(name),
                scope.shape(name)?
            ),
        }),
    }
}
