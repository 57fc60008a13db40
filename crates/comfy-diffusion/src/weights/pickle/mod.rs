//! Weights that PyTorch saved with Python's pickle: `.ckpt`, `.pt`, `.pth`, `.bin`.
//!
//! A pickle is a small program. [`machine`] runs it with a short list of names that it may use, none of which does anything, so a
//! file can say where its tensors lie and nothing else. What holds pickle and tensors together is a zip archive ([`archive`]), or in
//! old files a row of pickles with the tensors behind them ([`legacy`]).

mod archive;
mod known;
mod legacy;
mod machine;
mod state;

use super::header::{self, Declaration, Fault};
use machine::{Machine, Value};
use state::TensorView;

/// A tensor, and which buffer its bytes are in: none for the file itself.
pub(super) struct Found {
    pub(super) name: String,
    pub(super) declaration: Declaration,
    pub(super) buffer: Option<usize>,
}

/// What a file holds, and what had to be unpacked or put in order.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) tensors: Vec<Found>,
    pub(super) buffers: Vec<Vec<u8>>,
    /// What the file says besides: texts and numbers by name.
    pub(super) facts: Vec<(String, String)>,
    /// Bytes that were unpacked, and those that were put in order.
    unpacked_bytes: usize,
    ordered_bytes: usize,
}

/// Bytes of tensors that are put in order, for each byte of storages. Two views of one storage are met with; many of them are made to
/// fill memory.
const MAX_ORDERED_RATIO: usize = 2;

/// Bytes that may be put in order whatever the size of the file.
const FREE_ORDERED_BYTES: usize = 16 << 20;

/// Whether a file is a zip archive or begins with a pickle.
pub(super) fn is_pickled(file: &[u8]) -> bool {
    file.starts_with(b"PK\x03\x04") || matches!(file, [0x80, 2..=5, ..])
}

/// Reads where the tensors of a file lie. Never panics, whatever the bytes, and runs nothing of them.
pub(super) fn read(file: &[u8]) -> Result<Contents, Fault> {
    if file.starts_with(b"PK") {
        archive::read(file)
    } else {
        legacy::read(file)
    }
}

/// Where the bytes of a storage lie.
struct Storage {
    buffer: Option<usize>,
    bytes: std::ops::Range<usize>,
}

impl Contents {
    /// Adds a tensor that is a view of a storage, put in order if the view is not in C order.
    fn add(
        &mut self,
        file: &[u8],
        name: String,
        view: &TensorView,
        storage: &Storage,
    ) -> Result<(), Fault> {
        let fault = |reason: String| Fault::Damaged(format!("tensor `{name}` {reason}"));
        let size = view.element.bytes();
        let count = view
            .shape
            .iter()
            .try_fold(1_usize, |product, &extent| product.checked_mul(extent))
            .ok_or_else(|| {
                fault(format!(
                    "claims shape {:?}, more than any file can hold",
                    view.shape
                ))
            })?;
        header::check_extents(&name, &view.shape, count)?;
        let available = storage.bytes.len() / size;
        let last = view
            .last_index()
            .ok_or_else(|| fault("has offsets beyond measure".to_owned()))?;
        if count > 0 && last >= available {
            return Err(fault(format!(
                "of shape {:?} reaches element {last} of a storage of {available}",
                view.shape
            )));
        }
        let (buffer, bytes) = if count == 0 {
            (None, 0..0)
        } else if view.is_contiguous() {
            let start = storage.bytes.start + view.offset * size;
            (storage.buffer, start..start + count * size)
        } else {
            if count > available {
                return Err(fault(format!(
                    "of shape {:?} repeats the {available} elements of its storage",
                    view.shape
                )));
            }
            self.ordered_bytes = self.ordered_bytes.saturating_add(count * size);
            let stored = file.len().saturating_add(self.unpacked_bytes);
            let limit = stored.saturating_mul(MAX_ORDERED_RATIO);
            if self.ordered_bytes > limit.saturating_add(FREE_ORDERED_BYTES) {
                return Err(fault(format!(
                    "and others are views of the same storages, more than {MAX_ORDERED_RATIO} times what the file has"
                )));
            }
            let source = self.bytes(file, storage);
            let ordered = view.ordered(source, size);
            self.buffers.push(ordered);
            (Some(self.buffers.len() - 1), 0..count * size)
        };
        self.tensors.push(Found {
            declaration: Declaration {
                element: view.element.dtype(),
                shape: view.shape.clone(),
                bytes,
            },
            name,
            buffer,
        });
        Ok(())
    }

    /// Keeps what was unpacked, and says where it lies.
    fn keep(&mut self, unpacked: Vec<u8>) -> Storage {
        let bytes = 0..unpacked.len();
        self.unpacked_bytes = self.unpacked_bytes.saturating_add(unpacked.len());
        self.buffers.push(unpacked);
        Storage {
            buffer: Some(self.buffers.len() - 1),
            bytes,
        }
    }

    fn bytes<'a>(&'a self, file: &'a [u8], storage: &Storage) -> &'a [u8] {
        let whole = match storage.buffer {
            None => file,
            Some(index) => self.buffers.get(index).map_or(&[][..], Vec::as_slice),
        };
        whole.get(storage.bytes.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
