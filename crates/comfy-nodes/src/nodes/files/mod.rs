//! Nodes that read and write files, and one that sends pictures instead.

mod animated_png;
mod animated_webp;
mod load_image_mask;
mod load_image_output;
mod save_svg;
mod webcam;
mod websocket;

use comfy_graph::{NodeRegistry, RegistryError};

pub use animated_png::SaveAnimatedPng;
pub use animated_webp::{SaveAnimatedWebp, WebpMethod};
pub use load_image_mask::{LoadImageMask, LoadedMask, MaskChannel};
pub use load_image_output::LoadImageOutput;
pub use save_svg::SaveSvg;
pub use webcam::{CapturedImage, WebcamCapture, WebcamPicture};
pub use websocket::SaveImageWebsocket;

/// Registers the classes of this folder.
pub(super) fn register(registry: &mut NodeRegistry) -> Result<(), RegistryError> {
    registry
        .register::<LoadImageMask>()?
        .register::<LoadImageOutput>()?
        .register::<SaveAnimatedWebp>()?
        .register::<SaveAnimatedPng>()?
        .register::<SaveSvg>()?
        .register::<WebcamCapture>()?
        .register::<SaveImageWebsocket>()?;
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests;
