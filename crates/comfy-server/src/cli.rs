//! The command line: ComfyUI's flags, as far as they have a meaning here, and a few of our own.

mod ignored;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser};
use comfy_exec::CachePolicy;
use comfy_nodes::device::{ByteSize, DeviceRequest, Keeping, MemoryRequest, Precision};
use comfy_nodes::runtime::PreviewMethod;

use crate::config::{Config, megabytes};
use crate::key::ApiKey;
use crate::run::{Change, Run};
use crate::tls::TlsFiles;

/// ComfyUI's HTTP and websocket API, its graphs and its diffusion models, in one program without Python.
#[derive(Debug, Parser)]
#[command(
    name = "comfy-server",
    version,
    args_conflicts_with_subcommands = true,
    max_term_width = 110,
    after_help = "Settings can also come from the environment: COMFYUI_PORT for --port, COMFYUI_EXTERNAL_ADDRESS for --external-address, and so on. \
                  The command line wins.\n\nFlags of ComfyUI that concern only PyTorch, Python or the browser's packages (--cuda-malloc, --fp16-vae, --use-split-cross-attention, \
                  --disable-all-custom-nodes, …) are accepted and ignored, so that existing start scripts keep working."
)]
pub struct Arguments {
    #[command(flatten)]
    network: Network,
    #[command(flatten)]
    access: Access,
    #[command(flatten)]
    directories: Directories,
    #[command(flatten)]
    computing: Computing,
    #[command(flatten)]
    queue: Queue,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    process: Process,
    #[command(subcommand)]
    task: Option<Task>,
}

/// What to do instead of serving.
#[derive(Debug, clap::Subcommand)]
enum Task {
    Run(RunArguments),
}

/// Run prompts or saved workflows without serving anyone
///
/// A FILE is a prompt, a workflow saved by the browser, or a PNG picture that carries one of them; - is the standard input. Progress goes to
/// the standard error, the paths of the written files to the standard output. The exit status is 0 if everything ran, 1 if a node failed, 2 if
/// a file cannot be run or not all of it can, and 130 after Ctrl-C.
#[derive(Debug, Args)]
struct RunArguments {
    /// Prompts, saved workflows or pictures
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Set an input of a node, which is named by its id, its title or its class; may be repeated
    #[arg(long, value_name = "NODE.INPUT=VALUE")]
    set: Vec<Change>,
    /// The seed of every node that has one
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Print the prompts that would run, and run nothing
    #[arg(long)]
    print_prompt: bool,
    /// Tell every event as one line of JSON on the standard output, like the messages of the websocket; files as lines of the type `file`
    #[arg(long, conflicts_with = "print_prompt")]
    json: bool,
    #[command(flatten)]
    directories: Directories,
    #[command(flatten)]
    computing: Computing,
    #[command(flatten)]
    output: Output,
    /// How much to log: DEBUG, INFO, WARNING, ERROR or CRITICAL; without a value, DEBUG
    #[arg(long, value_name = "LEVEL", env = "COMFYUI_VERBOSE", num_args = 0..=1, default_value = "WARNING", default_missing_value = "DEBUG", value_parser = log_level)]
    verbose: tracing::Level,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
struct Network {
    /// Addresses to listen on, separated by commas; without a value, all of them
    #[arg(long, value_name = "IP[,IP…]", env = "COMFYUI_LISTEN", num_args = 0..=1, default_value = "127.0.0.1", default_missing_value = "0.0.0.0,::")]
    listen: String,
    /// Port to listen on; 0 takes a free one
    #[arg(long, env = "COMFYUI_PORT", default_value_t = 8188)]
    port: u16,
    /// Let pages of this origin use the server; without a value, all pages
    #[arg(long, value_name = "ORIGIN", env = "COMFYUI_ENABLE_CORS_HEADER", num_args = 0..=1, default_missing_value = "*")]
    enable_cors_header: Option<String>,
    /// Largest request body, in megabytes
    #[arg(long, value_name = "MB", env = "COMFYUI_MAX_UPLOAD_SIZE", default_value = "100", value_parser = size_in_megabytes)]
    max_upload_size: f64,
    /// Address under which clients outside reach this server, for the links in answers
    #[arg(long, value_name = "URL", env = "COMFYUI_EXTERNAL_ADDRESS")]
    external_address: Option<String>,
    /// Compress JSON and text answers for clients that can read it
    #[arg(long, env = "COMFYUI_ENABLE_COMPRESS_RESPONSE_BODY", value_parser = clap::builder::BoolishValueParser::new())]
    enable_compress_response_body: bool,
    /// Serve the front end in this directory at / instead of the built-in page
    #[arg(long, value_name = "DIR", env = "COMFYUI_FRONT_END_ROOT")]
    front_end_root: Option<PathBuf>,
    /// Serve the front end of this version that a Python package installed: 1.58.1, latest, or OWNER/REPOSITORY@VERSION
    #[arg(
        long,
        value_name = "VERSION",
        env = "COMFYUI_FRONT_END_VERSION",
        conflicts_with = "front_end_root"
    )]
    front_end_version: Option<String>,
    /// Open the page in a browser after starting
    #[arg(long)]
    auto_launch: bool,
    /// Do not open a browser
    #[arg(long)]
    disable_auto_launch: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Access")]
