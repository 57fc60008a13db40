//! Nodes that make, change and use masks.

mod alpha;
mod combine;
mod convert;
mod crop;
mod feather;
mod grow;
mod porter_duff;
mod preview;
mod values;

use comfy_graph::{NodeRegistry, RegistryError};

pub use alpha::{JoinImageWithAlpha, SplitImageWithAlpha};
pub use combine::{MaskComposite, MaskOperation};
pub use convert::{Channel, ImageColorToMask, ImageToMask, MaskToImage};
pub use crop::CropMask;
pub use feather::FeatherMask;
pub use grow::GrowMask;
pub use porter_duff::PorterDuffImageComposite;
pub use preview::MaskPreview;
pub use values::{InvertMask, SolidMask, ThresholdMask};

/// Registers the classes of this folder.
pub(super) fn register(registry: &mut NodeRegistry) -> Result<(), RegistryError> {
    registry
        .register::<MaskToImage>()?
        .register::<ImageToMask>()?
        .register::<ImageColorToMask>()?
        .register::<SolidMask>()?
        .register::<InvertMask>()?
        .register::<CropMask>()?
        .register::<MaskComposite>()?
        .register::<FeatherMask>()?
        .register::<GrowMask>()?
        .register::<ThresholdMask>()?
        .register::<MaskPreview>()?
        .register::<PorterDuffImageComposite>()?
        .register::<SplitImageWithAlpha>()?
        .register::<JoinImageWithAlpha>()?;
    Ok(())
}
