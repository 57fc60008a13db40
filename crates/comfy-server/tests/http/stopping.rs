//! The end of the server.

use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::json;
use tungstenite::Message;

use crate::client::{begin, connect, receive};
use crate::toys::{Toy, save, work};

#[test]
fn waiting_requests_are_answered_and_the_end_comes_soon() {
    let toy = Toy::start();
    let address = toy.address();
    let post = |prompt: &serde_json::Value| {
        let body = prompt.to_string();
        let mut stream = connect(address);
        begin(
            &mut stream,
            "POST",
            "/api/v1/prompts",
            &[],
            Some(body.len()),
        );
        stream.write_all(body.as_bytes()).unwrap();
        stream
    };
    let running = post(&work(100_000));
    toy.wait_until_running();
    let pending = post(&save("never", 1));
    while toy.server.engine().queue().queue_pending.is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let (mut socket, _) =
        tungstenite::client(format!("ws://{address}/ws").as_str(), connect(address)).unwrap();
    std::fs::write(toy.path().join("temp/preview.png"), "x").unwrap();

    let Toy { server, directory } = toy;
    let began = Instant::now();
    server.shutdown();
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(receive(pending).status, 503);
    let interrupted = receive(running);
    assert_eq!(
        (interrupted.status, interrupted.json()["completed"].clone()),
        (500, json!(false))
    );
    let mut is_closed = false;
    while let Ok(message) = socket.read() {
        is_closed |= matches!(message, Message::Close(_));
    }
    assert!(is_closed, "the websocket is closed in order");
    assert!(!directory.path().join("temp").exists(), "temp is deleted");
}

#[test]
fn a_prompt_that_is_nearly_done_may_end() {
    let toy = Toy::with(|config| config.shutdown_grace = Duration::from_secs(20));
    let body = work(20).to_string();
    let mut stream = connect(toy.address());
    begin(
        &mut stream,
        "POST",
        "/api/v1/prompts",
        &[],
        Some(body.len()),
    );
    stream.write_all(body.as_bytes()).unwrap();
    toy.wait_until_running();
    toy.server.shutdown();
    assert_eq!(
        receive(stream).status,
        204,
        "it made no pictures, but it ended well"
    );
}

#[test]
fn temp_is_emptied_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(directory.path().join("temp")).unwrap();
    std::fs::write(directory.path().join("temp/old.png"), "x").unwrap();
    let base = directory.path().to_owned();
    let _toy = Toy::with(|config| config.base_directory = base);
    assert!(!directory.path().join("temp/old.png").exists());
    assert!(directory.path().join("temp").is_dir());
}
