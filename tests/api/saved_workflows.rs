//! Saved workflows where a prompt is expected: over HTTP, and run from the command line.

use comfy_nodes::device::DeviceRequest;
use comfy_server::Config;
use comfy_server::run::{Run, run};
use comfy_tests::http::Request;
use comfy_tests::server::{TestServer, fill};
use serde_json::{Value, json};

/// Loads a picture, makes it smaller behind a reroute and a bypassed node, and saves it.
fn workflow() -> Value {
    let output = |kind: &str, links: &[u32]| json!({"name": kind, "type": kind, "links": links});
    let input =
        |name: &str, kind: &str, link: u32| json!({"name": name, "type": kind, "link": link});
    json!({
        "version": 0.4, "last_node_id": 6, "last_link_id": 5,
        "nodes": [
            {"id": 1, "type": "LoadImage", "mode": 0, "order": 0, "outputs": [output("IMAGE", &[1]), output("MASK", &[])],
             "widgets_values": ["ref_img.png", "image"]},
            {"id": 2, "type": "Reroute", "mode": 0, "order": 1, "inputs": [input("", "*", 1)], "outputs": [output("IMAGE", &[2])]},
            {"id": 3, "type": "ImageScale", "mode": 0, "order": 2, "inputs": [input("image", "IMAGE", 2)], "outputs": [output("IMAGE", &[3])],
             "widgets_values": ["bilinear", 32, 16, "disabled"]},
            {"id": 4, "type": "ImageScale", "mode": 4, "order": 3, "inputs": [input("image", "IMAGE", 3)], "outputs": [output("IMAGE", &[4])],
             "widgets_values": ["bilinear", 8, 8, "disabled"]},
            {"id": 5, "type": "SaveImage", "mode": 0, "order": 4, "inputs": [input("images", "IMAGE", 4)],
             "widgets_values": ["%ImageScale.width%_wide"]},
            {"id": 6, "type": "Note", "mode": 0, "order": 5, "widgets_values": ["for people"]},
        ],
        "links": [[1, 1, 0, 2, 0, "*"], [2, 2, 0, 3, 0, "IMAGE"], [3, 3, 0, 4, 0, "IMAGE"], [4, 4, 0, 5, 0, "IMAGE"]],
    })
}

#[test]
fn a_workflow_is_queued_as_a_prompt() {
    let server = TestServer::start();
    let client = server.client();
    for body in [
        json!({"workflow": workflow()}),
        json!({"prompt": workflow()}),
    ] {
        let answer = client.post("/prompt", &body).expect(200).json();
        let id = answer["prompt_id"].as_str().unwrap();
        let entry = client.wait_for(id);
        assert_eq!(
            entry["status"]["status_str"], "success",
            "{}",
            entry["status"]
        );
        let prompt = &entry["prompt"][2];
        assert_eq!(prompt.as_object().unwrap().len(), 3, "{prompt}");
        assert_eq!(prompt["3"]["inputs"]["image"], json!(["1", 0]));
        assert_eq!(prompt["5"]["inputs"]["images"], json!(["3", 0]));
        // Saved files carry the workflow, as those of the front end do.
        assert_eq!(entry["prompt"][3]["extra_pnginfo"]["workflow"], workflow());
    }
    let entry = client.run_to_success(&workflow());
    let name = entry["outputs"]["5"]["images"][0]["filename"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(name.starts_with("32_wide_0000"), "{name}");
}

#[test]
fn the_blocking_interface_takes_workflows_too() {
    let server = TestServer::start();
    for body in [workflow(), json!({"workflow": workflow()})] {
        let answer = server
            .client()
            .post("/api/v1/prompts", &body)
            .expect(200)
            .json();
        assert_eq!(answer["urls"].as_array().map(Vec::len), Some(2), "{answer}");
    }
}

#[test]
fn nodes_that_are_not_known_are_named() {
    let server = TestServer::start();
    let mut workflow = workflow();
    workflow["nodes"][2]["type"] = json!("ImageScal");
    let answer = server
        .client()
        .post("/prompt", &json!({"workflow": workflow}));
    let error = answer.expect(400).json()["error"].clone();
    let details = error["details"].as_str().unwrap();
    assert!(
        details.contains("unknown node \"ImageScal\" (id 3)"),
        "{error}"
    );
    assert_eq!(
        error["extra_info"]["unknown_nodes"][0]["near_names"][0],
        "ImageScale"
    );
    let request = Request::json("/prompt", &json!({"workflow": {"nodes": 5}}));
    let error = server.client().send(&request).expect(400).json();
    assert!(
        error["error"]["details"]
            .as_str()
            .unwrap()
            .contains("a list of nodes"),
        "{error}"
    );
}

#[test]
fn a_file_is_run_without_a_server() {
    let base = tempfile::tempdir().unwrap();
    fill(base.path());
    let config = Config {
        base_directory: base.path().to_owned(),
        device: DeviceRequest::Cpu,
        ..Config::default()
    };
    let file = base.path().join("workflow.json");
    std::fs::write(&file, workflow().to_string()).unwrap();
    let result = base.path().join("output/32_wide_00001_.png");
    let mut task = Run {
        files: vec![file.clone()],
        changes: vec!["ImageScale.height=24".parse().unwrap()],
        seed: None,
        only_print: false,
        as_json: false,
    };
    assert_eq!(run(config.clone(), &task).unwrap(), 0);
    let picture = image::open(&result).unwrap();
    assert_eq!((picture.width(), picture.height()), (32, 24));
    // The picture carries what made it.
    task = Run {
        files: vec![result],
        changes: Vec::new(),
        ..task
    };
    assert_eq!(run(config.clone(), &task).unwrap(), 0);
    let again = image::open(base.path().join("output/32_wide_00002_.png")).unwrap();
    assert_eq!(picture, again);
    // One that fails does not keep the next from running.
    std::fs::write(&file, "[]").unwrap();
    task.files.insert(0, file);
    assert_eq!(run(config.clone(), &task).unwrap(), 2);
    assert!(base.path().join("output/32_wide_00003_.png").exists());
    // A seed that nothing takes is a mistake.
    task.files.remove(0);
    task.seed = Some(1);
    assert_eq!(run(config, &task).unwrap(), 2);
}
