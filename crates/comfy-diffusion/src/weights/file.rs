//! One file of weights.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::{Bound, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use memmap2::Mmap;
#[cfg(unix)]
use memmap2::{Advice, UncheckedAdvice};
use rayon::prelude::*;
use safetensors::Dtype;

use super::element::{self, Halves};
use super::header::{self, Declaration, Fault, Header};
use super::pickle::{self, Found};
use super::scale;
use super::scope::Scope;
#[cfg(unix)]
use crate::device::MachineMemory;
use crate::error::{Error, Result};

/// A file of weights, mapped into memory: safetensors, or what PyTorch pickled. What it says of its tensors is read and checked; they
/// themselves are read when asked for. Cheap to clone.
#[derive(Clone)]
pub struct Weights {
    path: PathBuf,
    tensors: Arc<BTreeMap<String, Tracked>>,
    metadata: Arc<BTreeMap<String, String>>,
}

/// Where the bytes are.
enum Content {
    Mapped(Mmap),
    Owned(Vec<u8>),
}

/// What a file says of itself.
struct Parsed {
    tensors: BTreeMap<String, Tracked>,
    metadata: BTreeMap<String, String>,
}

fn parse(file: &Arc<Content>) -> Result<Parsed, Fault> {
    let bytes = file.bytes();
    if pickle::is_pickled(bytes) && !header::is_json(bytes) {
        let contents = pickle::read(bytes)?;
        let buffers = contents.buffers.into_iter().map(Content::Owned);
        let buffers: Vec<_> = buffers.map(Arc::new).collect();
        let track = |found: Found| {
            let source = found.buffer.map_or(file, |index| &buffers[index]);
            (found.name, Tracked::new(found.declaration, source))
        };
        return Ok(Parsed {
            tensors: contents.tensors.into_iter().map(track).collect(),
            metadata: contents.facts.into_iter().collect(),
        });
    }
    let header = Header::read(bytes)?;
    let track = |(name, declaration)| (name, Tracked::new(declaration, file));
    Ok(Parsed {
        tensors: header.tensors.into_iter().map(track).collect(),
        metadata: header.metadata,
    })
}

/// A tensor, and whether anything has asked for it.
struct Tracked {
    declaration: Declaration,
    /// What its bytes are in: the file, or what could not be read in place.
    source: Arc<Content>,
    /// Whether it is read with its two dimensions exchanged.
    is_transposed: bool,
    used: AtomicBool,
}

/// How a tensor is read in [another arrangement](Weights::arranged).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum View {
    /// As it is.
    Whole,
    /// Some of its rows: a range of the first dimension.
    Rows(Range<usize>),
    /// With its two dimensions exchanged.
    Transposed,
}

