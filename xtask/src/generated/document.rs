//! The descriptions of the interface at the top of the repository, generated from the server's code.

use std::path::PathBuf;

use anyhow::{Context, ensure};

use crate::repository;

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Document {
    /// `openapi.yaml`, of the routes.
    OpenApi,
    /// `asyncapi.yaml`, of the messages of the websocket.
    AsyncApi,
}

impl Document {
    /// The document that a word of the command line stands for.
    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::OpenApi, Self::AsyncApi]
            .into_iter()
            .find(|document| document.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::OpenApi => "openapi",
            Self::AsyncApi => "asyncapi",
        }
    }

    fn path(self) -> PathBuf {
        repository().join(self.name()).with_extension("yaml")
    }

    /// The document as it stands in the code.
    fn text(self) -> anyhow::Result<String> {
        let yaml = match self {
            Self::OpenApi => comfy_server::openapi().to_yaml(),
            Self::AsyncApi => yaml_serde::to_string(&comfy_server::asyncapi()),
        };
        let yaml = yaml.context("writing the document as YAML")?;
        let name = self.name();
        Ok(format!(
            "# Generated from the code by `cargo xtask {name}`; do not edit.\n{yaml}"
        ))
    }

    /// Writes the document.
    pub(super) fn write(self) -> anyhow::Result<()> {
        let path = self.path();
        std::fs::write(&path, self.text()?).with_context(|| format!("writing {}", path.display()))
    }

    /// Fails when the document in the repository is not the one in the code.
    pub(super) fn check(self) -> anyhow::Result<()> {
        let path = self.path();
        let kept = std::fs::read_to_string(&path);
        let kept = kept.with_context(|| format!("reading {}", path.display()))?;
        let name = self.name();
        ensure!(
            kept.replace("\r\n", "\n") == self.text()?,
            "{name}.yaml is stale; run `cargo xtask {name}`"
        );
        Ok(())
    }
}
