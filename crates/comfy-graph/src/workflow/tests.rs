//! What the recordings do not show: errors, limits and files of newer front ends.

use super::text::{choose, replace, shown};
use super::*;
use serde_json::json;

fn classes() -> ObjectInfo {
    let class = |name: &str, required: Json, output: Json| {
        let order: Vec<&String> = required.as_object().expect("inputs").keys().collect();
        let names = output.clone();
        let info = json!({
            "input": {"required": required}, "input_order": {"required": order}, "output": output,
            "output_is_list": [], "output_name": names, "name": name, "display_name": name,
            "python_module": "nodes", "category": "", "output_node": false,
        });
        (
            name.to_owned(),
            serde_json::from_value(info).expect("a class"),
        )
    };
    ObjectInfo::from_iter([
        class(
            "Source",
            json!({"value": ["INT", {"default": 1}], "seed": ["INT", {}]}),
            json!(["INT"]),
        ),
        class(
            "Pass",
            json!({"any": ["*", {}], "note": ["STRING", {"default": "n"}]}),
            json!(["*"]),
        ),
        class(
            "KSampler",
            json!({"steps": ["INT", {"default": 20}]}),
            json!(["LATENT"]),
        ),
    ])
}

fn convert(workflow: &Json) -> Result<Json, WorkflowError> {
    let classes = classes();
    let mut surroundings = Surroundings {
        classes: &classes,
        choose: &mut |_| 0,
        now: LocalTime::default(),
    };
    prompt_from_workflow(workflow, &mut surroundings)
}

fn message(workflow: &Json) -> String {
    convert(workflow).expect_err("it is bad").to_string()
}

/// An instance that takes link 1 inside of a definition that shows it.
fn subgraph(mode: u32, extra: &Json, values: &Json, properties: &Json) -> Json {
    json!({
        "nodes": [
            {"id": 1, "type": "sub", "mode": mode, "inputs": [{"name": "value", "type": "INT", "link": null}],
             "outputs": [{"name": "INT", "type": "INT", "links": [5]}], "widgets_values": values, "properties": properties},
            {"id": 2, "type": "Pass", "inputs": [{"name": "any", "type": "*", "link": 5}]},
        ],
        "links": [[5, 1, 0, 2, 0, "*"]],
        "extra": extra,
        "definitions": {"subgraphs": [{
            "id": "sub", "name": "Sub", "inputs": [{"name": "value", "type": "INT", "linkIds": [1]}],
            "outputs": [{"name": "INT", "type": "INT", "linkIds": [2]}],
            "nodes": [{"id": 7, "type": "Source", "inputs": [{"name": "value", "type": "INT", "link": 1, "widget": {"name": "value"}}],
                       "outputs": [{"name": "INT", "type": "INT", "links": [2]}], "widgets_values": [3, 4, "fixed"]}],
            "links": [{"id": 1, "origin_id": -10, "origin_slot": 0, "target_id": 7, "target_slot": 0, "type": "INT"},
                      {"id": 2, "origin_id": 7, "origin_slot": 0, "target_id": -20, "target_slot": 0, "type": "INT"}],
        }]},
    })
}

#[test]
fn unknown_classes_are_named_together_with_near_ones() {
    let workflow = json!({"links": [], "nodes": [
        {"id": 1, "type": "Ksampler"}, {"id": 2, "type": "Ksampler"}, {"id": 3, "type": "Zzz"},
        {"id": 4, "type": "Other", "mode": 2}, {"id": 5, "type": "Note"},
    ]});
    assert_eq!(
        message(&workflow),
        "unknown node \"Ksampler\" (id 1, 2), did you mean KSampler?; unknown node \"Zzz\" (id 3)"
    );
}

#[test]
fn what_is_no_workflow_is_said() {
    assert!(message(&json!({"a": 1})).contains("expected a list of nodes"));
    assert!(message(&json!({"nodes": [{"type": "Pass"}]})).contains("expected a node with an id"));
    assert!(message(&json!({"nodes": [{"id": 1}]})).contains("node 1: expected a type"));
    assert!(!is_workflow(&json!({"1": {"class_type": "Pass"}})));
    assert!(!is_workflow(
        &json!({"nodes": {"class_type": "Pass"}, "links": {"class_type": "Pass"}})
    ));
}

#[test]
fn values_by_name_are_taken_by_name() {
    let workflow = json!({"links": [], "nodes": [
        {"id": 1, "type": "Source", "widgets_values": {"seed": 9, "other": 1}},
    ]});
    let prompt = convert(&workflow).expect("a prompt");
    assert_eq!(prompt["1"]["inputs"], json!({"value": 1, "seed": 9}));
}

