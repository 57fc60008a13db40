//! Which of several right ways is the fastest on a device.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use burn::tensor::{Device, Tensor};

use super::self_test;
use crate::ops::{Conv2d, ConvolutionStrategy, Geometry, Strategies};

/// Convolutions of 3×3 that networks and autoencoders spend their time on: `[batch, inputs, outputs, side]`.
const SHAPES: [[usize; 4]; 2] = [[2, 320, 320, 64], [2, 1280, 1280, 16]];

/// How often each is timed; the first time, in which kernels are compiled and chosen, does not count.
const ROUNDS: usize = 3;

/// Another way is taken if it needs at most this share of the time.
const GAIN: f64 = 0.95;

/// The strategies with the fastest convolution among those that are right. Burn's own is a plain loop for each value on devices and in
/// precisions without matrix units, which no table tells; gathered patches take memory but are never that slow.
pub(super) fn with_fastest_convolution(device: &Device, settled: Strategies) -> Strategies {
    let mut best = (settled, seconds(device, settled));
    for convolution in [
        ConvolutionStrategy::Burn,
        ConvolutionStrategy::GatherAtOnce,
        ConvolutionStrategy::Gather,
    ] {
        let other = Strategies {
            convolution,
            ..settled
        };
        // Slicing is the way out where the kernel that gathers is wrong.
        let is_known = best.0.convolution == ConvolutionStrategy::GatherAtOnce
            && convolution == ConvolutionStrategy::Gather;
        if other == best.0 || is_known || !self_test::convolves_rightly(device, &other) {
            continue;
        }
        let time = seconds(device, other);
        tracing::debug!(?convolution, ?time, precision = ?settled.precision, "convolutions timed");
        let is_faster = match (time, best.1) {
            (Some(time), Some(known)) => time.as_secs_f64() < GAIN * known.as_secs_f64(),
            (Some(_), None) => true,
            (None, _) => false,
        };
        if is_faster {
            best = (other, time);
        }
    }
    best.0
}

/// The time of all shapes; nothing if one of them cannot be computed.
fn seconds(device: &Device, strategies: Strategies) -> Option<Duration> {
    let time = |shape: &[usize; 4]| {
        catch_unwind(AssertUnwindSafe(|| least_time(device, strategies, *shape)))
            .ok()
            .flatten()
    };
    SHAPES.iter().map(time).sum()
}

fn least_time(
    device: &Device,
    strategies: Strategies,
    [batch, inputs, outputs, side]: [usize; 4],
) -> Option<Duration> {
    let options = (device, strategies.element());
    let weight = Tensor::<4>::full([outputs, inputs, 3, 3], 0.01, options);
    let layer = Conv2d::new(weight, None, Geometry::same(3), strategies);
    let image = Tensor::<4>::full([batch, inputs, side, side], 0.5, options);
    let run = || {
        let start = Instant::now();
        let result = layer.forward(image.clone());
        // Queues give nothing to the device until somebody wants to know.
        let _ = result
            .narrow(0, 0, 1)
            .narrow(1, 0, 1)
            .try_into_data()
            .ok()?;
        device.sync().ok()?;
        Some(start.elapsed())
    };
    run()?;
    (0..ROUNDS).map(|_| run()).min().flatten()
}
