//! Whether a device's operators give the right values.
//!
//! Graphics drivers and their kernels have been wrong in silence, so every device computes a few small examples when it is
//! opened. An operator that differs from its plain formula is computed in another way from then on.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::{DType, Device};

use super::Precision;
use crate::error::{Error, Result};
use crate::ops::reference::{self, Example};
use crate::ops::{AttentionStrategy, ConvolutionStrategy, Kernels, NormStrategy, Strategies};

/// The largest relative difference (of Euclidean norms) that passes.
const TOLERANCE: f64 = 1e-3;

/// Burn's fused attention multiplies in 16 bits on matrix units, whatever the values are. What is to be exact, and may overflow, is then
/// computed in another way.
const EXACT_ATTENTION: f64 = 1e-4;

/// The same where values are rounded to eleven bits of mantissa.
const HALF_TOLERANCE: f64 = 5e-3;

/// The same where factors are rounded to eight bits of mantissa.
const BRAIN_TOLERANCE: f64 = 2e-2;

fn tolerance(strategies: &Strategies, example: &Example) -> f64 {
    let is_fused = matches!(strategies.attention, AttentionStrategy::Fused { .. });
    match strategies.precision {
        Precision::Single if is_fused && matches!(example, Example::Attention(..)) => {
            EXACT_ATTENTION
        }
        Precision::Single => TOLERANCE,
        Precision::Half => HALF_TOLERANCE,
        Precision::Brain => BRAIN_TOLERANCE,
    }
}

/// The wanted strategies, with those that fail replaced by others that pass.
pub(super) fn settle(device: &Device, wanted: Strategies) -> Result<Strategies> {
    let mut settled = wanted;
    let kernels = [wanted.kernels, Kernels::Burn].map(|kernels| Strategies { kernels, ..settled });
    settled = first_right(
        device,
        "linear layers and activations",
        &kernels,
        &reference::BASIC,
    )?;
    let norms = [wanted.norms, NormStrategy::Composed].map(|norms| Strategies { norms, ..settled });
    settled = first_right(device, "norms", &norms, &reference::NORMS)?;
    let convolutions = [
        wanted.convolution,
        ConvolutionStrategy::GatherAtOnce,
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

/// The strategies with another precision, if the device has it and all operators are right with it, be it in other ways than exactly.
pub(super) fn settle_precision(
    device: &Device,
    strategies: Strategies,
    precision: Precision,
) -> Strategies {
    let wanted = Strategies {
        precision,
        ..strategies
    };
    let is_there = match (precision, strategies.kernels) {
        (Precision::Single, _) => return strategies,
        (Precision::Half, Kernels::Burn) => device.supports_dtype(DType::F16),
        (Precision::Brain, Kernels::Host) => true,
        (Precision::Half, Kernels::Host) | (Precision::Brain, Kernels::Burn) => false,
    };
    if !is_there {
        tracing::info!(
            ?precision,
            "the device has no use for this precision; networks are computed exactly"
        );
        return strategies;
    }
    match settle(device, wanted) {
        // What is not computed by our own kernels is not computed with rounded factors.
        Ok(settled) if precision == Precision::Half || settled == wanted => settled,
        Ok(_) => strategies,
        Err(problem) => {
            tracing::warn!(?precision, %problem, "networks are computed exactly");
            strategies
        }
    }
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
        match check(device, strategies, examples) {
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

/// Whether convolutions are right in these strategies.
pub(super) fn convolves_rightly(device: &Device, strategies: &Strategies) -> bool {
    check(device, strategies, &reference::CONVOLUTIONS).is_ok()
}

/// Every operator, in the strategies given.
pub(super) fn check_all(device: &Device, strategies: &Strategies) -> Result<()> {
    let lists: [&[Example]; 4] = [
        &reference::BASIC,
        &reference::NORMS,
        &reference::CONVOLUTIONS,
        &reference::ATTENTIONS,
    ];
    for examples in lists {
        check(device, strategies, examples)
            .map_err(|problem| Error::Device(format!("self-test failed: {problem}")))?;
    }
    Ok(())
}

fn check(device: &Device, strategies: &Strategies, examples: &[Example]) -> Result<(), String> {
    for example in examples {
        let tolerance = tolerance(strategies, example);
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
