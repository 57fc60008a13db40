//! Conditions made ready for one latent: rectangles and masks in its cells, times as noise levels, texts for its batch.

use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};

use super::beside::Sampled;
use super::conditioning::{Cells, ConditionMask};
use super::control::ReadyControl;
use super::guidance::Role;
use super::host::values;
use super::label::LabelSource;
use super::mask::fit_mask;
use super::{Conditioning, ProgressRange};
use crate::models::gligen::Grounded;
use crate::weight_hooks::WeightHooks;
use crate::{Error, Model, Result};

/// Over so many cells from its border, at most, a condition fades where it has an area and no mask.
const FADE: usize = 8;
/// The smallest area that is made around a mask.
const SMALLEST_BOUNDS: usize = 8;

/// What a condition makes the network read.
#[derive(Clone)]
pub(super) struct Reading {
    /// [batch, tokens, width]
    pub(super) context: Tensor<3>,
    /// What a control net reads instead, if that is something else.
    pub(super) control_context: Option<Tensor<3>>,
    /// [batch, width]
    pub(super) label: Option<Tensor<2>>,
    /// Further channels of the input, of the latent's size.
    pub(super) beside: Option<Tensor<4>>,
}

/// Pixels of a picture for each cell of a latent, by which labels are told sizes.
const PIXELS_PER_CELL: usize = 8;

/// What conditions are fitted to.
#[derive(Clone, Copy)]
pub(super) struct Fit<'a> {
    pub(super) model: &'a Model,
    pub(super) sampled: Sampled<'a>,
    pub(super) seed: u64,
}

/// How much a condition counts among those of its list.
#[expect(clippy::large_enum_variant, reason = "a few live at a time")]
#[derive(Clone)]
pub(super) enum Weight {
    /// The same everywhere.
    Even(f64),
    /// At each place of its area, [1 or batch, 1, height, width].
    Uneven(Tensor<4>),
}

/// A condition fitted to the latent that is sampled.
#[derive(Clone)]
pub(super) struct Condition {
    pub(super) reading: Reading,
    pub(super) weight: Weight,
    /// As it was asked for, which may reach beyond the latent.
    pub(super) area: Option<Cells>,
    /// The part of the area within the latent.
    pub(super) crop: Option<Cells>,
    pub(super) range: ProgressRange,
    /// What steers the network.
    pub(super) control: Option<ReadyControl>,
    /// What tells the network where things are to be.
    pub(super) grounded: Option<Arc<Grounded>>,
    /// What changes the network's weights.
    pub(super) weight_hooks: WeightHooks,
    /// Whether it counts only where others leave something over.
    pub(super) is_default: bool,
}

impl Condition {
    /// Fits a condition to a latent: fewer texts than pictures are repeated, more are cut off.
    pub(super) fn new(conditioning: &Conditioning, role: Role, fit: Fit<'_>) -> Result<Self> {
        let like = fit.sampled.latent;
        let [_, _, height, width] = like.dims();
        let size = [height, width];
        let mask = match &conditioning.mask {
            None => None,
            Some(mask) => Some(FittedMask::new(mask, size)?),
        };
        let bounds = mask.as_ref().and_then(|mask| mask.bounds);
        let area = bounds.or_else(|| conditioning.area.map(|area| area.cells(size)));
        let crop = match area {
            None => None,
            Some(area) => Some(area.within(size).ok_or_else(|| {
                Error::input(format!(
                    "an area of a condition begins at row {} and column {} of a latent of {height} rows and {width} columns",
                    area.top, area.left
                ))
            })?),
        };
        let strength = conditioning.strength;
        let weight = match (mask, crop) {
            (Some(mask), crop) => Weight::Uneven(mask.weight(strength, crop, like)?),
            (None, Some(crop)) => Weight::Uneven(faded(crop, size, strength, like)),
            (None, None) => Weight::Even(strength),
        };
        let control = conditioning.control.as_ref();
        let control = control.map(|control| ReadyControl::new(control, fit.model));
        let shown = crop.map_or(size, |crop| [crop.height, crop.width]);
        let things = conditioning.grounding.as_ref();
        let grounded = things.map(|things| -> Result<_> {
            let network = things.network.get()?;
            Ok(Arc::new(Grounded::new(network, &things.things, shown)?))
        });
        Ok(Self {
            reading: Reading::new(conditioning, role, fit)?,
            weight,
            area,
            crop,
            range: conditioning.range.within(&conditioning.text_range),
            control: control.transpose()?,
            grounded: grounded.transpose()?,
            weight_hooks: conditioning.weight_hooks.clone(),
            is_default: conditioning.is_default,
        })
    }

