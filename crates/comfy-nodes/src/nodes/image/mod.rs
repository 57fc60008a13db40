//! Nodes that make, change and combine pictures.

mod add_noise;
mod batch;
mod blend;
mod blur;
mod canny;
mod composite;
mod empty_image;
mod get_image_size;
mod invert;
mod morphology;
mod pad_for_outpaint;
mod quantize;
mod rebatch;
mod resize_and_pad;
mod scale;
mod scale_by;
mod stitch;
mod transform;
mod upscale_with_model;
mod yuv;

use comfy_graph::{NodeRegistry, RegistryError};

pub use add_noise::ImageAddNoise;
pub use batch::{ImageBatch, ImageFromBatch, RepeatImageBatch};
pub use blend::ImageBlend;
pub use blur::{ImageBlur, ImageSharpen};
pub use canny::Canny;
pub use composite::ImageCompositeMasked;
pub(super) use composite::fit_mask;
pub use empty_image::EmptyImage;
pub use get_image_size::{GetImageSize, ImageSize};
pub use invert::ImageInvert;
pub use morphology::Morphology;
pub use pad_for_outpaint::ImagePadForOutpaint;
pub use quantize::ImageQuantize;
pub use rebatch::{RebatchImages, Rebatched};
pub use resize_and_pad::{PaddingColor, ResizeAndPadImage};
pub use scale::{CropChoice, ImageScale, UpscaleMethod};
pub use scale_by::{ImageScaleBy, ImageScaleToMaxDimension, ImageScaleToTotalPixels};
pub use stitch::{Direction, ImageStitch, SpacingColor};
pub use transform::{FlipMethod, ImageCrop, ImageFlip, ImageRotate, Rotation};
pub use upscale_with_model::ImageUpscaleWithModel;
pub use yuv::{ImageRgbToYuv, ImageYuvToRgb, SplitYuv};

/// Registers the classes of this folder.
pub(super) fn register(registry: &mut NodeRegistry) -> Result<(), RegistryError> {
    registry
        .register::<ImageScale>()?
        .register::<ImageScaleBy>()?
        .register::<ImageScaleToTotalPixels>()?
        .register::<ImageScaleToMaxDimension>()?
        .register::<ImageInvert>()?
        .register::<ImageBatch>()?
        .register::<RepeatImageBatch>()?
        .register::<ImageFromBatch>()?
        .register::<RebatchImages>()?
        .register::<ImagePadForOutpaint>()?
        .register::<EmptyImage>()?
        .register::<ImageBlend>()?
        .register::<ImageBlur>()?
        .register::<ImageQuantize>()?
        .register::<ImageSharpen>()?
        .register::<ImageCompositeMasked>()?
        .register::<Canny>()?
        .register::<ImageCrop>()?
        .register::<ImageRotate>()?
        .register::<ImageFlip>()?
        .register::<ImageStitch>()?
        .register::<ResizeAndPadImage>()?
        .register::<ImageAddNoise>()?
        .register::<GetImageSize>()?
        .register::<Morphology>()?
        .register::<ImageRgbToYuv>()?
        .register::<ImageYuvToRgb>()?
        .register::<ImageUpscaleWithModel>()?;
    Ok(())
}
