//! Times a checkpoint of Stable Diffusion 1.5's real size over HTTP, and PyTorch beside it.
//!
//! ```text
//! cargo bench -p comfy-tests --bench full_model [-- [--device cpu|auto|vulkan|…] [--rounds N] [--pytorch PYTHON]]
//! ```
//!
//! 256×256 pixels, 4 steps of euler, guidance 7, seed 42, as recorded in `full_sd15_256_4step_latent`; the final latent must be the
//! recorded one. PYTHON is an interpreter that has torch, diffusers and safetensors; both sides take turns, so that a busy machine
//! slows both. Without a network nothing is fetched: weights and configuration are made here.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for developers that talks on the terminal"
)]

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};
use comfy_nodes::sockets::Latent;
use comfy_tests::http::Client;
use comfy_tests::server::TestServer;
use comfy_tests::websocket::{Heard, Socket};
use serde_json::{Value, json};

// As the server's program has it: the system's allocator gives large blocks back to the kernel after every operator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const STEPS: usize = 4;

static FINAL_LATENT: Mutex<Vec<f32>> = Mutex::new(Vec::new());

/// Hands the sampled latent to this program.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LatentProbe",
    name = "Latent Probe",
    category = "bench",
    output_node
)]
struct LatentProbe {
    /// The latent to look at.
    samples: Latent,
}

impl Node for LatentProbe {
    type Output = ();

    fn run(self, _: &mut NodeContext<'_>) -> Result<(), NodeError> {
        *FINAL_LATENT.lock().unwrap() = self.samples.samples.into_data().try_to_vec().unwrap();
        Ok(())
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |flag: &str| {
        arguments
            .iter()
            .position(|argument| argument == flag)
            .and_then(|index| arguments.get(index + 1))
    };
    let device = value("--device").map_or("cpu", String::as_str);
    let rounds: usize = value("--rounds").map_or(3, |text| text.parse().unwrap());
    let checkpoint = comfy_fixtures::checkpoint("sd15_full_fp16");
    let golden = comfy_fixtures::golden("full_sd15_256_4step_latent");

    let server = TestServer::start_with_nodes(
        |config| config.device = device.parse().unwrap(),
        |base| {
            comfy_tests::server::place(
                &checkpoint,
                &base.join("models/checkpoints/full.safetensors"),
            );
        },
        |registry| registry.register::<LatentProbe>().map(drop),
    );
    let client = server.client();
    println!(
        "device: {}",
        client.get_json("/system_stats")["devices"][0]["name"]
    );
    let mut torch = value("--pytorch").map(|python| Torch::start(python, &checkpoint));

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        // The first round loads the weights: it is told, but not counted.
        let run = run(&client, round);
        let error =
            comfy_fixtures::relative_l2(&FINAL_LATENT.lock().unwrap(), &golden.f32("final"));
        println!("round {round}: {run}, final latent differs by {error:.2e}");
        assert!(
            error <= 1e-4,
            "the final latent is not the recorded one: relative error {error:.3e}"
        );
        let torch_step = torch.as_mut().map(Torch::run);
        if let Some((seconds, peak)) = torch_step {
            println!("  PyTorch: {seconds:.2} s a step, peak {peak:.0} MiB");
        }
        if round > 0 {
            ours.push(run.step);
            theirs.extend(torch_step.map(|(seconds, _)| seconds));
        }
    }
    println!(
        "comfy-server: {:.2} s a step (median of {rounds}), peak memory {:.0} MiB",
        median(&mut ours),
        peak_memory().unwrap_or(f64::NAN)
    );
    if !theirs.is_empty() {
        let (ours, theirs) = (median(&mut ours), median(&mut theirs));
        println!(
            "PyTorch: {theirs:.2} s a step; comfy-server takes {:.2} times as long",
            ours / theirs
        );
    }
}

struct Run {
    step: f64,
    total: f64,
}

impl std::fmt::Display for Run {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "{:.2} s a step, {:.2} s in all",
            self.step, self.total
        )
    }
}

/// One prompt, timed from outside: the steps by the progress messages.
fn run(client: &Client, round: usize) -> Run {
    let mut socket = Socket::connect(client, Some("bench"));
    let start = Instant::now();
    let answer = client
        .post(
            "/prompt",
            &json!({"prompt": prompt(round), "client_id": "bench"}),
        )
        .expect(200)
        .json();
    let mut marks = Vec::new();
    socket.hear_until(Duration::from_mins(30), |message| {
        let at_sampler = message.data()["node"] == "3";
        if at_sampler && matches!(message.kind(), Some("executing" | "progress")) {
            marks.push(start.elapsed().as_secs_f64());
        }
        is_end(message)
    });
    let entry = client.wait_for(answer["prompt_id"].as_str().unwrap());
    assert_eq!(
        entry["status"]["status_str"], "success",
        "{}",
        entry["status"]
    );
    assert_eq!(
        marks.len(),
        STEPS + 1,
        "one mark at the start and one after each step"
    );
    // The first step also loads the model: the others tell.
    Run {
        step: (marks[STEPS] - marks[1]) / (STEPS - 1) as f64,
        total: start.elapsed().as_secs_f64(),
    }
}

fn is_end(message: &Heard) -> bool {
    message.kind() == Some("executing") && message.data()["node"].is_null()
}

fn prompt(round: usize) -> Value {
    // All above 0.9999 is 1 to the sampler, but not to the cache, which would answer otherwise.
    let denoise = 1.0 - round as f64 * 1e-6;
    json!({
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "full.safetensors"}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 256, "height": 256, "batch_size": 1}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a photo of a cat", "clip": ["4", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "bad", "clip": ["4", 1]}},
        "3": {"class_type": "KSampler", "inputs": {
            "seed": 42, "steps": STEPS, "cfg": 7.0, "sampler_name": "euler", "scheduler": "normal", "denoise": denoise,
            "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}},
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "full", "images": ["8", 0]}},
        "10": {"class_type": "LatentProbe", "inputs": {"samples": ["3", 0]}},
    })
}

/// The largest resident size of this process so far, in MiB.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? / 1024.0)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The same steps in PyTorch: a process that runs them each time it is told to.
struct Torch {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Torch {
    fn start(python: &str, checkpoint: &std::path::Path) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/bench/pytorch_steps.py");
        let mut process = Command::new(python)
            .arg(script)
            .arg(checkpoint)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
        let ready = output
            .next()
            .expect("the script says what it runs on")
            .unwrap();
        println!("PyTorch: {ready}");
        Self {
            process,
            input,
            output,
        }
    }

    /// Seconds a step, and the peak memory in MiB.
    fn run(&mut self) -> (f64, f64) {
        writeln!(self.input, "{STEPS}").unwrap();
        let line = self.output.next().expect("the script answers").unwrap();
        let mut numbers = line.split(' ').map(|number| number.parse().unwrap());
        (numbers.next().unwrap(), numbers.next().unwrap())
    }
}

impl Drop for Torch {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
