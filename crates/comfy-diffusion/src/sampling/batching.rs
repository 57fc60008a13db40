//! Many conditions in few calls of the network.

use burn::tensor::Tensor;

use super::{Conditioning, ModelSampling, ProgressRange};
use crate::models::{Network, NetworkInput};
use crate::{Error, Result};

/// Texts of different lengths share a call if repeating the shorter one to a common length makes it at most this many
/// times as long.
const MOST_REPEATS: usize = 4;

/// A condition fitted to the batch that is sampled.
pub(super) struct Condition {
    /// [batch, tokens, width]
    context: Tensor<3>,
    strength: f64,
    range: ProgressRange,
}

impl Condition {
    /// Fits a condition to a latent: fewer texts than pictures are repeated, more are cut off.
    pub(super) fn new(conditioning: &Conditioning, like: &Tensor<4>) -> Result<Self> {
        let batch = like.dims()[0];
        let [texts, tokens, width] = conditioning.cond.dims();
        if texts == 0 || tokens == 0 {
            return Err(Error::input(format!(
                "a condition must have at least one text of at least one token, but its shape is [{texts}, {tokens}, {width}]"
            )));
        }
        let context = conditioning.cond.clone().to_device(&like.device());
        let context = match texts {
            _ if texts == batch => context,
            1 => context.repeat_dim(0, batch),
            _ => context
                .repeat_dim(0, batch.div_ceil(texts))
                .narrow(0, 0, batch),
        };
        Ok(Self {
            context,
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
        let contexts: Vec<&Tensor<3>> = together
            .iter()
            .map(|(_, condition)| &condition.context)
            .collect();
        let clean = call(network, sampling, &contexts, x, sigma)?;
        for ((list, condition), x0) in together.iter().zip(clean) {
            means[*list].add(x0, condition.strength);
        }
    }
    Ok(means.map(|mean| mean.value().unwrap_or_else(|| x.zeros_like())))
}

/// One call of the network with `x` under each of the contexts.
fn call(
    network: &dyn Network,
    sampling: &ModelSampling,
    contexts: &[&Tensor<3>],
    x: &Tensor<4>,
    sigma: f32,
) -> Result<Vec<Tensor<4>>> {
    let count = contexts.len();
    let batch = x.dims()[0];
    let tokens = contexts
        .iter()
        .map(|context| context.dims()[1])
        .fold(1, least_common_multiple);
    let context = contexts
        .iter()
        .map(|context| (*context).clone().repeat_dim(1, tokens / context.dims()[1]))
        .collect();
    let timestep = sampling.table.timestep(sigma);
    let output = network.forward(NetworkInput {
        x: sampling
            .network_input(x.clone(), sigma)
            .repeat_dim(0, count),
        timesteps: Tensor::full([batch * count], timestep, &x.device()),
        context: Some(Tensor::cat(context, 0)),
        label: None,
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
