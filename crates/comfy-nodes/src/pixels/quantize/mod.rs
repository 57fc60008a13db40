//! Reducing a picture to a few colours, with the results of PIL's `quantize`: a median cut finds the palette, and each pixel
//! becomes the nearest of its colours, plainly or with dithering.
//!
//! The algorithms follow those of Pillow (MIT-CMU licence): median cut by Toby J. Sargeant, colour mapping after Paul Heckbert and
//! Spencer W. Thomas from the IJG's JPEG library.

mod dither;
mod median_cut;
mod palette;

pub use dither::{Dither, quantize};
pub use median_cut::median_cut;
pub use palette::Palette;
