//! The direction of dependency between our crates, as ARCHITECTURE.md draws it.
//!
//! `cargo metadata` says what each crate depends on; a crate may use only what stands beside its name here.
//! Test-only dependencies are free: a test may look at anything.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// Each crate of ours, with the crates of ours that it may use.
const ALLOWED: &[(&str, &[&str])] = &[
    ("comfy-api", &[]),
    ("comfy-node-derive", &[]),
    ("comfy-graph", &["comfy-api", "comfy-node-derive"]),
    ("comfy-diffusion", &[]),
    ("comfy-exec", &["comfy-api", "comfy-graph"]),
    ("comfy-nodes", &["comfy-diffusion", "comfy-graph"]),
    (
        "comfy-server",
        &["comfy-api", "comfy-exec", "comfy-graph", "comfy-nodes"],
    ),
    ("comfy-fixtures", &[]),
    (
        "comfy-tests",
        &[
            "comfy-api",
            "comfy-exec",
            "comfy-fixtures",
            "comfy-graph",
            "comfy-nodes",
            "comfy-server",
        ],
    ),
    ("xtask", &["comfy-server"]),
];

/// Foreign crates that some of ours must never see, with the crates that may.
///
/// The scheduler and the wire stay testable in seconds because no tensor library stands below them, and
/// only the server knows HTTP.
const FENCED: &[(&str, &[&str])] = &[
    ("burn", &["comfy-diffusion", "comfy-nodes"]),
    ("axum", &["comfy-server"]),
    ("hyper", &["comfy-server"]),
];

/// Every dependency that goes against the direction, one line each; empty when the layers hold.
pub fn violations(metadata: &Metadata) -> Vec<String> {
    let allowed: BTreeMap<&str, BTreeSet<&str>> = ALLOWED
        .iter()
        .map(|(name, uses)| (*name, uses.iter().copied().collect()))
        .collect();
    let mut found = Vec::new();
    for package in metadata.workspace_packages() {
        let name = package.name.as_str();
        let Some(uses) = allowed.get(name) else {
            found.push(format!(
                "{name} is not in the list of layers (xtask/src/layers.rs)"
            ));
            continue;
        };
        for dependency in package
            .dependencies
            .iter()
            .filter(|d| d.kind != DependencyKind::Development)
        {
            let target = dependency.name.as_str();
            if allowed.contains_key(target) && !uses.contains(target) {
                found.push(format!("{name} must not depend on {target}"));
            }
            let fence = FENCED.iter().find(|(crate_name, _)| *crate_name == target);
            if fence.is_some_and(|(_, users)| !users.contains(&name)) {
                found.push(format!(
                    "{name} must not depend on {target}: only {:?} may",
                    fence.map(|f| f.1)
                ));
            }
        }
    }
    found
}

/// Reads the workspace and reports what breaks the layering.
pub fn check() -> anyhow::Result<()> {
    let found = violations(&MetadataCommand::new().no_deps().exec()?);
    anyhow::ensure!(
        found.is_empty(),
        "the direction of dependency is broken:\n{}",
        found.join("\n")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> Metadata {
        MetadataCommand::new()
            .no_deps()
            .exec()
            .expect("cargo metadata runs in the workspace")
    }

    #[test]
    fn dependencies_point_one_way() {
        assert_eq!(violations(&metadata()), Vec::<String>::new());
    }

    #[test]
    fn an_arrow_against_the_direction_is_seen() {
        let mut metadata = metadata();
        let upward = metadata
            .packages
            .iter()
            .find(|p| p.name.as_str() == "comfy-server")
            .and_then(|p| {
                p.dependencies
                    .iter()
                    .find(|d| d.name == "comfy-exec")
                    .cloned()
            })
            .expect("the server depends on the engine");
        for package in metadata
            .packages
            .iter_mut()
            .filter(|p| p.name.as_str() == "comfy-graph")
        {
            package.dependencies.push(upward.clone());
        }
        assert_eq!(
            violations(&metadata),
            ["comfy-graph must not depend on comfy-exec"]
        );
    }

    #[test]
    fn the_allowed_directions_have_no_cycle() {
        let mut done = BTreeSet::new();
        let mut rest: Vec<_> = ALLOWED.to_vec();
        while !rest.is_empty() {
            let before = rest.len();
            rest.retain(|(name, uses)| {
                let ready = uses.iter().all(|u| done.contains(u));
                if ready {
                    done.insert(*name);
                }
                !ready
            });
            assert!(
                rest.len() < before,
                "these allow each other in a circle: {rest:?}"
            );
        }
    }
}
