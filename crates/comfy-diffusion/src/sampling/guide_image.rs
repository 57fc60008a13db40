//! The picture that networks for inpainting and editing read beside the noisy latent.

use burn::tensor::{Tensor, TensorData};

use super::host::{from_values, values};
use super::resize::Bilinear;
use super::{Conditioning, LatentFormat};
use crate::{Error, Result};

/// A latent of grey, in the network's scale, which stands for "no picture" in networks for inpainting of Stable Diffusion.
const BLANK: [f32; 4] = [0.8223, -0.6876, 0.6364, 0.1380];

/// What the network reads beside the noisy latent, and where that comes from.
pub(super) struct ExtraChannels<'a> {
    /// How many channels the network has more than the latent.
    pub(super) count: usize,
    pub(super) format: &'a LatentFormat,
    /// The latent that is sampled, in the network's scale.
    pub(super) latent: &'a Tensor<4>,
    /// Where it is sampled, of its shape.
    pub(super) mask: Option<&'a Tensor<4>>,
}

impl ExtraChannels<'_> {
    /// The channels for one condition: a mask and a picture for networks that complete, a picture alone for networks that
    /// edit, and none for all others.
    pub(super) fn of(&self, conditioning: &Conditioning, like: &Tensor<4>) -> Result<Option<Tensor<4>>> {
        let latent_channels = like.dims()[1];
        match self.count {
            0 => Ok(None),
            count if count == latent_channels => self.edited(conditioning, like).map(Some),
            count if count == latent_channels + 1 => self.completed(conditioning, like).map(Some),
            count => Err(Error::input(format!(
                "the network takes {count} channels beside the latent's {latent_channels}; expected none, {latent_channels} for a picture or {} for a picture and a mask",
                latent_channels + 1
            ))),
        }
    }

    fn edited(&self, conditioning: &Conditioning, like: &Tensor<4>) -> Result<Tensor<4>> {
        match &conditioning.guide {
            None => Ok(like.zeros_like()),
            Some(guide) => fitted(&guide.latent, like),
        }
    }

    fn completed(&self, conditioning: &Conditioning, like: &Tensor<4>) -> Result<Tensor<4>> {
        let [batch, channels, height, width] = like.dims();
        let guide = conditioning.guide.as_ref();
        let mask = match (guide.and_then(|guide| guide.mask.as_ref()), self.mask) {
            (Some(mask), _) => Some(mask.clone()),
            (None, Some(mask)) => Some(mask.clone().narrow(1, 0, 1)),
            (None, None) => None,
        };
        let (mask, picture) = match mask {
            None => {
                let blank: Vec<f32> = (0..channels).map(|channel| BLANK[channel % BLANK.len()]).collect();
                let blank = from_values(blank, [1, channels, 1, 1], &like.device());
                let ones = Tensor::ones([batch, 1, height, width], &like.device());
                (ones, blank.expand([batch, channels, height, width]))
            }
            Some(mask) => {
                let size = Tensor::zeros([batch, 1, height, width], &like.device());
                let mask = Resized::new(&mask, &size)?.round().fit(&size);
                let picture = match guide {
                    None => self.latent.clone(),
                    Some(guide) => fitted(&self.format.to_network(guide.latent.clone()), like)?,
                };
                (mask, picture)
            }
        };
        Ok(Tensor::cat(vec![mask, picture], 1))
    }
}

/// A picture of the latent's size and batch, cut to its aspect first.
fn fitted(picture: &Tensor<4>, like: &Tensor<4>) -> Result<Tensor<4>> {
    if picture.dims()[1] != like.dims()[1] {
        return Err(Error::input(format!(
            "the picture for the model must be a latent of {} channels, but its shape is {:?}",
            like.dims()[1],
            picture.dims()
        )));
    }
    Ok(Resized::new(picture, like)?.fit(like))
}

/// Planes in the latent's size.
struct Resized {
    values: Vec<f32>,
    shape: [usize; 4],
}

