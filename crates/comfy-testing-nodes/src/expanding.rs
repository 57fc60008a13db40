//! Nodes that become graphs.

use comfy_graph::{Expand, Node, NodeContext, NodeError, NodeSpec, UniqueId};
use comfy_nodes::sockets::{Clip, Image, Model, Vae};

use crate::MODULE;
use crate::pictures::plain;

/// Expands into two nodes that wait for each other.
#[derive(Debug, NodeSpec)]
#[node(id = "TestDynamicDependencyCycle", name = "Dynamic Dependency Cycle", category = "Testing/Nodes", module = MODULE)]
pub struct DynamicDependencyCycle {
    /// A picture.
    input1: Image,
    /// Another picture.
    input2: Image,
}

impl Node for DynamicDependencyCycle {
    type Output = Expand<Image>;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Expand<Image>, NodeError> {
        let mut graph = context.subgraph();
        let mask = graph
            .node("StubMask")
            .set("value", 0.5)
            .set("height", 512_i64)
            .set("width", 512_i64)
            .set("batch_size", 1_i64)
            .add();
        let first = graph
            .node("TestLazyMixImages")
            .set("image1", self.input1)
            .set("mask", mask.out(0))
            .add();
        let second = graph
            .node("TestLazyMixImages")
            .set("image1", first.out(0))
            .set("image2", self.input2)
            .set("mask", mask.out(0))
            .add();
        graph.edit(&first).set("image2", second.out(0));
        Ok(graph.returns([second.out(0).into()]))
    }
}

/// Gives pictures itself up to 0.2, and expands above.
#[derive(Debug, NodeSpec)]
#[node(id = "TestMixedExpansionReturns", name = "Mixed Expansion Returns", category = "Testing/Nodes", module = MODULE)]
pub struct MixedExpansionReturns {
    /// What decides.
    input1: f64,
}

impl Node for MixedExpansionReturns {
    type Output = Expand<(Image, Image)>;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Self::Output, NodeError> {
        let white = plain(1.0)?;
        for limit in [0.1, 0.2] {
            if self.input1 <= limit {
                return Ok((plain(limit)?, white).into());
            }
        }
        let mut graph = context.subgraph();
        let mask = graph
            .node("StubMask")
            .set("value", 0.3)
            .set("height", 512_i64)
            .set("width", 512_i64)
            .set("batch_size", 1_i64)
            .add();
        let [dark, light] = ["BLACK", "WHITE"].map(|content| {
            graph
                .node("StubImage")
                .set("content", content)
                .set("height", 512_i64)
                .set("width", 512_i64)
                .set("batch_size", 1_i64)
                .add()
        });
        let mixed = graph
            .node("TestLazyMixImages")
            .set("image1", dark.out(0))
            .set("image2", light.out(0))
            .set("mask", mask.out(0))
            .add();
        Ok(graph.returns([mixed.out(0).into(), white.into()]))
    }
}

/// Expands into a whole workflow that makes a picture from a text.
#[derive(Debug, NodeSpec)]
#[node(id = "TestSamplingInExpansion", name = "Sampling In Expansion", category = "Testing/Nodes", module = MODULE)]
pub struct SamplingInExpansion {
    /// The diffusion model.
    model: Model,
    /// The text encoder.
    clip: Clip,
    /// The autoencoder.
    vae: Vae,
    /// The seed of the noise.
    #[input(default = 0u64, min = 0u64, max = u64::MAX)]
    seed: u64,
    /// How many steps.
    #[input(default = 20i64, min = 1i64, max = 100i64)]
    steps: i64,
    /// How closely the text is followed.
    #[input(default = 7.0, min = 0.0, max = 30.0)]
    cfg: f64,
    /// What the picture shows.
    #[input(multiline, default = "a beautiful landscape with mountains and trees")]
    prompt: String,
    /// What the picture does not show.
    #[input(multiline, default = "blurry, bad quality, worst quality")]
    negative_prompt: String,
}

