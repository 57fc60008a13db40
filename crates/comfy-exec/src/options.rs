//! What an engine is made of.

use std::sync::Arc;
use std::time::Duration;

pub use comfy_api::queue::FreeRequest;
use comfy_graph::{Catalog, NodeRegistry, Services};

use crate::EventSink;

/// What an engine is made of; see [`EngineOptions::new`] for the defaults.
pub struct EngineOptions {
    /// The node classes that prompts may use.
    pub registry: Arc<NodeRegistry>,
    /// The lists that validation looks choices up in.
    pub catalog: Arc<dyn Catalog>,
    /// What nodes can ask for: the device, the directories.
    pub services: Services,
    /// What is kept of one prompt for the next.
    pub cache: CachePolicy,
    /// A prompt is refused when more than this many wait.
    pub max_queue_size: usize,
    /// At most this many finished prompts are kept; the oldest go first.
    pub max_history: usize,
    /// Receives the events.
    pub sink: Arc<dyn EventSink>,
    /// Frees what the nodes hold outside of their results, such as weights. The worker calls it between prompts, and when a
    /// node ran out of memory.
    pub on_free: Box<dyn Fn(FreeRequest) + Send + Sync>,
    /// After this much time without a prompt the engine is idle.
    pub idle_after: Duration,
    /// Is told, by the worker, that the engine is idle, once after each time that it was not, and that memory was freed. An allocator may give
    /// back what it has kept.
    pub on_idle: Box<dyn Fn() + Send + Sync>,
}

impl EngineOptions {
    /// ComfyUI's defaults: classic cache, 65,536 waiting prompts, 10,000 finished ones; nothing to free, idle after 5 seconds.
    pub fn new(
        registry: Arc<NodeRegistry>,
        catalog: Arc<dyn Catalog>,
        sink: Arc<dyn EventSink>,
    ) -> Self {
        Self {
            registry,
            catalog,
            services: Services::default(),
            cache: CachePolicy::Classic,
            max_queue_size: 65_536,
            max_history: 10_000,
            sink,
            on_free: Box::new(|_| ()),
            idle_after: Duration::from_secs(5),
            on_idle: Box::new(|| ()),
        }
    }
}

/// What is kept of one prompt's results for the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CachePolicy {
    /// Results that the present prompt uses; the rest is dropped when the next prompt starts.
    #[default]
    Classic,
    /// Also up to this many results of earlier prompts, those used last.
    Lru(usize),
    /// Also results of earlier prompts, as long as all together hold at most this many bytes: those used longest ago go first.
    /// What a prompt still needs while it runs is kept even if it is more.
    Ram(u64),
    /// Nothing; and within a prompt a result is dropped once every node that takes it has run.
    None,
}
