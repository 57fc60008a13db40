//! `/object_info` of the testing nodes against ComfyUI's, field by field.

#![expect(clippy::unwrap_used, reason = "a failing test may panic")]

use comfy_graph::{EmptyCatalog, NodeRegistry};

#[test]
fn entries_equal_the_recorded_ones() {
    let recorded = comfy_fixtures::json("http/object_info_testing_nodes.json");
    let recorded = recorded.as_object().unwrap();
    let mut registry = NodeRegistry::new();
    comfy_testing_nodes::register(&mut registry).unwrap();

    assert!(
        registry.iter().map(|(id, _)| id).eq(recorded.keys()),
        "the classes and their order"
    );
    let mut found = Vec::new();
    for (id, class) in registry.iter() {
        let ours = serde_json::to_value(class.schema(&EmptyCatalog).to_object_info()).unwrap();
        found.extend(comfy_fixtures::object_info_differences(
            id,
            &ours,
            &recorded[id],
        ));
    }
    assert_eq!(found, [""; 0], "where entries differ");
}
