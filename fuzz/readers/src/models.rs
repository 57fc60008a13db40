//! Files of models: recognising, opening and, where that is quick, loading them.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use comfy_diffusion::checkpoint::{ClipVision, StyleModel, UpscaleModel, Vae};
use comfy_diffusion::device::ComputeDevice;
use comfy_diffusion::text::EmbeddingFiles;
use comfy_diffusion::text::token::{CLIP_L, chunks_of_prompt};
use comfy_diffusion::weights::patch::{NameMap, PatchFile, Patches};
use comfy_diffusion::weights::{Rounding, TensorSource, Weights};
use comfy_diffusion::{
    open_checkpoint, open_control_net, open_diffusers_folder, open_diffusion_model, open_gligen,
    open_hypernetwork, open_text_encoder,
};

use crate::place;

fn device() -> &'static ComputeDevice {
    static DEVICE: OnceLock<ComputeDevice> = OnceLock::new();
    DEVICE.get_or_init(ComputeDevice::cpu)
}

/// Names that the recorded changes of weights begin with; each changes a tensor of its own.
fn bases() -> &'static [String] {
    static BASES: OnceLock<Vec<String>> = OnceLock::new();
    BASES.get_or_init(|| {
        let path = comfy_fixtures::path("patches/kinds.safetensors");
        let file = Weights::open(&path).unwrap_or_else(|error| panic!("{error}"));
        let names = file
            .names("")
            .filter_map(|name| name.strip_suffix("/after"));
        names.map(str::to_owned).collect()
    })
}

/// The tensors that the recorded changes are made to.
fn changed() -> &'static Arc<Weights> {
    static CHANGED: OnceLock<Arc<Weights>> = OnceLock::new();
    CHANGED.get_or_init(|| {
        let path = comfy_fixtures::path("patches/kinds.safetensors");
        let file = Weights::open(&path).unwrap_or_else(|error| panic!("{error}"));
        Arc::new(file.renamed(|name| match name.strip_suffix("/before") {
            Some(base) => format!("{base}.weight"),
            None => name.to_owned(),
        }))
    })
}

/// A file of changes: `LoRA` and its relatives, made to tensors.
pub fn changes(bytes: &[u8]) {
    let path = place::file("changes", "fuzzed.safetensors", bytes);
    let Ok(file) = PatchFile::open(&path) else {
        return;
    };
    let names = NameMap::of_network(&changed().root(), |tensor| vec![tensor.to_owned()]);
    let Ok(patches) = Patches::default().with(&file, 0.7, &names) else {
        return;
    };
    let source = TensorSource::new(changed(), "", Rounding::None).patched(patches);
    for base in bases() {
        let _ = source.scope().values(&format!("{base}.weight"));
    }
    let _ = file.unused().len();
}

#[derive(Debug)]
struct OneFile(PathBuf);

impl EmbeddingFiles for OneFile {
    fn find(&self, _: &str) -> Option<PathBuf> {
        Some(self.0.clone())
    }
}

/// An embedding, named in a prompt.
pub fn embedding(bytes: &[u8]) {
    let file = OneFile(place::file("embeddings", "fuzzed.pt", bytes));
    let _ = chunks_of_prompt("a embedding:fuzzed, b", CLIP_L, Some(&file));
}

/// A hypernetwork.
pub fn hypernetwork(bytes: &[u8]) {
    let path = place::file("hypernetworks", "fuzzed.pt", bytes);
    if let Ok(network) = open_hypernetwork(&path, device()) {
        let _ = network.get();
    }
}

/// A network that enlarges pictures.
pub fn upscaler(bytes: &[u8]) {
    let path = place::file("upscale_models", "fuzzed.pth", bytes);
    if let Ok(model) = UpscaleModel::open(&path, device()) {
        let _ = model.scale();
    }
}

/// An image encoder, or a style model.
pub fn image_encoder(bytes: &[u8]) {
    let path = place::file("clip_vision", "fuzzed.safetensors", bytes);
    let _ = ClipVision::open(&path, device());
    let _ = StyleModel::open(&path, device());
}

/// A list of tensors, one in a line: name, type, shape. A file of them is opened as every kind of model.
pub fn tensor_list(bytes: &[u8]) {
    let path = place::folder("lists").join("fuzzed.safetensors");
    if write_list(bytes, &path).is_none() {
        return;
    }
    let device = device();
    if let Ok(checkpoint) = open_checkpoint(&path, device) {
        let model = checkpoint.model.as_ref();
        let _ = open_control_net(&path, model, device);
    }
    let _ = open_diffusion_model(&path, Rounding::None, device);
    let _ = open_control_net(&path, None, device);
    let _ = open_text_encoder(std::slice::from_ref(&path), "sdxl", device);
    let _ = open_gligen(&path, device);
    let _ = Vae::open(&path, device);
    image_encoder_at(&path);
    let _ = UpscaleModel::open(&path, device);
}

fn image_encoder_at(path: &Path) {
    let _ = ClipVision::open(path, device());
    let _ = StyleModel::open(path, device());
}

/// A list of tensors, as [`tensor_list`] reads it, in a folder of diffusers: what stands before the first slash of a name is the folder.
pub fn diffusers_folder(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let folder = place::folder("pipeline");
    for (part, file) in [
        ("unet", "diffusion_pytorch_model.safetensors"),
        ("vae", "diffusion_pytorch_model.safetensors"),
        ("text_encoder", "model.safetensors"),
        ("text_encoder_2", "model.safetensors"),
    ] {
        let start = format!("{part}/");
        let lines = text.lines().filter_map(|line| line.strip_prefix(&start));
        let list = lines.fold(String::new(), |list, line| list + line + "\n");
        let path = place::folder(&format!("pipeline/{part}")).join(file);
        let _ = std::fs::remove_file(&path);
        if !list.is_empty() {
            let _ = write_list(list.as_bytes(), &path);
        }
    }
    let _ = open_diffusers_folder(&folder, device());
}

/// Writes a file of the tensors in a list, all of them zeros that take no room; nothing if it would be larger than any model.
fn write_list(list: &[u8], path: &Path) -> Option<()> {
    const LARGEST: u64 = 1 << 36;
    let mut header = String::new();
    let mut end = 0_u64;
    for line in String::from_utf8_lossy(list).lines() {
        let mut words = line.split(' ');
        let (name, kind) = (words.next()?, words.next()?);
        let sides = words.next().unwrap_or_default().split('x');
        let shape: Vec<u64> = sides.filter_map(|side| side.parse().ok()).collect();
        let width = match kind {
            "F32" => 4,
            "I64" => 8,
            "U8" => 1,
            _ => 2,
        };
        let bytes = shape
            .iter()
            .try_fold(width, |product: u64, side| product.checked_mul(*side))?;
        let start = end;
        end = end.checked_add(bytes)?;
        let name = serde_json::Value::from(name);
        let comma = if header.is_empty() { "" } else { "," };
        write!(
            header,
            "{comma}{name}:{{\"dtype\":\"{kind}\",\"shape\":{shape:?},\"data_offsets\":[{start},{end}]}}"
        )
        .ok()?;
    }
    if end > LARGEST {
        return None;
    }
    let header = format!("{{{header}}}");
    let _ = std::fs::remove_file(path);
    let mut file = File::create(path).ok()?;
    file.write_all(&(header.len() as u64).to_le_bytes()).ok()?;
    file.write_all(header.as_bytes()).ok()?;
    file.set_len(8 + header.len() as u64 + end).ok()
}
