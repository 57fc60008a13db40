//! The table of model folders: which directories a kind of model is looked for in, and which files count.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

/// Endings of model files, lower case, with the dot.
const MODEL_EXTENSIONS: [&str; 8] = [
    ".ckpt",
    ".pt",
    ".pt2",
    ".bin",
    ".pth",
    ".safetensors",
    ".pkl",
    ".sft",
];

/// Which files of a model folder are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExtensionFilter {
    /// Every file.
    All,
    /// Files whose extension, in lower case and with its dot, is one of these; `""` stands for no extension at all.
    OneOf(Vec<&'static str>),
    /// No file: the models are folders.
    Directories,
}

impl ExtensionFilter {
    /// Whether a file of this name (without directories) is listed.
    pub fn accepts(&self, file_name: &str) -> bool {
        match self {
            Self::All => true,
            Self::OneOf(extensions) => {
                extensions.contains(&extension(file_name).to_lowercase().as_str())
            }
            Self::Directories => false,
        }
    }
}

/// Whether a file of this name (without directories) can hold a model.
pub fn is_model_file(file_name: &str) -> bool {
    MODEL_EXTENSIONS.contains(&extension(file_name).to_lowercase().as_str())
}

/// The part from the last dot on; leading dots do not begin an extension, so `.hidden` has none.
fn extension(file_name: &str) -> &str {
    let stem = file_name.trim_start_matches('.');
    stem.rfind('.').map_or("", |dot| &stem[dot..])
}

/// One kind of model.
#[derive(Debug, Clone)]
pub struct ModelFolder {
    /// Absolute directories, in the order in which they are searched.
    pub directories: Vec<PathBuf>,
    /// Which files count.
    pub filter: ExtensionFilter,
}

/// Maps the keys of older programs to today's.
pub(super) fn current_key(key: &str) -> &str {
    match key {
        "unet" => "diffusion_models",
        "clip" => "text_encoders",
        other => other,
    }
}

/// The folders below `base/models`, then those below the output directory into which models are saved.
pub(super) fn defaults(base: &Path, output: &Path) -> IndexMap<String, ModelFolder> {
    let models = base.join("models");
    let model_files = || ExtensionFilter::OneOf(MODEL_EXTENSIONS.to_vec());
    let mut table: IndexMap<String, ModelFolder> = [
        ("checkpoints", &["checkpoints"][..], model_files()),
        (
            "configs",
            &["configs"],
            ExtensionFilter::OneOf(vec![".yaml"]),
        ),
        ("loras", &["loras"], model_files()),
        ("vae", &["vae"], model_files()),
        ("text_encoders", &["text_encoders", "clip"], model_files()),
        (
            "diffusion_models",
            &["unet", "diffusion_models"],
            model_files(),
        ),
        ("clip_vision", &["clip_vision"], model_files()),
        ("style_models", &["style_models"], model_files()),
        ("embeddings", &["embeddings"], model_files()),
        ("diffusers", &["diffusers"], ExtensionFilter::Directories),
        ("vae_approx", &["vae_approx"], model_files()),
        ("controlnet", &["controlnet", "t2i_adapter"], model_files()),
        ("gligen", &["gligen"], model_files()),
        ("upscale_models", &["upscale_models"], model_files()),
        ("custom_nodes", &[], ExtensionFilter::All),
        ("hypernetworks", &["hypernetworks"], model_files()),
        ("photomaker", &["photomaker"], model_files()),
        (
            "classifiers",
            &["classifiers"],
            ExtensionFilter::OneOf(vec![""]),
        ),
        ("model_patches", &["model_patches"], model_files()),
        ("audio_encoders", &["audio_encoders"], model_files()),
    ]
    .into_iter()
    .map(|(key, names, filter)| {
        let directories = names.iter().map(|name| models.join(name)).collect();
        (
            key.to_owned(),
            ModelFolder {
                directories,
                filter,
            },
        )
    })
    .collect();

    let mut also = |key: &str, path: PathBuf| add(&mut table, key, path, false);
    also("custom_nodes", base.join("custom_nodes"));
    also("checkpoints", output.join("checkpoints"));
    also("text_encoders", output.join("clip"));
    also("vae", output.join("vae"));
    also("diffusion_models", output.join("diffusion_models"));
    also("loras", output.join("loras"));
    table
}

/// Adds a directory to a folder, in front when it is the default one. A directory is listed once; making a known one the
/// default moves it to the front. An unknown key begins a folder that accepts every file.
pub(super) fn add(
    table: &mut IndexMap<String, ModelFolder>,
    key: &str,
    path: PathBuf,
    is_default: bool,
) {
    let folder = table
        .entry(current_key(key).to_owned())
        .or_insert_with(|| ModelFolder {
            directories: Vec::new(),
            filter: ExtensionFilter::All,
        });
    let known = folder
        .directories
        .iter()
        .position(|directory| *directory == path);
    match (known, is_default) {
        (Some(_), false) => {}
        (Some(position), true) => folder.directories[..=position].rotate_right(1),
        (None, true) => folder.directories.insert(0, path),
        (None, false) => folder.directories.push(path),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_compared_in_lower_case() {
        let filter = ExtensionFilter::OneOf(MODEL_EXTENSIONS.to_vec());
        assert!(filter.accepts("Model.SafeTensors"));
        assert!(filter.accepts("a.b.ckpt"));
        assert!(!filter.accepts("readme.txt"));
        assert!(
            !filter.accepts(".safetensors"),
            "a hidden file without a name has no extension"
        );
    }

    #[test]
    fn no_extension_is_an_extension_too() {
        let filter = ExtensionFilter::OneOf(vec![""]);
        assert!(filter.accepts("classifier"));
        assert!(!filter.accepts("classifier.bin"));
        assert!(!ExtensionFilter::Directories.accepts("folder"));
    }

    #[test]
    fn a_default_directory_moves_to_the_front() {
        let mut table = IndexMap::new();
        for (path, is_default) in [
            ("/a", false),
            ("/b", false),
            ("/c", false),
            ("/b", false),
            ("/c", true),
            ("/d", true),
        ] {
            add(&mut table, "clip", PathBuf::from(path), is_default);
        }
        let paths: Vec<_> = table["text_encoders"]
            .directories
            .iter()
            .map(|path| path.to_str().unwrap())
            .collect();
        assert_eq!(paths, ["/d", "/c", "/a", "/b"]);
    }
}
