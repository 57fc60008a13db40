//! The command line of the benchmark.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

use super::engine::PEER;
use super::picture::Picture;
use super::work::{self, Work};

/// How the benchmark is called.
pub(crate) const HELP: &str = "\
cargo xtask bench CHECKPOINT [OPTIONS]
                              time our engine on a checkpoint of SD1.5, in turns with:
    --pytorch PYTHON          PyTorch, by an interpreter with torch, diffusers, transformers and safetensors
    --comfyui CHECKOUT        ComfyUI, from the process's start to the picture, on PYTHON of --pytorch, which needs all that it does
    --sd-cpp PROGRAM          stable-diffusion.cpp, by the program that xtask/src/bench/peer.cpp is compiled to
    --bf16                    ourselves with --bf16-unet
    --fp32                    ourselves with --fp32-unet; on a graphics card f16 is the default
    --sdxl FILE               also call a UNet of SDXL; the file is made with PyTorch if it is not there
    --device DEVICE           our device (cpu)
    --torch-device DEVICE     PyTorch's device (cpu)
    --dtype DTYPE             PyTorch's precision (float32)
    --rounds N                how often each work is timed (5)
    --only TEXT               works whose name has this in it
    --operators               how long each operator takes, too
    --features FEATURES       features of our crates to build with, such as vulkan
    --dev                     build without --release
    --pack DIR                build, and put the programs into a folder that can be carried to a machine without Rust, with a script
                              `run`, which takes these options but makes the checkpoint itself; nothing is timed here
    --programs DIR            take the programs from a folder, and build nothing
    --write                   write docs/speed-measured.md and docs/speed.svg";

/// What the command line says.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent flags of a command line"
)]
pub(super) struct Options {
    pub(super) checkpoint: PathBuf,
    pub(super) pytorch: Option<String>,
    pub(super) comfyui: Option<PathBuf>,
    pub(super) sd_cpp: Option<String>,
    pub(super) bf16: bool,
    pub(super) fp32: bool,
    pub(super) sdxl: Option<PathBuf>,
    pub(super) device: String,
    pub(super) torch_device: String,
    pub(super) dtype: String,
    pub(super) rounds: usize,
    pub(super) only: Option<String>,
    pub(super) profile: bool,
    pub(super) features: Option<String>,
    pub(super) dev: bool,
    pub(super) write: bool,
    /// Where to put the programs, instead of timing anything.
    pub(super) pack: Option<PathBuf>,
    /// Where programs are that were built elsewhere.
    pub(super) carried: Option<PathBuf>,
}

impl Options {
    pub(super) fn parse(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut options = Self {
            checkpoint: PathBuf::new(),
            pytorch: None,
            comfyui: None,
            sd_cpp: None,
            bf16: false,
            fp32: false,
            sdxl: None,
            device: "cpu".to_owned(),
            torch_device: "cpu".to_owned(),
            dtype: "float32".to_owned(),
            rounds: 5,
            only: None,
            profile: false,
            features: None,
            dev: false,
            write: false,
            pack: None,
            carried: None,
        };
        let mut words = arguments.iter();
        while let Some(&word) = words.next() {
            let mut value = || {
                let value = words
                    .next()
                    .with_context(|| format!("expected a value after {word}"));
                value.map(|text| (*text).to_owned())
            };
            match word {
                "--pytorch" => options.pytorch = Some(value()?),
                "--comfyui" => options.comfyui = Some(value()?.into()),
                "--sd-cpp" => options.sd_cpp = Some(value()?),
                "--sdxl" => options.sdxl = Some(value()?.into()),
                "--device" => options.device = value()?,
                "--torch-device" => options.torch_device = value()?,
                "--dtype" => options.dtype = value()?,
                "--rounds" => {
                    options.rounds = value()?
                        .parse()
                        .context("expected a number after --rounds")?;
                }
                "--only" => options.only = Some(value()?),
                "--features" => options.features = Some(value()?),
                "--bf16" => options.bf16 = true,
                "--fp32" => options.fp32 = true,
                "--pack" => options.pack = Some(value()?.into()),
                "--programs" => options.carried = Some(value()?.into()),
                "--operators" => options.profile = true,
                "--dev" => options.dev = true,
                "--write" => options.write = true,
                path if !path.starts_with('-') && options.checkpoint.as_os_str().is_empty() => {
                    options.checkpoint = path.into();
                }
                _ => bail!("unexpected argument `{word}`:\n{HELP}"),
            }
        }
        ensure!(
            options.checkpoint.is_file() || options.pack.is_some(),
            "expected the file of a checkpoint, got `{}`:\n{HELP}",
            options.checkpoint.display()
        );
        ensure!(options.rounds > 0, "expected at least one round");
        ensure!(
            options.comfyui.is_none() || options.pytorch.is_some(),
            "expected --pytorch beside --comfyui, for the interpreter"
        );
        if options.pack.is_none() {
            options.checkpoint = std::path::absolute(&options.checkpoint)?;
        }
        Ok(options)
    }

