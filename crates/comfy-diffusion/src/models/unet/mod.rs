//! The latent diffusion UNet (Rombach et al. 2022) in the layout of its original files: SD 1.x, and by other shapes its relatives.

mod control;
mod descent;
mod layer;
mod perceptron;
mod residual;
mod transformer;

use burn::tensor::{DType, Tensor};

pub use self::control::ControlUNet;
use self::descent::{Descent, only_width};
use self::layer::Stage;
use super::hooks::{NetworkCall, NetworkHook, Part, Place, Site};
use super::{Activation, Network, NetworkInput, Observer};
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::ops::{Conv2d, Geometry, GroupNorm, InElement};
use crate::weights::Scope;

/// Groups of every group norm of this family.
const GROUPS: usize = 32;

/// Added to variances in residual blocks and before the last convolution.
const EPSILON: f64 = 1e-5;

/// The network: stages down, a middle, and stages up that each take the output of a stage on the way down.
#[derive(Debug)]
pub struct UNet {
    descent: Descent,
    up: Vec<Stage>,
    norm: GroupNorm,
    output: Conv2d,
    /// The width of the text that cross-attention reads, if there is any.
    context_width: Option<usize>,
}

impl UNet {
    /// Builds the network from the tensors of `scope` (`input_blocks`, `middle_block`, `output_blocks`, …).
    ///
    /// # Errors
    ///
    /// If a tensor is missing or has another shape than the rest of the network asks for.
    pub fn load(scope: &Scope, device: &ComputeDevice) -> Result<Self> {
        let network = Self {
            descent: Descent::load(scope, device)?,
            up: Stage::load_all(scope, "output_blocks", device)?,
            norm: GroupNorm::load(&scope.enter("out.0"), GROUPS, EPSILON, device)?,
            output: Conv2d::load(&scope.enter("out.2"), Geometry::same(3), device)?,
            context_width: None,
        };
        network.check(scope)
    }

    /// Follows the channels through the network, so that no call can meet a shape that does not fit.
    fn check(mut self, scope: &Scope) -> Result<Self> {
        let extents = self.descent.check(scope)?;
        let (skips, mut contexts) = (extents.stages, extents.contexts);
        if self.up.len() != skips.len() {
            return Err(Error::UnknownModel {
                path: scope.weights().path().to_owned(),
                reason: format!(
                    "{} has {} input blocks and {} output blocks, expected as many of each",
                    scope.prefix(),
                    skips.len(),
                    self.up.len()
                ),
            });
        }
        let embedding = self.descent.embedding_width();
        let mut channels = extents.middle;
        for (stage, skip) in self.up.iter().zip(skips.iter().rev()) {
            channels = stage.check(scope, channels + skip, embedding, &mut contexts)?;
        }
        let expect = |name: &str, found: usize, expected: usize| {
            if found == expected {
                Ok(())
            } else {
                Err(scope.shape_error(name, format!("{expected} inputs"), scope.shape(name)?))
            }
        };
        expect("out.0.weight", self.norm.channels(), channels)?;
        expect("out.2.weight", self.output.inputs(), channels)?;
        self.context_width = only_width(scope, contexts)?;
        Ok(self)
    }

