//! Who may use the server, and what one client can take from the others.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use comfy_nodes::device::DeviceRequest;
use comfy_server::{ApiKey, Config, Server, StartError};
use comfy_tests::http::{Client, Request};
use comfy_tests::multipart::form;
use comfy_tests::server::TestServer;
use comfy_tests::websocket::Socket;
use serde_json::{Value, json};

const KEY: &str = "open sesame";

fn locked() -> TestServer {
    TestServer::start_with(|config| config.api_key = ApiKey::new(KEY).ok(), |_| {})
}

fn with(target: &str, headers: &[(&str, &str)]) -> Request {
    let headers = headers.iter();
    headers.fold(Request::new("GET", target), |request, (name, value)| {
        request.header(name, value)
    })
}

/// Every operation of the document, with something in place of its parameters.
fn operations() -> Vec<(String, String)> {
    let document = serde_json::to_value(comfy_server::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let mut found = Vec::new();
    for (path, item) in paths {
        let mut target = path.clone();
        while let (Some(start), Some(end)) = (target.find('{'), target.find('}')) {
            target.replace_range(start..=end, "0");
        }
        for method in ["get", "post", "delete", "patch", "put"] {
            if item.get(method).is_some() {
                found.push((method.to_uppercase(), target.clone()));
            }
        }
    }
    found
}

#[test]
fn nothing_is_to_be_had_without_the_key() {
    let server = locked();
    let client = server.client();
    let all = operations();
    assert!(all.len() > 50, "{all:?}");
    for (method, target) in &all {
        let paths = if target.starts_with("/internal") {
            vec![target.clone()]
        } else {
            vec![target.clone(), format!("/api{target}")]
        };
        for target in paths {
            let answer = client.send(&Request::new(method, &target));
            assert_eq!(answer.status, 401, "{method} {target}");
            assert!(answer.header("www-authenticate").is_some());
        }
    }
    for target in [
        "/no/such/path",
        "/index.html",
        "/ws?token=wrong",
        "/prompt?token=",
    ] {
        client.get(target).expect(401);
    }
    let wrong = [
        ("Authorization", "Bearer nope"),
        ("Authorization", "Basic b3BlbjpzZXNhbWU="),
        ("Cookie", "comfy_session=open sesame"),
    ];
    for header in wrong {
        client.send(&with("/prompt", &[header])).expect(401);
    }
    // What a browser asks before it asks is no secret.
    client.send(&Request::new("OPTIONS", "/prompt")).expect(200);
    // A long body of a stranger is not kept, and the stranger hears why.
    let body = Request::new("POST", "/upload/image").body(vec![b'x'; 4 << 20]);
    client.send(&body).expect(401);
}

#[test]
fn the_key_opens_in_each_way_that_clients_have() {
    let server = locked();
    let client = server.client();
    let bearer = ("Authorization", "Bearer open sesame");
    client.send(&with("/prompt", &[bearer])).expect(200);
    // user:open sesame
    let basic = ("Authorization", "Basic dXNlcjpvcGVuIHNlc2FtZQ==");
    client.send(&with("/queue", &[basic])).expect(200);
    client.get("/api/queue?token=open%20sesame").expect(200);
    let answer = client.get("/prompt?token=open+sesame").expect(200);
    assert_eq!(answer.header("set-cookie"), None, "no page was opened");

    let page = client
        .send(&with(
            "/?token=open%20sesame",
            &[("Accept", "text/html,*/*")],
        ))
        .expect(200);
    let cookie = page.header("set-cookie").expect("a cookie for the page");
    assert!(
        cookie.contains("HttpOnly")
            && cookie.contains("SameSite=Strict")
            && !cookie.contains("sesame"),
        "{cookie}"
    );
    let session = cookie.split(';').next().unwrap();
    client
        .send(&with("/view?filename=x", &[("Cookie", session)]))
        .expect(404);

    let url = format!(
        "ws://{}/ws?clientId=me&token=open%20sesame",
        client.address()
    );
    tungstenite::client(url, client.connect()).expect("the key opens the websocket");
    let url = format!("ws://{}/ws?clientId=me", client.address());
    assert!(tungstenite::client(url, client.connect()).is_err());
}

#[test]
fn other_machines_need_a_key() {
    let base = tempfile::tempdir().unwrap();
    let config = |listen: &str| Config {
        listen: vec![listen.to_owned()],
        port: 0,
        base_directory: base.path().to_owned(),
        device: DeviceRequest::Cpu,
        ..Config::default()
    };
    let refused = Server::builder(config("0.0.0.0")).start();
    match refused {
        Err(error @ StartError::Open(_)) => {
            let text = error.to_string();
            assert!(
                text.contains("--api-key") && text.contains("--insecure"),
                "{text}"
            );
        }
        other => panic!("it is open to everyone: {other:?}"),
    }
    for listen in ["0.0.0.0", "127.0.0.1"] {
        let insecure = Config {
            insecure: true,
            ..config(listen)
        };
        Server::builder(insecure).start().unwrap().shutdown();
    }
    let keyed = Config {
        api_key: ApiKey::new(KEY).ok(),
        ..config("0.0.0.0")
    };
    let server = Server::builder(keyed).start().unwrap();
    let port = server.address().port();
    let client = Client::new(([127, 0, 0, 1], port).into());
    client.get("/prompt").expect(401);
    // Its names are not known, so any is served.
    let named = [
        ("Host", "studio.example"),
        ("Authorization", "Bearer open sesame"),
    ];
    client.send(&with("/prompt", &named)).expect(200);
    // But browsers keep passwords, so other pages are kept away on every host.
    let foreign = [named[0], named[1], ("Origin", "http://evil.example")];
    client.send(&with("/prompt", &foreign)).expect(403);
    server.shutdown();
}

#[test]
fn pages_of_other_sites_get_nothing() {
    let server = TestServer::start_with(
        |config| config.external_address = Some("https://comfy.example".to_owned()),
        |_| {},
    );
    let client = server.client();
    let own = client.address().to_string();
    let status = |headers: &[(&str, &str)]| client.send(&with("/prompt", headers)).status;
    for refused in [
        &[("Origin", "null")][..],
        &[("Origin", "http://evil.example")],
        &[("Sec-Fetch-Site", "cross-site")],
        &[
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Mode", "navigate"),
            ("Sec-Fetch-Dest", "iframe"),
        ],
        // A name of another site that leads here, without anything else that tells.
        &[("Host", "evil.example")],
        &[("Host", "evil.example"), ("Origin", "http://evil.example")],
        &[("Host", "192.168.0.7")],
    ] {
        assert_eq!(status(refused), 403, "{refused:?}");
    }
    let origin = format!("http://{own}");
    for allowed in [
        &[("Origin", origin.as_str())][..],
        &[("Sec-Fetch-Site", "same-origin")],
        &[("Sec-Fetch-Site", "none")],
        &[
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Mode", "navigate"),
            ("Sec-Fetch-Dest", "document"),
        ],
        &[("Host", "localhost")],
        &[
            ("Host", "comfy.example"),
            ("Origin", "https://comfy.example"),
        ],
    ] {
        assert_eq!(status(allowed), 200, "{allowed:?}");
    }
    let post = Request::json("/interrupt", &json!({})).header("Origin", "null");
    client.send(&post).expect(403);
    let handshake = with(
        "/ws",
        &[
            ("Origin", "http://evil.example"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ],
    );
    client.send(&handshake).expect(403);
}

#[test]
fn what_people_keep_never_runs() {
    let server = TestServer::start();
    let client = server.client();
    let script = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    for (name, expected) in [
        ("a.svg", "image/svg+xml"),
        ("a.html", "application/octet-stream"),
        ("a.xhtml", "application/octet-stream"),
        ("a.js", "application/octet-stream"),
        ("a.mjs", "application/octet-stream"),
        ("a.css", "application/octet-stream"),
    ] {
        let upload = form("/upload/image", &[("image", Some(name), &script[..])]);
        client.send(&upload).expect(200);
        let stored = Request::new("POST", &format!("/userdata/{name}")).body(&script[..]);
        client.send(&stored).expect(200);
        for target in [
            format!("/view?type=input&filename={name}"),
            format!("/userdata/{name}"),
        ] {
            let answer = client.get(&target).expect(200);
            assert_eq!(answer.header("content-type"), Some(expected), "{target}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(answer.header("content-security-policy"), Some("sandbox"));
        }
    }
    // The one file that the front end wants as a style sheet.
    client
        .send(&Request::new("POST", "/userdata/user.css").body("p {}"))
        .expect(200);
    assert_eq!(
        client.get("/userdata/user.css").header("content-type"),
        Some("text/css")
    );
}

/// Whether the other side has closed the connection by the end of `patience`.
fn is_closed(stream: &mut TcpStream, patience: Duration) -> bool {
    stream.set_read_timeout(Some(patience)).unwrap();
    match stream.read(&mut [0; 1]) {
        Ok(read) => read == 0,
        Err(error) => !matches!(
            error.kind(),
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
        ),
    }
}

#[test]
fn one_client_cannot_have_all_connections() {
    let server = TestServer::start_with(|config| config.max_connections_per_client = 8, |_| {});
    let client = server.client();
    let mut held: Vec<TcpStream> = (0..8).map(|_| client.connect()).collect();
    // Each has been accepted when it is answered.
    for stream in &mut held {
        stream
            .write_all(b"GET /prompt HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        assert!(!is_closed(stream, Duration::from_secs(20)));
    }
    let mut further = client.connect();
    assert!(is_closed(&mut further, Duration::from_secs(20)));
    assert!(!is_closed(
        &mut held[0].try_clone().unwrap(),
        Duration::from_millis(50)
    ));
    drop(held);
    let start = Instant::now();
    while client.try_send(&Request::new("GET", "/prompt")).is_err() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "places that were left stay taken"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn clients_that_stop_are_given_up() {
    let patience = Duration::from_millis(500);
    let server = TestServer::start_with(
        |config| config.patience = patience,
        |base| {
            // More than the buffers of a connection hold.
            comfy_tests::server::write(&base.join("output/large.bin"), &vec![7; 64 << 20]);
        },
    );
    let client = server.client();
    let mut deaf = client.connect();
    deaf.write_all(b"GET /view?filename=large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    std::thread::sleep(patience * 6);
    deaf.set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut received = Vec::new();
    // The end may come as an error.
    let _ = deaf.read_to_end(&mut received);
    assert!(
        received.len() < 64 << 20,
        "{} bytes were kept for a client that does not read",
        received.len()
    );

    let mut mute = client.connect();
    mute.write_all(b"POST /prompt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        .unwrap();
    mute.set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let mut answer = String::new();
    let _ = mute.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    // One that is only slow is served.
    let mut slow = client.connect();
    let body = json!({"prompt": {}}).to_string();
    write!(slow, "POST /prompt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len()).unwrap();
    for byte in body.bytes() {
        slow.write_all(&[byte]).unwrap();
        std::thread::sleep(patience / 5);
    }
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    // A websocket says nothing for long, and that is right.
    let mut quiet = Socket::connect(&client, Some("quiet"));
    quiet
        .hear(Duration::from_secs(10))
        .expect("a first message");
    std::thread::sleep(patience * 3);
    let prompt: Value = comfy_tests::prompts::scale_image("ref_img.png", 8, 8);
    client.run_to_success(&prompt);
    assert!(quiet.hear(Duration::from_secs(10)).is_some());
}
