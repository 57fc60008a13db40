//! `AlignYourStepsScheduler`.

use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec};

use super::OneSigmas;
use super::known_levels::along;

/// Which model the levels are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum AlignedModel {
    /// Stable Diffusion 1.
    #[choice("SD1")]
    Sd1,
    /// Stable Diffusion XL.
    #[choice("SDXL")]
    Sdxl,
    /// Stable Video Diffusion.
    #[choice("SVD")]
    Svd,
}

impl AlignedModel {
    /// The levels for ten steps that A. Sabour, S. Fidler, K. Kreis, "Align your steps: optimizing sampling schedules in diffusion
    /// models" (2024) found.
    fn levels(self) -> [f64; 11] {
        match self {
            Self::Sd1 => [
                14.614_641_229_3,
                6.474_576_095_6,
                3.863_674_598_5,
                2.694_615_152,
                1.884_192_117_7,
                1.394_380_509_2,
                0.964_258_390_4,
                0.652_368_601_6,
                0.397_745_627_2,
                0.151_523_266_2,
                0.029_167_158_2,
            ],
            Self::Sdxl => [
                14.614_641_229_3,
                6.318_448_528_7,
                3.768_179_031_5,
                2.181_148_076_9,
                1.340_524_494_5,
                0.862_072_114_1,
                0.555_069_328_9,
                0.379_854_070_8,
                0.233_236_413_4,
                0.111_418_817_7,
                0.029_167_158_2,
            ],
            Self::Svd => [
                700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034, 0.002,
            ],
        }
    }
}

/// Noise levels that were found to be best for few steps.
#[derive(Debug, NodeSpec)]
#[node(
    id = "AlignYourStepsScheduler",
    category = "sampling/custom_sampling/schedulers",
    module = "comfy_extras.nodes_align_your_steps",
    v3
)]
pub struct AlignYourStepsScheduler {
    /// The family of the model.
    model_type: AlignedModel,
    /// How many steps are taken; the levels were found for ten.
    #[input(default = 10u32, min = 1u32, max = 10000u32)]
    steps: u32,
    /// 1 begins with pure noise; less takes that part of the steps, at the end.
    #[input(default = 1.0, min = 0.0, max = 1.0, step = 0.01)]
    denoise: f64,
}

impl Node for AlignYourStepsScheduler {
    type Output = OneSigmas;

    fn run(self, _: &mut NodeContext<'_>) -> Result<OneSigmas, NodeError> {
        let known = self.model_type.levels();
        Ok(along(&known, self.steps as usize, self.denoise).into())
    }
}
