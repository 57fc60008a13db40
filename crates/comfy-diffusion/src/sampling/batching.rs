//! Many conditions in few calls of the network.

use std::sync::Arc;

use burn::tensor::{Device, Tensor};

use super::condition::{Condition, Weight};
use super::conditioning::Cells;
use super::control::{ControlCall, Steered};
use super::leftover::leftover;
use super::networks::{Current, Networks};
use super::{Memory, ModelSampling};
use crate::Result;
use crate::models::NetworkInput;
use crate::models::hooks::{NetworkCall, NetworkHook, NetworkHooks};

/// Texts of different lengths share a call if repeating the shorter one to a common length makes it at most this many
/// times as long.
const MOST_REPEATS: usize = 4;

/// Stands for the weight where nothing counts, so that the mean is 0 there.
const NO_WEIGHT: f32 = 1e-37;

/// The networks of a run and what is the same in all their calls.
pub(super) struct Caller<'a> {
    pub(super) networks: &'a Networks<'a>,
    pub(super) sampling: &'a ModelSampling,
    pub(super) memory: &'a Arc<Memory>,
}

/// A condition of a list, and the network that is called for it.
struct Waiting<'a> {
    list: usize,
    condition: &'a Condition,
    current: Current,
}

impl Waiting<'_> {
    /// Whether one call can compute both.
    fn can_share(&self, other: &Self) -> bool {
        self.current.is(&other.current) && self.condition.can_share(other.condition)
    }
}

impl Condition {
    /// Whether a call of the network can compute both.
    fn can_share(&self, other: &Self) -> bool {
        if std::ptr::eq(self, other) {
            return true;
        }
        let same_control = match (&self.control, &other.control) {
            (None, None) => true,
            (Some(own), Some(other)) => own.is(other),
            _ => false,
        };
        let read = |condition: &Self| condition.reading.control_context.as_ref().map(Tensor::dims);
        // What is told of things is for one condition.
        let is_told = self.grounded.is_some() || other.grounded.is_some();
        if !same_control || is_told || read(self) != read(other) {
            return false;
        }
        let size = |condition: &Self| condition.crop.map(|crop| (crop.height, crop.width));
        let ([_, first, width], [_, second, other_width]) =
            (self.reading.context.dims(), other.reading.context.dims());
        let common = least_common_multiple(first, second);
        size(self) == size(other)
            && width == other_width
            && common / first.min(second) <= MOST_REPEATS
    }
}

