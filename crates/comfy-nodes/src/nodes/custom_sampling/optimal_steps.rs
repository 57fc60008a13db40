//! `OptimalStepsScheduler` and `GITSScheduler`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec};

use super::OneSigmas;
use super::known_levels::along;

/// Which model the levels are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum OptimalModel {
    /// Flux.
    #[choice("FLUX")]
    Flux,
    /// Wan.
    #[choice("Wan")]
    Wan,
    /// Chroma.
    #[choice("Chroma")]
    Chroma,
}

impl OptimalModel {
    /// The levels that L. Pei et al., "Optimal stepsize for diffusion sampling" (2025) found.
    fn levels(self) -> &'static [f64] {
        match self {
            Self::Flux => &[
                0.9968, 0.9886, 0.9819, 0.975, 0.966, 0.9471, 0.9158, 0.8287, 0.5512, 0.2808, 0.001,
            ],
            Self::Wan => &[
                1.0, 0.997, 0.995, 0.993, 0.991, 0.989, 0.987, 0.985, 0.98, 0.975, 0.973, 0.968,
                0.96, 0.946, 0.927, 0.902, 0.864, 0.776, 0.539, 0.208, 0.001,
            ],
            Self::Chroma => &[
                0.992, 0.99, 0.988, 0.985, 0.982, 0.978, 0.973, 0.968, 0.961, 0.953, 0.943, 0.931,
                0.917, 0.9, 0.881, 0.858, 0.832, 0.802, 0.769, 0.731, 0.69, 0.646, 0.599, 0.55,
                0.501, 0.451, 0.402, 0.355, 0.311, 0.27, 0.232, 0.199, 0.169, 0.143, 0.12, 0.101,
                0.084, 0.07, 0.058, 0.048, 0.001,
            ],
        }
    }
}

/// Noise levels between which the errors of steps are smallest, for models of flows.
#[derive(Debug, NodeSpec)]
#[node(
    id = "OptimalStepsScheduler",
    category = "sampling/custom_sampling/schedulers",
    module = "comfy_extras.nodes_optimalsteps",
    v3
)]
pub struct OptimalStepsScheduler {
    /// The family of the model.
    model_type: OptimalModel,
    /// How many steps are taken.
    #[input(default = 20u32, min = 3u32, max = 1000u32)]
    steps: u32,
    /// 1 begins with pure noise; less takes that part of the steps, at the end.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.01)]
    denoise: f64,
}

impl Node for OptimalStepsScheduler {
    type Output = OneSigmas;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSigmas, NodeError> {
        let known = self.model_type.levels();
        Ok(along(known, at_least(self.steps, 1)?, self.denoise).into())
    }
}

/// Noise levels along which sampling takes the straightest way, by a search over the geometry of ways (Chen et al. 2024, "On the
/// trajectory regularity of ODE-based diffusion sampling").
#[derive(Debug, NodeSpec)]
#[node(
    id = "GITSScheduler",
    category = "sampling/custom_sampling/schedulers",
    module = "comfy_extras.nodes_gits",
    v3
)]
pub struct GitsScheduler {
    /// Which of the searches, from 0.8 in steps of 0.05: higher values have more steps at low noise.
    #[input(default = 1.2, min = 0.8, max = 1.5, step = 0.05)]
    coeff: f64,
    /// How many steps are taken; the searches went up to twenty.
    #[input(default = 10u32, min = 2u32, max = 1000u32)]
    steps: u32,
    /// 1 begins with pure noise; less takes that part of the steps, at the end.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.01)]
    denoise: f64,
}

/// For each coefficient, written with two digits, the levels for 2, 3, … 20 steps.
static SEARCHES: LazyLock<BTreeMap<String, Vec<Vec<f64>>>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("gits_levels.json")).expect("the table is JSON of this shape")
});

/// The fewest steps that were searched.
const FEWEST: usize = 2;

impl Node for GitsScheduler {
    type Output = OneSigmas;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSigmas, NodeError> {
        let steps = at_least(self.steps, FEWEST)?;
        let coefficient = format!("{:.2}", self.coeff);
        let rows = SEARCHES.get(&coefficient).ok_or_else(|| {
            NodeError::value(format_args!(
                "expected a coefficient from 0.8 to 1.5 in steps of 0.05, got {}",
                self.coeff
            ))
        })?;
        let row = &rows[(steps - FEWEST).min(rows.len() - 1)];
        Ok(along(row, steps, self.denoise).into())
    }
}

fn at_least(steps: u32, least: usize) -> Result<usize, NodeError> {
    let steps = steps as usize;
    if steps >= least {
        Ok(steps)
    } else {
        Err(NodeError::value(format_args!(
            "expected at least {least} steps, got {steps}"
        )))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use comfy_graph::testing::NodeTester;

    use super::*;

    fn gits(coefficient: f64, steps: u32, denoise: f64) -> Vec<f32> {
        let output = NodeTester::<GitsScheduler>::new()
            .set("coeff", coefficient)
            .set("steps", steps)
            .set("denoise", denoise);
        output.run().unwrap().sigmas.0.to_vec()
    }

    #[test]
    fn searched_levels_are_taken_as_they_are() {
        assert_eq!(gits(0.8, 2, 1.0), [14.614_641, 7.490_016_5, 0.0]);
        assert_eq!(gits(1.2, 20, 1.0).len(), 21);
        assert_eq!(gits(1.2, 20, 0.5).len(), 11);
        assert!(gits(1.2, 20, 0.0).is_empty());
    }

    #[test]
    fn more_steps_lie_between() {
        let levels = gits(1.2, 40, 1.0);
        assert_eq!(levels.len(), 41);
        assert!(
            levels.windows(2).all(|pair| pair[0] > pair[1]),
            "{levels:?}"
        );
    }

    #[test]
    fn there_is_a_row_for_every_number_of_steps() {
        for rows in SEARCHES.values() {
            assert!(rows.iter().enumerate().all(|(at, row)| row.len() == at + 3));
            assert_eq!(rows.len(), 19);
        }
        assert_eq!(SEARCHES.len(), 15);
    }

    #[test]
    fn levels_of_flows_begin_with_pure_noise() {
        let output = NodeTester::<OptimalStepsScheduler>::new()
            .set("model_type", "Wan")
            .set("steps", 20)
            .set("denoise", 1.0);
        let levels = output.run().unwrap().sigmas.0.to_vec();
        assert_eq!((levels[0], levels[19], levels[20]), (1.0, 0.208, 0.0));
    }
}
