//! `comfy-server run`: runs prompts or saved workflows without serving anyone.

mod change;
mod progress;
mod report;
mod source;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use comfy_api::history::{HistoryEntry, StatusText};
use comfy_exec::{Submission, SubmitError};
use comfy_graph::workflow::WorkflowError;
use serde_json::{Map, json};

use crate::config::Config;
use crate::server::{Server, StartError};
use crate::state::AppState;
use crate::workflow::Converted;
pub use change::{Change, ChangeError};
use progress::Progress;
use report::Failure;

/// What to run, and how.
#[derive(Clone, Debug)]
pub struct Run {
    /// Prompts, saved workflows or pictures that carry one; `-` is the standard input.
    pub files: Vec<PathBuf>,
    /// What to change in each prompt before it runs.
    pub changes: Vec<Change>,
    /// The seed of every node that has one.
    pub seed: Option<u64>,
    /// Whether to print the prompts instead of running them.
    pub only_print: bool,
    /// Whether to tell every event as a line of JSON on the standard output, and nothing else there.
    pub as_json: bool,
}

/// The exit status when all ran.
const SUCCESS: u8 = 0;
/// The exit status when a node failed.
const FAILURE: u8 = 1;
/// The exit status when a file is no prompt that can run, or not all of it can.
const INVALID: u8 = 2;
/// The exit status after Ctrl-C, as shells report it.
const INTERRUPTED: u8 = 130;

/// Why a file was not run to its end.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error(transparent)]
    Source(#[from] source::SourceError),
    #[error(transparent)]
    Workflow(#[from] WorkflowError),
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error("{0}")]
    Failed(#[from] Failure),
    #[error("the results could not be printed: {0}")]
    Print(#[from] std::io::Error),
    #[error("interrupted")]
    Interrupted,
}

impl RunError {
    fn status(&self) -> u8 {
        match self {
            Self::Source(_)
            | Self::Workflow(_)
            | Self::Change(_)
            | Self::Failed(Failure::Refused(..) | Failure::Partly(_)) => INVALID,
            Self::Failed(_) | Self::Print(_) => FAILURE,
            Self::Interrupted => INTERRUPTED,
        }
    }

    /// The status in a word.
    fn kind(&self) -> &'static str {
        match self.status() {
            INVALID => "invalid",
            INTERRUPTED => "interrupted",
            _ => "failed",
        }
    }
}

/// Runs the files one after the other, with progress on the standard error and the written files on the standard output.
///
/// The exit status, which is given back, is 0 if all of them ran to their end, else 1 if a node failed, else 2 if one of them cannot run or
/// not all of it can; 130 after Ctrl-C. A file that fails does not keep the others from running.
///
/// # Errors
/// When the parts could not be set up.
pub fn run(config: Config, run: &Run) -> Result<u8, StartError> {
    let progress = Arc::new(Progress::new(run.as_json));
    let state = Server::builder(config).assemble_with(&[], Some(progress.clone()))?;
    progress.watch(state.engine().clone());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut status = SUCCESS;
    for file in &run.files {
        match runtime.block_on(run_file(&state, run, file, &progress)) {
            Ok(()) => {}
            Err(error) => {
                progress.line(&format!("error: {}: {error}", file.display()));
                progress.tell("error", json!({"file": file.display().to_string(), "kind": error.kind(), "message": error.to_string()}));
                status = match (status, error.status()) {
                    (FAILURE, INVALID) => FAILURE,
                    (_, status) => status,
                };
                if status == INTERRUPTED {
                    break;
                }
            }
        }
    }
    state.engine().shutdown(state.config().shutdown_grace);
    if let Err(error) = state.folders().clear_temp() {
        tracing::warn!(%error, "the temporary directory could not be deleted");
    }
    Ok(status)
}

async fn run_file(
    state: &AppState,
    run: &Run,
    file: &Path,
    progress: &Progress,
) -> Result<(), RunError> {
    let mut converted = Converted::from_either(state, source::read(file)?)?;
    if let Some(seed) = run.seed {
        change::set_seeds(&mut converted.prompt, seed)?;
    }
    for change in &run.changes {
        change.apply(&mut converted.prompt)?;
    }
    if run.only_print {
        let text = format!("{:#}\n", converted.prompt);
        std::io::stdout().write_all(text.as_bytes())?;
        return Ok(());
    }
    progress.begin(&converted.prompt);
    let mut extra_data = Map::new();
    converted.describe(&mut extra_data);
    let submission = Submission {
        prompt: converted.prompt,
        extra_data,
        // Progress is told to somebody or not at all.
        client_id: Some("run".to_owned()),
        ..Submission::default()
    };
    let submitted = state
        .engine()
        .submit(submission)
        .map_err(|error| match error {
            SubmitError::Invalid(invalid) => Failure::Refused(invalid.error, invalid.node_errors),
            other => Failure::NotTaken(other.to_string()),
        })?;
    let entry = finished(state, &submitted.prompt_id).await?;
    progress.end();
    report::written(state.folders(), &entry, progress)?;
    if entry.status.status_str == StatusText::Error {
        return Err(Failure::of(&entry).into());
    }
    if submitted.node_errors.is_empty() {
        Ok(())
    } else {
        Err(Failure::Partly(submitted.node_errors).into())
    }
}

/// Waits for the end of a prompt. Ctrl-C interrupts it.
async fn finished(state: &AppState, prompt_id: &str) -> Result<Arc<HistoryEntry>, RunError> {
    let Some(completion) = state.engine().completion(prompt_id) else {
        return Err(RunError::Interrupted);
    };
    tokio::select! {
        entry = completion => entry.map_err(|_| RunError::Interrupted),
        _ = tokio::signal::ctrl_c() => {
            state.engine().interrupt(None);
            Err(RunError::Interrupted)
        }
    }
}
