//! Putting the parts together, starting, and ending.

use std::any::Any;
use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::Duration;

use comfy_api::events::Logs;
use comfy_exec::{Engine, EngineOptions, EventSink};
use comfy_graph::{Catalog, NodeRegistry, RegistryError, Services};
use comfy_nodes::device::{ByteSize, DevicePlan};
use comfy_nodes::folders::{FolderError, Folders, FoldersOptions, OfferedModel};
use comfy_nodes::runtime::{Runtime, RuntimeOptions};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio_rustls::TlsAcceptor;

use crate::config::Config;
use crate::connection::{self, Clients, Reception};
use crate::front_end::FrontEnd;
use crate::listen::{self, ListenError};
use crate::logging::pass_on;
use crate::routes;
use crate::state::{AppState, Parts};
use crate::tls::{TlsError, TlsFiles};
use crate::users::Users;
use crate::ws::Hub;

/// Finished prompts that are remembered.
const HISTORY_LIMIT: usize = 10_000;
/// Pictures that are decoded at the same time for `/view`.
const DECODER_LIMIT: usize = 2;
/// How long answers under way and open websockets may take to end once everything else has.
const FAREWELL: Duration = Duration::from_secs(3);
/// How long a node may take to notice that it is interrupted, beyond the grace of the settings.
const INTERRUPT_TIME: Duration = Duration::from_secs(10);

/// Why the server did not start.
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
    /// No address could be listened on.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Everyone who reaches the address could use this machine.
    #[error(
        "expected a key that clients must know, since other machines can reach {0}: set one with --api-key or in COMFYUI_API_KEY, \
         or say --insecure if everyone who reaches this address may use this machine"
    )]
    Open(SocketAddr),
    /// The operating system refused a thread or a socket.
    #[error("could not start the server: {0}")]
    System(#[from] std::io::Error),
}

/// The way in: [`Server::builder`].
#[derive(Debug)]
pub enum Server {}

impl Server {
    /// A server with these settings and the built-in nodes.
    pub fn builder(config: Config) -> ServerBuilder {
        ServerBuilder {
            config,
            built_in_nodes: true,
            additions: Vec::new(),
            services: Services::default(),
            on_idle: Box::new(|| ()),
        }
    }
}

type Addition = Box<dyn FnOnce(&mut NodeRegistry) -> Result<(), RegistryError> + Send>;