    /// The part of a weight at each place of the latent that it is about.
    pub(super) fn part_of_weight(&self, weight: &Weight, x: &Tensor<4>) -> Weight {
        match weight {
            Weight::Even(weight) => match self.crop {
                None => Weight::Even(*weight),
                Some(crop) => {
                    let size = [1, 1, crop.height, crop.width];
                    Weight::Uneven(Tensor::full(size, *weight, &x.device()))
                }
            },
            Weight::Uneven(weight) => Weight::Uneven(self.part(weight)),
        }
    }

    /// The part of a tensor of the latent's size that it is about.
    pub(super) fn part(&self, whole: &Tensor<4>) -> Tensor<4> {
        match self.crop {
            None => whole.clone(),
            Some(crop) => whole
                .clone()
                .narrow(2, crop.top, crop.height)
                .narrow(3, crop.left, crop.width),
        }
    }
}

/// Where a condition of one list has an area, the other lists get one there too, so that the same part of x is seen under
/// both: what that reads comes from the smallest condition of their own that holds the area.
pub(super) fn match_areas(lists: &mut [Vec<Condition>]) {
    for list in 0..lists.len() {
        for index in 0..lists[list].len() {
            let condition = lists[list][index].clone();
            let Some(area) = condition.area else {
                continue;
            };
            for other in (0..lists.len()).filter(|other| *other != list) {
                let counterpart = smallest_around(&lists[other], &area)
                    .filter(|smallest| smallest.area != Some(area))
                    .map(|smallest| Condition {
                        reading: smallest.reading.clone(),
                        ..condition.clone()
                    });
                lists[other].extend(counterpart);
            }
        }
    }
}

/// Where negative lists have no control, their conditions for the whole latent get those of the positive list that cover them too, one
/// after the other; and in the same way what tells where things are to be.
pub(super) fn share_with_negative(lists: &mut [Vec<Condition>], roles: &[Role]) {
    let Some(positive) = roles.iter().position(|role| *role == Role::Positive) else {
        return;
    };
    let whole = |condition: &&Condition| condition.area.is_none();
    let of_positive = || lists[positive].iter().filter(whole);
    let controls: Vec<_> = of_positive()
        .filter_map(|condition| condition.control.clone())
        .filter(ReadyControl::covers_negative)
        .collect();
    let grounded: Vec<_> = of_positive()
        .filter_map(|condition| condition.grounded.clone())
        .collect();
    for (_, list) in lists
        .iter_mut()
        .enumerate()
        .filter(|(list, _)| *list != positive)
    {
        share(list, &controls, |condition| &mut condition.control);
        share(list, &grounded, |condition| &mut condition.grounded);
    }
}

/// Gives the values to a list's conditions for the whole latent, going round; of several for one the last counts. Nothing is done
/// where one has a value already.
fn share<T: Clone>(
    list: &mut [Condition],
    values: &[T],
    member: impl Fn(&mut Condition) -> &mut Option<T>,
) {
    let mut whole: Vec<_> = list
        .iter_mut()
        .filter(|condition| condition.area.is_none())
        .map(member)
        .collect();
    if whole.is_empty() || whole.iter().any(|value| value.is_some()) {
        return;
    }
    let count = whole.len();
    for (index, value) in values.iter().enumerate() {
        *whole[index % count] = Some(value.clone());
    }
}

fn smallest_around<'c>(conditions: &'c [Condition], area: &Cells) -> Option<&'c Condition> {
    let mut smallest: Option<&Condition> = None;
    for condition in conditions {
        let is_better = match (condition.area, smallest.map(|smallest| smallest.area)) {
            (Some(own), found) if area.lies_in(&own) => match found.flatten() {
                None => true,
                Some(found) => found.height * found.width > own.height * own.width,
            },
            (None, None) => true,
            _ => false,
        };
        if is_better {
            smallest = Some(condition);
        }
    }
    smallest
}

impl Reading {
    fn new(conditioning: &Conditioning, role: Role, fit: Fit<'_>) -> Result<Self> {
        let Fit {
            model,
            sampled,
            seed,
        } = fit;
        let [batch, _, height, width] = sampled.latent.dims();
        let [texts, tokens, features] = conditioning.cond.dims();
        if texts == 0 || tokens == 0 {
            return Err(Error::input(format!(
                "a condition must have at least one text of at least one token, but its shape is [{texts}, {tokens}, {features}]"
            )));
        }
        let device = model.device.tensor_device();
        let context = conditioning.cond.clone().to_device(device);
        let control_context = conditioning
            .control_cond
            .as_ref()
            .map(|cond| with_rows(cond.clone().to_device(device), batch));
        let label = model.label.as_ref().map(|rule| {
            rule.label(&LabelSource {
                pooled: conditioning.pooled.as_ref(),
                hints: &conditioning.hints,
                height: (height * PIXELS_PER_CELL) as f64,
                width: (width * PIXELS_PER_CELL) as f64,
                is_negative: role == Role::Negative,
                seed,
                device: &model.device,
            })
        });
        let beside =
            model
                .beside
                .channels_for(&conditioning.beside, &model.latent_format, sampled)?;
        Ok(Self {
            context: with_rows(context, batch),
            control_context,
            label: label.transpose()?.map(|label| with_rows(label, batch)),
            beside,
        })
    }
}