    /// Whether all engines compute in `f32`, so that their results are to be the same.
    pub(super) fn is_exact(&self) -> bool {
        self.dtype == "float32" && self.device == "cpu"
    }

    /// The checkpoints, each with the works on it.
    pub(super) fn plan(&self, scratch: &Path) -> anyhow::Result<Vec<(PathBuf, Vec<Work>)>> {
        let on_card = self.device != "cpu";
        let mut plan = vec![(self.checkpoint.clone(), work::of_sd15(scratch, on_card)?)];
        if let Some(file) = &self.sdxl {
            if !file.is_file() {
                let python = self.pytorch.as_ref().context(
                    "the file of --sdxl is not there, and without --pytorch it cannot be made",
                )?;
                let status = Command::new(python)
                    .arg(crate::repository().join(PEER))
                    .arg("sdxl")
                    .arg(file)
                    .status();
                ensure!(
                    status.context("cannot run PyTorch")?.success(),
                    "PyTorch did not make {}",
                    file.display()
                );
            }
            plan.push((std::path::absolute(file)?, work::of_sdxl(scratch, on_card)?));
        }
        for (_, works) in &mut plan {
            works.retain(|work| self.wants(&work.title));
        }
        plan.retain(|(_, works)| !works.is_empty());
        Ok(plan)
    }

    /// Whole pictures, each by a process of its own.
    pub(super) fn pictures(&self) -> Vec<Picture> {
        let mut list = if self.device == "cpu" {
            vec![
                Picture::new(256, 4),
                Picture::new(256, 4).cold(),
                Picture::new(512, 20),
            ]
        } else {
            vec![Picture::new(512, 20)]
        };
        list.retain(|picture| self.wants(&picture.title()));
        list
    }

    /// Our own ways to compute beside the default: the name, and the flag for it.
    pub(super) fn ways(&self) -> Vec<(&'static str, &'static str)> {
        let ways = [
            (self.bf16, ("comfy-server, bf16", "--bf16-unet")),
            (self.fp32, ("comfy-server, f32", "--fp32-unet")),
        ];
        let wanted = ways.into_iter().filter(|(is_wanted, _)| *is_wanted);
        wanted.map(|(_, way)| way).collect()
    }

    /// The program that answers requests.
    pub(super) fn answering(&self) -> PathBuf {
        let folder = self.programs();
        match self.carried {
            Some(_) => folder.join("speed"),
            None => folder.join("examples/speed"),
        }
    }

    fn wants(&self, title: &str) -> bool {
        self.only
            .as_ref()
            .is_none_or(|only| title.contains(only.as_str()))
    }

    /// The folder of our programs: that which cargo puts them into, or one that was carried here.
    pub(super) fn programs(&self) -> PathBuf {
        if let Some(folder) = &self.carried {
            return folder.clone();
        }
        let target = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| crate::repository().join("target"), PathBuf::from);
        target.join(if self.dev { "debug" } else { "release" })
    }
}
