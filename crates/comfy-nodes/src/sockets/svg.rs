//! Vector graphics.

use std::sync::Arc;

use comfy_graph::Socket;

/// Pictures as SVG documents, one text each.
#[derive(Debug, Clone)]
pub struct Svg(pub Arc<[String]>);

impl Socket for Svg {
    const TYPE: &'static str = "SVG";
}
