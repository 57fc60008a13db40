//! `extra_model_paths.yaml`: model directories outside of the base directory.
//!
//! ```yaml
//! my_disk:
//!     base_path: /mnt/models
//!     is_default: true
//!     checkpoints: sd/checkpoints
//!     loras: |
//!         sd/loras
//!         sdxl/loras
//! ```

use std::io::Read;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use yaml_serde::Value;

use super::table::{self, ModelFolder};
use super::{FolderError, normalise};

/// A list of directories is small; anything larger is some other file.
const LARGEST_FILE: u64 = 1 << 20;

/// Adds the directories that `file` names to the table.
pub(super) fn apply(
    table: &mut IndexMap<String, ModelFolder>,
    file: &Path,
) -> Result<(), FolderError> {
    let invalid = |reason: String| FolderError::ExtraPaths {
        path: file.to_path_buf(),
        reason,
    };
    let mut text = String::new();
    std::fs::File::open(file)
        .and_then(|opened| opened.take(LARGEST_FILE + 1).read_to_string(&mut text))
        .map_err(FolderError::io("reading the extra model paths", file))?;
    if text.len() as u64 > LARGEST_FILE {
        return Err(invalid(format!("it is larger than {LARGEST_FILE} bytes")));
    }
    let document: Value =
        yaml_serde::from_str(&text).map_err(|error| invalid(error.to_string()))?;
    let sections = match document {
        Value::Null => return Ok(()),
        Value::Mapping(sections) => sections,
        other => return Err(invalid(format!("the document is {}", kind_of(&other)))),
    };
    let here = file.parent().unwrap_or(Path::new("/"));
    for (name, section) in &sections {
        let name = name.as_str().unwrap_or("?");
        match section {
            Value::Null => {}
            Value::Mapping(entries) => apply_section(table, here, entries)
                .map_err(|reason| invalid(format!("section '{name}': {reason}")))?,
            other => return Err(invalid(format!("section '{name}' is {}", kind_of(other)))),
        }
    }
    Ok(())
}

fn apply_section(
    table: &mut IndexMap<String, ModelFolder>,
    here: &Path,
    entries: &yaml_serde::Mapping,
) -> Result<(), String> {
    let base = match entries.get("base_path") {
        None | Some(Value::Null) => here.to_path_buf(),
        Some(Value::String(text)) => here.join(expand(text)),
        Some(other) => {
            return Err(format!(
                "expected a path as base_path, got {}",
                kind_of(other)
            ));
        }
    };
    let is_default = match entries.get("is_default") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(flag)) => *flag,
        Some(other) => {
            return Err(format!(
                "expected true or false as is_default, got {}",
                kind_of(other)
            ));
        }
    };
    for (key, value) in entries {
        let Some(key) = key.as_str() else {
            return Err(format!(
                "expected the name of a model folder, got {}",
                kind_of(key)
            ));
        };
        if matches!(key, "base_path" | "is_default") {
            continue;
        }
        let lines = value.as_str().ok_or_else(|| {
            format!(
                "expected paths for '{key}', one a line, got {}",
                kind_of(value)
            )
        })?;
        for line in lines
            .lines()
            .map(str::trim_end)
            .filter(|line| !line.is_empty())
        {
            table::add(table, key, normalise(&base.join(line)), is_default);
        }
    }
    Ok(())
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "a mapping",
        Value::Tagged(_) => "a tagged value",
    }
}

/// Replaces a leading `~` by the home directory, and `$NAME` or `${NAME}` by the environment's value. What is not set stays.
fn expand(text: &str) -> PathBuf {
    expand_with(text, &|name| std::env::var(name).ok())
}

fn expand_with(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    let home = ["HOME", "USERPROFILE"].into_iter().find_map(lookup);
    let mut rest = text;
    let mut expanded = String::new();
    if let (Some(after), Some(home)) = (text.strip_prefix('~'), home)
        && (after.is_empty() || after.starts_with(['/', '\\']))
    {
        expanded.push_str(&home);
        rest = after;
    }
    while let Some(dollar) = rest.find('$') {
        let (before, from_dollar) = rest.split_at(dollar);
        expanded.push_str(before);
        let after = &from_dollar[1..];
        let braced = after
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'));
        let (name, length) = if let Some((name, _)) = braced {
            (name, name.len() + 3)
        } else {
            let end = after
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                .unwrap_or(after.len());
            (&after[..end], end + 1)
        };
        match lookup(name).filter(|_| !name.is_empty()) {
            Some(value) => expanded.push_str(&value),
            None => expanded.push_str(&from_dollar[..length]),
        }
        rest = &from_dollar[length..];
    }
    expanded.push_str(rest);
    PathBuf::from(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn home_and_environment_are_expanded() {
        let lookup = |name: &str| match name {
            "HOME" => Some("/home/me".to_owned()),
            "DISK" => Some("/mnt/disk".to_owned()),
            _ => None,
        };
        for (text, expected) in [
            ("~/models", "/home/me/models"),
            ("~", "/home/me"),
            ("~you/models", "~you/models"),
            ("$DISK/sd", "/mnt/disk/sd"),
            ("${DISK}s/sd", "/mnt/disks/sd"),
            ("/a/$MISSING/${GONE}/b", "/a/$MISSING/${GONE}/b"),
            ("/a/$", "/a/$"),
            ("/a/${open", "/a/${open"),
        ] {
            assert_eq!(expand_with(text, &lookup), Path::new(expected), "{text}");
        }
    }
}
