//! Checks and generators: `cargo xtask`.

mod asyncapi;
mod bench;
mod docs;
mod layers;
mod openapi;
#[cfg(test)]
mod tables;

use std::path::{Path, PathBuf};

use anyhow::bail;

const HELP: &str = "\
cargo xtask openapi           write openapi.yaml from the code
cargo xtask openapi --check   fail when openapi.yaml is stale
cargo xtask asyncapi          write asyncapi.yaml from the code
cargo xtask asyncapi --check  fail when asyncapi.yaml is stale
cargo xtask docs              write docs/nodes from the declarations of the nodes
cargo xtask docs --check      fail when docs/nodes is stale
cargo xtask check             fail when one of these is stale or a crate depends on one it must not know";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["openapi"] => openapi::write(),
        ["openapi", "--check"] => openapi::check(),
        ["asyncapi"] => asyncapi::write(),
        ["asyncapi", "--check"] => asyncapi::check(),
        ["docs"] => docs::write(),
        ["docs", "--check"] => docs::check(),
        ["bench", rest @ ..] => bench::run(rest),
        ["check"] => layers::check()
            .and_then(|()| openapi::check())
            .and_then(|()| asyncapi::check())
            .and_then(|()| docs::check()),
        _ => bail!(
            "expected one of these commands, got `{}`:\n{HELP}\n{}",
            words.join(" "),
            bench::HELP
        ),
    }
}

/// The top of the clone that cargo runs in, which may share its build cache with the one compiled.
fn repository() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR");
    let here = here.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&here).join("..")
}
