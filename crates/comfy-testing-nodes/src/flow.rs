//! Loops and blockers.
//!
//! A loop is a pair of nodes: everything between the opening and the closing node is its body. The closing node expands into another
//! copy of body and loop as long as the loop goes on, so the graph unrolls while it runs.

use std::collections::{BTreeMap, BTreeSet};

use comfy_graph::{
    Blocker, Constants, DynamicPrompt, Expand, Node, NodeContext, NodeError, NodeSpec, Outputs,
    PromptInput, RawLink, Services, Socket, UniqueId, Value,
};

use crate::MODULE;
use crate::numbers::Whole;
use crate::variants::check_links;

/// Binds the two ends of a loop together; only its link matters.
#[derive(Debug, Clone)]
pub struct FlowControl;

impl Socket for FlowControl {
    const TYPE: &'static str = "FLOW_CONTROL";
}

/// Opens a loop that goes on while a condition holds.
#[derive(Debug, NodeSpec)]
#[node(id = "TestWhileLoopOpen", name = "While Loop Open", category = "Testing/Flow", module = MODULE)]
pub struct WhileLoopOpen {
    /// Whether to begin; it is the closing node that decides.
    #[input(default = true)]
    condition: bool,
    /// A value of the first round.
    initial_value0: Option<Value>,
    /// A value of the first round.
    initial_value1: Option<Value>,
    /// A value of the first round.
    initial_value2: Option<Value>,
    /// A value of the first round.
    initial_value3: Option<Value>,
    /// A value of the first round.
    initial_value4: Option<Value>,
}

/// The values of one round.
#[derive(Debug, Outputs)]
pub struct Round {
    #[output(name = "FLOW_CONTROL")]
    flow_control: FlowControl,
    value0: Option<Value>,
    value1: Option<Value>,
    value2: Option<Value>,
    value3: Option<Value>,
    value4: Option<Value>,
}

impl Node for WhileLoopOpen {
    type Output = Round;

    const CHECKS_TYPES: bool = true;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Round, NodeError> {
        let _ = self.condition;
        Ok(Round {
            flow_control: FlowControl,
            value0: self.initial_value0,
            value1: self.initial_value1,
            value2: self.initial_value2,
            value3: self.initial_value3,
            value4: self.initial_value4,
        })
    }

    fn check(constants: &Constants<'_>, _: &Services) -> Result<(), String> {
        check_links::<Self>(constants)
    }
}

/// Closes a loop that goes on while a condition holds.
#[derive(Debug, NodeSpec)]
#[node(id = "TestWhileLoopClose", name = "While Loop Close", category = "Testing/Flow", module = MODULE)]
pub struct WhileLoopClose {
    /// The node that opens the loop.
    flow_control: RawLink<FlowControl>,
    /// Whether there is another round.
    #[input(force_input)]
    condition: bool,
    /// A value for the next round, or the result.
    initial_value0: Option<Value>,
    /// A value for the next round, or the result.
    initial_value1: Option<Value>,
    /// A value for the next round, or the result.
    initial_value2: Option<Value>,
    /// A value for the next round, or the result.
    initial_value3: Option<Value>,
    /// A value for the next round, or the result.
    initial_value4: Option<Value>,
    dynprompt: DynamicPrompt,
    unique_id: UniqueId,
}

/// The values after the last round.
#[derive(Debug, Outputs)]
pub struct AfterWhile {
    value0: Option<Value>,
    value1: Option<Value>,
    value2: Option<Value>,
    value3: Option<Value>,
    value4: Option<Value>,
}

/// What the copy of the closing node is called; its own id would grow with every round.
const NEXT_CLOSE: &str = "Recurse";

impl Node for WhileLoopClose {
    type Output = Expand<AfterWhile>;

