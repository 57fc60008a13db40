//! What the benchmark needs on a machine that cannot build it.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use super::options::Options;

/// Unpacks and runs what lies beside it.
const RUN: &str = r#"#!/bin/sh
# Runs the benchmark on this machine, from the top of a checkout, with the programs that lie beside this file. Arguments are those of
# `cargo xtask bench`, but for the checkpoint, which is made here.
set -e
here=$(cd "$(dirname "$0")" && pwd)
programs=${TMPDIR:-/tmp}/comfy-bench-programs
mkdir -p "$programs"
if command -v xz >/dev/null; then
    xz -dc "$here/programs.tar.xz" | tar -x -C "$programs"
else
    python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1], "r|xz").extractall(sys.argv[2])' "$here/programs.tar.xz" "$programs"
fi
checkpoint=$(CARGO_MANIFEST_DIR="$PWD/tests/fixtures" "$programs/speed" --make sd15_full_fp16)
exec env CARGO_MANIFEST_DIR="$PWD/xtask" "$programs/xtask" bench "$checkpoint" --programs "$programs" "$@"
"#;

/// What the programs are packed into. They share most of their code, so they are compressed as one stream whose window holds them all.
const ARCHIVE: &str = "programs.tar.xz";
const WINDOW: &str = "--lzma2=preset=9,dict=512MiB";

/// Puts the programs into a folder, stripped and compressed, with a script that runs them.
pub(super) fn pack(options: &Options, folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let programs = options.programs();
    let names = ["comfy-server", "speed", "xtask"];
    let sources = [
        programs.join("comfy-server"),
        options.answering(),
        programs.join("xtask"),
    ];
    for (name, program) in names.iter().zip(&sources) {
        let target = folder.join(name);
        std::fs::copy(program, &target)
            .with_context(|| format!("cannot copy {}", program.display()))?;
        call(Command::new("strip").arg(&target))?;
    }
    let archive = folder.join(ARCHIVE);
    println!("{}: compressing takes minutes", archive.display());
    call(
        Command::new("tar")
            .arg(format!("--use-compress-program=xz -T1 {WINDOW}"))
            .arg("-cf")
            .arg(&archive)
            .arg("-C")
            .arg(folder)
            .args(names),
    )?;
    for name in names {
        std::fs::remove_file(folder.join(name))?;
    }
    let bytes = std::fs::metadata(&archive)?.len();
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    println!("{}: {mebibytes:.1} MiB", archive.display());
    std::fs::write(folder.join("run"), RUN)?;
    println!(
        "run it with `sh {}/run` from the top of a checkout",
        folder.display()
    );
    Ok(())
}

fn call(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.stdout(Stdio::null()).status();
    let status = status.with_context(|| format!("cannot run {name}"))?;
    ensure!(status.success(), "{name} failed: {status}");
    Ok(())
}
