#![allow(clippy::unwrap_used, reason = "a test")]

use super::*;
use crate::{
    Constants, EmptyCatalog, InputBuilder, Inputs, Node, NodeContext, NodeError, NodeSpec,
    SchemaBuilder, Value, python_json,
};
use serde_json::json;

/// Makes a number.
#[derive(NodeSpec)]
#[node(id = "Number", category = "test")]
struct Number {
    /// Its value.
    #[input(default = 1, min = 0, max = 10)]
    value: i64,
}

impl Node for Number {
    type Output = i64;

    fn run(self, _: &mut NodeContext<'_>) -> Result<i64, NodeError> {
        Ok(self.value)
    }
}

/// Passes things on.
#[derive(NodeSpec)]
#[node(id = "Pass", category = "test")]
struct Pass {
    /// Anything.
    value: Value,
}

impl Node for Pass {
    type Output = Value;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Value, NodeError> {
        Ok(self.value)
    }
}

/// Shows things.
#[derive(NodeSpec)]
#[node(id = "Show", category = "test", output_node)]
struct Show {
    /// Anything.
    anything: Option<Value>,
    /// A ratio.
    #[input(default = 0.5, min = 0.0, max = 1.0)]
    ratio: Option<f64>,
    /// A text.
    text: Option<String>,
    /// A switch.
    switch: Option<bool>,
    /// A choice.
    #[input(options = ["a", "b"])]
    choice: Option<String>,
}

impl Node for Show {
    type Output = ();

    fn run(self, _: &mut NodeContext<'_>) -> Result<(), NodeError> {
        let _ = (
            self.anything,
            self.ratio,
            self.text,
            self.switch,
            self.choice,
        );
        Ok(())
    }
}

/// Looks for a file.
#[derive(NodeSpec)]
#[node(id = "Find", category = "test", output_node)]
struct Find {
    /// The name of the file.
    #[input(options = ["listed"])]
    file: String,
    /// How deep to look; tested by the node itself.
    #[input(default = 1, min = 1, max = 3)]
    depth: Option<i64>,
    /// Not tested by the node.
    #[input(default = 1, min = 1)]
    other: Option<i64>,
}

impl Node for Find {
    type Output = ();

    const CHECKS: &'static [&'static str] = &["file", "depth"];

    fn run(self, _: &mut NodeContext<'_>) -> Result<(), NodeError> {
        let _ = (self.file, self.depth, self.other);
        Ok(())
    }

    fn check(constants: &Constants<'_>, services: &Services) -> Result<(), String> {
        let known = services.get::<String>().unwrap();
        match (
            constants.get::<String>("file"),
            constants.get::<i64>("depth"),
        ) {
            (None, _) => Ok(()),
            (Some(file), _) if file == *known => Ok(()),
            (Some(file), _) if file == "panic" => panic!("a mistake in a node"),
            (Some(file), depth) => Err(format!("no file {file} at {depth:?}")),
        }
    }
}

fn run(prompt: &mut Json, targets: Option<&[&str]>) -> Result<Validated, Invalid> {
    let mut registry = NodeRegistry::new();
    registry.register::<Number>().unwrap();
    registry.register::<Pass>().unwrap();
    registry.register::<Show>().unwrap();
    registry.register::<Find>().unwrap();
    let many = |catalog: &dyn Catalog| {
        let names = (0..100).map(|number| number.to_string());
        let input = InputBuilder::<String>::new("choice", catalog).options(names);
        let min = InputBuilder::<Value>::new("bounded", catalog).setting("min", 1);
        SchemaBuilder::new("Many", "Has many choices.", "tests")
            .output_node(true)
            .input(input)
            .input(InputBuilder::<Option<Value>>::new("rest", catalog))
            .input_spec(min.into())
            .build()
    };
    let class = crate::NodeClass::new("tests", many, |_: &mut Inputs, _: &mut NodeContext<'_>| {
        Ok(Vec::new())
    });
    registry.register_class(class).unwrap();
    let mut services = Services::new();
    services.insert(std::sync::Arc::new("known".to_owned()));
    let targets: Option<Vec<String>> =
        targets.map(|targets| targets.iter().map(|&id| id.to_owned()).collect());
    validate(
        prompt,
        targets.as_deref(),
        &registry,
        &EmptyCatalog,
        &services,
    )
}

