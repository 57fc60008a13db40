//! The latent diffusion UNet (Rombach et al. 2022) in the layout of its original files: SD 1.x, and by other shapes its relatives.

mod layer;
mod residual;
mod transformer;

use burn::tensor::Tensor;

use self::layer::Stage;
use super::hooks::{NetworkCall, NetworkHook, Part, Place, Site};
use super::timestep::timestep_embedding;
use super::{Activation, Network, NetworkInput, Observer};
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::ops::{Conv2d, Geometry, GroupNorm, Linear, silu};
use crate::weights::Scope;

/// Groups of every group norm of this family.
const GROUPS: usize = 32;

/// Added to variances in residual blocks and before the last convolution.
const EPSILON: f64 = 1e-5;

/// The network: stages down, a middle, and stages up that each take the output of a stage on the way down.
#[derive(Debug)]
pub struct UNet {
    time_embedding: Perceptron,
    /// Only for networks that are conditioned on a label vector.
    label_embedding: Option<Perceptron>,
    down: Vec<Stage>,
    middle: Stage,
    up: Vec<Stage>,
    norm: GroupNorm,
    output: Conv2d,
    in_channels: usize,
    /// The width of the text that cross-attention reads, if there is any.
    context_width: Option<usize>,
    device: ComputeDevice,
}

impl UNet {
    /// Builds the network from the tensors of `scope` (`input_blocks`, `middle_block`, `output_blocks`, …).
    ///
    /// # Errors
    ///
    /// If a tensor is missing or has another shape than the rest of the network asks for.
    pub fn load(scope: &Scope, device: &ComputeDevice) -> Result<Self> {
        let stages = |name: &str| -> Result<Vec<Stage>> {
            (0..scope.count(name))
                .map(|index| Stage::load(scope, &format!("{name}.{index}"), device))
                .collect()
        };
        let [_, in_channels, ..] = scope.dims::<4>("input_blocks.0.0.weight")?;
        let label = scope.enter("label_emb.0");
        let network = Self {
            time_embedding: Perceptron::load(&scope.enter("time_embed"), device)?,
            label_embedding: scope
                .has_scope("label_emb.0")
                .then(|| Perceptron::load(&label, device))
                .transpose()?,
            down: stages("input_blocks")?,
            middle: Stage::load(scope, "middle_block", device)?,
            up: stages("output_blocks")?,
            norm: GroupNorm::load(&scope.enter("out.0"), GROUPS, EPSILON, device)?,
            output: Conv2d::load(&scope.enter("out.2"), Geometry::same(3), device)?,
            in_channels,
            context_width: None,
            device: device.clone(),
        };
        network.check(scope)
    }

    /// Follows the channels through the network, so that no call can meet a shape that does not fit.
    fn check(mut self, scope: &Scope) -> Result<Self> {
        let embedding = self.time_embedding.outputs();
        let mut channels = self.in_channels;
        let mut skips = Vec::with_capacity(self.down.len());
        let mut contexts = Vec::new();
        for stage in &self.down {
            channels = stage.check(scope, channels, embedding, &mut contexts)?;
            skips.push(channels);
        }
        channels = self
            .middle
            .check(scope, channels, embedding, &mut contexts)?;
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
        if let Some(label) = &self.label_embedding {
            let name = "label_emb.0.2.weight";
            expect(name, label.outputs(), embedding)?;
        }
        contexts.dedup();
        match contexts[..] {
            [] => {}
            [width] => self.context_width = Some(width),
            _ => {
                return Err(Error::UnknownModel {
                    path: scope.weights().path().to_owned(),
                    reason: format!(
                        "cross-attention of {} reads texts of different widths {contexts:?}",
                        scope.prefix()
                    ),
                });
            }
        }
        Ok(self)
    }

