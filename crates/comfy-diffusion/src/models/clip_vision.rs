//! CLIP's image transformer (Radford et al. 2021): patches of a picture and a class token, layers of self-attention and a perceptron.

use burn::tensor::Tensor;

use crate::device::ComputeDevice;
use crate::error::Result;
use crate::ops::{Conv2d, Geometry, LayerNorm, Linear, Mask};
use crate::residency::Part;
use crate::text::clip_model::{Activation, Layer, LayerForm};
use crate::weights::{Rounding, Scope};

/// Attention heads, in every published model.
const HEADS: usize = 16;

const EPSILON: f64 = 1e-5;

/// The largest models that use the quick form of the activation have so many layers.
const QUICK_LAYERS: usize = 24;

/// The network. All sizes come from the file.
#[derive(Debug)]
pub struct ClipVisionModel {
    patches: Conv2d,
    /// The token that gathers what the picture is about, `[1, 1, width]`.
    class: Tensor<3>,
    /// `[1, 1 + patches, width]`
    positions: Tensor<3>,
    first_norm: LayerNorm,
    layers: Vec<Part<Layer>>,
    last_norm: LayerNorm,
    projection: Option<Linear>,
    side: usize,
    device: ComputeDevice,
}

/// What the network makes of pictures.
#[derive(Debug, Clone)]
pub struct PictureEncoding {
    /// The last layer's output, `[pictures, 1 + patches, width]`.
    pub last: Tensor<3>,
    /// That of the layer before.
    pub penultimate: Tensor<3>,
    /// Each picture in one vector, `[pictures, projected width]`.
    pub summary: Tensor<2>,
}

impl ClipVisionModel {
    /// Builds it from tensors in the layout of Hugging Face's `CLIPVisionModelWithProjection`.
    pub fn load(scope: &Scope, device: &ComputeDevice) -> Result<Self> {
        // The norms and the projection have always been run in full precision.
        let exact = scope.rounded(Rounding::None);
        let (model, exact_model) = (scope.enter("vision_model"), exact.enter("vision_model"));
        let embeddings = model.enter("embeddings");
        let patch = "patch_embedding.weight";
        let shape: [usize; 4] = embeddings.dims(patch)?;
        let [width, _, patch_side, patch_width] = shape;
        let found: [usize; 2] = embeddings.dims("position_embedding.weight")?;
        let side = found[0].saturating_sub(1).isqrt();
        if side == 0 || found != [1 + side * side, width] {
            let expected = format!("[1 + a square number of patches, {width}]");
            return Err(embeddings.shape_error("position_embedding.weight", expected, &found));
        }
        if patch_side == 0 || patch_side != patch_width || !width.is_multiple_of(HEADS) {
            let expected = format!("square patches and a width that {HEADS} heads divide");
            return Err(embeddings.shape_error(patch, expected, &shape));
        }
        embeddings.ignore("position_ids");
        let count = model.enter("encoder").count("layers");
        let activation = if count > QUICK_LAYERS {
            Activation::Gelu
        } else {
            Activation::QuickGelu
        };
        let form = LayerForm {
            width,
            heads: HEADS,
            activation,
            mask: Mask::None,
        };
        let norm = |name: &str| {
            let place = exact_model.enter(name);
            let [found] = place.dims("weight")?;
            if found == width {
                LayerNorm::load(&place, EPSILON, device)
            } else {
                Err(place.shape_error("weight", format!("[{width}]"), &[found]))
            }
        };
        let projection = exact.has_scope("visual_projection").then(|| {
            let place = exact.enter("visual_projection");
            let found: [usize; 2] = place.dims("weight")?;
            if found[1] == width {
                Linear::load(&place, device)
            } else {
                Err(place.shape_error("weight", format!("[features, {width}]"), &found))
            }
        });
        Ok(Self {
            patches: Conv2d::load(
                &embeddings.enter("patch_embedding"),
                Geometry {
                    stride: patch_side,
                    padding: [0, 0],
                },
                device,
            )?,
            class: embeddings
                .tensor("class_embedding", [width], device)?
                .reshape([1, 1, width]),
            positions: embeddings
                .tensor("position_embedding.weight", found, device)?
                .unsqueeze(),
            first_norm: norm("pre_layrnorm")?,
            last_norm: norm("post_layernorm")?,
            projection: projection.transpose()?,
            layers: Layer::load_all(&model.enter("encoder.layers"), count, form, device)?,
            side: side * patch_side,
            device: device.clone(),
        })
    }

    /// The height and width of the pictures it takes.
    pub fn side(&self) -> usize {
        self.side
    }

    /// Encodes pictures `[pictures, 3, side, side]`, normalised as in training.
    ///
    /// # Errors
    ///
    /// If a layer that is not in memory cannot be loaded.
    pub fn encode(&self, pictures: Tensor<4>) -> Result<PictureEncoding> {
        let (last, penultimate) = self.transform(pictures)?;
        let class = self.last_norm.forward(last.clone().narrow(1, 0, 1));
        let class = match &self.projection {
            Some(projection) => projection.forward(class),
            None => class,
        };
        let [count, _, features] = class.dims();
        Ok(PictureEncoding {
            last,
            penultimate,
            summary: class.reshape([count, features]),
        })
    }

    /// What each picture is about, before it is projected, `[pictures, 1, width]`.
    ///
    /// # Errors
    ///
    /// If a layer that is not in memory cannot be loaded.
    pub fn class_token(&self, pictures: Tensor<4>) -> Result<Tensor<3>> {
        let (last, _) = self.transform(pictures)?;
        Ok(self.last_norm.forward(last.narrow(1, 0, 1)))
    }

    /// The outputs of the last layer and of the one before.
    fn transform(&self, pictures: Tensor<4>) -> Result<(Tensor<3>, Tensor<3>)> {
        let patches = self.patches.forward(pictures);
        let [count, width, rows, columns] = patches.dims();
        let patches: Tensor<3> = patches
            .reshape([count, width, rows * columns])
            .swap_dims(1, 2);
        let class = self.class.clone().expand([count, 1, width]);
        let x = Tensor::cat(vec![class, patches], 1) + self.positions.clone();
        let mut x = self.first_norm.forward(x);
        let mut penultimate = x.clone();
        for (index, layer) in self.layers.iter().enumerate() {
            x = layer.get()?.forward(x, self.device.strategies());
            if index + 2 == self.layers.len() {
                penultimate = x.clone();
            }
        }
        Ok((x, penultimate))
    }
}
