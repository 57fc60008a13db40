//! `/api/jobs`: prompts on their way from the queue to the history.

use std::time::{Duration, Instant};

use comfy_tests::http::{Client, Request};
use comfy_tests::prompts::{scale_image, text_to_image};
use comfy_tests::server::TestServer;
use serde_json::{Value, json};

const UNKNOWN: &str = "2a0b2c55-3f34-4b62-8dbd-3d5dd5a4ba5c";

fn queue(client: &Client, prompt: &Value, workflow_id: &str) -> String {
    let extra_data = json!({"extra_pnginfo": {"workflow": {"id": workflow_id}}});
    let body = json!({"prompt": prompt, "extra_data": extra_data});
    let answer = client.post("/prompt", &body).expect(200).json();
    answer["prompt_id"].as_str().unwrap().to_owned()
}

fn job(client: &Client, id: &str) -> Value {
    client.get_json(&format!("/api/jobs/{id}"))
}

fn ids(client: &Client, query: &str) -> Vec<String> {
    let list = client.get_json(&format!("/api/jobs{query}"));
    let jobs = list["jobs"].as_array().unwrap().iter();
    jobs.map(|job| job["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_job_tells_waiting_from_running_from_ended() {
    let server = TestServer::start();
    let client = server.client();
    let missing = client.get(&format!("/api/jobs/{UNKNOWN}")).expect(404);
    assert_eq!(missing.json(), json!({"error": "Job not found"}));

    let slow = queue(&client, &text_to_image(1, 2_000), "long");
    let next = queue(&client, &scale_image("ref_img.png", 8, 8), "small");
    let last = queue(&client, &scale_image("ref_img.png", 9, 9), "small");
    let start = Instant::now();
    let running = loop {
        let running = job(&client, &slow);
        if running["progress"]["node"]["max"] == 2_000 && running["progress"]["node"]["value"] != 0
        {
            break running;
        }
        assert!(start.elapsed() < Duration::from_mins(2), "{running}");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(running["status"], "in_progress");
    assert_eq!(running["workflow_id"], "long");
    assert!(running["execution_start_time"].as_u64() >= running["create_time"].as_u64());
    let part = running["progress"]["value"].as_f64().unwrap();
    assert!(part > 0.0 && part < 1.0, "{running}");
    assert_eq!(running["workflow"]["prompt"]["3"]["class_type"], "KSampler");
    assert_eq!(
        running["workflow"]["extra_data"]["create_time"],
        running["create_time"]
    );
    for (id, position) in [(&next, 1), (&last, 2)] {
        let waiting = job(&client, id);
        assert_eq!(
            (&waiting["status"], &waiting["queue_position"]),
            (&json!("pending"), &json!(position))
        );
        assert_eq!(
            (&waiting["outputs_count"], waiting.get("progress")),
            (&json!(0), None)
        );
    }
    assert_eq!(
        ids(&client, "?status=in_progress"),
        std::slice::from_ref(&slow)
    );
    assert_eq!(ids(&client, "?status=pending&sort_order=asc").len(), 2);
    assert_eq!(
        ids(&client, "?workflow_id=long"),
        std::slice::from_ref(&slow)
    );

    let cancel = |id: &str| {
        client
            .send(&Request::new("POST", &format!("/api/jobs/{id}/cancel")))
            .expect(200)
            .json()
    };
    assert_eq!(cancel(&next), json!({"cancelled": true}));
    client.get(&format!("/api/jobs/{next}")).expect(404);
    assert_eq!(cancel(&next), json!({"cancelled": false}));
    assert_eq!(cancel(&slow), json!({"cancelled": true}));
    client.wait_for(&last);
    assert_eq!(cancel(&last), json!({"cancelled": false}));

    let stopped = job(&client, &slow);
    assert_eq!(stopped["status"], "cancelled");
    assert!(stopped.get("execution_error").is_none() && stopped["execution_end_time"].is_u64());
    let done = job(&client, &last);
    assert_eq!(done["status"], "completed");
    assert_eq!(
        (&done["outputs_count"], &done["previewable_outputs_count"]),
        (&json!(1), &json!(1))
    );
    let preview = &done["preview_output"];
    assert_eq!(
        (&preview["mediaType"], &preview["type"]),
        (&json!("images"), &json!("output"))
    );
    let node = preview["nodeId"].as_str().unwrap();
    assert_eq!(
        done["outputs"][node]["images"][0]["filename"],
        preview["filename"]
    );
    assert_eq!(done["execution_status"]["status_str"], "success");
}

#[test]
fn failures_are_told_with_their_error() {
    let server = TestServer::start();
    let client = server.client();
    let mut prompt = text_to_image(1, 1);
    prompt["4"]["inputs"]["ckpt_name"] = json!("broken.safetensors");
    std::fs::write(
        server.path("models/checkpoints/broken.safetensors"),
        "nonsense",
    )
    .unwrap();
    let id = client.queue_prompt(&prompt);
    client.wait_for(&id);
    let failed = job(&client, &id);
    assert_eq!(failed["status"], "failed");
    assert_eq!(failed["execution_error"]["node_id"], "4");
    assert!(failed["execution_error"]["exception_message"].is_string());
    assert_eq!(ids(&client, "?status=failed,cancelled"), [id]);
}

#[test]
fn lists_are_sorted_and_cut() {
    let server = TestServer::start();
    let client = server.client();
    let made: Vec<String> = (1..=4)
        .map(|size| {
            let id = client.queue_prompt(&scale_image("ref_img.png", size, size));
            client.wait_for(&id);
            // Jobs of the same millisecond keep their order.
            std::thread::sleep(Duration::from_millis(5));
            id
        })
        .collect();
    let newest: Vec<String> = made.iter().rev().cloned().collect();
    assert_eq!(ids(&client, ""), newest);
    assert_eq!(ids(&client, "?sort_order=asc"), made);
    assert_eq!(ids(&client, "?limit=2&offset=1&unknown=1"), newest[1..3]);
    assert_eq!(ids(&client, "?sort_by=execution_duration").len(), 4);
    assert_eq!(ids(&client, "?status=,"), [""; 0]);
    assert_eq!(ids(&client, "?workflow_id=none"), [""; 0]);
    let page = |query: &str| client.get_json(&format!("/api/jobs{query}"))["pagination"].clone();
    assert_eq!(
        page(""),
        json!({"offset": 0, "limit": null, "total": 4, "has_more": false})
    );
    assert_eq!(
        page("?limit=2&offset=1"),
        json!({"offset": 1, "limit": 2, "total": 4, "has_more": true})
    );
    assert_eq!(page("?limit=5&offset=-9")["offset"], 0);
    assert_eq!(page("?limit=5&offset=99")["has_more"], false);
    for query in [
        "?status=done",
        "?sort_by=name",
        "?sort_order=up",
        "?limit=0",
        "?limit=x",
        "?offset=x",
        "?limit=-1",
    ] {
        let answer = client.get(&format!("/api/jobs{query}")).expect(400).json();
        assert!(answer["error"].is_string(), "{query}: {answer}");
    }
}

#[test]
fn several_jobs_are_cancelled_at_once() {
    let server = TestServer::start();
    let client = server.client();
    let running = client.queue_prompt(&text_to_image(1, 2_000));
    let waiting = client.queue_prompt(&scale_image("ref_img.png", 8, 8));
    client.wait_until_running();
    let cancel = |body: &Value| client.post("/api/jobs/cancel", body);
    // Nothing happens when one of the ids is none.
    let refused = cancel(&json!({"job_ids": [waiting, "7", 7]}))
        .expect(400)
        .json();
    assert_eq!(refused["invalid_ids"], json!(["7", "7"]));
    for bad in [json!({}), json!([]), json!({"job_ids": "x"}), json!(null)] {
        assert!(cancel(&bad).expect(400).json()["error"].is_string());
    }
    let malformed = Request::new("POST", "/api/jobs/cancel").body("{");
    assert!(client.send(&malformed).expect(400).json()["error"].is_string());
    assert_eq!(job(&client, &waiting)["status"], "pending");
    let all = json!({"job_ids": [waiting, running, UNKNOWN]});
    assert_eq!(cancel(&all).expect(200).json(), json!({"cancelled": true}));
    client.wait_until_idle();
    assert_eq!(cancel(&all).expect(200).json(), json!({"cancelled": false}));
    assert_eq!(
        cancel(&json!({"job_ids": []})).expect(200).json(),
        json!({"cancelled": false})
    );
    assert_eq!(job(&client, &running)["status"], "cancelled");
}

#[test]
fn what_the_front_end_asks_for_besides() {
    let server = TestServer::start_with(
        |_| {},
        |base| {
            let write = |name: &str, text: &str| {
                comfy_tests::server::write(&base.join(name), text.as_bytes());
            };
            write("blueprints/Text to picture.json", r#"{"nodes": []}"#);
            write(
                "custom_nodes/my-pack/subgraphs/Upscale.json",
                r#"{"nodes": [1]}"#,
            );
            write("custom_nodes/my-pack/other.json", "{}");
            #[cfg(unix)]
            {
                write("secret.json", "secret");
                std::os::unix::fs::symlink(
                    base.join("secret.json"),
                    base.join("blueprints/link.json"),
                )
                .unwrap();
            }
        },
    );
    let client = server.client();
    for prefix in ["", "/api"] {
        assert_eq!(
            client.get_json(&format!("{prefix}/node_replacements")),
            json!({})
        );
        let all = client.get_json(&format!("{prefix}/global_subgraphs"));
        let all = all.as_object().unwrap();
        let described: Vec<&Value> = all.values().collect();
        assert_eq!(
            described,
            [
                &json!({"source": "templates", "name": "Text to picture", "info": {"node_pack": "comfyui"}}),
                &json!({"source": "custom_node", "name": "Upscale", "info": {"node_pack": "custom_nodes.my-pack"}}),
            ]
        );
        let id = all.keys().nth(1).unwrap();
        let one = client.get_json(&format!("{prefix}/global_subgraphs/{id}"));
        assert_eq!(
            (&one["name"], &one["data"]),
            (&json!("Upscale"), &json!(r#"{"nodes": [1]}"#))
        );
        assert_eq!(
            client.get_json(&format!("{prefix}/global_subgraphs/nope")),
            Value::Null
        );
    }
}
