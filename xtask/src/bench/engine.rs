//! Programs that answer requests: ours, PyTorch, and stable-diffusion.cpp.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::Context;
use serde_json::{Value, json};

use super::options::Options;
use super::work::Work;

/// PyTorch's side, from the top of the clone.
pub(super) const PEER: &str = "xtask/src/bench/peer.py";

/// What the other C++ engine is called.
pub(super) const SD_CPP: &str = "stable-diffusion.cpp";

/// What the server's program asks of its allocator: `comfy_server::allocator::KEPT_MILLISECONDS`.
const KEPT_MILLISECONDS: i32 = 10_000;

/// Operations in one of the units that rates are told in.
pub(super) const TERA: f64 = 1e12;

/// A program that is running.
pub(super) struct Engine {
    pub(super) name: String,
    /// What it says of itself.
    pub(super) description: String,
    /// Operations a second of a large matrix product in bf16, if it measured that.
    pub(super) brain_rate: Option<f64>,
    pub(super) results: Results,
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

/// What an engine gives beside the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Results {
    /// The numbers, computed in `f32`.
    Exact,
    /// The numbers, computed in fewer bits.
    Rounded,
    /// None: it makes whole pictures of its own, and tells the times of calls of the UNet and of decoding.
    TimesOnly,
}

/// What one call took.
pub(super) struct Answer {
    pub(super) seconds: f64,
    pub(super) peak_mib: Option<f64>,
    /// What every operator took, if that was asked for.
    pub(super) operators: Vec<Operator>,
}

/// All calls of one operator on one kind of problem.
pub(super) struct Operator {
    pub(super) name: String,
    pub(super) calls: u64,
    pub(super) seconds: f64,
    /// Multiplications and additions of matrix products, where the engine counts them.
    pub(super) operations: f64,
}

/// All that the options ask for, ours first.
pub(super) fn all(options: &Options, checkpoint: &Path) -> anyhow::Result<Vec<Engine>> {
    let ours = |more: &[&str]| {
        let mut command = Command::new(options.answering());
        command
            .arg(checkpoint)
            .args(["--device", &options.device])
            .args(more)
            .env("MIMALLOC_PURGE_DELAY", KEPT_MILLISECONDS.to_string());
        command
    };
    let mut list = vec![Engine::start("comfy-server", Results::Exact, ours(&[]))?];
    for (name, flag) in options.ways() {
        list.push(Engine::start(name, Results::Rounded, ours(&[flag]))?);
    }
    if let Some(python) = &options.pytorch {
        let mut command = Command::new(python);
        command
            .arg(crate::repository().join(PEER))
            .arg("serve")
            .arg(checkpoint);
        command.args(["--device", &options.torch_device, "--dtype", &options.dtype]);
        list.push(Engine::start("PyTorch", Results::Exact, command)?);
    }
    // It reads whole checkpoints alone.
    if let Some(program) = &options.sd_cpp
        && checkpoint == options.checkpoint
    {
        let mut command = Command::new(program);
        command.arg("serve").arg(checkpoint);
        list.push(Engine::start(SD_CPP, Results::TimesOnly, command)?);
    }
    Ok(list)
}

impl Engine {
    fn start(name: &str, results: Results, mut command: Command) -> anyhow::Result<Self> {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot run {name} as {}", command.get_program().display()))?;
        let input = process.stdin.take().context("the program has an input")?;
        let output = process.stdout.take().context("the program has an output")?;
        let mut engine = Self {
            name: name.to_owned(),
            description: String::new(),
            brain_rate: None,
            results,
            process,
            input,
            output: BufReader::new(output).lines(),
        };
        let ready = engine.hear()?;
        let text = |key: &str| ready[key].as_str().unwrap_or_default().to_owned();
        engine.description = format!("{}, {}", text("api"), text("device"));
        let rates = &ready["matrix_rates"];
        engine.brain_rate = rates["bfloat16"].as_f64();
        for (precision, rate) in rates.as_object().into_iter().flatten() {
            let rate = rate.as_f64().unwrap_or(f64::NAN) / TERA;
            let told = &mut engine.description;
            let _ = write!(told, "; a matrix product in {precision}: {rate:.2} TFLOP/s");
        }
        Ok(engine)
    }

    /// Whether it can do the work.
    pub(super) fn does(&self, work: &Work) -> bool {
        self.results != Results::TimesOnly
            || work.request["work"]
                .as_str()
                .is_some_and(|work| ["unet", "decode"].contains(&work))
    }

    /// One call.
    pub(super) fn compute(
        &mut self,
        work: &Work,
        output: Option<&Path>,
        profile: bool,
    ) -> anyhow::Result<Answer> {
        let mut request = work.request.clone();
        request["output"] = json!(output);
        request["profile"] = json!(profile);
        writeln!(self.input, "{request}")?;
        let answer = self
            .hear()
            .with_context(|| format!("while asked for {}", work.title))?;
        let operators = answer["operators"].as_array().into_iter().flatten();
        Ok(Answer {
            seconds: answer["seconds"]
                .as_f64()
                .context("an answer has no seconds")?,
            peak_mib: answer["peak_mib"].as_f64(),
            operators: operators
                .filter_map(|one| {
                    Some(Operator {
                        name: one[0].as_str()?.to_owned(),
                        calls: one[1].as_u64()?,
                        seconds: one[2].as_f64()?,
                        operations: one[3].as_f64().unwrap_or(0.0),
                    })
                })
                .collect(),
        })
    }

    fn hear(&mut self) -> anyhow::Result<Value> {
        let line = self
            .output
            .next()
            .with_context(|| format!("{} ended", self.name))??;
        serde_json::from_str(&line).with_context(|| format!("{} said `{line}`", self.name))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[cfg(all(test, feature = "generators"))]
mod tests {
    #[test]
    fn the_allocator_is_asked_as_by_the_server() {
        assert_eq!(
            super::KEPT_MILLISECONDS,
            comfy_server::allocator::KEPT_MILLISECONDS
        );
    }
}
