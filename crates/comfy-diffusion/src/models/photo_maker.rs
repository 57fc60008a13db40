//! `PhotoMaker` (Li et al. 2023, arXiv 2312.04461): an image encoder of CLIP with a
//! second projection, and perceptrons that put what it sees of a person into a word of a prompt.

use burn::tensor::Tensor;

use super::clip_vision::ClipVisionModel;
use crate::device::ComputeDevice;
use crate::error::Result;
use crate::ops::{LayerNorm, Linear, gelu};
use crate::weights::{Rounding, Scope};

const EPSILON: f64 = 1e-5;

/// The network. All sizes come from the file.
#[derive(Debug)]
pub struct PhotoMaker {
    vision: ClipVisionModel,
    projections: [Linear; 2],
    first: Perceptron,
    second: Perceptron,
    last_norm: LayerNorm,
    device: ComputeDevice,
}

/// A norm and two layers with an activation between them.
#[derive(Debug)]
struct Perceptron {
    norm: LayerNorm,
    first: Linear,
    second: Linear,
}

impl PhotoMaker {
    /// Builds it from the tensors of its published file.
    pub fn load(scope: &Scope, device: &ComputeDevice) -> Result<Self> {
        // All but the image encoder has always been run in full precision.
        let exact = scope.rounded(Rounding::None);
        let fuse = exact.enter("fuse_module");
        let projection = |name: &str| Linear::load(&exact.enter(name), device);
        let projections = [
            projection("visual_projection")?,
            projection("visual_projection_2")?,
        ];
        let seen: usize = projections.iter().map(Linear::outputs).sum();
        let last_norm = LayerNorm::load(&fuse.enter("layer_norm"), EPSILON, device)?;
        let width = last_norm.width();
        Ok(Self {
            vision: ClipVisionModel::load(scope, device)?,
            projections,
            first: Perceptron::load(&fuse.enter("mlp1"), [width + seen, width], device)?,
            second: Perceptron::load(&fuse.enter("mlp2"), [width, width], device)?,
            last_norm,
            device: device.clone(),
        })
    }

    /// The height and width of the pictures it takes.
    pub fn side(&self) -> usize {
        self.vision.side()
    }

    /// Features of the words it changes.
    pub fn width(&self) -> usize {
        self.last_norm.width()
    }

    /// A word `[1, 1, width]` with the person of a picture `[1, 3, side, side]`, which is normalised as in training.
    ///
    /// # Errors
    ///
    /// If a layer that is not in memory cannot be loaded.
    pub fn fuse(&self, word: Tensor<3>, picture: Tensor<4>) -> Result<Tensor<3>> {
        let seen = self.vision.class_token(picture)?;
        let seen = self
            .projections
            .iter()
            .map(|projection| projection.forward(seen.clone()));
        let stacked = Tensor::cat([word.clone()].into_iter().chain(seen).collect(), 2);
        let fused = self.first.forward(stacked, &self.device) + word;
        let fused = self.second.forward(fused.clone(), &self.device) + fused;
        Ok(self.last_norm.forward(fused))
    }
}

impl Perceptron {
    fn load(scope: &Scope, [inputs, outputs]: [usize; 2], device: &ComputeDevice) -> Result<Self> {
        let layer = |name: &str, inputs: usize| -> Result<Linear> {
            let place = scope.enter(name);
            let found: [usize; 2] = place.dims("weight")?;
            if found == [outputs, inputs] {
                Linear::load(&place, device)
            } else {
                Err(place.shape_error("weight", format!("[{outputs}, {inputs}]"), &found))
            }
        };
        let norm = scope.enter("layernorm");
        let [found] = norm.dims("weight")?;
        if found != inputs {
            return Err(norm.shape_error("weight", format!("[{inputs}]"), &[found]));
        }
        Ok(Self {
            norm: LayerNorm::load(&norm, EPSILON, device)?,
            first: layer("fc1", inputs)?,
            second: layer("fc2", outputs)?,
        })
    }

    fn forward(&self, x: Tensor<3>, device: &ComputeDevice) -> Tensor<3> {
        let h = self.first.forward(self.norm.forward(x));
        self.second.forward(gelu(device.strategies(), h))
    }
}
