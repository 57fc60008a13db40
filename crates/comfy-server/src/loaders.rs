//! Help for front ends of ComfyUI 0.3.64, which take some loaders for granted.

use comfy_graph::NodeRegistry;

/// The address of the script that tells such a front end of loaders that are not there.
pub(crate) const ADDRESS: &str = "/extensions/comfy-server/loaders.js";

/// The script itself.
pub(crate) const SCRIPT: &str = include_str!("loaders.js");

/// The loaders that are taken for granted.
const LOADERS: &[&str] = &[
    "CheckpointLoaderSimple",
    "ControlNetLoader",
    "GLIGENLoader",
    "ImageOnlyCheckpointLoader",
    "LoraLoader",
    "LoraLoaderModelOnly",
    "StyleModelLoader",
    "UNETLoader",
    "UpscaleModelLoader",
    "VAELoader",
];

/// Whether one of them is not there, so that the script is needed.
pub(crate) fn are_incomplete(registry: &NodeRegistry) -> bool {
    LOADERS.iter().any(|name| registry.get(name).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_knows_the_same_loaders() {
        for name in LOADERS {
            assert!(SCRIPT.contains(&format!("\"{name}\"")), "{name}");
        }
    }
}
