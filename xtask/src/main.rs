//! Checks and generators: `cargo xtask`.
fn main() {}
