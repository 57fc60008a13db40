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
for file in "$here"/*.xz; do
    program=$programs/$(basename "$file" .xz)
    if command -v xz >/dev/null; then
        xz -dc "$file" >"$program"
    else
        python3 -c 'import lzma, shutil, sys; shutil.copyfileobj(lzma.open(sys.argv[1]), open(sys.argv[2], "wb"))' "$file" "$program"
    fi
    chmod +x "$program"
done
checkpoint=$(CARGO_MANIFEST_DIR="$PWD/tests/fixtures" "$programs/speed" --make sd15_full_fp16)
exec env CARGO_MANIFEST_DIR="$PWD/xtask" "$programs/xtask" bench "$checkpoint" --programs "$programs" "$@"
"#;

/// Puts the programs into a folder, stripped and compressed, with a script that runs them.
pub(super) fn pack(options: &Options, folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let programs = options.programs();
    for (name, program) in [
        ("speed", programs.join("examples/speed")),
        ("comfy-server", programs.join("comfy-server")),
        ("xtask", programs.join("xtask")),
    ] {
        let target = folder.join(name);
        std::fs::copy(&program, &target)
            .with_context(|| format!("cannot copy {}", program.display()))?;
        call(Command::new("strip").arg(&target))?;
        call(
            Command::new("xz")
                .args(["--force", "-T0", "-9"])
                .arg(&target),
        )?;
        let packed = folder.join(format!("{name}.xz"));
        let bytes = std::fs::metadata(&packed)?.len();
        println!(
            "{}: {:.1} MiB",
            packed.display(),
            bytes as f64 / f64::from(1 << 20)
        );
    }
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
