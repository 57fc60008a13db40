//! What hooks remember while one latent is sampled.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::random::TorchGenerator;

/// The place of one value in every [`Memory`]. Hooks are shared and do not change; they keep a key, and the value in the
/// memory of the run. Hooks that work together share a clone of a key.
pub struct Key<T> {
    id: u64,
    value: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    /// A key that differs from all others.
    #[expect(clippy::new_without_default, reason = "two defaults would differ")]
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            value: PhantomData,
        }
    }
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        Self {
            id: self.id,
            value: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Key<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Key({})", self.id)
    }
}

/// What lasts as long as one run of a sampler.
pub struct Memory {
    values: Mutex<BTreeMap<u64, Box<dyn Any + Send>>>,
    generator: Mutex<TorchGenerator>,
}

impl Memory {
    /// Empty, with the generator that hooks draw from.
    pub fn new(generator: TorchGenerator) -> Self {
        Self {
            values: Mutex::default(),
            generator: Mutex::new(generator),
        }
    }

    /// The value, if there is one.
    pub fn get<T: Clone + Send + 'static>(&self, key: &Key<T>) -> Option<T> {
        lock(&self.values).get(&key.id)?.downcast_ref().cloned()
    }

    /// Keeps a value, in the place of an earlier one.
    pub fn set<T: Send + 'static>(&self, key: &Key<T>, value: T) {
        lock(&self.values).insert(key.id, Box::new(value));
    }

    /// Takes the value away.
    pub fn take<T: Send + 'static>(&self, key: &Key<T>) -> Option<T> {
        let value = lock(&self.values).remove(&key.id)?;
        value.downcast().ok().map(|value| *value)
    }

    /// Draws random numbers. The generator goes on where the initial noise ended.
    pub fn draw<T>(&self, draw: impl FnOnce(&mut TorchGenerator) -> T) -> T {
        draw(&mut lock(&self.generator))
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Memory")
            .field("values", &lock(&self.values).len())
            .finish_non_exhaustive()
    }
}

/// A value is either there or not, so a panic elsewhere leaves nothing half-done behind the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{Key, Memory};
    use crate::random::TorchGenerator;

    #[test]
    fn keys_are_places_of_their_own() {
        let memory = Memory::new(TorchGenerator::new(1));
        let (first, second) = (Key::new(), Key::new());
        memory.set(&first, 1);
        memory.set(&second, 2);
        memory.set(&first.clone(), 3);
        assert_eq!(
            (memory.get(&first), memory.get(&second)),
            (Some(3), Some(2))
        );
        assert_eq!((memory.take(&first), memory.get(&first)), (Some(3), None));
    }

    #[test]
    fn draws_go_on() {
        let memory = Memory::new(TorchGenerator::new(1));
        let mut generator = TorchGenerator::new(1);
        for _ in 0..2 {
            assert_eq!(memory.draw(TorchGenerator::next_u32), generator.next_u32());
        }
    }
}