#[test]
fn a_subgraph_that_contains_itself_is_refused() {
    let mut workflow = subgraph(0, &json!({}), &json!([]), &json!({}));
    workflow["definitions"]["subgraphs"][0]["nodes"][0]["type"] = json!("sub");
    assert_eq!(
        message(&workflow),
        "node 1:7: the subgraph Sub contains itself"
    );
}

#[test]
fn nesting_and_size_have_limits() {
    let definition = |index: usize| {
        let inner = format!("s{}", index + 1);
        json!({"id": format!("s{index}"), "links": [], "nodes": [{"id": 1, "type": inner}, {"id": 2, "type": inner}]})
    };
    let deep = |depth: usize| {
        let definitions: Vec<Json> = (0..depth).map(definition).collect();
        json!({"nodes": [{"id": 1, "type": "s0"}], "links": [], "definitions": {"subgraphs": definitions}})
    };
    // Each level doubles the nodes.
    assert!(message(&deep(40)).contains("more than 100000 nodes"));
    let chain = |index: usize| json!({"id": format!("s{index}"), "links": [], "nodes": [{"id": 1, "type": format!("s{}", index + 1)}]});
    let definitions: Vec<Json> = (0..100).map(chain).collect();
    let chain = json!({"nodes": [{"id": 1, "type": "s0"}], "links": [], "definitions": {"subgraphs": definitions}});
    assert!(message(&chain).contains("more than 64 subgraphs inside each other"));
}

#[test]
fn a_long_chain_of_reroutes_is_followed() {
    let count = 20_000;
    let mut nodes = vec![json!({"id": 0, "type": "Source"})];
    let mut links = Vec::new();
    for index in 1..=count {
        let class = if index == count { "Pass" } else { "Reroute" };
        let input =
            json!({"name": if index == count { "any" } else { "" }, "type": "*", "link": index});
        nodes.push(json!({"id": index, "type": class, "inputs": [input], "outputs": [{"name": "", "type": "*"}]}));
        links.push(json!([index, index - 1, 0, index, 0, "*"]));
    }
    let prompt = convert(&json!({"nodes": nodes, "links": links})).expect("a prompt");
    assert_eq!(prompt[count.to_string()]["inputs"]["any"], json!(["0", 0]));
}

#[test]
fn a_loop_of_reroutes_is_refused() {
    let node = |id: u32, class: &str, name: &str, link: u32| json!({"id": id, "type": class, "inputs": [{"name": name, "type": "*", "link": link}], "outputs": [{"name": "", "type": "*"}]});
    let workflow = json!({
        "nodes": [node(1, "Reroute", "", 2), node(2, "Reroute", "", 1), node(3, "Pass", "any", 3)],
        "links": [[1, 1, 0, 2, 0, "*"], [2, 2, 0, 1, 0, "*"], [3, 2, 0, 3, 0, "*"]],
    });
    assert_eq!(
        message(&workflow),
        "input any of node 3: its links form a loop"
    );
}

#[test]
fn the_inside_of_a_bypassed_subgraph_runs_only_in_old_files() {
    for (version, runs) in [("1.27.10", true), ("1.45.2", false)] {
        let extra = json!({"frontendVersion": version});
        for mode in [2, 4] {
            let workflow = subgraph(mode, &extra, &json!([]), &json!({}));
            let prompt = convert(&workflow).expect("a prompt");
            assert_eq!(prompt.get("1:7").is_some(), runs, "{version}");
        }
    }
}

#[test]
fn an_instance_has_values_of_its_own() {
    let value = |values: Json, properties: Json| {
        let prompt = convert(&subgraph(0, &json!({}), &values, &properties)).expect("a prompt");
        (
            prompt["1:7"]["inputs"]["value"].clone(),
            prompt["1:7"]["inputs"]["seed"].clone(),
        )
    };
    assert_eq!(value(json!(null), json!({})), (json!(3), json!(4)));
    assert_eq!(value(json!([8]), json!({})), (json!(8), json!(4)));
    // Front ends from 1.28 on list what an instance shows, linked or not.
    let shown = json!({"proxyWidgets": [["7", "seed"], ["-1", "value"]]});
    assert_eq!(
        value(json!([11, 12]), shown.clone()),
        (json!(12), json!(11))
    );
    assert_eq!(value(json!([]), shown), (json!(3), json!(4)));
    let shown = json!({"proxyWidgets": [["7", "value"], ["9", "nothing"]]});
    assert_eq!(value(json!([13, 14]), shown), (json!(13), json!(4)));
}

