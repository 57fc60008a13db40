//! Values whose type only their nodes know.

use crate::{Json, Socket};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// A value on a wire, with its type erased. Cheap to clone.
#[derive(Clone)]
pub struct Value {
    socket: &'static str,
    any: Arc<dyn Any + Send + Sync>,
    json: fn(&(dyn Any + Send + Sync)) -> Option<Json>,
}

impl Value {
    /// Wraps a value.
    pub fn new<T: Socket>(value: T) -> Self {
        Self {
            socket: T::TYPE,
            any: Arc::new(value),
            json: |any| any.downcast_ref::<T>().and_then(Socket::to_json),
        }
    }

    /// The value as a `T`.
    ///
    /// Scalars convert to other Rust types of their kind, an `i64` to a `u32` that holds it; `None` for anything else.
    pub fn get<T: Socket>(&self) -> Option<T> {
        match self.any.downcast_ref::<T>() {
            Some(value) => Some(value.clone()),
            None => T::from_json(&self.to_json()?),
        }
    }

    /// The value as plain JSON, for scalars and choices.
    pub fn to_json(&self) -> Option<Json> {
        (self.json)(self.any.as_ref())
    }

    /// The name of its socket, such as `IMAGE`.
    pub fn socket(&self) -> &'static str {
        self.socket
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_json() {
            Some(json) => write!(formatter, "Value({} {json})", self.socket),
            None => write!(formatter, "Value({})", self.socket),
        }
    }
}

/// A socket that takes whatever comes; on the wire its type is `*`.
impl Socket for Value {
    const TYPE: &'static str = "*";
}
