//! What the built-in nodes share: folders, the device, and the lists that clients choose from.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use comfy_diffusion::device::{ComputeDevice, DevicePlan};
use comfy_diffusion::sampling::{SAMPLERS, SCHEDULERS};
use comfy_graph::{Catalog, NodeError};
use parking_lot::Mutex;

use crate::errors::from_diffusion;
use crate::folders::Folders;

/// How a picture of the work in progress is made while sampling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PreviewMethod {
    /// No picture.
    #[default]
    None,
    /// The best way that is at hand.
    Auto,
    /// Each latent cell becomes one pixel by a linear map.
    Latent2Rgb,
    /// A small autoencoder, where its file is installed; otherwise as `Latent2Rgb`.
    Taesd,
}

impl PreviewMethod {
    /// The names on a command line, in the order of the variants.
    pub const NAMES: [&'static str; 4] = ["none", "auto", "latent2rgb", "taesd"];
}

impl FromStr for PreviewMethod {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "none" => Ok(Self::None),
            "auto" => Ok(Self::Auto),
            "latent2rgb" => Ok(Self::Latent2Rgb),
            "taesd" => Ok(Self::Taesd),
            other => Err(format!(
                "expected one of {}, got '{other}'",
                Self::NAMES.join(", ")
            )),
        }
    }
}

/// What the application decides.
#[derive(Debug, Clone)]
pub struct RuntimeOptions {
    /// Directories and model folders.
    pub folders: Arc<Folders>,
    /// The device to open when a node first needs one.
    pub device: DevicePlan,
    /// Pictures of the work in progress.
    pub preview: PreviewMethod,
    /// The square, in pixels, into which such a picture is fitted.
    pub preview_size: u32,
    /// Whether prompts and workflows are written into saved pictures.
    pub metadata: bool,
}

/// The service that the built-in nodes ask for, and the catalog of their choices.
#[derive(Debug)]
pub struct Runtime {
    options: RuntimeOptions,
    device: Mutex<Option<ComputeDevice>>,
}

impl Runtime {
    /// Opens nothing yet.
    pub fn new(options: RuntimeOptions) -> Self {
        Self {
            options,
            device: Mutex::new(None),
        }
    }

    /// Directories and model folders.
    pub fn folders(&self) -> &Arc<Folders> {
        &self.options.folders
    }

    /// What the application decided.
    pub fn options(&self) -> &RuntimeOptions {
        &self.options
    }

    /// The device, opened at the first call. A device that could not be opened is tried again at the next call.
    pub fn device(&self) -> Result<ComputeDevice, NodeError> {
        let mut device = self.device.lock();
        if let Some(device) = &*device {
            return Ok(device.clone());
        }
        let opened = self.options.device.open().map_err(from_diffusion)?;
        Ok(device.insert(opened).clone())
    }

    /// The device, if it has been opened.
    pub fn opened_device(&self) -> Option<ComputeDevice> {
        self.device.lock().clone()
    }

    /// Drops the weights of all models; handles stay valid and load them again. Gives the number of models unloaded.
    pub fn unload_models(&self) -> usize {
        let Some(device) = self.opened_device() else {
            return 0;
        };
        let count = device.residency().unload_all();
        device.release_memory();
        count
    }

    /// The bytes that models take on the device.
    pub fn memory_in_use(&self) -> u64 {
        let device = self.opened_device();
        device.map_or(0, |device| device.residency().in_use())
    }

    /// A model folder's files; one that cannot be listed is empty.
    fn files(&self, key: &str) -> Vec<String> {
        self.options.folders.list(key).unwrap_or_default()
    }
}

/// The lists that are the same on every server: samplers and schedulers. Lists of files are empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct BuiltInLists;

impl Catalog for BuiltInLists {
    fn list(&self, name: &str) -> Vec<String> {
        match name {
            "samplers" => SAMPLERS
                .iter()
                .map(|sampler| sampler.name.to_owned())
                .collect(),
            "schedulers" => SCHEDULERS
                .iter()
                .map(|scheduler| scheduler.name.to_owned())
                .collect(),
            _ => Vec::new(),
        }
    }
}

impl Catalog for Runtime {
    fn list(&self, name: &str) -> Vec<String> {
        match name {
            "samplers" | "schedulers" => BuiltInLists.list(name),
            "input_images" => self.options.folders.input_images(),
            "input_files" => self.options.folders.input_files(|_| true),
            "input_latents" => self
                .options
                .folders
                .input_files(|name| name.ends_with(".latent")),
            "vae" => {
                let mut names = self.files("vae");
                names.extend(crate::tiny::installed(&self.files("vae_approx")));
                names.push(crate::sockets::Vae::PIXEL_SPACE.to_owned());
                names
            }
            "diffusers" => crate::pipelines::installed(&self.options.folders),
            "configs" => {
                let mut names = self.files("configs");
                names.extend(crate::nodes::known_configurations());
                names.sort();
                names.dedup();
                names
            }
            folder => self.files(folder),
        }
    }

    fn folders(&self, list: &str) -> Vec<String> {
        let folders = &self.options.folders;
        let directories: Vec<PathBuf> = match (list, folders.model_folder(list)) {
            ("input_images", _) => vec![folders.input_dir().to_owned()],
            (_, Some(folder)) => folder.directories.clone(),
            (_, None) => Vec::new(),
        };
        let texts = directories.iter().map(|path| path.display().to_string());
        texts.collect()
    }
}
