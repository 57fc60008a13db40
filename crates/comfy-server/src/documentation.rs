//! Pages about the node classes, made from their declarations.

use std::fmt::Write;

use comfy_graph::documentation::{Examples, by_category, category_page, file_name, page};
use comfy_graph::{Catalog, NodeRegistry, NodeSchema, RegistryError};
use comfy_nodes::runtime::BuiltInLists;

/// A file of the folder `docs/nodes`: its name and its contents.
pub type Page = (String, String);

/// The pages about the built-in classes: an index, and one for each category.
pub fn node_pages() -> Result<Vec<Page>, RegistryError> {
    let mut registry = NodeRegistry::new();
    comfy_nodes::register(&mut registry)?;
    let schemas = schemas(&registry, &BuiltInLists);
    let examples = Examples::new(&schemas);
    let mut index = String::from(
        "# Nodes\n\nGenerated from the declarations by `cargo xtask docs`; do not edit. A running server has the same texts, with its own \
         files as choices, at `/docs`.\n",
    );
    let mut pages = Vec::new();
    for (category, schemas) in by_category(&schemas) {
        let file = file_name(category);
        let _ = write!(index, "\n- [{category}]({file}): ");
        let names: Vec<&str> = schemas.iter().map(|schema| schema.id.as_str()).collect();
        index.push_str(&names.join(", "));
        pages.push((file, category_page(category, &schemas, &examples)));
    }
    index.push('\n');
    pages.insert(0, ("README.md".to_owned(), index));
    Ok(pages)
}

/// The page of one class of a server, as Markdown.
pub(crate) fn class_page(
    registry: &NodeRegistry,
    catalog: &dyn Catalog,
    class: &str,
) -> Option<String> {
    let schema = registry.get(class)?.schema(catalog);
    let schemas = schemas(registry, catalog);
    Some(page(&schema, &Examples::new(&schemas)))
}

/// A page with links to all classes, as HTML.
pub(crate) fn index_page(registry: &NodeRegistry, catalog: &dyn Catalog) -> String {
    let mut html = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Nodes</title>\n<style>body{font:16px/1.5 system-ui;max-width:50rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}\
         dt{margin-top:.6rem;font-weight:600}dd{margin:0}</style>\n<h1>Nodes</h1>\n",
    );
    let schemas = schemas(registry, catalog);
    for (category, schemas) in by_category(&schemas) {
        let _ = write!(html, "<h2>{}</h2>\n<dl>\n", escaped(category));
        for schema in schemas {
            let _ = writeln!(
                html,
                "<dt><a href=\"/docs/{}/en.md\">{}</a></dt><dd>{}</dd>",
                percent_encoding::utf8_percent_encode(
                    &schema.id,
                    percent_encoding::NON_ALPHANUMERIC
                ),
                escaped(schema.display_name()),
                escaped(&schema.description)
            );
        }
        html.push_str("</dl>\n");
    }
    html
}

fn schemas(registry: &NodeRegistry, catalog: &dyn Catalog) -> Vec<NodeSchema> {
    let classes = registry.iter();
    classes.map(|(_, class)| class.schema(catalog)).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}