    /// As [`Network::forward`], telling `observe` what each part computed: `time_embed`, `input_blocks.1.0`,
    /// `input_blocks.1.1.transformer_blocks.0`, `out`.
    ///
    /// # Errors
    ///
    /// If the input does not fit the network.
    pub fn forward_observed(&self, input: NetworkInput, observe: Observer) -> Result<Tensor<4>> {
        self.check_input(&input)?;
        let NetworkInput {
            x,
            timesteps,
            context,
            label,
            hooks,
        } = input;
        let [_, _, height, width] = x.dims();
        let hooks = hooks.filter(|call| !call.hooks.is_empty());
        let site = |part, stage| Hooking {
            call: hooks.as_ref(),
            place: Place { part, stage },
            latent: [height, width],
            base_channels: self.time_embedding.inputs(),
        };
        let strategies = self.device.strategies();
        let times = timestep_embedding(timesteps, self.time_embedding.inputs(), &self.device)?;
        let mut embedding = self.time_embedding.forward(times);
        observe("time_embed", Activation::Rows(&embedding));
        if let (Some(perceptron), Some(label)) = (&self.label_embedding, label) {
            embedding = embedding + perceptron.forward(label);
        }
        let mut call = Call {
            // Every residual block starts with this.
            embedding: silu(strategies, embedding),
            context,
            observe,
        };
        let mut skips: Vec<Tensor<4>> = Vec::with_capacity(self.down.len());
        let mut x = x;
        for (index, stage) in self.down.iter().enumerate() {
            let at = site(Part::Input, index);
            x = stage.forward(x, &mut call, &at, None)?;
            x = at.ask(x, |hooks, site, x| hooks.after_stage(site, x))?;
            skips.push(x.clone());
            x = at.ask(x, |hooks, site, x| hooks.after_skip(site, x))?;
        }
        let at = site(Part::Middle, 0);
        x = self.middle.forward(x, &mut call, &at, None)?;
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
        (call.observe)("out", Activation::Image(&x));
        Ok(x)
    }

    fn check_input(&self, input: &NetworkInput) -> Result<()> {
        let [batch, channels, height, width] = input.x.dims();
        if channels != self.in_channels || batch == 0 || height == 0 || width == 0 {
            return Err(Error::input(format!(
                "the network takes latents of {} channels and at least one pixel, got {:?}",
                self.in_channels,
                input.x.dims()
            )));
        }
        if input.timesteps.dims() != [batch] {
            return Err(Error::input(format!(
                "expected {batch} timesteps, got {:?}",
                input.timesteps.dims()
            )));
        }
        let context = input.context.as_ref().map(Tensor::dims);
        match (self.context_width, context) {
            (None, _) => {}
            (Some(width), Some([rows, tokens, found]))
                if rows == batch && tokens > 0 && found == width => {}
            (Some(width), found) => {
                return Err(Error::input(format!(
                    "the network takes encoded text of shape [{batch}, tokens, {width}], got {found:?}; is the text encoder of another model in use?"
                )));
            }
        }
        let label = input.label.as_ref().map(Tensor::dims);
        match &self.label_embedding {
            None => Ok(()),
            Some(perceptron) if label == Some([batch, perceptron.inputs()]) => Ok(()),
            Some(perceptron) => Err(Error::input(format!(
                "the network takes a label vector of shape [{batch}, {}], got {label:?}",
                perceptron.inputs()
            ))),
        }
    }
}

impl Network for UNet {
    fn forward(&self, input: NetworkInput) -> Result<Tensor<4>> {
        self.forward_observed(input, &mut |_, _| {})
    }

    fn in_channels(&self) -> usize {
        self.in_channels
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

    fn ask<T>(
        &self,
        value: T,
        ask: impl FnOnce(&dyn NetworkHook, &Site<'_>, T) -> Result<T>,
    ) -> Result<T> {
        match self.site() {
            Some(site) => ask(&site.call.hooks, &site, value),
            None => Ok(value),
        }
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

/// Two linear layers with `silu` between them.
#[derive(Debug)]
struct Perceptron {
    first: Linear,
    second: Linear,
    device: ComputeDevice,
}

impl Perceptron {
    fn load(scope: &Scope, device: &ComputeDevice) -> Result<Self> {
        let first = Linear::load(&scope.enter(0), device)?;
        let second = Linear::load(&scope.enter(2), device)?;
        if second.inputs() != first.outputs() {
            let expected = format!("{} inputs", first.outputs());
            return Err(scope.shape_error("2.weight", expected, scope.shape("2.weight")?));
        }
        Ok(Self {
            first,
            second,
            device: device.clone(),
        })
    }

    fn inputs(&self) -> usize {
        self.first.inputs()
    }

    fn outputs(&self) -> usize {
        self.second.outputs()
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let hidden = silu(self.device.strategies(), self.first.forward_rows(x));
        self.second.forward_rows(hidden)
    }
}

#[cfg(test)]
mod tests;