struct Access {
    /// What every client must know: it is sent as Authorization: Bearer KEY, as the password of Basic authorization, or as ?token=KEY
    #[arg(long, value_name = "KEY", env = "COMFYUI_API_KEY", hide_env_values = true, value_parser = ApiKey::new)]
    api_key: Option<ApiKey>,
    /// Listen to other machines without a key: everyone who reaches the address may use this machine
    #[arg(long, env = "COMFYUI_INSECURE", value_parser = clap::builder::BoolishValueParser::new())]
    insecure: bool,
    /// PEM file with the certificate for encrypted connections
    #[arg(
        long,
        value_name = "FILE",
        env = "COMFYUI_TLS_CERTFILE",
        requires = "tls_keyfile"
    )]
    tls_certfile: Option<PathBuf>,
    /// PEM file with the certificate's private key
    #[arg(
        long,
        value_name = "FILE",
        env = "COMFYUI_TLS_KEYFILE",
        requires = "tls_certfile"
    )]
    tls_keyfile: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Directories")]
struct Directories {
    /// Directory with models, input, output, temp and user [default: the working directory]
    #[arg(long, value_name = "DIR", env = "COMFYUI_BASE_DIRECTORY")]
    base_directory: Option<PathBuf>,
    /// Where results are saved
    #[arg(
        long,
        visible_alias = "output",
        value_name = "DIR",
        env = "COMFYUI_OUTPUT_DIRECTORY"
    )]
    output_directory: Option<PathBuf>,
    /// Where uploads go and pictures are read from
    #[arg(long, value_name = "DIR", env = "COMFYUI_INPUT_DIRECTORY")]
    input_directory: Option<PathBuf>,
    /// Where the directory temp is made; it is deleted at the start and at the end
    #[arg(long, value_name = "DIR", env = "COMFYUI_TEMP_DIRECTORY")]
    temp_directory: Option<PathBuf>,
    /// Where users' settings are kept; must exist
    #[arg(long, value_name = "DIR", env = "COMFYUI_USER_DIRECTORY", value_parser = existing_directory)]
    user_directory: Option<PathBuf>,
    /// Keep settings and files for each user of a shared server
    #[arg(long, env = "COMFYUI_MULTI_USER", value_parser = clap::builder::BoolishValueParser::new())]
    multi_user: bool,
    /// YAML files with further model directories
    #[arg(long, value_name = "FILE", env = "COMFYUI_EXTRA_MODEL_PATHS_CONFIG", num_args = 1.., action = ArgAction::Append)]
    extra_model_paths_config: Vec<PathBuf>,
    /// Do not offer the checkpoint that comes with this program where there is no other
    #[arg(long, env = "COMFYUI_NO_DEMO_MODEL", value_parser = clap::builder::BoolishValueParser::new())]
    no_demo_model: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Device")]
struct Computing {
    /// What to compute on: auto, vulkan, metal, webgpu or cpu. A Vulkan driver that computes on the CPU is used only when asked for
    #[arg(
        long,
        value_name = "DEVICE",
        env = "COMFYUI_DEVICE",
        default_value = "auto"
    )]
    device: DeviceRequest,
    /// The same as --device cpu
    #[arg(long, env = "COMFYUI_CPU", conflicts_with = "device", value_parser = clap::builder::BoolishValueParser::new())]
    cpu: bool,
    #[command(flatten)]
    precision: NetworkPrecision,
    #[command(flatten)]
    memory: Memory,
}

