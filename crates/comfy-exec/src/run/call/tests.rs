#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::cell::Cell;
use std::sync::Arc;

use comfy_graph::{
    EmptyCatalog, InputBuilder, Inputs, OutputSpec, Preview, PromptNode, SchemaBuilder,
};
use serde_json::json;

use super::*;
use crate::arguments::HiddenValues;
use crate::cache::Instance;

/// Interrupts before call number `stop_at`.
struct TestHost {
    asked: Cell<usize>,
    stop_at: usize,
}

impl Host for TestHost {
    fn progress(&self, _: u64, _: u64, _: Option<Preview>) {}

    fn interrupted(&self) -> bool {
        self.asked.set(self.asked.get() + 1);
        self.asked.get() > self.stop_at
    }

    fn instance(&self, make: &mut dyn FnMut() -> Instance) -> Instance {
        make()
    }
}

/// A class with the inputs a, b and c, whose calls give `a * 100 + b * 10 + c`, its double, and show both.
fn class() -> NodeClass {
    let schema = |_: &dyn comfy_graph::Catalog| {
        SchemaBuilder::new("Digits", "Writes digits.", "tests")
            .input(InputBuilder::<Option<i64>>::new("a", &EmptyCatalog))
            .input(InputBuilder::<Option<i64>>::new("b", &EmptyCatalog))
            .input(InputBuilder::<Option<i64>>::new("c", &EmptyCatalog))
            .input(InputBuilder::<comfy_graph::UniqueId>::new(
                "id",
                &EmptyCatalog,
            ))
            .outputs(vec![
                OutputSpec::of::<i64>(&EmptyCatalog),
                OutputSpec::of::<i64>(&EmptyCatalog),
            ])
            .build()
    };
    NodeClass::new(
        "tests",
        schema,
        |inputs: &mut Inputs, context: &mut NodeContext<'_>| {
            let mut digit = |name| {
                inputs
                    .take::<Option<i64>>(name)
                    .map(Option::unwrap_or_default)
            };
            let number = digit("a")? * 100 + digit("b")? * 10 + digit("c")?;
            context.add_ui("number", json!(number));
            if number % 2 == 0 {
                context.add_ui("even", json!(number));
            }
            Ok(vec![Value::new(number), Value::new(number * 2)])
        },
    )
}

fn prompt_node(inputs: Map<String, Json>) -> PromptNode {
    let mut node = PromptNode::new("Digits");
    node.inputs = inputs;
    node
}

fn list(values: &[i64]) -> Vec<Value> {
    values.iter().map(|value| Value::new(*value)).collect()
}

/// Runs the class with these inputs; links go to a node whose output slots are `lists`.
fn run(inputs: Json, lists: &[&[i64]], stop_at: usize) -> Result<NodeResult, Failure> {
    let class = class();
    let Json::Object(inputs) = inputs else {
        panic!("an object was expected")
    };
    let node = prompt_node(inputs);
    let source = Arc::new(NodeResult {
        outputs: lists.iter().map(|values| list(values)).collect(),
        shown: None,
    });
    let null = Arc::new(Json::Null);
    let hidden = HiddenValues {
        node_id: "7",
        prompt: &null,
        extra_pnginfo: &null,
        extra_data: &Map::new(),
    };
    let arguments = Arguments::gather(
        &class,
        &node,
        |id| (id == "1").then(|| source.clone()),
        hidden,
    )
    .map_err(Failure::Failed)?;
    let host = TestHost {
        asked: Cell::new(0),
        stop_at,
    };
    let call = Call {
        node_id: "7",
        class: &class,
        prompt: &Json::Null,
        extra_pnginfo: &Json::Null,
        services: &Services::new(),
        host: &host,
    };
    call.run(&arguments)
}

fn numbers(result: &NodeResult) -> Vec<Vec<i64>> {
    result
        .outputs
        .iter()
        .map(|slot| slot.iter().map(|value| value.get().unwrap()).collect())
        .collect()
}

fn failure(result: Result<NodeResult, Failure>) -> NodeFailure {
    match result {
        Err(Failure::Failed(failure)) => failure,
        other => panic!("a failure was expected, found {other:?}"),
    }
}

#[test]
fn the_longest_list_decides_and_shorter_ones_repeat_their_last_value() {
    let result = run(
        json!({"a": ["1", 0], "b": ["1", 1], "c": 9}),
        &[&[1, 2, 3], &[4, 5]],
        99,
    )
    .unwrap();
    assert_eq!(numbers(&result), [[149, 259, 359], [298, 518, 718]]);
    assert_eq!(result.shown, Some(json!({"number": [149, 259, 359]})));
}

