//! Other files in the server's folders.

use comfy_graph::testing::NodeTester;
use comfy_nodes::folders::{Folders, FoldersOptions};
use comfy_nodes::nodes::LoadLatent;

use crate::place;

/// A file of latents, as the node loads it.
pub fn latent(bytes: &[u8]) {
    let runtime = place::runtime();
    place::file("house/input", "fuzzed.latent", bytes);
    let tester = NodeTester::<LoadLatent>::new()
        .service(runtime.clone())
        .set("latent", "fuzzed.latent");
    let _ = tester.run();
}

/// `extra_model_paths.yaml`.
pub fn extra_model_paths(bytes: &[u8]) {
    place::file("extra", "extra_model_paths.yaml", bytes);
    let folders = Folders::new(FoldersOptions {
        base: place::folder("extra"),
        ..FoldersOptions::default()
    });
    if let Ok(folders) = folders {
        let _ = folders.model_folders().count();
    }
}