/// How exactly diffusion networks are computed. Text encoders and autoencoders are computed in f32 in any case.
#[derive(Debug, Args)]
#[command(next_help_heading = "Device")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag")]
struct NetworkPrecision {
    /// Round what diffusion networks multiply to bf16 where the processor is faster at it (AMX, AVX512-BF16 of AMD): less time,
    /// slightly different pictures. On a graphics card the same as --fp32-unet
    #[arg(long, group = "unet", env = "COMFYUI_BF16_UNET", value_parser = clap::builder::BoolishValueParser::new())]
    bf16_unet: bool,
    /// Compute diffusion networks in f16 on a graphics card that has it, which is the default there; in f32 elsewhere
    #[arg(long, group = "unet", env = "COMFYUI_FP16_UNET", value_parser = clap::builder::BoolishValueParser::new())]
    fp16_unet: bool,
    /// Compute diffusion networks in f32: twice the memory, and less than half the speed on most graphics cards
    #[arg(long, group = "unet", env = "COMFYUI_FP32_UNET", value_parser = clap::builder::BoolishValueParser::new())]
    fp32_unet: bool,
    /// The same as --fp16-unet, if nothing is said of the unet
    #[arg(long, group = "force", env = "COMFYUI_FORCE_FP16", value_parser = clap::builder::BoolishValueParser::new())]
    force_fp16: bool,
    /// The same as --fp32-unet, if nothing is said of the unet
    #[arg(long, group = "force", env = "COMFYUI_FORCE_FP32", value_parser = clap::builder::BoolishValueParser::new())]
    force_fp32: bool,
}

