//! Many conditions in few calls of the network.

use burn::tensor::Tensor;

use super::beside::Sampled;
use super::label::LabelSource;
use super::{Conditioning, ModelSampling, ProgressRange};
use crate::models::{Network, NetworkInput};
use crate::{Error, Model, Result};

/// Texts of different lengths share a call if repeating the shorter one to a common length makes it at most this many
/// times as long.
const MOST_REPEATS: usize = 4;

/// A condition fitted to the batch that is sampled.
pub(super) struct Condition {
    /// [batch, tokens, width]
    context: Tensor<3>,
    /// [batch, width]
    label: Option<Tensor<2>>,
    /// Further channels of the input, [batch, channels, height, width]
    beside: Option<Tensor<4>>,
    strength: f64,
    range: ProgressRange,
}

/// Pixels of a picture for each cell of a latent, by which labels are told sizes.
const PIXELS_PER_CELL: usize = 8;

/// What conditions are fitted to.
#[derive(Clone, Copy)]
pub(super) struct Fit<'a> {
    pub(super) model: &'a Model,
    pub(super) sampled: Sampled<'a>,
    pub(super) is_negative: bool,
    pub(super) seed: u64,
}

impl Condition {
    /// Fits a condition to a latent: fewer texts than pictures are repeated, more are cut off.
    pub(super) fn new(conditioning: &Conditioning, fit: Fit<'_>) -> Result<Self> {
        let Fit { model, sampled, .. } = fit;
        let [batch, _, height, width] = sampled.latent.dims();
        let [texts, tokens, features] = conditioning.cond.dims();
        if texts == 0 || tokens == 0 {
            return Err(Error::input(format!(
                "a condition must have at least one text of at least one token, but its shape is [{texts}, {tokens}, {features}]"
            )));
        }
        let context = conditioning
            .cond
            .clone()
            .to_device(model.device.tensor_device());
        let label = model.label.as_ref().map(|rule| {
            rule.label(&LabelSource {
                pooled: conditioning.pooled.as_ref(),
                hints: &conditioning.hints,
                height: (height * PIXELS_PER_CELL) as f64,
                width: (width * PIXELS_PER_CELL) as f64,
                is_negative: fit.is_negative,
                seed: fit.seed,
                device: &model.device,
            })
        });
        let beside =
            model
                .beside
                .channels_for(&conditioning.beside, &model.latent_format, sampled)?;
        Ok(Self {
            context: with_rows(context, batch),
            label: label.transpose()?.map(|label| with_rows(label, batch)),
            beside,
            strength: conditioning.strength,
            range: conditioning.range,
        })
    }

    /// The length to which this and another text are repeated in a common call, if they can share one.
    fn common_tokens(&self, other: &Self) -> Option<usize> {
        let ([_, first, width], [_, second, other_width]) =
            (self.context.dims(), other.context.dims());
        let common = least_common_multiple(first, second);
        (width == other_width && common / first.min(second) <= MOST_REPEATS).then_some(common)
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

/// The clean latent for each list of conditions: the mean over the conditions whose range holds `sigma`, weighted by
/// their strengths. A list without any gives zeros.
pub(super) fn predict<const N: usize>(
    network: &dyn Network,
    sampling: &ModelSampling,
    lists: [&[Condition]; N],
    x: &Tensor<4>,
    sigma: f32,
) -> Result<[Tensor<4>; N]> {
    let mut waiting: Vec<(usize, &Condition)> = lists
        .iter()
        .enumerate()
        .flat_map(|(list, conditions)| conditions.iter().map(move |condition| (list, condition)))
        .filter(|(_, condition)| condition.range.contains(sigma, sampling))
        .collect();
    let mut means: [Mean; N] = std::array::from_fn(|_| Mean::default());
    while let Some(&(_, first)) = waiting.first() {
        let (mut together, rest): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .partition(|(_, condition)| first.common_tokens(condition).is_some());
        waiting = rest;
        // The last condition comes first: with one of each, the negative one before the positive one.
        together.reverse();
        let conditions: Vec<&Condition> =
            together.iter().map(|(_, condition)| *condition).collect();
        let clean = call(network, sampling, &conditions, x, sigma)?;
        for ((list, condition), x0) in together.iter().zip(clean) {
            means[*list].add(x0, condition.strength);
        }
    }
    Ok(means.map(|mean| mean.value().unwrap_or_else(|| x.zeros_like())))
}

/// One call of the network with `x` under each of the conditions.
fn call(
    network: &dyn Network,
    sampling: &ModelSampling,
    conditions: &[&Condition],
    x: &Tensor<4>,
    sigma: f32,
) -> Result<Vec<Tensor<4>>> {
    let count = conditions.len();
    let batch = x.dims()[0];
    let tokens = conditions
        .iter()
        .map(|condition| condition.context.dims()[1])
        .fold(1, least_common_multiple);
    let contexts = conditions.iter().map(|condition| {
        let context = condition.context.clone();
        let times = tokens / context.dims()[1];
        context.repeat_dim(1, times)
    });
    // Conditions of one model all have a label, or none has.
    let labels: Vec<_> = conditions
        .iter()
        .filter_map(|condition| condition.label.clone())
        .collect();
    let beside: Vec<_> = conditions
        .iter()
        .filter_map(|condition| condition.beside.clone())
        .collect();
    let timestep = sampling.table.timestep(sigma);
    let input = sampling
        .network_input(x.clone(), sigma)
        .repeat_dim(0, count);
    let output = network.forward(NetworkInput {
        x: if beside.is_empty() {
            input
        } else {
            Tensor::cat(vec![input, Tensor::cat(beside, 0)], 1)
        },
        timesteps: Tensor::full([batch * count], timestep, &x.device()),
        context: Some(Tensor::cat(contexts.collect(), 0)),
        label: (!labels.is_empty()).then(|| Tensor::cat(labels, 0)),
    })?;
    let clean = sampling.clean(x.clone().repeat_dim(0, count), output, sigma);
    Ok((0..count)
        .map(|index| clean.clone().narrow(0, index * batch, batch))
        .collect())
}

/// A weighted mean that grows.
#[derive(Default)]
struct Mean {
    sum: Option<Tensor<4>>,
    weight: f64,
    terms: usize,
}

impl Mean {
    fn add(&mut self, value: Tensor<4>, weight: f64) {
        // The only value stays as it is.
        let scaled = |value: Tensor<4>, weight: f64| value.mul_scalar(weight);
        self.sum = Some(match self.sum.take() {
            None => value,
            Some(sum) if self.terms == 1 => scaled(sum, self.weight) + scaled(value, weight),
            Some(sum) => sum + scaled(value, weight),
        });
        self.weight += weight;
        self.terms += 1;
    }

    /// The mean; nothing if nothing has weight.
    fn value(self) -> Option<Tensor<4>> {
        let sum = self.sum.filter(|_| self.weight != 0.0)?;
        Some(if self.terms == 1 {
            sum
        } else {
            sum.div_scalar(self.weight)
        })
    }
}

fn least_common_multiple(first: usize, second: usize) -> usize {
    let (mut divisor, mut rest) = (first, second);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    first / divisor * second
}
