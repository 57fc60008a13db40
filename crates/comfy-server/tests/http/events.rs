//! The websocket.

use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tungstenite::{Message, WebSocket};

use crate::client::connect;
use crate::toys::{Toy, show, work};

type Socket = WebSocket<TcpStream>;

fn open(toy: &Toy, query: &str) -> Socket {
    let address = format!("ws://{}/ws{query}", toy.address());
    let (socket, response) = tungstenite::client(address.as_str(), connect(toy.address())).unwrap();
    assert_eq!(response.status(), 101);
    socket
}

/// The next message, if it is text.
fn next(socket: &mut Socket) -> Json {
    loop {
        match socket.read().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// All messages up to `executing` without a node; binary ones as their first bytes.
fn until_end(socket: &mut Socket) -> Vec<Json> {
    let mut messages = Vec::new();
    loop {
        match socket.read().unwrap() {
            Message::Text(text) => {
                let message: Json = serde_json::from_str(&text).unwrap();
                let is_end = message["type"] == "executing" && message["data"]["node"].is_null();
                messages.push(message);
                if is_end {
                    return messages;
                }
            }
            Message::Binary(bytes) => {
                messages.push(json!({"type": "binary", "data": bytes[..8].to_vec()}));
            }
            _ => {}
        }
    }
}

fn types(messages: &[Json]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message["type"].as_str().unwrap())
        .collect()
}

fn submit_as(toy: &Toy, client: &str, prompt: &Json) -> String {
    let answer = toy.post(
        "/prompt",
        json!({"prompt": prompt, "client_id": client}).to_string(),
    );
    answer.json()["prompt_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_client_is_greeted_and_follows_its_prompt() {
    let toy = Toy::start();
    let mut socket = open(&toy, "?clientId=me");
    assert_eq!(
        next(&mut socket),
        json!({"type": "status", "data": {"status": {"exec_info": {"queue_remaining": 0}}, "sid": "me"}})
    );
    let mut stranger = open(&toy, "");
    let sid = next(&mut stranger)["data"]["sid"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        sid.len() == 32 && sid.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{sid}"
    );

    let id = submit_as(&toy, "me", &show("hello"));
    let messages = until_end(&mut socket);
    assert_eq!(
        types(&messages),
        [
            "status",
            "status",
            "execution_start",
            "execution_cached",
            "progress_state",
            "executing",
            "executed",
            "progress_state",
            "execution_success",
            "status",
            "executing"
        ]
    );
    assert_eq!(messages[6]["data"]["output"], json!({"text": ["hello"]}));
    assert_eq!(messages[10]["data"], json!({"node": null, "prompt_id": id}));
    // The stranger hears of the queue only.
    for _ in 0..3 {
        assert_eq!(next(&mut stranger)["type"], "status");
    }
}

#[test]
fn previews_follow_what_was_negotiated() {
    let toy = Toy::start();
    let mut plain = open(&toy, "?clientId=plain");
    submit_as(&toy, "plain", &work(1));
    let messages = until_end(&mut plain);
    let kinds: Vec<&Json> = messages
        .iter()
        .filter(|message| message["type"] == "binary")
        .map(|message| &message["data"])
        .collect();
    assert_eq!(kinds, [&json!([0, 0, 0, 1, 0, 0, 0, 2])], "frame 1, PNG");

    let mut rich = open(&toy, "?clientId=rich");
    rich.send(Message::text(
        r#"{"type": "feature_flags", "data": {"supports_preview_metadata": true}}"#,
    ))
    .unwrap();
    next(&mut rich);
    assert_eq!(
        next(&mut rich),
        json!({"type": "feature_flags", "data": {"supports_preview_metadata": true, "max_upload_size": 104_857_600}})
    );
    submit_as(&toy, "rich", &work(2));
    let messages = until_end(&mut rich);
    let frames: Vec<&Json> = messages
        .iter()
        .filter(|message| message["type"] == "binary")
        .collect();
    assert!(
        frames.len() == 2 && frames.iter().all(|frame| frame["data"][3] == 4),
        "{frames:?}"
    );

    // Flags that do not come first are too late.
    let mut late = open(&toy, "?clientId=late");
    late.send(Message::text("hello")).unwrap();
    late.send(Message::text(
        r#"{"type": "feature_flags", "data": {"supports_preview_metadata": true}}"#,
    ))
    .unwrap();
    next(&mut late);
    submit_as(&toy, "late", &work(3));
    let messages = until_end(&mut late);
    assert!(!types(&messages).contains(&"feature_flags"));
    assert!(
        messages
            .iter()
            .filter(|message| message["type"] == "binary")
            .all(|frame| frame["data"][3] == 1)
    );
}

#[test]
fn who_comes_back_is_told_what_runs_and_takes_over() {
    let toy = Toy::start();
    let mut first = open(&toy, "?clientId=me");
    next(&mut first);
    let id = submit_as(&toy, "me", &work(60));
    toy.wait_until_running();
    let mut second = open(&toy, "?clientId=me");
    assert_eq!(next(&mut second)["data"]["sid"], "me");
    assert_eq!(
        next(&mut second),
        json!({"type": "executing", "data": {"node": "1"}})
    );
    let messages = until_end(&mut second);
    assert_eq!(messages.last().unwrap()["data"]["prompt_id"], id.as_str());
    // The first got the beginning only. It is still open.
    first
        .get_ref()
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let mut seen = Vec::new();
    while let Ok(message) = first.read() {
        if let Message::Text(text) = message {
            seen.push(serde_json::from_str::<Json>(&text).unwrap());
        }
    }
    assert!(!types(&seen).contains(&"execution_success"));
    drop(first);
    // Its end must not take the id from the second.
    std::thread::sleep(Duration::from_millis(100));
    submit_as(&toy, "me", &show("again"));
    until_end(&mut second);
}

#[test]
fn a_client_that_stops_reading_holds_nobody_up() {
    let toy = Toy::start();
    let _deaf = open(&toy, "?clientId=deaf");
    let mut keen = open(&toy, "?clientId=keen");
    let flood = json!({"1": {"class_type": "ToyFlood", "inputs": {"count": 200}}});
    let id = submit_as(&toy, "deaf", &flood);
    assert_eq!(
        toy.wait_for(&id)["status"]["completed"],
        true,
        "the engine does not wait"
    );
    submit_as(&toy, "keen", &show("next"));
    until_end(&mut keen);
}

#[test]
fn a_plain_request_is_no_websocket() {
    let toy = Toy::start();
    let answer = toy.get("/ws");
    assert_eq!(answer.status, 400);
    assert!(answer.text().contains("websocket"), "{}", answer.text());
}

#[test]
fn large_and_strange_messages_end_at_most_their_own_connection() {
    let toy = Toy::start();
    let mut socket = open(&toy, "");
    next(&mut socket);
    for text in [
        "",
        "null",
        "[1]",
        "{\"type\": \"feature_flags\"}",
        "{\"type\": 5}",
    ] {
        socket.send(Message::text(text)).unwrap();
    }
    socket.send(Message::binary(vec![1, 2, 3])).unwrap();
    toy.submit(&show("x"));
    assert_eq!(next(&mut socket)["type"], "status");
    // It may be closed on us while we send.
    let _ = socket.send(Message::text("x".repeat(20 << 20)));
    assert_eq!(toy.get("/prompt").status, 200);
}
