//! Operations on latents.

use std::fmt;
use std::sync::Arc;

use comfy_graph::{NodeError, Socket};

use crate::planes::Planes;

type Apply = dyn Fn(&Planes) -> Result<Planes, NodeError> + Send + Sync;

/// A change of latents, made ready by one node and applied by another.
#[derive(Clone)]
pub struct LatentOperation(Arc<Apply>);

impl Socket for LatentOperation {
    const TYPE: &'static str = "LATENT_OPERATION";
}

impl LatentOperation {
    /// An operation that keeps the shape of its latents.
    pub fn new(
        apply: impl Fn(&Planes) -> Result<Planes, NodeError> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(apply))
    }

    /// The latents after the operation.
    pub fn apply(&self, latents: &Planes) -> Result<Planes, NodeError> {
        (self.0)(latents)
    }
}

impl fmt::Debug for LatentOperation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LatentOperation")
    }
}
