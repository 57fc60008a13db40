//! Matrix products on the processor, of operands that need not exist as matrices.
//!
//! A product is computed as in the `GotoBLAS` (Goto and van de Geijn 2008, "Anatomy of high-performance matrix multiplication"): both
//! operands are copied, a cache-sized part at a time, into panels whose order suits the registers, and a [`Tile`] multiplies two
//! panels. What an operand is made of matters to the copying alone ([`Operand`]): weights of half precision are widened there, patches
//! of an image are gathered there, so neither is ever in memory as a whole.
//!
//! Convolutions of 3×3 need a quarter of the multiplications by minimal filtering ([`convolve_3x3`]).
//!
//! Tiles exist for AVX-512, AVX2 and in plain Rust, and for processors that multiply pairs of `bf16` (AMX, AVX512-BF16), which takes
//! less time; [`Tile::of`] asks the processor.
//!
//! The crate knows slices alone. `unsafe` is found in `tile`, where instructions for one kind of processor are called, and where results
//! are written into memory that nobody has cleared.

mod attention;
mod buffer;
mod element;
pub mod elementwise;
mod function;
mod gated;
pub mod normalise;
mod operand;
mod patches;
mod product;
mod result;
mod tile;
mod vectorise;
mod winograd;

pub use attention::{Attention, attend};
pub use element::Element;
pub use gated::gated_product;
pub use operand::{Matrix, Operand};
pub use patches::{Images, Patches, Window};
pub use product::product;
pub use result::{Bias, Output};
pub use tile::block::{Block, Order};
pub use tile::{Precision, Tile};
pub use winograd::{convolve_3x3, filtering_pays};

#[cfg(test)]
mod tests;
