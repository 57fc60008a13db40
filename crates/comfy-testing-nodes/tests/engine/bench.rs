//! An engine with the testing nodes, in each of the three ways to cache, and a node that shows pictures without files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use comfy_api::events::{Event, ExecutionError, TextEvent};
use comfy_exec::{
    Audience, CachePolicy, Engine, EngineOptions, EventSink, Submission, SubmitError,
};
use comfy_graph::{
    EmptyCatalog, Node, NodeContext, NodeError, NodeRegistry, NodeSpec, Subgraph, SubgraphNode,
};
use comfy_nodes::sockets::Image;
use parking_lot::{Condvar, Mutex};
use serde_json::json;

/// How long a test waits for the end of a prompt.
const PATIENCE: Duration = Duration::from_mins(1);

/// The ways to cache that ComfyUI's tests go through, and one more.
pub(crate) const POLICIES: [CachePolicy; 3] = [
    CachePolicy::Classic,
    CachePolicy::Lru(100),
    CachePolicy::None,
];

/// Shows the darkest and the lightest value of each picture, as bytes.
#[derive(Debug, NodeSpec)]
#[node(id = "Show", category = "test", output_node)]
struct Show {
    /// The pictures.
    images: Image,
}

impl Node for Show {
    type Output = ();

    fn run(self, context: &mut NodeContext<'_>) -> Result<(), NodeError> {
        let [batch, ..] = self.images.shape();
        let values = self.images.values()?;
        for picture in values.chunks_exact(values.len() / batch.max(1)) {
            let byte = |value: f32| (value * 255.0).clamp(0.0, 255.0) as u8;
            let least = picture.iter().copied().fold(f32::INFINITY, f32::min);
            let greatest = picture.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            context.add_ui("shades", json!([byte(least), byte(greatest)]));
        }
        Ok(())
    }
}

#[derive(Default)]
struct Recorder {
    events: Mutex<Vec<(Audience, TextEvent)>>,
    arrived: Condvar,
}

impl EventSink for Recorder {
    fn publish(&self, audience: Audience, event: Event) {
        if let Event::Text(event) = event {
            self.events.lock().push((audience, event));
            self.arrived.notify_all();
        }
    }
}

pub(crate) struct Bench {
    pub(crate) engine: Engine,
    recorder: Arc<Recorder>,
}

/// How a prompt went.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// What happened, in order.
    pub(crate) events: Vec<TextEvent>,
    /// Nodes that began.
    pub(crate) ran: BTreeSet<String>,
    /// Nodes whose results were there.
    pub(crate) cached: BTreeSet<String>,
    /// What the [`Show`] nodes showed: the darkest and the lightest value of each picture.
    pub(crate) shades: BTreeMap<String, Vec<[u8; 2]>>,
    /// Why it failed.
    pub(crate) error: Option<ExecutionError>,
}

impl Run {
    pub(crate) fn did_run(&self, node: &SubgraphNode) -> bool {
        self.ran.contains(node.id())
    }

    pub(crate) fn was_computed(&self, node: &SubgraphNode) -> bool {
        self.did_run(node) || self.cached.contains(node.id())
    }

    /// The shades of the pictures that a node showed, if it ran without a failure.
    pub(crate) fn shown(&self, node: &SubgraphNode) -> &[[u8; 2]] {
        assert!(self.error.is_none(), "{:?}", self.error);
        self.shades
            .get(node.id())
            .map(Vec::as_slice)
            .unwrap_or_default()
    }
}

impl Bench {
    pub(crate) fn new(cache: CachePolicy) -> Self {
        let mut registry = NodeRegistry::new();
        comfy_testing_nodes::register(&mut registry).unwrap();
        registry.register::<Show>().unwrap();
        let recorder = Arc::new(Recorder::default());
        let sink = Arc::<Recorder>::clone(&recorder);
        let options = EngineOptions {
            cache,
            ..EngineOptions::new(Arc::new(registry), Arc::new(EmptyCatalog), sink)
        };
        Self {
            engine: Engine::start(options),
            recorder,
        }
    }

