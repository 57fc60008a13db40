//! Stand-ins for the nodes of the transcripts: the right classes, inputs, outputs and progress, and no picture.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use comfy_graph::{
    ExtraPngInfo, Json, Node, NodeContext, NodeError, NodeRegistry, NodeSpec, Preview,
    PreviewFormat, PromptJson, Services, Socket, Value,
};
use parking_lot::Mutex;
use serde_json::json;

macro_rules! sockets {
    ($($name:ident $wire:literal),*) => {$(
        #[derive(Clone)]
        pub(crate) struct $name;

        impl Socket for $name {
            const TYPE: &'static str = $wire;
        }
    )*};
}

sockets!(Model "MODEL", Clip "CLIP", Vae "VAE", Conditioning "CONDITIONING", Latent "LATENT", Image "IMAGE");

/// Numbers for file names, by prefix.
#[derive(Default)]
pub(crate) struct Counters(pub(crate) Mutex<HashMap<String, u32>>);

impl Counters {
    fn next(&self, prefix: &str) -> u32 {
        let mut counters = self.0.lock();
        let counter = counters.entry(prefix.to_owned()).or_insert(1);
        *counter += 1;
        *counter - 1
    }
}

/// Loads a model.
#[derive(NodeSpec)]
#[node(id = "CheckpointLoaderSimple", category = "loaders")]
pub(crate) struct CheckpointLoaderSimple {
    /// The file.
    #[expect(dead_code, reason = "declared for validation")]
    ckpt_name: String,
}

impl Node for CheckpointLoaderSimple {
    type Output = (Model, Clip, Vae);

    fn run(self, _: &mut NodeContext<'_>) -> Result<Self::Output, NodeError> {
        Ok((Model, Clip, Vae))
    }
}

/// An empty latent.
#[derive(NodeSpec)]
#[node(id = "EmptyLatentImage", category = "latent")]
#[expect(dead_code, reason = "declared for validation")]
pub(crate) struct EmptyLatentImage {
    /// Pixels.
    width: u32,
    /// Pixels.
    height: u32,
    /// How many.
    batch_size: u32,
}

impl Node for EmptyLatentImage {
    type Output = Latent;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Latent, NodeError> {
        Ok(Latent)
    }
}

/// Encodes a text.
#[derive(NodeSpec)]
#[node(id = "CLIPTextEncode", category = "conditioning")]
#[expect(dead_code, reason = "declared for validation")]
pub(crate) struct ClipTextEncode {
    /// The text.
    text: String,
    /// The encoder.
    clip: Clip,
}

impl Node for ClipTextEncode {
    type Output = Conditioning;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Conditioning, NodeError> {
        Ok(Conditioning)
    }
}

/// Counts steps, with a picture at each.
#[derive(NodeSpec)]
#[node(id = "KSampler", category = "sampling")]
#[expect(dead_code, reason = "declared for validation")]
pub(crate) struct KSampler {
    /// The model.
    model: Model,
    /// The seed.
    seed: u64,
    /// How many steps.
    steps: u64,
    /// Guidance.
    cfg: f64,
    /// The sampler.
    sampler_name: String,
    /// The scheduler.
    scheduler: String,
    /// What is wanted.
    positive: Conditioning,
    /// What is not wanted.
    negative: Conditioning,
    /// Where it begins.
    latent_image: Latent,
    /// How much of it is replaced.
    denoise: f64,
}

impl Node for KSampler {
    type Output = Latent;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Latent, NodeError> {
        for step in 1..=self.steps {
            let preview = Preview {
                format: PreviewFormat::Jpeg,
                bytes: vec![0xff, 0xd8, 0xff, 0xe0],
            };
            context.progress_with_preview(step, self.steps, Some(preview))?;
            if self.steps > 50 {
                sleep(Duration::from_millis(1));
            }
        }
        Ok(Latent)
    }
}

/// Decodes.
#[derive(NodeSpec)]
#[node(id = "VAEDecode", category = "latent")]
#[expect(dead_code, reason = "declared for validation")]
pub(crate) struct VaeDecode {
    /// The latent.
    samples: Latent,
    /// The decoder.
    vae: Vae,
}

impl Node for VaeDecode {
    type Output = Image;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Image, NodeError> {
        Ok(Image)
    }
}

/// Pretends to save a picture.
#[derive(NodeSpec)]
#[node(id = "SaveImage", category = "image", output_node)]
#[expect(dead_code, reason = "declared for validation")]
pub(crate) struct SaveImage {
    /// The picture.
    images: Image,
    /// How the name begins.
    filename_prefix: String,
    prompt: PromptJson,
    extra_pnginfo: ExtraPngInfo,
}

impl Node for SaveImage {
    type Output = ();

    fn run(self, context: &mut NodeContext<'_>) -> Result<(), NodeError> {
        if self.filename_prefix.starts_with("..") {
            return Err(NodeError::failed(
                "Exception",
                "outside of the output directory",
            ));
        }
        let number = context.service::<Counters>()?.next(&self.filename_prefix);
        let filename = format!("{}_{number:05}_.png", self.filename_prefix);
        context.add_ui(
            "images",
            json!({"filename": filename, "subfolder": "", "type": "output"}),
        );
        Ok(())
    }
}

/// Pretends to save a picture for a while.
#[derive(NodeSpec)]
#[node(id = "PreviewImage", category = "image", output_node)]
#[expect(dead_code, reason = "declared for validation")]
pub(crate) struct PreviewImage {
    /// The picture.
    images: Image,
    prompt: PromptJson,
    extra_pnginfo: ExtraPngInfo,
}

impl Node for PreviewImage {
    type Output = ();

    fn run(self, context: &mut NodeContext<'_>) -> Result<(), NodeError> {
        let filename = "ComfyUI_temp_cjlex_00001_.png";
        context.add_ui(
            "images",
            json!({"filename": filename, "subfolder": "", "type": "temp"}),
        );
        Ok(())
    }
}

/// Shows whatever comes.
#[derive(NodeSpec)]
#[node(id = "PreviewAny", category = "utils", output_node)]
pub(crate) struct PreviewAny {
    /// Anything.
    source: Value,
}

impl Node for PreviewAny {
    type Output = ();

    fn run(self, context: &mut NodeContext<'_>) -> Result<(), NodeError> {
        context.add_ui("text", Json::from(self.source.socket()));
        Ok(())
    }
}

pub(crate) fn registry() -> NodeRegistry {
    let mut registry = NodeRegistry::new();
    registry
        .register::<CheckpointLoaderSimple>()
        .and_then(|registry| registry.register::<EmptyLatentImage>())
        .and_then(|registry| registry.register::<ClipTextEncode>())
        .and_then(|registry| registry.register::<KSampler>())
        .and_then(|registry| registry.register::<VaeDecode>())
        .and_then(|registry| registry.register::<SaveImage>())
        .and_then(|registry| registry.register::<PreviewImage>())
        .and_then(|registry| registry.register::<PreviewAny>())
        .unwrap();
    registry
}

/// Services whose first picture with the prefix `ws` has this number.
pub(crate) fn services(first: u32) -> Services {
    let counters = Counters::default();
    counters.0.lock().insert("ws".to_owned(), first);
    let mut services = Services::new();
    services.insert(Arc::new(counters));
    services
}
