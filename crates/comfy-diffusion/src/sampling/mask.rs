//! Sampling a part of a latent while the rest stays as it is.

use burn::tensor::Tensor;

use super::hooks::MaskHook;
use super::host::{from_values, values};
use super::resize::Bilinear;
use super::{Denoise, Guided, ModelSampling};
use crate::{Error, Result};

/// A model that sees the kept part of the latent at the right noise level and always finds it as it was.
pub(super) struct MaskedModel<'a> {
    pub(super) model: &'a mut dyn Denoise,
    /// 1 where the latent is sampled, 0 where it is kept, of the latent's shape.
    pub(super) mask: Tensor<4>,
    /// The latent to keep, in the network's scale.
    pub(super) latent: Tensor<4>,
    /// The noise that the kept part is seen under.
    pub(super) noise: Tensor<4>,
    /// All noise levels of the run.
    pub(super) sigmas: &'a [f32],
    /// What changes the mask from level to level.
    pub(super) hook: Option<&'a dyn MaskHook>,
}

impl MaskedModel<'_> {
    /// The mask at a noise level.
    fn mask_at(&self, sigma: f32) -> Tensor<4> {
        match self.hook {
            None => self.mask.clone(),
            Some(hook) => hook.mask(&self.mask, sigma, self.sigmas, self.model.sampling()),
        }
    }

    fn with_kept_part(&self, x: &Tensor<4>, sigma: f32, mask: &Tensor<4>) -> Tensor<4> {
        let kept =
            self.model
                .sampling()
                .add_noise(self.latent.clone(), self.noise.clone(), sigma, false);
        blend(x.clone(), kept, mask)
    }
}

fn blend(sampled: Tensor<4>, kept: Tensor<4>, mask: &Tensor<4>) -> Tensor<4> {
    sampled * mask.clone() + kept * (mask.ones_like() - mask.clone())
}

impl Denoise for MaskedModel<'_> {
    fn denoise(&mut self, x: &Tensor<4>, sigma: f32) -> Result<Tensor<4>> {
        let mask = self.mask_at(sigma);
        let x = self.with_kept_part(x, sigma, &mask);
        let x0 = self.model.denoise(&x, sigma)?;
        Ok(blend(x0, self.latent.clone(), &mask))
    }

    fn denoise_both(&mut self, x: &Tensor<4>, sigma: f32) -> Result<Guided> {
        let mask = self.mask_at(sigma);
        let x = self.with_kept_part(x, sigma, &mask);
        let guided = self.model.denoise_both(&x, sigma)?;
        Ok(Guided {
            x0: blend(guided.x0, self.latent.clone(), &mask),
            negative: guided.negative,
        })
    }

    fn sampling(&self) -> &ModelSampling {
        self.model.sampling()
    }
}

/// A mask [masks, channels, height, width] fitted to a latent: resized bilinearly, then its channels and its members
/// repeated or cut off.
pub(super) fn fit_mask(mask: &Tensor<4>, like: &Tensor<4>) -> Result<Tensor<4>> {
    let from = mask.dims();
    if from.contains(&0) {
        return Err(Error::input(format!(
            "a noise mask must not be empty, but its shape is {from:?}"
        )));
    }
    let [batch, channels, height, width] = like.dims();
    let source = values(mask.clone())?;
    let bilinear = Bilinear::new([from[2], from[3]], [height, width]);
    let mut fitted = Vec::with_capacity(batch * channels * height * width);
    for member in 0..batch {
        for channel in 0..channels {
            let plane = (member % from[0]) * from[1] + channel % from[1];
            fitted
                .extend(bilinear.plane(&source[plane * from[2] * from[3]..][..from[2] * from[3]]));
        }
    }
    Ok(from_values(fitted, like.dims(), &like.device()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use burn::tensor::{Device, Tensor};

    use super::fit_mask;
    use crate::sampling::host::{from_values, values};

    fn fitted(mask: Vec<f32>, from: [usize; 4], to: [usize; 4]) -> Vec<f32> {
        let mask = from_values(mask, from, &Device::flex());
        values(fit_mask(&mask, &Tensor::zeros(to, &Device::flex())).unwrap()).unwrap()
    }

    #[test]
    fn resizes_like_pytorch() {
        // torch.nn.functional.interpolate(mode="bilinear")
        assert_eq!(
            fitted(vec![0.0, 1.0], [1, 1, 1, 2], [1, 1, 1, 4]),
            [0.0, 0.25, 0.75, 1.0]
        );
        assert_eq!(
            fitted(
                (0..8).map(|v| v as f32).collect(),
                [1, 1, 1, 8],
                [1, 1, 1, 2]
            ),
            [1.5, 5.5]
        );
        assert_eq!(fitted(vec![3.0], [1, 1, 1, 1], [1, 1, 2, 2]), [3.0; 4]);
    }

    #[test]
    fn repeats_channels_and_members() {
        let fitted = fitted(vec![1.0, 2.0], [2, 1, 1, 1], [3, 2, 1, 1]);
        assert_eq!(fitted, [1.0, 1.0, 2.0, 2.0, 1.0, 1.0]);
    }

    #[test]
    fn empty_masks_are_refused() {
        let latent = Tensor::zeros([1, 4, 2, 2], &Device::flex());
        let mask = Tensor::zeros([1, 1, 0, 2], &Device::flex());
        assert!(
            fit_mask(&mask, &latent)
                .unwrap_err()
                .to_string()
                .contains("must not be empty")
        );
    }
}
