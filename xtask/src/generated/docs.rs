//! `docs/nodes`, generated from the declarations of the nodes.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, ensure};

use crate::repository;

/// Where the pages are kept.
fn folder() -> PathBuf {
    repository().join("docs").join("nodes")
}

/// The files that lie there.
fn kept() -> anyhow::Result<BTreeSet<String>> {
    let folder = folder();
    if !folder.is_dir() {
        return Ok(BTreeSet::new());
    }
    let entries = std::fs::read_dir(&folder);
    let entries = entries.with_context(|| format!("reading {}", folder.display()))?;
    entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect()
}

/// Writes the pages, and deletes those of categories that are no more.
pub(crate) fn write() -> anyhow::Result<()> {
    let folder = folder();
    std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let mut old = kept()?;
    for (name, text) in comfy_server::node_pages()? {
        let path = folder.join(&name);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        old.remove(&name);
    }
    for name in old {
        std::fs::remove_file(folder.join(name))?;
    }
    Ok(())
}

/// Fails when the pages in the repository are not those of the code.
pub(crate) fn check() -> anyhow::Result<()> {
    let folder = folder();
    let mut old = kept()?;
    for (name, text) in comfy_server::node_pages()? {
        let kept = std::fs::read_to_string(folder.join(&name)).unwrap_or_default();
        ensure!(
            kept.replace("\r\n", "\n") == text,
            "docs/nodes/{name} is stale; run `cargo xtask docs`"
        );
        old.remove(&name);
    }
    ensure!(
        old.is_empty(),
        "docs/nodes has pages of categories that are no more: {old:?}; run `cargo xtask docs`"
    );
    Ok(())
}