impl Caller<'_> {
    /// The clean latent for each list of conditions: the mean over the conditions whose range holds `sigma`, weighted by
    /// their strengths. A list without any gives zeros.
    pub(super) fn predict<const N: usize>(
        &self,
        hooks: &NetworkHooks,
        lists: [&[Condition]; N],
        x: &Tensor<4>,
        sigma: f32,
    ) -> Result<[Tensor<4>; N]> {
        let defaults = self.defaults(&lists, x, sigma)?;
        let ordinary = lists.iter().enumerate().flat_map(|(list, conditions)| {
            let ordinary = conditions.iter().filter(|one| !one.is_default);
            ordinary.map(move |condition| (list, condition))
        });
        let counting = ordinary
            .filter(|(_, condition)| condition.range.contains(sigma, self.sampling))
            .chain(defaults.iter().map(|(list, condition)| (*list, condition)));
        let mut waiting = counting
            .map(|(list, condition)| {
                Ok(Waiting {
                    list,
                    condition,
                    current: self.networks.at(&condition.weight_hooks, sigma)?,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let mut means: [Mean; N] = std::array::from_fn(|_| Mean::default());
        while !waiting.is_empty() {
            let shares: Vec<bool> = waiting
                .iter()
                .map(|one| waiting[0].can_share(one))
                .collect();
            let mut shares = shares.into_iter();
            let (mut together, rest): (Vec<_>, Vec<_>) = waiting
                .into_iter()
                .partition(|_| shares.next().unwrap_or_default());
            waiting = rest;
            // The last condition comes first: with one of each, the negative one before the positive one.
            together.reverse();
            let clean = self.call(hooks, &together, x, sigma)?;
            for (one, x0) in together.iter().zip(clean) {
                means[one.list].add(x0, one.condition, x);
            }
        }
        Ok(means.map(|mean| mean.value().unwrap_or_else(|| x.zeros_like())))
    }

    /// The default conditions of each list, with the weight that is left over for them at this noise level; none where nothing is.
    fn defaults(
        &self,
        lists: &[&[Condition]],
        x: &Tensor<4>,
        sigma: f32,
    ) -> Result<Vec<(usize, Condition)>> {
        let mut found = Vec::new();
        for (list, conditions) in lists.iter().enumerate() {
            let counting = conditions
                .iter()
                .filter(|condition| condition.range.contains(sigma, self.sampling));
            let (defaults, others): (Vec<_>, Vec<_>) =
                counting.partition(|condition| condition.is_default);
            if defaults.is_empty() {
                continue;
            }
            let Some(weight) = leftover(&others, x)? else {
                continue;
            };
            found.extend(defaults.into_iter().map(|condition| {
                let weight = condition.part_of_weight(&weight, x);
                let condition = condition.clone();
                (
                    list,
                    Condition {
                        weight,
                        ..condition
                    },
                )
            }));
        }
        Ok(found)
    }

    /// One call of the network under each of the conditions, whose parts of x have the same size.
    fn call(
        &self,
        hooks: &NetworkHooks,
        together: &[Waiting<'_>],
        x: &Tensor<4>,
        sigma: f32,
    ) -> Result<Vec<Tensor<4>>> {
        let (count, batch) = (together.len(), x.dims()[0]);
        let readings = || together.iter().map(|one| &one.condition.reading);
        let tokens = readings()
            .map(|reading| reading.context.dims()[1])
            .fold(1, least_common_multiple);
        let context = readings()
            .map(|reading| {
                let repeats = tokens / reading.context.dims()[1];
                reading.context.clone().repeat_dim(1, repeats)
            })
            .collect();
        let x = Tensor::cat(
            together.iter().map(|one| one.condition.part(x)).collect(),
            0,
        );
        let input = self.sampling.network_input(x.clone(), sigma);
        let beside: Option<Vec<_>> = together
            .iter()
            .map(|Waiting { condition, .. }| {
                Some(condition.part(condition.reading.beside.as_ref()?))
            })
            .collect();
        // Conditions of one model all have a label, or none has.
        let labels: Option<Vec<_>> = readings().map(|reading| reading.label.clone()).collect();
        let timestep = self.sampling.table.timestep(sigma);
        let plain = NetworkInput {
            x: input,
            timesteps: Tensor::full([batch * count], timestep, &Device::flex()),
            context: Some(Tensor::cat(context, 0)),
            label: labels.map(|labels| Tensor::cat(labels, 0)),
            hooks: None,
        };
        let hooks = self.with_conditions(hooks, together, &plain, sigma)?;
        let input = match beside {
            None => plain.x,
            Some(beside) => Tensor::cat(vec![plain.x, Tensor::cat(beside, 0)], 1),
        };
        let whole = NetworkInput {
            x: input,
            hooks: Some(NetworkCall {
                sigma,
                lists: together.iter().map(|one| one.list).collect(),
                memory: Arc::clone(self.memory),
                hooks: hooks.clone(),
            }),
            ..plain
        };
        let Some(first) = together.first() else {
            return Ok(Vec::new());
        };
        let network = |input| first.current.network.forward(input);
        let output = hooks.call(whole, self.sampling, &network)?;
        let clean = self.sampling.clean(x, output, sigma);
        Ok((0..count)
            .map(|index| clean.clone().narrow(0, index * batch, batch))
            .collect())
    }
}

impl Caller<'_> {
    /// The hooks with those that conditions bring, which are the same for all in a call: what steers the network comes first, what
    /// tells it where things are to be last. `input` lacks what stands beside the latent.
    fn with_conditions(
        &self,
        hooks: &NetworkHooks,
        together: &[Waiting<'_>],
        input: &NetworkInput,
        sigma: f32,
    ) -> Result<NetworkHooks> {
        let mut hooks = hooks.clone();
        let Some(Waiting {
            condition: first, ..
        }) = together.first()
        else {
            return Ok(hooks);
        };
        if let Some(grounded) = &first.grounded {
            hooks = hooks.with(Arc::clone(grounded) as Arc<dyn NetworkHook>);
        }
        let Some(control) = &first.control else {
            return Ok(hooks);
        };
        let contexts: Option<Vec<_>> = together
            .iter()
            .map(|one| one.condition.reading.control_context.clone())
            .collect();
        let input = NetworkInput {
            context: match contexts {
                Some(contexts) => Some(Tensor::cat(contexts, 0)),
                None => input.context.clone(),
            },
            ..input.clone()
        };
        let residuals = control.residuals(&ControlCall {
            input,
            sigma,
            parts: together.len(),
            sampling: self.sampling,
            memory: self.memory,
        })?;
        Ok(match residuals {
            None => hooks,
            Some(residuals) => hooks.with_first(Arc::new(Steered { residuals })),
        })
    }
}

/// A weighted mean that grows.
#[expect(clippy::large_enum_variant, reason = "one lives at a time")]
#[derive(Default)]
enum Mean {
    #[default]
    Empty,
    /// Every term counts the same everywhere.
    Even {
        sum: Tensor<4>,
        weight: f64,
        terms: usize,
    },
    /// At each place of its own.
    Uneven { sum: Tensor<4>, weight: Tensor<4> },
}

impl Mean {
    /// Adds what the network gave for a condition's part of x.
    fn add(&mut self, value: Tensor<4>, condition: &Condition, x: &Tensor<4>) {
        *self = match (std::mem::take(self), &condition.weight) {
            // The only value stays as it is.
            (Self::Empty, Weight::Even(weight)) => Self::Even {
                sum: value,
                weight: *weight,
                terms: 1,
            },
            (
                Self::Even {
                    sum,
                    weight: so_far,
                    terms,
                },
                Weight::Even(weight),
            ) => {
                let sum = if terms == 1 {
                    sum.mul_scalar(so_far)
                } else {
                    sum
                };
                Self::Even {
                    sum: sum + value.mul_scalar(*weight),
                    weight: so_far + weight,
                    terms: terms + 1,
                }
            }
            (mean, weight) => {
                let (sum, so_far) = mean.at_each_place(x);
                let weight = match weight {
                    Weight::Even(weight) => value.ones_like().mul_scalar(*weight),
                    Weight::Uneven(weight) => weight.clone().expand(value.dims()),
                };
                Self::Uneven {
                    sum: add_at(sum, value * weight.clone(), condition.crop),
                    weight: add_at(so_far, weight, condition.crop),
                }
            }
        };
    }

    /// Sum and weights, of x's shape.
    fn at_each_place(self, x: &Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let nothing = || x.zeros_like().add_scalar(NO_WEIGHT);
        match self {
            Self::Empty => (x.zeros_like(), nothing()),
            Self::Even { sum, weight, terms } => {
                let sum = if terms == 1 {
                    sum.mul_scalar(weight)
                } else {
                    sum
                };
                (sum, nothing().add_scalar(weight))
            }
            Self::Uneven { sum, weight } => (sum, weight),
        }
    }

    /// The mean; nothing if nothing has weight.
    fn value(self) -> Option<Tensor<4>> {
        match self {
            Self::Empty | Self::Even { weight: 0.0, .. } => None,
            Self::Even { sum, terms: 1, .. } => Some(sum),
            Self::Even { sum, weight, .. } => Some(sum.div_scalar(weight)),
            Self::Uneven { sum, weight } => Some(sum / weight),
        }
    }
}

/// `part` added to the rectangle `crop` of a tensor, or to all of it.
fn add_at(whole: Tensor<4>, part: Tensor<4>, crop: Option<Cells>) -> Tensor<4> {
    let Some(crop) = crop else {
        return whole + part;
    };
    let [batch, channels, ..] = whole.dims();
    let place = [
        0..batch,
        0..channels,
        crop.top..crop.top + crop.height,
        crop.left..crop.left + crop.width,
    ];
    let sum = whole.clone().slice(place.clone()) + part;
    whole.slice_assign(place, sum)
}

fn least_common_multiple(first: usize, second: usize) -> usize {
    let (mut divisor, mut rest) = (first, second);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    first / divisor * second
}
