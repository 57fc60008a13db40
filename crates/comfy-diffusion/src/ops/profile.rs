//! How long each operator takes, for finding out where time goes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use burn::tensor::Tensor;

static MEASURING: AtomicBool = AtomicBool::new(false);
static SPENT: Mutex<BTreeMap<String, Spent>> = Mutex::new(BTreeMap::new());

/// What one operator took on one kind of problem.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spent {
    /// How often it was computed.
    pub calls: u64,
    /// The time of all calls together.
    pub time: Duration,
    /// Multiplications and additions of the matrix products in all calls, as their definitions have them: two for each pair of numbers,
    /// whatever shorter way was taken.
    pub operations: u64,
}

/// What is computed: what it is called with its sizes, and the operations of its matrix products.
pub(super) struct Problem {
    name: String,
    operations: u64,
}

impl Problem {
    /// Matrix products that multiply so many pairs of numbers: the product of all sizes in `pairs`.
    pub(super) fn of_pairs(name: String, pairs: &[usize]) -> Self {
        let pairs: u64 = pairs.iter().map(|size| *size as u64).product();
        Self {
            name,
            operations: 2 * pairs,
        }
    }
}

impl From<String> for Problem {
    /// One without matrix products.
    fn from(name: String) -> Self {
        Self {
            name,
            operations: 0,
        }
    }
}

/// Measures every operator of this process from now on. Graphics devices are waited for after each, so the whole is slower than it is
/// otherwise.
pub fn start() {
    take();
    MEASURING.store(true, Ordering::Relaxed);
}

/// Ends measuring, and gives what each operator took, by its name and sizes; the slowest first.
pub fn stop() -> Vec<(String, Spent)> {
    MEASURING.store(false, Ordering::Relaxed);
    let mut list: Vec<_> = take().into_iter().collect();
    list.sort_by_key(|(_, spent)| std::cmp::Reverse(spent.time));
    list
}

fn take() -> BTreeMap<String, Spent> {
    std::mem::take(&mut *SPENT.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Computes, and notes the time if that is wanted.
pub(super) fn timed<const D: usize, P: Into<Problem>>(
    problem: impl FnOnce() -> P,
    compute: impl FnOnce() -> Tensor<D>,
) -> Tensor<D> {
    if !MEASURING.load(Ordering::Relaxed) {
        return compute();
    }
    let start = Instant::now();
    let result = compute();
    if let Err(error) = result.device().sync() {
        tracing::warn!(%error, "the device failed while an operator was measured");
    }
    let time = start.elapsed();
    let mut spent = SPENT.lock().unwrap_or_else(PoisonError::into_inner);
    let Problem { name, operations } = problem().into();
    let spent = spent.entry(name).or_default();
    spent.calls += 1;
    spent.time += time;
    spent.operations += operations;
    result
}

#[cfg(test)]
mod tests {
    use super::super::{Conv2d, Geometry, Linear, Mask, Strategies, attention};
    use super::*;
    use crate::device::{DevicePlan, DeviceRequest};

    #[test]
    fn operations_are_those_of_the_definitions() {
        let device = DevicePlan::survey(DeviceRequest::Cpu)
            .and_then(|plan| plan.open())
            .expect("a processor");
        let strategies: Strategies = *device.strategies();
        let place = device.tensor_device();
        // Sizes that no other test has: all threads of the process are measured.
        let image = Tensor::<4>::zeros([3, 13, 9, 11], place);
        let kernel = Tensor::zeros([17, 13, 3, 3], place);
        let convolution = Conv2d::new(kernel, None, Geometry::HALVE, strategies);
        let tokens = Tensor::<3>::zeros([3, 19, 46], place);
        let layer = Linear::new(Tensor::zeros([23, 46], place), None, strategies);
        start();
        convolution.forward(image);
        layer.forward(tokens.clone());
        attention(
            &strategies,
            tokens.clone(),
            tokens.clone(),
            tokens,
            2,
            Mask::None,
        );
        let measured = stop();
        let operations = |name: &str| {
            let found = measured.iter().find(|(known, _)| known == name);
            let (_, spent) = found.unwrap_or_else(|| panic!("no `{name}` in {measured:?}"));
            spent.operations
        };
        assert_eq!(
            operations("convolution 3×3, 13 to 17, 3×9×11"),
            2 * 3 * (5 * 6) * 17 * (13 * 9),
            "nine rows and eleven columns are halved to five and six"
        );
        assert_eq!(
            operations("linear 46 to 23, 3×19 tokens"),
            2 * 3 * 19 * 46 * 23
        );
        assert_eq!(
            operations("attention 19×19, 3×2 heads of 23"),
            2 * 2 * 3 * 19 * 19 * 46
        );
    }
}
