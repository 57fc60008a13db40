//! What every handler can reach.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use comfy_api::events::FeatureFlags;
use comfy_exec::Engine;
use comfy_graph::{Catalog, NodeRegistry};
use comfy_nodes::device::DevicePlan;
use comfy_nodes::folders::Folders;
use comfy_nodes::runtime::Runtime;
use tokio::sync::Semaphore;

use crate::config::Config;
use crate::front_end::FrontEnd;
use crate::users::Users;
use crate::ws::Hub;

/// What every handler can reach. Cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Parts>);

/// The parts of an [`AppState`].
pub(crate) struct Parts {
    pub(crate) config: Config,
    pub(crate) engine: Engine,
    pub(crate) hub: Arc<Hub>,
    pub(crate) folders: Arc<Folders>,
    pub(crate) users: Users,
    pub(crate) registry: Arc<NodeRegistry>,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) runtime: Arc<Runtime>,
    /// The page at `/`, if it is not the built-in one.
    pub(crate) front_end: Option<FrontEnd>,
    /// `host:port` of the first address the server listens on.
    pub(crate) own_address: String,
    /// Whether only this machine reaches the server.
    pub(crate) is_local: bool,
    /// Pictures that may be decoded at the same time.
    pub(crate) decoders: Arc<Semaphore>,
    /// Whether the server is about to end.
    pub(crate) stopping: AtomicBool,
}

impl AppState {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The engine that runs prompts.
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// The directories.
    pub fn folders(&self) -> &Arc<Folders> {
        &self.0.folders
    }

    /// Who uses the server, and what they keep.
    pub(crate) fn users(&self) -> &Users {
        &self.0.users
    }

    /// The node classes.
    pub fn registry(&self) -> &Arc<NodeRegistry> {
        &self.0.registry
    }

    /// The lists that choices come from.
    pub fn catalog(&self) -> &Arc<dyn Catalog> {
        &self.0.catalog
    }

    /// The device that was chosen.
    pub fn device(&self) -> &DevicePlan {
        &self.0.runtime.options().device
    }

    /// What the nodes share: the device, once it is open, and the models on it.
    pub(crate) fn runtime(&self) -> &Runtime {
        &self.0.runtime
    }

    /// The page at `/`, if it is not the built-in one.
    pub(crate) fn front_end(&self) -> Option<&FrontEnd> {
        self.0.front_end.as_ref()
    }

    /// The websocket clients.
    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.0.hub
    }

    /// The address of this server for links in answers, such as `http://127.0.0.1:8188`.
    pub(crate) fn own_url(&self) -> String {
        format!("{}://{}", self.0.config.scheme(), self.0.own_address)
    }

    /// Whether only this machine reaches the server.
    pub(crate) fn is_local(&self) -> bool {
        self.0.is_local
    }

    /// The address for links that clients outside can follow, without a slash at the end.
    pub(crate) fn external_url(&self) -> String {
        match &self.0.config.external_address {
            None => self.own_url(),
            Some(address) if address.contains("://") => address.trim_end_matches('/').to_owned(),
            Some(address) => format!("http://{}", address.trim_end_matches('/')),
        }
    }

    /// What the server can do.
    pub(crate) fn features(&self) -> FeatureFlags {
        FeatureFlags {
            supports_preview_metadata: true,
            max_upload_size: self.0.config.max_upload_size,
        }
    }

    /// Whether the server is about to end.
    pub(crate) fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::Acquire)
    }

    /// From now on the server is about to end.
    pub(crate) fn begin_stopping(&self) {
        self.0.stopping.store(true, Ordering::Release);
    }

    /// Permits to decode a picture.
    pub(crate) fn decoders(&self) -> &Arc<Semaphore> {
        &self.0.decoders
    }
}