/// `type: details` of the complaints about node 1.
#[expect(
    clippy::needless_pass_by_value,
    reason = "literals read better without borrowing"
)]
fn complaints(class: &str, inputs: Json) -> Vec<String> {
    let mut prompt = json!({"1": {"class_type": class, "inputs": inputs}});
    let Err(invalid) = run(&mut prompt, None) else {
        return Vec::new();
    };
    let errors = &invalid.node_errors["1"].errors;
    errors
        .iter()
        .map(|error| format!("{}: {}", error.kind, error.details))
        .collect()
}

#[test]
fn conversions_are_written_into_the_prompt() {
    let mut prompt = json!({
        "1": {"class_type": "Show", "inputs": {
            "ratio": "1e-1", "text": 1.0, "switch": "false", "anything": {"__value__": [1, 2]}, "undeclared": "1",
        }},
        "2": {"class_type": "Number", "inputs": {"value": " 7 "}},
        "3": {"class_type": "Show", "inputs": {"anything": ["2", 0], "text": null, "switch": 0, "ratio": true}},
        "4": {"class_type": "Number", "inputs": {"value": "8"}},
    });
    assert_eq!(run(&mut prompt, None).unwrap().outputs, ["1", "3"]);
    assert_eq!(
        prompt,
        json!({
            "1": {"class_type": "Show", "inputs": {
                "ratio": 0.1, "text": "1.0", "switch": true, "anything": [1, 2], "undeclared": "1",
            }},
            "2": {"class_type": "Number", "inputs": {"value": 7}},
            "3": {"class_type": "Show", "inputs": {"anything": ["2", 0], "text": "None", "switch": false, "ratio": 1.0}},
            // No output depends on it, so nobody looked at it.
            "4": {"class_type": "Number", "inputs": {"value": "8"}},
        })
    );
}

#[test]
fn ranges() {
    assert_eq!(complaints("Show", json!({"ratio": 1.0})), [""; 0]);
    assert_eq!(complaints("Show", json!({"ratio": "nan"})), [""; 0]);
    assert_eq!(
        complaints("Show", json!({"ratio": 1.5, "choice": "c", "switch": []})),
        [
            "value_bigger_than_max: ratio",
            "bad_linked_input: switch",
            "value_not_in_list: choice: 'c' not in ['a', 'b']",
        ]
    );
    assert_eq!(
        complaints("Many", json!({"choice": "100", "rest": {}, "bounded": 2})),
        ["value_not_in_list: choice: '100' not in (list of length 100)"]
    );
    assert_eq!(
        complaints("Many", json!({"choice": "99", "bounded": 1.5})),
        [""; 0]
    );
    assert_eq!(
        complaints("Many", json!({"choice": "99", "bounded": "x"})),
        ["exception_during_validation: '<' not supported between instances of 'str' and 'int'"]
    );
}

#[test]
fn checks_replace_the_tests_of_their_inputs() {
    assert_eq!(
        complaints("Find", json!({"file": "known", "depth": 99})),
        [""; 0]
    );
    assert_eq!(
        complaints("Find", json!({"file": "listed", "depth": "4", "other": 0})),
        [
            "value_smaller_than_min: other",
            "custom_validation_failed: file - no file listed at Some(4)",
            "custom_validation_failed: depth - no file listed at Some(4)",
        ]
    );
    assert_eq!(
        complaints("Find", json!({"file": "panic"})),
        ["exception_during_validation: the check of this node class panicked"]
    );
    // A check needs its inputs.
    assert_eq!(
        complaints("Find", json!({"depth": 4})),
        ["required_input_missing: file"]
    );
    assert_eq!(
        complaints("Find", json!({"file": "listed", "depth": "x"})),
        ["invalid_input_type: depth, x, invalid literal for int() with base 10: 'x'"]
    );
}

