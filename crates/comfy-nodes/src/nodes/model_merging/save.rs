//! `CheckpointSave`, `ModelSave`, `CLIPSave` and `VAESave`.

use std::collections::BTreeMap;

use comfy_diffusion::checkpoint::{
    Recognised, tensors_of_autoencoder, tensors_of_checkpoint, tensors_of_text_encoder,
};
use comfy_diffusion::weights::{Outgoing, WriteFailure, write_weights};
use comfy_graph::{ExtraPngInfo, Node, NodeContext, NodeError, NodeSpec, PromptJson};

use crate::errors::{from_diffusion, from_folders, from_writing};
use crate::folders::DirectoryKind;
use crate::nodes::metadata;
use crate::pictures::NewFile;
use crate::runtime::Runtime;
use crate::sockets::{Clip, Model, Vae};

type Texts = BTreeMap<String, String>;

/// Saves a diffusion model, its text encoder and its autoencoder as one file, with all changes made to them.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CheckpointSave",
    name = "Save Checkpoint",
    category = "advanced/model_merging",
    module = "comfy_extras.nodes_model_merging",
    output_node
)]
pub struct CheckpointSave {
    /// The diffusion model.
    model: Model,
    /// The text encoder.
    clip: Clip,
    /// The autoencoder.
    vae: Vae,
    /// The start of the file name. It may contain directories and the patterns of `SaveImage`.
    #[input(default = "checkpoints/ComfyUI")]
    filename_prefix: String,
    /// The prompt to store.
    prompt: PromptJson,
    /// The client's metadata to store.
    extra_pnginfo: ExtraPngInfo,
}

impl Node for CheckpointSave {
    type Output = ();

    fn run(self, context: &mut NodeContext<'_>) -> Result<(), NodeError> {
        let (model, clip) = (self.model.get()?, self.clip.get()?);
        let tensors = tensors_of_checkpoint(model, Some(clip), self.vae.handle()?);
        let texts = texts(context, &self.prompt, &self.extra_pnginfo)?;
        save(context, &self.filename_prefix, tensors, texts, Some(model))
    }
}

/// Saves a diffusion model as a file of its own, with all changes made to it.
#[derive(Debug, NodeSpec)]
#[node(
    id = "ModelSave",
    category = "advanced/model_merging",
    module = "comfy_extras.nodes_model_merging",
    output_node
)]
pub struct ModelSave {
    /// The diffusion model.
    model: Model,
    /// The start of the file name. It may contain directories and the patterns of `SaveImage`.
    #[input(default = "diffusion_models/ComfyUI")]
    filename_prefix: String,
    /// The prompt to store.
    prompt: PromptJson,
    /// The client's metadata to store.
    extra_pnginfo: ExtraPngInfo,
}

impl Node for ModelSave {
    type Output = ();

    fn run(self, context: &mut NodeContext<'_>) -> Result<(), NodeError> {
        let model = self.model.get()?;
        let tensors = tensors_of_checkpoint(model, None, None);
        let texts = texts(context, &self.prompt, &self.extra_pnginfo)?;
        save(context, &self.filename_prefix, tensors, texts, Some(model))
    }
}

/// Saves a text encoder, each of its networks as a file of its own, with all changes made to it.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CLIPSave",
    category = "advanced/model_merging",
    module = "comfy_extras.nodes_model_merging",
    output_node
)]
pub struct ClipSave {
    /// The text encoder.
    clip: Clip,
    /// The start of the file names, which the name of the network follows. It may contain directories and the patterns of `SaveImage`.
    #[input(default = "clip/ComfyUI")]
    filename_prefix: String,
    /// The prompt to store.
    prompt: PromptJson,
    /// The client's metadata to store.
    extra_pnginfo: ExtraPngInfo,
}

impl Node for ClipSave {
    type Output = ();

