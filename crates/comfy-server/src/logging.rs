//! The log on the terminal.

mod book;
pub(crate) mod terminal;

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

pub(crate) use book::{LogBook, pass_on};

use crate::cli::Options;

/// Starts logging. `RUST_LOG` wins over the command line.
pub fn start(options: &Options) {
    let (writer, is_terminal) = if options.log_to_stdout {
        (BoxMakeWriter::new(io::stdout), io::stdout().is_terminal())
    } else {
        (BoxMakeWriter::new(io::stderr), io::stderr().is_terminal())
    };
    // Libraries have much to say that no operator needs; theirs is shown from warnings on.
    let own = options.log_level.to_string().to_lowercase();
    let default = format!(
        "warn,comfy_server={own},comfy_exec={own},comfy_nodes={own},comfy_diffusion={own},comfy_graph={own}"
    );
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(book::Copying(writer))
        .with_ansi(is_terminal)
        .with_target(false)
        .try_init();
    if let Err(error) = started {
        tracing::debug!(%error, "somebody else has started the log");
    }
}
