//! Whatever is kept between prompts, and however: every prompt shows what it shows when nothing is kept.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use comfy_exec::CachePolicy;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::graph_toys::{Meeting, registry};
use crate::recorder::Bench;
use crate::toys::{Ledger, node, services};

/// One node: its class, a small number, and where its links go, as shares of the nodes before it.
type Sketch = (usize, i64, [usize; 3]);

/// A world, some nodes, and which of them are shown.
type Scene = (i64, Vec<Sketch>, Vec<usize>);

const CLASSES: [&str; 14] = [
    "Constant",
    "Constant",
    "World",
    "Range",
    "Sum",
    "Total",
    "Gate",
    "Pick",
    "Countdown",
    "Odd",
    "Heap",
    "Personal",
    "Meet",
    "Fail",
];

fn prompt(nodes: &[Sketch], shown: &[usize]) -> Value {
    let mut prompt = Map::new();
    let name = |index: usize| {
        if index == 0 {
            "1".to_owned()
        } else {
            format!("n{index}")
        }
    };
    for (index, (class, number, sources)) in nodes.iter().enumerate() {
        // The first node has nothing to link to.
        let class = if index == 0 {
            "Constant"
        } else {
            CLASSES[class % CLASSES.len()]
        };
        let link = |which: usize| json!([name(sources[which] % index.max(1)), 0]);
        let inputs = match class {
            "Constant" => json!({"value": number}),
            "World" => json!({"plus": number}),
            "Range" => json!({"count": number}),
            "Sum" => json!({"a": link(0), "b": link(1), "plus": number}),
            "Total" => json!({"values": link(0), "times": link(1)}),
            "Gate" => json!({"value": link(0), "blocked": number, "message": "no"}),
            "Pick" => json!({"second": link(0), "a": link(1), "b": link(2)}),
            "Countdown" => json!({"from": number, "start": link(0)}),
            "Odd" => {
                let ways = ["list", "values", "shows", "plain"];
                json!({"value": link(0), "way": ways[sources[1] % ways.len()]})
            }
            "Heap" => json!({"x": link(0), "y": link(1)}),
            "Fail" => {
                let how = if *number == 3 { "value" } else { "not at all" };
                json!({"a": link(0), "how": how})
            }
            _ => json!({"a": link(0)}),
        };
        prompt.insert(name(index), node(class, inputs));
    }
    for (index, shown) in shown.iter().enumerate() {
        let source = json!([name(shown % nodes.len()), 0]);
        prompt.insert(format!("s{index}"), node("Show", json!({"value": source})));
    }
    Value::Object(prompt)
}

/// Prompts that have much in common: a few nodes of the first are other ones in the second, and so on.
fn scenes() -> impl Strategy<Value = Vec<Scene>> {
    let sketch = || (any::<usize>(), 0_i64..4, any::<[usize; 3]>());
    let changes = prop::collection::vec((any::<usize>(), sketch()), 0..3);
    let rest = (
        0_i64..2,
        changes,
        prop::collection::vec(any::<usize>(), 1..4),
    );
    (
        prop::collection::vec(sketch(), 1..12),
        prop::collection::vec(rest, 2..6),
    )
        .prop_map(|(mut nodes, steps)| {
            let mut scene = |(world, changes, shown): (i64, Vec<(usize, Sketch)>, Vec<usize>)| {
                for (place, sketch) in changes {
                    let place = place % nodes.len();
                    nodes[place] = sketch;
                }
                (world, nodes.clone(), shown)
            };
            steps.into_iter().map(&mut scene).collect()
        })
}

fn bench(cache: CachePolicy) -> (Bench, Arc<Ledger>) {
    let (mut services, ledger) = services();
    services.insert(Meeting::of(1));
    (Bench::new(registry(), services, cache), ledger)
}

