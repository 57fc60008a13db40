//! Every reader on sound files and on thousands of unsound ones: no panic, an end, and no more memory than the size of a file excuses.
//!
//! `COMFY_FUZZ_SECONDS` tries each for so long, each time on other files; `COMFY_FUZZ_READER` names the only one to try.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, SystemTime};

use comfy_fuzz::READERS;
use comfy_fuzz::drive::{Effort, drive};
use comfy_fuzz::memory::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Where inputs at fault are kept.
const FOLDER: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/readers");

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// One test for all, as memory is counted for the whole process.
#[test]
fn every_reader_bears_anything() {
    let only = std::env::var("COMFY_FUZZ_READER").ok();
    let seconds = number("COMFY_FUZZ_SECONDS").map(Duration::from_secs);
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    for reader in READERS {
        if only.as_ref().is_some_and(|name| name != reader.name) {
            continue;
        }
        let effort = match seconds {
            Some(time) => Effort::For(time, now.as_nanos() as u64),
            None => Effort::Rounds(reader.rounds),
        };
        let begin = std::time::Instant::now();
        let count = drive(reader, effort, Path::new(FOLDER));
        eprintln!("{}: {count} inputs in {:.1?}", reader.name, begin.elapsed());
    }
    comfy_fuzz::tidy();
}

#[test]
fn every_reader_has_a_target_for_libfuzzer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz_targets");
    let files = std::fs::read_dir(&folder).expect("a folder of targets");
    let targets: BTreeSet<String> = files
        .filter_map(|file| Some(file.ok()?.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    let names: BTreeSet<String> = READERS
        .iter()
        .map(|reader| reader.name.to_owned())
        .collect();
    assert_eq!(targets, names);
    let manifest = std::fs::read_to_string(folder.join("../Cargo.toml")).expect("a manifest");
    for name in names {
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "{name} is not in fuzz/Cargo.toml"
        );
    }
}
