//! Clients that others wrote, run against a server. `tests/clients/install.py` installs them; `tests/clients/drivers` uses each as its
//! users do.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// How long a program may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// The part of the installation that a program needs.
#[derive(Clone, Copy, Debug)]
pub enum Language {
    /// From `PyPI`.
    Python,
    /// From npm.
    JavaScript,
    /// From crates.io.
    Rust,
}

/// A place for one program, which is its working directory and its home.
#[derive(Debug)]
pub struct Workplace {
    folder: TempDir,
}

impl Workplace {
    /// An empty place.
    pub fn new() -> Self {
        let folder =
            tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary directory: {error}"));
        Self { folder }
    }

    /// Writes a file for the program; its path.
    pub fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content)
            .unwrap_or_else(|error| panic!("cannot write {name}: {error}"));
        path
    }

    /// Writes a file of JSON for the program; its path.
    pub fn write_json(&self, name: &str, content: &Value) -> PathBuf {
        self.write(name, content.to_string().as_bytes())
    }

    /// Runs a program to its end. What it said is in the error if it failed or took too long.
    pub fn run(&self, mut program: Command) -> Result<String, String> {
        let said = self.folder.path().join("said.txt");
        let file = File::create(&said).map_err(|error| format!("{}: {error}", said.display()))?;
        let copy = file.try_clone().map_err(|error| error.to_string())?;
        program
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env("XDG_CACHE_HOME", self.folder.path().join("cache"))
            // Clients that would tell their makers about it.
            .env("DO_NOT_TRACK", "1")
            .env("PYTHONUNBUFFERED", "1")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("NO_PROXY", "127.0.0.1,localhost")
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(copy);
        let child = program
            .spawn()
            .map_err(|error| format!("{program:?}: {error}"))?;
        let status = wait(child);
        let said = std::fs::read(&said).unwrap_or_default();
        let said = String::from_utf8_lossy(&said).into_owned();
        match status {
            Some(status) if status.success() => Ok(said),
            Some(status) => Err(format!("{status}; it said:\n{said}")),
            None => Err(format!("not done after {PATIENCE:?}; it said:\n{said}")),
        }
    }
}

impl Default for Workplace {
    fn default() -> Self {
        Self::new()
    }
}

/// Waits for the end of a program; one that takes too long is ended.
fn wait(mut child: Child) -> Option<ExitStatus> {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// The command that starts a driver, or why it cannot be had on this machine.
pub fn driver(language: Language, name: &str) -> Result<Command, String> {
    let path = source("drivers").join(name);
    match language {
        Language::Python => {
            let mut command = Command::new(python()?);
            command.arg(path);
            Ok(command)
        }
        Language::JavaScript => {
            let folder = installed("npm", "package-lock.json")?;
            if Command::new("node").arg("--version").output().is_err() {
                return Err("node is not here".to_owned());
            }
            let mut command = Command::new("node");
            command.arg(path).env("CLIENTS", folder);
            Ok(command)
        }
        Language::Rust => rust(name).map(Command::new),
    }
}

/// The Python in which the clients are installed.
pub fn python() -> Result<PathBuf, String> {
    Ok(installed("python", "requirements.txt")?.join("bin/python"))
}

/// A folder that the installer completed with the pins that the sources have now.
fn installed(part: &str, pins: &str) -> Result<PathBuf, String> {
    let folder = cache().join(part);
    let read = |path: PathBuf| std::fs::read(path).ok();
    let complete = read(folder.join(format!("{pins}.installed")));
    if complete.is_some() && complete == read(source(pins)) {
        return Ok(folder);
    }
    Err(format!(
        "the clients from {part} are not here in these versions (tests/clients/install.py installs them)"
    ))
}

/// Builds the Rust clients from what was fetched before; the path of one.
fn rust(name: &str) -> Result<PathBuf, String> {
    let cargo = || {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // What cargo tells the programs that it runs is not meant for another build.
        for (variable, _) in std::env::vars_os() {
            let is_cargos = variable.to_str().is_some_and(|name| {
                name.starts_with("CARGO_PKG_")
                    || name.starts_with("CARGO_PROFILE_")
                    || name == "RUSTFLAGS"
            });
            if is_cargos {
                command.env_remove(variable);
            }
        }
        command.current_dir(source("rust"));
        command
    };
    let target = cache().join("rust");
    let build = |more: &[&str]| {
        let mut command = cargo();
        command.args(["build", "--locked", "--offline", "--target-dir"]);
        command.arg(&target).args(more);
        command.output()
    };
    let output = build(&["--quiet"]).unwrap_or_else(|error| panic!("cargo: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("--offline") {
        return Err(
            "the clients from crates.io are not here (tests/clients/install.py installs them)"
                .to_owned(),
        );
    }
    assert!(
        output.status.success(),
        "the clients in Rust do not compile: {said}"
    );
    Ok(target.join("debug").join(name))
}

fn cache() -> PathBuf {
    comfy_fixtures::cache_folder().join("clients")
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("clients")
        .join(name)
}