#[test]
fn what_calls_show_is_joined_by_the_kinds_of_the_first() {
    let result = run(json!({"c": ["1", 0]}), &[&[2, 3, 4]], 99).unwrap();
    assert_eq!(
        result.shown,
        Some(json!({"number": [2, 3, 4], "even": [2, 4]}))
    );
    let result = run(json!({"c": ["1", 0]}), &[&[3, 4]], 99).unwrap();
    assert_eq!(result.shown, Some(json!({"number": [3, 4]})));
}

#[test]
fn a_node_without_inputs_is_called_once() {
    assert_eq!(numbers(&run(json!({}), &[], 99).unwrap()), [[0], [0]]);
    // A value for an input that the class does not declare is ignored.
    assert_eq!(
        numbers(&run(json!({"x": 5, "c": 1}), &[], 99).unwrap()),
        [[1], [2]]
    );
}

#[test]
fn an_empty_list_beside_others_fails() {
    let failure = failure(run(json!({"a": ["1", 0], "c": 1}), &[&[]], 99));
    assert_eq!(failure.kind, "IndexError");
    assert!(failure.message.contains("input a"), "{}", failure.message);
}

#[test]
fn negative_slots_count_from_the_end_and_others_fail() {
    assert_eq!(
        numbers(&run(json!({"c": ["1", -1]}), &[&[1], &[2]], 99).unwrap()),
        [[2], [4]]
    );
    let missing = failure(run(json!({"c": ["1", 2]}), &[&[1], &[2]], 99));
    assert_eq!(
        (
            missing.kind.as_str(),
            missing.message.contains("2 outputs of node 1")
        ),
        ("IndexError", true)
    );
    assert_eq!(
        failure(run(json!({"c": ["5", 0]}), &[], 99)).message,
        "node 5 has no result yet"
    );
}

#[test]
fn an_interrupt_is_noticed_before_each_call() {
    assert_eq!(
        run(json!({"c": ["1", 0]}), &[&[1, 2, 3]], 2).unwrap_err(),
        Failure::Interrupted
    );
    assert!(run(json!({"c": ["1", 0]}), &[&[1, 2, 3]], 3).is_ok());
}

#[test]
fn too_few_outputs_fail() {
    let schema = |_: &dyn comfy_graph::Catalog| {
        SchemaBuilder::new("Short", "Gives too little.", "tests")
            .outputs(vec![OutputSpec::of::<i64>(&EmptyCatalog)])
            .build()
    };
    let class = NodeClass::new(
        "tests",
        schema,
        |_: &mut Inputs, _: &mut NodeContext<'_>| Ok(Vec::new()),
    );
    let call = Call {
        node_id: "7",
        class: &class,
        prompt: &Json::Null,
        extra_pnginfo: &Json::Null,
        services: &Services::new(),
        host: &TestHost {
            asked: Cell::new(0),
            stop_at: 9,
        },
    };
    assert_eq!(
        failure(call.run(&Arguments::default())).message,
        "expected 1 outputs of class Short, found 0"
    );
}

/// A value that is no JSON.
#[derive(Clone)]
struct Opaque;

impl comfy_graph::Socket for Opaque {
    const TYPE: &'static str = "MODEL";
}

#[test]
fn inputs_are_described_for_people() {
    let class = class();
    let inputs = json!({"a": ["1", 0], "b": ["1", 1], "c": 2.5, "x": ["1", 1]});
    let node = prompt_node(inputs.as_object().unwrap().clone());
    let source = Arc::new(NodeResult {
        outputs: vec![list(&[1, 2]), vec![Value::new(Opaque)]],
        shown: None,
    });
    let prompt = Arc::new(json!({"long": "x".repeat(5000)}));
    let hidden = HiddenValues {
        node_id: "7",
        prompt: &prompt,
        extra_pnginfo: &prompt,
        extra_data: &Map::new(),
    };
    let arguments = Arguments::gather(&class, &node, |_| Some(source.clone()), hidden).unwrap();
    assert_eq!(
        Json::Object(arguments.describe()),
        json!({"a": [1, 2], "b": ["MODEL"], "c": [2.5], "x": ["MODEL"], "id": ["7"]})
    );
}
