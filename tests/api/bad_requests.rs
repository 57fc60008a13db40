//! Requests that are too large, too deep or nonsense.

use std::fmt::Write as _;
use std::io::Write;
use std::time::{Duration, Instant};

use comfy_tests::http::Request;
use comfy_tests::prompts::{scale_image, text_to_image};
use comfy_tests::server::TestServer;
use serde_json::{Map, Value, json};

use crate::shared::shared;

const MEBIBYTE: usize = 1 << 20;

#[test]
fn a_body_of_two_gigabytes_is_refused_unread() {
    let server = shared();
    let client = server.client();
    for target in ["/prompt", "/upload/image", "/api/v1/prompts", "/queue"] {
        let request = Request::new("POST", target).header("Content-Type", "application/json");
        let start = Instant::now();
        // The answer comes before the body, of which nothing is ever sent.
        let answer = client.stream_body(&request, Some(2 << 30), |_| Ok(()));
        let answer = answer.unwrap_or_else(|error| panic!("{target}: no answer: {error}"));
        assert_eq!(answer.status, 413, "{target}: {}", answer.text());
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{target}: {:?}",
            start.elapsed()
        );
    }
    // A client that does not look for an answer before it has sent everything gets it too.
    let request = Request::new("POST", "/prompt").header("Content-Type", "application/json");
    let answer = client.stream_body(&request, Some(2 << 30), |stream| {
        stream.set_write_timeout(Some(Duration::from_secs(10)))?;
        let block = vec![b' '; MEBIBYTE];
        (0..2048).try_for_each(|_| stream.write_all(&block))
    });
    assert_eq!(
        answer
            .unwrap_or_else(|error| panic!("no answer: {error}"))
            .status,
        413
    );
    client.get("/prompt").expect(200);
}

#[test]
fn a_body_without_a_length_is_cut_at_the_limit() {
    let server = TestServer::start_with(|config| config.max_upload_size = 5 << 20, |_| {});
    let client = server.client();
    for (target, kind) in [
        ("/prompt", "application/json"),
        ("/upload/image", "multipart/form-data; boundary=x"),
        ("/api/v1/prompts", "application/json"),
    ] {
        let request = Request::new("POST", target)
            .header("Content-Type", kind)
            .header("Transfer-Encoding", "chunked");
        let answer = client.stream_body(&request, None, |stream| {
            if target == "/upload/image" {
                let head = "--x\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n\r\n";
                write!(stream, "{:x}\r\n{head}\r\n", head.len())?;
            }
            let block = vec![b' '; MEBIBYTE];
            for _ in 0..100 {
                write!(stream, "{:x}\r\n", block.len())?;
                stream.write_all(&block)?;
                stream.write_all(b"\r\n")?;
            }
            // The end of the body never comes.
            Ok(())
        });
        let answer = answer.unwrap_or_else(|error| panic!("{target}: no answer: {error}"));
        assert_eq!(answer.status, 413, "{target}: {}", answer.text());
    }
    assert!(
        !server.path("input/a.png").exists(),
        "half an upload was kept"
    );
}

#[test]
fn malformed_json_is_a_bad_request_with_an_error() {
    let server = shared();
    let client = server.client();
    let deep = "[".repeat(200_000);
    let nested = format!("{{\"prompt\": {}", "{\"a\":".repeat(100_000));
    for body in [
        "",
        "{",
        "{\"prompt\": }",
        "nonsense",
        &deep,
        &nested,
        "{\"prompt\": {}} trailing",
    ] {
        let answer = client
            .send(&Request::new("POST", "/prompt").body(body))
            .expect(400)
            .json();
        assert!(
            answer["error"]["type"].is_string() && answer["error"]["message"].is_string(),
            "{body:.40}: {answer}"
        );
    }
    client.get("/prompt").expect(200);
}

/// A chain of `ImageScale` nodes from `LoadImage` to `SaveImage`: node 0 loads, node `length - 1` saves.
fn chain(length: usize) -> Map<String, Value> {
    let mut nodes = Map::new();
    nodes.insert(
        "0".to_owned(),
        json!({"class_type": "LoadImage", "inputs": {"image": "ref_img.png"}}),
    );
    for index in 1..length - 1 {
        nodes.insert(
            index.to_string(),
            json!({"class_type": "ImageScale", "inputs": {
                "image": [(index - 1).to_string(), 0], "upscale_method": "nearest-exact", "width": 1, "height": 1, "crop": "disabled"}}),
        );
    }
    let last = json!({"class_type": "SaveImage", "inputs": {"filename_prefix": "chain", "images": [(length - 2).to_string(), 0]}});
    nodes.insert((length - 1).to_string(), last);
    nodes
}

#[test]
fn a_hundred_thousand_nodes_are_validated_in_seconds() {
    let server = shared();
    let client = server.client();
    let mut nodes = chain(100_000);
    nodes["1"]["inputs"]
        .as_object_mut()
        .unwrap()
        .remove("width");
    let start = Instant::now();
    let answer = client
        .post("/prompt", &json!({"prompt": nodes}))
        .expect(400)
        .json();
    let elapsed = start.elapsed();
    eprintln!("100,000 nodes: {elapsed:?}");
    assert_eq!(
        answer["node_errors"]["1"]["errors"][0]["details"],
        "width",
        "{:.300}",
        answer.to_string()
    );
    assert!(
        elapsed < Duration::from_secs(30),
        "validation took {elapsed:?}"
    );
}

