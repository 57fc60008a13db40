//! The memory of one loaded value.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How much memory a loaded value may take and how much it takes, in bytes; and whether it must be exact.
///
/// What a value cannot do without it takes in any case; its [parts](super::Part) stay only while there is room for them.
pub struct Room {
    limit: AtomicU64,
    used: AtomicU64,
    /// What is kept free for it while it is being loaded.
    reserved: AtomicU64,
    /// Whether a part found no room.
    is_short: AtomicBool,
    /// Whether the value is still there; not known while it is being loaded.
    is_alive: OnceLock<Box<dyn Fn() -> bool + Send + Sync>>,
    /// Whether the value must be computed with exactly, however the device would do it otherwise.
    is_exact: bool,
}

impl Default for Room {
    /// Room for everything.
    fn default() -> Self {
        Self::new(u64::MAX)
    }
}

impl Room {
    /// Room for so many bytes.
    pub fn new(limit: u64) -> Self {
        Self {
            limit: AtomicU64::new(limit),
            used: AtomicU64::new(0),
            reserved: AtomicU64::new(0),
            is_short: AtomicBool::new(false),
            is_alive: OnceLock::new(),
            is_exact: false,
        }
    }

    /// As [`Room::new`], for a value that is being loaded and will take about `reserved` bytes.
    pub(super) fn reserved(limit: u64, reserved: u64, is_exact: bool) -> Self {
        Self {
            is_exact,
            reserved: AtomicU64::new(reserved.min(limit)),
            ..Self::new(limit)
        }
    }

    /// Whether the value must be computed with exactly.
    pub fn is_exact(&self) -> bool {
        self.is_exact
    }

    /// The bytes that are taken.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether not all parts of the value could stay.
    pub fn is_short(&self) -> bool {
        self.is_short.load(Ordering::Relaxed)
    }

    /// Takes memory whether there is room or not.
    pub(crate) fn take(&self, bytes: u64) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Takes memory if there is room.
    pub(super) fn try_take(&self, bytes: u64) -> bool {
        let limit = self.limit.load(Ordering::Relaxed);
        let fits = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= limit);
        let taken = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        if taken.is_err() {
            self.is_short.store(true, Ordering::Relaxed);
        }
        taken.is_ok()
    }

    pub(super) fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Lets parts that found no room try again, `more` bytes beyond what is taken.
    pub(super) fn widen(&self, more: u64) {
        let limit = self.used().saturating_add(more);
        self.limit.fetch_max(limit, Ordering::Relaxed);
    }

    /// From now on what is taken counts, as long as `is_alive` says that the value is there.
    pub(super) fn settle(&self, is_alive: impl Fn() -> bool + Send + Sync + 'static) {
        self.reserved.store(0, Ordering::Relaxed);
        // It is asked once, by the one who loaded the value.
        let _ = self.is_alive.set(Box::new(is_alive));
    }

    /// Whether the value is there; `None` while it is being loaded.
    pub(super) fn is_alive(&self) -> Option<bool> {
        self.is_alive.get().map(|is_alive| is_alive())
    }

    /// What nobody else can have.
    pub(super) fn claimed(&self) -> u64 {
        self.used().max(self.reserved.load(Ordering::Relaxed))
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Room")
            .field("limit", &self.limit)
            .field("used", &self.used)
            .finish_non_exhaustive()
    }
}