/// Whether a prompt succeeds, and what its own nodes show then.
fn run((bench, ledger): &(Bench, Arc<Ledger>), (world, nodes, shown): &Scene) -> (bool, Value) {
    ledger.world.store(*world, Ordering::Relaxed);
    let prompt = prompt(nodes, shown);
    let entry = bench.run(prompt.clone());
    bench.recorder.take();
    if !entry.status.completed {
        return (false, Value::Null);
    }
    // Nodes that are known and not needed are shown too, so only those that were asked for count.
    let own = entry.outputs.iter().filter(|(id, _)| id.starts_with('s'));
    let own: Map<_, _> = own.map(|(id, shown)| (id.clone(), shown.clone())).collect();
    (true, Value::Object(own))
}

#[test]
fn a_node_whose_result_was_freed_expands_again() {
    // `k` finds out late that it needs `l`, when `q` has used `c` and nobody seemed to need it any more.
    let prompt = json!({
        "1": node("Constant", json!({"value": 3})),
        "c": node("Countdown", json!({"from": 2, "start": ["1", 0]})),
        "q": node("Sum", json!({"a": ["c", 0], "plus": 1})),
        "l": node("Sum", json!({"a": ["c", 0], "plus": 2})),
        "k": node("Pick", json!({"second": ["q", 0], "a": ["q", 0], "b": ["l", 0]})),
        "s": node("Show", json!({"value": ["k", 0]})),
    });
    let shown = |cache| {
        let (bench, _) = bench(cache);
        let entry = bench.run(prompt.clone());
        assert!(entry.status.completed, "{cache:?}: {:?}", entry.status);
        json!(entry.outputs["s"])
    };
    let expected = shown(CachePolicy::Classic);
    assert_eq!(shown(CachePolicy::Ram(0)), expected);
    assert_eq!(shown(CachePolicy::None), expected);
}

#[test]
fn a_lazy_input_that_nobody_asks_for_does_not_come() {
    // The first prompt leaves the list of two behind; `k` would be called twice if it got that.
    let nodes = json!({
        "1": node("Constant", json!({"value": 1})),
        "two": node("Range", json!({"count": 2})),
        "b": node("Sum", json!({"a": ["1", 0]})),
        "k": node("Pick", json!({"second": ["1", 0], "a": ["two", 0], "b": ["b", 0]})),
    });
    let shown = |source: &str| {
        let mut prompt = nodes.clone();
        prompt["s"] = node("Show", json!({"value": [source, 0]}));
        prompt
    };
    let (bench, _) = bench(CachePolicy::Classic);
    assert_eq!(
        bench.run(shown("two")).outputs["s"],
        json!({"number": [0, 1]})
    );
    assert_eq!(bench.run(shown("k")).outputs["s"], json!({"number": [31]}));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn keeping_never_changes_a_result(scenes in scenes()) {
        let policies = [
            CachePolicy::Classic,
            CachePolicy::Lru(3),
            CachePolicy::Lru(100),
            CachePolicy::Ram(0),
            CachePolicy::Ram(5000),
            CachePolicy::Ram(1_000_000),
            CachePolicy::None,
        ];
        let benches = policies.map(bench);
        for (number, scene) in scenes.iter().enumerate() {
            // An engine that has seen nothing before.
            let expected = run(&bench(CachePolicy::None), scene);
            for (policy, bench) in policies.iter().zip(&benches) {
                let found = run(bench, scene);
                prop_assert_eq!(&found, &expected, "prompt {} under {:?}", number, policy);
            }
        }
        // And memory is given back.
        for (policy, (bench, ledger)) in policies.iter().zip(&benches) {
            bench.engine.free(comfy_exec::FreeRequest { unload_models: false, free_memory: true });
            let last = json!({"1": node("Wait", json!({"step": 0, "steps": 0}))});
            bench.run(last);
            // What an asynchronous call of a failed prompt holds is dropped by another thread.
            let deadline = Instant::now() + Duration::from_mins(1);
            while ledger.alive() > 0 {
                prop_assert!(Instant::now() < deadline, "{:?} keeps values alive", policy);
                std::thread::yield_now();
            }
        }
    }
}
