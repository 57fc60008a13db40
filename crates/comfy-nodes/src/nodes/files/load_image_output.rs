//! `LoadImageOutput`.

use comfy_graph::{Constants, Json, Node, NodeContext, NodeError, NodeSpec, Services};
use serde_json::json;

use crate::nodes::input_file;
use crate::nodes::load_image::{LoadedImage, loaded};
use crate::runtime::Runtime;
use crate::sockets::OutputImage;

/// Loads a picture from the output directory. Clients fetch the list of files anew when asked to, so that the picture that was
/// saved last can be used again at once.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LoadImageOutput",
    name = "Load Image (from Outputs)",
    category = "image",
    module = "nodes",
    experimental
)]
pub struct LoadImageOutput {
    /// The file to load. Its name ends in [output].
    #[input(
        image_upload,
        image_folder = "output",
        remote = json!({"route": "/internal/files/output", "refresh_button": true, "control_after_refresh": "first"})
    )]
    image: OutputImage,
}

impl Node for LoadImageOutput {
    type Output = LoadedImage;

    const HAS_FINGERPRINT: bool = true;
    const CHECKS: &'static [&'static str] = &["image"];

    fn run(self, context: &mut NodeContext<'_>) -> Result<LoadedImage, NodeError> {
        let runtime = context.service::<Runtime>()?;
        loaded(&input_file::picture(runtime.folders(), &self.image.0)?)
    }

    fn fingerprint(constants: &Constants<'_>, services: &Services) -> Result<Json, NodeError> {
        input_file::fingerprint(constants, services, "image")
    }

    fn check(constants: &Constants<'_>, services: &Services) -> Result<(), String> {
        input_file::check(constants, services, "image", "image")
    }
}
