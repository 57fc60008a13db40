//! Small nodes that ask, repeat, block, expand and go on beside others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use comfy_graph::{
    Blocker, Constants, DynamicPrompt, Expand, Json, Later, Lazy, List, Needs, Node, NodeContext,
    NodeError, NodeOutput, NodeRegistry, NodeSpec, RawLink, Services, Undeclared, UniqueId, Value,
};
use serde_json::json;
use tokio::sync::{Barrier, Notify};

use crate::toys::{Ledger, Tracked};

/// Where asynchronous toys meet.
pub(crate) struct Meeting {
    /// Lets calls of `Meet` go on when so many have come.
    pub(crate) barrier: Barrier,
    /// Ends the calls of `Endless`, if anybody ever does.
    pub(crate) end: Notify,
    /// Calls of `Endless` that have begun.
    pub(crate) begun: AtomicUsize,
    /// Calls of `Endless` that are over, in whatever way.
    pub(crate) over: AtomicUsize,
}

impl Meeting {
    pub(crate) fn of(count: usize) -> Arc<Self> {
        Arc::new(Self {
            barrier: Barrier::new(count),
            end: Notify::new(),
            begun: AtomicUsize::new(0),
            over: AtomicUsize::new(0),
        })
    }
}

fn number(context: &NodeContext<'_>, value: i64) -> Result<Tracked, NodeError> {
    Ok(context.service::<Ledger>()?.number(context, value))
}

fn note(context: &NodeContext<'_>) -> Result<(), NodeError> {
    context.service::<Ledger>()?.note(context);
    Ok(())
}

/// One of two numbers.
#[derive(NodeSpec)]
#[node(id = "Pick", category = "toy")]
pub(crate) struct Pick {
    /// Which.
    second: Tracked,
    /// The one for 0.
    a: Lazy<Tracked>,
    /// The one for everything else.
    b: Option<Lazy<Tracked>>,
    /// The name of an input to ask for in vain.
    ask: Option<String>,
}

impl Node for Pick {
    type Output = Tracked;

    fn needs(&self, needs: &mut Needs) {
        if let Some(name) = &self.ask {
            needs.ask_name(name);
        }
        match (&self.b, self.second.value()) {
            (_, 0) | (None, _) => needs.ask(&self.a),
            (Some(b), _) => needs.ask(b),
        }
    }

    fn run(self, context: &mut NodeContext<'_>) -> Result<Tracked, NodeError> {
        note(context)?;
        match (self.b, self.second.value()) {
            (_, 0) | (None, _) => self.a.take(),
            (Some(b), _) => b.take(),
        }
    }
}

/// A list of numbers from 0 on.
#[derive(NodeSpec)]
#[node(id = "Range", category = "toy")]
pub(crate) struct Range {
    /// How many.
    count: i64,
}

impl Node for Range {
    type Output = List<Tracked>;

    fn run(self, context: &mut NodeContext<'_>) -> Result<List<Tracked>, NodeError> {
        note(context)?;
        (0..self.count)
            .map(|value| number(context, value))
            .collect::<Result<Vec<_>, _>>()
            .map(List)
    }
}

/// The sum of a list, times the first of some numbers.
#[derive(NodeSpec)]
#[node(id = "Total", category = "toy")]
pub(crate) struct Total {
    /// The numbers.
    values: List<Tracked>,
    /// A number.
    times: Option<Tracked>,
}

impl Node for Total {
    type Output = Tracked;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Tracked, NodeError> {
        note(context)?;
        let sum: i64 = self.values.iter().map(Tracked::value).sum();
        let times = self.times.map_or(1, |times| times.value());
        number(context, sum.wrapping_mul(times))
    }
}

/// Lets numbers through but for one.
#[derive(NodeSpec)]
#[node(id = "Gate", category = "toy")]
pub(crate) struct Gate {
    /// The number.
    value: Tracked,
    /// The one that is blocked.
    blocked: i64,
    /// What the client is told.
    message: Option<String>,
}

impl Node for Gate {
    type Output = Result<Tracked, Blocker>;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Self::Output, NodeError> {
        note(context)?;
        if self.value.value() != self.blocked {
            return Ok(Ok(self.value));
        }
        Ok(Err(self.message.map_or_else(Blocker::silent, Blocker::new)))
    }
}

/// Sums from a number down to 1, by expanding into a smaller sum.
#[derive(NodeSpec)]
#[node(id = "Countdown", category = "toy")]
pub(crate) struct Countdown {
    /// The number.
    from: i64,
    /// What is added in the end. Only as it comes is it known again.
    start: Value,
    /// How the inner nodes go wrong, if they do.
    how: Option<String>,
}

