//! What real clients were found to need, one test for each rule.
//!
//! | rule | test |
//! |---|---|
//! | a prompt is JSON whatever its content type says | [`a_prompt_is_json_whatever_it_is_called`] |
//! | previews come only when they were asked for | [`previews_come_when_asked_for`] |
//! | the history is complete before a client hears of the end | [`the_history_is_complete_before_the_end_is_told`] |
//! | what a socket hears first; a second one with its id; one that comes late | [`sockets_may_come_late_and_again`] |
//! | a client chooses the prompt's id | [`clients_choose_ids`] |
//! | routes with and without `/api`, and with queries that mean nothing | [`routes_have_twins_and_ignore_what_they_do_not_know`] |
//! | the types in `/system_stats` | [`system_stats_have_strict_types`] |
//! | rows of `/queue` | [`rows_of_the_queue_have_five_members`] |
//! | choices in `/object_info`, unknown classes | [`choices_have_the_old_form`] |
//! | the answer to a wrong prompt | [`refusals_have_every_member`] |
//! | empty answers | [`some_answers_are_empty`] |
//! | the whole history may be polled | [`the_whole_history_may_be_polled`] |
//! | a key as Bearer, Basic and `?token=` | `safety::the_key_opens_in_each_way_that_clients_have` |
//! | time to read the prompt's id before its events come | `a_client_has_time_to_read_the_answer_before_its_prompt_begins` in comfy-exec |
//!
//! The clients themselves are in [`super::clients`].

use std::time::{Duration, Instant};

use comfy_nodes::runtime::PreviewMethod;
use comfy_tests::http::Request;
use comfy_tests::load::small_prompt;
use comfy_tests::prompts::{PATIENCE, text_to_image};
use comfy_tests::server::TestServer;
use comfy_tests::websocket::{Heard, Socket};
use serde_json::{Value, json};

use crate::shared::shared;

/// Sends a prompt for a client; its id.
#[track_caller]
fn queue(server: &TestServer, client_id: &str, prompt: &Value, extra_data: &Value) -> String {
    let body = json!({"prompt": prompt, "client_id": client_id, "extra_data": extra_data});
    let answer = server.client().post("/prompt", &body).expect(200).json();
    answer["prompt_id"].as_str().unwrap().to_owned()
}

fn ends(message: &Heard) -> bool {
    message.kind() == Some("executing") && message.data()["node"].is_null()
}

