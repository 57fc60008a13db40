//! Arithmetic on pictures and masks in the host's memory, on all cores, with the formulas, borders and roundings of the
//! libraries that `ComfyUI` calls.
//!
//! A picture is a slice of `f32` in the order `[height, width, channel]`, a batch of them `[batch, height, width, channel]`; a mask
//! is a picture of one channel.

mod blend;
mod blur;
mod buffer;
mod canny;
mod colour;
mod composite;
mod extremum;
mod gaussian;
mod grow;
mod morphology;
mod porter_duff;
pub mod quantize;
mod scale;

pub use blend::{BlendMode, blend};
pub use blur::{blur, sharpen};
pub use buffer::{collect, map, zeroed, zip};
pub use canny::{Thresholds, canny};
pub use colour::{from_ycbcr, to_ycbcr};
pub use composite::{Placement, composite, with_channels};
pub use extremum::{Extremum, slide};
pub use gaussian::{gaussian_square, sharpening_square};
pub use grow::grow;
pub use morphology::{Operation, morphology};
pub use porter_duff::{Layer, PorterDuff, porter_duff};
pub use scale::{Crop, scale};