impl Node for Countdown {
    type Output = Expand<Value>;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Self::Output, NodeError> {
        note(context)?;
        if self.from == 0 {
            return Ok(self.start.into());
        }
        let mut graph = context.subgraph();
        let inner = graph
            .node("Countdown")
            .set("from", self.from - 1)
            .set("start", self.start)
            .add();
        let sum = graph
            .node("Sum")
            .set("a", inner.out(0))
            .set("plus", self.from)
            .add();
        let how = self.how.unwrap_or_default();
        let last = graph
            .node("Fail")
            .set("a", sum.out(0))
            .set("how", how)
            .id("last")
            .add();
        Ok(graph.returns([last.out(0).into()]))
    }
}

/// Expands in one of several odd ways.
#[derive(NodeSpec)]
#[node(id = "Odd", category = "toy")]
pub(crate) struct Odd {
    /// A number.
    value: Tracked,
    /// In which way.
    way: String,
}

impl Node for Odd {
    type Output = Expand<(Tracked, List<Value>)>;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Self::Output, NodeError> {
        note(context)?;
        let mut graph = context.subgraph();
        let own = context.unique_id().to_owned();
        let value = self.value.clone();
        match self.way.as_str() {
            // Outputs that come from a list, and a constant list.
            "list" => {
                let range = graph.node("Range").set("count", json!(3)).add();
                Ok(graph.returns([range.out(0).into(), json!([4, "five"]).into()]))
            }
            // Values in hand, and a node of the graph around.
            "values" => Ok(graph.returns([
                value.clone().into(),
                NodeOutput {
                    node: "1".to_owned(),
                    slot: 0,
                }
                .into(),
            ])),
            // Nodes that show something; one of them in the name of another node.
            "shows" => {
                graph.node("Show").set("value", value.clone()).add();
                graph
                    .node("Show")
                    .set("value", value.clone())
                    .display("1")
                    .add();
                graph
                    .node("Range")
                    .set("count", json!(1))
                    .id("unused")
                    .add();
                Ok(graph.returns([value.clone().into(), value.into()]))
            }
            // Two nodes that need each other.
            "cycle" => {
                let first = graph.node("Sum").add();
                let second = graph.node("Sum").set("a", first.out(0)).add();
                graph.edit(&first).set("a", second.out(0));
                Ok(graph.returns([second.out(0).into(), value.into()]))
            }
            // The node itself as its source.
            "self" => {
                let link = NodeOutput { node: own, slot: 0 };
                Ok(graph.returns([link.into(), value.into()]))
            }
            "twice" => {
                graph.node("Range").id("same").add();
                graph.node("Range").id("same").add();
                Ok(graph.returns([value.clone().into(), value.into()]))
            }
            "unknown class" => {
                let node = graph.node("Nonsense").add();
                Ok(graph.returns([node.out(0).into(), value.into()]))
            }
            "unknown source" => {
                let link = NodeOutput {
                    node: "nowhere".to_owned(),
                    slot: 0,
                };
                Ok(graph.returns([link.into(), value.into()]))
            }
            "too few" => Ok(graph.returns([value.into()])),
            _ => Ok((value.clone(), List(vec![Value::new(value)])).into()),
        }
    }
}

/// Reads the graph: how many nodes there are, and the class behind a link.
#[derive(NodeSpec)]
#[node(id = "Look", category = "toy", output_node)]
pub(crate) struct Look {
    /// A link.
    at: RawLink<Value>,
    /// The graph.
    graph: DynamicPrompt,
    /// The id.
    id: UniqueId,
}

impl Node for Look {
    type Output = ();

    fn run(self, context: &mut NodeContext<'_>) -> Result<(), NodeError> {
        note(context)?;
        let class = self.at.link().and_then(|link| self.graph.node(&link.node));
        let class = class.map(|node| node.class_type.clone());
        let parent = self.graph.parent_id(&self.id.0).map(str::to_owned);
        context.add_ui("seen", json!([class, self.graph.len(), parent]));
        Ok(())
    }
}

/// Adds up whatever is linked.
#[derive(NodeSpec)]
#[node(id = "Heap", category = "toy")]
pub(crate) struct Heap {
    /// The numbers.
    rest: Undeclared,
}

impl Node for Heap {
    type Output = Tracked;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Tracked, NodeError> {
        note(context)?;
        let mut sum = 0;
        for name in self.rest.names() {
            sum += self
                .rest
                .get::<Tracked>(name)?
                .map_or(0, |value| value.value());
        }
        number(context, sum)
    }
}