impl Node for SamplingInExpansion {
    type Output = Expand<Image>;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Expand<Image>, NodeError> {
        let mut graph = context.subgraph();
        let [positive, negative] = [self.prompt, self.negative_prompt].map(|text| {
            graph
                .node("CLIPTextEncode")
                .set("text", text)
                .set("clip", self.clip.clone())
                .add()
        });
        let latent = graph
            .node("EmptyLatentImage")
            .set("width", 512_i64)
            .set("height", 512_i64)
            .set("batch_size", 1_i64)
            .add();
        let sampled = graph
            .node("KSampler")
            .set("model", self.model)
            .set("positive", positive.out(0))
            .set("negative", negative.out(0))
            .set("latent_image", latent.out(0))
            .set("seed", self.seed)
            .set("steps", self.steps)
            .set("cfg", self.cfg)
            .set("sampler_name", "euler_ancestral")
            .set("scheduler", "normal")
            .set("denoise", 1.0)
            .add();
        let decoded = graph
            .node("VAEDecode")
            .set("samples", sampled.out(0))
            .set("vae", self.vae)
            .add();
        Ok(graph.returns([decoded.out(0).into()]))
    }
}

/// Expands into three nodes that wait at the same time, and averages what they pass on.
#[derive(Debug, NodeSpec)]
#[node(
    id = "TestParallelSleep",
    name = "Test Parallel Sleep",
    category = "_for_testing",
    module = MODULE,
    output_node
)]
pub struct ParallelSleep {
    /// A picture.
    image1: Image,
    /// Another picture.
    image2: Image,
    /// A third picture.
    image3: Image,
    /// How many seconds the first waits.
    #[input(default = 0.5, min = 0.0, max = 10.0, step = 0.01)]
    sleep1: f64,
    /// How many seconds the second waits.
    #[input(default = 0.5, min = 0.0, max = 10.0, step = 0.01)]
    sleep2: f64,
    /// How many seconds the third waits.
    #[input(default = 0.5, min = 0.0, max = 10.0, step = 0.01)]
    sleep3: f64,
    unique_id: UniqueId,
}

impl Node for ParallelSleep {
    type Output = Expand<Image>;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Expand<Image>, NodeError> {
        let _ = self.unique_id;
        let waits = [
            (self.image1, self.sleep1),
            (self.image2, self.sleep2),
            (self.image3, self.sleep3),
        ];
        Ok(average_after(context, waits))
    }
}

/// Expands into many nodes that wait at the same time, and averages what they pass on.
#[derive(Debug, NodeSpec)]
#[node(
    id = "TestDynamicAsyncGeneration",
    name = "Test Dynamic Async Generation",
    category = "_for_testing/async",
    module = MODULE
)]
pub struct DynamicAsyncGeneration {
    /// A picture, for every second node.
    image1: Image,
    /// Another picture, for the other nodes.
    image2: Image,
    /// How many nodes.
    #[input(default = 3u64, min = 1u64, max = 10u64)]
    num_async_nodes: u64,
    /// How many seconds each waits.
    #[input(default = 0.2, min = 0.1, max = 1.0)]
    sleep_duration: f64,
}

impl Node for DynamicAsyncGeneration {
    type Output = Expand<Image>;

    fn run(self, context: &mut NodeContext<'_>) -> Result<Expand<Image>, NodeError> {
        const MOST: u64 = 1000;
        if !(1..=MOST).contains(&self.num_async_nodes) {
            return Err(NodeError::value(format_args!(
                "expected 1 to {MOST} nodes to make, got {}",
                self.num_async_nodes
            )));
        }
        let waits = (0..self.num_async_nodes).map(|number| {
            let image = if number % 2 == 0 {
                &self.image1
            } else {
                &self.image2
            };
            (image.clone(), self.sleep_duration)
        });
        Ok(average_after(context, waits))
    }
}

/// A graph that passes each picture on after some seconds, and averages them.
fn average_after(
    context: &mut NodeContext<'_>,
    waits: impl IntoIterator<Item = (Image, f64)>,
) -> Expand<Image> {
    let mut graph = context.subgraph();
    let mut passed = Vec::new();
    for (image, seconds) in waits {
        passed.push(
            graph
                .node("TestSleep")
                .set("value", image)
                .set("seconds", seconds)
                .add()
                .out(0),
        );
    }
    if let [only] = passed.as_slice() {
        return graph.returns([only.clone().into()]);
    }
    let mut average = graph.node("TestVariadicAverage");
    for (index, output) in passed.into_iter().enumerate() {
        average = average.set(format!("input{}", index + 1), output);
    }
    let average = average.add();
    graph.returns([average.out(0).into()])
}
