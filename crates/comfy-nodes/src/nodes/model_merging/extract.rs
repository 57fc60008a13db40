//! `LoraSave`.

use std::collections::BTreeMap;

use comfy_diffusion::checkpoint::Extraction;
use comfy_graph::{Choice, ExtraPngInfo, Node, NodeContext, NodeError, NodeSpec, PromptJson};

use super::save::save;
use crate::sockets::{Clip, Model};

/// What is kept of differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum LoraType {
    /// The strongest parts of each.
    #[choice("standard")]
    Standard,
    /// All of each, which makes a large file.
    #[choice("full_diff")]
    FullDifference,
}

/// Saves what two models differ by as a file of `LoRA`, which turns one into the other, or nearly so.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LoraSave",
    name = "Extract and Save Lora",
    category = "_for_testing",
    module = "comfy_extras.nodes_lora_extract",
    output_node,
    experimental,
    v3
)]
pub struct LoraSave {
    /// The start of the file name. It may contain directories and the patterns of `SaveImage`.
    #[input(default = "loras/ComfyUI_extracted_lora")]
    filename_prefix: String,
    /// How many parts of each difference are kept.
    #[input(default = 8u32, min = 1u32, max = 4096u32, step = 1u32)]
    rank: u32,
    /// What is kept of differences.
    lora_type: LoraType,
    /// Whether differences of biases and norms are kept too.
    #[input(default = true)]
    bias_diff: bool,
    /// What two diffusion models differ by, as `ModelMergeSubtract` gives it.
    model_diff: Option<Model>,
    /// What two text encoders differ by, as `CLIPMergeSubtract` gives it.
    text_encoder_diff: Option<Clip>,
    /// The prompt.
    #[expect(dead_code, reason = "ComfyUI declares it and writes no metadata")]
    prompt: PromptJson,
    /// The client's metadata.
    #[expect(dead_code, reason = "ComfyUI declares it and writes no metadata")]
    extra_pnginfo: ExtraPngInfo,
}

impl Node for LoraSave {
    type Output = ();

    fn run(self, context: &mut NodeContext<'_>) -> Result<(), NodeError> {
        let kept = Extraction {
            rank: match self.lora_type {
                LoraType::Standard => Some(self.rank as usize),
                LoraType::FullDifference => None,
            },
            keeps_vectors: self.bias_diff,
        };
        let mut tensors = Vec::new();
        if let Some(model) = &self.model_diff {
            tensors.extend(kept.of_network(model.get()?));
        }
        if let Some(clip) = &self.text_encoder_diff {
            tensors.extend(kept.of_text_encoder(clip.get()?));
        }
        if self.model_diff.is_none() && self.text_encoder_diff.is_none() {
            return Ok(());
        }
        save(
            context,
            &self.filename_prefix,
            tensors,
            BTreeMap::new(),
            None,
        )
    }
}
