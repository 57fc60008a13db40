//! The rules that every scheduler keeps, and the levels recorded from the original.

use super::{SCHEDULERS, find_scheduler};
use crate::sampling::{ModelSampling, Prediction};

#[test]
fn names_are_in_the_original_order() {
    let names: Vec<&str> = SCHEDULERS.iter().map(|scheduler| scheduler.name).collect();
    let want = [
        "simple",
        "sgm_uniform",
        "karras",
        "exponential",
        "ddim_uniform",
        "beta",
        "normal",
        "linear_quadratic",
        "kl_optimal",
    ];
    assert_eq!(names, want);
    assert!(find_scheduler("karras").is_some() && find_scheduler("Karras").is_none());
}

#[test]
fn levels_descend_to_zero() {
    let table = ModelSampling::stable_diffusion(Prediction::Epsilon).table;
    for scheduler in SCHEDULERS {
        assert!(scheduler.sigmas(&table, 0).is_empty());
        for steps in [1, 2, 3, 4, 5, 7, 20, 50, 333, 999, 1000, 1500] {
            let sigmas = scheduler.sigmas(&table, steps);
            let label = format!("{} with {steps} steps", scheduler.name);
            assert_eq!(sigmas.last(), Some(&0.0), "{label}");
            if scheduler.name == "kl_optimal" && steps == 1 {
                // The one level that is documented not to be a number.
                assert!(sigmas[0].is_nan());
                continue;
            }
            assert!(sigmas.iter().all(|sigma| sigma.is_finite()), "{label}");
            // More steps than the table has entries repeat entries.
            assert!(sigmas.is_sorted_by(|high, low| high >= low), "{label}");
            if steps <= 1000 {
                assert!(sigmas.is_sorted_by(|high, low| high > low), "{label}");
            }
            if !matches!(scheduler.name, "ddim_uniform" | "beta") {
                assert_eq!(sigmas.len(), steps + 1, "{label}");
            }
        }
    }
}

#[test]
fn levels_equal_the_recorded_ones() {
    let golden = comfy_fixtures::golden("sigmas_sd15_tiny");
    let table = ModelSampling::stable_diffusion(Prediction::Epsilon).table;
    for scheduler in SCHEDULERS {
        for steps in [1, 2, 3, 4, 5, 8, 10, 20, 30, 50] {
            let name = format!("{}.{steps}", scheduler.name);
            assert_levels(
                &name,
                &scheduler.sigmas(&table, steps),
                &golden.tensor(&name).1,
            );
        }
    }
}

/// Levels agree to a relative 10⁻⁶; one that is not a number must not be one on either side.
pub(crate) fn assert_levels(name: &str, got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len(), "number of levels of {name}");
    for (index, (got, want)) in got.iter().zip(want).enumerate() {
        let near = (got - want).abs() <= 1e-6 * want.abs();
        assert!(
            near || got.is_nan() && want.is_nan(),
            "{name}[{index}] is {got}, expected {want}"
        );
    }
}
