//! Labels made of pictures, for models that make variations of them.

use burn::tensor::Tensor;

use super::{LabelRule, LabelSource};
use crate::models::timestep::embed_times;
use crate::random::TorchGenerator;
use crate::sampling::host::{from_values, values};
use crate::sampling::{ImageHint, NoiseTable};
use crate::{Error, Result};

/// How much noise hides the sum of several pictures.
const MERGING_NOISE: f64 = 0.05;

/// How much less than the run's seed is that of the noise.
const SEED_OFFSET: u64 = 10;

/// Stable unCLIP (Ramesh et al. 2022, "Hierarchical text-conditional image generation with CLIP latents"): the summary of a picture
/// under noise, then the waves of the noise's level. Without pictures it is zero.
#[derive(Clone, Debug)]
pub struct PictureLabel {
    width: usize,
    levels: NoiseTable,
}

impl PictureLabel {
    /// For summaries of `width` features.
    pub fn new(width: usize) -> Self {
        Self {
            width,
            levels: NoiseTable::squared_cosine(1000),
        }
    }

    /// A summary under noise, and the waves of the noise's level.
    fn hidden(&self, summary: &[f32], noise: f64, seed: u64) -> Vec<f32> {
        let last = self.levels.sigmas().len() - 1;
        let level = (last as f64 * noise.clamp(0.0, 1.0)).round_ties_even() as usize;
        let sigma = f64::from(self.levels.sigmas()[level]);
        let signal = (sigma * sigma + 1.0).sqrt().recip();
        let noise = TorchGenerator::new(seed).randn(self.width);
        let mut hidden: Vec<f32> = summary
            .iter()
            .zip(noise)
            .map(|(value, noise)| value * signal as f32 + noise * (sigma * signal) as f32)
            .collect();
        hidden.extend(embed_times(&[level as f32], self.width));
        hidden
    }
}

impl LabelRule for PictureLabel {
    fn label(&self, source: &LabelSource<'_>) -> Result<Tensor<2>> {
        let seed = source.seed.wrapping_sub(SEED_OFFSET);
        let mut labels = Vec::new();
        for ImageHint {
            embedding,
            strength,
            noise,
        } in &source.hints.images
        {
            let [_, width] = embedding.dims();
            if width != self.width {
                return Err(Error::input(format!(
                    "the model takes summaries of pictures of {} features, but this one has {width}",
                    self.width
                )));
            }
            for summary in values(embedding.clone())?.chunks_exact(width) {
                // The same noise hides every picture.
                let mut label = self.hidden(summary, *noise, seed);
                for value in &mut label {
                    *value *= *strength as f32;
                }
                labels.push(label);
            }
        }
        let label = match labels.as_slice() {
            [] => vec![0.0; 2 * self.width],
            [label] => label.clone(),
            _ => {
                let sum: Vec<f32> = (0..self.width)
                    .map(|feature| labels.iter().map(|label| label[feature]).sum())
                    .collect();
                self.hidden(&sum, MERGING_NOISE, seed)
            }
        };
        Ok(from_values(
            label,
            [1, 2 * self.width],
            source.device.tensor_device(),
        ))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;
    use crate::device::ComputeDevice;
    use crate::sampling::LabelHints;

    fn label(images: Vec<ImageHint>) -> Vec<f32> {
        let device = ComputeDevice::cpu();
        let rule = PictureLabel::new(2);
        let hints = LabelHints {
            images,
            ..LabelHints::default()
        };
        let source = LabelSource {
            pooled: None,
            hints: &hints,
            height: 8.0,
            width: 8.0,
            is_negative: false,
            seed: 42,
            device: &device,
        };
        values(rule.label(&source).unwrap()).unwrap()
    }

    fn picture(strength: f64, noise: f64) -> ImageHint {
        let device = ComputeDevice::cpu();
        ImageHint {
            embedding: from_values(vec![5.0, -8.0], [1, 2], device.tensor_device()),
            strength,
            noise,
        }
    }

    #[test]
    fn nothing_is_zero_and_a_clear_picture_is_itself() {
        assert_eq!(label(Vec::new()), [0.0; 4]);
        let got = label(vec![picture(0.5, 0.0)]);
        // Even the first level has a little noise: ᾱ is 0.99996.
        assert!(
            (got[0] - 2.5).abs() < 0.03 && (got[1] + 4.0).abs() < 0.06,
            "{got:?}"
        );
        assert_eq!(got[2..], [0.5, 0.0]);
    }

    #[test]
    fn several_pictures_are_added_and_hidden_once_more() {
        let got = label(vec![picture(1.0, 0.0), picture(1.0, 0.0)]);
        assert!(
            (got[0] - 10.0).abs() < 1.0 && (got[1] + 16.0).abs() < 2.0,
            "{got:?}"
        );
        // 5 % of the levels is the fiftieth.
        assert!((got[2] - 50.0_f32.cos()).abs() < 1e-6);
    }

    #[test]
    fn full_noise_leaves_nothing_of_the_picture() {
        let far = ImageHint {
            embedding: from_values(
                vec![-300.0, 700.0],
                [1, 2],
                ComputeDevice::cpu().tensor_device(),
            ),
            ..picture(1.0, 1.0)
        };
        let (near, far) = (label(vec![picture(1.0, 1.0)]), label(vec![far]));
        assert!((near[0] - far[0]).abs() < 0.2 && (near[1] - far[1]).abs() < 0.5);
    }
}