    /// As [`Network::forward`], telling `observe` what each part computed: `time_embed`, `input_blocks.1.0`,
    /// `input_blocks.1.1.transformer_blocks.0`, `out`.
    ///
    /// # Errors
    ///
    /// If the input does not fit the network.
    pub fn forward_observed(&self, input: NetworkInput, observe: Observer) -> Result<Tensor<4>> {
        self.descent.check_input(&input, self.context_width)?;
        let input = self.descent.enter(input);
        let embedding = self.descent.embed(&input, None, &mut *observe)?;
        let NetworkInput {
            x, context, hooks, ..
        } = input;
        let [_, _, height, width] = x.dims();
        let hooks = hooks.filter(|call| !call.hooks.is_empty());
        let site = |part, stage| Hooking {
            call: hooks.as_ref(),
            place: Place { part, stage },
            latent: [height, width],
            base_channels: self.descent.base_channels(),
        };
        let mut call = Call {
            embedding,
            context,
            observe,
        };
        let mut skips: Vec<Tensor<4>> = Vec::with_capacity(self.descent.stages.len());
        let mut x = x;
        for (index, stage) in self.descent.stages.iter().enumerate() {
            let at = site(Part::Input, index);
            x = stage.forward(x, &mut call, &at, None)?;
            x = at.ask(x, |hooks, site, x| hooks.after_stage(site, x))?;
            skips.push(x.clone());
            x = at.ask(x, |hooks, site, x| hooks.after_skip(site, x))?;
        }
        let at = site(Part::Middle, 0);
        x = self.descent.middle.forward(x, &mut call, &at, None)?;
        x = at.ask(x, |hooks, site, x| hooks.after_stage(site, x))?;
        for (index, stage) in self.up.iter().enumerate() {
            let at = site(Part::Output, index);
            let skip = skips.pop().expect("as many stages up as down");
            let (left, skip) = at.ask((x, skip), |hooks, site, (x, skip)| {
                joinable(hooks.before_join(site, x, skip)?)
            })?;
            x = Tensor::cat(vec![left, skip], 1);
            // Upsampling has to give the size that the next skip connection has: odd sizes were rounded up on the way down.
            let size = skips.last().map(|skip| [skip.dims()[2], skip.dims()[3]]);
            x = stage.forward(x, &mut call, &at, size)?;
        }
        let x = self.output.forward(self.norm.forward_silu(x));
        // What comes after the network is done in f32.
        let x = x.in_element(DType::F32);
        (call.observe)("out", Activation::Image(&x));
        Ok(x)
    }
}

impl Network for UNet {
    fn forward(&self, input: NetworkInput) -> Result<Tensor<4>> {
        self.forward_observed(input, &mut |_, _| {})
    }

    fn in_channels(&self) -> usize {
        self.descent.in_channels()
    }
}

/// What all parts of one call share.
struct Call<'a> {
    /// The activated embedding of time (and label), `[batch, width]`.
    embedding: Tensor<2>,
    context: Option<Tensor<3>>,
    observe: Observer<'a>,
}

/// A place at which hooks are asked, if there are any.
#[derive(Clone, Copy)]
struct Hooking<'a> {
    call: Option<&'a NetworkCall>,
    place: Place,
    latent: [usize; 2],
    base_channels: usize,
}

impl<'a> Hooking<'a> {
    fn site(&self) -> Option<Site<'a>> {
        self.call.map(|call| Site {
            call,
            place: self.place,
            latent: self.latent,
            base_channels: self.base_channels,
        })
    }

    /// The site for hooks that change attention, if there are any.
    fn attention(&self) -> Option<Site<'a>> {
        self.site()
            .filter(|site| site.call.hooks.changes_attention())
    }

    /// Hooks compute in f32, whatever the network does.
    fn ask<T: InElement>(
        &self,
        value: T,
        ask: impl FnOnce(&dyn NetworkHook, &Site<'_>, T) -> Result<T>,
    ) -> Result<T> {
        let Some(site) = self.site() else {
            return Ok(value);
        };
        let element = value.element();
        let changed = ask(&site.call.hooks, &site, value.in_element(DType::F32))?;
        Ok(changed.in_element(element))
    }
}

/// That what hooks made of the two halves of a stage's input fits together.
fn joinable((x, skip): (Tensor<4>, Tensor<4>)) -> Result<(Tensor<4>, Tensor<4>)> {
    let ([batch, _, height, width], [skip_batch, _, skip_height, skip_width]) =
        (x.dims(), skip.dims());
    if [batch, height, width] == [skip_batch, skip_height, skip_width] {
        return Ok((x, skip));
    }
    Err(Error::input(format!(
        "a patch of the model changed the size within the network to {width}x{height} where {skip_width}x{skip_height} is expected"
    )))
}

#[cfg(test)]
mod half_tests;
#[cfg(test)]
mod tests;
