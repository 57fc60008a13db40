//! Values whose type only their nodes know.

use crate::{Json, Socket, python};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// A value on a wire, with its type erased. Cheap to clone.
#[derive(Clone)]
pub struct Value {
    socket: &'static str,
    any: Arc<dyn Any + Send + Sync>,
    json: fn(&(dyn Any + Send + Sync)) -> Option<Json>,
    description: fn(&(dyn Any + Send + Sync)) -> Option<String>,
}

impl Value {
    /// Wraps a value. What is wrapped already stays as it is.
    pub fn new<T: Socket>(value: T) -> Self {
        if let Some(wrapped) = (&value as &dyn Any).downcast_ref::<Self>() {
            return wrapped.clone();
        }
        Self {
            socket: T::TYPE,
            any: Arc::new(value),
            json: |any| any.downcast_ref::<T>().and_then(Socket::to_json),
            description: |any| any.downcast_ref::<T>().map(Socket::describe),
        }
    }

    /// The value as a `T`.
    ///
    /// Scalars convert to other Rust types of their kind, an `i64` to a `u32` that holds it; everything is a `Value`; `None`
    /// for anything else.
    pub fn get<T: Socket>(&self) -> Option<T> {
        if let Some(wrapped) = (self as &dyn Any).downcast_ref::<T>() {
            return Some(wrapped.clone());
        }
        match self.any.downcast_ref::<T>() {
            Some(value) => Some(value.clone()),
            None => T::from_json(&self.to_json()?),
        }
    }

    /// The value as plain JSON, for scalars and choices.
    pub fn to_json(&self) -> Option<Json> {
        (self.json)(self.any.as_ref())
    }

    /// The value as text for people: a scalar as Python's `str` writes it, anything else in the words of its type.
    pub fn describe(&self) -> String {
        match self.to_json() {
            Some(json) => python::text(&json),
            None => (self.description)(self.any.as_ref()).unwrap_or_else(|| self.socket.to_owned()),
        }
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

    /// A scalar as the value of its type; lists and objects are no values.
    fn from_json(json: &Json) -> Option<Self> {
        match json {
            Json::Bool(value) => Some(Self::new(*value)),
            Json::String(value) => Some(Self::new(value.clone())),
            Json::Number(number) => {
                let signed = number.as_i64().map(Self::new);
                let whole = signed.or_else(|| number.as_u64().map(Self::new));
                whole.or_else(|| number.as_f64().map(Self::new))
            }
            Json::Null | Json::Array(_) | Json::Object(_) => None,
        }
    }

    fn to_json(&self) -> Option<Json> {
        (self.json)(self.any.as_ref())
    }

    fn describe(&self) -> String {
        Self::describe(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_a_value_and_never_wrapped_twice() {
        let value = Value::new(5_i64);
        assert_eq!(Value::new(value.clone()).socket(), "INT");
        let same = value.get::<Value>().expect("everything is a value");
        assert_eq!(same.get::<u32>(), Some(5));
        assert_eq!(same.get::<String>(), None);
    }

    #[test]
    fn values_describe_themselves() {
        #[derive(Clone)]
        struct Wire;
        impl Socket for Wire {
            const TYPE: &'static str = "WIRE";
        }
        for (value, text) in [
            (Value::new(true), "True"),
            (Value::new(1.0), "1.0"),
            (Value::new("as it is".to_owned()), "as it is"),
            (Value::new(Wire), "WIRE"),
            (Value::new(Value::new(5_i64)), "5"),
        ] {
            assert_eq!(value.describe(), text);
        }
    }

    #[test]
    fn scalars_become_values_of_their_types() {
        for (json, socket) in [
            (Json::from(true), "BOOLEAN"),
            (Json::from("text"), "STRING"),
            (Json::from(u64::MAX), "INT"),
            (Json::from(-1), "INT"),
            (Json::from(0.5), "FLOAT"),
        ] {
            let value = <Value as Socket>::from_json(&json).expect("a scalar");
            assert_eq!((value.socket(), value.to_json()), (socket, Some(json)));
        }
        assert!(<Value as Socket>::from_json(&Json::Null).is_none());
    }
}
