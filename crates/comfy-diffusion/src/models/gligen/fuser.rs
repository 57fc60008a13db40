//! A layer between the two attentions of a transformer block.

use burn::tensor::Tensor;

use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::ops::{LayerNorm, Linear, Mask, Strategies, attention};
use crate::weights::Scope;

/// Added to variances.
const EPSILON: f64 = 1e-5;

/// Attention among the tokens of a picture and what is told of things, and a feed-forward layer; how much of each is added has been
/// learnt.
#[derive(Debug)]
pub(super) struct Fuser {
    entry: Linear,
    norm: LayerNorm,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    attention_gate: f32,
    feed_norm: LayerNorm,
    feed_in: Linear,
    feed_out: Linear,
    feed_gate: f32,
    strategies: Strategies,
}

impl Fuser {
    /// Builds it for things told as vectors of this width.
    pub(super) fn load(scope: &Scope, told: usize, device: &ComputeDevice) -> Result<Self> {
        let linear = |name: &str| Linear::load(&scope.enter(name), device);
        let norm = |name: &str| LayerNorm::load(&scope.enter(name), EPSILON, device);
        let gate = |name: &str| -> Result<f32> {
            let values = scope.values(name)?;
            match values[..] {
                [gate] => Ok(gate.tanh()),
                _ => Err(scope.shape_error(name, "one value", scope.shape(name)?)),
            }
        };
        let fuser = Self {
            entry: linear("linear")?,
            norm: norm("norm1")?,
            query: linear("attn.to_q")?,
            key: linear("attn.to_k")?,
            value: linear("attn.to_v")?,
            output: linear("attn.to_out.0")?,
            attention_gate: gate("alpha_attn")?,
            feed_norm: norm("norm2")?,
            feed_in: linear("ff.net.0.proj")?,
            feed_out: linear("ff.net.2")?,
            feed_gate: gate("alpha_dense")?,
            strategies: *device.strategies(),
        };
        let width = fuser.entry.outputs();
        let square = |layer: &Linear| [layer.inputs(), layer.outputs()] == [width; 2];
        let hidden = fuser.feed_out.inputs();
        let fits = [
            ("linear.weight", fuser.entry.inputs() == told),
            ("norm1.weight", fuser.norm.width() == width),
            ("attn.to_q.weight", square(&fuser.query)),
            ("attn.to_k.weight", square(&fuser.key)),
            ("attn.to_v.weight", square(&fuser.value)),
            ("attn.to_out.0.weight", square(&fuser.output)),
            ("norm2.weight", fuser.feed_norm.width() == width),
            (
                "ff.net.0.proj.weight",
                [fuser.feed_in.inputs(), fuser.feed_in.outputs()] == [width, 2 * hidden],
            ),
            ("ff.net.2.weight", fuser.feed_out.outputs() == width),
        ];
        match fits.iter().find(|(_, fits)| !fits) {
            None => Ok(fuser),
            Some((name, _)) => {
                let expected = format!("what fits tokens of width {width} and things of {told}");
                Err(scope.shape_error(name, expected, scope.shape(name)?))
            }
        }
    }

    /// `x` is `[batch, tokens, width]`, `told` `[1, things, width]`.
    pub(super) fn forward(
        &self,
        x: Tensor<3>,
        told: &Tensor<3>,
        heads: usize,
    ) -> Result<Tensor<3>> {
        let [batch, tokens, width] = x.dims();
        if width != self.entry.outputs() || !width.is_multiple_of(heads) {
            return Err(Error::input(format!(
                "the GLIGEN model was made for tokens of width {}, the network has {width} in {heads} heads",
                self.entry.outputs()
            )));
        }
        let told = self.entry.forward(told.clone()).repeat_dim(0, batch);
        let all = self.norm.forward(Tensor::cat(vec![x.clone(), told], 1));
        let seen = attention(
            &self.strategies,
            self.query.forward(all.clone()),
            self.key.forward(all.clone()),
            self.value.forward(all),
            heads,
            Mask::None,
        );
        let seen = self.output.forward(seen).narrow(1, 0, tokens);
        let x = x + seen.mul_scalar(self.attention_gate);
        let hidden = self
            .feed_in
            .forward_geglu(self.feed_norm.forward(x.clone()));
        let fed = self.feed_out.forward(hidden);
        Ok(x + fed.mul_scalar(self.feed_gate))
    }
}