    /// Submits a graph for a client.
    pub(crate) fn submit(
        &self,
        graph: &Subgraph,
        client: &str,
        targets: Option<&[&SubgraphNode]>,
    ) -> Result<String, SubmitError> {
        let submitted = self.engine.submit(Submission {
            prompt: graph.to_json().unwrap(),
            client_id: Some(client.to_owned()),
            targets: targets
                .map(|targets| targets.iter().map(|node| node.id().to_owned()).collect()),
            ..Submission::default()
        })?;
        Ok(submitted.prompt_id)
    }

    /// Waits for the end of a prompt, and takes the events that were sent to a client.
    pub(crate) fn wait(&self, prompt_id: &str, client: &str) -> Run {
        let to_client = Audience::Client(client.to_owned());
        let is_end = |event: &TextEvent| match event {
            TextEvent::Executing(executing) => {
                executing.node.is_none() && executing.prompt_id.as_deref() == Some(prompt_id)
            }
            _ => false,
        };
        let deadline = Instant::now() + PATIENCE;
        let mut events = self.recorder.events.lock();
        while !events.iter().any(|(_, event)| is_end(event)) {
            let late = self
                .recorder
                .arrived
                .wait_until(&mut events, deadline)
                .timed_out();
            assert!(!late, "waited too long for the end of a prompt: {events:?}");
        }
        let (own, others) = std::mem::take(&mut *events)
            .into_iter()
            .partition(|(audience, _)| *audience == to_client);
        *events = others;
        drop(events);

        let own: Vec<(Audience, TextEvent)> = own;
        let mut run = Run {
            events: own.into_iter().map(|(_, event)| event).collect(),
            ..Run::default()
        };
        for event in &run.events {
            match event {
                TextEvent::Executing(executing) => run.ran.extend(executing.node.clone()),
                TextEvent::ExecutionCached(cached) => run.cached.extend(cached.nodes.clone()),
                TextEvent::ExecutionError(error) => run.error = Some(error.clone()),
                _ => {}
            }
        }
        let entry = self.engine.history_entry(prompt_id).unwrap();
        for (node, shown) in &entry.outputs {
            let shades = shown.get("shades").cloned().unwrap_or_default();
            run.shades.insert(
                node.clone(),
                serde_json::from_value(shades).unwrap_or_default(),
            );
        }
        run
    }

    /// Runs a graph.
    pub(crate) fn run(&self, graph: &Subgraph) -> Run {
        let prompt_id = self.submit(graph, "me", None).unwrap();
        self.wait(&prompt_id, "me")
    }

    /// Runs what some output nodes need.
    pub(crate) fn run_only(&self, graph: &Subgraph, targets: &[&SubgraphNode]) -> Run {
        let prompt_id = self.submit(graph, "me", Some(targets)).unwrap();
        self.wait(&prompt_id, "me")
    }

    /// Whether validation refuses a graph.
    pub(crate) fn refuses(&self, graph: &Subgraph) -> bool {
        matches!(self.submit(graph, "me", None), Err(SubmitError::Invalid(_)))
    }
}

/// A plain picture.
pub(crate) fn image(graph: &mut Subgraph, content: &str, size: i64) -> SubgraphNode {
    let image = graph.node("StubImage").set("content", content);
    image
        .set("height", size)
        .set("width", size)
        .set("batch_size", 1_i64)
        .add()
}

/// A mask of one value.
pub(crate) fn mask(graph: &mut Subgraph, value: f64) -> SubgraphNode {
    let mask = graph.node("StubMask").set("value", value);
    mask.set("height", 16_i64)
        .set("width", 16_i64)
        .set("batch_size", 1_i64)
        .add()
}

/// The mix of two pictures, which asks for those that show.
pub(crate) fn mixed(
    graph: &mut Subgraph,
    first: &SubgraphNode,
    second: &SubgraphNode,
    mask: &SubgraphNode,
) -> SubgraphNode {
    let mix = graph.node("TestLazyMixImages").set("image1", first.out(0));
    mix.set("image2", second.out(0))
        .set("mask", mask.out(0))
        .add()
}

/// Shows a picture.
pub(crate) fn show(graph: &mut Subgraph, source: &SubgraphNode) -> SubgraphNode {
    graph.node("Show").set("images", source.out(0)).add()
}
