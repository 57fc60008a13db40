//! Files that are generated from the code, and the check that they are fresh.

mod docs;
mod document;

use anyhow::bail;

use document::Document;

use crate::{bench, layers};

const HELP: &str = "\
cargo xtask openapi           write openapi.yaml from the code
cargo xtask openapi --check   fail when openapi.yaml is stale
cargo xtask asyncapi          write asyncapi.yaml from the code
cargo xtask asyncapi --check  fail when asyncapi.yaml is stale
cargo xtask docs              write docs/nodes from the declarations of the nodes
cargo xtask docs --check      fail when docs/nodes is stale
cargo xtask check             fail when one of these is stale or a crate depends on one it must not know";

/// Does what the words of the command line say.
pub(crate) fn run(words: &[&str]) -> anyhow::Result<()> {
    match words {
        ["docs"] => docs::write(),
        ["docs", "--check"] => docs::check(),
        ["check"] => layers::check()
            .and_then(|()| Document::OpenApi.check())
            .and_then(|()| Document::AsyncApi.check())
            .and_then(|()| docs::check()),
        [name] if let Some(document) = Document::named(name) => document.write(),
        [name, "--check"] if let Some(document) = Document::named(name) => document.check(),
        _ => bail!(
            "expected one of these commands, got `{}`:\n{HELP}\n{}",
            words.join(" "),
            bench::HELP
        ),
    }
}
