//! Changes of a prompt from the command line.

use std::str::FromStr;

use serde_json::{Map, Value as Json};

/// Inputs that hold the seed of a node.
const SEEDS: [&str; 2] = ["seed", "noise_seed"];

/// `NODE.INPUT=VALUE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The node and the input, with a dot between them. Both may have dots of their own.
    path: String,
    value: Json,
}

/// Why a change cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The text has no `=` or no `.` before it.
    #[error("expected NODE.INPUT=VALUE, got `{0}`")]
    Form(String),
    /// Nothing has that name.
    #[error("no node of `{path}` is in the prompt, which has: {known}")]
    NoNode {
        /// The node and input asked for.
        path: String,
        /// The nodes that there are.
        known: String,
    },
    /// Several nodes have that name.
    #[error("`{name}` names several nodes; name one by its id: {ids}")]
    Ambiguous {
        /// The title or class.
        name: String,
        /// The ids.
        ids: String,
    },
    /// A seed was given and no node has one.
    #[error("a seed was given, but no node of the prompt has one")]
    NoSeed,
}

impl FromStr for Change {
    type Err = ChangeError;

    fn from_str(text: &str) -> Result<Self, ChangeError> {
        let parts = text.split_once('=');
        let (path, value) = parts
            .filter(|(path, _)| path.contains('.'))
            .ok_or_else(|| ChangeError::Form(text.to_owned()))?;
        Ok(Self {
            path: path.to_owned(),
            // What is no JSON is text, so that text needs no quotes.
            value: serde_json::from_str(value).unwrap_or_else(|_| Json::from(value)),
        })
    }
}

impl Change {
    /// Sets the input. Nodes are named by id, by title, or by class.
    pub(super) fn apply(&self, prompt: &mut Json) -> Result<(), ChangeError> {
        let nodes = prompt.as_object();
        let nodes = nodes.ok_or_else(|| self.no_node(&Map::new()))?;
        let mut found = None;
        for (at, _) in self.path.match_indices('.') {
            let (node, input) = (&self.path[..at], &self.path[at + 1..]);
            if let Some(id) = find(nodes, node)? {
                found = Some((id, input));
                break;
            }
        }
        let (id, input) = found.ok_or_else(|| self.no_node(nodes))?;
        let value = match &self.value {
            // A bare list would be a link.
            Json::Array(_) => serde_json::json!({"__value__": self.value}),
            other => other.clone(),
        };
        if let Some(Json::Object(inputs)) =
            prompt.get_mut(&id).and_then(|node| node.get_mut("inputs"))
        {
            inputs.insert(input.to_owned(), value);
        }
        Ok(())
    }

    fn no_node(&self, nodes: &Map<String, Json>) -> ChangeError {
        let known = nodes
            .iter()
            .map(|(id, node)| match text(node, "/class_type") {
                Some(class) => format!("{id} ({class})"),
                None => id.clone(),
            });
        ChangeError::NoNode {
            path: self.path.clone(),
            known: known.collect::<Vec<_>>().join(", "),
        }
    }
}

/// Gives every node that has a seed this one.
pub(super) fn set_seeds(prompt: &mut Json, seed: u64) -> Result<(), ChangeError> {
    let mut any = false;
    let nodes = prompt.as_object_mut().into_iter().flat_map(Map::values_mut);
    for node in nodes {
        let Some(Json::Object(inputs)) = node.get_mut("inputs") else {
            continue;
        };
        for name in SEEDS {
            // A seed that is linked comes from another node.
            if let Some(value) = inputs.get_mut(name)
                && value.is_number()
            {
                *value = Json::from(seed);
                any = true;
            }
        }
    }
    if any {
        Ok(())
    } else {
        Err(ChangeError::NoSeed)
    }
}

/// The id of the node with this id, else of the one with this title, else of the one of this class.
fn find(nodes: &Map<String, Json>, name: &str) -> Result<Option<String>, ChangeError> {
    if nodes.contains_key(name) {
        return Ok(Some(name.to_owned()));
    }
    for pointer in ["/_meta/title", "/class_type"] {
        let named = nodes
            .iter()
            .filter(|(_, node)| text(node, pointer) == Some(name));
        let ids: Vec<&str> = named.map(|(id, _)| id.as_str()).collect();
        match ids.as_slice() {
            [] => {}
            [id] => return Ok(Some((*id).to_owned())),
            several => {
                return Err(ChangeError::Ambiguous {
                    name: name.to_owned(),
                    ids: several.join(", "),
                });
            }
        }
    }
    Ok(None)
}

fn text<'a>(node: &'a Json, pointer: &str) -> Option<&'a str> {
    node.pointer(pointer).and_then(Json::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn prompt() -> Json {
        json!({
            "3": {"class_type": "KSampler", "inputs": {"seed": 1, "model": ["4", 0]}, "_meta": {"title": "Main v1.5"}},
            "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a"}},
            "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "b"}},
        })
    }

    fn changed(text: &str) -> Result<Json, ChangeError> {
        let mut prompt = prompt();
        text.parse::<Change>()?.apply(&mut prompt)?;
        Ok(prompt)
    }

    #[test]
    fn nodes_are_named_by_id_title_or_class() {
        assert_eq!(
            changed("3.seed=5").expect("known")["3"]["inputs"]["seed"],
            5
        );
        assert_eq!(
            changed("Main v1.5.steps=9").expect("known")["3"]["inputs"]["steps"],
            9
        );
        assert_eq!(
            changed("KSampler.a.b=x=y").expect("known")["3"]["inputs"]["a.b"],
            "x=y"
        );
        let list = changed("6.text=[1,2]").expect("known");
        assert_eq!(list["6"]["inputs"]["text"], json!({"__value__": [1, 2]}));
    }

    #[test]
    fn what_cannot_be_set_is_said() {
        let error = |text: &str| changed(text).expect_err("impossible").to_string();
        assert!(error("9.seed=1").contains("3 (KSampler), 6 (CLIPTextEncode)"));
        assert!(error("CLIPTextEncode.text=x").contains("6, 7"));
        assert!(error("seed=1").contains("NODE.INPUT=VALUE"));
        assert!(error("3.seed").contains("NODE.INPUT=VALUE"));
    }

    #[test]
    fn a_seed_goes_to_all_that_have_one() {
        let mut prompt = prompt();
        set_seeds(&mut prompt, 77).expect("there is one");
        assert_eq!(prompt["3"]["inputs"]["seed"], 77);
        assert_eq!(
            set_seeds(&mut json!({"1": {"inputs": {"seed": ["2", 0]}}}), 1),
            Err(ChangeError::NoSeed)
        );
    }
}
