//! `/api/v1/prompts`: one request, one picture.

use std::time::{Duration, Instant};

use comfy_tests::hex;
use comfy_tests::http::{Client, Request, Response};
use comfy_tests::multipart::form;
use comfy_tests::picture;
use comfy_tests::prompts::{PATIENCE, scale_image, text_to_image};
use comfy_tests::server::TestServer;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::shared::shared;

fn generate(client: &Client, prompt: &Value, accept: Option<&str>) -> Response {
    let request = Request::json("/api/v1/prompts", prompt);
    client.send(
        &accept
            .into_iter()
            .fold(request, |request, accept| request.header("Accept", accept)),
    )
}

#[test]
fn json_by_default() {
    let server = shared();
    let client = server.client();
    let prompt = text_to_image(11, 2);
    for accept in [
        None,
        Some("*/*"),
        Some("application/json"),
        Some("image/png;q=0.5, application/json"),
    ] {
        let answer = generate(&client, &prompt, accept).expect(200);
        assert_eq!(
            answer
                .header("Content-Type")
                .map(|kind| kind.split(';').next().unwrap()),
            Some("application/json"),
            "{accept:?}"
        );
        let body = answer.json();
        let image = &body["outputs"]["9"]["images"][0];
        for member in ["filename", "subfolder", "type", "abs_path"] {
            assert!(image[member].is_string(), "{member} in {image}");
        }
        assert!(
            std::path::Path::new(image["abs_path"].as_str().unwrap()).is_file(),
            "{image}"
        );
        let urls: Vec<&str> = body["urls"]
            .as_array()
            .unwrap()
            .iter()
            .map(|url| url.as_str().unwrap())
            .collect();
        assert_eq!(urls.len(), 2, "{urls:?}");
        let local = urls[0]
            .strip_prefix(&format!("http://{}", client.address()))
            .unwrap_or_else(|| panic!("{urls:?}"));
        let name = image["filename"].as_str().unwrap();
        assert_eq!(local, format!("/view?filename={name}&type=output"));
        assert_eq!(
            picture::decode(&client.get(local).expect(200).body).width,
            64
        );
        assert_eq!(
            answer.header("Content-Disposition"),
            Some(&*format!("filename=\"{name}\""))
        );
    }
}

#[test]
fn the_same_picture_as_the_queue_makes() {
    let server = shared();
    let client = server.client();
    let prompt = comfy_fixtures::json("workflows/txt2img/prompt.json");
    let answer = generate(&client, &prompt, Some("image/png")).expect(200);
    assert_eq!(answer.header("Content-Type"), Some("image/png"));
    assert!(
        answer
            .header("Content-Disposition")
            .is_some_and(|value| value.starts_with("filename="))
    );
    let got = picture::decode(&answer.body);
    let want = picture::decode(&comfy_fixtures::bytes("workflows/txt2img/out0.png"));
    comfy_fixtures::assert_same_picture("txt2img", &got.pixels, &want.pixels);
}

#[test]
fn the_digest_is_of_the_prompt() {
    let server = shared();
    let client = server.client();
    let mut prompt = scale_image("ref_img.png", 8, 8);
    prompt["1"]["_meta"] = json!({"title": "Größe 猫"});
    let text = serde_json::to_string(&prompt).unwrap();
    // Python's json.dumps(prompt, separators=(",", ":")): everything outside of ASCII is escaped.
    let escaped: String = text
        .encode_utf16()
        .map(|unit| {
            if unit < 128 {
                char::from(unit as u8).to_string()
            } else {
                format!("\\u{unit:04x}")
            }
        })
        .collect();
    let digest = hex(&Sha256::digest(escaped.as_bytes()));
    // The spaces of the body do not matter.
    let request =
        Request::new("POST", "/api/v1/prompts").header("Content-Type", "application/json");
    let answer = client
        .send(&request.body(serde_json::to_string_pretty(&prompt).unwrap()))
        .expect(200);
    let header = answer.header("Digest").expect("a digest");
    let (algorithm, value) = header.split_once('=').expect("an algorithm and a value");
    assert!(["SHA256", "SHA-256"].contains(&algorithm), "{header}");
    assert_eq!(value, digest);
}

#[test]
fn several_pictures_have_no_one_name() {
    let server = shared();
    let client = server.client();
    let mut prompt = scale_image("ref_img.png", 8, 8);
    prompt["4"] = json!({"class_type": "SaveImage", "inputs": {"filename_prefix": "second", "images": ["1", 0]}});
    let answer = generate(&client, &prompt, None).expect(200);
    assert_eq!(answer.header("Content-Disposition"), None);
    assert_eq!(answer.json()["urls"].as_array().unwrap().len(), 4);
    // The last SaveImage of the prompt wins.
    let size = picture::decode(&comfy_fixtures::bytes("input/ref_img.png")).width;
    assert_eq!(
        picture::decode(
            &generate(&client, &prompt, Some("image/png"))
                .expect(200)
                .body
        )
        .width,
        size
    );
}

#[test]
fn files_travel_with_the_prompt() {
    let server = shared();
    let client = server.client();
    let red = picture::encode_rgb(4, 4, &[200, 10, 10].repeat(16));
    let prompt = scale_image("sent-along.png", 2, 2).to_string();
    for part in ["files", "files[]"] {
        for kind in ["multipart/form-data", "multipart/formdata"] {
            let mut request = form(
                "/api/v1/prompts",
                &[
                    ("prompt", None, prompt.as_bytes()),
                    (part, Some("sent-along.png"), &red),
                ],
            );
            request.headers[0].1 = request.headers[0].1.replace("multipart/form-data", kind);
            let answer = client
                .send(&request.header("Accept", "image/png"))
                .expect(200);
            assert_eq!(
                picture::decode(&answer.body).pixels[..3],
                [200, 10, 10],
                "{part}, {kind}"
            );
        }
    }
}

