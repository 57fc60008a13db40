//! Times what a prompt costs when nothing has to be computed, over HTTP: from `POST /prompt` to `execution_success`, and memory
//! after thousands of prompts.
//!
//! ```text
//! cargo bench -p comfy-tests --bench prompts [-- --prompts N]
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for developers that talks on the terminal"
)]

use std::time::{Duration, Instant};

use comfy_tests::http::Client;
use comfy_tests::prompts::text_to_image;
use comfy_tests::server::TestServer;
use comfy_tests::websocket::Socket;
use serde_json::{Value, json};

// As the server's program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let given = arguments
        .iter()
        .position(|argument| argument == "--prompts");
    let given = given.and_then(|index| arguments.get(index + 1));
    let prompts: usize = given.map_or(2000, |text| text.parse().unwrap());

    let server = TestServer::start();
    let client = server.client();
    let mut socket = Socket::connect(&client, Some("bench"));
    let prompt = text_to_image(1, 1);
    // The first round computes, and lets every table grow to its size.
    for _ in 0..prompts {
        run(&client, &mut socket, &prompt);
    }
    let before = cleared(&client);
    let begin = Instant::now();
    let mut times: Vec<f64> = (0..prompts)
        .map(|_| run(&client, &mut socket, &prompt).as_secs_f64() * 1e3)
        .collect();
    let elapsed = begin.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    let share = |share: f64| times[((prompts - 1) as f64 * share) as usize];
    println!(
        "the default workflow, fully cached, from POST to execution_success: median {:.2} ms, best tenth {:.2} ms, worst tenth {:.2} ms",
        share(0.5),
        share(0.1),
        share(0.9)
    );
    println!(
        "{prompts} prompts in a row: {:.0} a second; memory with an empty history {before:.1} MiB before, {:.1} MiB after",
        prompts as f64 / elapsed,
        cleared(&client)
    );
}

/// The time from the request to `execution_success`.
fn run(client: &Client, socket: &mut Socket, prompt: &Value) -> Duration {
    let begin = Instant::now();
    let body = json!({"prompt": prompt, "client_id": "bench"});
    client.post("/prompt", &body).expect(200);
    let mut end = None;
    socket.hear_until(Duration::from_mins(1), |message| {
        assert_ne!(message.kind(), Some("execution_error"));
        if message.kind() == Some("execution_success") {
            end = Some(begin.elapsed());
        }
        message.kind() == Some("executing") && message.data()["node"].is_null()
    });
    end.unwrap()
}

/// The memory that is left when the history is cleared.
fn cleared(client: &Client) -> f64 {
    client.post("/history", &json!({"clear": true})).expect(200);
    memory()
}

/// The memory of this process, which is also the server's, in MiB; 0 where the system does not tell.
fn memory() -> f64 {
    const PAGE: f64 = 4096.0;
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let resident = statm.split_whitespace().nth(1);
    let pages: f64 = resident.and_then(|pages| pages.parse().ok()).unwrap_or(0.0);
    pages * PAGE / f64::from(1 << 20)
}
