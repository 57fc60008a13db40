//! Saved workflows become the prompts that the front end makes of them.

use comfy_api::object_info::ObjectInfo;
use comfy_graph::Json;
use comfy_graph::workflow::{LocalTime, Surroundings, is_workflow, prompt_from_workflow};

fn classes() -> ObjectInfo {
    serde_json::from_value(comfy_fixtures::object_info()).expect("the classes can be read")
}

fn converted(workflow: &Json, classes: &ObjectInfo) -> Result<Json, String> {
    let mut surroundings = Surroundings {
        classes,
        choose: &mut |_| 0,
        now: LocalTime::default(),
    };
    let prompt = prompt_from_workflow(workflow, &mut surroundings);
    prompt.map_err(|error| error.to_string())
}

/// A value as JavaScript keeps it: it has one kind of number.
fn plain(value: &Json) -> Json {
    match value {
        Json::Number(number) => number.as_f64().map_or(Json::Null, Json::from),
        Json::Array(items) => items.iter().map(plain).collect(),
        Json::Object(members) => {
            let members = members.iter();
            Json::Object(
                members
                    .map(|(key, value)| (key.clone(), plain(value)))
                    .collect(),
            )
        }
        other => other.clone(),
    }
}

#[test]
fn every_rule_is_as_in_the_front_end() {
    let classes = classes();
    let fixtures = comfy_fixtures::ui_workflows();
    assert!(fixtures.len() >= 13);
    for (name, fixture) in fixtures {
        assert!(is_workflow(&fixture["workflow"]), "{name}");
        let prompt = converted(&fixture["workflow"], &classes);
        let prompt = prompt.unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected = fixture["prompt"].as_object().expect("a prompt");
        let given = prompt.as_object().expect("a prompt");
        assert_eq!(
            given.keys().collect::<Vec<_>>(),
            expected.keys().collect::<Vec<_>>(),
            "{name}"
        );
        for (id, node) in expected {
            let mut node = node.clone();
            // Buttons and players of the page send values that no class declares, and the server would drop.
            let class = &classes[node["class_type"].as_str().expect("a class")];
            let declares = |input: &str| {
                class.input.required.contains_key(input) || class.input.optional.contains_key(input)
            };
            if let Some(inputs) = node["inputs"].as_object_mut() {
                inputs.retain(|input, value| value.is_array() || declares(input));
            }
            assert_eq!(plain(&given[id]), plain(&node), "node {id} of {name}");
        }
        assert!(!is_workflow(&prompt), "{name}");
    }
}

#[test]
fn broken_files_are_refused_or_converted_but_never_panic() {
    let classes = classes();
    for (_, fixture) in comfy_fixtures::ui_workflows() {
        // Each value of the file in turn is replaced by others.
        let mut pointers = Vec::new();
        let mut pending = vec![(String::new(), &fixture["workflow"])];
        while let Some((pointer, value)) = pending.pop() {
            match value {
                Json::Object(members) => pending.extend(members.iter().map(|(key, value)| {
                    let key = key.replace('~', "~0").replace('/', "~1");
                    (format!("{pointer}/{key}"), value)
                })),
                Json::Array(items) => pending.extend(
                    items
                        .iter()
                        .enumerate()
                        .map(|(index, item)| (format!("{pointer}/{index}"), item)),
                ),
                _ => {}
            }
            pointers.push(pointer);
        }
        let others = [
            Json::Null,
            Json::from(-1),
            Json::from(u64::MAX),
            Json::from("30"),
            Json::from(vec![0]),
            serde_json::json!({"x": 1}),
        ];
        for (index, pointer) in pointers.iter().enumerate() {
            let mut broken = fixture["workflow"].clone();
            *broken.pointer_mut(pointer).expect("it was just found") =
                others[index % others.len()].clone();
            let _ = converted(&broken, &classes);
        }
    }
}
