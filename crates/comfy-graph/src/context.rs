//! What a running node may ask of its host.

use crate::{Json, NodeError, Services, Subgraph};
use indexmap::IndexMap;
use serde_json::Number;
use std::any::{Any, type_name};
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
pub trait Host: Send + Sync {
    /// Tells clients that `value` of `max` steps are done, with a picture if there is one.
    fn progress(&self, value: Number, max: Number, preview: Option<Preview>);

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

/// One call of a node, as its host describes it.
#[derive(Clone)]
pub struct Call {
    /// The id of the node in its prompt.
    pub unique_id: Arc<str>,
    /// Which call of the node it is: a node is called once for each value of a list.
    pub index: usize,
    /// The whole prompt as it runs.
    pub prompt: Arc<Json>,
    /// What the client wants written into saved pictures; JSON null when nothing.
    pub extra_pnginfo: Arc<Json>,
    /// What the application offers.
    pub services: Services,
    /// The engine.
    pub host: Arc<dyn Host>,
}

/// What a running node may ask of its host.
///
/// It lives as long as the call; what goes on after it [detaches](Self::detach) a context of its own.
pub struct NodeContext<'a> {
    call: Call,
    collected: Arc<Collected>,
    progress: (Number, Number),
    lifetime: PhantomData<&'a Call>,
}

/// What all contexts of one call share.
#[derive(Default)]
struct Collected {
    ui: Mutex<IndexMap<String, Vec<Json>>>,
    subgraphs: AtomicUsize,
}

impl NodeContext<'_> {
    /// A context for one call.
    pub fn new(call: Call) -> Self {
        Self {
            call,
            collected: Arc::default(),
            progress: (Number::from(0), Number::from(1)),
            lifetime: PhantomData,
        }
    }

    /// A context that outlives the call, for what a node does [`Later`](crate::Later).
    pub fn detach(&self) -> NodeContext<'static> {
        NodeContext {
            call: self.call.clone(),
            collected: Arc::clone(&self.collected),
            progress: self.progress.clone(),
            lifetime: PhantomData,
        }
    }

    /// The id of the node in its prompt.
    pub fn unique_id(&self) -> &str {
        &self.call.unique_id
    }

    /// The whole prompt as it runs.
    pub fn prompt(&self) -> &Json {
        &self.call.prompt
    }

    /// What the client wants written into saved pictures; JSON null when nothing.
    pub fn extra_pnginfo(&self) -> &Json {
        &self.call.extra_pnginfo
    }

    /// What the client sent beside the prompt under `key` of `extra_data`.
    pub fn extra_data(&self, key: &str) -> Option<&Json> {
        self.call.host.extra_data(key)
    }

    /// What the application offers.
    pub fn services(&self) -> &Services {
        &self.call.services
    }

    /// The service of type `T`; an error names the type when the application offers none.
    pub fn service<T: Any + Send + Sync>(&self) -> Result<Arc<T>, NodeError> {
        self.call.services.get().ok_or_else(|| {
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
        self.report(value.into(), max.into(), None)
    }

    /// As [`progress`](Self::progress), for what has no whole steps, such as seconds. Infinite amounts and NaN count as 0.
    pub fn progress_amount(&mut self, value: f64, max: f64) -> Result<(), NodeError> {
        let amount = |amount| Number::from_f64(amount).unwrap_or_else(|| Number::from(0));
        self.report(amount(value), amount(max), None)
    }

    /// As [`progress`](Self::progress), with a picture.
    pub fn progress_with_preview(
        &mut self,
        value: u64,
        max: u64,
        preview: Option<Preview>,
    ) -> Result<(), NodeError> {
        self.report(value.into(), max.into(), preview)
    }

    /// Shows a picture without a further step.
    pub fn preview(&mut self, preview: Preview) -> Result<(), NodeError> {
        let (value, max) = self.progress.clone();
        self.report(value, max, Some(preview))
    }

    fn report(
        &mut self,
        value: Number,
        max: Number,
        preview: Option<Preview>,
    ) -> Result<(), NodeError> {
        self.check_interrupt()?;
        self.progress = (value.clone(), max.clone());
        self.call.host.progress(value, max, preview);
        Ok(())
    }

    /// Fails with [`NodeError::Interrupted`] when somebody asked to stop.
    pub fn check_interrupt(&self) -> Result<(), NodeError> {
        if self.call.host.interrupted() {
            return Err(NodeError::Interrupted);
        }
        Ok(())
    }

    /// A graph to [return](Subgraph::returns) instead of outputs.
    ///
    /// Its ids begin with that of this node, the number of the call and the number of the graph in it.
    pub fn subgraph(&self) -> Subgraph {
        let number = self.collected.subgraphs.fetch_add(1, Ordering::Relaxed);
        let Call {
            unique_id, index, ..
        } = &self.call;
        Subgraph::new(format!("{unique_id}.{index}.{number}."))
    }

    fn ui(&self) -> MutexGuard<'_, IndexMap<String, Vec<Json>>> {
        // A list stays a list whatever panicked beside it.
        self.collected
            .ui
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends `value` to the list `key` that clients get when this node has run, such as `images`.
    pub fn add_ui(&mut self, key: impl Into<String>, value: Json) {
        self.ui().entry(key.into()).or_default().push(value);
    }

    /// What [`add_ui`](Self::add_ui) collected; empties it.
    pub fn take_ui(&mut self) -> IndexMap<String, Vec<Json>> {
        std::mem::take(&mut *self.ui())
    }

    /// State that outlives this run: kept as long as a node of this id and class is in the prompts that run.
    ///
    /// A node uses one type of state; asked for another type, it gets a new value that is not kept.
    pub fn instance<T: Any + Send + Sync>(&self, make: impl Fn() -> T) -> Arc<T> {
        let kept = self
            .call
            .host
            .instance(&mut || Arc::new(make()) as Arc<dyn Any + Send + Sync>);
        kept.downcast().unwrap_or_else(|_| Arc::new(make()))
    }
}

impl fmt::Debug for NodeContext<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("NodeContext")
            .field("unique_id", &self.call.unique_id)
            .field("call", &self.call.index)
            .field("progress", &self.progress)
            .field("ui", &*self.ui())
            .finish_non_exhaustive()
    }
}
