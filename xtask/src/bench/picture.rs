//! Whole pictures, from the start of a program to its end.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::json;

use super::engine::{PEER, SD_CPP};
use super::options::Options;
use super::report::Row;

/// A picture is not timed again after this much time.
const LONG: Duration = Duration::from_mins(5);

/// The most steps that stable-diffusion.cpp is asked for; it takes ten minutes for twenty of 512².
const STEPS_OF_SD_CPP: usize = 4;

/// A picture of so many pixels each way, in so many steps of Euler's method with guidance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Picture {
    side: usize,
    steps: usize,
    /// Whether the checkpoint has to be read from the disk.
    is_cold: bool,
}

impl Picture {
    pub(super) fn new(side: usize, steps: usize) -> Self {
        Self {
            side,
            steps,
            is_cold: false,
        }
    }

    /// The same with a checkpoint that is not in the system's cache of files.
    pub(super) fn cold(self) -> Self {
        Self {
            is_cold: true,
            ..self
        }
    }

    pub(super) fn title(&self) -> String {
        let Self { side, steps, .. } = self;
        let cold = if self.is_cold {
            ", checkpoint not cached"
        } else {
            ""
        };
        format!("picture {side}², {steps} steps, from process start{cold}")
    }
}

/// Lets the system forget what it has of a file in memory, with a program of GNU's; elsewhere there is no such way.
fn forget(file: &Path) -> anyhow::Result<()> {
    let status = Command::new("dd")
        .arg(format!("if={}", file.display()))
        .args(["iflag=nocache", "count=0", "status=none"])
        .status();
    let status = status.context("cannot run dd, to take the checkpoint out of the cache")?;
    ensure!(status.success(), "dd failed");
    Ok(())
}

/// Times one picture on all engines in turns. Programs and, unless it is to be cold, the checkpoint are brought into the system's
/// cache before, by a picture of one step that is not counted.
pub(super) fn time(options: &Options, picture: &Picture, scratch: &Path) -> anyhow::Result<Row> {
    let engines = engines(options, picture, scratch)?;
    let mut row = Row::new(
        &picture.title(),
        engines.iter().map(|(name, _)| name.clone()),
    );
    let short = Picture::new(256, 1);
    for (name, arguments) in self::engines(options, &short, scratch)? {
        run(&arguments).with_context(|| format!("{name}, {}", short.title()))?;
    }
    let start = Instant::now();
    for round in 0..options.rounds {
        if round > 0 && start.elapsed() > LONG {
            println!(
                "{}: it takes long, so it was timed {round} times",
                row.title
            );
            break;
        }
        for (index, (name, arguments)) in engines.iter().enumerate() {
            if picture.is_cold {
                forget(&options.checkpoint)?;
            }
            let (seconds, peak) =
                run(arguments).with_context(|| format!("{name}, {}", row.title))?;
            row.add(index, seconds, peak);
        }
    }
    Ok(row)
}

/// The names of the engines, and their programs with arguments.
fn engines(
    options: &Options,
    picture: &Picture,
    scratch: &Path,
) -> anyhow::Result<Vec<(String, Vec<String>)>> {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let Picture { side, steps, .. } = *picture;
    let (side_text, steps_text) = (side.to_string(), steps.to_string());
    let checkpoint = &options.checkpoint;
    let folder = checkpoint.parent().context("a file is in a folder")?;
    let name = checkpoint
        .file_name()
        .context("a file has a name")?
        .to_string_lossy();
    let paths = scratch.join("paths.yaml");
    std::fs::write(
        &paths,
        format!("bench:\n  base_path: {}\n  checkpoints: .\n", text(folder)),
    )?;
    let prompt = scratch.join(format!("picture-{side}-{steps}.json"));
    std::fs::write(&prompt, workflow(&name, side, steps).to_string())?;
    let server = options.programs().join("comfy-server");
    let mut ours = vec![text(&server), "run".to_owned(), text(&prompt)];
    ours.extend(["--device", &options.device, "--base-directory"].map(str::to_owned));
    ours.extend([
        text(scratch),
        "--extra-model-paths-config".to_owned(),
        text(&paths),
    ]);
    let mut list = vec![("comfy-server".to_owned(), ours.clone())];
    for (name, flag) in options.ways() {
        let flag = std::iter::once(flag.to_owned());
        list.push((name.to_owned(), ours.iter().cloned().chain(flag).collect()));
    }
    let result = text(&scratch.join("picture.png"));
    if let Some(python) = &options.pytorch {
        let peer = text(&crate::repository().join(PEER));
        let words = [
            python,
            &peer,
            "picture",
            &text(checkpoint),
            &side_text,
            &steps_text,
            &result,
            "--device",
            &options.torch_device,
            "--dtype",
            &options.dtype,
        ];
        list.push(("PyTorch".to_owned(), words.map(str::to_owned).to_vec()));
        if let Some(checkout) = &options.comfyui {
            let words = [
                python,
                &peer,
                "comfyui",
                &text(checkout),
                &text(&prompt),
                &text(&paths),
                "--device",
                &options.torch_device,
            ];
            list.push(("ComfyUI".to_owned(), words.map(str::to_owned).to_vec()));
        }
    }
    if let Some(program) = &options.sd_cpp
        && steps <= STEPS_OF_SD_CPP
    {
        let words = [
            program,
            "picture",
            &text(checkpoint),
            &side_text,
            &steps_text,
            &result,
        ];
        list.push((SD_CPP.to_owned(), words.map(str::to_owned).to_vec()));
    }
    Ok(list)
}

fn workflow(checkpoint: &str, side: usize, steps: usize) -> serde_json::Value {
    json!({
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": checkpoint}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": side, "height": side, "batch_size": 1}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a photo of a cat", "clip": ["4", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "bad", "clip": ["4", 1]}},
        "3": {"class_type": "KSampler", "inputs": {
            "seed": 42, "steps": steps, "cfg": 7.0, "sampler_name": "euler", "scheduler": "normal", "denoise": 1.0,
            "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}},
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "bench", "images": ["8", 0]}},
    })
}

/// Seconds, and the peak memory in MiB: what the program says of it in its last line, else what the system tells.
fn run(arguments: &[String]) -> anyhow::Result<(f64, Option<f64>)> {
    let start = Instant::now();
    let mut process = Command::new(&arguments[0])
        .args(&arguments[1..])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {}", arguments[0]))?;
    let mut output = process.stdout.take().context("the program has an output")?;
    let said = std::thread::spawn(move || {
        let mut said = Vec::new();
        output.read_to_end(&mut said).map(|_| said)
    });
    let mut peak = None;
    let status = loop {
        peak = peak_mib(process.id()).or(peak);
        if let Some(status) = process.try_wait()? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let seconds = start.elapsed().as_secs_f64();
    ensure!(
        status.success(),
        "`{}` failed: {status}",
        arguments.join(" ")
    );
    let said = said.join().ok().context("a thread panicked")??;
    let told = String::from_utf8_lossy(&said);
    let told = told.lines().last().and_then(|line| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        line["peak_mib"].as_f64()
    });
    Ok((seconds, told.or(peak)))
}

/// The largest resident size of a process so far; on Linux.
fn peak_mib(id: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(peak.trim().trim_end_matches(" kB").parse::<f64>().ok()? / 1024.0)
}