/// A server that has not started.
pub struct ServerBuilder {
    config: Config,
    built_in_nodes: bool,
    additions: Vec<Addition>,
    services: Services,
    on_idle: Box<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ServerBuilder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl ServerBuilder {
    /// Leaves the built-in nodes out.
    #[must_use]
    pub fn without_built_in_nodes(mut self) -> Self {
        self.built_in_nodes = false;
        self
    }

    /// Adds node classes.
    ///
    /// ```no_run
    /// # use comfy_graph::{Node, NodeRegistry, RegistryError};
    /// # fn register(registry: &mut NodeRegistry) -> Result<(), RegistryError> { Ok(()) }
    /// comfy_server::Server::builder(comfy_server::Config::default()).nodes(register).run()?;
    /// # Ok::<(), comfy_server::StartError>(())
    /// ```
    #[must_use]
    pub fn nodes(
        mut self,
        register: impl FnOnce(&mut NodeRegistry) -> Result<(), RegistryError> + Send + 'static,
    ) -> Self {
        self.additions.push(Box::new(register));
        self
    }

    /// Offers nodes a service, which they get from their context by its type.
    #[must_use]
    pub fn service<T: Any + Send + Sync>(mut self, service: Arc<T>) -> Self {
        self.services.insert(service);
        self
    }

    /// Is called when there has been nothing to run for some seconds, and when memory was freed: an allocator may give back what it has kept.
    #[must_use]
    pub fn on_idle(mut self, on_idle: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_idle = Box::new(on_idle);
        self
    }

    /// Starts the server on threads of its own.
    pub fn start(self) -> Result<RunningServer, StartError> {
        let listeners = listen::bind(&self.config.listen, self.config.port)?;
        let addresses: Vec<SocketAddr> = listeners
            .iter()
            .map(TcpListener::local_addr)
            .collect::<Result<_, _>>()?;
        let public = addresses
            .iter()
            .find(|address| !address.ip().to_canonical().is_loopback());
        if let Some(address) = public
            && self.config.api_key.is_none()
            && !self.config.insecure
        {
            return Err(StartError::Open(*address));
        }
        let tls = self.config.tls.as_ref().map(TlsFiles::acceptor);
        let tls = tls.transpose()?;
        let state = self.assemble_with(&addresses, None)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_name("http")
            .max_blocking_threads(64)
            .build()?;
        let (stop, stopped) = oneshot::channel();
        let (done, ended) = oneshot::channel();
        let serving = state.clone();
        let thread = std::thread::Builder::new()
            .name("server".to_owned())
            .spawn(move || {
                if let Err(error) = runtime.block_on(serve(serving, listeners, tls, stopped)) {
                    tracing::error!(%error, "the server broke off");
                }
                // A node that does not react to its interrupt must not keep the process.
                runtime.shutdown_timeout(Duration::from_millis(100));
                // Nobody may be waiting.
                let _ = done.send(());
            })?;
        tracing::info!("Starting server");
        for address in &addresses {
            let scheme = state.config().scheme();
            tracing::info!(
                "To see the GUI go to: {scheme}://{}",
                listen::link(*address)
            );
        }
        Ok(RunningServer {
            state,
            addresses,
            stop: Some(stop),
            ended: Some(ended),
            thread: Some(thread),
        })
    }

    /// Starts the server and serves until Ctrl-C or SIGTERM; a second one ends the process at once.
    pub fn run(self) -> Result<(), StartError> {
        self.start()?.run_until_signal()
    }

    /// Sets everything up but the network. Events go to `sink` if there is one, else to the websocket clients.
    pub(crate) fn assemble_with(
        self,
        addresses: &[SocketAddr],
        sink: Option<Arc<dyn EventSink>>,
    ) -> Result<AppState, StartError> {
        let Self {
            config,
            built_in_nodes,
            additions,
            mut services,
            on_idle,
        } = self;
        let folders = Arc::new(Folders::new(FoldersOptions {
            base: config.base_directory.clone(),
            output: config.output_directory.clone(),
            input: config.input_directory.clone(),
            temp: config.temp_directory.clone(),
            user: config.user_directory.clone(),
            extra_model_paths: config.extra_model_paths.clone(),
            offered_models: offered_models(&config),
        })?);
        folders.clear_temp()?;
        folders.create_all()?;
        tracing::info!(directory = %folders.base_dir().display(), "models, input, output, temp and user are here unless named otherwise");

        let mut device = DevicePlan::survey(config.device)
            .map_err(|error| StartError::Device(error.to_string()))?
            .with_memory(config.memory);
        if let Some(precision) = config.network_precision {
            device.network_precision = precision;
        }
        tell_of(&device);

        let mut registry = NodeRegistry::new();
        if built_in_nodes {
            comfy_nodes::register(&mut registry)?;
            #[cfg(feature = "testing-nodes")]
            comfy_testing_nodes::register(&mut registry)?;
        }
        for register in additions {
            register(&mut registry)?;
        }
        let registry = Arc::new(registry);
        let runtime = Arc::new(Runtime::new(RuntimeOptions {
            folders: Arc::clone(&folders),
            device,
            preview: config.preview_method,
            preview_size: config.preview_size,
            metadata: config.metadata,
        }));
        let catalog: Arc<dyn Catalog> = Arc::<Runtime>::clone(&runtime);
        services.insert(Arc::clone(&runtime));
        let models = Arc::clone(&runtime);

        let hub = Arc::new(Hub::default());
        let sink = sink.unwrap_or_else(|| Arc::<Hub>::clone(&hub));
        let engine = Engine::start(EngineOptions {
            services,
            cache: config.cache,
            max_queue_size: config.max_queue_size,
            max_history: HISTORY_LIMIT,
            on_free: Box::new(move |_| {
                let count = models.unload_models();
                tracing::debug!(count, "models were unloaded");
            }),
            on_idle,
            ..EngineOptions::new(Arc::clone(&registry), Arc::clone(&catalog), sink)
        });
        let own_address = addresses
            .first()
            .map_or_else(String::new, |address| listen::link(*address));
        let front_end = match (&config.front_end_root, &config.front_end_version) {
            (Some(root), _) => Some(FrontEnd::at(root)),
            (None, Some(version)) => FrontEnd::installed(version, folders.base_dir())
                .inspect_err(|error| tracing::warn!("{error}"))
                .ok(),
            (None, None) => None,
        };
        if let Some(FrontEnd { root, .. }) = &front_end {
            tracing::info!(directory = %root.display(), "the front end is served from here");
        }
        Ok(AppState::new(Parts {
            front_end,
            engine,
            hub,
            users: Users::new(Arc::clone(&folders), config.multi_user),
            config,
            folders,
            registry,
            catalog,
            runtime,
            own_address,
            is_local: addresses
                .iter()
                .all(|address| address.ip().to_canonical().is_loopback()),
            decoders: Arc::new(Semaphore::new(DECODER_LIMIT)),
            stopping: AtomicBool::new(false),
        }))
    }
}

/// The models that this program brings along.
fn offered_models(config: &Config) -> Vec<OfferedModel> {
    #[cfg(feature = "demo-model")]
    if config.demo_model {
        return vec![OfferedModel {
            folder: "checkpoints",
            name: comfy_demo::NAME,
            write: comfy_demo::unpack,
        }];
    }
    let _ = config;
    Vec::new()
}

/// Says in the log what will compute.
fn tell_of(device: &DevicePlan) {
    tracing::info!(
        "Device: {} ({}): {}",
        device.name,
        device.api,
        device.reason
    );
    tracing::info!(
        "Memory for models: {}",
        match device.memory.budget {
            u64::MAX => "all there is".to_owned(),
            bytes => ByteSize(bytes).to_string(),
        }
    );
}

/// A server that is running. Dropping it ends it.
pub struct RunningServer {
    state: AppState,
    addresses: Vec<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    ended: Option<oneshot::Receiver<()>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for RunningServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RunningServer")
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}

impl RunningServer {
    /// The first address the server listens on, with its real port.
    pub fn address(&self) -> SocketAddr {
        self.addresses
            .first()
            .copied()
            .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// The address for a browser, such as `http://127.0.0.1:8188`.
    pub fn base_url(&self) -> String {
        let scheme = self.state.config().scheme();
        format!("{scheme}://{}", listen::link(self.address()))
    }

    /// The engine that runs the prompts.
    pub fn engine(&self) -> &Engine {
        self.state.engine()
    }

    /// Ends the server and waits for it: the running prompt has the grace of the settings to end and is then interrupted,
    /// requests that wait are answered, and the temporary directory is deleted.
    pub fn shutdown(mut self) {
        self.end();
    }

    /// Serves until Ctrl-C or SIGTERM; a second one ends the process at once.
    pub fn run_until_signal(mut self) -> Result<(), StartError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let mut signals = Signals::new()?;
            let Some(mut ended) = self.ended.take() else {
                return Ok(());
            };
            tokio::select! {
                () = signals.next() => {}
                _ = &mut ended => return Ok(()),
            }
            tracing::info!("Stopping; another Ctrl-C ends at once");
            drop(self.stop.take());
            tokio::select! {
                () = signals.next() => {
                    tracing::warn!("Ended at once");
                    std::process::exit(130);
                }
                _ = &mut ended => Ok(()),
            }
        })
    }

    fn end(&mut self) {
        // Dropping the sender is the message.
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the server's thread panicked");
        }
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.end();
    }
}

