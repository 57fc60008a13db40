//! `SaveLatent` and `LoadLatent`.

use std::collections::HashMap;

use comfy_diffusion::weights::Weights;
use comfy_graph::{
    Constants, ExtraPngInfo, Json, Node, NodeContext, NodeError, NodeSpec, PromptJson, Services,
};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize};
use serde_json::json;

use super::ChangedLatent;
use crate::errors::{from_diffusion, from_folders, from_writing};
use crate::folders::DirectoryKind;
use crate::nodes::{input_file, metadata};
use crate::pictures::save_new;
use crate::planes::Planes;
use crate::runtime::Runtime;
use crate::sockets::{InputLatent, Latent};

/// The tensor with the latent.
const LATENT: &str = "latent_tensor";

/// An empty tensor that says that the latent is in the autoencoder's scale.
const UNSCALED: &str = "latent_format_version_0";

/// The factor of Stable Diffusion's autoencoder, in whose scale older files are.
const OLD_SCALE: f64 = 0.18215;

/// Saves latents as a file in the output directory, with the prompt. Noise masks and places in a batch are not saved.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SaveLatent",
    category = "_for_testing",
    module = "nodes",
    output_node
)]
pub struct SaveLatent {
    /// The latents to save.
    samples: Latent,
    /// The start of the file name. It may contain directories and the patterns of `SaveImage`.
    #[input(default = "latents/ComfyUI")]
    filename_prefix: String,
    /// The prompt to store.
    prompt: PromptJson,
    /// The client's metadata to store.
    extra_pnginfo: ExtraPngInfo,
}

impl Node for SaveLatent {
    type Output = ();

    fn run(self, context: &mut NodeContext<'_>) -> Result<(), NodeError> {
        let runtime = context.service::<Runtime>()?;
        let mut texts = None;
        if runtime.options().metadata {
            // The key is there even when there is no prompt.
            let mut members = HashMap::from([("prompt".to_owned(), String::new())]);
            members.extend(metadata::texts(&self.prompt, &self.extra_pnginfo)?);
            texts = Some(members);
        }
        let planes = self.samples.planes()?;
        let bytes: Vec<u8> = planes
            .values()
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let tensors = [
            (LATENT, planes.shape().to_vec(), bytes.as_slice()),
            (UNSCALED, vec![0], &[]),
        ];
        let tensors = tensors.map(|(name, shape, bytes)| {
            TensorView::new(Dtype::F32, shape, bytes).map(|tensor| (name, tensor))
        });
        let tensors: Result<Vec<_>, _> = tensors.into_iter().collect();
        let file = tensors
            .and_then(|tensors| serialize(tensors, texts))
            .map_err(NodeError::runtime)?;

        let target = runtime
            .folders()
            .save_target(DirectoryKind::Output, &self.filename_prefix, 0, 0)
            .map_err(from_folders)?;
        let name_of = |counter| format!("{}_{counter:05}_.latent", target.stem);
        let (name, _) =
            save_new(&target.folder, target.counter, name_of, &file).map_err(from_writing)?;
        context.add_ui(
            "latents",
            json!({"filename": name, "subfolder": target.subfolder, "type": "output"}),
        );
        Ok(())
    }
}

/// Loads latents that `SaveLatent` has saved, from the input directory.
#[derive(Debug, NodeSpec)]
#[node(id = "LoadLatent", category = "_for_testing", module = "nodes")]
pub struct LoadLatent {
    /// The file to load. A name that ends in [output] or [temp] is looked for in that directory.
    latent: InputLatent,
}

impl Node for LoadLatent {
    type Output = ChangedLatent;

    const HAS_FINGERPRINT: bool = true;
    const CHECKS: &'static [&'static str] = &["latent"];

    fn run(self, context: &mut NodeContext<'_>) -> Result<ChangedLatent, NodeError> {
        let runtime = context.service::<Runtime>()?;
        let path = input_file::resolve(runtime.folders(), &self.latent.0)?;
        let file = Weights::open(&path).map_err(from_diffusion)?;
        let shape = file.shape(LATENT).unwrap_or_default().to_vec();
        let Ok(shape) = <[usize; 4]>::try_from(shape) else {
            return Err(NodeError::value(format_args!(
                "expected a tensor {LATENT} [batch, channel, height, width] in {}, got {:?}",
                self.latent.0,
                file.shape(LATENT)
            )));
        };
        let mut planes = Planes::new(file.values(LATENT).map_err(from_diffusion)?, shape)?;
        if !file.contains(UNSCALED) {
            let factor = (1.0 / OLD_SCALE) as f32;
            planes = planes.map(|value| value * factor);
        }
        Ok(Latent::new(planes.into_tensor())?.into())
    }

    fn fingerprint(constants: &Constants<'_>, services: &Services) -> Result<Json, NodeError> {
        input_file::fingerprint(constants, services, "latent")
    }

    fn check(constants: &Constants<'_>, services: &Services) -> Result<(), String> {
        input_file::check(constants, services, "latent", "latent")
    }
}