impl Weights {
    /// Opens a file and reads its header.
    pub fn open(path: &Path) -> Result<Self> {
        let io = |source| Error::Io {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if !metadata.is_file() {
            return Err(io(std::io::Error::new(
                std::io::ErrorKind::InvalidInput,
                "not a file",
            )));
        }
        if metadata.len() == 0 {
            return Err(Error::NotSafetensors {
                path: path.to_owned(),
                reason: "it is empty".to_owned(),
            });
        }
        let content = Arc::new(Content::Mapped(map(&file).map_err(io)?));
        let weights = Self::read(path, &content)?;
        read_ahead(content);
        Ok(weights)
    }

    /// Weights held in memory, in the format of the file; `name` stands for the path in messages.
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Self> {
        Self::read(Path::new(name), &Arc::new(Content::Owned(bytes)))
    }

    fn read(path: &Path, content: &Arc<Content>) -> Result<Self> {
        let path = path.to_owned();
        match parse(content) {
            Ok(parsed) => Ok(Self {
                path,
                tensors: Arc::new(parsed.tensors),
                metadata: Arc::new(parsed.metadata),
            }),
            Err(Fault::NotSafetensors(reason)) => Err(Error::NotSafetensors {
                path,
                reason: shortened(reason),
            }),
            Err(Fault::Damaged(reason)) => Err(Error::DamagedWeights {
                path,
                reason: shortened(reason),
            }),
            Err(Fault::Refused(name)) => Err(Error::RefusedPickle {
                path,
                name: shortened(name),
            }),
        }
    }

    /// The same tensors under other names. Where two get the same one, the last by its old name is kept.
    #[must_use]
    pub fn renamed(self, rename: impl Fn(&str) -> String) -> Self {
        self.arranged(|name, _| vec![(rename(name), View::Whole)])
    }

    /// The same tensors in another arrangement: `place` gives for a name and a shape the names and the views that take the tensor's
    /// place. A view that the shape does not allow is left out.
    #[must_use]
    pub fn arranged(self, place: impl Fn(&str, &[usize]) -> Vec<(String, View)>) -> Self {
        let mut tensors = BTreeMap::new();
        for (name, tensor) in &*self.tensors {
            for (name, view) in place(name, &tensor.declaration.shape) {
                if let Some(tensor) = tensor.view(view) {
                    tensors.insert(name, tensor);
                }
            }
        }
        let tensors = Arc::new(tensors);
        Self { tensors, ..self }
    }

    /// These tensors, and those of another file whose names these have not. The path in messages is that of these.
    #[must_use]
    pub fn over(&self, others: &Self) -> Self {
        let all = others.tensors.iter().chain(&*self.tensors);
        let copy = |(name, tensor): (&String, &Tracked)| (name.clone(), tensor.copy());
        Self {
            path: self.path.clone(),
            tensors: Arc::new(all.map(copy).collect()),
            metadata: Arc::clone(&self.metadata),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's free text, by key.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The scope of all names.
    pub fn root(&self) -> Scope<'_> {
        Scope::root(self)
    }

    /// The names that start with `prefix`, sorted.
    pub fn names<'a, 'p>(&'a self, prefix: &'p str) -> impl Iterator<Item = &'a str> + use<'a, 'p> {
        self.tensors
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .map(|(name, _)| name.as_str())
            .take_while(move |name| name.starts_with(prefix))
    }

    /// Whether there is a tensor of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The shape of a tensor, without counting it as used.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors
            .get(name)
            .map(|tensor| tensor.declaration.shape.as_slice())
    }

    /// The element type of a tensor.
    pub fn element(&self, name: &str) -> Option<Dtype> {
        self.tensors
            .get(name)
            .map(|tensor| tensor.declaration.element)
    }

    /// The stored bytes of all tensors below `prefix`, in total.
    pub fn stored_bytes(&self, prefix: &str) -> usize {
        self.names(prefix)
            .filter_map(|name| self.tensors.get(name))
            .map(|tensor| tensor.declaration.bytes.len())
            .sum()
    }

    /// The values of a tensor in C order; integers and small floats are converted.
    pub fn values(&self, name: &str) -> Result<Vec<f32>> {
        let Some(tensor) = self.tensors.get(name) else {
            return Err(self.missing(name));
        };
        tensor.used.store(true, Ordering::Relaxed);
        let declaration = &tensor.declaration;
        let values = self.decode(name, declaration.element, tensor.stored())?;
        tensor.forget();
        Ok(match *declaration.shape.as_slice() {
            [rows, columns] if tensor.is_transposed => transposed(&values, rows, columns),
            _ => values,
        })
    }

    /// The values of a tensor in C order, if they are stored as 16-bit floats.
    pub(super) fn halves(&self, name: &str) -> Result<Option<Halves>> {
        let Some(tensor) = self.tensors.get(name) else {
            return Err(self.missing(name));
        };
        if tensor.is_transposed {
            return Ok(None);
        }
        let halves = element::halves(tensor.declaration.element, tensor.stored());
        if halves.as_ref().is_some_and(Halves::have_nan) {
            return Err(self.not_numbers(name));
        }
        if halves.is_some() {
            tensor.used.store(true, Ordering::Relaxed);
            tensor.forget();
        }
        Ok(halves)
    }

