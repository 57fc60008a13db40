//! Clients that do not read, do not write, or leave.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use comfy_nodes::runtime::PreviewMethod;
use comfy_tests::prompts::{scale_image, text_to_image};
use comfy_tests::server::TestServer;
use comfy_tests::websocket::Socket;
use serde_json::json;

#[test]
fn a_websocket_that_stops_reading_holds_up_nobody() {
    let server = TestServer::start_with(
        |config| config.preview_method = PreviewMethod::Latent2Rgb,
        |_| {},
    );
    let client = server.client();
    let deaf = Socket::connect(&client, Some("deaf"));
    // Each step sends a preview of some 40 kB: together far more than the buffers of a connection.
    let start = Instant::now();
    let body = json!({"prompt": text_to_image(1, 400), "client_id": "deaf"});
    let id = client.post("/prompt", &body).expect(200).json()["prompt_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut listening = Socket::connect(&client, Some("listening"));
    listening
        .hear(Duration::from_secs(10))
        .expect("a first message");
    let entry = client.wait_for(&id);
    assert_eq!(entry["status"]["status_str"], "success");
    eprintln!("400 steps with a deaf client: {:?}", start.elapsed());
    let heard = listening.hear_until(Duration::from_secs(30), |message| {
        message.data()["status"]["exec_info"]["queue_remaining"] == 0
    });
    assert!(
        heard.iter().all(|message| message.kind() == Some("status")),
        "{heard:?}"
    );
    // It may be dropped by now, but the server serves everybody else, and ends in time.
    client.run_to_success(&scale_image("ref_img.png", 8, 8));
    drop(deaf);
}

#[test]
fn half_a_request_holds_up_nobody() {
    let server = TestServer::start();
    let client = server.client();
    let mut halves: Vec<_> = (0..100)
        .map(|_| {
            let mut stream = client.connect();
            stream
                .write_all(
                    b"POST /prompt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{\"pro",
                )
                .unwrap();
            stream
        })
        .collect();
    halves.extend((0..100).map(|_| {
        let mut stream = client.connect();
        stream.write_all(b"GET /prompt HT").unwrap();
        stream
    }));
    let start = Instant::now();
    client.run_to_success(&scale_image("ref_img.png", 8, 8));
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
    drop(halves);
    client.get("/prompt").expect(200);
}

#[test]
fn an_answer_that_nobody_reads_holds_up_nobody() {
    let server = TestServer::start();
    let client = server.client();
    let unread: Vec<_> = (0..50)
        .map(|_| {
            let mut stream = client.connect();
            stream.write_all(b"GET /object_info HTTP/1.1\r\nHost: localhost\r\n\r\nGET /object_info HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            stream
        })
        .collect();
    client.run_to_success(&scale_image("ref_img.png", 8, 8));
    drop(unread);
}

#[test]
fn a_waiting_client_that_leaves_does_not_stop_the_queue() {
    let server = TestServer::start();
    let client = server.client();
    let prompt = text_to_image(1, 30).to_string();
    let mut stream = client.connect();
    let head = format!(
        "POST /api/v1/prompts HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        prompt.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(prompt.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    drop(stream);
    client.run_to_success(&scale_image("ref_img.png", 8, 8));
    client.wait_until_idle();
}

#[test]
fn nonsense_on_the_wire() {
    let server = TestServer::start();
    let client = server.client();
    for nonsense in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"\r\n\r\n\r\n",
        b"GET\r\n\r\n",
        b"\xff\xff\xff\xff\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
    ] {
        let mut stream = client.connect();
        stream
            .set_read_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        stream.write_all(nonsense).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(
            answer.is_empty() || !answer.starts_with(b"HTTP/1.1 2"),
            "{nonsense:?}: {}",
            String::from_utf8_lossy(&answer)
        );
    }
    let mut socket = Socket::connect(&client, None);
    socket
        .hear(Duration::from_secs(10))
        .expect("a first message");
    for message in [
        json!(null),
        json!([]),
        json!("x"),
        json!({"type": 5}),
        json!({"type": "feature_flags", "data": 7}),
    ] {
        socket.send(&message);
    }
    client.run_to_success(&scale_image("ref_img.png", 8, 8));
    socket.hear_until(Duration::from_secs(10), |message| {
        message.data()["status"]["exec_info"]["queue_remaining"] == 0
    });
}

#[test]
fn a_second_socket_with_the_same_name_takes_over() {
    let server = TestServer::start();
    let client = server.client();
    let mut first = Socket::connect(&client, Some("twin"));
    first
        .hear(Duration::from_secs(10))
        .expect("a first message");
    let body = json!({"prompt": text_to_image(1, 100), "client_id": "twin"});
    client.post("/prompt", &body).expect(200);
    first.hear_until(Duration::from_mins(1), |message| {
        message.kind() == Some("progress")
    });
    let mut second = Socket::connect(&client, Some("twin"));
    let hello = second
        .hear(Duration::from_secs(10))
        .expect("a first message");
    assert_eq!(hello.data()["sid"], "twin");
    let current = second
        .hear(Duration::from_secs(10))
        .expect("the running node");
    assert_eq!(
        (current.kind(), current.data()),
        (Some("executing"), &json!({"node": "3"}))
    );
    let heard = second.hear_prompt(Duration::from_mins(2));
    assert!(
        heard
            .iter()
            .any(|message| message.kind() == Some("execution_success")),
        "{heard:?}"
    );
}
