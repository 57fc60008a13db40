//! What clients send: requests, their queries, ranges and bodies, and websocket frames, over the sockets of a running server.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::OnceLock;
use std::time::Duration;

use comfy_nodes::device::DeviceRequest;
use comfy_server::{Config, RunningServer, Server};

use crate::place;

/// How long the server may take to answer; it takes a millisecond.
const PATIENCE: Duration = Duration::from_secs(20);

/// Nothing longer is read of an answer.
const LONGEST: u64 = 4 << 20;

/// A server without node classes: nothing that is sent makes it compute.
fn server() -> &'static RunningServer {
    static SERVER: OnceLock<RunningServer> = OnceLock::new();
    SERVER.get_or_init(|| {
        let config = Config {
            port: 0,
            base_directory: place::folder("server"),
            device: DeviceRequest::Cpu,
            max_upload_size: 1 << 20,
            ..Config::default()
        };
        place::file("server/input", "there.txt", b"0123456789");
        Server::builder(config)
            .without_built_in_nodes()
            .start()
            .unwrap_or_else(|error| panic!("the server does not start: {error}"))
    })
}

fn connect() -> TcpStream {
    let address = server().address();
    let stream = TcpStream::connect(address)
        .unwrap_or_else(|error| panic!("no connection to {address}: {error}"));
    for set in [TcpStream::set_read_timeout, TcpStream::set_write_timeout] {
        set(&stream, Some(PATIENCE)).unwrap_or_else(|error| panic!("no time-out: {error}"));
    }
    stream
}

/// Sends bytes and an end, and gives what comes back until the server ends, too.
fn exchange(bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect();
    // A server that has heard enough closes; what it said still counts.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.take(LONGEST).read_to_end(&mut answer);
    answer
}

/// Panics if the server says that it is at fault, or is gone.
fn judge(answer: &[u8]) {
    let status = answer.get(9..12).unwrap_or_default();
    assert!(
        !matches!(status, [b'5', ..]) || status == b"501" || status == b"503",
        "{:.300}",
        String::from_utf8_lossy(answer)
    );
}

/// Bytes as they are.
pub fn raw(bytes: &[u8]) {
    judge(&exchange(bytes));
}

/// A request whose head is complete: a host, the true length of the body, and the wish to close are added.
pub fn request(bytes: &[u8]) {
    const BLANK: &[u8] = b"\r\n\r\n";
    let end = bytes
        .windows(BLANK.len())
        .position(|window| window == BLANK);
    let (head, body) = bytes.split_at(end.unwrap_or(bytes.len()));
    let body = body.get(BLANK.len()..).unwrap_or_default();
    let added = format!(
        "\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        server().address(),
        body.len()
    );
    judge(&exchange(&[head, added.as_bytes(), body].concat()));
}

/// What follows a websocket's handshake.
pub fn websocket(frames: &[u8]) {
    let handshake = format!(
        "GET /ws?clientId=fuzzed HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        server().address()
    );
    let answer = exchange(&[handshake.as_bytes(), frames].concat());
    assert!(
        answer.starts_with(b"HTTP/1.1 101"),
        "{:.200}",
        String::from_utf8_lossy(&answer)
    );
}

/// A file among the inputs and the models that is looked at in every way.
pub fn view(file: &[u8]) {
    server();
    place::file("server/input", "fuzzed", file);
    place::file("server/models/loras", "fuzzed.safetensors", file);
    for target in [
        "/view?filename=fuzzed&type=input&preview=jpeg;50",
        "/view?filename=fuzzed&type=input&channel=a",
        "/view?filename=fuzzed&type=input",
        "/view_metadata/loras?filename=fuzzed.safetensors",
    ] {
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            server().address()
        );
        let _ = exchange(head.as_bytes());
    }
}
