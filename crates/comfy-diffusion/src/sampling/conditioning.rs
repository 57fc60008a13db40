//! What a picture is to show, as the network takes it.

use std::sync::Arc;

use burn::tensor::Tensor;

use super::{Control, ModelSampling};
use crate::models::gligen::{Gligen, Grounding};
use crate::residency::Resident;
use crate::weight_hooks::WeightHooks;

/// An encoded text, and where, when and how strongly it counts.
#[derive(Clone, Debug)]
pub struct Conditioning {
    /// The encoded tokens [batch, tokens, width]; a batch of one serves every picture.
    pub cond: Tensor<3>,
    /// The text as one vector [batch, width], for networks that want it.
    pub pooled: Option<Tensor<2>>,
    /// Its weight among the conditions of the same list.
    pub strength: f64,
    /// The part of the way, from 0 to 1, on which it counts.
    pub range: ProgressRange,
    /// The part of the picture that it is about; everything if there is none.
    pub area: Option<Area>,
    /// How much it counts at each place.
    pub mask: Option<ConditionMask>,
    /// What networks with a label are told besides the text.
    pub hints: LabelHints,
    /// What networks with further input channels see beside the noisy latent.
    pub beside: Beside,
    /// A network that steers the model by pictures.
    pub control: Option<Arc<Control>>,
    /// The text for that network, `[batch, tokens, width]`, if it is another.
    pub control_cond: Option<Tensor<3>>,
    /// What is to be where.
    pub grounding: Option<GroundedThings>,
    /// The part of the way that its text was encoded for; it counts where both ranges say so.
    pub text_range: ProgressRange,
    /// Whether it counts only where others of the same list leave something over.
    pub is_default: bool,
    /// Changes of the network's weights under it.
    pub weight_hooks: WeightHooks,
}

/// Things that are to be at places of the picture, and the network that tells the model so.
#[derive(Clone, Debug)]
pub struct GroundedThings {
    /// The network.
    pub network: Resident<Gligen>,
    /// The things.
    pub things: Vec<Grounding>,
}

/// A rectangle of a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Area {
    /// In latent cells.
    Cells(Cells),
    /// In parts of the picture's height and width, 0 to 1.
    Share {
        /// Its height.
        height: f64,
        /// Its width.
        width: f64,
        /// What lies above it.
        top: f64,
        /// What lies left of it.
        left: f64,
    },
}

/// A rectangle of latent cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cells {
    /// Its height.
    pub height: usize,
    /// Its width.
    pub width: usize,
    /// The rows above it.
    pub top: usize,
    /// The columns left of it.
    pub left: usize,
}

/// How much a condition counts at each place.
#[derive(Clone, Debug)]
pub struct ConditionMask {
    /// [masks, height, width] of any size, stretched over the picture.
    pub values: Tensor<3>,
    /// A factor on the values.
    pub strength: f64,
    /// Whether the condition's area is the smallest one that holds all of the mask but zeros.
    pub bounds_area: bool,
}

/// What a network with a label vector is told of the picture; what is absent has a default that fits the picture.
#[derive(Clone, Debug, Default)]
pub struct LabelHints {
    /// The width that the picture had before it was scaled for training, in pixels.
    pub width: Option<f64>,
    /// The height that the picture had before it was scaled for training, in pixels.
    pub height: Option<f64>,
    /// How many pixels were cut off on the left.
    pub crop_width: Option<f64>,
    /// How many pixels were cut off at the top.
    pub crop_height: Option<f64>,
    /// The width of the picture for training.
    pub target_width: Option<f64>,
    /// The height of the picture for training.
    pub target_height: Option<f64>,
    /// How well people liked the picture, from 0 to 10.
    pub aesthetic_score: Option<f64>,
    /// Pictures that the result is to resemble, for networks that read them in place of or beside the text.
    pub images: Vec<ImageHint>,
}

