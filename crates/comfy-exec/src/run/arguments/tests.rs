#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use comfy_graph::{
    EmptyCatalog, Input, InputBuilder, Lazy, List, NodeContext, NodeError, Prompt, RawLink,
    SchemaBuilder, Socket, Undeclared, UniqueId,
};
use serde_json::json;

use super::*;

/// A class whose inputs the closure declares; it is never run.
fn class(inputs: impl Fn(SchemaBuilder) -> SchemaBuilder + Send + Sync + 'static) -> NodeClass {
    NodeClass::new(
        "tests",
        move |_| inputs(SchemaBuilder::new("Toy", "A toy.", "tests")).build(),
        |_: &mut Inputs, _: &mut NodeContext<'_>| Err(NodeError::runtime("never")),
    )
}

fn input<T: Input>(name: &str) -> InputBuilder<T> {
    InputBuilder::new(name, &EmptyCatalog)
}

/// A class with the optional numbers a, b and c.
fn digits() -> NodeClass {
    class(|schema| {
        schema
            .input(input::<Option<i64>>("a"))
            .input(input::<Option<i64>>("b"))
            .input(input::<Option<i64>>("c"))
            .input(input::<UniqueId>("id"))
    })
}

#[expect(clippy::unnecessary_wraps, reason = "an item may be a blocker")]
fn value(value: i64) -> Item {
    Ok(Value::new(value))
}

fn result(slots: Vec<Vec<Item>>) -> Arc<NodeResult> {
    Arc::new(NodeResult {
        outputs: slots,
        shown: None,
    })
}

/// Gathers the inputs of a node; links go to node 1, which has these results.
fn gather(
    class: &NodeClass,
    inputs: &Json,
    slots: Vec<Vec<Item>>,
) -> Result<Arguments, NodeFailure> {
    let prompt = json!({"7": {"class_type": "Toy", "inputs": inputs}});
    let node = Prompt::from_json(&prompt).unwrap().nodes["7"].clone();
    let source = result(slots);
    let null = Arc::new(Json::Null);
    let hidden = HiddenValues {
        node_id: "7",
        prompt: &null,
        graph: &Arc::default(),
        extra_pnginfo: &null,
        extra_data: &Map::new(),
    };
    let result_of = |id: &str| (id == "1").then_some(&source);
    Arguments::gather(class, &node, result_of, |_| true, hidden)
}

fn inputs(arguments: &Arguments, class: &NodeClass, index: usize) -> Inputs {
    match arguments.call(class, index) {
        Ok(Prepared::Inputs(inputs)) => inputs,
        Ok(Prepared::Blocked(_)) => panic!("call {index} is blocked"),
        Err(failure) => panic!("{}", failure.message),
    }
}

/// The numbers a, b and c of every call.
fn digits_of(given: &Json, slots: Vec<Vec<Item>>) -> Vec<[Option<i64>; 3]> {
    let class = digits();
    let arguments = gather(&class, given, slots).unwrap();
    let call = |index| {
        let mut inputs = inputs(&arguments, &class, index);
        ["a", "b", "c"].map(|name| inputs.take(name).unwrap())
    };
    (0..arguments.calls()).map(call).collect()
}

#[test]
fn the_longest_list_decides_and_shorter_ones_repeat_their_last_value() {
    let slots = vec![[1, 2, 3].map(value).into(), [4, 5].map(value).into()];
    assert_eq!(
        digits_of(&json!({"a": ["1", 0], "b": ["1", 1], "c": 9}), slots),
        [
            [Some(1), Some(4), Some(9)],
            [Some(2), Some(5), Some(9)],
            [Some(3), Some(5), Some(9)]
        ]
    );
}

#[test]
fn a_node_without_inputs_is_called_once() {
    assert_eq!(digits_of(&json!({}), vec![]), [[None; 3]]);
    // A value for an input that the class does not declare is ignored.
    assert_eq!(
        digits_of(&json!({"x": 5, "c": 1}), vec![]),
        [[None, None, Some(1)]]
    );
}

#[test]
fn an_empty_list_beside_others_fails() {
    let class = digits();
    let arguments = gather(&class, &json!({"a": ["1", 0], "c": 1}), vec![vec![]]).unwrap();
    let failure = arguments.call(&class, 0).err().unwrap();
    assert_eq!(failure.kind, "IndexError");
    assert!(failure.message.contains("input a"), "{}", failure.message);
}

#[test]
fn negative_slots_count_from_the_end_and_others_fail() {
    let slots = || vec![vec![value(1)], vec![value(2)]];
    assert_eq!(
        digits_of(&json!({"c": ["1", -1]}), slots()),
        [[None, None, Some(2)]]
    );
    let missing = gather(&digits(), &json!({"c": ["1", 2]}), slots()).unwrap_err();
    assert_eq!(missing.kind, "IndexError");
    assert!(missing.message.contains("2 outputs of node 1"));
    let unknown = gather(&digits(), &json!({"c": ["5", 0]}), vec![]).unwrap_err();
    assert_eq!(unknown.message, "Node 5 not found");
}

#[test]
fn a_blocker_blocks_its_call_alone() {
    let class = digits();
    let slots = vec![vec![value(1), Err(Blocker::new("no")), value(3)]];
    let arguments = gather(&class, &json!({"a": ["1", 0], "b": 2}), slots).unwrap();
    let is_blocked = |index| matches!(arguments.call(&class, index), Ok(Prepared::Blocked(_)));
    assert_eq!([0, 1, 2].map(is_blocked), [false, true, false]);
}

