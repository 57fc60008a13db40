//! `openapi.yaml` at the top of the repository, generated from the server's routes.

use std::path::PathBuf;

use anyhow::{Context, ensure};

use crate::repository;

/// Where the document is kept.
fn path() -> PathBuf {
    repository().join("openapi.yaml")
}

/// The document as it stands in the code.
fn generated() -> anyhow::Result<String> {
    let yaml = comfy_server::openapi()
        .to_yaml()
        .context("writing the document as YAML")?;
    Ok(format!(
        "# Generated from the code by `cargo xtask openapi`; do not edit.\n{yaml}"
    ))
}

/// Writes the document.
pub(crate) fn write() -> anyhow::Result<()> {
    let path = path();
    std::fs::write(&path, generated()?).with_context(|| format!("writing {}", path.display()))
}

/// Fails when the document in the repository is not the one in the code.
pub(crate) fn check() -> anyhow::Result<()> {
    let path = path();
    let kept =
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    ensure!(
        kept.replace("\r\n", "\n") == generated()?,
        "openapi.yaml is stale; run `cargo xtask openapi`"
    );
    Ok(())
}
