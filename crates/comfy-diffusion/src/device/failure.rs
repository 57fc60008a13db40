//! Telling what a device's failure means.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::error::{Error, Result};

/// How the tensor library and the drivers below it say that memory does not suffice.
const OUT_OF_MEMORY: [&str; 4] = [
    "out of memory",
    "out-of-memory",
    "out of device memory",
    "can't allocate buffer",
];

/// The error for a device that says `message` when it is asked to do something.
pub(crate) fn failed(doing: &str, message: &str) -> Error {
    let first = message.lines().next().unwrap_or_default();
    if is_out_of_memory(message) {
        Error::OutOfMemory(format!("{doing}: {first}"))
    } else {
        Error::Device(format!("cannot {doing}: {message}"))
    }
}

/// Runs a computation. Where the tensor library panics because memory does not suffice, that is an [`Error::OutOfMemory`]; other panics
/// go on.
pub(crate) fn guarded<T>(doing: &str, compute: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(compute)).unwrap_or_else(|panic| match message_of(&*panic) {
        Some(message) if is_out_of_memory(message) => Err(failed(doing, message)),
        _ => resume_unwind(panic),
    })
}

fn is_out_of_memory(message: &str) -> bool {
    let message = message.to_lowercase();
    OUT_OF_MEMORY.iter().any(|words| message.contains(words))
}

fn message_of(panic: &(dyn Any + Send)) -> Option<&str> {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_of_memory_is_told_from_other_failures() {
        let allocation = guarded::<()>("decode", || panic!("can't allocate buffer of size: 12"));
        assert!(matches!(allocation, Err(Error::OutOfMemory(text)) if text.starts_with("decode")));
        let read = failed(
            "read a tensor",
            "Out of device memory allocating 7 bytes\n<backtrace>",
        );
        assert!(matches!(read, Error::OutOfMemory(text) if !text.contains("backtrace")));
        assert!(matches!(failed("read", "lost"), Error::Device(_)));
        let other = catch_unwind(|| guarded::<()>("decode", || panic!("a bug")));
        assert!(other.is_err());
    }
}
