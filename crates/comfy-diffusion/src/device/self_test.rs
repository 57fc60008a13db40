//! Whether a device's operators give the right values.
//!
//! Graphics drivers and their kernels have been wrong in silence, so every device computes a few small examples when it is
//! opened. An operator that differs from its plain formula is computed in another way from then on.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::Device;

use super::Precision;
use crate::error::{Error, Result};
use crate::ops::reference::{self, Example};
use crate::ops::{AttentionStrategy, ConvolutionStrategy, Kernels, Strategies};

/// The largest relative difference (of Euclidean norms) that passes.
const TOLERANCE: f64 = 1e-3;

/// The same where factors are rounded to eight bits of mantissa.
const ROUNDED_TOLERANCE: f64 = 2e-2;

/// The wanted strategies, with those that fail replaced by others that pass.
pub(super) fn settle(device: &Device, wanted: Strategies) -> Result<Strategies> {
    let mut settled = wanted;
    let kernels = [wanted.kernels, Kernels::Burn].map(|kernels| Strategies { kernels, ..settled });
    settled = first_right(
        device,
        "linear layers and norms",
        &kernels,
        &reference::BASIC,
    )?;
    let convolutions = [
        wanted.convolution,
        ConvolutionStrategy::Gather,
        ConvolutionStrategy::Burn,
    ];
    let convolutions = convolutions.map(|convolution| Strategies {
        convolution,
        ..settled
    });
    let examples = &reference::CONVOLUTIONS;
    settled = first_right(device, "convolutions", &convolutions, examples)?;
    let attentions = [wanted.attention, AttentionStrategy::Sliced].map(|attention| Strategies {
        attention,
        ..settled
    });
    first_right(device, "attention", &attentions, &reference::ATTENTIONS)
}

/// The strategies with another precision, if all operators are right with it and if it is the device's to choose.
pub(super) fn settle_precision(
    device: &Device,
    strategies: Strategies,
    precision: Precision,
) -> Strategies {
    let wanted = Strategies {
        precision,
        ..strategies
    };
    if wanted == strategies || wanted.kernels != Kernels::Host {
        return strategies;
    }
    let lists: [&[Example]; 3] = [
        &reference::BASIC,
        &reference::CONVOLUTIONS,
        &reference::ATTENTIONS,
    ];
    for examples in lists {
        if let Err(problem) = check(device, &wanted, examples, ROUNDED_TOLERANCE) {
            tracing::warn!(?precision, %problem, "an operator is wrong in this precision; computing exactly");
            return strategies;
        }
    }
    wanted
}

/// The first of these strategies that passes all examples.
fn first_right(
    device: &Device,
    what: &str,
    candidates: &[Strategies],
    examples: &[Example],
) -> Result<Strategies> {
    let mut last = String::new();
    for (index, strategies) in candidates.iter().enumerate() {
        if candidates[..index].contains(strategies) {
            continue;
        }
        match check(device, strategies, examples, TOLERANCE) {
            Ok(()) => return Ok(*strategies),
            Err(problem) => {
                tracing::warn!(what, ?strategies, %problem, "an operator is wrong on this device; trying another way");
                last = problem;
            }
        }
    }
    Err(Error::Device(format!(
        "{what} are wrong on this device in every way known here: {last}"
    )))
}

/// Every operator, in the strategies given.
pub(super) fn check_all(device: &Device, strategies: &Strategies) -> Result<()> {
    let lists: [&[Example]; 3] = [
        &reference::BASIC,
        &reference::CONVOLUTIONS,
        &reference::ATTENTIONS,
    ];
    for examples in lists {
        check(device, strategies, examples, TOLERANCE)
            .map_err(|problem| Error::Device(format!("self-test failed: {problem}")))?;
    }
    Ok(())
}

fn check(
    device: &Device,
    strategies: &Strategies,
    examples: &[Example],
    tolerance: f64,
) -> Result<(), String> {
    for example in examples {
        let difference = catch_unwind(AssertUnwindSafe(|| example.difference(device, strategies)))
            .map_err(|_| format!("{example:?} could not be computed"))?;
        if !difference.is_finite() || difference > tolerance {
            return Err(format!(
                "{example:?} differs by {difference:.1e} of its size, at most {tolerance:.0e} is right"
            ));
        }
    }
    Ok(())
}