    const CHECKS_TYPES: bool = true;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Expand<AfterWhile>, NodeError> {
        let [value0, value1, value2, value3, value4] = [
            self.initial_value0,
            self.initial_value1,
            self.initial_value2,
            self.initial_value3,
            self.initial_value4,
        ];
        if !self.condition {
            return Ok(AfterWhile {
                value0,
                value1,
                value2,
                value3,
                value4,
            }
            .into());
        }
        let values = [value0, value1, value2, value3, value4];
        let open = &opening(&self.flow_control)?.node;
        let close = self.unique_id.0.as_str();
        let copied = body(&self.dynprompt, open, close);
        let new_name = |id: &'_ str| if id == close { NEXT_CLOSE } else { id }.to_owned();

        let mut graph = context.subgraph();
        let mut copies = BTreeMap::new();
        for &id in &copied {
            if let Some(node) = self.dynprompt.node(id) {
                let copy = graph
                    .node(&node.class_type)
                    .id(new_name(id))
                    .display(id)
                    .add();
                copies.insert(id, copy);
            }
        }
        for (id, copy) in &copies {
            let Some(node) = self.dynprompt.node(id) else {
                continue;
            };
            for (name, input) in &node.inputs {
                let inside = input
                    .link()
                    .and_then(|link| Some(copies.get(link.node.as_str())?.out(link.slot)));
                let input = inside.map_or_else(|| input.clone(), PromptInput::from);
                graph.edit(copy).set(name, input);
            }
        }
        let missing = |id: &str| {
            NodeError::runtime(format_args!(
                "expected the loop's node {id} in the prompt, found none"
            ))
        };
        let new_open = copies.get(open.as_str()).ok_or_else(|| missing(open))?;
        for (index, value) in values.into_iter().enumerate() {
            let value = value.unwrap_or_else(Value::null);
            graph
                .edit(new_open)
                .set(format!("initial_value{index}"), value);
        }
        let new_close = copies.get(close).ok_or_else(|| missing(close))?;
        let results = (0..5).map(|slot| new_close.out(slot).into());
        Ok(graph.returns(results))
    }

    fn check(constants: &Constants<'_>, _: &Services) -> Result<(), String> {
        check_links::<Self>(constants)
    }
}

fn opening(flow_control: &RawLink<FlowControl>) -> Result<&comfy_graph::NodeOutput, NodeError> {
    flow_control.link().ok_or_else(|| {
        NodeError::value("expected a link to the node that opens the loop, got a value")
    })
}

/// The nodes of a loop, its ends included: those that come after `open` and before `close`.
fn body<'a>(prompt: &'a DynamicPrompt, open: &'a str, close: &'a str) -> BTreeSet<&'a str> {
    let mut consumers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut waiting = vec![close];
    while let Some(id) = waiting.pop() {
        let inputs = prompt
            .node(id)
            .into_iter()
            .flat_map(|node| node.inputs.values());
        for source in inputs.filter_map(|input| Some(input.link()?.node.as_str())) {
            let known = consumers.entry(source).or_insert_with(|| {
                waiting.push(source);
                Vec::new()
            });
            known.push(id);
        }
    }
    let mut contained = BTreeSet::from([open, close]);
    let mut waiting = vec![open];
    while let Some(id) = waiting.pop() {
        for &consumer in consumers.get(id).into_iter().flatten() {
            if contained.insert(consumer) {
                waiting.push(consumer);
            }
        }
    }
    contained
}

/// Opens a loop with a number of rounds.
#[derive(Debug, NodeSpec)]
#[node(id = "TestForLoopOpen", name = "For Loop Open", category = "Testing/Flow", module = MODULE)]
pub struct ForLoopOpen {
    /// How many rounds there are.
    #[input(default = 1i64, min = 0i64, max = 100_000i64, step = 1i64)]
    remaining: i64,
    /// A value of the first round.
    initial_value1: Option<Value>,
    /// A value of the first round.
    initial_value2: Option<Value>,
    /// A value of the first round.
    initial_value3: Option<Value>,
    /// A value of the first round.
    initial_value4: Option<Value>,
    /// How many rounds are left, in all rounds but the first.
    #[input(hidden)]
    initial_value0: Option<Value>,
}

/// The values of one round and the number of those left, this one included.
#[derive(Debug, Outputs)]
pub struct CountedRound {
    flow_control: FlowControl,
    remaining: Whole,
    value1: Option<Value>,
    value2: Option<Value>,
    value3: Option<Value>,
    value4: Option<Value>,
}

impl Node for ForLoopOpen {
    type Output = Expand<CountedRound>;

