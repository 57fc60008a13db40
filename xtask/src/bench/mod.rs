//! Times our engine beside others, in turns, on the same weights and the same work.

#![allow(
    clippy::print_stdout,
    reason = "a program for developers that talks on the terminal"
)]

mod engine;
mod options;
mod pack;
mod picture;
mod plot;
mod report;
mod work;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use engine::{Engine, Results};
pub(crate) use options::HELP;
use options::Options;
use report::{Row, Table};
use work::Work;

/// What the results of two engines may differ by (relative, of Euclidean norms) where both compute in `f32`.
const TOLERANCE: f64 = 1e-3;

/// Runs the benchmark that the arguments describe.
pub(crate) fn run(arguments: &[&str]) -> anyhow::Result<()> {
    let options = Options::parse(arguments)?;
    if options.carried.is_none() {
        build(&options)?;
    }
    if let Some(folder) = &options.pack {
        return pack::pack(&options, folder);
    }
    let scratch = std::env::temp_dir().join(format!("comfy-bench-{}", std::process::id()));
    std::fs::create_dir_all(&scratch)?;
    let outcome = measure(&options, &scratch);
    std::fs::remove_dir_all(&scratch)?;
    let table = outcome?;
    println!("\n{}", table.markdown());
    if options.write {
        let docs = crate::repository().join("docs");
        std::fs::write(docs.join("speed-measured.md"), table.markdown())?;
        std::fs::write(docs.join("speed.svg"), plot::bars(&table))?;
    }
    Ok(())
}

fn measure(options: &Options, scratch: &Path) -> anyhow::Result<Table> {
    let mut table = Table::new(options);
    for (checkpoint, works) in options.plan(scratch)? {
        let mut engines = engine::all(options, &checkpoint)?;
        for engine in &engines {
            println!("{}: {}", engine.name, engine.description);
            table.describe(engine);
        }
        for work in works {
            let row = time(options, &mut engines, &work, scratch)?;
            println!("{row}");
            table.rows.push(row);
            if options.profile {
                let told = |engine: &&mut Engine| engine.results != Results::TimesOnly;
                for engine in engines.iter_mut().filter(told) {
                    println!("{}", report::operators(engine, &work)?);
                }
            }
        }
    }
    for picture in options.pictures() {
        let row = picture::time(options, &picture, scratch)?;
        println!("{row}");
        table.rows.push(row);
    }
    Ok(table)
}

/// One work on all engines: once to warm up and to compare the results, then in turns.
fn time(
    options: &Options,
    engines: &mut [Engine],
    work: &Work,
    scratch: &Path,
) -> anyhow::Result<Row> {
    let mut engines: Vec<_> = engines
        .iter_mut()
        .filter(|engine| engine.does(work))
        .collect();
    let mut row = Row::new(
        &work.title,
        engines.iter().map(|engine| engine.name.clone()),
    );
    let mut first: Option<Vec<f32>> = None;
    for engine in &mut engines {
        let file = scratch.join("result.f32");
        engine.compute(work, Some(&file), false)?;
        if engine.results == Results::TimesOnly {
            continue;
        }
        let result = work::read(&file)?;
        let Some(first) = &first else {
            // A call of its own: one that is measured operator by operator warms up other kernels than the timed ones need.
            let counted = engine.compute(work, None, true)?.operators;
            row.operations = counted.iter().map(|one| one.operations).sum();
            first = Some(result);
            continue;
        };
        let difference = work::relative_difference(&result, first)?;
        println!(
            "{}: {} differs by {difference:.1e} from the first",
            work.title, engine.name
        );
        ensure!(
            difference <= TOLERANCE || engine.results != Results::Exact || !options.is_exact(),
            "{}: {} gives other numbers, relative difference {difference:.3e}",
            work.title,
            engine.name
        );
    }
    for _ in 0..options.rounds {
        for (index, engine) in engines.iter_mut().enumerate() {
            let answer = engine.compute(work, None, false)?;
            row.add(index, answer.seconds, answer.peak_mib);
        }
    }
    Ok(row)
}

/// Compiles what is measured.
fn build(options: &Options) -> anyhow::Result<()> {
    let features = options.features.as_deref().unwrap_or_default();
    let qualified = |package: &str| {
        let names = features.split(',').filter(|name| !name.is_empty());
        names
            .map(|name| format!("{package}/{name}"))
            .collect::<Vec<_>>()
    };
    let server = ["-p", "comfy-server", "--bin", "comfy-server"];
    let speed = ["-p", "comfy-diffusion", "--example", "speed"];
    // Together, so that what they share is compiled once.
    let both = [qualified("comfy-server"), qualified("comfy-diffusion")].concat();
    cargo(options, &[server, speed].concat(), &both.join(","))?;
    if options.pack.is_some() {
        // The demo model is half of the packed program, and is not measured; our own program needs nothing of the server there.
        let bare = |program: [&'static str; 4]| [&program[..], &["--no-default-features"]].concat();
        cargo(options, &bare(server), &qualified("comfy-server").join(","))?;
        cargo(options, &bare(["-p", "xtask", "--bin", "xtask"]), "")?;
    }
    Ok(())
}

/// Compiles some programs.
fn cargo(options: &Options, programs: &[&str], features: &str) -> anyhow::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    command
        .arg("build")
        .args(programs)
        .args(["--features", features])
        .current_dir(crate::repository());
    if !options.dev {
        command.arg("--release");
    }
    let status = command.status().context("cannot run cargo")?;
    ensure!(status.success(), "cargo build failed");
    Ok(())
}
