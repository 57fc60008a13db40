//! The program `comfy-server`.

use std::process::{Command, ExitCode};

use comfy_server::cli::{self, Options};
use comfy_server::{Server, StartError, allocator, logging};

// Sampling allocates and frees large buffers all the time, which the allocator of some systems answers with growth.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    allocator::keep_memory();
    let options = match cli::parse(std::env::args_os()) {
        Ok(options) => options,
        Err(error) => error.exit(),
    };
    logging::start(&options);
    if !options.ignored.is_empty() {
        tracing::info!(
            "These flags have no effect here: {}",
            options.ignored.join(" ")
        );
    }
    match run(options) {
        Ok(status) => status,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<ExitCode, StartError> {
    if let Some(run) = &options.run {
        return comfy_server::run::run(options.config, run).map(ExitCode::from);
    }
    let server = Server::builder(options.config)
        .on_idle(allocator::give_memory_back)
        .start()?;
    if options.quick_test {
        server.shutdown();
        return Ok(ExitCode::SUCCESS);
    }
    if options.open_browser {
        open_browser(&server.base_url());
    }
    server.run_until_signal()?;
    Ok(ExitCode::SUCCESS)
}

/// Opens the page in the user's browser.
fn open_browser(url: &str) {
    let mut command = if cfg!(target_os = "windows") {
        let mut command = Command::new("explorer");
        command.arg(url);
        command
    } else {
        let mut command = Command::new(if cfg!(target_os = "macos") {
            "open"
        } else {
            "xdg-open"
        });
        command.arg(url);
        command
    };
    if let Err(error) = command.spawn() {
        tracing::warn!(%error, "no browser could be opened; the page is at {url}");
    }
}
