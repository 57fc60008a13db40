//! Saved workflows become the prompts that ComfyUI's own front end makes of them: the hand-written ones of the fixtures and the official
//! templates.
//!
//! Classes that ComfyUI 0.3.64 does not have are made up for both sides from how the templates use them. That says nothing about these
//! nodes, but lets the graphs around them be compared.

use std::collections::BTreeMap;
use std::path::Path;

use comfy_api::object_info::ObjectInfo;
use comfy_graph::workflow::{LocalTime, Surroundings, prompt_from_workflow};
use comfy_tests::front_end::{FrontEnd, installed};
use comfy_tests::skipped;
use serde_json::{Map, Value, json};

const WIDGETS: [&str; 5] = ["BOOLEAN", "COMBO", "FLOAT", "INT", "STRING"];
const VIRTUAL: [&str; 4] = ["MarkdownNote", "Note", "PrimitiveNode", "Reroute"];

#[test]
fn prompts_are_those_of_the_front_end() {
    let templates = installed("templates-0.1.94").map(|folder| workflows(&folder));
    compare("front-end-1.27.10", templates, true, &[]);
}

#[test]
fn prompts_of_new_workflows_are_those_of_the_new_front_end() {
    // All of them would take many minutes.
    let step = 12;
    let templates = installed("templates-0.1.123").map(|folder| {
        let all = workflows(&folder).into_iter();
        all.step_by(step).collect()
    });
    compare("front-end-1.58.1", templates, false, KNOWN_DIFFERENCES);
}

const SAME_ID: &str =
    "a node inside of a subgraph has the id of one outside, and the new front end gives it another";

/// Templates that the new front end converts otherwise, and why that is right.
const KNOWN_DIFFERENCES: &[(&str, &str)] = &[
    ("api_google_nano_banana2_image_edit_continuation", SAME_ID),
    (
        "api_mirelo_video_to_sfx",
        "of two inputs in a row that the class does not have, the front end takes out only the first",
    ),
    (
        "utility_video_segment_sam3",
        "the made-up class has a widget for a bounding box, which has several values in the new front end",
    ),
    ("video_kandinsky5_i2v", SAME_ID),
    (
        "video_wan2_2_14B_s2v",
        "saved by 1.27.10, which runs the nodes inside of a bypassed subgraph",
    ),
];

fn compare(
    front_end: &str,
    templates: Option<BTreeMap<String, Value>>,
    with_fixtures: bool,
    known: &[(&str, &str)],
) {
    let (Some(folder), Some(mut workflows)) = (installed(front_end), templates) else {
        return skipped(
            "ComfyUI's front end is not here (tests/front_end/install.py fetches it), conversions were not compared with it",
        );
    };
    let mut classes = comfy_fixtures::object_info();
    let made_up = make_up_classes(&mut classes, workflows.values());
    if with_fixtures {
        for (name, fixture) in comfy_fixtures::ui_workflows() {
            workflows.insert(format!("fixture {name}"), fixture["workflow"].clone());
        }
    }
    let Some(mut page) = FrontEnd::start(&folder, &classes) else {
        return skipped("no chromium on this machine, conversions were not compared");
    };
    let registered: ObjectInfo =
        serde_json::from_value(classes.clone()).expect("the classes are sound");
    let (mut equal, mut with_made_up, mut failures) = (0, 0, Vec::new());
    // Some templates want files that are not there.
    let mut not_converted = Vec::new();
    for (name, workflow) in &workflows {
        let expected = match page.prompt(workflow) {
            Ok(prompt) => prompt,
            Err(error) => {
                not_converted.push(format!("{name}: {error}"));
                continue;
            }
        };
        let mut surroundings = Surroundings {
            classes: &registered,
            choose: &mut |_| 0,
            now: LocalTime::default(),
        };
        let differences = match prompt_from_workflow(workflow, &mut surroundings) {
            Ok(prompt) => differences(&prompt, &expected, &classes),
            Err(error) => vec![error.to_string()],
        };
        let is_known = known.iter().any(|(known, _)| known == name);
        if differences.is_empty() == is_known {
            failures.push(format!("{name}: {differences:#?}"));
        } else if !is_known {
            equal += 1;
            with_made_up += usize::from(nodes_of(workflow).any(|node| is_one_of(node, &made_up)));
        }
    }
    eprintln!(
        "{front_end}: {equal} of {} prompts are equal, {with_made_up} of them with made-up classes",
        workflows.len()
    );
    eprintln!("{front_end} itself fails on {not_converted:#?}");
    assert!(not_converted.len() * 20 <= workflows.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The workflows in a folder by file name.
fn workflows(folder: &Path) -> BTreeMap<String, Value> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let workflow: Value = serde_json::from_slice(&std::fs::read(&path).ok()?).ok()?;
            let name = path.file_stem()?.to_str()?.to_owned();
            // The folder has lists of templates too.
            workflow.get("nodes")?.as_array()?;
            Some((name, workflow))
        })
        .collect()
}