    const CHECKS_TYPES: bool = true;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Expand<CountedRound>, NodeError> {
        let remaining = self
            .initial_value0
            .unwrap_or_else(|| Value::new(self.remaining));
        let values = [
            self.initial_value1,
            self.initial_value2,
            self.initial_value3,
            self.initial_value4,
        ]
        .map(|value| value.unwrap_or_else(Value::null));
        let mut graph = context.subgraph();
        let mut open = graph.node("TestWhileLoopOpen");
        open = open
            .set("condition", remaining.clone())
            .set("initial_value0", remaining.clone());
        for (index, value) in values.iter().enumerate() {
            open = open.set(format!("initial_value{}", index + 1), value.clone());
        }
        open.add();
        let fixed = [Value::new(FlowControl), remaining];
        Ok(graph.returns(fixed.into_iter().chain(values).map(PromptInput::from)))
    }

    fn check(constants: &Constants<'_>, _: &Services) -> Result<(), String> {
        check_links::<Self>(constants)
    }
}

/// Closes a loop with a number of rounds.
#[derive(Debug, NodeSpec)]
#[node(id = "TestForLoopClose", name = "For Loop Close", category = "Testing/Flow", module = MODULE)]
pub struct ForLoopClose {
    /// The node that opens the loop.
    flow_control: RawLink<FlowControl>,
    /// A value for the next round, or the result.
    initial_value1: Option<RawLink<Value>>,
    /// A value for the next round, or the result.
    initial_value2: Option<RawLink<Value>>,
    /// A value for the next round, or the result.
    initial_value3: Option<RawLink<Value>>,
    /// A value for the next round, or the result.
    initial_value4: Option<RawLink<Value>>,
}

/// The values after the last round.
#[derive(Debug, Outputs)]
pub struct AfterFor {
    value1: Option<Value>,
    value2: Option<Value>,
    value3: Option<Value>,
    value4: Option<Value>,
}

impl Node for ForLoopClose {
    type Output = Expand<AfterFor>;

    const CHECKS_TYPES: bool = true;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Expand<AfterFor>, NodeError> {
        let open = opening(&self.flow_control)?.node.clone();
        let mut graph = context.subgraph();
        let counter = graph
            .node("TestIntMathOperation")
            .set("operation", "subtract")
            .set(
                "a",
                comfy_graph::NodeOutput {
                    node: open,
                    slot: 1,
                },
            )
            .set("b", 1_i64)
            .add();
        let condition = graph
            .node("TestToBoolNode")
            .set("value", counter.out(0))
            .add();
        let mut close = graph
            .node("TestWhileLoopClose")
            .set("flow_control", self.flow_control.into_input())
            .set("condition", condition.out(0))
            .set("initial_value0", counter.out(0));
        let values = [
            self.initial_value1,
            self.initial_value2,
            self.initial_value3,
            self.initial_value4,
        ];
        for (index, value) in values.into_iter().enumerate() {
            let value = value.map_or_else(|| Value::null().into(), RawLink::into_input);
            close = close.set(format!("initial_value{}", index + 1), value);
        }
        let close = close.add();
        Ok(graph.returns((1..5).map(|slot| close.out(slot).into())))
    }

    fn check(constants: &Constants<'_>, _: &Services) -> Result<(), String> {
        check_links::<Self>(constants)
    }
}

/// Lets a value pass, or keeps everything that needs it from running.
#[derive(Debug, NodeSpec)]
#[node(id = "TestExecutionBlocker", name = "Execution Blocker", category = "Testing/Flow", module = MODULE)]
pub struct ExecutionBlocker {
    /// The value.
    input: Value,
    /// Whether it is kept.
    block: bool,
    /// Whether to tell people that it is.
    #[input(default = false)]
    verbose: bool,
}

/// What passes.
#[derive(Debug, Outputs)]
pub struct Passed {
    output: Result<Value, Blocker>,
}

impl Node for ExecutionBlocker {
    type Output = Passed;

    const CHECKS_TYPES: bool = true;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Passed, NodeError> {
        let output = match (self.block, self.verbose) {
            (false, _) => Ok(self.input),
            (true, false) => Err(Blocker::silent()),
            (true, true) => Err(Blocker::new("Blocked Execution")),
        };
        Ok(Passed { output })
    }

    fn check(constants: &Constants<'_>, _: &Services) -> Result<(), String> {
        check_links::<Self>(constants)
    }
}
