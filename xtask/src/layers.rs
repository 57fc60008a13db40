//! The direction of dependency between our crates, as ARCHITECTURE.md draws it.
//!
//! `cargo metadata` says what each crate depends on; a crate may use only what stands beside its name here.
//! Test-only dependencies are free: a test may look at anything.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::Context;
use serde_json::Value;

/// Each crate of ours, with the crates of ours that it may use.
const ALLOWED: &[(&str, &[&str])] = &[
    ("comfy-api", &[]),
    ("comfy-node-derive", &[]),
    ("comfy-graph", &["comfy-api", "comfy-node-derive"]),
    ("comfy-demo", &[]),
    ("comfy-kernels", &[]),
    ("comfy-diffusion", &["comfy-kernels"]),
    ("comfy-exec", &["comfy-api", "comfy-graph"]),
    ("comfy-nodes", &["comfy-diffusion", "comfy-graph"]),
    (
        "comfy-session",
        &["comfy-api", "comfy-exec", "comfy-graph", "comfy-nodes"],
    ),
    ("comfy-testing-nodes", &["comfy-graph", "comfy-nodes"]),
    (
        "comfy-server",
        &[
            "comfy-api",
            "comfy-demo",
            "comfy-exec",
            "comfy-graph",
            "comfy-nodes",
            "comfy-testing-nodes",
        ],
    ),
    ("comfy-fixtures", &[]),
    (
        "comfy-fuzz",
        &[
            "comfy-api",
            "comfy-diffusion",
            "comfy-fixtures",
            "comfy-graph",
            "comfy-nodes",
            "comfy-server",
        ],
    ),
    ("embedding", &["comfy-fixtures", "comfy-session"]),
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
    ("burn-cubecl", &["comfy-diffusion"]),
    ("axum", &["comfy-server"]),
    ("hyper", &["comfy-server"]),
];

/// One crate of the workspace, with what it depends on outside of tests.
#[derive(Debug, Clone)]
struct Member {
    name: String,
    uses: Vec<String>,
}

/// What `cargo metadata` says of the workspace.
fn members() -> anyhow::Result<Vec<Member>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .context("cannot run cargo metadata")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "cargo metadata failed: {errors}");
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"]
        .as_array()
        .context("cargo metadata names no packages")?;
    packages.iter().map(member).collect()
}

fn member(package: &Value) -> anyhow::Result<Member> {
    let name = package["name"]
        .as_str()
        .context("a package without a name")?;
    let dependencies = package["dependencies"]
        .as_array()
        .context("a package without dependencies")?;
    let uses = dependencies
        .iter()
        .filter(|dependency| dependency["kind"] != "dev")
        .filter_map(|dependency| dependency["name"].as_str());
    Ok(Member {
        name: name.to_owned(),
        uses: uses.map(str::to_owned).collect(),
    })
}

/// Every dependency that goes against the direction, one line each; empty when the layers hold.
fn violations(members: &[Member]) -> Vec<String> {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut found = Vec::new();
    for Member { name, uses } in members {
        let Some(may_use) = allowed.get(name.as_str()) else {
            found.push(format!(
                "{name} is not in the list of layers (xtask/src/layers.rs)"
            ));
            continue;
        };
        for used in uses.iter().map(String::as_str) {
            if allowed.contains_key(used) && !may_use.contains(&used) {
                found.push(format!("{name} must not depend on {used}"));
            }
            let fence = FENCED.iter().find(|(fenced, _)| *fenced == used);
            if let Some((_, users)) = fence.filter(|(_, users)| !users.contains(&name.as_str())) {
                found.push(format!(
                    "{name} must not depend on {used}: only {users:?} may"
                ));
            }
        }
    }
    found
}

/// Reads the workspace and reports what breaks the layering.
pub(crate) fn check() -> anyhow::Result<()> {
    let found = violations(&members()?);
    anyhow::ensure!(
        found.is_empty(),
        "the direction of dependency is broken:\n{}",
        found.join("\n")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn workspace() -> Vec<Member> {
        members().expect("cargo metadata runs in the workspace")
    }

    fn with(name: &str, used: &str) -> Vec<String> {
        let mut members = workspace();
        for member in members.iter_mut().filter(|member| member.name == name) {
            member.uses.push(used.to_owned());
        }
        violations(&members)
    }

    #[test]
    fn dependencies_point_one_way() {
        let members = workspace();
        assert_eq!(members.len(), ALLOWED.len(), "{members:?}");
        assert_eq!(violations(&members), Vec::<String>::new());
    }

    #[test]
    fn an_arrow_against_the_direction_is_seen() {
        assert_eq!(
            with("comfy-graph", "comfy-exec"),
            ["comfy-graph must not depend on comfy-exec"]
        );
    }

    #[test]
    fn a_tensor_in_the_engine_is_seen() {
        let expected =
            "comfy-exec must not depend on burn: only [\"comfy-diffusion\", \"comfy-nodes\"] may";
        assert_eq!(with("comfy-exec", "burn"), [expected]);
    }

    #[test]
    fn the_allowed_directions_have_no_cycle() {
        let mut done = BTreeSet::new();
        let mut rest: Vec<_> = ALLOWED.to_vec();
        while !rest.is_empty() {
            let before = rest.len();
            rest.retain(|(name, uses)| {
                let ready = uses.iter().all(|used| done.contains(used));
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
