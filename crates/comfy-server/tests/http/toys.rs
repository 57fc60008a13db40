//! A server with toy nodes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use comfy_graph::{
    Node, NodeContext, NodeError, NodeRegistry, NodeSpec, Preview, PreviewFormat, RegistryError,
};
use comfy_nodes::device::DeviceRequest;
use comfy_server::{Config, RunningServer, Server};
use serde_json::{Value as Json, json};

use crate::client::{Answer, send};

/// Gives its text on.
#[derive(NodeSpec)]
#[node(id = "ToyText", category = "toys")]
struct ToyText {
    /// The text.
    text: String,
}

impl Node for ToyText {
    type Output = String;

    fn run(self, _: &mut NodeContext<'_>) -> Result<String, NodeError> {
        Ok(self.text)
    }
}

/// Shows its text.
#[derive(NodeSpec)]
#[node(id = "ToyShow", category = "toys", output_node)]
struct ToyShow {
    /// The text.
    text: String,
}

impl Node for ToyShow {
    type Output = ();

    fn run(self, context: &mut NodeContext<'_>) -> Result<(), NodeError> {
        context.add_ui("text", Json::from(self.text));
        Ok(())
    }
}

/// Saves a picture of one pixel.
#[derive(NodeSpec)]
#[node(id = "ToySave", category = "toys", output_node)]
struct ToySave {
    /// The name of the file, without its extension.
    name: String,
    /// How many pictures to save.
    #[input(default = 1, min = 0, max = 8)]
    count: u32,
}

/// Where [`ToySave`] saves.
struct OutputDirectory(PathBuf);

impl Node for ToySave {
    type Output = ();

    fn run(self, context: &mut NodeContext<'_>) -> Result<(), NodeError> {
        let directory = context.service::<OutputDirectory>()?;
        for number in 0..self.count {
            let filename = format!("{}_{number}.png", self.name);
            std::fs::write(directory.0.join(&filename), picture(number as u8))
                .map_err(|error| NodeError::runtime(error.to_string()))?;
            context.add_ui(
                "images",
                json!({"filename": filename, "subfolder": "", "type": "output"}),
            );
        }
        Ok(())
    }
}

/// Works for a while, step by step, and shows previews.
#[derive(NodeSpec)]
#[node(id = "ToyWork", category = "toys", output_node)]
struct ToyWork {
    /// Steps of ten milliseconds.
    #[input(default = 10, min = 0, max = 100_000)]
    steps: u32,
}

impl Node for ToyWork {
    type Output = ();

    fn run(self, context: &mut NodeContext<'_>) -> Result<(), NodeError> {
        for step in 0..u64::from(self.steps) {
            std::thread::sleep(Duration::from_millis(10));
            let preview = Preview {
                format: PreviewFormat::Png,
                bytes: picture(9),
            };
            context.progress_with_preview(step + 1, u64::from(self.steps), Some(preview))?;
        }
        Ok(())
    }
}

/// Sends previews as fast as it can, a megabyte each.
#[derive(NodeSpec)]
#[node(id = "ToyFlood", category = "toys", output_node)]
struct ToyFlood {
    /// How many.
    #[input(default = 10, min = 0, max = 1000)]
    count: u32,
}

impl Node for ToyFlood {
    type Output = ();

    fn run(self, context: &mut NodeContext<'_>) -> Result<(), NodeError> {
        for number in 0..u64::from(self.count) {
            let preview = Preview {
                format: PreviewFormat::Jpeg,
                bytes: vec![0; 1 << 20],
            };
            context.progress_with_preview(number, u64::from(self.count), Some(preview))?;
        }
        Ok(())
    }
}

/// Fails.
#[derive(NodeSpec)]
#[node(id = "ToyFail", category = "toys", output_node)]
struct ToyFail {
    /// What it says.
    message: String,
}

impl Node for ToyFail {
    type Output = ();

    fn run(self, _: &mut NodeContext<'_>) -> Result<(), NodeError> {
        Err(NodeError::value(self.message))
    }
}

fn register(registry: &mut NodeRegistry) -> Result<(), RegistryError> {
    registry.register::<ToyText>()?;
    registry.register::<ToyShow>()?;
    registry.register::<ToySave>()?;
    registry.register::<ToyWork>()?;
    registry.register::<ToyFlood>()?;
    registry.register::<ToyFail>()?;
    Ok(())
}

/// A PNG file of one pixel.
pub(crate) fn picture(shade: u8) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let picture = image::RgbaImage::from_pixel(1, 1, image::Rgba([shade, 2, 3, 128]));
    picture
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}

/// A server with directories of its own.
pub(crate) struct Toy {
    // Declared first: the server ends before its directories go.
    pub(crate) server: RunningServer,
    pub(crate) directory: tempfile::TempDir,
}

impl Toy {
    pub(crate) fn start() -> Self {
        Self::with(|_| {})
    }

    /// A server with other settings.
    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config {
            port: 0,
            base_directory: directory.path().to_owned(),
            device: DeviceRequest::Cpu,
            shutdown_grace: Duration::from_millis(200),
            ..Config::default()
        };
        change(&mut config);
        let output = directory.path().join("output");
        let server = Server::builder(config)
            .without_built_in_nodes()
            .nodes(register)
            .service(Arc::new(OutputDirectory(output)))
            .start()
            .unwrap();
        Self { server, directory }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        send(self.address(), "GET", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        send(self.address(), "POST", path, &[], body.as_ref())
    }

    /// Posts a prompt and gives its id.
    pub(crate) fn submit(&self, prompt: &Json) -> String {
        let answer = self.post("/prompt", json!({ "prompt": prompt }).to_string());
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["prompt_id"].as_str().unwrap().to_owned()
    }

    /// Waits until the prompt is in the history.
    pub(crate) fn wait_for(&self, prompt_id: &str) -> Json {
        for _ in 0..1000 {
            let history = self.get(&format!("/history/{prompt_id}")).json();
            if let Some(entry) = history.get(prompt_id) {
                return entry.clone();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{prompt_id} does not end");
    }

    /// Waits until a prompt is running.
    pub(crate) fn wait_until_running(&self) {
        for _ in 0..1000 {
            if self
                .server
                .engine()
                .running()
                .is_some_and(|running| running.node.is_some())
            {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("nothing runs");
    }
}

pub(crate) fn show(text: &str) -> Json {
    json!({"1": {"class_type": "ToyShow", "inputs": {"text": text}}})
}

pub(crate) fn work(steps: u32) -> Json {
    json!({"1": {"class_type": "ToyWork", "inputs": {"steps": steps}}})
}

pub(crate) fn save(name: &str, count: u32) -> Json {
    json!({"1": {"class_type": "ToySave", "inputs": {"name": name, "count": count}}})
}