    /// Some rows of a tensor of two dimensions, one after the other, as [`Weights::values`] would give them; the rest is not read.
    pub fn rows(&self, name: &str, rows: &[usize]) -> Result<Vec<f32>> {
        let Some(tensor) = self.tensors.get(name) else {
            return Err(self.missing(name));
        };
        tensor.used.store(true, Ordering::Relaxed);
        let declaration = &tensor.declaration;
        let ([count, _], false) = (declaration.shape.as_slice(), tensor.is_transposed) else {
            return Err(self.shape_error(name, "two dimensions, stored by rows"));
        };
        let count = *count;
        let stored = tensor.stored();
        let row_bytes = stored.len() / count.max(1);
        let mut picked = Vec::with_capacity(row_bytes * rows.len());
        for &row in rows {
            if row >= count {
                return Err(self.shape_error(name, format!("more than {row} rows")));
            }
            picked.extend_from_slice(&stored[row * row_bytes..(row + 1) * row_bytes]);
        }
        self.decode(name, declaration.element, &picked)
    }

    fn decode(&self, name: &str, element: Dtype, bytes: &[u8]) -> Result<Vec<f32>> {
        let mut values = element::decode(element, bytes).ok_or_else(|| Error::TensorElement {
            path: self.path.clone(),
            name: name.to_owned(),
            element: element.to_string(),
        })?;
        if let Some(scale) = scale::name_for(self, name, element) {
            let scale = self.values(&scale)?.first().copied().unwrap_or(1.0);
            for value in &mut values {
                *value *= scale;
            }
        }
        // One value that is none would make every picture black, without a word on where it came from.
        if values.par_iter().any(|value| value.is_nan()) {
            return Err(self.not_numbers(name));
        }
        Ok(values)
    }

    fn not_numbers(&self, name: &str) -> Error {
        Error::NotNumbers {
            path: self.path.clone(),
            name: name.to_owned(),
        }
    }

    /// The error for a tensor whose shape breaks a rule.
    pub(super) fn shape_error(&self, name: &str, expected: impl Into<String>) -> Error {
        Error::TensorShape {
            path: self.path.clone(),
            name: name.to_owned(),
            expected: expected.into(),
            found: self.shape(name).unwrap_or_default().to_vec(),
        }
    }

    /// The names below `prefix` that nothing has read so far, sorted. To be asked once the model below `prefix` is built.
    pub fn unused<'a, 'p>(
        &'a self,
        prefix: &'p str,
    ) -> impl Iterator<Item = &'a str> + use<'a, 'p> {
        self.names(prefix).filter(|name| {
            self.tensors
                .get(*name)
                .is_some_and(|tensor| !tensor.used.load(Ordering::Relaxed))
        })
    }

    /// Counts a tensor as used though its values are not needed.
    pub(super) fn mark_used(&self, name: &str) {
        if let Some(tensor) = self.tensors.get(name) {
            tensor.used.store(true, Ordering::Relaxed);
        }
    }

    /// The error for a tensor that is not there, with what is there in its place.
    pub(super) fn missing(&self, name: &str) -> Error {
        const SHOWN: usize = 4;
        let place = name.rsplit_once('.').map_or("", |(place, _)| place);
        let prefix = if place.is_empty() {
            String::new()
        } else {
            format!("{place}.")
        };
        let mut nearby: Vec<_> = self
            .names(&prefix)
            .take(SHOWN + 1)
            .map(|name| format!("`{name}`"))
            .collect();
        let more = nearby.len() > SHOWN;
        nearby.truncate(SHOWN);
        let nearby = match (nearby.is_empty(), place.is_empty()) {
            (true, true) => "; it has none at all".to_owned(),
            (true, false) => format!("; it has nothing below `{place}`"),
            (false, _) => format!(
                "; in its place are {}{}",
                nearby.join(", "),
                if more { ", …" } else { "" }
            ),
        };
        Error::MissingTensor {
            path: self.path.clone(),
            name: name.to_owned(),
            nearby,
        }
    }
}

impl std::fmt::Debug for Weights {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Weights")
            .field("path", &self.path)
            .field("tensors", &self.tensors.len())
            .finish_non_exhaustive()
    }
}

impl Content {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Owned(bytes) => bytes,
        }
    }
}

impl Tracked {
    fn new(declaration: Declaration, source: &Arc<Content>) -> Self {
        Self {
            declaration,
            source: Arc::clone(source),
            is_transposed: false,
            used: AtomicBool::new(false),
        }
    }

