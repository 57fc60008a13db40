//! `SaveSVGNode`.

use comfy_graph::python_json;
use comfy_graph::{ExtraPngInfo, Json, Node, NodeContext, NodeError, NodeSpec, PromptJson};
use regex::Regex;
use serde_json::json;

use crate::errors::{from_folders, from_writing};
use crate::folders::DirectoryKind;
use crate::nodes::metadata;
use crate::pictures::save_new;
use crate::runtime::Runtime;
use crate::sockets::Svg;

/// Saves vector graphics as SVG files in the output directory. The prompt is stored in each file.
#[derive(Debug, NodeSpec)]
#[node(
    id = "SaveSVGNode",
    category = "image/save",
    module = "comfy_extras.nodes_images",
    output_node
)]
pub struct SaveSvg {
    /// The graphics to save.
    svg: Svg,
    /// The start of the file names. It may contain directories and the patterns of `SaveImage`.
    #[input(default = "svg/ComfyUI")]
    filename_prefix: String,
    /// The prompt to store.
    prompt: PromptJson,
    /// The client's metadata to store.
    extra_pnginfo: ExtraPngInfo,
}

impl Node for SaveSvg {
    type Output = ();

    fn run(self, context: &mut NodeContext<'_>) -> Result<(), NodeError> {
        let runtime = context.service::<Runtime>()?;
        let mut members = Vec::new();
        if runtime.options().metadata {
            members = metadata::values(&self.prompt, &self.extra_pnginfo)?;
        }
        let mut target = runtime
            .folders()
            .save_target(DirectoryKind::Output, &self.filename_prefix, 0, 0)
            .map_err(from_folders)?;
        for (index, document) in self.svg.0.iter().enumerate() {
            let file = with_metadata(document, &members);
            let stem = target.stem.replace("%batch_num%", &index.to_string());
            let name_of = |counter| format!("{stem}_{counter:05}_.svg");
            let (name, counter) =
                save_new(&target.folder, target.counter, name_of, file.as_bytes())
                    .map_err(from_writing)?;
            target.counter = counter + 1;
            context.add_ui(
                "images",
                json!({"filename": name, "subfolder": target.subfolder, "type": "output"}),
            );
        }
        Ok(())
    }
}

/// A document with metadata in its `svg` elements, where clients look for it.
fn with_metadata(document: &str, members: &[(String, Json)]) -> String {
    if members.is_empty() {
        return document.to_owned();
    }
    let members = members.iter().cloned().collect();
    // The end of a CDATA section must not appear in it.
    let json = python_json::to_string(&Json::Object(members)).replace("]]>", "]]\\u003e");
    let element = format!("<metadata>\n<![CDATA[\n{json}\n]]>\n</metadata>\n");
    let start = Regex::new("<svg[^>]*>").expect("the pattern is valid");
    start
        .replace_all(document, |found: &regex::Captures<'_>| {
            format!("{}\n{element}", &found[0])
        })
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_goes_into_the_element() {
        let members = [
            ("prompt".to_owned(), json!({"1": "a ]]> b"})),
            ("workflow".to_owned(), json!({"version": 0.4})),
        ];
        let document = "<?xml version=\"1.0\"?>\n<svg width=\"1\">\n<path/></svg>";
        let saved = with_metadata(document, &members);
        // As the official front end finds it.
        let pattern = r"(?i)<metadata>\s*<!\[CDATA\[([\s\S]*?)\]\]>\s*</metadata>";
        let pattern = Regex::new(pattern).expect("the pattern is valid");
        let found = pattern.captures(&saved).expect("there is metadata");
        let json: Json = serde_json::from_str(found[1].trim()).expect("it is JSON");
        assert_eq!(
            json,
            json!({"prompt": {"1": "a ]]> b"}, "workflow": {"version": 0.4}})
        );
        assert!(saved.starts_with("<?xml version=\"1.0\"?>\n<svg width=\"1\">\n<metadata>"));
        assert!(saved.ends_with("</metadata>\n\n<path/></svg>"));
        assert_eq!(with_metadata(document, &[]), document);
    }
}
