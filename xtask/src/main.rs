//! Checks and generators: `cargo xtask`.

mod bench;
#[cfg(feature = "generators")]
mod generated;
#[cfg(feature = "generators")]
mod layers;
#[cfg(test)]
mod tables;

use std::path::{Path, PathBuf};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["bench", rest @ ..] => bench::run(rest),
        #[cfg(feature = "generators")]
        words => generated::run(words),
        #[cfg(not(feature = "generators"))]
        _ => anyhow::bail!("expected `bench`:\n{}", bench::HELP),
    }
}

/// The top of the clone that cargo runs in, which may share its build cache with the one compiled.
fn repository() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR");
    let here = here.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&here).join("..")
}