    /// The bytes as they are stored.
    fn stored(&self) -> &[u8] {
        &self.source.bytes()[self.declaration.bytes.clone()]
    }

    /// Lets the system take back the memory that shows the bytes, which would count as ours until the file is closed. They stay in the
    /// system's cache of files.
    fn forget(&self) {
        if let Content::Mapped(map) = &*self.source {
            forget(map, &self.declaration.bytes);
        }
    }

    fn copy(&self) -> Self {
        Self {
            declaration: self.declaration.clone(),
            source: Arc::clone(&self.source),
            is_transposed: self.is_transposed,
            used: AtomicBool::new(self.used.load(Ordering::Relaxed)),
        }
    }

    /// The tensor as the view shows it; nothing where its shape does not allow the view.
    fn view(&self, view: View) -> Option<Self> {
        let mut tensor = self.copy();
        let declaration = &mut tensor.declaration;
        match view {
            View::Whole => {}
            View::Rows(rows) => {
                let count = *declaration.shape.first()?;
                if tensor.is_transposed || rows.start > rows.end || rows.end > count || count == 0 {
                    return None;
                }
                let row_bytes = declaration.bytes.len() / count;
                let start = declaration.bytes.start + rows.start * row_bytes;
                declaration.bytes = start..start + rows.len() * row_bytes;
                declaration.shape[0] = rows.len();
            }
            View::Transposed => {
                let [_, _] = *declaration.shape.as_slice() else {
                    return None;
                };
                declaration.shape.reverse();
                tensor.is_transposed = !tensor.is_transposed;
            }
        }
        Some(tensor)
    }
}

/// A text that quotes a file, which may have put anything there, as far as people would read it.
fn shortened(mut text: String) -> String {
    const MOST: usize = 1000;
    if text.len() > MOST {
        text.truncate(text.floor_char_boundary(MOST));
        text.push('…');
    }
    text
}

/// `[rows, columns]` in C order, from what is stored as `[columns, rows]`.
fn transposed(stored: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut values = Vec::with_capacity(stored.len());
    for row in 0..rows {
        values.extend((0..columns).map(|column| stored[column * rows + row]));
    }
    values
}

#[expect(
    unsafe_code,
    reason = "mapping a file is unsafe by nature; reading two gigabytes into memory instead would double what a model takes"
)]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the map is read-only and its bytes are only ever copied out, as plain integers, so any content is sound. What stays is
    // another process cutting the file short while it is mapped, which ends the process with a bus error; weights are replaced by
    // renaming, not by writing into them, and every program that maps them takes this for granted.
    unsafe { Mmap::map(file) }
}

/// Files below this are read when they are needed.
const READ_AHEAD: usize = 32 << 20;

/// Lets the system bring a large file into its cache while something else is computed, such as the text encoder, which is small, while
/// the network that comes next is read. Where the machine has not twice the room, pages would be gone again before they are needed.
#[cfg(unix)]
fn read_ahead(content: Arc<Content>) {
    let length = content.bytes().len();
    if length < READ_AHEAD || MachineMemory::measure().available / 2 < length as u64 {
        return;
    }
    let read = move || {
        if let Content::Mapped(map) = &*content
            && let Err(error) = map.advise(Advice::WillNeed)
        {
            tracing::debug!(%error, "the system reads the file only when it is needed");
        }
    };
    // It reads the same without.
    let _ = std::thread::Builder::new()
        .name("comfy read ahead".to_owned())
        .spawn(read);
}

#[cfg(not(unix))]
fn read_ahead(_: Arc<Content>) {}

#[cfg(unix)]
#[expect(
    unsafe_code,
    reason = "advice that may throw away what was written to memory is unsafe by nature"
)]
fn forget(map: &Mmap, range: &Range<usize>) {
    // SAFETY: nothing is ever written to this map, which shows a file: a page that is thrown away is read from the file again.
    let advice =
        unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, range.start, range.len()) };
    // A system that does not take advice has more memory in use, and is right otherwise.
    if let Err(error) = advice {
        tracing::debug!(%error, "the system keeps the memory of a file that has been read");
    }
}

#[cfg(not(unix))]
fn forget(_: &Mmap, _: &Range<usize>) {}
