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

use super::header::{Declaration, Fault};
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
}

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
