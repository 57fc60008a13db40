//! What came of a prompt, for the terminal.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use comfy_api::error::{ErrorDetail, NodeErrors};
use comfy_api::history::HistoryEntry;
use comfy_nodes::folders::Folders;
use serde_json::{Value as Json, json};

use super::progress::Progress;

/// Why a prompt did not run to its end.
#[derive(Debug)]
pub(super) enum Failure {
    /// It cannot run.
    Refused(ErrorDetail, NodeErrors),
    /// Some of its outputs cannot run.
    Partly(NodeErrors),
    /// The engine takes nothing.
    NotTaken(String),
    /// A node failed.
    Node {
        class: String,
        id: String,
        message: String,
    },
    /// It was interrupted or failed without saying more.
    Unknown,
}

impl std::error::Error for Failure {}

impl Failure {
    /// What the history tells.
    pub(super) fn of(entry: &HistoryEntry) -> Self {
        let messages = entry.status.messages.iter();
        let error = messages
            .rev()
            .find(|message| message.0 == "execution_error");
        let Some(error) = error else {
            return Self::Unknown;
        };
        let text = |key: &str| match error.1.get(key) {
            Some(Json::String(text)) => text.trim_end().to_owned(),
            other => other.map(Json::to_string).unwrap_or_default(),
        };
        Self::Node {
            class: text("node_type"),
            id: text("node_id"),
            message: text("exception_message"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error, nodes) => {
                write!(f, "{}", error.message)?;
                // With nodes, the details repeat what they say.
                if !error.details.is_empty() && nodes.is_empty() {
                    write!(f, ": {}", error.details)?;
                }
                write!(f, "{}", Problems(nodes))
            }
            Self::Partly(nodes) => {
                write!(f, "some outputs were left out{}", Problems(nodes))
            }
            Self::NotTaken(text) => f.write_str(text),
            Self::Node { class, id, message } => write!(f, "node {id} ({class}): {message}"),
            Self::Unknown => f.write_str("the prompt was interrupted"),
        }
    }
}

/// One line for each complaint.
struct Problems<'a>(&'a NodeErrors);

impl fmt::Display for Problems<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, problems) in self.0 {
            for error in &problems.errors {
                write!(
                    f,
                    "\n  node {id} ({}): {}",
                    problems.class_type, error.message
                )?;
                if !error.details.is_empty() {
                    write!(f, ": {}", error.details)?;
                }
            }
        }
        Ok(())
    }
}

/// Prints the paths of the saved files to the standard output, one a line, and texts to the standard error; or all of it as lines of JSON.
pub(super) fn written(
    folders: &Folders,
    entry: &HistoryEntry,
    progress: &Progress,
) -> io::Result<()> {
    let mut paths = String::new();
    for (node, output) in &entry.outputs {
        let shown = output.as_object().into_iter().flatten();
        for item in shown.flat_map(|(_, items)| items.as_array().into_iter().flatten()) {
            if let Some(text) = item.as_str() {
                progress.line(&format!("node {node}: {text}"));
                continue;
            }
            let member = |key: &str| item.get(key).and_then(Json::as_str);
            let Some(name) = member("filename") else {
                continue;
            };
            let kind = member("type").unwrap_or("output");
            if kind == "temp" {
                progress.line(&format!("node {node}: the preview {name} is not kept"));
            } else if let Ok(path) =
                folders.resolve(kind, member("subfolder").unwrap_or_default(), name)
            {
                let text = path.display().to_string();
                let _ = writeln!(paths, "{text}");
                progress.tell("file", json!({"node": node, "path": text}));
            }
        }
    }
    if progress.is_json() {
        return Ok(());
    }
    io::stdout().write_all(paths.as_bytes())
}
