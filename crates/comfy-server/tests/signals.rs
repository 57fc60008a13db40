//! The program itself: where it says what, and how it ends.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use comfy_tests::http::{Client, Request};
use comfy_tests::prompts::text_to_image;
use serde_json::json;

/// The running program and what it logs.
struct Program {
    child: Child,
    lines: Receiver<String>,
    /// What it logged up to its address.
    start: Vec<String>,
    client: Client,
}

impl Program {
    fn start(base: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_comfy-server"))
            .args(["--port", "0", "--cpu", "--log-stdout", "--base-directory"])
            .arg(base)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                eprintln!("  {line}");
                let _ = sender.send(line);
            }
        });
        let mut start = Vec::new();
        let address = loop {
            let line = lines
                .recv_timeout(Duration::from_mins(1))
                .expect("the server says where it listens");
            if let Some((_, url)) = line.split_once("To see the GUI go to: http://") {
                break url.trim().trim_end_matches('/').to_owned();
            }
            start.push(line);
        };
        let client = Client::new(address.parse().unwrap());
        Self {
            child,
            lines,
            start,
            client,
        }
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    fn wait(&mut self, patience: Duration) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(
                start.elapsed() < patience,
                "the program still runs {patience:?} after the signal"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn base() -> tempfile::TempDir {
    let base = tempfile::tempdir().unwrap();
    comfy_tests::server::fill(base.path());
    base
}

/// Ctrl-C while a prompt runs, a second one waits, and both have clients that wait for the answer.
#[test]
fn an_interrupt_ends_the_program_in_seconds() {
    let base = base();
    let mut program = Program::start(base.path(), &[]);
    let client = program.client;
    let running = std::thread::spawn(move || {
        client.send(&Request::json("/api/v1/prompts", &text_to_image(1, 10_000)))
    });
    let start = Instant::now();
    while client.get_json("/queue")["queue_running"]
        .as_array()
        .unwrap()
        .is_empty()
    {
        assert!(start.elapsed() < Duration::from_mins(1), "nothing runs");
        std::thread::sleep(Duration::from_millis(10));
    }
    let waiting = std::thread::spawn(move || {
        client.send(&Request::json("/api/v1/prompts", &text_to_image(2, 1)))
    });
    while client.get_json("/queue")["queue_pending"]
        .as_array()
        .unwrap()
        .is_empty()
    {
        assert!(start.elapsed() < Duration::from_mins(1), "nothing waits");
        std::thread::sleep(Duration::from_millis(10));
    }

    let start = Instant::now();
    program.signal("INT");
    let status = program.wait(Duration::from_secs(20));
    eprintln!("ended after {:?}: {status}", start.elapsed());
    assert!(
        status.success() || status.code() == Some(130),
        "exit status {status}"
    );
    let answer = running.join().unwrap();
    assert_eq!(answer.status, 500, "{}", answer.text());
    let messages = answer.json()["messages"].clone();
    assert_eq!(
        messages.as_array().unwrap().last().unwrap()[0],
        "execution_interrupted"
    );
    let answer = waiting.join().unwrap();
    assert!(
        matches!(answer.status, 500 | 503),
        "status {} for a prompt that never ran",
        answer.status
    );
    assert!(
        !base.path().join("temp").exists(),
        "the temporary directory is removed"
    );
}

#[test]
fn a_termination_signal_ends_an_idle_program_at_once() {
    let base = base();
    let mut program = Program::start(base.path(), &[]);
    program.client.get("/prompt").expect(200);
    let _idle = program.client.connect();
    program.signal("TERM");
    let status = program.wait(Duration::from_secs(5));
    assert!(
        status.success() || matches!(status.code(), Some(130 | 143)),
        "exit status {status}"
    );
}

#[test]
fn an_empty_directory_is_filled_and_the_device_named() {
    let base = tempfile::tempdir().unwrap();
    let mut program = Program::start(base.path(), &[]);
    for directory in [
        "models/checkpoints",
        "models/vae",
        "models/loras",
        "input",
        "output",
        "temp",
        "user",
    ] {
        assert!(
            base.path().join(directory).is_dir(),
            "{directory} was not made"
        );
    }
    assert_eq!(program.client.get_json("/models/loras"), json!([]));
    let offered = if cfg!(feature = "demo-model") {
        json!(["emoji-demo.safetensors"])
    } else {
        json!([])
    };
    assert_eq!(
        program.client.get_json("/models/checkpoints"),
        offered,
        "a model is offered where there is none"
    );
    program.signal("INT");
    program.wait(Duration::from_secs(5));
    let said = [program.start.clone(), program.lines.try_iter().collect()].concat();
    let device = said.iter().find(|line| line.contains("Device: "));
    assert!(
        device.is_some_and(|line| line.contains("(cpu)") && line.contains("asked for")),
        "which device and why: {said:#?}"
    );
    assert!(
        said.iter().all(|line| !line.contains("panicked")),
        "{said:#?}"
    );
}

#[test]
fn a_port_in_use_is_an_error_that_names_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let base = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_comfy-server"))
        .args(["--cpu", "--port", &port, "--base-directory"])
        .arg(base.path())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains(&port), "{text}");
}

#[test]
fn flags_of_the_original_are_taken() {
    let base = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_comfy-server"))
        .args(["--quick-test-for-ci", "--cpu", "--lowvram", "--fp16-vae"])
        .args(["--use-split-cross-attention", "--disable-all-custom-nodes"])
        .args(["--port", "0", "--base-directory"])
        .arg(base.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let refused = Command::new(env!("CARGO_BIN_EXE_comfy-server"))
        .arg("--no-such-flag")
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let help = Command::new(env!("CARGO_BIN_EXE_comfy-server"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8_lossy(&help.stdout);
    for flag in ["--listen", "--port", "--base-directory", "--device"] {
        assert!(help.contains(flag), "{flag} is not in the help");
    }
}