#[test]
fn long_chains_taken_often_are_too_long() {
    let count = 1500;
    let mut nodes = vec![json!({"id": 0, "type": "Source"})];
    let mut links = Vec::new();
    for index in 1..=count {
        let input = json!({"name": "", "type": "*", "link": index});
        nodes.push(json!({"id": index, "type": "Reroute", "inputs": [input], "outputs": [{"name": "", "type": "*"}]}));
        links.push(json!([index, index - 1, 0, index, 0, "*"]));
    }
    for index in count + 1..=count + 1000 {
        nodes.push(json!({"id": index, "type": "Pass", "inputs": [{"name": "any", "type": "*", "link": index}]}));
        links.push(json!([index, count, 0, index, 0, "*"]));
    }
    let workflow = json!({"nodes": nodes, "links": links});
    assert!(message(&workflow).contains("more than 2000000 nodes that links are led through"));
    let inputs: Vec<Json> = (0..1001)
        .map(|index| json!({"name": index.to_string()}))
        .collect();
    let workflow = json!({"links": [], "nodes": [{"id": 1, "type": "Pass", "inputs": inputs}]});
    assert_eq!(message(&workflow), "node 1: more than 1000 inputs");
}

#[test]
fn a_primitive_node_may_name_other_widgets() {
    let convert_with = |asks: bool| {
        let workflow = json!({"links": [[1, 1, 0, 2, 0, "STRING"]], "nodes": [
            {"id": 1, "type": "PrimitiveNode", "widgets_values": ["s%KSampler.steps%"],
             "properties": {"Run widget replace on values": asks}},
            {"id": 2, "type": "Pass", "inputs": [{"name": "note", "type": "STRING", "link": 1, "widget": {"name": "note"}}]},
            {"id": 3, "type": "KSampler", "widgets_values": [9]},
        ]});
        convert(&workflow).expect("a prompt")["2"]["inputs"]["note"].clone()
    };
    assert_eq!(convert_with(true), "s9");
    assert_eq!(convert_with(false), "s%KSampler.steps%");
}

#[test]
fn a_list_is_marked_as_a_value() {
    let workflow = json!({"links": [], "nodes": [{"id": 1, "type": "Source", "widgets_values": [["2", 0], 5]}]});
    let prompt = convert(&workflow).expect("a prompt");
    assert_eq!(
        prompt["1"]["inputs"]["value"],
        json!({"__value__": ["2", 0]})
    );
}

#[test]
fn choices_are_made_from_the_inside_out_of_what_was_chosen() {
    let made = |text: &str, index: usize| {
        choose(text, &mut |count| index.min(count - 1)).expect("not too deep")
    };
    assert_eq!(made("{a|b} and {c|{d|e}}", 0), "a and c");
    assert_eq!(made("{a|b} and {c|{d|e}}", 1), "b and e");
    assert_eq!(made(r"\{a\|b\} {x\|y|z}", 0), "{a|b} x|y");
    assert_eq!(made("a // b\nc /* d\n */ e /* open", 0), "a \nc  e /* open");
    assert_eq!(made("{open|x", 1), "x");
    assert_eq!(made(r"end \", 0), r"end \");
    let deep = "{".repeat(5000);
    assert!(choose(&deep, &mut |_| 0).is_err());
}

struct Only;

impl text::Named for Only {
    fn widget(&self, node: &str, widget: &str) -> Option<String> {
        (node == "N" && widget == "w").then(|| "a/b:c".to_owned())
    }
}

#[test]
fn file_names_get_dates_and_values() {
    let now = LocalTime {
        year: 2026,
        month: 3,
        day: 9,
        hour: 17,
        minute: 5,
        second: 30,
    };
    let made = |text: &str| replace(text, &Only, &now);
    assert_eq!(made("%date:yyyy-MM-dd%/x"), "2026-03-09/x");
    assert_eq!(made("%date:yy M d hh:m:ss yyy y%"), "26 3 9 17:5:30 yyy y");
    assert_eq!(
        made("%N.w%_%N.v%_%width%_%date%"),
        "a_b_c_%N.v%_%width%_%date%"
    );
    assert_eq!(made("100%"), "100%");
    assert_eq!(made("%%N.w%"), "%a_b_c");
    assert_eq!(shown(&json!(8.0)), "8");
    assert_eq!(shown(&json!([1, "a", null])), "1,a,");
}