/// Serves until `stop` resolves, then ends in order.
async fn serve(
    state: AppState,
    listeners: Vec<TcpListener>,
    tls: Option<TlsAcceptor>,
    stop: oneshot::Receiver<()>,
) -> std::io::Result<()> {
    let (close, closing) = watch::channel(false);
    let most = state
        .config()
        .max_connections
        .clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
    let open = Arc::new(Semaphore::new(most));
    let reception = Reception {
        router: routes::router(state.clone()),
        tls,
        ending: closing,
        open: Arc::clone(&open),
        clients: Clients::new(state.config().max_connections_per_client),
        patience: state.config().patience,
    };
    let mut accepting = tokio::task::JoinSet::new();
    for listener in listeners {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        accepting.spawn(connection::accept(listener, reception.clone()));
    }
    let hub = Arc::clone(state.hub());
    let following = tokio::spawn(pass_on(move |entries| {
        hub.send_logs(Logs {
            entries,
            size: None,
        });
    }));
    // Both a message and a dropped sender mean the same.
    let _ = stop.await;
    state.begin_stopping();

    accepting.shutdown().await;
    let engine = state.engine().clone();
    let grace = state.config().shutdown_grace;
    let ending = tokio::task::spawn_blocking(move || engine.shutdown(grace));
    match tokio::time::timeout(grace + INTERRUPT_TIME, ending).await {
        Ok(Ok(outcome)) => tracing::info!(
            not_run = outcome.not_run.len(),
            interrupted = outcome.interrupted,
            "The queue has ended"
        ),
        Ok(Err(error)) => tracing::error!(%error, "the engine did not end in order"),
        Err(_) => tracing::warn!("the running node does not react and is left behind"),
    }
    following.abort();
    state.hub().close();
    close.send_replace(true);
    // When all permits are back, all connections are closed.
    let farewell =
        async { tokio::join!(open.acquire_many(most as u32), state.hub().until_empty()) };
    if tokio::time::timeout(FAREWELL, farewell).await.is_err() {
        tracing::warn!("some clients did not take their answers");
    }
    if let Err(error) = state.folders().clear_temp() {
        tracing::warn!(%error, "the temporary directory could not be deleted");
    }
    tracing::info!("Stopped");
    Ok(())
}

/// Requests of the operating system to end.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}
