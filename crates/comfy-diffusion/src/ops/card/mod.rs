//! Kernels of our own for graphics devices, where burn makes several passes over memory of one operator.
//!
//! They are written once (cubecl) and compiled for the device when they are first used. Every one has a composition of burn's operators
//! beside it, which is taken where the self-test finds the kernel wrong.

mod norm;
mod patches;

pub(super) use norm::{Affine, group_norm, layer_norm};
pub(super) use patches::{Wanted, patches};
