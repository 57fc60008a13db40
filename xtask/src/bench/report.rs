//! Tables of what was measured.

use std::fmt::{self, Write};

use super::engine::{Engine, TERA};
use super::options::Options;
use super::work::Work;

/// One work on all engines.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) title: String,
    pub(super) cells: Vec<Cell>,
    /// Multiplications and additions of the matrix products; none where they were not counted.
    pub(super) operations: f64,
}

/// One work on one engine.
#[derive(Debug)]
pub(super) struct Cell {
    pub(super) engine: String,
    seconds: Vec<f64>,
    peak_mib: Option<f64>,
}

impl Row {
    pub(super) fn new(title: &str, engines: impl Iterator<Item = String>) -> Self {
        let cell = |engine| Cell {
            engine,
            seconds: Vec::new(),
            peak_mib: None,
        };
        Self {
            title: title.to_owned(),
            cells: engines.map(cell).collect(),
            operations: 0.0,
        }
    }

    pub(super) fn add(&mut self, index: usize, seconds: f64, peak_mib: Option<f64>) {
        let cell = &mut self.cells[index];
        cell.seconds.push(seconds);
        cell.seconds.sort_by(f64::total_cmp);
        cell.peak_mib = peak_mib.or(cell.peak_mib);
    }
}

impl Cell {
    pub(super) fn median(&self) -> f64 {
        self.seconds[self.seconds.len() / 2]
    }

    /// Median, the range of all rounds, and the memory.
    fn text(&self) -> String {
        let (Some(least), Some(most)) = (self.seconds.first(), self.seconds.last()) else {
            return String::new();
        };
        let memory = self
            .peak_mib
            .map_or(String::new(), |peak| format!("; {peak:.0} MiB"));
        format!("{:.3} s ({least:.3}–{most:.3}){memory}", self.median())
    }
}

impl fmt::Display for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:", self.title)?;
        for cell in &self.cells {
            write!(formatter, " {} {};", cell.engine, cell.text())?;
        }
        Ok(())
    }
}

/// All rows, and what they were measured with.
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    facts: Vec<String>,
    /// What the machine has to give in matrix products of bf16, in operations a second.
    brain_rate: Option<f64>,
}

impl Table {
    pub(super) fn new(options: &Options) -> Self {
        let facts = vec![
            format!("Machine: {}", machine()),
            format!(
                "comfy-server {} ({})",
                env!("CARGO_PKG_VERSION"),
                if options.dev {
                    "without --release"
                } else {
                    "--release"
                }
            ),
            format!(
                "{} rounds in turns; of a picture none is begun after five minutes",
                options.rounds
            ),
        ];
        Self {
            rows: Vec::new(),
            facts,
            brain_rate: None,
        }
    }

    pub(super) fn describe(&mut self, engine: &Engine) {
        // Each checkpoint starts it anew.
        let start = format!("{}: ", engine.name);
        if !self.facts.iter().any(|fact| fact.starts_with(&start)) {
            self.facts.push(start + &engine.description);
        }
        self.brain_rate = self.brain_rate.or(engine.brain_rate);
    }

    /// The names of all engines, ours first.
    pub(super) fn engines(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for cell in self.rows.iter().flat_map(|row| &row.cells) {
            if !names.contains(&cell.engine.as_str()) {
                names.push(&cell.engine);
            }
        }
        names
    }

    pub(super) fn markdown(&self) -> String {
        let mut text = String::new();
        for fact in &self.facts {
            let _ = writeln!(text, "- {fact}");
        }
        let names = self.engines();
        let _ = writeln!(
            text,
            "\nSeconds: the median (and the range); the most memory the process has had. Ratios are to `{}`. Rates are of the matrix products' operations{}.\n",
            names.first().unwrap_or(&""),
            self.brain_rate
                .map_or("", |_| ", with their share of the machine's rate in bf16"),
        );
        let _ = writeln!(text, "| work | {} |", names.join(" | "));
        let _ = writeln!(text, "|---|{}", "---|".repeat(names.len()));
        for row in &self.rows {
            let cells = names.iter().enumerate().map(|(index, name)| {
                let cell = row.cells.iter().find(|cell| cell.engine == *name);
                let Some(cell) = cell else {
                    return String::new();
                };
                let mut text = cell.text();
                if row.operations > 0.0 {
                    let rate = row.operations / cell.median();
                    let _ = write!(text, ", {:.3} TFLOP/s", rate / TERA);
                    if let Some(most) = self.brain_rate {
                        let _ = write!(text, " ({:.1} %)", 100.0 * rate / most);
                    }
                }
                if index > 0 {
                    let ratio = row.cells[0].median() / cell.median();
                    let _ = write!(text, ", ratio {ratio:.2}");
                }
                text
            });
            let _ = writeln!(
                text,
                "| {} | {} |",
                row.title,
                cells.collect::<Vec<_>>().join(" | ")
            );
        }
        text
    }
}

/// How long each operator of an engine takes, the slowest first.
pub(super) fn operators(engine: &mut Engine, work: &Work) -> anyhow::Result<String> {
    const SHOWN: usize = 25;
    let answer = engine.compute(work, None, true)?;
    let mut text = format!("{}, {}: {:.3} s\n", work.title, engine.name, answer.seconds);
    let told: f64 = answer.operators.iter().map(|one| one.seconds).sum();
    let mut line = |name: &str, calls: &str, seconds: f64, rate: &str| {
        let share = 100.0 * seconds / answer.seconds;
        let _ = writeln!(
            text,
            "{share:5.1} % {seconds:8.4} s {rate:>14} {calls:>5} × {name}"
        );
    };
    for one in answer.operators.iter().take(SHOWN) {
        let rate = match one.operations / one.seconds / TERA {
            rate if rate > 0.0 => format!("{rate:.3} TFLOP/s"),
            _ => String::new(),
        };
        line(&one.name, &one.calls.to_string(), one.seconds, &rate);
    }
    line("everything else", "", answer.seconds - told, "");
    Ok(text)
}

/// The processor and how many threads it runs at a time.
fn machine() -> String {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let information = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let value = |key: &str| {
        let line = information.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let name = value("model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let kinds = ["avx2", "avx512f", "avx512_bf16", "amx_bf16"];
    let flags = value("flags").unwrap_or_default();
    let kinds: Vec<&str> = kinds
        .into_iter()
        .filter(|kind| flags.split(' ').any(|flag| flag == *kind))
        .collect();
    format!("{name}, {threads} threads, {}", kinds.join(" "))
}