impl Resized {
    fn new(tensor: &Tensor<4>, like: &Tensor<4>) -> Result<Self> {
        let shape @ [batch, channels, height, width] = tensor.dims();
        if shape.contains(&0) {
            return Err(Error::input(format!(
                "the picture for the model must not be empty, but its shape is {shape:?}"
            )));
        }
        let [_, _, rows, columns] = like.dims();
        let source = values(tensor.clone())?;
        if [height, width] == [rows, columns] {
            return Ok(Self { values: source, shape });
        }
        let [top, left] = margins([height, width], [rows, columns]);
        let inner = [height - 2 * top, width - 2 * left];
        let bilinear = Bilinear::new(inner, [rows, columns]);
        let mut resized = Vec::with_capacity(batch * channels * rows * columns);
        for plane in source.chunks_exact(height * width) {
            let cut: Vec<f32> = plane
                .chunks_exact(width)
                .skip(top)
                .take(inner[0])
                .flat_map(|row| &row[left..left + inner[1]])
                .copied()
                .collect();
            resized.extend(bilinear.plane(&cut));
        }
        Ok(Self {
            values: resized,
            shape: [batch, channels, rows, columns],
        })
    }

    fn round(mut self) -> Self {
        for value in &mut self.values {
            *value = value.round_ties_even();
        }
        self
    }

    /// With as many members as the latent: spread evenly over those that are there.
    fn fit(self, like: &Tensor<4>) -> Tensor<4> {
        let [present, channels, height, width] = self.shape;
        let wanted = like.dims()[0];
        let member = |index: usize| {
            if wanted < present {
                let scale = (present - 1) as f64 / (wanted.max(2) - 1) as f64;
                let chosen = (index as f64 * scale).round_ties_even() as usize;
                if wanted == 1 { 0 } else { chosen.min(present - 1) }
            } else {
                let scale = present as f64 / wanted as f64;
                (((index as f64 + 0.5) * scale) as usize).min(present - 1)
            }
        };
        let length = channels * height * width;
        let values: Vec<f32> = (0..wanted)
            .flat_map(|index| &self.values[member(index) * length..][..length])
            .copied()
            .collect();
        Tensor::from_data(TensorData::new(values, [wanted, channels, height, width]), &like.device())
    }
}

/// What is cut off on each side, above and left, so that the rest has the aspect of `to`.
fn margins([height, width]: [usize; 2], [rows, columns]: [usize; 2]) -> [usize; 2] {
    let (old, new) = (width as f64 / height as f64, columns as f64 / rows as f64);
    let margin = |size: usize, ratio: f64| {
        let size = size as f64;
        ((size - size * ratio) / 2.0).round_ties_even() as usize
    };
    if old > new {
        [0, margin(width, new / old)]
    } else if old < new {
        [margin(height, old / new), 0]
    } else {
        [0, 0]
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use burn::tensor::{Device, Tensor};

    use super::{Resized, margins};
    use crate::sampling::host::{from_values, values};

    #[test]
    fn the_middle_is_kept() {
        assert_eq!(margins([8, 16], [4, 4]), [0, 4]);
        assert_eq!(margins([16, 8], [4, 4]), [4, 0]);
        assert_eq!(margins([8, 8], [4, 4]), [0, 0]);
    }

    #[test]
    fn members_are_spread_over_the_batch() {
        let device = Device::flex();
        let spread = |present: usize, wanted: usize| {
            let members = from_values((0..present).map(|v| v as f32).collect(), [present, 1, 1, 1], &device);
            let like = Tensor::zeros([wanted, 1, 1, 1], &device);
            values(Resized::new(&members, &like).unwrap().fit(&like)).unwrap()
        };
        assert_eq!(spread(2, 5), [0.0, 0.0, 1.0, 1.0, 1.0]);
        assert_eq!(spread(5, 3), [0.0, 2.0, 4.0]);
        assert_eq!(spread(3, 1), [0.0]);
    }
}
