//! Schedulers: the noise levels that a sampler steps through, one file each.

mod beta;
mod ddim_uniform;
mod exponential;
mod incomplete_beta;
mod karras;
mod kl_optimal;
mod laplace;
mod linear_quadratic;
mod normal;
mod polyexponential;
mod sgm_uniform;
mod simple;
#[cfg(test)]
pub(crate) mod tests;
mod turbo;
mod variance_preserving;

pub use beta::beta_with;
pub use exponential::exponential_between;
pub use karras::karras_between;
pub use kl_optimal::kl_optimal_between;
pub use laplace::laplace_between;
pub use polyexponential::polyexponential_between;
pub use turbo::turbo;
pub use variance_preserving::variance_preserving;

use super::NoiseTable;

/// A named way to choose noise levels.
#[derive(Debug)]
pub struct Scheduler {
    /// The name that workflows use.
    pub name: &'static str,
    function: fn(&NoiseTable, usize) -> Vec<f32>,
}

impl Scheduler {
    /// Descending noise levels for `steps` steps, usually `steps` + 1 of them, the last one 0. `ddim_uniform` and `beta`
    /// may give another number; no steps give no levels.
    pub fn sigmas(&self, table: &NoiseTable, steps: usize) -> Vec<f32> {
        if steps == 0 {
            Vec::new()
        } else {
            (self.function)(table, steps)
        }
    }
}

/// All schedulers, in the order in which clients list them.
pub const SCHEDULERS: &[Scheduler] = &[
    Scheduler {
        name: "simple",
        function: simple::simple,
    },
    Scheduler {
        name: "sgm_uniform",
        function: sgm_uniform::sgm_uniform,
    },
    Scheduler {
        name: "karras",
        function: karras::karras,
    },
    Scheduler {
        name: "exponential",
        function: exponential::exponential,
    },
    Scheduler {
        name: "ddim_uniform",
        function: ddim_uniform::ddim_uniform,
    },
    Scheduler {
        name: "beta",
        function: beta::beta,
    },
    Scheduler {
        name: "normal",
        function: normal::normal,
    },
    Scheduler {
        name: "linear_quadratic",
        function: linear_quadratic::linear_quadratic,
    },
    Scheduler {
        name: "kl_optimal",
        function: kl_optimal::kl_optimal,
    },
];

/// The scheduler of this name.
pub fn find_scheduler(name: &str) -> Option<&'static Scheduler> {
    SCHEDULERS.iter().find(|scheduler| scheduler.name == name)
}

/// `count` numbers from `start` to `end` in f32. The second half is counted from the end, as PyTorch does, so that both
/// ends are exact.
pub fn linspace(start: f32, end: f32, count: usize) -> Vec<f32> {
    if count == 1 {
        return vec![start];
    }
    let step = (end - start) / (count.max(2) - 1) as f32;
    (0..count)
        .map(|index| {
            if index < count / 2 {
                step.mul_add(index as f32, start)
            } else {
                (-step).mul_add((count - 1 - index) as f32, end)
            }
        })
        .collect()
}

/// Whether a noise level counts as no noise at all, so that no further zero is added.
fn is_almost_zero(sigma: f32) -> bool {
    sigma.abs() <= 1e-5
}
