//! Times the server itself, in a process of its own: start, memory, `/object_info`, prompts accepted and refused; with `--load` also
//! 500 websockets and 64 connections for a minute.
//!
//! ```text
//! cargo bench -p comfy-tests --bench server [-- --load [SECONDS]]
//! ```
//!
//! ComfyUI on two cores: 4.6 s to the first answer, 918 MiB, 19 times `/object_info` a second, 870 prompts accepted and 3,900 refused.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for developers that talks on the terminal"
)]

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use comfy_nodes::device::DeviceRequest;
use comfy_server::{Config, Server};
use comfy_tests::http::Client;
use comfy_tests::load::{KeptAlive, Load, memory, run, small_prompt};
use comfy_tests::server::fill;
use serde_json::json;

// As the server's program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long each rate is measured.
const MEASURE: Duration = Duration::from_secs(5);
/// Into how many the load is divided.
const ROUNDS: u32 = 3;
/// Connections that ask at the same time.
const CONNECTIONS: usize = 4;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        Some(arguments.get(place + 1).map_or("", String::as_str))
    };
    if let Some(base) = after("--serve") {
        return serve(Path::new(base), after("--port").unwrap().parse().unwrap());
    }
    starts();
    rates();
    if let Some(seconds) = after("--load") {
        load(Duration::from_secs(seconds.parse().unwrap_or(60)));
    }
}

/// What the server's program does.
fn serve(base: &Path, port: u16) {
    let config = Config {
        port,
        base_directory: base.to_owned(),
        device: DeviceRequest::Cpu,
        ..Config::default()
    };
    Server::builder(config).run().unwrap();
}

/// A server in a process of its own, ended when dropped.
struct Process {
    child: Child,
    client: Client,
    _base: tempfile::TempDir,
    /// From starting the process to the first answer.
    start: Duration,
}

impl Process {
    fn start() -> Self {
        let base = tempfile::tempdir().unwrap();
        fill(base.path());
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address: SocketAddr = free.local_addr().unwrap();
        drop(free);
        let client = Client::new(address);
        let begin = Instant::now();
        let child = Command::new(std::env::current_exe().unwrap())
            .arg("--serve")
            .arg(base.path())
            .args(["--port", &address.port().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while TcpStream::connect(address).is_err() {
            assert!(begin.elapsed() < Duration::from_mins(1), "no server");
            std::thread::sleep(Duration::from_millis(1));
        }
        client.get("/prompt").expect(200);
        Self {
            child,
            client,
            _base: base,
            start: begin.elapsed(),
        }
    }

    fn memory(&self) -> f64 {
        memory(self.child.id()).unwrap_or(0.0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn starts() {
    let mut times: Vec<f64> = (0..7)
        .map(|_| Process::start().start.as_secs_f64())
        .collect();
    times.sort_by(f64::total_cmp);
    println!(
        "start to first answer: median {:.3} s, best {:.3} s (ComfyUI 4.6 s)",
        times[times.len() / 2],
        times[0]
    );
}

fn rates() {
    let process = Process::start();
    std::thread::sleep(Duration::from_secs(1));
    println!("idle memory: {:.1} MiB (ComfyUI 918 MiB)", process.memory());
    let client = process.client;
    let show = |what: &str, rate: f64, theirs: f64| {
        println!(
            "{what}: {rate:.0} a second ({:.1} times ComfyUI's {theirs})",
            rate / theirs
        );
    };
    let info = rate(&client, |connection, _| {
        let answer = connection.get("/object_info").unwrap();
        assert_eq!(answer.status, 200);
    });
    show("/object_info", info, 19.0);
    let refused =
        json!({"prompt": {"1": {"class_type": "SaveImage", "inputs": {"filename_prefix": "x"}}}})
            .to_string();
    let refused = rate(&client, |connection, _| {
        let answer = connection.send("POST", "/prompt", &refused).unwrap();
        assert_eq!(answer.status, 400);
    });
    show("POST /prompt, refused", refused, 3900.0);
    let accepted = rate(&client, |connection, count| {
        let body = json!({"prompt": small_prompt(1), "client_id": "bench"}).to_string();
        let answer = connection.send("POST", "/prompt", &body).unwrap();
        assert_eq!(answer.status, 200);
        // The queue has a limit.
        if count % 1000 == 999 {
            connection
                .send("POST", "/queue", "{\"clear\": true}")
                .unwrap();
        }
    });
    show("POST /prompt, accepted", accepted, 870.0);
    client.post("/queue", &json!({"clear": true})).expect(200);
    client.wait_until_idle();
    client.post("/history", &json!({"clear": true})).expect(200);
    println!("memory after that: {:.1} MiB", process.memory());
}

/// How often a second something can be done over kept connections.
fn rate(client: &Client, work: impl Fn(&mut KeptAlive, usize) + Sync) -> f64 {
    let work = &work;
    let begin = Instant::now();
    let counts: usize = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                scope.spawn(move || {
                    let mut connection = KeptAlive::connect(client);
                    let mut count = 0;
                    while begin.elapsed() < MEASURE {
                        work(&mut connection, count);
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .sum()
    });
    counts as f64 / begin.elapsed().as_secs_f64()
}

fn load(time: Duration) {
    let process = Process::start();
    let warm_up = Load {
        sockets: 500,
        requesters: 64,
        time: Duration::from_secs(3),
    };
    let settled = || {
        process
            .client
            .post("/history", &json!({"clear": true}))
            .expect(200);
        std::thread::sleep(Duration::from_secs(2));
        process.memory()
    };
    // Lets every table and pool grow to its size.
    let first = run(&process.client, warm_up);
    let mut memory = vec![settled()];
    let mut losses = first.losses;
    let (mut requests, mut prompts, mut messages) = (0, 0, 0);
    // The memory of one round says little: what the allocator keeps for the next one goes up and down. A loss would go up only.
    for _ in 0..ROUNDS {
        let time = time / ROUNDS;
        let outcome = run(&process.client, Load { time, ..warm_up });
        requests += outcome.requests;
        prompts += outcome.prompts;
        messages += outcome.messages;
        losses.extend(outcome.losses);
        memory.push(settled());
    }
    println!(
        "500 websockets and 64 connections for {time:?}: {requests} requests ({:.0} a second), {prompts} prompts, {messages} messages; lost: {losses:?}",
        requests as f64 / time.as_secs_f64(),
    );
    println!("memory before, and after each third: {memory:.1?} MiB");
}
