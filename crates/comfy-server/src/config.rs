//! What the server can be told. [`crate::cli`] fills it from the command line; an embedder writes it as a struct literal.

use std::path::PathBuf;
use std::time::Duration;

use comfy_exec::CachePolicy;
use comfy_nodes::device::{DeviceRequest, MemoryRequest, Precision};
use comfy_nodes::runtime::PreviewMethod;

use crate::key::ApiKey;
use crate::tls::TlsFiles;

/// Everything the server can be told, with ComfyUI's defaults.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent settings, each with a flag of its own"
)]
pub struct Config {
    /// Addresses to listen on: IP addresses or names.
    pub listen: Vec<String>,
    /// The port; 0 takes a free one.
    pub port: u16,
    /// What every client must know. Without it, the server only listens to its own machine.
    pub api_key: Option<ApiKey>,
    /// Listens to other machines although there is no key.
    pub insecure: bool,
    /// Encrypts connections with this certificate.
    pub tls: Option<TlsFiles>,
    /// The directory that holds `models`, `input`, `output`, `temp` and `user` unless they are given.
    pub base_directory: PathBuf,
    /// Where results are saved.
    pub output_directory: Option<PathBuf>,
    /// Where uploads go and pictures are read from.
    pub input_directory: Option<PathBuf>,
    /// The directory in which `temp` is made; that one is deleted at start and at the end.
    pub temp_directory: Option<PathBuf>,
    /// Where users' settings live.
    pub user_directory: Option<PathBuf>,
    /// Whether several people use the server, each with settings and files of their own.
    pub multi_user: bool,
    /// Files that name further model directories.
    pub extra_model_paths: Vec<PathBuf>,
    /// Whether a folder of checkpoints that is empty offers the one that comes with the program, if it was built with the feature `demo-model`.
    pub demo_model: bool,
    /// A directory to serve at `/` instead of the built-in page.
    pub front_end_root: Option<PathBuf>,
    /// Which installed front end to serve at `/` instead of the built-in page, unless a directory is given: a version, `latest`, or
    /// ComfyUI's `OWNER/REPOSITORY@VERSION`. When it is not installed, the built-in page is served.
    pub front_end_version: Option<String>,
    /// The device to compute on.
    pub device: DeviceRequest,
    /// How exactly diffusion networks are computed; `None` leaves it to the device.
    pub network_precision: Option<Precision>,
    /// The memory that models may take on it, and when they leave.
    pub memory: MemoryRequest,
    /// How previews are made while sampling.
    pub preview_method: PreviewMethod,
    /// The side of the square that previews are fitted into, in pixels.
    pub preview_size: u32,
    /// What is kept of earlier prompts.
    pub cache: CachePolicy,
    /// Whether saved pictures carry the prompt.
    pub metadata: bool,
    /// The largest request body in bytes.
    pub max_upload_size: u64,
    /// Prompts that may run or wait; a further one is refused.
    pub max_queue_size: usize,
    /// Connections that may be open at a time; further ones wait to be accepted.
    pub max_connections: usize,
    /// Connections that one client may have open at a time; a further one is closed.
    pub max_connections_per_client: usize,
    /// How long a client may take nothing of its answer, or send nothing of a request body, before it is given up.
    pub patience: Duration,
    /// The origin that other sites' pages may have, or `*`. Without it, pages of other sites are kept away from a local server.
    pub cors_origin: Option<String>,
    /// Whether JSON and text answers are compressed for clients that can read it.
    pub compress_responses: bool,
    /// The address under which clients outside reach this server, for the addresses in answers.
    pub external_address: Option<String>,
    /// How long the running prompt may go on after the server was asked to end.
    pub shutdown_grace: Duration,
    /// The command line, for `GET /system_stats`.
    pub arguments: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec!["127.0.0.1".to_owned()],
            port: 8188,
            api_key: None,
            insecure: false,
            tls: None,
            base_directory: PathBuf::from("."),
            output_directory: None,
            input_directory: None,
            temp_directory: None,
            user_directory: None,
            multi_user: false,
            extra_model_paths: Vec::new(),
            demo_model: false,
            front_end_root: None,
            front_end_version: None,
            device: DeviceRequest::Auto,
            network_precision: None,
            memory: MemoryRequest::default(),
            preview_method: PreviewMethod::None,
            preview_size: 512,
            cache: CachePolicy::Classic,
            metadata: true,
            max_upload_size: megabytes(100.0),
            max_queue_size: 65536,
            max_connections: 2048,
            max_connections_per_client: 1024,
            patience: Duration::from_mins(1),
            cors_origin: None,
            compress_responses: false,
            external_address: None,
            shutdown_grace: Duration::from_secs(5),
            arguments: Vec::new(),
        }
    }
}

impl Config {
    /// How addresses of this server begin.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}

/// Mebibytes as bytes, rounded as ComfyUI rounds the value of `--max-upload-size`.
pub(crate) fn megabytes(value: f64) -> u64 {
    (value * 1024.0 * 1024.0).round_ties_even() as u64
}
