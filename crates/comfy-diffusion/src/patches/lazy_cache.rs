//! As [`EasyCache`](super::EasyCache), but around guidance: it looks at x and at the clean latent, and leaves out all calls of a step.

use burn::tensor::Tensor;

use super::easy_cache::{mean_distance, thinned};
use crate::Result;
use crate::sampling::hooks::AroundGuidance;
use crate::sampling::{Guided, Key, Moment, ProgressRange};

/// Leaves out steps while the change that adds up stays below a threshold.
#[derive(Debug)]
pub struct LazyCache {
    threshold: f32,
    range: ProgressRange,
    is_verbose: bool,
    state: Key<State>,
}

/// What is remembered from step to step.
#[derive(Clone, Debug)]
struct State {
    /// x and the clean latent of the last step that was computed, thinned out, and the size of the latter.
    x: Tensor<4>,
    x0: Tensor<4>,
    size: f32,
    /// What guidance added to x.
    added: Tensor<4>,
    negative: Tensor<4>,
    /// How much the clean latent changes for a change of x.
    rate: Option<f32>,
    /// The change since a step was computed.
    change: f32,
}

impl LazyCache {
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

impl AroundGuidance for LazyCache {
    fn guide(&self, moment: &Moment<'_>, guide: &dyn Fn() -> Result<Guided>) -> Result<Guided> {
        let (x, sigma) = (moment.x(), f64::from(moment.sigma()));
        let table = &moment.sampling().table;
        if sigma <= table.percent_to_sigma(self.range.end) {
            return guide();
        }
        let mut last = moment.memory().take(&self.state);
        let mut moved = None;
        if sigma <= table.percent_to_sigma(self.range.start)
            && let Some(state) = &mut last
        {
            let distance = mean_distance(&thinned(x, 1), &state.x);
            moved = Some(distance);
            if let Some(rate) = state.rate {
                state.change += rate * distance / state.size;
                if state.change < self.threshold {
                    if self.is_verbose {
                        tracing::info!(sigma, change = state.change, "a step is left out");
                    }
                    let guided = Guided {
                        x0: x.clone() + state.added.clone(),
                        negative: state.negative.clone(),
                    };
                    moment.memory().set(&self.state, state.clone());
                    return Ok(guided);
                }
                state.change = 0.0;
            }
        }
        let guided = guide()?;
        let now = thinned(&guided.x0, 1);
        let known_rate = last.as_ref().and_then(|state| state.rate);
        let rate = match (&last, moved) {
            (Some(state), Some(moved)) => Some(mean_distance(&now, &state.x0) / moved),
            _ => known_rate,
        };
        let state = State {
            x: thinned(x, 1),
            x0: now,
            size: guided.x0.clone().abs().mean().into_scalar::<f32>(),
            added: guided.x0.clone() - x.clone(),
            negative: guided.negative.clone(),
            rate,
            change: last.map_or(0.0, |state| state.change),
        };
        moment.memory().set(&self.state, state);
        Ok(guided)
    }
}
