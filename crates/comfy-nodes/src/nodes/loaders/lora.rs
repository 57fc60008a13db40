//! `LoraLoader` and `LoraLoaderModelOnly`.

use comfy_diffusion::weights::patch::PatchFile;
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec, Outputs};

use super::LoadedModel;
use crate::errors::{from_diffusion, from_folders};
use crate::runtime::Runtime;
use crate::sockets::{Clip, LoraName, Model};

/// Changes a diffusion model and its text encoder as a file of `LoRA`, or of one of its relatives, says. Several can follow each other.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LoraLoader",
    name = "Load LoRA",
    category = "loaders",
    module = "nodes"
)]
pub struct LoraLoader {
    /// The diffusion model to change.
    model: Model,
    /// The text encoder to change.
    clip: Clip,
    /// A file in the folder models/loras.
    lora_name: LoraName,
    /// How strongly the diffusion model is changed; negative values change it the other way.
    #[input(default = 1.0, min = -100.0, max = 100.0, step = 0.01)]
    strength_model: f64,
    /// How strongly the text encoder is changed; negative values change it the other way.
    #[input(default = 1.0, min = -100.0, max = 100.0, step = 0.01)]
    strength_clip: f64,
}

/// The result of [`LoraLoader`].
#[derive(Debug, Outputs)]
pub struct ChangedModelAndClip {
    /// The changed diffusion model.
    #[output(name = "MODEL")]
    model: Model,
    /// The changed text encoder.
    #[output(name = "CLIP")]
    clip: Clip,
}

impl Node for LoraLoader {
    type Output = ChangedModelAndClip;

    fn run(self, context: &mut NodeContext<'_>) -> Result<ChangedModelAndClip, NodeError> {
        if self.strength_model == 0.0 && self.strength_clip == 0.0 {
            return Ok(ChangedModelAndClip {
                model: self.model,
                clip: self.clip,
            });
        }
        let file = open(context, &self.lora_name)?;
        let changed = ChangedModelAndClip {
            model: change_model(&self.model, &file, self.strength_model)?,
            clip: self.clip.try_map(|clip| {
                clip.with_patches(&file, self.strength_clip)
                    .map_err(from_diffusion)
            })?,
        };
        report_unused(&file, &self.lora_name);
        Ok(changed)
    }
}

/// Changes a diffusion model as a file of `LoRA`, or of one of its relatives, says; the text encoder stays as it is.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LoraLoaderModelOnly",
    name = "LoraLoaderModelOnly",
    category = "loaders",
    module = "nodes"
)]
pub struct LoraLoaderModelOnly {
    /// The diffusion model to change.
    model: Model,
    /// A file in the folder models/loras.
    lora_name: LoraName,
    /// How strongly the diffusion model is changed; negative values change it the other way.
    #[input(default = 1.0, min = -100.0, max = 100.0, step = 0.01)]
    strength_model: f64,
}

impl Node for LoraLoaderModelOnly {
    type Output = LoadedModel;

    fn run(self, context: &mut NodeContext<'_>) -> Result<LoadedModel, NodeError> {
        if self.strength_model == 0.0 {
            return Ok(LoadedModel { model: self.model });
        }
        let file = open(context, &self.lora_name)?;
        let model = change_model(&self.model, &file, self.strength_model)?;
        report_unused(&file, &self.lora_name);
        Ok(LoadedModel { model })
    }
}

/// Opens a file of the folder `loras`.
pub(in crate::nodes) fn open(
    context: &mut NodeContext<'_>,
    name: &LoraName,
) -> Result<PatchFile, NodeError> {
    let runtime = context.service::<Runtime>()?;
    let path = runtime
        .folders()
        .find("loras", &name.0)
        .map_err(from_folders)?;
    PatchFile::open(&path).map_err(from_diffusion)
}

fn change_model(model: &Model, file: &PatchFile, strength: f64) -> Result<Model, NodeError> {
    model.try_map(|model| model.with_patches(file, strength).map_err(from_diffusion))
}

/// Logs what a file holds that neither model nor text encoder has a place for: it may have been made for another family.
fn report_unused(file: &PatchFile, name: &LoraName) {
    const SHOWN: usize = 5;
    let unused = file.unused();
    if !unused.is_empty() {
        let some = unused.get(..SHOWN).unwrap_or(&unused).join(", ");
        tracing::warn!(file = %name.0, count = unused.len(), "tensors were not used: {some}");
    }
}
