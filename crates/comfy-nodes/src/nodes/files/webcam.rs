//! `WebcamCapture`.

use comfy_graph::{
    Constants, Json, Node, NodeContext, NodeError, NodeSpec, Outputs, Services, Socket,
};

use crate::nodes::input_file;
use crate::nodes::load_image::loaded;
use crate::runtime::Runtime;
use crate::sockets::Image;

/// The name of a picture that a browser has taken and uploaded.
#[derive(Debug, Clone)]
pub struct WebcamPicture(pub String);

impl Socket for WebcamPicture {
    const TYPE: &'static str = "WEBCAM";

    fn from_json(json: &Json) -> Option<Self> {
        json.as_str().map(|name| Self(name.to_owned()))
    }

    fn to_json(&self) -> Option<Json> {
        Some(Json::from(self.0.as_str()))
    }
}

/// Takes a picture with the camera of the browser. The browser uploads it, here it is read as any other file.
#[derive(Debug, NodeSpec)]
#[node(
    id = "WebcamCapture",
    name = "Webcam Capture",
    category = "image",
    module = "comfy_extras.nodes_webcam"
)]
#[expect(
    dead_code,
    reason = "the browser heeds size and time, the server the file"
)]
pub struct WebcamCapture {
    /// The uploaded picture.
    image: WebcamPicture,
    /// The width that the browser takes the picture in; 0 is the camera's.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 1u32)]
    width: u32,
    /// The height that the browser takes the picture in; 0 is the camera's.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 1u32)]
    height: u32,
    /// Whether the browser takes a new picture each time a prompt is queued.
    #[input(default = true)]
    capture_on_queue: bool,
}

/// The result of [`WebcamCapture`].
#[derive(Debug, Outputs)]
pub struct CapturedImage {
    /// The picture.
    #[output(name = "IMAGE")]
    image: Image,
}

impl Node for WebcamCapture {
    type Output = CapturedImage;

    const HAS_FINGERPRINT: bool = true;
    const CHECKS: &'static [&'static str] = &["image"];

    fn run(self, context: &mut NodeContext<'_>) -> Result<CapturedImage, NodeError> {
        let runtime = context.service::<Runtime>()?;
        let picture = input_file::picture(runtime.folders(), &self.image.0)?;
        Ok(CapturedImage {
            image: loaded(&picture)?.image,
        })
    }

    fn fingerprint(constants: &Constants<'_>, services: &Services) -> Result<Json, NodeError> {
        input_file::fingerprint(constants, services, "image")
    }

    fn check(constants: &Constants<'_>, services: &Services) -> Result<(), String> {
        input_file::check(constants, services, "image", "image")
    }
}
