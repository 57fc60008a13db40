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

/// Computes, and notes the time under a name if that is wanted.
pub(super) fn timed<const D: usize>(
    name: impl FnOnce() -> String,
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
    let spent = spent.entry(name()).or_default();
    spent.calls += 1;
    spent.time += time;
    result
}
