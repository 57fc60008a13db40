//! The pages about nodes, and the examples in them.

#![expect(clippy::unwrap_used, reason = "a failing test may panic")]

use comfy_graph::documentation::{Examples, by_category, category_page, page};
use comfy_graph::{Catalog, NodeRegistry, NodeSchema, Services, validate};
use comfy_nodes::runtime::BuiltInLists;

/// A server with one file of each kind.
struct OneFile;

impl Catalog for OneFile {
    fn list(&self, name: &str) -> Vec<String> {
        let list = BuiltInLists.list(name);
        if !list.is_empty() {
            return list;
        }
        vec!["example.safetensors".to_owned(), "example.png".to_owned()]
    }
}

fn registry() -> NodeRegistry {
    let mut registry = NodeRegistry::new();
    comfy_nodes::register(&mut registry).unwrap();
    registry
}

fn schemas(registry: &NodeRegistry) -> Vec<NodeSchema> {
    let classes = registry.iter();
    classes
        .map(|(_, class)| class.schema(&BuiltInLists))
        .collect()
}

#[test]
fn examples_are_prompts_that_can_run() {
    let registry = registry();
    let schemas = schemas(&registry);
    let examples = Examples::new(&schemas);
    let mut without = Vec::new();
    for schema in &schemas {
        let Some(mut prompt) = examples.prompt(schema) else {
            without.push(schema.id.as_str());
            continue;
        };
        let nodes = prompt.as_object().unwrap().values();
        assert!(
            nodes
                .into_iter()
                .any(|node| node["class_type"] == schema.id),
            "{}",
            schema.id
        );
        let validated = validate(&mut prompt, None, &registry, &OneFile, &Services::new());
        assert!(validated.is_ok(), "{}: {prompt:#}", schema.id);
    }
    // No class makes vector graphics or a list of numbers, and pictures of a camera come from the browser.
    assert_eq!(
        without,
        [
            "CreateHookKeyframesFromFloats",
            "SaveSVGNode",
            "WebcamCapture"
        ]
    );
}

#[test]
fn pages_say_everything() {
    let registry = registry();
    let schemas = schemas(&registry);
    let examples = Examples::new(&schemas);
    let scale = schemas
        .iter()
        .find(|schema| schema.id == "LatentUpscaleBy")
        .unwrap();
    let text = page(scale, &examples);
    for part in [
        "# Upscale Latent By\n\n`LatentUpscaleBy` · latent\n",
        "| `scale_by` | FLOAT | `1.5` | 0.01 … 8.0, in steps of 0.01 | How many times",
        "| `upscale_method` | COMBO |  | `nearest-exact` `bilinear` `area` `bicubic` `bislerp` |",
        "| `LATENT` | LATENT | The latent after the change. |",
        "\"class_type\": \"LatentUpscaleBy\"",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let categories = by_category(&schemas);
    let latent = category_page("latent", &categories["latent"], &examples);
    assert!(latent.contains("\n## Upscale Latent By\n\n`LatentUpscaleBy`"));
    assert_eq!(
        categories.values().map(Vec::len).sum::<usize>(),
        schemas.len()
    );
}
