//! What is asked of mimalloc, where a program has it as its allocator.

use libmimalloc_sys::{mi_collect, mi_option_set, mi_option_t, mi_option_use_numa_nodes};

/// How long freed memory is kept for the next who needs some, in milliseconds. A call of a large network takes seconds and frees and needs
/// the same sizes again; what the system has taken back meanwhile has to be cleared and mapped anew, page by page.
pub const KEPT_MILLISECONDS: i32 = 10_000;

/// The binding has no name for it; it is the option before this one in both versions of mimalloc that the binding comes with.
const PURGE_DELAY: mi_option_t = mi_option_use_numa_nodes - 1;

/// Keeps memory that was freed for [a while](KEPT_MILLISECONDS).
#[expect(unsafe_code, reason = "the allocator's options are C's")]
pub fn keep_memory() {
    // SAFETY: options may be set at any time by any thread.
    unsafe { mi_option_set(PURGE_DELAY, KEPT_MILLISECONDS.into()) }
}

/// Gives what is free back to the system, all at once.
#[expect(unsafe_code, reason = "the allocator's functions are C's")]
pub fn give_memory_back() {
    // SAFETY: any thread may collect; it touches what is free alone.
    unsafe { mi_collect(true) }
}

#[cfg(test)]
#[expect(unsafe_code, reason = "the allocator's options are C's")]
mod tests {
    use libmimalloc_sys::mi_option_get;

    use super::*;

    #[test]
    fn the_number_is_that_of_the_delay() {
        // SAFETY: options may be read at any time by any thread.
        let delay = || unsafe { mi_option_get(PURGE_DELAY) };
        // The options beside it are 1 and 0 unless somebody has set them.
        assert_eq!(delay(), 1000);
        keep_memory();
        assert_eq!(delay(), 10_000);
        give_memory_back();
    }
}
