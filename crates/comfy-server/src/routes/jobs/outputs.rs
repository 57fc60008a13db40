//! What nodes gave out, counted, and which of it stands for the job in a list.

use std::borrow::Cow;

use comfy_api::jobs::PreviewOutput;
use indexmap::IndexMap;
use serde_json::{Map, Value as Json, json};

/// Kinds of output that a browser can show.
const SHOWN_KINDS: [&str; 5] = ["images", "video", "audio", "3d", "text"];
/// Endings of files with objects in space.
const OBJECT_ENDINGS: [&str; 5] = [".obj", ".fbx", ".gltf", ".glb", ".usdz"];
/// Endings of files with text.
const TEXT_ENDINGS: [&str; 3] = [".txt", ".md", ".json"];
/// Characters of a text that stand for it.
const TEXT_LENGTH: usize = 1024;

/// What came of a job.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Summary {
    /// Outputs, bare texts not among them.
    pub(super) count: usize,
    /// Those that a browser can show.
    pub(super) previewable: usize,
    /// The one that stands for all.
    pub(super) preview: Option<PreviewOutput>,
}

/// How well an output stands for a job; the best first. Text never hides a picture, whichever came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// Something to look at or listen to that was saved.
    Saved,
    /// Such a thing that was not.
    Temporary,
    /// A file with text.
    TextFile,
    /// A text.
    Text,
}

/// Looks through the outputs in the order of the nodes.
pub(super) fn summary(outputs: &IndexMap<String, Json>) -> Summary {
    let mut summary = Summary::default();
    let mut best: Option<Worth> = None;
    for (node, shown) in outputs {
        for (kind, items) in lists(shown) {
            for item in items {
                let (worth, members) = match as_file(item) {
                    Some(members) => {
                        summary.count += 1;
                        let worth = worth(kind, &members);
                        summary.previewable += usize::from(worth.is_some());
                        (worth, members)
                    }
                    None if kind == "text" => (Some(Worth::Text), Cow::Owned(beginning(item))),
                    None => continue,
                };
                if let Some(worth) = worth
                    && best.is_none_or(|best| worth < best)
                {
                    best = Some(worth);
                    summary.preview = Some(preview(node, kind, members.into_owned()));
                }
            }
        }
    }
    summary
}

/// The outputs with every file as an object, and without empty places.
pub(super) fn normalised(outputs: &IndexMap<String, Json>) -> IndexMap<String, Json> {
    let node = |shown: &Json| {
        let Json::Object(members) = shown else {
            return shown.clone();
        };
        let members = members.iter().map(|(kind, items)| {
            let items = match items {
                Json::Array(items) if kind != "animated" => items
                    .iter()
                    .filter(|item| !item.is_null())
                    .map(|item| match as_file(item) {
                        Some(file) => Json::Object(file.into_owned()),
                        None => item.clone(),
                    })
                    .collect(),
                other => other.clone(),
            };
            (kind.clone(), items)
        });
        Json::Object(members.collect())
    };
    let outputs = outputs.iter();
    outputs
        .map(|(id, shown)| (id.clone(), node(shown)))
        .collect()
}

/// The lists of things that a node shows; `animated` only tells about the pictures.
fn lists(shown: &Json) -> impl Iterator<Item = (&str, &Vec<Json>)> {
    let members = shown.as_object().into_iter().flatten();
    members
        .filter(|(kind, _)| *kind != "animated")
        .filter_map(|(kind, items)| Some((kind.as_str(), items.as_array()?)))
}

