//! Prompts, queue, history and what describes the server.

use serde_json::{Value as Json, json};

use crate::client::send;
use crate::toys::{Toy, show, work};

#[test]
fn a_prompt_runs_and_is_found_in_the_history() {
    let toy = Toy::start();
    assert_eq!(
        toy.get("/prompt").json(),
        json!({"exec_info": {"queue_remaining": 0}})
    );
    let id = toy.submit(&show("hello"));
    let entry = toy.wait_for(&id);
    assert_eq!(entry["outputs"], json!({"1": {"text": ["hello"]}}));
    assert_eq!(entry["status"]["status_str"], "success");
    assert_eq!(entry["prompt"][1], id.as_str());
    assert_eq!(toy.get("/api/history").json().as_object().unwrap().len(), 1);
    assert_eq!(toy.get("/history/nobody").json(), json!({}));
    assert_eq!(toy.get("/history?max_items=0").json(), json!({}));
    assert_eq!(
        toy.get("/history?max_items=5&offset=-1&rand=0.4").status,
        200
    );
    assert_eq!(toy.get("/history?max_items=abc").status, 400);

    assert_eq!(
        toy.post("/history", json!({"delete": ["nobody"]}).to_string())
            .status,
        200
    );
    assert_eq!(
        toy.post("/history", json!({"delete": [id]}).to_string())
            .body,
        b""
    );
    assert_eq!(toy.get("/history").json(), json!({}));
}

#[test]
fn any_content_type_will_do() {
    let toy = Toy::start();
    let body = json!({"prompt": show("x"), "prompt_id": "mine", "number": -3, "client_id": "me"})
        .to_string();
    for media_type in [
        "text/plain",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-8",
    ] {
        let answer = send(
            toy.address(),
            "POST",
            "/api/prompt",
            &[("Content-Type", media_type)],
            body.as_bytes(),
        );
        assert_eq!(
            answer.json(),
            json!({"prompt_id": "mine", "number": -3.0, "node_errors": {}}),
            "{media_type}"
        );
        assert_eq!(
            answer.header("content-type"),
            Some("application/json; charset=utf-8")
        );
    }
    assert_eq!(
        toy.wait_for("mine")["prompt"][3],
        json!({"client_id": "me"})
    );
}

#[test]
fn clients_may_ask_for_text() {
    let toy = Toy::start();
    let post = |accept: &str, body: &Json| {
        send(
            toy.address(),
            "POST",
            "/prompt",
            &[("Accept", accept)],
            body.to_string().as_bytes(),
        )
    };
    let good = json!({"prompt": show("x"), "prompt_id": "p1"});
    let answer = post("text/plain", &good);
    assert_eq!((answer.status, answer.text().as_str()), (200, "p1"));
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    // What browsers' libraries send means JSON.
    assert_eq!(
        post("application/json, text/plain, */*", &good).json()["prompt_id"],
        "p1"
    );
    let answer = post("text/plain", &json!({}));
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (400, "No prompt provided: No prompt provided")
    );
}

#[test]
fn bad_prompts_are_refused_in_comfyuis_shape() {
    let toy = Toy::start();
    for body in [
        "",
        "{\"prompt\": ",
        "hello",
        "null",
        "5",
        "{\"prompt\": {}, \"number\": \"abc\"}",
        "{\"prompt\": {}, \"extra_data\": 3}",
        "\u{fffe}",
    ] {
        let answer = toy.post("/prompt", body);
        assert_eq!(answer.status, 400, "{body}");
        let json = answer.json();
        assert_eq!(json["node_errors"], json!({}), "{body}");
        for member in ["type", "message", "details", "extra_info"] {
            assert!(json["error"].get(member).is_some(), "{body}: {json}");
        }
    }
    for body in ["{}", "[]", "\"abc\""] {
        assert_eq!(
            toy.post("/prompt", body).json()["error"]["type"],
            "no_prompt",
            "{body}"
        );
    }
    assert_eq!(
        toy.post("/prompt", "{\"prompt\": {}}").json()["error"]["type"],
        "prompt_no_outputs"
    );
    let answer = toy.post(
        "/prompt",
        json!({"prompt": {"1": {"class_type": "ToyShow", "inputs": {}}}}).to_string(),
    );
    assert_eq!(
        answer.json()["node_errors"]["1"]["errors"][0]["type"],
        "required_input_missing"
    );
    let invalid_utf8 = toy.post("/prompt", b"{\"prompt\": \"\xff\xfe\"}");
    assert_eq!(invalid_utf8.status, 400);
    // Each of the requests that were counted took a number.
    assert!(
        toy.post("/prompt", json!({"prompt": show("x")}).to_string())
            .json()["number"]
            .as_i64()
            .unwrap()
            >= 3
    );
}

