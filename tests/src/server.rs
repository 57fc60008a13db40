//! A server on a free port, with directories of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use comfy_graph::{NodeRegistry, RegistryError};
use comfy_nodes::device::DeviceRequest;
use comfy_server::{Config, RunningServer, Server};
use tempfile::TempDir;

use crate::http::Client;

/// A running server; dropping it stops it and removes its directories.
#[derive(Debug)]
pub struct TestServer {
    base: TempDir,
    client: Client,
    // Taken by `stop`.
    running: Option<RunningServer>,
}

impl TestServer {
    /// A server on the CPU with the tiny checkpoint and the recorded input pictures.
    pub fn start() -> Self {
        Self::start_with(|_| {}, |_| {})
    }

    /// As [`TestServer::start`], after `configure` changed its configuration and `prepare` its directories.
    pub fn start_with(configure: impl FnOnce(&mut Config), prepare: impl FnOnce(&Path)) -> Self {
        Self::start_with_nodes(configure, prepare, |_| Ok(()))
    }

    /// As [`TestServer::start_with`], with more nodes.
    pub fn start_with_nodes(
        configure: impl FnOnce(&mut Config),
        prepare: impl FnOnce(&Path),
        register: impl FnOnce(&mut NodeRegistry) -> Result<(), RegistryError> + Send + 'static,
    ) -> Self {
        let base = tempfile::Builder::new()
            .prefix("comfy-test-")
            .tempdir()
            .unwrap_or_else(|error| panic!("no temporary directory: {error}"));
        fill(base.path());
        prepare(base.path());
        let mut config = Config {
            port: 0,
            base_directory: base.path().to_owned(),
            device: DeviceRequest::Cpu,
            shutdown_grace: Duration::from_secs(1),
            ..Config::default()
        };
        configure(&mut config);
        let running = Server::builder(config)
            .nodes(register)
            .start()
            .unwrap_or_else(|error| panic!("the server does not start: {error}"));
        Self {
            client: Client::new(running.address()),
            base,
            running: Some(running),
        }
    }

    /// A client of this server.
    pub fn client(&self) -> Client {
        self.client
    }

    /// A path below the server's base directory.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.base.path().join(relative)
    }

    /// Ends the server as Ctrl-C does, and waits for it.
    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.shutdown();
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Puts the tiny checkpoint, the embeddings and the recorded input pictures below a base directory.
pub fn fill(base: &Path) {
    place(
        &comfy_fixtures::checkpoint("sd15_tiny"),
        &base.join("models/checkpoints/sd15_tiny.safetensors"),
    );
    for (from, to) in [("input", "input"), ("embeddings", "models/embeddings")] {
        let folder = fs::read_dir(comfy_fixtures::path(from))
            .unwrap_or_else(|error| panic!("{from}: {error}"));
        for file in folder.flatten() {
            copy(&file.path(), &base.join(to).join(file.file_name()));
        }
    }
}

/// A large file at a second place: by a hard link where the file system allows it, else by a copy. Nobody may write to it.
pub fn place(from: &Path, to: &Path) {
    make_parent(to);
    if fs::hard_link(from, to).is_err() {
        copy(from, to);
    }
}

/// Copies a file and makes the directories above it.
pub fn copy(from: &Path, to: &Path) {
    make_parent(to);
    fs::copy(from, to).unwrap_or_else(|error| {
        panic!(
            "cannot copy {} to {}: {error}",
            from.display(),
            to.display()
        )
    });
}

/// Writes a file and makes the directories above it.
pub fn write(to: &Path, content: &[u8]) {
    make_parent(to);
    fs::write(to, content).unwrap_or_else(|error| panic!("cannot write {}: {error}", to.display()));
}

fn make_parent(path: &Path) {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)
            .unwrap_or_else(|error| panic!("cannot make {}: {error}", folder.display()));
    }
}