/// An item as an object. Some nodes name objects in space by their file alone.
fn as_file(item: &Json) -> Option<Cow<'_, Map<String, Json>>> {
    match item {
        Json::Object(members) => Some(Cow::Borrowed(members)),
        Json::String(name) if ends_with(name, &OBJECT_ENDINGS) => {
            match json!({"filename": name, "type": "output", "subfolder": "", "mediaType": "3d"}) {
                Json::Object(members) => Some(Cow::Owned(members)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// How well a file stands for its job; none if a browser cannot show it.
fn worth(kind: &str, file: &Map<String, Json>) -> Option<Worth> {
    let text = |key: &str| file.get(key).and_then(Json::as_str).unwrap_or_default();
    let is_stream = ["video/", "audio/"]
        .iter()
        .any(|prefix| text("format").starts_with(prefix));
    let is_text = ends_with(text("filename"), &TEXT_ENDINGS);
    let is_shown = SHOWN_KINDS.contains(&kind)
        || is_stream
        || is_text
        || ends_with(text("filename"), &OBJECT_ENDINGS);
    if !is_shown {
        None
    } else if kind == "text" || is_text {
        Some(Worth::TextFile)
    } else if text("type") == "output" {
        Some(Worth::Saved)
    } else {
        Some(Worth::Temporary)
    }
}

fn ends_with(name: &str, endings: &[&str]) -> bool {
    let name = name.to_lowercase();
    endings.iter().any(|ending| name.ends_with(ending))
}

/// The beginning of a text.
fn beginning(item: &Json) -> Map<String, Json> {
    let text = match item {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut members = Map::new();
    match text.char_indices().nth(TEXT_LENGTH) {
        None => {
            members.insert("content".to_owned(), Json::from(text));
        }
        Some((end, _)) => {
            members.insert("content".to_owned(), Json::from(&text[..end]));
            members.insert("truncated".to_owned(), Json::from(true));
        }
    }
    members
}

fn preview(node: &str, kind: &str, mut item: Map<String, Json>) -> PreviewOutput {
    // These two are said by us, but a node may have told its own kind.
    item.shift_remove("nodeId");
    let own_kind = match item.shift_remove("mediaType") {
        Some(Json::String(own)) => Some(own),
        _ => None,
    };
    PreviewOutput {
        item,
        node_id: node.to_owned(),
        media_type: own_kind.unwrap_or_else(|| kind.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(value: Json) -> IndexMap<String, Json> {
        serde_json::from_value(value).expect("an object")
    }

    fn chosen(value: Json) -> Json {
        serde_json::to_value(summary(&outputs(value)).preview).expect("it serialises")
    }

    fn counts(value: Json) -> (usize, usize) {
        let summary = summary(&outputs(value));
        (summary.count, summary.previewable)
    }

    #[test]
    fn a_saved_picture_stands_for_the_job() {
        let file =
            |name: &str, kind: &str| json!({"filename": name, "subfolder": "", "type": kind});
        let all = json!({
            "1": {"text": ["words"]},
            "2": {"images": [file("t.png", "temp")], "animated": [true]},
            "3": {"latents": [file("l.latent", "output")]},
            "4": {"files": [file("notes.TXT", "output")]},
            "5": {"images": [file("a.png", "output"), file("b.png", "output")]},
        });
        assert_eq!(
            chosen(all.clone()),
            json!({"filename": "a.png", "subfolder": "", "type": "output", "nodeId": "5", "mediaType": "images"})
        );
        assert_eq!(counts(all.clone()), (5, 4));
        let without = |nodes: &[&str]| {
            let mut rest = all.clone();
            for node in nodes {
                rest.as_object_mut().expect("an object").shift_remove(*node);
            }
            chosen(rest)
        };
        assert_eq!(without(&["5"])["filename"], "t.png");
        assert_eq!(without(&["5", "2"])["filename"], "notes.TXT");
        assert_eq!(
            without(&["5", "2", "4"]),
            json!({"content": "words", "nodeId": "1", "mediaType": "text"})
        );
        assert_eq!(without(&["5", "2", "4", "1"]), Json::Null);
    }

    #[test]
    fn odd_outputs_are_no_trouble() {
        let odd = json!({"1": null, "2": [], "3": {"images": "no list", "x": [null, 1, "plain", [2]], "animated": [true]}});
        assert_eq!(counts(odd.clone()), (0, 0));
        let expected = json!({"1": null, "2": [], "3": {"images": "no list", "x": [1, "plain", [2]], "animated": [true]}});
        assert_eq!(json!(normalised(&outputs(odd))), expected);
        assert_eq!(
            counts(json!({"1": {"gifs": [{"format": "video/mp4"}, {"format": 5}]}})),
            (2, 1)
        );
    }

    #[test]
    fn objects_in_space_may_be_bare_names() {
        let bare = json!({"1": {"result": ["mesh.GLB", "camera"]}});
        assert_eq!(
            chosen(bare.clone()),
            json!({"filename": "mesh.GLB", "type": "output", "subfolder": "", "nodeId": "1", "mediaType": "3d"})
        );
        assert_eq!(counts(bare.clone()), (1, 1));
        assert_eq!(
            normalised(&outputs(bare))["1"]["result"],
            json!([{"filename": "mesh.GLB", "type": "output", "subfolder": "", "mediaType": "3d"}, "camera"])
        );
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = "é".repeat(TEXT_LENGTH + 1);
        let preview = chosen(json!({"1": {"text": [text]}}));
        assert_eq!(preview["truncated"], true);
        let content = preview["content"].as_str().expect("a text");
        assert_eq!(content.chars().count(), TEXT_LENGTH);
    }
}