#[test]
fn the_queue_is_shown_and_changed() {
    let toy = Toy::start();
    let running = toy.submit(&work(100_000));
    toy.wait_until_running();
    let waiting: Vec<String> = (0..3)
        .map(|number| toy.submit(&show(&number.to_string())))
        .collect();
    let queue = toy.get("/queue").json();
    assert_eq!(queue["queue_running"][0][1], running.as_str());
    assert_eq!(queue["queue_running"][0].as_array().unwrap().len(), 5);
    assert_eq!(queue["queue_pending"].as_array().unwrap().len(), 3);
    assert_eq!(toy.get("/prompt").json()["exec_info"]["queue_remaining"], 4);

    assert_eq!(
        toy.post(
            "/queue",
            json!({"delete": [waiting[1], "nobody"]}).to_string()
        )
        .body,
        b""
    );
    assert_eq!(
        toy.get("/queue").json()["queue_pending"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        toy.post("/queue", json!({"clear": true}).to_string())
            .status,
        200
    );
    assert_eq!(toy.get("/queue").json()["queue_pending"], json!([]));
    for (body, status) in [
        ("[]", 200),
        ("{}", 200),
        ("{\"delete\": \"abc\"}", 200),
        ("{\"delete\": 5}", 400),
        ("", 400),
        ("{", 400),
    ] {
        assert_eq!(toy.post("/queue", body).status, status, "{body}");
        assert_eq!(toy.post("/history", body).status, status, "{body}");
    }

    assert_eq!(
        toy.post("/interrupt", json!({"prompt_id": "another"}).to_string())
            .status,
        200
    );
    assert_eq!(
        toy.get("/queue").json()["queue_running"]
            .as_array()
            .unwrap()
            .len(),
        1,
        "another prompt was meant"
    );
    assert_eq!(toy.post("/interrupt", "{").status, 200);
    assert_eq!(toy.wait_for(&running)["status"]["completed"], false);
}

#[test]
fn numbers_that_json_cannot_write_do_not_spoil_the_queue() {
    let toy = Toy::start();
    let body = r#"{"prompt_id": "nan", "prompt": {"1": {"class_type": "ToyShow", "inputs": {"text": "a", "extra": NaN}}}}"#;
    assert_eq!(toy.post("/prompt", body).status, 200);
    assert_eq!(
        toy.wait_for("nan")["prompt"][2]["1"]["inputs"]["extra"],
        Json::Null
    );
}

#[test]
fn a_full_queue_refuses() {
    let toy = Toy::with(|config| config.max_queue_size = 1);
    let _running = toy.submit(&work(100_000));
    toy.wait_until_running();
    let refused = (0..4)
        .map(|_| {
            toy.post("/prompt", json!({"prompt": show("x")}).to_string())
                .status
        })
        .find(|status| *status != 200);
    assert_eq!(refused, Some(429));
    let answer = toy.post("/api/v1/prompts", show("x").to_string());
    assert_eq!(answer.status, 429);
}

#[test]
fn memory_can_be_freed() {
    let toy = Toy::start();
    for (body, status) in [
        ("{}", 200),
        (r#"{"unload_models": true, "free_memory": true}"#, 200),
        ("", 400),
    ] {
        let answer = toy.post("/free", body);
        assert_eq!(answer.status, status, "{body}");
    }
}

#[test]
fn the_server_describes_itself() {
    let toy = Toy::with(|config| config.max_upload_size = 1234);
    let info = toy.get("/object_info").json();
    assert_eq!(info.as_object().unwrap().len(), 6);
    assert_eq!(
        toy.get("/api/object_info/ToyWork").json(),
        json!({"ToyWork": info["ToyWork"]})
    );
    assert_eq!(toy.get("/object_info/NoSuch").json(), json!({}));
    assert_eq!(
        toy.get("/features").json(),
        json!({"supports_preview_metadata": true, "max_upload_size": 1234})
    );

    let stats = toy.get("/system_stats").json();
    assert_eq!(stats["devices"][0]["type"], "cpu");
    assert_eq!(stats["devices"][0]["index"], 0);
    for member in [
        "vram_total",
        "vram_free",
        "torch_vram_total",
        "torch_vram_free",
    ] {
        assert!(stats["devices"][0][member].is_u64(), "{member}");
    }
    for member in ["os", "comfyui_version", "python_version", "pytorch_version"] {
        assert!(stats["system"][member].is_string(), "{member}");
    }
    assert!(stats["system"]["ram_total"].as_u64() > Some(0));

    assert_eq!(toy.get("/extensions").json(), json!([]));
    assert_eq!(toy.get("/models").json()[0], "checkpoints");
    std::fs::write(toy.path().join("models/checkpoints/a.safetensors"), "").unwrap();
    std::fs::create_dir_all(toy.path().join("models/embeddings/sub")).unwrap();
    std::fs::write(toy.path().join("models/embeddings/sub/e.v1.pt"), "").unwrap();
    assert_eq!(
        toy.get("/models/checkpoints").json(),
        json!(["a.safetensors"])
    );
    assert_eq!(toy.get("/embeddings").json(), json!(["sub/e.v1"]));
    for unknown in [
        "/models/nope",
        "/models/unet",
        "/models/..%2f..",
        "/models/clip",
    ] {
        let answer = toy.get(unknown);
        assert_eq!((answer.status, answer.body.len()), (404, 0), "{unknown}");
    }
}
