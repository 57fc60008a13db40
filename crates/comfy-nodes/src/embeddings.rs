//! The files that prompts name as `embedding:name`.

use std::path::PathBuf;
use std::sync::Arc;

use comfy_diffusion::text::EmbeddingFiles;

use crate::folders::Folders;

/// Finds embeddings in the model folder `embeddings`.
#[derive(Debug)]
pub(crate) struct EmbeddingFolder(Arc<Folders>);

impl EmbeddingFolder {
    /// The folder of this application.
    pub(crate) fn new(folders: &Arc<Folders>) -> Self {
        Self(Arc::clone(folders))
    }
}

impl EmbeddingFiles for EmbeddingFolder {
    fn find(&self, name: &str) -> Option<PathBuf> {
        ["", ".safetensors", ".pt", ".bin"]
            .iter()
            .find_map(|extension| {
                self.0
                    .find("embeddings", &format!("{name}{extension}"))
                    .ok()
            })
    }
}
