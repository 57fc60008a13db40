//! `asyncapi.yaml` at the top of the repository, generated from the types of the websocket's messages.

use anyhow::{Context, ensure};

use crate::repository;

const FILE: &str = "asyncapi.yaml";

fn generated() -> anyhow::Result<String> {
    let yaml =
        yaml_serde::to_string(&comfy_server::asyncapi()).context("writing the document as YAML")?;
    Ok(format!(
        "# Generated from the code by `cargo xtask asyncapi`; do not edit.\n{yaml}"
    ))
}

/// Writes the document.
pub(crate) fn write() -> anyhow::Result<()> {
    let path = repository().join(FILE);
    std::fs::write(&path, generated()?).with_context(|| format!("writing {}", path.display()))
}

/// Fails when the document in the repository is not the one in the code.
pub(crate) fn check() -> anyhow::Result<()> {
    let path = repository().join(FILE);
    let kept =
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    ensure!(
        kept.replace("\r\n", "\n") == generated()?,
        "{FILE} is stale; run `cargo xtask asyncapi`"
    );
    Ok(())
}
