//! A part of a network, in memory as long as there is room for it.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use super::Room;
use crate::error::Result;
use crate::weights::{Place, Scope};

/// A part of a network that is loaded when it is used. Where the network has room for it, it stays; else it goes when its user is done,
/// and is loaded again the next time. What it computes is the same in both cases.
pub(crate) struct Part<T> {
    held: OnceLock<T>,
    place: Place,
    room: Arc<Room>,
    load: Load<T>,
}

type Load<T> = Box<dyn Fn(&Scope) -> Result<T> + Send + Sync>;

impl<T> Part<T> {
    /// The part that `load` makes of the tensors of `scope`. Nothing is read yet.
    pub(crate) fn new(
        scope: &Scope,
        load: impl Fn(&Scope) -> Result<T> + Send + Sync + 'static,
    ) -> Self {
        Self {
            held: OnceLock::new(),
            place: scope.place(),
            room: Arc::clone(scope.room()),
            load: Box::new(load),
        }
    }

    /// The part, loaded now if it is not there.
    ///
    /// # Errors
    ///
    /// What loading gives.
    pub(crate) fn get(&self) -> Result<Use<'_, T>> {
        if let Some(held) = self.held.get() {
            return Ok(Use::Held(held));
        }
        let own = Arc::new(Room::default());
        let value = (self.load)(&self.place.scope(&own))?;
        let bytes = own.used();
        if self.room.try_take(bytes) {
            return Ok(Use::Held(self.held.get_or_init(|| value)));
        }
        self.room.take(bytes);
        Ok(Use::Lent(Lent {
            value,
            bytes,
            room: Arc::clone(&self.room),
        }))
    }
}

impl<T> fmt::Debug for Part<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Part")
            .field("place", &self.place.prefix())
            .field("is_held", &self.held.get().is_some())
            .finish_non_exhaustive()
    }
}

/// A part in use.
pub(crate) enum Use<'a, T> {
    /// It stays when the use ends.
    Held(&'a T),
    /// It goes when the use ends.
    Lent(Lent<T>),
}

/// A part without room of its own.
pub(crate) struct Lent<T> {
    value: T,
    bytes: u64,
    room: Arc<Room>,
}

impl<T> Deref for Use<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Held(value) => value,
            Self::Lent(lent) => &lent.value,
        }
    }
}

impl<T> Drop for Lent<T> {
    fn drop(&mut self) {
        self.room.give_back(self.bytes);
    }
}
