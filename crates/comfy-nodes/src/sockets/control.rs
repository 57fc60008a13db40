//! Handles to what steers a model.

use comfy_diffusion::models::gligen;
use comfy_diffusion::residency::Resident;
use comfy_diffusion::sampling;
use comfy_graph::Socket;

/// A network that steers a model by pictures. Its weights are loaded when it is used.
#[derive(Debug, Clone)]
pub struct ControlNet(pub sampling::ControlNet);

impl Socket for ControlNet {
    const TYPE: &'static str = "CONTROL_NET";
}

/// A network that tells a model what is to be where. Its weights are loaded when it is used.
#[derive(Debug, Clone)]
pub struct Gligen(pub Resident<gligen::Gligen>);

impl Socket for Gligen {
    const TYPE: &'static str = "GLIGEN";
}
