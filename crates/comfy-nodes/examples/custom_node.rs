//! A node class of another crate: declared, registered beside the built-in ones, listed and run.
//!
//! `cargo run -p comfy-nodes --example custom_node`

use std::any::Any;
use std::error::Error;
use std::sync::Arc;

use comfy_graph::{
    Call, Host, Inputs, Node, NodeContext, NodeError, NodeRegistry, NodeSpec, Preview, Services,
};
use comfy_nodes::sockets::Image;
use serde_json::Number;

/// Makes pictures lighter or darker.
#[derive(NodeSpec)]
#[node(
    id = "AdjustExposure",
    name = "Adjust Exposure",
    category = "image/color"
)]
struct AdjustExposure {
    /// The pictures to change.
    image: Image,
    /// Stops of light to add; each doubles the light.
    #[input(default = 0.0, min = -4.0, max = 4.0, step = 0.1)]
    stops: f32,
}

impl Node for AdjustExposure {
    type Output = Image;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Image, NodeError> {
        self.image
            .map(|pixels| (pixels * self.stops.exp2()).clamp(0.0, 1.0))
    }
}

/// In a server the engine is the host; here nobody watches.
struct Nobody;

impl Host for Nobody {
    fn progress(&self, _: Number, _: Number, _: Option<Preview>) {}

    fn interrupted(&self) -> bool {
        false
    }

    fn instance(
        &self,
        make: &mut dyn FnMut() -> Arc<dyn Any + Send + Sync>,
    ) -> Arc<dyn Any + Send + Sync> {
        make()
    }
}

#[expect(clippy::print_stdout, reason = "an example shows what it does")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut registry = NodeRegistry::new();
    comfy_nodes::register(&mut registry)?;
    registry.register::<AdjustExposure>()?;

    let class = registry
        .get("AdjustExposure")
        .ok_or("it has just been registered")?;
    let entry = class.schema(&comfy_graph::EmptyCatalog).to_object_info();
    println!("{}", serde_json::to_string_pretty(&entry)?);

    let grey = Image::from_values(vec![0.25; 2 * 2 * 3], [1, 2, 2, 3])?;
    let mut inputs = Inputs::new().wire("image", grey).literal("stops", 1.0);
    let mut context = NodeContext::new(Call {
        unique_id: "1".into(),
        index: 0,
        prompt: Arc::default(),
        extra_pnginfo: Arc::default(),
        services: Services::new(),
        host: Arc::new(Nobody),
    });
    let outputs = class.run(&mut inputs, &mut context)?.into_values()?;
    let lighter = outputs[0]
        .get::<Image>()
        .ok_or("the class returns an image")?;
    println!("0.25 with one stop more is {}", lighter.values()?[0]);
    Ok(())
}
