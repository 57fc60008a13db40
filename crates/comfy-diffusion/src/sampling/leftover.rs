//! What the conditions of a list leave over for its default conditions.

use burn::tensor::Tensor;

use super::condition::{Condition, Weight};
use crate::Result;

/// What is missing from a weight of 1 at each place of x, where the weights of these conditions are added up; nothing if nothing is
/// missing anywhere.
pub(super) fn leftover(conditions: &[&Condition], x: &Tensor<4>) -> Result<Option<Weight>> {
    let mut everywhere = 1.0_f32;
    let mut places: Option<Tensor<4>> = None;
    let [_, _, height, width] = x.dims();
    for condition in conditions {
        match (&condition.weight, condition.crop) {
            (Weight::Even(weight), _) => everywhere -= *weight as f32,
            (Weight::Uneven(weight), crop) => {
                let [items, channels, ..] = weight.dims();
                let whole = match crop {
                    None => weight.clone(),
                    Some(crop) => Tensor::zeros([items, channels, height, width], &x.device())
                        .slice_assign(
                            [
                                0..items,
                                0..channels,
                                crop.top..crop.top + crop.height,
                                crop.left..crop.left + crop.width,
                            ],
                            weight.clone(),
                        ),
                };
                places = Some(match places {
                    None => whole,
                    Some(sum) => sum + whole,
                });
            }
        }
    }
    let Some(places) = places else {
        return Ok((everywhere > 0.0).then(|| Weight::Even(f64::from(everywhere))));
    };
    let left = places.neg().add_scalar(everywhere).clamp_min(0.0);
    let most = super::host::values(left.clone())?
        .into_iter()
        .fold(0.0, f32::max);
    Ok((most > 0.0).then_some(Weight::Uneven(left)))
}