#[test]
fn links_that_are_no_links() {
    for (link, details) in [
        (json!(["9", 0]), "'9'"),
        (json!(["it's", 0]), "\"it's\""),
        (json!([null, 0]), "None"),
        (json!([1.0, 0]), "1.0"),
        (json!([[], 0]), "unhashable type: 'list'"),
        (json!([{}, 0]), "unhashable type: 'dict'"),
        (json!(["2", 1]), "tuple index out of range"),
        (
            json!(["2", null]),
            "tuple indices must be integers or slices, not NoneType",
        ),
        (
            json!(["2", 0.0]),
            "tuple indices must be integers or slices, not float",
        ),
        (json!(["1", 0]), "tuple index out of range"),
    ] {
        let mut prompt = json!({
            "1": {"class_type": "Show", "inputs": {"anything": link}},
            "2": {"class_type": "Number", "inputs": {"value": 1}},
        });
        let invalid = run(&mut prompt, None).unwrap_err();
        let error = &invalid.node_errors["1"].errors[0];
        assert_eq!(
            (error.kind.as_str(), error.details.as_str()),
            ("exception_during_validation", details)
        );
        assert_eq!(
            invalid.error.details,
            format!("Exception when validating node: {details}")
        );
    }
}

#[test]
fn inputs_that_are_no_object() {
    for (inputs, details) in [
        (json!(null), "argument of type 'NoneType' is not iterable"),
        (json!(1), "argument of type 'int' is not iterable"),
    ] {
        let expected = format!("exception_during_validation: {details}");
        assert_eq!(complaints("Show", inputs), [expected]);
    }
    assert_eq!(
        complaints("Find", json!([])),
        ["required_input_missing: file"]
    );
}

#[test]
fn bad_nodes_name_the_outputs_that_depend_on_them() {
    let mut prompt = json!({
        "good": {"class_type": "Show", "inputs": {"anything": ["fine", 0]}},
        "fine": {"class_type": "Number", "inputs": {"value": 1}},
        "shared": {"class_type": "Number", "inputs": {"value": -1}},
        "single": {"class_type": "Number", "inputs": {"value": 11}},
        "a": {"class_type": "Show", "inputs": {"anything": ["shared", 0]}},
        "b": {"class_type": "Show", "inputs": {"anything": ["shared", 0], "ratio": 2}},
        "c": {"class_type": "Show", "inputs": {"anything": ["single", 0]}},
    });
    let validated = run(&mut prompt.clone(), None).unwrap();
    assert_eq!(validated.outputs, ["good"]);
    let dependent: Vec<_> = validated
        .node_errors
        .iter()
        .map(|(id, problems)| (id.as_str(), problems.dependent_outputs.join(" ")))
        .collect();
    assert_eq!(
        dependent,
        [
            ("shared", "a b".into()),
            ("b", "b".into()),
            ("single", "c".into())
        ]
    );

    let only = run(&mut prompt.clone(), Some(&["c", "good", "nowhere"])).unwrap();
    assert_eq!(only.outputs, ["good"]);
    assert_eq!(only.node_errors.len(), 1);
    assert_eq!(
        run(&mut prompt.clone(), Some(&[])).unwrap_err().error.kind,
        "prompt_no_outputs"
    );
    let invalid = run(&mut prompt, Some(&["b", "a"])).unwrap_err();
    assert_eq!(
        invalid.error.details,
        "Value 2.0 bigger than max of 1.0: ratio"
    );
}

