//! The vector that conditions some networks as a whole: what the text says in one vector, and what was known of the picture's size.

mod pictures;

use std::fmt;

use burn::tensor::Tensor;

pub use pictures::PictureLabel;

use super::LabelHints;
use super::host::from_values;
use crate::device::ComputeDevice;
use crate::models::timestep::embed_times;
use crate::{Error, Result};

/// Features that each number becomes.
const NUMBER_WIDTH: usize = 256;

/// How a family makes the label of its networks.
pub trait LabelRule: fmt::Debug + Send + Sync {
    /// The label, `[rows, width]`; one row serves every picture.
    ///
    /// # Errors
    ///
    /// If the condition lacks what the label is made of.
    fn label(&self, source: &LabelSource<'_>) -> Result<Tensor<2>>;
}

/// What a label is made of.
#[derive(Clone, Copy, Debug)]
pub struct LabelSource<'a> {
    /// The text in one vector, `[rows, width]`.
    pub pooled: Option<&'a Tensor<2>>,
    /// What the condition says of the picture.
    pub hints: &'a LabelHints,
    /// The height of the picture that is sampled, in pixels.
    pub height: f64,
    /// The width of the picture that is sampled, in pixels.
    pub width: f64,
    /// Whether the condition is what the picture is not to show.
    pub is_negative: bool,
    /// The seed of the run.
    pub seed: u64,
    /// Where the label is wanted.
    pub device: &'a ComputeDevice,
}

/// Stable Diffusion XL (Podell et al., "SDXL: improving latent diffusion models for high-resolution image synthesis", 2023):
/// the summary of the text, then original height and width, the crop, and the height and width of training.
#[derive(Clone, Copy, Debug)]
pub struct SizeLabel;

/// XL's refiner: the summary of the text, then original height and width, the crop, and the aesthetic score.
#[derive(Clone, Copy, Debug)]
pub struct AestheticLabel;

/// The score that a refiner is told for what is wanted, and for what is not.
const DEFAULT_SCORES: [f64; 2] = [6.0, 2.5];

impl LabelRule for SizeLabel {
    fn label(&self, source: &LabelSource<'_>) -> Result<Tensor<2>> {
        let LabelHints {
            target_width,
            target_height,
            ..
        } = *source.hints;
        let [height, width, top, left] = source.original_size();
        let target = [
            target_height.unwrap_or(height),
            target_width.unwrap_or(width),
        ];
        source.pooled_and(&[height, width, top, left, target[0], target[1]])
    }
}

impl LabelRule for AestheticLabel {
    fn label(&self, source: &LabelSource<'_>) -> Result<Tensor<2>> {
        let [height, width, top, left] = source.original_size();
        let default = DEFAULT_SCORES[usize::from(source.is_negative)];
        let score = source.hints.aesthetic_score.unwrap_or(default);
        source.pooled_and(&[height, width, top, left, score])
    }
}

impl LabelSource<'_> {
    /// Height, width, and what was cut off at the top and on the left.
    fn original_size(&self) -> [f64; 4] {
        [
            self.hints.height.unwrap_or(self.height),
            self.hints.width.unwrap_or(self.width),
            self.hints.crop_height.unwrap_or(0.0),
            self.hints.crop_width.unwrap_or(0.0),
        ]
    }

    /// The summary of the pictures to resemble, if there are any, else that of the text.
    fn summary(&self) -> Result<Tensor<2>> {
        if let Some(picture) = self.hints.images.first() {
            let [_, width] = picture.embedding.dims();
            return Ok(PictureLabel::new(width).label(self)?.narrow(1, 0, width));
        }
        self.pooled.cloned().ok_or_else(|| {
            Error::input(
                "the model wants a text in one vector beside its tokens, and this condition has none: encode it with the model's own text encoder",
            )
        })
    }

    /// The summary, followed by the waves of each number.
    fn pooled_and(&self, numbers: &[f64]) -> Result<Tensor<2>> {
        let device = self.device.tensor_device();
        let pooled = self.summary()?.to_device(device);
        let numbers: Vec<f32> = numbers.iter().map(|number| *number as f32).collect();
        let waves = embed_times(&numbers, NUMBER_WIDTH);
        let width = waves.len();
        let rows = pooled.dims()[0];
        let waves: Tensor<2> = from_values(waves, [1, width], device);
        Ok(Tensor::cat(vec![pooled, waves.repeat_dim(0, rows)], 1))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;
    use crate::sampling::host::values;

    fn label(rule: &dyn LabelRule, hints: &LabelHints, is_negative: bool) -> Vec<f32> {
        let device = ComputeDevice::cpu();
        let pooled = Tensor::<2>::ones([1, 3], device.tensor_device());
        let source = LabelSource {
            pooled: Some(&pooled),
            hints,
            height: 64.0,
            width: 128.0,
            is_negative,
            seed: 0,
            device: &device,
        };
        let label = values(rule.label(&source).unwrap()).unwrap();
        assert_eq!(label[..3], [1.0; 3]);
        // The first of each number's features is the cosine of the number itself.
        label[3..].iter().step_by(NUMBER_WIDTH).copied().collect()
    }

    fn cosines<const N: usize>(numbers: [f32; N]) -> [f32; N] {
        numbers.map(|number| f64::from(number).cos() as f32)
    }

    #[test]
    fn sizes_follow_the_picture_unless_told() {
        let told = LabelHints {
            width: Some(100.0),
            crop_height: Some(5.0),
            target_height: Some(7.0),
            ..LabelHints::default()
        };
        assert_eq!(
            label(&SizeLabel, &LabelHints::default(), false),
            cosines([64.0, 128.0, 0.0, 0.0, 64.0, 128.0])
        );
        assert_eq!(
            label(&SizeLabel, &told, false),
            cosines([64.0, 100.0, 5.0, 0.0, 7.0, 100.0])
        );
    }

    #[test]
    fn what_is_not_wanted_has_a_low_score() {
        let scores = [false, true]
            .map(|is_negative| label(&AestheticLabel, &LabelHints::default(), is_negative)[4]);
        assert_eq!(scores.to_vec(), cosines([6.0, 2.5]));
    }

    #[test]
    fn a_condition_without_a_summary_is_refused() {
        let device = ComputeDevice::cpu();
        let source = LabelSource {
            pooled: None,
            hints: &LabelHints::default(),
            height: 8.0,
            width: 8.0,
            is_negative: false,
            seed: 0,
            device: &device,
        };
        assert!(SizeLabel.label(&source).is_err());
    }
}