impl NetworkPrecision {
    /// What was asked for.
    fn wish(&self) -> Option<Precision> {
        let wishes = [
            (self.bf16_unet, Precision::Brain),
            (self.fp16_unet, Precision::Half),
            (self.fp32_unet, Precision::Single),
            (self.force_fp16, Precision::Half),
            (self.force_fp32, Precision::Single),
        ];
        wishes
            .into_iter()
            .find_map(|(is_given, precision)| is_given.then_some(precision))
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Memory")]
struct Memory {
    /// Memory that models may take together, such as 6G or 512M. Those used longest ago leave first; one that is larger is read anew part by
    /// part while it is used [default: what the device has, or half of the machine's memory if it has none of its own]
    #[arg(long, value_name = "SIZE", env = "COMFYUI_VRAM_BUDGET")]
    vram_budget: Option<ByteSize>,
    /// Gigabytes of the device's memory to leave for other programs, where no budget is given
    #[arg(long, value_name = "GB", env = "COMFYUI_RESERVE_VRAM", value_parser = reserve)]
    reserve_vram: Option<u64>,
    /// Keep all models in memory until they are told to leave
    #[arg(long, visible_alias = "gpu-only", group = "keeping", conflicts_with_all = ["vram_budget", "reserve_vram"])]
    highvram: bool,
    /// Keep one model at a time in memory
    #[arg(long, visible_alias = "disable-smart-memory", group = "keeping")]
    lowvram: bool,
    /// Keep one model at a time, and of that only the part that is computing; slow
    #[arg(long, group = "keeping")]
    novram: bool,
}

impl Memory {
    fn request(&self) -> MemoryRequest {
        MemoryRequest {
            budget: self.vram_budget.map(|size| size.0),
            reserve: self.reserve_vram,
            keeping: if self.highvram {
                Keeping::Everything
            } else if self.novram {
                Keeping::NoParts
            } else if self.lowvram {
                Keeping::OneModel
            } else {
                Keeping::UntilRoomIsNeeded
            },
        }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Queue and cache")]
struct Queue {
    /// Prompts that may run or wait at a time; further ones are refused
    #[arg(
        long,
        value_name = "N",
        env = "COMFYUI_MAX_QUEUE_SIZE",
        default_value_t = 65536
    )]
    max_queue_size: usize,
    /// Keep the results of the latest prompt (the default)
    #[arg(long, group = "cache")]
    cache_classic: bool,
    /// Keep the results of the N nodes used last, whichever prompt they were in
    #[arg(long, value_name = "N", group = "cache", env = "COMFYUI_CACHE_LRU")]
    cache_lru: Option<usize>,
    /// Keep results until together they hold more than so many gigabytes of memory; those used longest ago go first
    #[arg(
        long,
        value_name = "GB",
        group = "cache",
        env = "COMFYUI_CACHE_RAM",
        num_args = 0..=1,
        default_missing_value = "4",
        value_parser = gigabytes
    )]
    cache_ram: Option<u64>,
    /// Keep nothing from one prompt to the next
    #[arg(long, group = "cache")]
    cache_none: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Pictures")]
struct Output {
    /// How to make previews while sampling: none, auto, latent2rgb or taesd
    #[arg(long, value_name = "METHOD", env = "COMFYUI_PREVIEW_METHOD", default_value = "none", value_parser = preview_method)]
    preview_method: PreviewMethod,
    /// Side of the square that previews are fitted into, in pixels
    #[arg(long, value_name = "PIXELS", env = "COMFYUI_PREVIEW_SIZE", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=4096))]
    preview_size: u32,
    /// Save pictures without the prompt inside
    #[arg(long, env = "COMFYUI_DISABLE_METADATA", value_parser = clap::builder::BoolishValueParser::new())]
    disable_metadata: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Process")]
struct Process {
    /// How much to log: DEBUG, INFO, WARNING, ERROR or CRITICAL; without a value, DEBUG
    #[arg(long, value_name = "LEVEL", env = "COMFYUI_VERBOSE", num_args = 0..=1, default_value = "INFO", default_missing_value = "DEBUG", value_parser = log_level)]
    verbose: tracing::Level,
    /// Log to the standard output instead of the standard error
    #[arg(long, env = "COMFYUI_LOG_STDOUT", value_parser = clap::builder::BoolishValueParser::new())]
    log_stdout: bool,
    /// Log nothing but warnings and errors
    #[arg(long)]
    dont_print_server: bool,
    /// Start, then end at once
    #[arg(long)]
    quick_test_for_ci: bool,
}

/// What to do besides serving.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the server is told.
    pub config: Config,
    /// What is logged.
    pub log_level: tracing::Level,
    /// Whether the log goes to the standard output.
    pub log_to_stdout: bool,
    /// Whether to open a browser.
    pub open_browser: bool,
    /// Whether to end after starting.
    pub quick_test: bool,
    /// Flags that were given and have no effect.
    pub ignored: Vec<String>,
    /// What to run instead of serving.
    pub run: Option<Run>,
}

/// The command, with the flags that are ignored.
pub fn command() -> clap::Command {
    // The variables follow one rule, which is said once at the end.
    Arguments::command()
        .mut_args(|argument| argument.hide_env(true))
        .mut_subcommands(|task| task.mut_args(|argument| argument.hide_env(true)))
        .args(ignored::arguments())
}

/// Reads a command line; the first argument is the program.
///
/// # Errors
/// What clap has to say, help and version included.
pub fn parse(
    arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<Options, clap::Error> {
    let line: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    let matches = command().try_get_matches_from(&line)?;
    let ignored = ignored::given(&matches);
    let mut options = Arguments::from_arg_matches(&matches)?.options();
    options.ignored = ignored;
    options.config.arguments = shown(&line);
    Ok(options)
}

/// The command line as clients may see it: without the key.
fn shown(line: &[OsString]) -> Vec<String> {
    const KEY: &str = "--api-key";
    let mut is_secret = false;
    line.iter()
        .map(|argument| {
            let text = argument.to_string_lossy();
            if std::mem::replace(&mut is_secret, text == KEY) {
                "…".to_owned()
            } else if text
                .strip_prefix(KEY)
                .is_some_and(|rest| rest.starts_with('='))
            {
                format!("{KEY}=…")
            } else {
                text.into_owned()
            }
        })
        .collect()
}

impl Arguments {
    fn options(mut self) -> Options {
        let run = self.task.take().map(|Task::Run(arguments)| {
            // The settings of the server keep their defaults: clap refuses both together.
            self.directories = arguments.directories;
            self.computing = arguments.computing;
            self.output = arguments.output;
            self.process.verbose = arguments.verbose;
            Run {
                files: arguments.files,
                changes: arguments.set,
                seed: arguments.seed,
                only_print: arguments.print_prompt,
                as_json: arguments.json,
            }
        });
        let Self {
            network,
            access,
            directories,
            computing,
            queue,
            output,
            process,
            task: _,
        } = self;
        let config = Config {
            listen: addresses(&network.listen),
            port: network.port,
            base_directory: directories
                .base_directory
                .unwrap_or_else(|| PathBuf::from(".")),
            output_directory: directories.output_directory,
            input_directory: directories.input_directory,
            temp_directory: directories.temp_directory,
            user_directory: directories.user_directory,
            multi_user: directories.multi_user,
            extra_model_paths: directories.extra_model_paths_config,
            demo_model: !directories.no_demo_model,
            api_key: access.api_key,
            insecure: access.insecure,
            tls: access
                .tls_certfile
                .zip(access.tls_keyfile)
                .map(|(certificate, key)| TlsFiles { certificate, key }),
            front_end_root: network.front_end_root,
            front_end_version: network.front_end_version,
            device: if computing.cpu {
                DeviceRequest::Cpu
            } else {
                computing.device
            },
            network_precision: computing.precision.wish(),
            memory: computing.memory.request(),
            preview_method: output.preview_method,
            preview_size: output.preview_size,
            cache: cache_policy(&queue),
            metadata: !output.disable_metadata,
            max_upload_size: megabytes(network.max_upload_size),
            max_queue_size: queue.max_queue_size,
            cors_origin: network.enable_cors_header,
            compress_responses: network.enable_compress_response_body,
            external_address: network.external_address,
            ..Config::default()
        };
        Options {
            config,
            log_level: if process.dont_print_server {
                process.verbose.min(tracing::Level::WARN)
            } else {
                process.verbose
            },
            log_to_stdout: process.log_stdout,
            open_browser: network.auto_launch && !network.disable_auto_launch,
            quick_test: process.quick_test_for_ci,
            ignored: Vec::new(),
            run,
        }
    }
}

fn cache_policy(queue: &Queue) -> CachePolicy {
    match (queue.cache_lru, queue.cache_ram) {
        (Some(size), _) if size > 0 => CachePolicy::Lru(size),
        (_, Some(bytes)) if bytes > 0 => CachePolicy::Ram(bytes),
        _ if queue.cache_none => CachePolicy::None,
        // Upstream reads a size of nothing as the default.
        _ => CachePolicy::Classic,
    }
}

/// So many gigabytes in bytes.
fn gigabytes(text: &str) -> Result<u64, String> {
    const BYTES: f64 = 1e9;
    match text.parse::<f64>() {
        Ok(gigabytes) if gigabytes.is_finite() && gigabytes >= 0.0 => {
            Ok((gigabytes * BYTES) as u64)
        }
        _ => Err(format!(
            "expected a number of gigabytes such as 4 or 0.5, got {text}"
        )),
    }
}

/// So many gigabytes, of 1024³ bytes each as upstream counts them here, in bytes.
fn reserve(text: &str) -> Result<u64, String> {
    const BYTES: f64 = 1_073_741_824.0;
    match text.parse::<f64>() {
        Ok(gigabytes) if (0.0..=1e6).contains(&gigabytes) => Ok((gigabytes * BYTES) as u64),
        _ => Err(format!(
            "expected a number of gigabytes from 0 to 1000000 such as 1 or 0.5, got `{text}`"
        )),
    }
}

/// The addresses of a comma-separated list. Brackets around an IPv6 address are allowed.
fn addresses(list: &str) -> Vec<String> {
    list.split(',')
        .map(|address| {
            address
                .trim()
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned()
        })
        .filter(|address| !address.is_empty())
        .collect()
}

fn size_in_megabytes(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 && value <= 1e9 => Ok(value),
        _ => Err(format!(
            "expected a number of megabytes above 0, got `{text}`"
        )),
    }
}

fn existing_directory(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_dir() {
        Ok(path)
    } else {
        Err(format!("expected an existing directory, got `{text}`"))
    }
}

fn preview_method(text: &str) -> Result<PreviewMethod, String> {
    match text {
        "none" => Ok(PreviewMethod::None),
        "auto" => Ok(PreviewMethod::Auto),
        "latent2rgb" => Ok(PreviewMethod::Latent2Rgb),
        "taesd" => Ok(PreviewMethod::Taesd),
        _ => Err(format!(
            "expected none, auto, latent2rgb or taesd, got `{text}`"
        )),
    }
}

/// Python's level names, since ComfyUI's flag takes those.
fn log_level(text: &str) -> Result<tracing::Level, String> {
    match text.to_ascii_uppercase().as_str() {
        "TRACE" => Ok(tracing::Level::TRACE),
        "DEBUG" => Ok(tracing::Level::DEBUG),
        "INFO" => Ok(tracing::Level::INFO),
        "WARNING" | "WARN" => Ok(tracing::Level::WARN),
        "ERROR" | "CRITICAL" => Ok(tracing::Level::ERROR),
        _ => Err(format!(
            "expected DEBUG, INFO, WARNING, ERROR or CRITICAL, got `{text}`"
        )),
    }
}
