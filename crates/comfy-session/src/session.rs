//! A session and how it is made.

use std::any::Any;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use comfy_exec::{CachePolicy, Engine, EngineOptions};
use comfy_graph::{Catalog, NodeRegistry, RegistryError, Services};
use comfy_nodes::device::{DevicePlan, DeviceRequest, MemoryRequest};
use comfy_nodes::folders::{FolderError, Folders, FoldersOptions};
use comfy_nodes::runtime::{PreviewMethod, Runtime, RuntimeOptions};
use tempfile::TempDir;

use crate::deliver::{Deliver, Deliveries};
use crate::watch::Watchers;

/// Why a session did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The directories could not be set up.
    #[error(transparent)]
    Folders(#[from] FolderError),
    /// No device fits the request.
    #[error("{0}")]
    Device(String),
    /// Two node classes want the same name.
    #[error(transparent)]
    Nodes(#[from] RegistryError),
    /// There is no place for temporary files.
    #[error("cannot make a temporary directory: {0}")]
    System(#[from] std::io::Error),
}

/// An engine with the built-in nodes, its folders and its device. Prompts run one after the other; several threads may wait for theirs.
///
/// Dropping it ends the engine after the prompt that runs.
pub struct Session {
    pub(crate) engine: Engine,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) deliveries: Arc<Deliveries>,
    folders: Arc<Folders>,
    runtime: Arc<Runtime>,
    /// Deleted with the session.
    _own_directory: Option<TempDir>,
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Session")
            .field("folders", &self.folders)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// A session that has not started.
    pub fn builder() -> SessionBuilder {
        SessionBuilder {
            directory: None,
            device: DeviceRequest::Auto,
            memory: MemoryRequest::default(),
            preview: PreviewMethod::None,
            cache: CachePolicy::Classic,
            nodes: Vec::new(),
            services: Services::default(),
        }
    }

    /// Where models are looked for, pictures read and saved.
    pub fn folders(&self) -> &Folders {
        &self.folders
    }

    /// The device, what is loaded, and the choices of the nodes.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The engine, for its queue and history.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Interrupts the prompt that runs.
    pub fn interrupt(&self) {
        self.engine.interrupt(None);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.engine.shutdown(Duration::ZERO);
    }
}

type Register = Box<dyn FnOnce(&mut NodeRegistry) -> Result<(), RegistryError>>;

/// A session that has not started; see [`Session::builder`].
pub struct SessionBuilder {
    directory: Option<PathBuf>,
    device: DeviceRequest,
    memory: MemoryRequest,
    preview: PreviewMethod,
    cache: CachePolicy,
    nodes: Vec<Register>,
    services: Services,
}

impl fmt::Debug for SessionBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SessionBuilder")
            .field("directory", &self.directory)
            .finish_non_exhaustive()
    }
}

impl SessionBuilder {
    /// The directory that holds `models`, `input`, `output` and `temp`. Without it the session has one of its own, which is deleted at
    /// its end.
    #[must_use]
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// What to compute on; the best device there is without.
    #[must_use]
    pub fn device(mut self, device: DeviceRequest) -> Self {
        self.device = device;
        self
    }

    /// The memory that models may take, and when they leave; what the device has without.
    #[must_use]
    pub fn memory(mut self, memory: MemoryRequest) -> Self {
        self.memory = memory;
        self
    }

    /// How pictures of the work in progress are made; none without.
    #[must_use]
    pub fn preview(mut self, preview: PreviewMethod) -> Self {
        self.preview = preview;
        self
    }

    /// What is kept of one prompt for the next.
    #[must_use]
    pub fn cache(mut self, cache: CachePolicy) -> Self {
        self.cache = cache;
        self
    }

    /// Adds node classes to the built-in ones.
    #[must_use]
    pub fn nodes(
        mut self,
        register: impl FnOnce(&mut NodeRegistry) -> Result<(), RegistryError> + 'static,
    ) -> Self {
        self.nodes.push(Box::new(register));
        self
    }

    /// Offers nodes a service, which they get from their context by its type.
    #[must_use]
    pub fn service<T: Any + Send + Sync>(mut self, service: Arc<T>) -> Self {
        self.services.insert(service);
        self
    }

    /// Starts the engine. The device is opened when a node first needs it.
    pub fn start(self) -> Result<Session, StartError> {
        let own_directory = self
            .directory
            .is_none()
            .then(tempfile::tempdir)
            .transpose()?;
        let own_path = own_directory
            .as_ref()
            .map(|directory| directory.path().to_path_buf());
        let folders = Arc::new(Folders::new(FoldersOptions {
            base: self.directory.or(own_path).unwrap_or_default(),
            ..FoldersOptions::default()
        })?);
        folders.create_all()?;
        let device = DevicePlan::survey(self.device)
            .map_err(|error| StartError::Device(error.to_string()))?
            .with_memory(self.memory);

        let mut registry = NodeRegistry::new();
        comfy_nodes::register(&mut registry)?;
        registry.register::<Deliver>()?;
        for register in self.nodes {
            register(&mut registry)?;
        }
        let runtime = Arc::new(Runtime::new(RuntimeOptions {
            folders: Arc::clone(&folders),
            device,
            preview: self.preview,
            preview_size: 512,
            metadata: true,
        }));
        let watchers = Arc::new(Watchers::default());
        let deliveries = Arc::new(Deliveries::default());
        let mut services = self.services;
        services
            .insert(Arc::clone(&runtime))
            .insert(Arc::clone(&deliveries));
        let catalog: Arc<dyn Catalog> = Arc::<Runtime>::clone(&runtime);
        let models = Arc::clone(&runtime);
        let engine = Engine::start(EngineOptions {
            services,
            cache: self.cache,
            on_free: Box::new(move |_| {
                models.unload_models();
            }),
            ..EngineOptions::new(
                Arc::new(registry),
                catalog,
                Arc::<Watchers>::clone(&watchers),
            )
        });
        Ok(Session {
            engine,
            watchers,
            deliveries,
            folders,
            runtime,
            _own_directory: own_directory,
        })
    }
}
