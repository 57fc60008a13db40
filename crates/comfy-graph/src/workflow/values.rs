//! Saved values of widgets, by the names of their inputs.

use super::document::{Node, SavedValues};
use super::layout::{Layout, Place, Upload, Widget, is_truthy};
use crate::Json;
use indexmap::IndexMap;

/// The values of a node's widgets by input name; a combo without choices has none.
pub(super) fn widget_values(node: &Node, layout: &Layout) -> IndexMap<String, Option<Json>> {
    let listed = match &node.values {
        SavedValues::List(values) => without_sockets(values, layout),
        _ => Vec::new(),
    };
    let mut values = IndexMap::new();
    for (index, place) in layout.places.iter().enumerate() {
        let Place::Input(widget) = place else {
            continue;
        };
        let saved = match &node.values {
            SavedValues::Named(named) => named.get(&widget.name),
            _ => listed.get(index).copied(),
        };
        let value = match saved {
            Some(saved) => Some(widget.read(saved)),
            None => widget.default_value(),
        };
        values.insert(widget.name.clone(), value);
    }
    values
}

/// Drops values of inputs that have no widget any more, if the number of values says that they are there.
fn without_sockets<'a>(values: &'a [Json], layout: &Layout) -> Vec<&'a Json> {
    let is_old = layout.old.count == values.len();
    let dropped = |index: usize| is_old && layout.old.is_socket.get(index) == Some(&true);
    let values = values.iter().enumerate();
    values
        .filter(|(index, _)| !dropped(*index))
        .map(|(_, value)| value)
        .collect()
}

impl Widget {
    /// The value as the widget gives it back.
    pub(super) fn read(&self, saved: &Json) -> Json {
        if let Some(upload) = &self.upload {
            return upload.file(saved, || self.first_choice());
        }
        if self.is_text_area() {
            // A text area holds text, with line ends of one kind.
            return Json::from(
                match saved {
                    Json::Null => String::new(),
                    Json::String(text) => text.clone(),
                    other => other.to_string(),
                }
                .replace("\r\n", "\n")
                .replace('\r', "\n"),
            );
        }
        saved.clone()
    }

    /// The value of a new widget.
    pub(super) fn default_value(&self) -> Option<Json> {
        let default = self.settings.get("default");
        match self.kind.as_str() {
            "INT" | "FLOAT" => Some(default.cloned().unwrap_or_else(|| Json::from(0))),
            "BOOLEAN" => Some(default.cloned().unwrap_or(Json::Bool(false))),
            "STRING" => Some(default.map_or_else(|| Json::from(""), |text| self.read(text))),
            "COMBO" if self.settings.get("multi_select").is_some_and(is_truthy) => {
                Some(Json::Array(Vec::new()))
            }
            "COMBO" => {
                let first = self.first_choice()?;
                Some(self.read(&first))
            }
            _ => Some(default.cloned().unwrap_or_else(|| Json::from(""))),
        }
    }

    /// Whether the front end picks among the `{a|b}` of its text.
    pub(super) fn has_dynamic_prompts(&self) -> bool {
        self.kind == "STRING" && self.settings.get("dynamicPrompts") == Some(&Json::Bool(true))
    }

    fn is_text_area(&self) -> bool {
        self.kind == "STRING" && self.settings.get("multiline").is_some_and(is_truthy)
    }

    fn first_choice(&self) -> Option<Json> {
        let default = self
            .settings
            .get("default")
            .filter(|value| is_truthy(value));
        default.or_else(|| self.choices.first()).cloned()
    }
}

impl Upload {
    /// A chosen file by the name that nodes know it by: below its folder, with the folder in brackets unless it is `input`.
    fn file(&self, saved: &Json, first_choice: impl Fn() -> Option<Json>) -> Json {
        match saved {
            _ if !is_truthy(saved) => first_choice().unwrap_or(Json::Null),
            Json::Array(files) if self.several => {
                files.iter().map(|file| self.annotated(file)).collect()
            }
            Json::Array(files) => files
                .first()
                .map_or(Json::Null, |file| self.annotated(file)),
            file => self.annotated(file),
        }
    }

    fn annotated(&self, file: &Json) -> Json {
        let bracket = |path: String, folder: &str| {
            let has_folder = ["[input]", "[output]", "[temp]"]
                .iter()
                .any(|folder| path.to_lowercase().contains(folder));
            if has_folder || folder == "input" {
                return Json::from(path);
            }
            Json::from(format!("{path} [{folder}]"))
        };
        let member = |key: &str| file.get(key).and_then(Json::as_str);
        match file {
            Json::String(path) => bracket(path.clone(), &self.folder),
            Json::Object(_) => {
                let name = member("filename").unwrap_or_default();
                let path = match member("subfolder") {
                    Some(folder) if !folder.is_empty() => format!("{folder}/{name}"),
                    _ => name.to_owned(),
                };
                bracket(path, member("type").unwrap_or("input"))
            }
            other => other.clone(),
        }
    }
}
