//! The end of a server: it finishes or interrupts what runs, answers who waits, and is gone in seconds.

use std::time::{Duration, Instant};

use comfy_tests::http::Request;
use comfy_tests::prompts::{PATIENCE, text_to_image};
use comfy_tests::server::TestServer;
use comfy_tests::websocket::Socket;

#[test]
fn a_running_prompt_and_waiting_clients() {
    let mut server = TestServer::start();
    let client = server.client();
    let _listener = Socket::connect(&client, Some("listener"));
    let running = std::thread::spawn(move || {
        client.send(&Request::json("/api/v1/prompts", &text_to_image(1, 10_000)))
    });
    let start = Instant::now();
    while client.get_json("/queue")["queue_running"]
        .as_array()
        .unwrap()
        .is_empty()
    {
        assert!(start.elapsed() < PATIENCE, "nothing runs");
        std::thread::sleep(Duration::from_millis(10));
    }
    let queued = std::thread::spawn(move || {
        client.send(&Request::json("/api/v1/prompts", &text_to_image(2, 1)))
    });
    while client.get_json("/queue")["queue_pending"]
        .as_array()
        .unwrap()
        .is_empty()
    {
        assert!(start.elapsed() < PATIENCE, "nothing waits");
        std::thread::sleep(Duration::from_millis(10));
    }
    let start = Instant::now();
    server.stop();
    let elapsed = start.elapsed();
    assert!(
        elapsed < Duration::from_secs(15),
        "the server took {elapsed:?} to end"
    );
    let body = running.join().unwrap().expect(500).json();
    assert_eq!(
        body["messages"].as_array().unwrap().last().unwrap()[0],
        "execution_interrupted",
        "{body}"
    );
    let answer = queued.join().unwrap();
    assert!(
        matches!(answer.status, 500 | 503),
        "status {} for a prompt that never ran",
        answer.status
    );
    assert!(
        client
            .try_send(&Request::new("GET", "/prompt"))
            .is_err_and(|error| error.kind() != std::io::ErrorKind::TimedOut)
    );
}

#[test]
fn an_idle_server_ends_at_once() {
    let mut server = TestServer::start();
    let client = server.client();
    let _listener = Socket::connect(&client, None);
    let _idle = client.connect();
    client.get("/prompt").expect(200);
    let start = Instant::now();
    server.stop();
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "the server took {:?} to end",
        start.elapsed()
    );
    assert!(
        !server.path("temp").exists(),
        "the temporary directory is removed at the end"
    );
}