#[test]
fn a_hundred_thousand_nodes_of_which_few_are_needed_run() {
    let server = TestServer::start();
    let client = server.client();
    let mut nodes = chain(100_000);
    nodes.insert("near".to_owned(), json!({"class_type": "SaveImage", "inputs": {"filename_prefix": "near", "images": ["5", 0]}}));
    let start = Instant::now();
    let body = json!({"prompt": nodes, "partial_execution_targets": ["near"]});
    let answer = client.post("/prompt", &body).expect(200).json();
    let id = answer["prompt_id"].as_str().unwrap();
    let outputs = loop {
        if let Some(entry) = client.get_json("/history").get(id) {
            assert_eq!(
                entry["status"]["status_str"], "success",
                "{}",
                entry["status"]
            );
            break entry["outputs"].clone();
        }
        assert!(
            start.elapsed() < Duration::from_mins(2),
            "not done after {:?}",
            start.elapsed()
        );
        std::thread::sleep(Duration::from_millis(200));
    };
    eprintln!("100,000 nodes, 7 of them needed: {:?}", start.elapsed());
    assert_eq!(
        outputs.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["near"]
    );
}

#[test]
fn a_deep_chain_runs_to_its_end() {
    let server = TestServer::start();
    let client = server.client();
    let start = Instant::now();
    let entry = client.run_to_success(&Value::Object(chain(3_000)));
    eprintln!("a chain of 3,000 nodes: {:?}", start.elapsed());
    assert!(entry["outputs"]["2999"]["images"][0]["filename"].is_string());
}

#[test]
fn links_to_nowhere() {
    let server = shared();
    let client = server.client();
    for (link, kind) in [
        (json!(["99", 0]), "KeyError"),
        (json!(["4", 7]), "IndexError"),
        (json!(["4", -9]), "IndexError"),
        (json!([4, 0]), "KeyError"),
        (json!(["4", "0"]), "TypeError"),
    ] {
        let mut prompt = text_to_image(1, 1);
        prompt["8"]["inputs"]["vae"] = link.clone();
        let answer = client
            .post("/prompt", &json!({"prompt": prompt}))
            .expect(400)
            .json();
        let errors = answer["node_errors"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|node| node["errors"].as_array().unwrap());
        let kinds: Vec<_> = errors
            .map(|error| error["extra_info"]["exception_type"].clone())
            .collect();
        assert!(kinds.contains(&json!(kind)), "{link}: {answer}");
    }
}

#[test]
fn cycles_of_any_length() {
    let server = shared();
    let client = server.client();
    for length in [1_usize, 2, 3, 50_000] {
        let mut nodes = chain(length + 2);
        nodes.remove("0");
        // The first of the chain hangs on its last.
        nodes["1"]["inputs"]["image"] = json!([length.to_string(), 0]);
        let start = Instant::now();
        let answer = client
            .post("/prompt", &json!({"prompt": nodes}))
            .expect(400)
            .json();
        assert_eq!(
            answer["error"]["type"],
            "prompt_outputs_failed_validation",
            "{length}: {:.300}",
            answer.to_string()
        );
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "{length}: {:?}",
            start.elapsed()
        );
    }
}

#[test]
fn prompts_that_are_no_prompts() {
    let server = shared();
    let client = server.client();
    for prompt in [
        json!(null),
        json!(7),
        json!("text"),
        json!([]),
        json!([1, 2]),
        json!({"1": null}),
        json!({"1": 5}),
        json!({"1": {"class_type": "SaveImage", "inputs": []}}),
        json!({"1": {"class_type": "SaveImage", "inputs": "text"}}),
        json!({"1": {"class_type": {}, "inputs": {}}}),
        json!({"1": {"class_type": "SaveImage", "inputs": {"images": [[], {}], "filename_prefix": [1, 2, 3]}}}),
    ] {
        let answer = client
            .post("/prompt", &json!({"prompt": prompt}))
            .expect(400)
            .json();
        assert!(answer["error"]["type"].is_string(), "{prompt}: {answer}");
    }
    client.get("/prompt").expect(200);
}

#[test]
fn long_texts_and_names() {
    let server = shared();
    let client = server.client();
    let mut prompt = text_to_image(1, 1);
    prompt["6"]["inputs"]["text"] = json!("word ".repeat(4_000));
    client.run_to_success(&prompt);
    let mut brackets = String::new();
    for _ in 0..20_000 {
        let _ = write!(brackets, "(");
    }
    prompt["6"]["inputs"]["text"] = json!(brackets);
    client.run_to_success(&prompt);
    prompt["9"]["inputs"]["filename_prefix"] = json!("x".repeat(5_000));
    client.run_to_failure(&prompt);
    client
        .get(&format!("/view?filename={}", "x".repeat(5_000)))
        .expect(404);
    client.run_to_success(&scale_image("ref_img.png", 8, 8));
}

#[test]
fn heads_that_are_too_large() {
    let server = shared();
    let client = server.client();
    let request = Request::new("GET", "/prompt").header("X-Long", &"x".repeat(2 << 20));
    match client.try_send(&request) {
        Ok(answer) => assert!(
            (400..500).contains(&answer.status),
            "status {}",
            answer.status
        ),
        Err(error) => eprintln!("the server hung up on a header of 2 MiB: {error}"),
    }
    client.get("/prompt").expect(200);
}