#[test]
fn a_node_that_takes_lists_is_called_once_with_all() {
    let class = class(|schema| {
        schema
            .input(input::<List<i64>>("all"))
            .input(input::<i64>("first"))
            .input(input::<UniqueId>("id"))
    });
    let slots = || vec![[1, 2, 3].map(value).into()];
    let given = json!({"all": ["1", 0], "first": ["1", 0]});
    let arguments = gather(&class, &given, slots()).unwrap();
    assert_eq!(arguments.calls(), 1);
    let mut taken = inputs(&arguments, &class, 0);
    assert_eq!(taken.take::<List<i64>>("all").unwrap().0, [1, 2, 3]);
    assert_eq!(taken.take::<i64>("first").unwrap(), 1);
    assert_eq!(taken.take::<UniqueId>("id").unwrap().0, "7");
    let given = json!({"all": 5, "first": ["1", 0]});
    let arguments = gather(&class, &given, slots()).unwrap();
    let mut taken = inputs(&arguments, &class, 0);
    assert_eq!(taken.take::<List<i64>>("all").unwrap().0, [5]);
    // A list may be lazy, too.
    let lazy = self::class(|schema| schema.input(input::<Lazy<List<i64>>>("all")));
    let arguments = gather(&lazy, &json!({"all": ["9", 0]}), vec![]).unwrap();
    let waiting: Lazy<List<i64>> = inputs(&arguments, &lazy, 0).take("all").unwrap();
    assert!(!waiting.is_ready());
    // One blocker among the values blocks the only call.
    let slots = vec![vec![value(1), Err(Blocker::silent())]];
    let arguments = gather(&class, &json!({"all": ["1", 0], "first": 1}), slots).unwrap();
    assert!(matches!(
        arguments.call(&class, 0),
        Ok(Prepared::Blocked(_))
    ));
}

#[test]
fn lazy_inputs_wait_and_raw_links_stay_links() {
    let class = class(|schema| {
        schema
            .input(input::<Lazy<i64>>("lazy"))
            .input(input::<Lazy<i64>>("ready"))
            .input(input::<RawLink<i64>>("raw"))
    });
    let given = json!({"lazy": ["9", 0], "ready": ["1", 0], "raw": ["9", 3]});
    let arguments = gather(&class, &given, vec![vec![value(1)]]).unwrap();
    assert_eq!(arguments.calls(), 1);
    assert_eq!(
        ["lazy", "ready", "raw", "absent"].map(|name| arguments.has(name)),
        [false, true, true, false]
    );
    let mut taken = inputs(&arguments, &class, 0);
    assert!(!taken.take::<Lazy<i64>>("lazy").unwrap().is_ready());
    assert!(taken.take::<Lazy<i64>>("ready").unwrap().is_ready());
    let raw: RawLink<i64> = taken.take("raw").unwrap();
    assert_eq!(raw.link().unwrap().slot, 3);
}

#[test]
fn undeclared_links_need_a_node_that_takes_them() {
    let given = json!({"a": 1, "more": ["1", 0], "dropped": 5});
    let slots = || vec![vec![value(4), value(5)]];
    let strict = digits();
    let arguments = gather(&strict, &given, slots()).unwrap();
    let failure = arguments.call(&strict, 0).err().unwrap();
    assert_eq!(
        (failure.kind.as_str(), failure.message.as_str()),
        (
            "TypeError",
            "Toy.run() got an unexpected keyword argument 'more'"
        )
    );
    let open = class(|schema| {
        schema
            .input(input::<i64>("a"))
            .input(input::<Undeclared>("rest"))
    });
    let arguments = gather(&open, &given, slots()).unwrap();
    assert_eq!(arguments.calls(), 2);
    let rest: Undeclared = inputs(&arguments, &open, 1).take("rest").unwrap();
    assert_eq!(rest.names().collect::<Vec<_>>(), ["more"]);
    assert_eq!(rest.get::<i64>("more").unwrap(), Some(5));
    assert_eq!(rest.get::<i64>("other").unwrap(), None);
}

#[test]
fn hidden_inputs_of_other_types_come_from_the_prompt() {
    let class = class(|schema| {
        schema
            .input(input::<Option<i64>>("start").hidden(true))
            .input(input::<UniqueId>("id"))
    });
    let given = json!({"start": 5, "id": "forged"});
    let arguments = gather(&class, &given, vec![]).unwrap();
    let mut taken = inputs(&arguments, &class, 0);
    assert_eq!(taken.take::<Option<i64>>("start").unwrap(), Some(5));
    assert_eq!(taken.take::<UniqueId>("id").unwrap().0, "7");
}

/// A value that is no JSON.
#[derive(Clone)]
struct Opaque;

impl Socket for Opaque {
    const TYPE: &'static str = "MODEL";
}

#[test]
fn inputs_are_described_for_people() {
    let given = json!({"a": ["1", 0], "b": ["1", 1], "c": 2.5, "x": ["1", 1]});
    let slots = vec![
        vec![value(1), Err(Blocker::silent())],
        vec![Ok(Value::new(Opaque))],
    ];
    let arguments = gather(&digits(), &given, slots).unwrap();
    assert_eq!(
        Json::Object(arguments.describe()),
        json!({"a": [1, "a blocker"], "b": ["MODEL"], "c": [2.5], "x": ["MODEL"], "id": ["7"]})
    );
}