/// A picture as CLIP's image encoder summarises it, and how it counts.
#[derive(Clone, Debug)]
pub struct ImageHint {
    /// `[pictures, width]`
    pub embedding: Tensor<2>,
    /// Its weight.
    pub strength: f64,
    /// How much noise hides it, from 0 to 1.
    pub noise: f64,
}

/// What a network with further input channels sees beside the noisy latent.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// A latent [batch, channels, height, width] in the autoencoder's scale.
    pub latent: Option<Tensor<4>>,
    /// 1 where the picture is to be made anew, [masks, 1, height, width] of any size.
    pub mask: Option<Tensor<4>>,
}

/// A part of the way from pure noise (0) to the clean latent (1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProgressRange {
    /// Where it begins.
    pub start: f64,
    /// Where it ends.
    pub end: f64,
}

impl ProgressRange {
    /// The whole way.
    pub const ALL: Self = Self {
        start: 0.0,
        end: 1.0,
    };

    /// The part of it that lies in another one too.
    #[must_use]
    pub(super) fn within(&self, other: &Self) -> Self {
        Self {
            start: self.start.max(other.start),
            end: self.end.min(other.end),
        }
    }

    /// Whether a noise level lies in it, its ends included.
    pub fn contains(&self, sigma: f32, sampling: &ModelSampling) -> bool {
        let sigma = f64::from(sigma);
        sigma <= sampling.table.percent_to_sigma(self.start)
            && sigma >= sampling.table.percent_to_sigma(self.end)
    }
}

impl Conditioning {
    /// A condition that counts all the way.
    pub fn new(cond: Tensor<3>, pooled: Option<Tensor<2>>) -> Self {
        Self {
            cond,
            pooled,
            strength: 1.0,
            range: ProgressRange::ALL,
            area: None,
            mask: None,
            hints: LabelHints::default(),
            beside: Beside::default(),
            control: None,
            control_cond: None,
            grounding: None,
            text_range: ProgressRange::ALL,
            is_default: false,
            weight_hooks: WeightHooks::default(),
        }
    }
}

impl Area {
    /// The rectangle on a latent of this size.
    pub(super) fn cells(&self, size: [usize; 2]) -> Cells {
        match *self {
            Self::Cells(cells) => cells,
            Self::Share {
                height,
                width,
                top,
                left,
            } => {
                let part = |share: f64, of: usize| (share * of as f64).round_ties_even() as usize;
                Cells {
                    height: part(height, size[0]).max(1),
                    width: part(width, size[1]).max(1),
                    top: part(top, size[0]),
                    left: part(left, size[1]),
                }
            }
        }
    }
}

impl Cells {
    /// Whether it lies within another.
    pub(super) fn lies_in(&self, other: &Self) -> bool {
        self.top >= other.top
            && self.left >= other.left
            && self.top + self.height <= other.top + other.height
            && self.left + self.width <= other.left + other.width
    }

    /// Its part that lies within a latent of this size, if there is one.
    pub(super) fn within(&self, [height, width]: [usize; 2]) -> Option<Self> {
        let part = Self {
            height: self.height.min(height.checked_sub(self.top)?),
            width: self.width.min(width.checked_sub(self.left)?),
            ..*self
        };
        (part.height > 0 && part.width > 0).then_some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::ProgressRange;
    use crate::sampling::{ModelSampling, Prediction};

    #[test]
    fn ranges_follow_the_noise_levels() {
        let sampling = ModelSampling::stable_diffusion(Prediction::Epsilon);
        let contains = |start, end, sigma| ProgressRange { start, end }.contains(sigma, &sampling);
        for sigma in [1e6, 14.6, 1.0, 0.0] {
            assert!(contains(0.0, 1.0, sigma));
        }
        // Half of the way is σ = 1.6156.
        assert!(contains(0.0, 0.5, 1.7) && !contains(0.0, 0.5, 1.5));
        assert!(!contains(0.5, 1.0, 1.7) && contains(0.5, 1.0, 1.5));
        assert!(!contains(0.6, 0.4, 1.6));
    }
}
