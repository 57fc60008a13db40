//! What the engine itself costs: giant graphs, cached prompts, and memory after thousands of prompts.
//!
//! ```text
//! cargo bench -p comfy-exec --bench graphs
//! ```
//!
//! The nodes do nothing but add numbers, so that all the time is the engine's.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for developers that talks on the terminal"
)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use comfy_api::events::{Event, TextEvent};
use comfy_exec::{Audience, CachePolicy, Engine, EngineOptions, EventSink, Submission};
use comfy_graph::{
    EmptyCatalog, Expand, Node, NodeContext, NodeError, NodeRegistry, NodeSpec, Services,
    Undeclared, validate,
};
use serde_json::{Map, Value, json};

/// A number and the sum of whatever is linked.
#[derive(NodeSpec)]
#[node(id = "Add", category = "bench")]
struct Add {
    /// The number.
    number: i64,
    /// What is linked.
    rest: Undeclared,
}

impl Node for Add {
    type Output = i64;

    fn run(self, _: &mut NodeContext<'_>) -> Result<i64, NodeError> {
        let mut sum = self.number;
        for name in self.rest.names() {
            sum = sum.wrapping_add(self.rest.get(name)?.unwrap_or(0));
        }
        Ok(sum)
    }
}

/// Adds a number and expands into itself until it is 0.
#[derive(NodeSpec)]
#[node(id = "Descend", category = "bench")]
struct Descend {
    /// The number.
    number: i64,
    /// The sum so far.
    sum: i64,
}

impl Node for Descend {
    type Output = Expand<i64>;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Expand<i64>, NodeError> {
        if self.number == 0 {
            return Ok(self.sum.into());
        }
        let mut graph = context.subgraph();
        let next = graph
            .node("Descend")
            .set("number", self.number - 1)
            .set("sum", self.sum + self.number)
            .add();
        Ok(graph.returns([next.out(0).into()]))
    }
}

/// Shows a number.
#[derive(NodeSpec)]
#[node(id = "Show", category = "bench", output_node)]
struct Show {
    /// The number.
    number: i64,
}

impl Node for Show {
    type Output = ();

    fn run(self, context: &mut NodeContext<'_>) -> Result<(), NodeError> {
        context.add_ui("number", json!(self.number));
        Ok(())
    }
}

fn registry() -> NodeRegistry {
    let mut registry = NodeRegistry::new();
    registry.register::<Add>().unwrap();
    registry.register::<Descend>().unwrap();
    registry.register::<Show>().unwrap();
    registry
}

/// When the last prompt began to run its first node.
#[derive(Default)]
struct FirstNode(Mutex<Option<Instant>>);

impl EventSink for FirstNode {
    fn publish(&self, _: Audience, event: Event) {
        if let Event::Text(TextEvent::Executing(_)) = event {
            self.0.lock().unwrap().get_or_insert_with(Instant::now);
        }
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "literals read better without borrowing"
)]
fn node(class: &str, inputs: Value) -> Value {
    json!({"class_type": class, "inputs": inputs})
}

fn chain(length: usize) -> Value {
    let mut prompt = Map::new();
    prompt.insert("0".to_owned(), node("Add", json!({"number": 1})));
    for index in 1..length {
        let inputs = json!({"number": index, "a": [(index - 1).to_string(), 0]});
        prompt.insert(index.to_string(), node("Add", inputs));
    }
    show(prompt, &(length - 1).to_string())
}

/// Each node takes two earlier ones.
fn web(length: usize) -> Value {
    let mut prompt = Map::new();
    prompt.insert("0".to_owned(), node("Add", json!({"number": 1})));
    for index in 1..length {
        let (before, half) = ((index - 1).to_string(), (index / 2).to_string());
        let inputs = json!({"number": index, "a": [before, 0], "b": [half, 0]});
        prompt.insert(index.to_string(), node("Add", inputs));
    }
    show(prompt, &(length - 1).to_string())
}

fn star(length: usize) -> Value {
    let mut prompt = Map::new();
    for index in 0..length / 2 {
        let id = format!("n{index}");
        prompt.insert(id.clone(), node("Add", json!({"number": index})));
        let inputs = json!({"number": [id, 0]});
        prompt.insert(format!("s{index}"), node("Show", inputs));
    }
    Value::Object(prompt)
}

