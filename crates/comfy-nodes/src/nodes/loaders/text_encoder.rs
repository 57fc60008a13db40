//! `CLIPLoader` and `DualCLIPLoader`.

use std::sync::Arc;

use comfy_diffusion::device::ComputeDevice;
use comfy_diffusion::open_text_encoder;
use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec, Outputs};

use crate::embeddings::EmbeddingFolder;
use crate::errors::{from_diffusion, from_folders};
use crate::runtime::Runtime;
use crate::sockets::{Clip, TextEncoderName};

/// Where a text encoder runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum TextDevice {
    /// Where the models run.
    #[choice("default")]
    Default,
    /// On the processor.
    #[choice("cpu")]
    Cpu,
}

/// Opens a text encoder that has a file of its own.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CLIPLoader",
    name = "Load CLIP",
    category = "advanced/loaders",
    module = "nodes"
)]
pub struct ClipLoader {
    /// A file in the folder `models/text_encoders` or models/clip.
    clip_name: TextEncoderName,
    /// The family of models that it is for. CLIP-L makes the encoder of Stable Diffusion 1, CLIP-H that of 2, and CLIP-G that of XL's
    /// refiner.
    #[input(options = [
        "stable_diffusion", "stable_cascade", "sd3", "stable_audio", "mochi", "ltxv", "pixart", "cosmos", "lumina2", "wan",
        "hidream", "chroma", "ace", "omnigen2", "qwen_image", "hunyuan_image",
    ])]
    r#type: String,
    /// Where it runs.
    #[input(advanced)]
    device: Option<TextDevice>,
}

/// Opens a text encoder that consists of two networks in files of their own, whose order does not matter.
#[derive(Debug, NodeSpec)]
#[node(id = "DualCLIPLoader", category = "advanced/loaders", module = "nodes")]
pub struct DualClipLoader {
    /// A file in the folder `models/text_encoders` or models/clip.
    clip_name1: TextEncoderName,
    /// Another file.
    clip_name2: TextEncoderName,
    /// The family of models that it is for. XL takes CLIP-L and CLIP-G.
    #[input(options = ["sdxl", "sd3", "flux", "hunyuan_video", "hidream", "hunyuan_image"])]
    r#type: String,
    /// Where it runs.
    #[input(advanced)]
    device: Option<TextDevice>,
}

/// The result of a loader of text encoders.
#[derive(Debug, Outputs)]
pub struct LoadedClip {
    /// The text encoder.
    #[output(name = "CLIP")]
    clip: Clip,
}

impl Node for ClipLoader {
    type Output = LoadedClip;

    fn run(self, context: &mut NodeContext<'_>) -> Result<LoadedClip, NodeError> {
        open(context, &[self.clip_name], &self.r#type, self.device)
    }
}

impl Node for DualClipLoader {
    type Output = LoadedClip;

    fn run(self, context: &mut NodeContext<'_>) -> Result<LoadedClip, NodeError> {
        let files = [self.clip_name1, self.clip_name2];
        open(context, &files, &self.r#type, self.device)
    }
}

fn open(
    context: &mut NodeContext<'_>,
    files: &[TextEncoderName],
    purpose: &str,
    device: Option<TextDevice>,
) -> Result<LoadedClip, NodeError> {
    let runtime = context.service::<Runtime>()?;
    let paths = files
        .iter()
        .map(|name| runtime.folders().find("text_encoders", &name.0))
        .collect::<Result<Vec<_>, _>>()
        .map_err(from_folders)?;
    let device = match device {
        Some(TextDevice::Cpu) => ComputeDevice::cpu(),
        _ => runtime.device()?,
    };
    let clip = open_text_encoder(&paths, purpose, &device).map_err(from_diffusion)?;
    let embeddings = Arc::new(EmbeddingFolder::new(runtime.folders()));
    let names: Vec<&str> = files.iter().map(|name| name.0.as_str()).collect();
    Ok(LoadedClip {
        clip: Clip::new(Some(clip.with_embeddings(embeddings)), &names.join(", ")),
    })
}
