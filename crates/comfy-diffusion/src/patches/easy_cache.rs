//! `EasyCache` (Zhou et al. 2025, "Less is enough: training-free video diffusion acceleration via runtime-adaptive caching"): a step is left out
//! while the network's output would hardly change, and what it added last time is added again.

use burn::tensor::Tensor;

use crate::Result;
use crate::models::NetworkInput;
use crate::models::hooks::AroundNetwork;
use crate::sampling::{Key, ModelSampling, ProgressRange};

/// Every so manieth row and column is looked at.
const STRIDE: usize = 8;

/// Leaves out steps while the change that adds up stays below a threshold.
#[derive(Debug)]
pub struct EasyCache {
    threshold: f32,
    range: ProgressRange,
    is_verbose: bool,
    state: Key<State>,
}

/// What is remembered from step to step.
#[derive(Clone, Debug, Default)]
struct State {
    /// The noise level of this step.
    sigma: f32,
    /// How many conditions were computed at this level so far.
    seen: usize,
    /// Whether this step is left out.
    is_left_out: bool,
    /// Whether the change of the first condition is being followed.
    is_followed: bool,
    /// How much the output changes for a change of the input.
    rate: Option<f32>,
    /// The change since a step was computed.
    change: f32,
    /// Input and output of the first condition in the last step that was computed, thinned out, and the size of the output.
    last: Option<Last>,
    /// What the network added to its input for each condition.
    added: Vec<Tensor<4>>,
    /// Channels, height and width of the input.
    shape: [usize; 3],
}

#[derive(Clone, Debug)]
struct Last {
    input: Tensor<4>,
    output: Tensor<4>,
    size: f32,
}

impl EasyCache {
    /// Leaves out steps within a part of the way; `is_verbose` tells the log which.
    pub fn new(threshold: f64, range: ProgressRange, is_verbose: bool) -> Self {
        Self {
            threshold: threshold as f32,
            range,
            is_verbose,
            state: Key::new(),
        }
    }
}

impl AroundNetwork for EasyCache {
    fn call(
        &self,
        input: NetworkInput,
        sampling: &ModelSampling,
        network: &dyn Fn(NetworkInput) -> Result<Tensor<4>>,
    ) -> Result<Tensor<4>> {
        let Some(call) = input.hooks.clone() else {
            return network(input);
        };
        let sigma = f64::from(call.sigma);
        if sigma <= sampling.table.percent_to_sigma(self.range.end) {
            return network(input);
        }
        let parts = call.lists.len().max(1);
        let x = input.x.clone();
        let [_, channels, height, width] = x.dims();
        let mut state = call.memory.take(&self.state).unwrap_or_default();
        if state.sigma.to_bits() != call.sigma.to_bits() {
            state.sigma = call.sigma;
            (state.seen, state.is_left_out) = (0, false);
        }
        if state.shape != [channels, height, width] && state.seen == 0 {
            state = State {
                sigma: state.sigma,
                shape: [channels, height, width],
                ..State::default()
            };
        }
        let first = state.seen;
        state.seen += parts;
        let may_leave_out = sigma <= sampling.table.percent_to_sigma(self.range.start);
        let known = state.added.get(first..first + parts).map(<[_]>::to_vec);
        let mut moved = None;
        if may_leave_out {
            if state.is_left_out
                && let Some(known) = &known
            {
                call.memory.set(&self.state, state);
                return Ok(added_again(&x, known));
            }
            state.is_followed = true;
            if first == 0
                && let Some(last) = &state.last
            {
                let distance = mean_distance(&thinned(&x, parts), &last.input);
                moved = Some(distance);
                if let (Some(rate), Some(known)) = (state.rate, &known) {
                    state.change += rate * distance / last.size;
                    if state.change < self.threshold {
                        state.is_left_out = true;
                        if self.is_verbose {
                            tracing::info!(sigma, change = state.change, "a step is left out");
                        }
                        call.memory.set(&self.state, state);
                        return Ok(added_again(&x, known));
                    }
                    state.change = 0.0;
                }
            }
        }
        let output = network(input)?;
        if state.is_followed && first == 0 {
            let now = thinned(&output, parts);
            if let (Some(last), Some(moved)) = (&state.last, moved) {
                state.rate = Some(mean_distance(&now, &last.output) / moved);
            }
            state.last = Some(Last {
                input: thinned(&x, parts),
                output: now,
                size: output.clone().abs().mean().into_scalar::<f32>(),
            });
        }
        let difference = output.clone() - like(&x, &output);
        let batch = difference.dims()[0] / parts;
        let new = (0..parts).map(|part| difference.clone().narrow(0, part * batch, batch));
        state.added.truncate(first);
        state.added.extend(new);
        call.memory.set(&self.state, state);
        Ok(output)
    }
}

/// The last channels of the input, as many as the output has.
fn like(x: &Tensor<4>, output: &Tensor<4>) -> Tensor<4> {
    let (have, want) = (x.dims()[1], output.dims()[1]);
    x.clone()
        .narrow(1, have.saturating_sub(want), want.min(have))
}

/// The input with what was added to it last time. Where each condition has one row, `ComfyUI` adds what belongs to any of them to all,
/// and the pictures are to be the same; where they have more it gives up, and each gets its own here.
fn added_again(x: &Tensor<4>, added: &[Tensor<4>]) -> Tensor<4> {
    let together = Tensor::cat(added.to_vec(), 0);
    let input = like(x, &together);
    let have_one_row = together.dims()[0] == added.len();
    if have_one_row && input.dims()[1] == x.dims()[1] {
        return input + together.sum_dim(0);
    }
    input + together
}

/// Some rows and columns of the first condition's part.
pub(super) fn thinned(x: &Tensor<4>, parts: usize) -> Tensor<4> {
    let [batch, _, _, _] = x.dims();
    let every = burn::tensor::Slice::new(0, None, STRIDE as isize);
    x.clone()
        .narrow(0, 0, (batch / parts).max(1))
        .slice_dim(2, every)
        .slice_dim(3, every)
}

pub(super) fn mean_distance(one: &Tensor<4>, other: &Tensor<4>) -> f32 {
    (one.clone() - other.clone())
        .abs()
        .mean()
        .into_scalar::<f32>()
}