fn nodes_of(workflow: &Value) -> impl Iterator<Item = &Value> {
    let subgraphs = workflow
        .pointer("/definitions/subgraphs")
        .and_then(Value::as_array);
    let graphs = subgraphs.into_iter().flatten().chain([workflow]);
    graphs.flat_map(|graph| graph["nodes"].as_array().into_iter().flatten())
}

fn is_one_of(node: &Value, classes: &[String]) -> bool {
    classes.iter().any(|class| node["type"] == class.as_str())
}

/// Adds the classes that are missing, with all inputs that nodes of them have anywhere; their names.
fn make_up_classes<'a>(
    classes: &mut Value,
    workflows: impl Iterator<Item = &'a Value>,
) -> Vec<String> {
    let mut inputs: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    let mut outputs: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for workflow in workflows {
        let subgraphs = workflow
            .pointer("/definitions/subgraphs")
            .and_then(Value::as_array);
        let instances: Vec<&Value> = subgraphs
            .into_iter()
            .flatten()
            .map(|graph| &graph["id"])
            .collect();
        for node in nodes_of(workflow) {
            let class = node["type"].as_str().unwrap_or_default();
            if VIRTUAL.contains(&class)
                || instances.contains(&&node["type"])
                || classes.get(class).is_some()
            {
                continue;
            }
            let declared = inputs.entry(class.to_owned()).or_default();
            for input in node["inputs"].as_array().into_iter().flatten() {
                let kind = input["type"].as_str().unwrap_or("*");
                let declaration = match (input.get("widget"), WIDGETS.contains(&kind)) {
                    (Some(_), true) if kind != "COMBO" => json!([kind, {}]),
                    (Some(_), _) => json!(["COMBO", {"options": ["first"]}]),
                    (None, true) => json!([kind, {"forceInput": true}]),
                    (None, false) => json!([kind, {}]),
                };
                let name = input["name"].as_str().unwrap_or_default();
                declared.entry(name).or_insert(declaration);
            }
            let given = node["outputs"].as_array().into_iter().flatten();
            let given: Vec<Value> = given.map(|output| output["type"].clone()).collect();
            let longest = outputs.entry(class.to_owned()).or_default();
            if given.len() > longest.len() {
                *longest = given;
            }
        }
    }
    let names = inputs.keys().cloned().collect();
    for (class, inputs) in inputs {
        let outputs = outputs.remove(&class).unwrap_or_default();
        let order: Vec<&String> = inputs.keys().collect();
        classes[&class] = json!({
            "input": {"required": inputs}, "input_order": {"required": order}, "output": outputs, "output_name": outputs,
            "output_is_list": vec![false; outputs.len()], "name": class, "display_name": class, "description": "",
            "python_module": "made_up", "category": "made up", "output_node": outputs.is_empty(),
        });
    }
    names
}

/// What is different in the nodes and their inputs.
fn differences(given: &Value, expected: &Value, classes: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let (given, expected) = (given.as_object().unwrap(), expected.as_object().unwrap());
    for id in given.keys().filter(|id| !expected.contains_key(*id)) {
        found.push(format!("node {id} is too much"));
    }
    for (id, node) in expected {
        let Some(own) = given.get(id) else {
            found.push(format!("node {id} is missing"));
            continue;
        };
        if own["class_type"] != node["class_type"] {
            found.push(format!(
                "node {id}: {} instead of {}",
                own["class_type"], node["class_type"]
            ));
        }
        let class = &classes[node["class_type"].as_str().unwrap_or_default()]["input"];
        let declares = |input: &str| {
            ["required", "optional"]
                .iter()
                .any(|section| class[section].get(input).is_some())
        };
        let (own, node) = (
            own["inputs"].as_object().unwrap(),
            node["inputs"].as_object().unwrap(),
        );
        // Buttons and players of the page send values that no class declares, and the server would drop.
        let sent = node
            .iter()
            .filter(|(name, value)| value.is_array() || declares(name));
        let names = sent
            .map(|(name, _)| name)
            .chain(own.keys().filter(|name| !node.contains_key(*name)));
        for name in names {
            let (own, other) = (own.get(name), node.get(name));
            if own.map(plain) != other.map(plain) {
                found.push(format!(
                    "input {name} of node {id}: {own:?} instead of {other:?}"
                ));
            }
        }
    }
    found
}

/// A value as JavaScript keeps it: it has one kind of number.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(members) => {
            let members = members.iter();
            Value::Object(
                members
                    .map(|(key, value)| (key.clone(), plain(value)))
                    .collect(),
            )
        }
        other => other.clone(),
    }
}
