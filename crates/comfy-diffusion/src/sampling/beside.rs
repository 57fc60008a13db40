//! What some networks see beside the noisy latent, in further channels of their input.

use burn::tensor::Tensor;

use super::fit::{fit_batch, fit_picture};
use super::host::{from_values, values};
use super::{Beside, LatentFormat};
use crate::Result;

/// What stands in the further channels of a network's input.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum BesideRule {
    /// There are none.
    #[default]
    Nothing,
    /// Inpainting models: a mask of what is to be made anew, and the latent of what is kept.
    MaskAndLatent,
    /// Models that change a picture after an instruction: its latent, in the autoencoder's scale times this number.
    Latent {
        /// What the latent is multiplied with.
        scale: f64,
    },
}

/// A blank picture in the scale of Stable Diffusion's networks, channel by channel: what inpainting models see where there is
/// neither mask nor picture.
const BLANK: [f32; 4] = [0.8223, -0.6876, 0.6364, 0.1380];

/// What is sampled, for conditions that do not bring their own picture and mask.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sampled<'a> {
    /// The latent before noise is added, in the network's scale.
    pub(super) latent: &'a Tensor<4>,
    /// What is sampled of it, of any size.
    pub(super) mask: Option<&'a Tensor<4>>,
}

impl BesideRule {
    /// How many channels it adds to a latent of `channels`.
    pub fn channels(self, channels: usize) -> usize {
        match self {
            Self::Nothing => 0,
            Self::MaskAndLatent => 1 + channels,
            Self::Latent { .. } => channels,
        }
    }

    /// The further channels for a condition, of the batch, height and width of what is sampled.
    pub(super) fn channels_for(
        self,
        beside: &Beside,
        format: &LatentFormat,
        sampled: Sampled<'_>,
    ) -> Result<Option<Tensor<4>>> {
        let like = sampled.latent;
        let device = like.device();
        let on_device = |tensor: &Tensor<4>| tensor.clone().to_device(&device);
        match self {
            Self::Nothing => Ok(None),
            Self::Latent { scale } => Ok(Some(match &beside.latent {
                None => like.zeros_like(),
                Some(latent) => {
                    fit_batch(fit_picture(on_device(latent), like)?, like).mul_scalar(scale)
                }
            })),
            Self::MaskAndLatent => {
                let Some(mask) = beside.mask.as_ref().or(sampled.mask) else {
                    return Ok(Some(Tensor::cat(
                        vec![ones_like(like), blank_like(like)],
                        1,
                    )));
                };
                let latent = match &beside.latent {
                    None => like.clone(),
                    Some(latent) => format.to_network(on_device(latent)),
                };
                let latent = fit_batch(fit_picture(latent, like)?, like);
                let mask = fit_picture(on_device(&mask.clone().narrow(1, 0, 1)), like)?;
                let mask = fit_batch(rounded(mask)?, like);
                Ok(Some(Tensor::cat(vec![mask, latent], 1)))
            }
        }
    }
}

fn ones_like(like: &Tensor<4>) -> Tensor<4> {
    like.clone().narrow(1, 0, 1).ones_like()
}

fn blank_like(like: &Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = like.dims();
    // Formats of more channels have no picture of this kind; what is beyond these four stays one.
    let values = (0..channels).map(|channel| BLANK.get(channel).copied().unwrap_or(1.0));
    let row: Tensor<4> = from_values(values.collect(), [1, channels, 1, 1], &like.device());
    row.expand([batch, channels, height, width])
}

/// To whole numbers; halves go to the even one.
fn rounded(mask: Tensor<4>) -> Result<Tensor<4>> {
    let (shape, device) = (mask.dims(), mask.device());
    let values = values(mask)?;
    let whole = values.into_iter().map(f32::round_ties_even).collect();
    Ok(from_values(whole, shape, &device))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn ones(shape: [usize; 4], value: f32) -> Tensor<4> {
        Tensor::full(shape, value, &Device::flex())
    }

    fn channels(rule: BesideRule, beside: &Beside, mask: Option<&Tensor<4>>) -> Vec<f32> {
        let latent = ones([1, 4, 1, 2], 3.0);
        let sampled = Sampled {
            latent: &latent,
            mask,
        };
        let channels = rule
            .channels_for(beside, &LatentFormat::SD15, sampled)
            .unwrap()
            .unwrap();
        assert_eq!(channels.dims()[1], rule.channels(4));
        values(channels).unwrap().into_iter().step_by(2).collect()
    }

    #[test]
    fn inpainting_models_see_mask_and_picture() {
        let rule = BesideRule::MaskAndLatent;
        let own = Beside {
            latent: Some(ones([1, 4, 1, 2], 1.0)),
            mask: Some(ones([1, 1, 1, 2], 0.5)),
        };
        let nothing = Beside::default();
        assert_eq!(
            channels(rule, &own, None),
            [0.0, 0.182_15, 0.182_15, 0.182_15, 0.182_15]
        );
        assert_eq!(
            channels(rule, &nothing, Some(&ones([1, 1, 8, 8], 0.6))),
            [1.0, 3.0, 3.0, 3.0, 3.0]
        );
        assert_eq!(
            channels(rule, &nothing, None),
            [1.0, 0.8223, -0.6876, 0.6364, 0.1380]
        );
    }

    #[test]
    fn instructed_models_see_the_picture() {
        let rule = BesideRule::Latent { scale: 0.5 };
        let own = Beside {
            latent: Some(ones([1, 4, 3, 6], 10.0)),
            mask: None,
        };
        assert_eq!(channels(rule, &own, None), [5.0; 4]);
        assert_eq!(channels(rule, &Beside::default(), None), [0.0; 4]);
    }
}
