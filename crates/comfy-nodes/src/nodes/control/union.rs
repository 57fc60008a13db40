//! `SetUnionControlNetType`.

use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec};

use super::LoadedControlNet;
use crate::sockets::ControlNet;

/// What a picture shows, in the order in which control nets number it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum PictureKind {
    /// The control net is told nothing.
    #[choice("auto")]
    Auto,
    /// Stick figures in the poses of people.
    #[choice("openpose")]
    Pose,
    /// Distances from the viewer as greys.
    #[choice("depth")]
    Depth,
    /// Soft edges and scribbles.
    #[choice("hed/pidi/scribble/ted")]
    SoftEdges,
    /// Lines.
    #[choice("canny/lineart/anime_lineart/mlsd")]
    Lines,
    /// Directions of surfaces as colours.
    #[choice("normal")]
    Normals,
    /// Areas of one colour for each thing.
    #[choice("segment")]
    Segments,
    /// A picture with less detail.
    #[choice("tile")]
    Tile,
    /// A picture of which parts are missing.
    #[choice("repaint")]
    Repaint,
}

/// Tells a control net for several kinds of pictures which kind it is shown.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SetUnionControlNetType",
    category = "conditioning/controlnet",
    module = "comfy_extras.nodes_controlnet"
)]
pub struct SetUnionControlNetType {
    /// The control net. One for a single kind of pictures stays as it is.
    control_net: ControlNet,
    /// What the picture shows.
    r#type: PictureKind,
}

impl Node for SetUnionControlNetType {
    type Output = LoadedControlNet;

    fn run(self, _: &mut NodeContext<'_>) -> Result<LoadedControlNet, NodeError> {
        let mut net = self.control_net.0;
        net.task = match self.r#type {
            PictureKind::Auto => None,
            kind => Some(kind as usize - 1),
        };
        Ok(LoadedControlNet {
            control_net: ControlNet(net),
        })
    }
}