fn descent(depth: usize) -> Value {
    let mut prompt = Map::new();
    let inputs = json!({"number": depth, "sum": 0});
    prompt.insert("0".to_owned(), node("Descend", inputs));
    show(prompt, "0")
}

fn show(mut prompt: Map<String, Value>, source: &str) -> Value {
    let inputs = json!({"number": [source, 0]});
    prompt.insert("show".to_owned(), node("Show", inputs));
    Value::Object(prompt)
}

struct Bench {
    engine: Engine,
    sink: Arc<FirstNode>,
}

impl Bench {
    fn new(cache: CachePolicy) -> Self {
        let sink = Arc::new(FirstNode::default());
        let mut options =
            EngineOptions::new(Arc::new(registry()), Arc::new(EmptyCatalog), sink.clone());
        options.cache = cache;
        Self {
            engine: Engine::start(options),
            sink,
        }
    }

    /// Runs a prompt. Returns the time until its first node and until its end.
    fn run(&self, prompt: Value) -> (Duration, Duration) {
        *self.sink.0.lock().unwrap() = None;
        let begin = Instant::now();
        let submission = Submission {
            prompt,
            client_id: Some("bench".to_owned()),
            ..Submission::default()
        };
        let submitted = self.engine.submit(submission).unwrap();
        let completion = self.engine.completion(&submitted.prompt_id).unwrap();
        let entry = completion.blocking_recv().unwrap();
        let end = begin.elapsed();
        assert!(entry.status.completed);
        let first = *self.sink.0.lock().unwrap();
        (first.map_or(end, |first| first - begin), end)
    }
}

/// Makes a prompt of about so many nodes.
type Shape = fn(usize) -> Value;

fn giant_graphs() {
    println!("milliseconds       nodes   validate   to 1st node        whole       cached");
    let registry = registry();
    let shapes: [(&str, Shape, &[usize]); 4] = [
        ("chain", chain, &[1000, 10_000, 100_000]),
        ("web", web, &[1000, 10_000, 100_000]),
        ("star", star, &[1000, 10_000, 100_000]),
        ("expansion", descent, &[50, 500]),
    ];
    for (name, shape, lengths) in shapes {
        for &length in lengths {
            let mut prompt = shape(length);
            let begin = Instant::now();
            validate(
                &mut prompt,
                None,
                &registry,
                &EmptyCatalog,
                &Services::new(),
            )
            .unwrap();
            let validated = begin.elapsed();
            let bench = Bench::new(CachePolicy::Classic);
            let (first, whole) = bench.run(prompt.clone());
            let (_, cached) = bench.run(prompt);
            let millis = |duration: Duration| duration.as_secs_f64() * 1e3;
            println!(
                "{name:12} {length:11} {:10.1} {:13.1} {:12.1} {:12.1}",
                millis(validated),
                millis(first),
                millis(whole),
                millis(cached)
            );
        }
    }
}

fn small_prompts() {
    println!("\nsmall prompts, 9 nodes each   prompts a second   memory before and after (MiB)");
    for (name, cache) in [
        ("cached", CachePolicy::Classic),
        ("new each, classic", CachePolicy::Classic),
        ("new each, 1 MB of memory", CachePolicy::Ram(1_000_000)),
        ("new each, none", CachePolicy::None),
    ] {
        const PROMPTS: usize = 2000;
        let bench = Bench::new(cache);
        let prompt = |number: usize| {
            let mut prompt = chain(8);
            if name != "cached" {
                prompt["0"]["inputs"]["number"] = json!(number);
            }
            prompt
        };
        for number in 0..PROMPTS / 10 {
            bench.run(prompt(number));
        }
        bench.engine.clear_history();
        let before = memory();
        let begin = Instant::now();
        for number in 0..PROMPTS {
            bench.run(prompt(PROMPTS + number));
        }
        let elapsed = begin.elapsed();
        bench.engine.clear_history();
        println!(
            "{name:29} {:16.0}   {:.1} {:.1}",
            PROMPTS as f64 / elapsed.as_secs_f64(),
            before,
            memory()
        );
    }
}

/// The memory of this process in MiB; 0 where the system does not tell.
fn memory() -> f64 {
    const PAGE: f64 = 4096.0;
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let resident = statm.split_whitespace().nth(1);
    let pages: f64 = resident.and_then(|pages| pages.parse().ok()).unwrap_or(0.0);
    pages * PAGE / f64::from(1 << 20)
}

fn main() {
    giant_graphs();
    small_prompts();
}
