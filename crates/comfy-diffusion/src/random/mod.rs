//! Random numbers that equal PyTorch's and `NumPy`'s, so that one seed means one picture wherever it is made.
//!
//! Everything here runs on the host: a generator on the device would give other numbers on each make of device.

mod brownian;
mod mersenne_twister;
mod seed_sequence;
#[cfg(test)]
mod tests;
mod torch_generator;
mod vector_math;

pub use brownian::BrownianTree;
pub use mersenne_twister::MersenneTwister;
pub use seed_sequence::SeedSequence;
pub use torch_generator::TorchGenerator;