#[test]
fn a_prompt_is_json_whatever_it_is_called() {
    let server = shared();
    let body = json!({"prompt": small_prompt(1)}).to_string();
    let kinds = [
        None,
        Some("application/json"),
        Some("application/json; charset=utf-8"),
        Some("text/plain"),
        Some("text/plain;charset=UTF-8"),
        Some("application/octet-stream"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data"),
        Some("nonsense"),
    ];
    for kind in kinds {
        let request = Request::new("POST", "/prompt").body(body.clone());
        let request = match kind {
            Some(kind) => request.header("Content-Type", kind),
            None => request,
        };
        let answer = server.client().send(&request);
        assert_eq!(answer.status, 200, "{kind:?}: {}", answer.text());
    }
}

#[test]
fn previews_come_when_asked_for() {
    let quiet = TestServer::start();
    let asked = TestServer::start_with(
        |config| config.preview_method = PreviewMethod::Latent2Rgb,
        |_| {},
    );
    let cases = [
        (&quiet, json!({}), false),
        (&quiet, json!({"preview_method": "default"}), false),
        (&quiet, json!({"preview_method": "latent2rgb"}), true),
        (&quiet, json!({"preview_method": "auto"}), true),
        (&quiet, json!({}), false),
        (&asked, json!({}), true),
        (&asked, json!({"preview_method": "none"}), false),
    ];
    for (seed, (server, extra_data, expected)) in (1..).zip(cases) {
        let mut socket = Socket::connect(&server.client(), Some("previews"));
        queue(server, "previews", &text_to_image(seed, 3), &extra_data);
        let heard = socket.hear_until(PATIENCE, ends);
        let any = heard
            .iter()
            .any(|message| matches!(message, Heard::Binary(_)));
        assert_eq!(any, expected, "case {seed}: {extra_data}");
    }
}

#[test]
fn the_history_is_complete_before_the_end_is_told() {
    let server = TestServer::start();
    let client = server.client();
    let mut socket = Socket::connect(&client, Some("reader"));
    for color in 0..20 {
        // Some of them are cached.
        let id = queue(&server, "reader", &small_prompt(color / 2), &json!({}));
        let mut signs = 0;
        socket.hear_until(PATIENCE, |message| {
            let is_sign = message.kind() == Some("execution_success")
                || ends(message)
                || message.data()["status"]["exec_info"]["queue_remaining"] == 0;
            if is_sign && message.data().get("sid").is_none() {
                signs += 1;
                let entry = &client.get_json(&format!("/history/{id}"))[&id];
                assert_eq!(
                    entry["status"]["completed"], true,
                    "at {message:?}: {entry}"
                );
                assert_eq!(
                    entry["outputs"]["2"]["images"].as_array().map(Vec::len),
                    Some(1),
                    "at {message:?}: {entry}"
                );
            }
            ends(message)
        });
        assert_eq!(signs, 3, "success, the queue's length, and no node");
    }
}

#[test]
fn sockets_may_come_late_and_again() {
    let server = TestServer::start();
    let client = server.client();
    let id = queue(&server, "late", &text_to_image(1, 5_000), &json!({}));
    client.wait_until_running();
    let running = |socket: &mut Socket| {
        socket.hear_until(PATIENCE, |message| {
            message.kind() == Some("executing") && message.data()["node"] == "3"
        })
    };
    // The sampler may not have begun: then it is told of as usual.
    let mut first = Socket::connect(&client, Some("late"));
    let heard = running(&mut first);
    assert_eq!(heard[0].kind(), Some("status"));
    assert_eq!(heard[0].data()["sid"], "late");
    let mut second = Socket::connect(&client, Some("late"));
    let heard = running(&mut second);
    let kinds: Vec<_> = heard.iter().map(Heard::kind).collect();
    assert_eq!(kinds, [Some("status"), Some("executing")]);
    // A client without an id gets one.
    let mut stranger = Socket::connect(&client, None);
    let greeting = stranger.hear(PATIENCE).expect("a greeting");
    assert!(
        greeting.data()["sid"]
            .as_str()
            .is_some_and(|sid| sid.len() >= 32),
        "{greeting:?}"
    );

    client.send(&Request::new("POST", "/interrupt")).expect(200);
    let heard = second.hear_until(PATIENCE, |message| {
        message.kind() == Some("execution_interrupted")
    });
    assert_eq!(heard.last().unwrap().data()["prompt_id"], id.as_str());
    // The first socket lost its id; all that it may still hear is older.
    while let Some(message) = first.hear(Duration::from_millis(300)) {
        assert_ne!(message.kind(), Some("execution_interrupted"));
    }
}

#[test]
fn clients_choose_ids() {
    let server = TestServer::start();
    let client = server.client();
    for id in ["my-own-prompt", "0f9a3d6e-0000-4000-8000-000000000001"] {
        let mut socket = Socket::connect(&client, Some(id));
        let body = json!({"prompt": small_prompt(3), "prompt_id": id, "client_id": id});
        let answer = client.post("/prompt", &body).expect(200).json();
        assert_eq!(answer["prompt_id"], id);
        let heard = socket.hear_until(PATIENCE, ends);
        assert_eq!(heard.last().unwrap().data()["prompt_id"], id);
        assert_eq!(
            client.get_json(&format!("/history/{id}"))[id]["prompt"][1],
            id
        );
    }
}

#[test]
fn routes_have_twins_and_ignore_what_they_do_not_know() {
    let server = shared();
    let client = server.client();
    let nothing = "clientId=someone&rand=0.123&t=1700000000&no_such_key";
    for route in [
        "/embeddings",
        "/extensions",
        "/features",
        "/models",
        "/models/checkpoints",
        "/object_info/KSampler",
        "/settings",
        "/users",
        "/view?filename=ref_img.png&type=input",
        "/view_metadata/checkpoints?filename=sd15_tiny.safetensors",
    ] {
        let joint = if route.contains('?') { '&' } else { '?' };
        let plain = client.get(route);
        for target in [
            format!("/api{route}"),
            format!("{route}{joint}{nothing}"),
            format!("/api{route}{joint}{nothing}"),
        ] {
            let answer = client.get(&target);
            assert_eq!(answer.status, plain.status, "{target}");
            assert!(answer.body == plain.body, "{target}: {}", answer.text());
        }
    }
    for route in [
        "/prompt",
        "/queue",
        "/history",
        "/system_stats",
        "/object_info",
    ] {
        client.get(&format!("/api{route}?{nothing}")).expect(200);
        client.get(&format!("{route}?{nothing}")).expect(200);
    }
    for target in ["/prompt", "/api/prompt"] {
        let body = json!({"prompt": small_prompt(1)});
        client
            .post(&format!("{target}?{nothing}"), &body)
            .expect(200);
    }
    Socket::connect(&client, Some("someone&rand=0.5"))
        .hear(PATIENCE)
        .expect("a greeting");
}

#[test]
fn system_stats_have_strict_types() {
    let stats = shared().client().get_json("/system_stats");
    let system = &stats["system"];
    for member in ["os", "python_version", "pytorch_version", "comfyui_version"] {
        let is_text = system[member].as_str().is_some_and(|text| !text.is_empty());
        assert!(is_text, "{member}: {system}");
    }
    assert!(system["embedded_python"].is_boolean(), "{system}");
    let arguments = system["argv"].as_array().expect("a list of arguments");
    assert!(arguments.iter().all(Value::is_string), "{system}");
    for member in ["ram_total", "ram_free"] {
        assert!(system[member].is_u64(), "{member}: {system}");
    }
    let devices = stats["devices"].as_array().expect("a list of devices");
    assert!(!devices.is_empty());
    for device in devices {
        for member in [
            "index",
            "vram_total",
            "vram_free",
            "torch_vram_total",
            "torch_vram_free",
        ] {
            assert!(device[member].is_u64(), "{member}: {device}");
        }
        assert!(
            device["name"].is_string() && device["type"].is_string(),
            "{device}"
        );
    }
}

#[test]
fn rows_of_the_queue_have_five_members() {
    let server = TestServer::start();
    let client = server.client();
    let first = queue(
        &server,
        "owner",
        &text_to_image(1, 5_000),
        &json!({"note": 7}),
    );
    let second = queue(&server, "owner", &text_to_image(2, 5_000), &json!({}));
    client.wait_until_running();
    let rows = client.get_json("/queue");
    for (part, id) in [("queue_running", first), ("queue_pending", second)] {
        let [row] = rows[part].as_array().unwrap().as_slice() else {
            panic!("{part}: {rows}");
        };
        let row = row.as_array().expect("a row is a list");
        assert_eq!(row.len(), 5, "{row:?}");
        assert!(row[0].is_number() && row[1] == id.as_str(), "{row:?}");
        assert_eq!(row[2]["3"]["class_type"], "KSampler");
        assert_eq!(row[3]["client_id"], "owner");
        assert_eq!(row[4], json!(["9"]));
    }
    client.post("/queue", &json!({"clear": true})).expect(200);
    client.send(&Request::new("POST", "/interrupt")).expect(200);
    client.wait_until_idle();
}

#[test]
fn choices_have_the_old_form() {
    let server = shared();
    let client = server.client();
    for (class, input) in [
        ("CheckpointLoaderSimple", "ckpt_name"),
        ("VAELoader", "vae_name"),
        ("KSampler", "sampler_name"),
        ("KSampler", "scheduler"),
        ("KSamplerAdvanced", "sampler_name"),
        ("LoadImage", "image"),
    ] {
        let info = client.get_json(&format!("/object_info/{class}"));
        let declaration = &info[class]["input"]["required"][input];
        let options = declaration[0].as_array();
        let are_texts = options.is_some_and(|options| options.iter().all(Value::is_string));
        assert!(are_texts, "{class}.{input}: {declaration}");
        assert!(
            declaration.get(1).is_none_or(Value::is_object),
            "{class}.{input}: {declaration}"
        );
    }
    let unknown = client.get("/object_info/NoSuchClass").expect(200);
    assert_eq!(unknown.json(), json!({}));
}

#[test]
fn refusals_have_every_member() {
    let server = shared();
    let client = server.client();
    let error_members = |error: &Value, where_: &str| {
        for member in ["type", "message", "details"] {
            assert!(error[member].is_string(), "{where_}: {member} in {error}");
        }
        assert!(error["extra_info"].is_object(), "{where_}: {error}");
        assert_eq!(
            error.as_object().map(serde_json::Map::len),
            Some(4),
            "{where_}: {error}"
        );
    };
    let cases = [
        ("/3/inputs/steps", json!(0), "value_smaller_than_min"),
        ("/3/inputs/steps", json!(1_000_000), "value_bigger_than_max"),
        ("/3/inputs/steps", json!("many"), "invalid_input_type"),
        ("/3/inputs/sampler_name", json!("none"), "value_not_in_list"),
        ("/3/inputs/model", json!(["4", 1]), "return_type_mismatch"),
        ("/3/inputs/model", json!([1, 2, 3]), "bad_linked_input"),
        (
            "/8/inputs/samples",
            json!(["77", 0]),
            "exception_during_inner_validation",
        ),
    ];
    for (place, value, kind) in cases {
        let mut prompt = text_to_image(1, 1);
        *prompt.pointer_mut(place).unwrap() = value;
        let answer = client
            .post("/prompt", &json!({"prompt": prompt}))
            .expect(400)
            .json();
        assert_eq!(
            answer.as_object().map(serde_json::Map::len),
            Some(2),
            "{answer}"
        );
        error_members(&answer["error"], place);
        let nodes = answer["node_errors"].as_object().expect("errors by node");
        let mut kinds = Vec::new();
        for (id, node) in nodes {
            assert_eq!(node["class_type"], prompt[id]["class_type"], "{node}");
            assert_eq!(node["dependent_outputs"], json!(["9"]), "{node}");
            assert_eq!(
                node.as_object().map(serde_json::Map::len),
                Some(3),
                "{node}"
            );
            for error in node["errors"].as_array().expect("a list of errors") {
                error_members(error, place);
                kinds.push(error["type"].as_str().unwrap().to_owned());
            }
        }
        assert!(
            kinds.iter().any(|found| found == kind),
            "{place}: {kinds:?}"
        );
    }
    for (body, kind) in [
        (json!({"prompt": {}}), "prompt_no_outputs"),
        (json!({}), "no_prompt"),
        (
            json!({"prompt": {"1": {"class_type": "NoSuchClass", "inputs": {}}}}),
            "invalid_prompt",
        ),
    ] {
        let answer = client.post("/prompt", &body).expect(400).json();
        error_members(&answer["error"], kind);
        assert_eq!(answer["error"]["type"], kind);
        assert!(
            answer["node_errors"].is_object() || answer["node_errors"] == json!([]),
            "{answer}"
        );
    }
}

#[test]
fn some_answers_are_empty() {
    let server = TestServer::start();
    let client = server.client();
    let subscribe = Request::new("PATCH", "/internal/logs/subscribe")
        .header("Content-Type", "application/json")
        .body(json!({"clientId": "nobody", "enabled": true}).to_string());
    for request in [
        Request::new("POST", "/interrupt"),
        Request::new("POST", "/api/interrupt"),
        Request::json("/interrupt", &json!({})),
        Request::json("/interrupt", &Value::Null),
        subscribe,
    ] {
        let answer = client.send(&request).expect(200);
        assert!(answer.body.is_empty(), "{request:?}: {}", answer.text());
    }
}

#[test]
fn the_whole_history_may_be_polled() {
    let server = TestServer::start();
    let client = server.client();
    for color in 0..300 {
        queue(&server, "poller", &small_prompt(color), &json!({}));
    }
    client.wait_until_idle();
    let begin = Instant::now();
    for _ in 0..50 {
        let history = client.get_json("/history");
        assert_eq!(history.as_object().map(serde_json::Map::len), Some(300));
    }
    // A client asks every 100 ms.
    eprintln!("50 times 300 entries of the history: {:?}", begin.elapsed());
    assert!(begin.elapsed() < Duration::from_secs(20));
}
