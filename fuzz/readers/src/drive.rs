//! Trying a reader for a while.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use crate::Reader;
use crate::memory;
use crate::mutate::{Random, changed};

/// What takes longer is taken for endless. Readers need milliseconds, so that a busy machine does not matter.
const PATIENCE: Duration = Duration::from_mins(2);

/// Memory that each byte of input excuses.
const BYTES_FOR_EACH: usize = 128;

/// How long a reader is tried.
#[derive(Debug, Clone, Copy)]
pub enum Effort {
    /// The same inputs each time, in a few seconds.
    Rounds(u32),
    /// Other inputs, from this number, for a time.
    For(Duration, u64),
}

/// What is being read: its input lies in a file, in case it ends the process.
struct Running {
    since: Instant,
    input: PathBuf,
}

static RUNNING: Mutex<Option<Running>> = Mutex::new(None);
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn running() -> MutexGuard<'static, Option<Running>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tries a reader on its seeds and then on changed ones, and panics when it panics, takes too much memory or does not end. The input at
/// fault is kept in `folder`, also when the process comes to its end. Gives the number of inputs.
///
/// One at a time: memory and panics are counted for the whole process.
pub fn drive(reader: &Reader, effort: Effort, folder: &Path) -> u64 {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    watch();
    fs::create_dir_all(folder)
        .unwrap_or_else(|error| panic!("cannot make {}: {error}", folder.display()));
    let seeds = (reader.seeds)();
    assert!(
        !seeds.is_empty(),
        "{} has nothing to start from",
        reader.name
    );
    let input = folder.join(reader.name);
    for seed in &seeds {
        judge(reader, seed, &input);
    }
    let begin = Instant::now();
    let (first, rounds, time) = match effort {
        Effort::Rounds(rounds) => (1, u64::from(rounds), Duration::MAX),
        Effort::For(time, first) => (first, u64::MAX, time),
    };
    let mut random = Random::new(first);
    let mut count = 0;
    while count < rounds && begin.elapsed() < time {
        judge(reader, &changed(&seeds, &mut random), &input);
        count += 1;
    }
    let _ = fs::remove_file(&input);
    count + seeds.len() as u64
}

/// Reads one input.
fn judge(reader: &Reader, bytes: &[u8], input: &Path) {
    fs::write(input, bytes)
        .unwrap_or_else(|error| panic!("cannot write {}: {error}", input.display()));
    *running() = Some(Running {
        since: Instant::now(),
        input: input.to_owned(),
    });
    let panics = PANICS.load(Ordering::Relaxed);
    let (outcome, peak) =
        memory::peak_of(|| catch_unwind(AssertUnwindSafe(|| (reader.read)(bytes))));
    *running() = None;
    let panicked = outcome.is_err() || PANICS.load(Ordering::Relaxed) > panics;
    assert!(
        !panicked,
        "{} panics on {}",
        reader.name,
        kept(input).display()
    );
    let allowed = (reader.mebibytes << 20) + bytes.len() * BYTES_FOR_EACH;
    assert!(
        peak <= allowed,
        "{} takes {peak} bytes for {} of input, and {allowed} are allowed: {}",
        reader.name,
        bytes.len(),
        kept(input).display()
    );
}

/// Gives the file of an input at fault a name that nothing overwrites.
fn kept(input: &Path) -> PathBuf {
    let kept = (0..10_000)
        .map(|number| input.with_extension(format!("{number}.bad")))
        .find(|path| !path.exists())
        .unwrap_or_else(|| input.to_owned());
    let _ = fs::rename(input, &kept);
    kept
}

/// Counts panics of all threads, those that somebody catches too, and ends the process when a reader does not.
fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.fetch_add(1, Ordering::Relaxed);
            usual(panic);
        }));
        std::thread::spawn(|| {
            loop {
                std::thread::sleep(Duration::from_secs(1));
                if let Some(running) = &*running()
                    && running.since.elapsed() > PATIENCE
                {
                    let input = running.input.display();
                    eprintln!("{input} has been read for {PATIENCE:?} without end");
                    std::process::abort();
                }
            }
        });
    });
}
