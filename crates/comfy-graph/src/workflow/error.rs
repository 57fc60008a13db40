//! Why a workflow cannot become a prompt.

use std::fmt;

/// Why a workflow cannot become a prompt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkflowError {
    /// A part of the file is not what it should be.
    #[error("{place}: expected {expected}, got {got}")]
    Unexpected {
        /// Where, such as `node 5`.
        place: String,
        /// What should be there.
        expected: &'static str,
        /// What is there, shortened.
        got: String,
    },
    /// Nodes of classes that are not known.
    #[error("unknown node {}", Listed(.0))]
    UnknownClasses(Vec<UnknownClass>),
    /// A subgraph that contains itself.
    #[error("node {node}: the subgraph {name} contains itself")]
    Recursion {
        /// The id of the inner instance.
        node: String,
        /// The name of the subgraph.
        name: String,
    },
    /// Links that lead back to where they started without passing a node that runs.
    #[error("input {input} of node {node}: its links form a loop")]
    Loop {
        /// The id of the node.
        node: String,
        /// The name of the input.
        input: String,
    },
    /// More of something than is allowed.
    #[error("{place}: more than {limit} {what}")]
    TooMany {
        /// Where, such as `node 5`.
        place: String,
        /// Of what.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
}

/// A class that no one registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownClass {
    /// The name in the file.
    pub name: String,
    /// The ids of its nodes.
    pub nodes: Vec<String>,
    /// Known classes with similar names, nearest first.
    pub near: Vec<String>,
}

impl fmt::Display for UnknownClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Longer lists help nobody.
        const SHOWN: usize = 5;
        let ids = &self.nodes;
        write!(f, "{:?} (id ", self.name)?;
        write!(f, "{}", ids[..ids.len().min(SHOWN)].join(", "))?;
        if ids.len() > SHOWN {
            write!(f, " and {} more", ids.len() - SHOWN)?;
        }
        write!(f, ")")?;
        if !self.near.is_empty() {
            write!(f, ", did you mean {}?", self.near.join(", "))?;
        }
        Ok(())
    }
}

struct Listed<'a>(&'a [UnknownClass]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, class) in self.0.iter().enumerate() {
            if index > 0 {
                write!(f, "; unknown node ")?;
            }
            write!(f, "{class}")?;
        }
        Ok(())
    }
}

/// Names of `known` similar to `name`, nearest first.
pub(super) fn near_names(name: &str, known: &[String]) -> Vec<String> {
    /// Below this similarity a name has nothing to do with the other.
    const SIMILAR: f64 = 0.75;
    const OFFERED: usize = 3;
    let plain = |text: &str| text.to_lowercase().replace([' ', '_', '-', '(', ')'], "");
    let wanted = plain(name);
    let mut scored: Vec<(f64, &String)> = known
        .iter()
        .map(|known| (strsim::jaro_winkler(&wanted, &plain(known)), known))
        .filter(|(score, _)| *score >= SIMILAR)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    scored
        .into_iter()
        .take(OFFERED)
        .map(|(_, known)| known.clone())
        .collect()
}
