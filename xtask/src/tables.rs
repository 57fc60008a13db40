//! The tables of docs/models.md and docs/sampling.md, which say what shows that something works: each test that they name must exist, and
//! nothing that the program lists may lack its row.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use comfy_graph::{Catalog, NodeRegistry};
use comfy_nodes::runtime::BuiltInLists;

/// The title of the column that names tests.
const TESTS: &str = "test";

/// The categories whose nodes have a row each.
const CATEGORY: &str = "sampling/custom_sampling";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(relative: &str) -> String {
    let path = root().join(relative);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// One line of a table: its cells, and the tests that it names, those of the row before where it says so.
struct Row {
    cells: Vec<String>,
    tests: Vec<String>,
}

/// The rows of all tables that name tests.
fn rows(document: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut names_tests = false;
    let mut before = "";
    for line in document.lines() {
        let Some(inner) = line
            .strip_prefix('|')
            .and_then(|line| line.strip_suffix('|'))
        else {
            before = line;
            continue;
        };
        let cells: Vec<String> = inner
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect();
        let last = cells.last().map_or("", String::as_str);
        if !before.starts_with('|') {
            names_tests = last == TESTS;
        } else if names_tests && !last.starts_with("---") {
            let mut tests = quoted(last);
            if last.starts_with("the same")
                && let Some(row) = rows.last()
            {
                tests.extend(row.tests.iter().cloned());
            }
            rows.push(Row { cells, tests });
        }
        before = line;
    }
    rows
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The names of all functions in the sources, and of all recorded workflows.
fn known_tests() -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    let mut folders: Vec<PathBuf> = ["crates", "fuzz/readers", "tests", "xtask"]
        .map(|folder| root().join(folder))
        .to_vec();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                if path.join("prompt.json").is_file() {
                    known.insert(entry.file_name().to_string_lossy().into_owned());
                }
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                let names = text.lines().filter_map(|line| {
                    let name = line.trim_start().strip_prefix("fn ")?;
                    name.split_once('(').map(|(name, _)| name.to_owned())
                });
                known.extend(names);
            }
        }
    }
    known
}

/// The words in backticks of one column of all rows.
fn column(rows: &[Row], index: usize) -> BTreeSet<String> {
    let cells = rows.iter().filter_map(|row| row.cells.get(index));
    cells.flat_map(|cell| quoted(cell)).collect()
}

fn missing(wanted: impl IntoIterator<Item = String>, found: &BTreeSet<String>) -> Vec<String> {
    let wanted = wanted.into_iter();
    wanted.filter(|name| !found.contains(name)).collect()
}

#[test]
fn every_test_of_the_tables_exists() {
    let known = known_tests();
    for document in ["docs/models.md", "docs/sampling.md"] {
        let rows = rows(&read(document));
        assert!(rows.len() > 30, "{document} has {} rows", rows.len());
        for row in &rows {
            let name = row.cells.first().map_or("", String::as_str);
            assert!(!row.tests.is_empty(), "{document}: {name} names no test");
            let unknown = missing(row.tests.iter().cloned(), &known);
            assert!(unknown.is_empty(), "{document}: {name}: {unknown:?}");
        }
    }
}

#[test]
fn every_sampler_and_scheduler_has_its_row() {
    let named = column(&rows(&read("docs/sampling.md")), 0);
    for list in ["samplers", "schedulers"] {
        let lacking = missing(BuiltInLists.list(list), &named);
        assert!(lacking.is_empty(), "{list}: {lacking:?}");
    }
}

#[test]
fn every_node_of_custom_sampling_has_its_row() {
    let named = column(&rows(&read("docs/sampling.md")), 0);
    let mut registry = NodeRegistry::new();
    comfy_nodes::register(&mut registry).expect("the built-in classes");
    let sampling = registry
        .iter()
        .filter(|(_, class)| class.template().category.starts_with(CATEGORY));
    let lacking = missing(sampling.map(|(id, _)| id.to_owned()), &named);
    assert!(lacking.is_empty(), "{lacking:?}");
}

#[test]
fn every_change_of_weights_has_its_row() {
    let rows = rows(&read("docs/models.md"));
    // The cases that were recorded, and the tensors that the reader knows.
    let bytes = comfy_fixtures::bytes("patches/kinds.safetensors");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let cases = text
        .split('"')
        .filter_map(|word| word.strip_suffix("/after"));
    let lacking = missing(cases.map(str::to_owned), &column(&rows, 1));
    assert!(lacking.is_empty(), "{lacking:?}");
    let source = read("crates/comfy-diffusion/src/weights/patch/adapter.rs");
    let list = source
        .split_once("const ENDINGS")
        .and_then(|(_, rest)| rest.split_once("];"));
    let (endings, _) = list.expect("the list of endings");
    let endings = endings.split('"').skip(1).step_by(2).map(str::to_owned);
    let lacking = missing(endings, &column(&rows, 2));
    assert!(lacking.is_empty(), "{lacking:?}");
}