/// The first `rows` rows, after repeating all of them as often as that takes.
fn with_rows<const D: usize>(tensor: Tensor<D>, rows: usize) -> Tensor<D> {
    let have = tensor.dims()[0];
    if have == rows {
        return tensor;
    }
    tensor.repeat_dim(0, rows.div_ceil(have)).narrow(0, 0, rows)
}

/// A mask of the latent's size.
struct FittedMask {
    /// [masks, 1, height, width]
    values: Tensor<4>,
    strength: f64,
    bounds: Option<Cells>,
}

impl FittedMask {
    fn new(mask: &ConditionMask, [height, width]: [usize; 2]) -> Result<Self> {
        let [masks, rows, columns] = mask.values.dims();
        let device = mask.values.device();
        let values = if [rows, columns] == [height, width] && masks > 0 {
            mask.values.clone().unsqueeze_dim(1)
        } else {
            let values = mask.values.clone().unsqueeze_dim::<4>(1);
            fit_mask(&values, &Tensor::zeros([masks, 1, height, width], &device))?
        };
        Ok(Self {
            bounds: if mask.bounds_area {
                Some(bounds(&values)?)
            } else {
                None
            },
            values,
            strength: mask.strength,
        })
    }

    /// The weight on the part `crop` of the latent.
    fn weight(self, strength: f64, crop: Option<Cells>, like: &Tensor<4>) -> Result<Tensor<4>> {
        let (batch, masks) = (like.dims()[0], self.values.dims()[0].min(like.dims()[0]));
        if masks == 0 || !batch.is_multiple_of(masks) {
            return Err(Error::input(format!(
                "a condition has {masks} masks for {batch} pictures; expected a number that divides them"
            )));
        }
        let values = self.values.narrow(0, 0, masks).to_device(&like.device());
        let values = match crop {
            None => values,
            Some(crop) => values
                .narrow(2, crop.top, crop.height)
                .narrow(3, crop.left, crop.width),
        };
        Ok(values
            .mul_scalar(self.strength)
            .repeat_dim(0, batch / masks)
            .mul_scalar(strength))
    }
}

/// The smallest area that holds all that is not zero in any of the masks.
fn bounds(masks: &Tensor<4>) -> Result<Cells> {
    let [_, _, height, width] = masks.dims();
    let values = values(masks.clone())?;
    let cells = values
        .iter()
        .enumerate()
        .filter(|(_, value)| **value != 0.0);
    let places = cells.map(|(index, _)| (index / width % height, index % width));
    let around = places.fold(None, |around, (row, column)| {
        let (top, bottom, left, right) = around.unwrap_or((row, row, column, column));
        Some((
            top.min(row),
            bottom.max(row),
            left.min(column),
            right.max(column),
        ))
    });
    Ok(match around {
        // A mask of zeros counts nowhere, so the place does not matter.
        None => Cells {
            height: SMALLEST_BOUNDS,
            width: SMALLEST_BOUNDS,
            top: 0,
            left: 0,
        },
        Some((top, bottom, left, right)) => Cells {
            height: (bottom - top + 1).max(SMALLEST_BOUNDS),
            width: (right - left + 1).max(SMALLEST_BOUNDS),
            top,
            left,
        },
    })
}

/// The weight of an area without a mask: it fades towards each border that is not the latent's own.
fn faded(crop: Cells, [height, width]: [usize; 2], strength: f64, like: &Tensor<4>) -> Tensor<4> {
    let ramp = |length: usize, before: usize, whole: usize| -> Vec<f32> {
        let fade = FADE.min(length / 4);
        let factor = |distance: usize| {
            if distance < fade {
                (1.0 / fade as f64 * (distance + 1) as f64) as f32
            } else {
                1.0
            }
        };
        (0..length)
            .map(|place| {
                let start = if before == 0 { 1.0 } else { factor(place) };
                let end = if before + length < whole {
                    factor(length - 1 - place)
                } else {
                    1.0
                };
                start * end
            })
            .collect()
    };
    let rows = ramp(crop.height, crop.top, height);
    let columns = ramp(crop.width, crop.left, width);
    let strength = strength as f32;
    let weights: Vec<f32> = rows
        .iter()
        .flat_map(|row| columns.iter().map(move |column| strength * row * column))
        .collect();
    let data = TensorData::new(weights, [1, 1, crop.height, crop.width]);
    Tensor::from_data(data, &like.device())
}
