//! What a running node may ask of its host.

use crate::{Json, NodeError, Services};
use indexmap::IndexMap;
use std::any::{Any, type_name};
use std::fmt;
use std::sync::Arc;

pub use comfy_api::events::PreviewFormat;

/// A small picture of work in progress, already encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// How `bytes` are encoded.
    pub format: PreviewFormat,
    /// The encoded picture.
    pub bytes: Vec<u8>,
}

/// The engine, as a running node sees it.
pub trait Host {
    /// Tells clients that `value` of `max` steps are done, with a picture if there is one.
    fn progress(&self, value: u64, max: u64, preview: Option<Preview>);

    /// Whether somebody asked to stop.
    fn interrupted(&self) -> bool;

    /// The state kept for this node (its id and class), made by `make` the first time.
    fn instance(
        &self,
        make: &mut dyn FnMut() -> Arc<dyn Any + Send + Sync>,
    ) -> Arc<dyn Any + Send + Sync>;

    /// What the client sent beside the prompt under `key` of `extra_data`, such as `preview_method`.
    fn extra_data(&self, key: &str) -> Option<&Json> {
        let _ = key;
        None
    }
}

/// What a running node may ask of its host.
pub struct NodeContext<'a> {
    unique_id: &'a str,
    prompt: &'a Json,
    extra_pnginfo: &'a Json,
    services: &'a Services,
    host: &'a dyn Host,
    ui: IndexMap<String, Vec<Json>>,
    progress: (u64, u64),
}

impl<'a> NodeContext<'a> {
    /// A context for one run of the node `unique_id`.
    pub fn new(
        unique_id: &'a str,
        prompt: &'a Json,
        extra_pnginfo: &'a Json,
        services: &'a Services,
        host: &'a dyn Host,
    ) -> Self {
        Self {
            unique_id,
            prompt,
            extra_pnginfo,
            services,
            host,
            ui: IndexMap::new(),
            progress: (0, 1),
        }
    }

    /// The id of the node in its prompt.
    pub fn unique_id(&self) -> &'a str {
        self.unique_id
    }

    /// The whole prompt as it runs.
    pub fn prompt(&self) -> &'a Json {
        self.prompt
    }

    /// What the client wants written into saved pictures; JSON null when nothing.
    pub fn extra_pnginfo(&self) -> &'a Json {
        self.extra_pnginfo
    }

    /// What the client sent beside the prompt under `key` of `extra_data`.
    pub fn extra_data(&self, key: &str) -> Option<&'a Json> {
        self.host.extra_data(key)
    }

    /// What the application offers.
    pub fn services(&self) -> &'a Services {
        self.services
    }

    /// The service of type `T`; an error names the type when the application offers none.
    pub fn service<T: Any + Send + Sync>(&self) -> Result<Arc<T>, NodeError> {
        self.services.get().ok_or_else(|| {
            NodeError::runtime(format_args!(
                "this server offers no service of type {}",
                type_name::<T>()
            ))
        })
    }

    /// Tells clients that `value` of `max` steps are done.
    ///
    /// Fails with [`NodeError::Interrupted`] when somebody asked to stop, so call it at each step and pass the error on.
    pub fn progress(&mut self, value: u64, max: u64) -> Result<(), NodeError> {
        self.progress_with_preview(value, max, None)
    }

    /// As [`progress`](Self::progress), with a picture.
    pub fn progress_with_preview(
        &mut self,
        value: u64,
        max: u64,
        preview: Option<Preview>,
    ) -> Result<(), NodeError> {
        self.check_interrupt()?;
        self.progress = (value, max);
        self.host.progress(value, max, preview);
        Ok(())
    }

    /// Shows a picture without a further step.
    pub fn preview(&mut self, preview: Preview) -> Result<(), NodeError> {
        let (value, max) = self.progress;
        self.progress_with_preview(value, max, Some(preview))
    }

    /// Fails with [`NodeError::Interrupted`] when somebody asked to stop.
    pub fn check_interrupt(&self) -> Result<(), NodeError> {
        if self.host.interrupted() {
            return Err(NodeError::Interrupted);
        }
        Ok(())
    }

    /// Appends `value` to the list `key` that clients get when this node has run, such as `images`.
    pub fn add_ui(&mut self, key: impl Into<String>, value: Json) {
        self.ui.entry(key.into()).or_default().push(value);
    }

    /// What [`add_ui`](Self::add_ui) collected; empties it.
    pub fn take_ui(&mut self) -> IndexMap<String, Vec<Json>> {
        std::mem::take(&mut self.ui)
    }

    /// State that outlives this run: kept as long as a node of this id and class is in the prompts that run.
    ///
    /// A node uses one type of state; asked for another type, it gets a new value that is not kept.
    pub fn instance<T: Any + Send + Sync>(&self, make: impl Fn() -> T) -> Arc<T> {
        let kept = self
            .host
            .instance(&mut || Arc::new(make()) as Arc<dyn Any + Send + Sync>);
        kept.downcast().unwrap_or_else(|_| Arc::new(make()))
    }
}

impl fmt::Debug for NodeContext<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("NodeContext")
            .field("unique_id", &self.unique_id)
            .field("progress", &self.progress)
            .field("ui", &self.ui)
            .finish_non_exhaustive()
    }
}