    fn run(self, context: &mut NodeContext<'_>) -> Result<(), NodeError> {
        let mut texts = texts(context, &self.prompt, &self.extra_pnginfo)?;
        if !texts.is_empty() {
            texts.insert("format".to_owned(), "pt".to_owned());
        }
        for (name, tensors) in tensors_of_text_encoder(self.clip.get()?) {
            let prefix = format!("{}_{name}", self.filename_prefix);
            save(context, &prefix, tensors, texts.clone(), None)?;
        }
        Ok(())
    }
}

/// Saves an autoencoder as a file of its own.
#[derive(Debug, NodeSpec)]
#[node(
    id = "VAESave",
    category = "advanced/model_merging",
    module = "comfy_extras.nodes_model_merging",
    output_node
)]
pub struct VaeSave {
    /// The autoencoder.
    vae: Vae,
    /// The start of the file name. It may contain directories and the patterns of `SaveImage`.
    #[input(default = "vae/ComfyUI_vae")]
    filename_prefix: String,
    /// The prompt to store.
    prompt: PromptJson,
    /// The client's metadata to store.
    extra_pnginfo: ExtraPngInfo,
}

impl Node for VaeSave {
    type Output = ();

    fn run(self, context: &mut NodeContext<'_>) -> Result<(), NodeError> {
        let tensors = self.vae.handle()?.map(tensors_of_autoencoder);
        let tensors = tensors.unwrap_or_default();
        if tensors.is_empty() {
            return Err(NodeError::value(
                "expected an autoencoder that lies in one file, got one that does not",
            ));
        }
        let texts = texts(context, &self.prompt, &self.extra_pnginfo)?;
        save(context, &self.filename_prefix, tensors, texts, None)
    }
}

/// What is stored of the prompt and the client, unless the application wants nothing stored.
fn texts(
    context: &mut NodeContext<'_>,
    prompt: &PromptJson,
    extra: &ExtraPngInfo,
) -> Result<Texts, NodeError> {
    let mut texts = Texts::new();
    if context.service::<Runtime>()?.options().metadata {
        // The key is there even when there is no prompt.
        texts.insert("prompt".to_owned(), String::new());
        texts.extend(metadata::texts(prompt, extra)?);
    }
    Ok(texts)
}

/// Writes tensors to a new file, with what is known about the model that they are of.
pub(in crate::nodes) fn save(
    context: &mut NodeContext<'_>,
    prefix: &str,
    tensors: Vec<Outgoing<'_>>,
    mut texts: Texts,
    model: Option<&comfy_diffusion::Model>,
) -> Result<(), NodeError> {
    context.check_interrupt()?;
    let runtime = context.service::<Runtime>()?;
    let target = runtime
        .folders()
        .save_target(DirectoryKind::Output, prefix, 0, 0)
        .map_err(from_folders)?;
    if let Some(model) = model {
        let title = format!("{} {}", target.stem, target.counter);
        texts.extend(about(model, &title));
    }
    let mut file = NewFile::begin(&target.folder).map_err(from_writing)?;
    write_weights(&mut file, tensors, &texts).map_err(|failure| match failure {
        WriteFailure::Values(error) => from_diffusion(error),
        failure @ WriteFailure::Io(_) => NodeError::runtime(failure),
    })?;
    let name_of = |counter| format!("{}_{counter:05}_.safetensors", target.stem);
    let (name, _) = file
        .finish(&target.folder, target.counter, name_of)
        .map_err(from_writing)?;
    tracing::info!(folder = %target.folder.display(), name, "weights saved");
    Ok(())
}

/// What the specification of model metadata (`modelspec`) wants to know.
fn about(model: &comfy_diffusion::Model, title: &str) -> Texts {
    let mut texts = Texts::new();
    let mut add = |key: &str, value: &str| {
        texts.insert(format!("modelspec.{key}"), value.to_owned());
    };
    let recognised = model.recognised.as_ref();
    if let Some(architecture) = recognised.and_then(Recognised::architecture) {
        add("architecture", architecture);
        add("sai_model_spec", "1.0.0");
        add("implementation", "sgm");
        add("title", title);
    }
    if let Some(predicts) = recognised.and_then(Recognised::predicts) {
        add("predict_key", predicts);
    }
    texts
}
