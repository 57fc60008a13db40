//! `comfy-server run` as scripts use it: what it prints where, and its exit status.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use comfy_tests::prompts::{scale_image, text_to_image};
use serde_json::{Value, json};

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        comfy_tests::server::fill(base.path());
        Self(base)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str, content: &Value) -> String {
        let path = self.path().join(name);
        std::fs::write(&path, content.to_string()).unwrap();
        path.display().to_string()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_comfy-server"))
            .args(["run", "--cpu", "--base-directory"])
            .arg(self.path())
            .args(arguments)
            .output()
            .unwrap()
    }
}

fn lines(bytes: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(bytes)
        .lines()
        .map(str::to_owned)
        .collect()
}

fn events(output: &Output) -> Vec<Value> {
    let lines = lines(&output.stdout).into_iter();
    lines
        .map(|line| {
            let event: Value =
                serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!(
                event["type"].is_string() && event["data"].is_object(),
                "{line}"
            );
            event
        })
        .collect()
}

fn of_type<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let found = events.iter().filter(|event| event["type"] == kind);
    found.map(|event| &event["data"]).collect()
}

#[test]
fn files_are_named_on_the_standard_output_and_progress_on_the_other() {
    let place = Place::new();
    let prompt = place.file("p.json", &scale_image("ref_img.png", 16, 16));
    let folder = place.path().join("elsewhere");
    let output = place.run(&[
        &prompt,
        "--output",
        &folder.display().to_string(),
        "--set",
        "ImageScale.width=24",
    ]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let written = lines(&output.stdout);
    assert_eq!(written.len(), 1, "{written:?}");
    assert!(Path::new(&written[0]).starts_with(&folder));
    let picture = image::open(&written[0]).unwrap();
    assert_eq!((picture.width(), picture.height()), (24, 16));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(
        told.contains("ImageScale (") && !told.contains('\r'),
        "{told}"
    );
}

#[test]
fn programs_read_one_event_a_line() {
    let place = Place::new();
    let prompt = place.file("p.json", &text_to_image(1, 3));
    let output = place.run(&[&prompt, "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let events = events(&output);
    let steps = of_type(&events, "progress");
    let steps: Vec<&Value> = steps.iter().map(|data| &data["value"]).collect();
    assert!(
        steps.ends_with(&[&json!(1), &json!(2), &json!(3)]),
        "{steps:?}"
    );
    for kind in [
        "execution_start",
        "executing",
        "progress_state",
        "executed",
        "execution_success",
    ] {
        assert!(!of_type(&events, kind).is_empty(), "no {kind}");
    }
    let files = of_type(&events, "file");
    assert_eq!(files.len(), 1);
    assert!(Path::new(files[0]["path"].as_str().unwrap()).is_file());
    assert!(of_type(&events, "error").is_empty());
}

#[test]
fn the_exit_status_tells_failed_from_invalid() {
    let place = Place::new();
    std::fs::write(
        place.path().join("models/checkpoints/broken.safetensors"),
        "nonsense",
    )
    .unwrap();
    let mut failing = text_to_image(1, 1);
    failing["4"]["inputs"]["ckpt_name"] = json!("broken.safetensors");
    let failing = place.file("failing.json", &failing);
    let invalid = place.file(
        "invalid.json",
        &json!({"1": {"class_type": "NoSuchNode", "inputs": {}}}),
    );
    let no_prompt = place.file("list.json", &json!([]));
    let good = place.file("good.json", &scale_image("ref_img.png", 16, 16));
    for (files, status, kinds) in [
        (vec![&good], 0, vec![]),
        (vec![&failing], 1, vec!["failed"]),
        (vec![&invalid], 2, vec!["invalid"]),
        (vec![&no_prompt], 2, vec!["invalid"]),
        // The rest is run all the same, and a failure is worse than a mistake.
        (vec![&invalid, &good], 2, vec!["invalid"]),
        (vec![&failing, &invalid], 1, vec!["failed", "invalid"]),
    ] {
        let mut arguments: Vec<&str> = files.iter().map(|file| file.as_str()).collect();
        arguments.push("--json");
        let output = place.run(&arguments);
        assert_eq!(output.status.code(), Some(status), "{files:?}: {output:?}");
        let events = events(&output);
        let told = of_type(&events, "error");
        let told: Vec<&str> = told
            .iter()
            .map(|data| data["kind"].as_str().unwrap())
            .collect();
        assert_eq!(told, kinds, "{files:?}");
    }
    // A line that cannot be understood is a mistake too.
    assert_eq!(place.run(&[&good, "--set", "x"]).status.code(), Some(2));
    let unknown = place.run(&[&good, "--set", "Nothing.width=1"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("no node of `Nothing.width`"));
}
