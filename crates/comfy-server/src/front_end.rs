//! ComfyUI's own front end, where somebody has installed it.

mod installed;

use comfy_graph::NodeRegistry;

pub use installed::{FrontEndError, find};

/// The address of the script that helps out when a loader is missing.
pub(crate) const LOADERS_ADDRESS: &str = "/extensions/comfy-server/loaders.js";

/// The script itself.
pub(crate) const LOADERS_SCRIPT: &str = include_str!("front_end/loaders.js");

/// The loaders that old front ends take for granted.
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

/// Whether one of the loaders that old front ends take for granted is not there.
pub(crate) fn lacks_loaders(registry: &NodeRegistry) -> bool {
    LOADERS.iter().any(|name| registry.get(name).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_knows_the_same_loaders() {
        for name in LOADERS {
            assert!(LOADERS_SCRIPT.contains(&format!("\"{name}\"")), "{name}");
        }
    }
}
