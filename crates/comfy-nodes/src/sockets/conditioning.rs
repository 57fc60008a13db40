//! Encoded prompts.

use comfy_graph::Socket;

/// What a model is asked for: one or more encoded prompts, each with its strength, area and time.
#[derive(Debug, Clone)]
pub struct Conditioning(pub Vec<comfy_diffusion::sampling::Conditioning>);

impl Socket for Conditioning {
    const TYPE: &'static str = "CONDITIONING";
}
