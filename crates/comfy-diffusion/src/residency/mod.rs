//! What is loaded on a device, within a budget of memory, and how it is unloaded while handles to it stay valid.
//!
//! A handle ([`Resident`]) knows how to load its value and does so when it is first asked for. [`Residency`] is the list of all
//! handles of one device. Before a value is loaded, those that were used longest ago leave until there is room for it; what somebody
//! uses at that moment stays. A value for which there is not room enough even so gets what [`Room`] there is: as many of its [`Part`]s
//! as fit stay in memory, and the others are loaded each time they are used.

mod part;
mod resident;
mod room;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

pub(crate) use part::Part;
#[cfg(test)]
use part::Use;
pub use resident::Resident;
pub use room::Room;

use crate::device::{Keeping, MemoryPlan};
use crate::weights::Width;

/// Everything that may be loaded on one device. Clones are the same list.
#[derive(Clone)]
pub struct Residency {
    inner: Arc<Inner>,
    /// How weights are kept that are loaded through this handle.
    width: Width,
}

struct Inner {
    plan: MemoryPlan,
    /// How weights are kept of what is computed exactly.
    exact_width: Width,
    /// Gives memory that was freed back to the system.
    release: Box<dyn Fn() + Send + Sync>,
    slots: Mutex<Vec<Weak<dyn Unload>>>,
    /// The memory of each value that is there or being loaded.
    rooms: Mutex<Vec<Arc<Room>>>,
    /// Counts uses.
    clock: AtomicU64,
}

impl Default for Residency {
    /// Without a budget.
    fn default() -> Self {
        Self::new(MemoryPlan::UNLIMITED, Width::Single, || {})
    }
}

impl Residency {
    /// An empty list; what is loaded through this handle keeps its weights in `width`. `release` is called when values have left to make room.
    pub fn new(plan: MemoryPlan, width: Width, release: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            inner: Arc::new(Inner {
                plan,
                exact_width: width,
                release: Box::new(release),
                slots: Mutex::default(),
                rooms: Mutex::default(),
                clock: AtomicU64::new(0),
            }),
            width,
        }
    }

    /// The same list, for what keeps its weights in another width unless it is computed exactly.
    #[must_use]
    pub fn with_width(&self, width: Width) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            width,
        }
    }

    /// The rules it keeps.
    pub fn plan(&self) -> MemoryPlan {
        self.inner.plan
    }

    /// The bytes that loaded values take, those included that were unloaded while somebody still uses them.
    pub fn in_use(&self) -> u64 {
        sum(&mut self.rooms())
    }

    /// Lets values leave, those used longest ago first, until `wanted` bytes of the budget are free or all that is left is in use. Gives
    /// the bytes that are free then.
    pub fn make_room(&self, wanted: u64) -> u64 {
        self.clear(&mut self.rooms(), wanted)
    }

    /// Unloads everything and says how many values that were. A value that is in use at this moment is freed when its user is done.
    pub fn unload_all(&self) -> usize {
        // Unloading takes each value's own lock, which a load in progress holds: not while the list is locked.
        let slots = self.known();
        slots.iter().filter(|slot| slot.unload()).count()
    }

    /// The names of all loaded values, in the order in which their handles were made.
    pub fn loaded(&self) -> Vec<String> {
        let slots = self.known();
        slots.iter().filter_map(|slot| slot.loaded_name()).collect()
    }

    /// Makes room for a value that takes about `bytes`, and says how much it may have.
    fn admit(&self, bytes: u64, is_exact: bool) -> Arc<Room> {
        let mut rooms = self.rooms();
        let wanted = match self.inner.plan.keeping {
            Keeping::UntilRoomIsNeeded | Keeping::Everything => bytes,
            Keeping::OneModel | Keeping::NoParts => u64::MAX,
        };
        let free = self.clear(&mut rooms, wanted);
        let limit = match self.inner.plan.keeping {
            Keeping::NoParts => 0,
            _ => free,
        };
        let room = Arc::new(Room::reserved(limit, bytes, is_exact));
        rooms.push(Arc::clone(&room));
        room
    }

    /// Lets parts of a value that is short of room stay, if others have left since it was loaded.
    fn widen(&self, room: &Room) {
        if self.inner.plan.keeping != Keeping::NoParts {
            let free = self.inner.plan.budget.saturating_sub(self.in_use());
            // What is lent at this moment may be more than there is room for.
            if free > 0 {
                room.widen(free);
            }
        }
    }

    fn clear(&self, rooms: &mut Vec<Arc<Room>>, wanted: u64) -> u64 {
        let budget = self.inner.plan.budget;
        let mut free = budget.saturating_sub(sum(rooms));
        if free >= wanted || budget == u64::MAX {
            return free;
        }
        let mut slots = self.known();
        slots.sort_by_key(|slot| slot.last_use());
        let mut has_freed = false;
        for slot in slots {
            if free >= wanted {
                break;
            }
            if let Some(name) = slot.leave() {
                tracing::info!(%name, "unloaded to make room");
                has_freed = true;
                free = budget.saturating_sub(sum(rooms));
            }
        }
        if has_freed {
            (self.inner.release)();
        }
        free
    }

    /// The time of a use: later ones have larger numbers.
    fn tick(&self) -> u64 {
        self.inner.clock.fetch_add(1, Ordering::Relaxed)
    }

    fn list(&self, slot: Weak<dyn Unload>) {
        let mut slots = lock(&self.inner.slots);
        slots.retain(|slot| slot.strong_count() > 0);
        slots.push(slot);
    }

    fn known(&self) -> Vec<Arc<dyn Unload>> {
        let slots = lock(&self.inner.slots);
        slots.iter().filter_map(Weak::upgrade).collect()
    }

    fn rooms(&self) -> MutexGuard<'_, Vec<Arc<Room>>> {
        lock(&self.inner.rooms)
    }
}

impl fmt::Debug for Residency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Residency")
            .field("plan", &self.inner.plan)
            .field("slots", &lock(&self.inner.slots).len())
            .finish_non_exhaustive()
    }
}

/// What the values take; the rooms of those that are gone are forgotten.
fn sum(rooms: &mut Vec<Arc<Room>>) -> u64 {
    // One that is being loaded is known to its loader too.
    rooms.retain(|room| room.is_alive().unwrap_or(Arc::strong_count(room) > 1));
    rooms.iter().map(|room| room.claimed()).sum()
}

/// What the list needs of a slot, whatever its type.
trait Unload: Send + Sync {
    /// Drops the value; false if it was not loaded or cannot be loaded again.
    fn unload(&self) -> bool;
    /// Drops the value if that frees memory: if nobody uses it, and it can be loaded again. Gives its name.
    fn leave(&self) -> Option<String>;
    /// The name, if the value is loaded.
    fn loaded_name(&self) -> Option<String>;
    /// When it was last asked for.
    fn last_use(&self) -> u64;
}

/// A value is either there or not, so a panic elsewhere leaves nothing half-done behind the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests;