#[test]
fn a_cycle_beside_a_good_output() {
    let mut prompt = json!({
        "1": {"class_type": "Show", "inputs": {}},
        "2": {"class_type": "Pass", "inputs": {"value": ["2", 0]}},
        "3": {"class_type": "Show", "inputs": {"anything": ["2", 0]}},
    });
    let validated = run(&mut prompt.clone(), None).unwrap();
    assert_eq!(validated.outputs, ["1"]);
    assert!(validated.node_errors.is_empty());
    let invalid = run(&mut prompt, Some(&["3"])).unwrap_err();
    assert_eq!(
        invalid.error.details,
        "Dependency cycle detected: node 2 needs 2"
    );
}

#[test]
fn things_that_are_no_prompt() {
    for (prompt, kind) in [
        (json!({}), "prompt_no_outputs"),
        (json!([]), "prompt_no_outputs"),
        (json!(null), "invalid_prompt"),
        (json!("abc"), "invalid_prompt"),
        (json!([1]), "invalid_prompt"),
        (json!({"1": null}), "invalid_prompt"),
        (json!({"1": {"class_type": {"a": 1}}}), "invalid_prompt"),
    ] {
        let invalid = run(&mut prompt.clone(), None).unwrap_err();
        assert_eq!(invalid.error.kind, kind, "{prompt}");
        assert!(invalid.node_errors.is_empty());
    }
}

#[test]
fn nan_stays_what_it_is() {
    let mut prompt = python_json::from_str(
        r#"{"1": {"class_type": "Show", "inputs": {"ratio": NaN, "text": NaN}}}"#,
    )
    .unwrap();
    assert!(run(&mut prompt, None).is_ok());
    let inputs = &prompt["1"]["inputs"];
    assert!(python_json::as_f64(&inputs["ratio"]).unwrap().is_nan());
    assert_eq!(inputs["text"], "nan");
}

/// A file of a list that the catalog knows.
#[derive(Clone)]
struct ModelFile;

impl crate::Socket for ModelFile {
    const TYPE: &'static str = "COMBO";

    const LIST: Option<&'static str> = Some("models");
}

/// Opens a file.
#[derive(NodeSpec)]
#[node(id = "Open", category = "test", output_node)]
struct Open {
    /// The file.
    file: ModelFile,
    /// A number.
    number: Option<i64>,
}

impl Node for Open {
    type Output = ();

    fn run(self, _: &mut NodeContext<'_>) -> Result<(), NodeError> {
        let _ = (self.file, self.number);
        Ok(())
    }
}

struct Models;

impl Catalog for Models {
    fn list(&self, list: &str) -> Vec<String> {
        assert_eq!(list, "models");
        ["base_v1.ckpt", "base_v2.ckpt", "upscaler.pth"]
            .map(str::to_owned)
            .into()
    }

    fn folders(&self, list: &str) -> Vec<String> {
        vec![format!("/data/{list}")]
    }
}

fn refused(mut prompt: Json) -> Invalid {
    let mut registry = NodeRegistry::new();
    registry.register::<Number>().unwrap();
    registry.register::<Pass>().unwrap();
    registry.register::<Open>().unwrap();
    validate(&mut prompt, None, &registry, &Models, &Services::new()).unwrap_err()
}

#[test]
fn errors_help_to_find_what_was_meant() {
    let invalid = refused(json!({"1": {"class_type": "Open", "inputs": {"file": "base_v3.ckpt"}}}));
    let extra = &invalid.node_errors["1"].errors[0].extra_info;
    assert_eq!(extra["nearest"], json!(["base_v1.ckpt", "base_v2.ckpt"]));
    assert_eq!(extra["searched_folders"], json!(["/data/models"]));
    // What ComfyUI says is there too.
    assert_eq!(extra["received_value"], "base_v3.ckpt");

    let invalid = refused(json!({"1": {"class_type": "Opne", "inputs": {}}}));
    assert_eq!(invalid.error.extra_info["nearest"], json!(["Open"]));
    let invalid = refused(json!({"1": {"class_type": "Something else", "inputs": {}}}));
    assert!(invalid.error.extra_info.is_empty());
}