#[test]
fn a_prompt_without_pictures_has_no_content() {
    let server = shared();
    let client = server.client();
    let quiet = json!({
        "1": {"class_type": "LoadImage", "inputs": {"image": "ref_img.png"}},
        "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
    });
    let answer = generate(&client, &quiet, None);
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    // A prompt without any output node cannot be run.
    let nothing = json!({"1": {"class_type": "LoadImage", "inputs": {"image": "ref_img.png"}}});
    assert_eq!(
        generate(&client, &nothing, None).expect(400).json()["type"],
        "prompt_no_outputs"
    );
}

#[test]
fn bad_prompts_are_refused_with_the_error_alone() {
    let server = shared();
    let client = server.client();
    let mut prompt = text_to_image(1, 1);
    prompt["3"]["inputs"]["steps"] = json!(0);
    let error = generate(&client, &prompt, None).expect(400).json();
    assert_eq!(error["type"], "prompt_outputs_failed_validation", "{error}");
    assert!(
        error["message"].is_string()
            && error["details"].is_string()
            && error["extra_info"].is_object(),
        "{error}"
    );
    for body in ["", "{", "7", "[]"] {
        client
            .send(
                &Request::new("POST", "/api/v1/prompts")
                    .header("Content-Type", "application/json")
                    .body(body),
            )
            .expect(400);
    }
    generate(&client, &text_to_image(1, 1), Some("text/html")).expect(400);
}

#[test]
fn a_failing_workflow_is_an_error_of_the_server() {
    let server = shared();
    let client = server.client();
    let mut prompt = scale_image("ref_img.png", 8, 8);
    prompt["3"]["inputs"]["filename_prefix"] = json!("../outside");
    let body = generate(&client, &prompt, None).expect(500).json();
    assert_eq!(body["status_str"], "error", "{body}");
    assert_eq!(body["completed"], false);
    let messages = body["messages"].as_array().unwrap();
    assert_eq!(messages.last().unwrap()[0], "execution_error");
}

#[test]
fn a_full_queue_is_refused() {
    let server = TestServer::start_with(|config| config.max_queue_size = 1, |_| {});
    let client = server.client();
    // One that takes a while, and one more than may wait.
    let long = client.queue_prompt(&text_to_image(1, 400));
    client.wait_until_running();
    let mut statuses = Vec::new();
    for seed in 2..5 {
        let body = json!({"prompt": text_to_image(seed, 400)});
        statuses.push(client.post("/prompt", &body).status);
    }
    let answer = generate(&client, &text_to_image(9, 1), None);
    assert_eq!(answer.status, 429, "after {statuses:?}: {}", answer.text());
    client.post("/queue", &json!({"clear": true})).expect(200);
    client.post("/interrupt", &json!({})).expect(200);
    client.wait_for(&long);
    client.wait_until_idle();
    generate(&client, &scale_image("ref_img.png", 8, 8), None).expect(200);
}

#[test]
fn an_interrupted_prompt_is_an_error() {
    let server = TestServer::start();
    let client = server.client();
    let waiting = std::thread::spawn(move || generate(&client, &text_to_image(1, 5_000), None));
    client.wait_until_running();
    client.post("/interrupt", &json!({})).expect(200);
    let body = waiting.join().unwrap().expect(500).json();
    assert_eq!(
        (&body["status_str"], &body["completed"]),
        (&json!("error"), &json!(false))
    );
    assert_eq!(
        body["messages"].as_array().unwrap().last().unwrap()[0],
        "execution_interrupted"
    );
}

#[test]
fn not_waiting_is_a_choice() {
    let server = TestServer::start();
    let client = server.client();
    let prompt = text_to_image(5, 2);
    let by_header = Request::json("/api/v1/prompts", &prompt).header("Prefer", "respond-async");
    let by_query = Request::json("/api/v1/prompts?prefer=respond-async", &prompt);
    let by_type = Request::new("POST", "/api/v1/prompts")
        .header("Content-Type", "application/json+respond-async")
        .body(prompt.to_string());
    for request in [by_header, by_query, by_type] {
        let answer = client.send(&request).expect(202);
        let id = answer.json()["prompt_id"].as_str().unwrap().to_owned();
        let location = answer.header("Location").expect("a location");
        assert!(
            location
                .trim_start_matches('/')
                .ends_with(&format!("api/v1/prompts/{id}")),
            "{location}"
        );
        assert!(answer.header("Retry-After").is_some());
        let start = Instant::now();
        let outputs = loop {
            let answer = client.get(&format!("/api/v1/prompts/{id}"));
            match answer.status {
                204 => std::thread::sleep(Duration::from_millis(20)),
                _ => break answer.expect(200).json(),
            }
            assert!(start.elapsed() < PATIENCE, "{id} does not end");
        };
        assert!(
            outputs["9"]["images"][0]["filename"].is_string(),
            "{outputs}"
        );
    }
    client.get("/api/v1/prompts/nobody-knows").expect(404);
}

#[test]
fn the_last_prompt_can_be_had() {
    let server = TestServer::start();
    let client = server.client();
    client.get("/api/v1/prompts").expect(404);
    let first = scale_image("ref_img.png", 8, 8);
    let second = scale_image("ref_img2.png", 9, 9);
    client.run_to_success(&first);
    assert_eq!(client.get_json("/api/v1/prompts"), first);
    generate(&client, &second, None).expect(200);
    assert_eq!(client.get_json("/api/v1/prompts"), second);
}
