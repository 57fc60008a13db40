//! The style adapter (Mou et al. 2023, "T2I-Adapter"): a small transformer that turns what a picture shows into words of a prompt.

use burn::tensor::Tensor;

use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::ops::{LayerNorm, Linear, Mask};
use crate::residency::Part;
use crate::text::clip_model::{Activation, Layer, LayerForm};
use crate::weights::Scope;

/// Attention heads of the published model.
const HEADS: usize = 8;

const EPSILON: f64 = 1e-5;

/// The network.
#[derive(Debug)]
pub struct StyleAdapter {
    /// What becomes the words, `[1, words, width]`.
    style: Tensor<3>,
    first_norm: LayerNorm,
    layers: Vec<Part<Layer>>,
    last_norm: LayerNorm,
    projection: Linear,
    device: ComputeDevice,
}

impl StyleAdapter {
    /// Builds it from tensors whose layers have the names of Hugging Face's `CLIPEncoderLayer`.
    pub fn load(scope: &Scope, device: &ComputeDevice) -> Result<Self> {
        let shape: [usize; 3] = scope.dims("style_embedding")?;
        let [one, _, width] = shape;
        if one != 1 || width == 0 || !width.is_multiple_of(HEADS) {
            let expected = format!("[1, words, a width that {HEADS} heads divide]");
            return Err(scope.shape_error("style_embedding", expected, &shape));
        }
        let form = LayerForm {
            width,
            heads: HEADS,
            activation: Activation::QuickGelu,
            mask: Mask::None,
        };
        let norm = |name: &str| {
            let place = scope.enter(name);
            let [found] = place.dims("weight")?;
            if found == width {
                LayerNorm::load(&place, EPSILON, device)
            } else {
                Err(place.shape_error("weight", format!("[{width}]"), &[found]))
            }
        };
        let place = scope.enter("proj");
        let found: [usize; 2] = place.dims("weight")?;
        if found[1] != width {
            return Err(place.shape_error("weight", format!("[features, {width}]"), &found));
        }
        Ok(Self {
            style: scope.tensor("style_embedding", shape, device)?,
            first_norm: norm("ln_pre")?,
            last_norm: norm("ln_post")?,
            projection: Linear::load(&place, device)?,
            layers: Layer::load_all(&scope.enter("layers"), scope.count("layers"), form, device)?,
            device: device.clone(),
        })
    }

    /// The words `[1, pictures · words, features]` for pictures that the image encoder saw as `[pictures, tokens, width]`.
    ///
    /// # Errors
    ///
    /// If the image encoder is of another width.
    pub fn words(&self, seen: Tensor<3>) -> Result<Tensor<3>> {
        let [pictures, tokens, found] = seen.dims();
        let [_, words, width] = self.style.dims();
        if found != width {
            return Err(Error::input(format!(
                "this style model takes what an image encoder of width {width} says, got one of {found}"
            )));
        }
        let style = self.style.clone().expand([pictures, words, width]);
        let x = Tensor::cat(vec![seen.to_device(self.device.tensor_device()), style], 1);
        let mut x = self.first_norm.forward(x);
        for layer in &self.layers {
            x = layer.get()?.forward(x, self.device.strategies());
        }
        let words_only = self.last_norm.forward(x.narrow(1, tokens, words));
        let words_only = self.projection.forward(words_only);
        let features = words_only.dims()[2];
        Ok(words_only.reshape([1, pictures * words, features]))
    }
}