/// A text.
#[derive(NodeSpec)]
#[node(id = "Text", category = "test")]
struct Text {}

impl Node for Text {
    type Output = String;

    fn run(self, _: &mut NodeContext<'_>) -> Result<String, NodeError> {
        Ok(String::new())
    }
}

#[test]
fn a_bad_link_names_both_ends() {
    let mut registry = NodeRegistry::new();
    registry.register::<Text>().unwrap();
    registry.register::<Open>().unwrap();
    let mut prompt = json!({
        "1": {"class_type": "Open", "inputs": {"file": "base_v1.ckpt", "number": ["2", 0]}},
        "2": {"class_type": "Text", "inputs": {}},
    });
    let invalid = validate(&mut prompt, None, &registry, &Models, &Services::new()).unwrap_err();
    let extra = &invalid.node_errors["1"].errors[0].extra_info;
    assert_eq!(
        extra["source"],
        json!({"class_type": "Text", "output": "STRING"})
    );
    assert_eq!(
        (
            &extra["received_type"],
            &extra["expected_type"],
            &extra["linked_node"]
        ),
        (&json!("STRING"), &json!("INT"), &json!(["2", 0]))
    );
}

/// Judges by itself what is linked, and looks at all inputs.
#[derive(NodeSpec)]
#[node(id = "Judge", category = "test", output_node)]
struct Judge {
    /// A number of a range, or a text.
    #[input(min = 0, max = 1)]
    first: i64,
    /// Another.
    second: Option<Value>,
    /// Given under the same name.
    #[input(name = "first")]
    again: Option<i64>,
}

impl Node for Judge {
    type Output = ();

    const CHECKS: &'static [&'static str] = &["*"];

    const CHECKS_TYPES: bool = true;

    fn run(self, _: &mut NodeContext<'_>) -> Result<(), NodeError> {
        let _ = (self.first, self.second, self.again);
        Ok(())
    }

    fn check(constants: &Constants<'_>, _: &Services) -> Result<(), String> {
        if constants.json("second") == Some(&json!(7)) {
            return Err("no sevens".to_owned());
        }
        match constants.linked_type("first") {
            None => Ok(()),
            Some(linked) if linked.name() == "STRING" => Ok(()),
            Some(linked) => Err(format!("not a {}", linked.name())),
        }
    }
}

#[test]
fn a_check_may_judge_types_and_all_inputs() {
    let mut registry = NodeRegistry::new();
    registry.register::<Text>().unwrap();
    registry.register::<Number>().unwrap();
    registry.register::<Judge>().unwrap();
    let complaints = |inputs: Json| {
        let mut prompt = json!({
            "1": {"class_type": "Judge", "inputs": inputs},
            "text": {"class_type": "Text", "inputs": {}},
            "number": {"class_type": "Number", "inputs": {"value": 1}},
        });
        let services = Services::new();
        match validate(&mut prompt, None, &registry, &EmptyCatalog, &services) {
            Ok(_) => Vec::new(),
            Err(invalid) => {
                let errors = invalid.node_errors["1"].errors.iter();
                errors.map(|error| error.details.clone()).collect()
            }
        }
    };
    // A text is linked to a number, and a number is out of its range: both are the check's business.
    assert_eq!(complaints(json!({"first": ["text", 0]})), [""; 0]);
    assert_eq!(complaints(json!({"first": 5, "second": 3})), [""; 0]);
    assert_eq!(
        complaints(json!({"first": ["number", 0]})),
        ["first - not a INT", "input_types - not a INT"]
    );
    assert_eq!(
        complaints(json!({"first": 1, "second": 7})),
        [
            "first - no sevens",
            "second - no sevens",
            "input_types - no sevens"
        ]
    );
    assert_eq!(complaints(json!({"second": 5})), ["first"]);
}