/// A number of the world outside, which changes from prompt to prompt.
#[derive(NodeSpec)]
#[node(id = "World", category = "toy")]
pub(crate) struct World {
    /// What is added to it.
    plus: i64,
}

impl Node for World {
    type Output = Tracked;

    const HAS_FINGERPRINT: bool = true;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Tracked, NodeError> {
        note(context)?;
        let world = context.service::<Ledger>()?.world.load(Ordering::Relaxed);
        number(context, world + self.plus)
    }

    fn fingerprint(_: &Constants<'_>, services: &Services) -> Result<Json, NodeError> {
        let ledger = services.get::<Ledger>().unwrap();
        Ok(json!(ledger.world.load(Ordering::Relaxed)))
    }
}

/// A number that belongs to this very node.
#[derive(NodeSpec)]
#[node(id = "Personal", category = "toy", not_idempotent)]
pub(crate) struct Personal {
    /// A number.
    a: Tracked,
}

impl Node for Personal {
    type Output = Tracked;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Tracked, NodeError> {
        note(context)?;
        let own: i64 = context.unique_id().bytes().map(i64::from).sum();
        number(context, self.a.value().wrapping_mul(1000).wrapping_add(own))
    }
}

/// Waits until enough others wait.
#[derive(NodeSpec)]
#[node(id = "Meet", category = "toy")]
pub(crate) struct Meet {
    /// A number.
    a: Tracked,
    /// What happens then: `fail`, `panic` or `expand`.
    then: Option<String>,
}

impl Node for Meet {
    type Output = Later<Expand<Tracked>>;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Self::Output, NodeError> {
        note(context)?;
        let meeting = context.service::<Meeting>()?;
        let mut context = context.detach();
        Ok(Later::new(async move {
            context.progress_amount(0.25, 0.5)?;
            meeting.barrier.wait().await;
            context.progress(1, 1)?;
            context.add_ui("met", json!(self.a.value()));
            match self.then.as_deref() {
                Some("fail") => Err(NodeError::value("nobody came")),
                Some("panic") => panic!("on purpose"),
                Some("expand") => {
                    let mut graph = context.subgraph();
                    let sum = graph
                        .node("Sum")
                        .set("a", self.a)
                        .set("plus", json!(1))
                        .add();
                    Ok(graph.returns([sum.out(0).into()]))
                }
                _ => Ok(self.a.into()),
            }
        }))
    }
}

/// Meets the others without being asynchronous: its thread waits.
#[derive(NodeSpec)]
#[node(id = "MeetInPerson", category = "toy")]
pub(crate) struct MeetInPerson {
    /// A number.
    a: Tracked,
    /// Whether it fails then.
    fails: bool,
}

impl Node for MeetInPerson {
    type Output = Tracked;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Tracked, NodeError> {
        note(context)?;
        let meeting = context.service::<Meeting>()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(meeting.barrier.wait());
        if self.fails {
            return Err(NodeError::value("in person"));
        }
        Ok(self.a)
    }
}

/// Never ends by itself.
#[derive(NodeSpec)]
#[node(id = "Endless", category = "toy")]
pub(crate) struct Endless {
    /// A number.
    a: Tracked,
}

struct Over(Arc<Meeting>);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.over.fetch_add(1, Ordering::Relaxed);
    }
}

impl Node for Endless {
    type Output = Later<Tracked>;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Self::Output, NodeError> {
        let meeting = context.service::<Meeting>()?;
        let mut context = context.detach();
        let over = Over(meeting.clone());
        meeting.begun.fetch_add(1, Ordering::Relaxed);
        Ok(Later::new(async move {
            let _over = over;
            context.progress(0, 1)?;
            meeting.end.notified().await;
            Ok(self.a)
        }))
    }
}

pub(crate) fn registry() -> NodeRegistry {
    let mut registry = crate::toys::registry();
    registry
        .register::<Pick>()
        .and_then(|registry| registry.register::<Range>())
        .and_then(|registry| registry.register::<Total>())
        .and_then(|registry| registry.register::<Gate>())
        .and_then(|registry| registry.register::<Countdown>())
        .and_then(|registry| registry.register::<Odd>())
        .and_then(|registry| registry.register::<Look>())
        .and_then(|registry| registry.register::<Heap>())
        .and_then(|registry| registry.register::<World>())
        .and_then(|registry| registry.register::<Personal>())
        .and_then(|registry| registry.register::<Meet>())
        .and_then(|registry| registry.register::<MeetInPerson>())
        .and_then(|registry| registry.register::<Endless>())
        .unwrap();
    registry
}
