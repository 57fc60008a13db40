//! Values whose type only their nodes know.

use crate::{Json, Socket, python};
use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A value on a wire, with its type erased. Cheap to clone.
#[derive(Clone)]
pub struct Value {
    wrapped: Arc<Wrapped<dyn Erased>>,
}

/// What all clones of a value share.
struct Wrapped<T: ?Sized> {
    identity: u64,
    content: T,
}

/// A [`Socket`] without its type.
trait Erased: Send + Sync {
    fn any(&self) -> &dyn Any;
    fn socket(&self) -> &'static str;
    fn json(&self) -> Option<Json>;
    fn description(&self) -> String;
    fn bytes(&self) -> usize;
}

impl<T: Socket> Erased for T {
    fn any(&self) -> &dyn Any {
        self
    }

    fn socket(&self) -> &'static str {
        T::TYPE
    }

    fn json(&self) -> Option<Json> {
        Socket::to_json(self)
    }

    fn description(&self) -> String {
        Socket::describe(self)
    }

    fn bytes(&self) -> usize {
        Socket::size(self)
    }
}

impl Value {
    /// Wraps a value. What is wrapped already stays as it is.
    pub fn new<T: Socket>(value: T) -> Self {
        static CREATED: AtomicU64 = AtomicU64::new(0);
        if let Some(wrapped) = (&value as &dyn Any).downcast_ref::<Self>() {
            return wrapped.clone();
        }
        let wrapped = Wrapped {
            identity: CREATED.fetch_add(1, Ordering::Relaxed),
            content: value,
        };
        Self {
            wrapped: Arc::new(wrapped),
        }
    }

    /// Nothing, as Python's `None`: an optional input takes it as not given.
    pub fn null() -> Self {
        Self::new(Plain(Json::Null))
    }

    /// Whether it is [`null`](Self::null).
    pub fn is_null(&self) -> bool {
        self.content::<Plain>()
            .is_some_and(|plain| plain.0.is_null())
    }

    fn content<T: Socket>(&self) -> Option<&T> {
        self.wrapped.content.any().downcast_ref()
    }

    /// The value as a `T`.
    ///
    /// Scalars convert to other Rust types of their kind, an `i64` to a `u32` that holds it; everything is a `Value`; other
    /// conversions are those of [`Socket::from_value`].
    pub fn get<T: Socket>(&self) -> Option<T> {
        if let Some(wrapped) = (self as &dyn Any).downcast_ref::<T>() {
            return Some(wrapped.clone());
        }
        match self.content::<T>() {
            Some(value) => Some(value.clone()),
            None => T::from_value(self),
        }
    }

    /// The value as plain JSON, for scalars, choices, lists and objects.
    pub fn to_json(&self) -> Option<Json> {
        self.wrapped.content.json()
    }

    /// The value as text for people: a scalar as Python's `str` writes it, anything else in the words of its type.
    pub fn describe(&self) -> String {
        match self.to_json() {
            Some(json) => python::text(&json),
            None => self.wrapped.content.description(),
        }
    }

    /// The name of its socket, such as `IMAGE`.
    pub fn socket(&self) -> &'static str {
        self.wrapped.content.socket()
    }

    /// How many bytes it holds, by its own account.
    pub fn size(&self) -> usize {
        self.wrapped.content.bytes()
    }

    /// A number that this value shares with its clones and with no other value of this process.
    pub fn identity(&self) -> u64 {
        self.wrapped.identity
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_json() {
            Some(json) => write!(formatter, "Value({} {json})", self.socket()),
            None => write!(formatter, "Value({})", self.socket()),
        }
    }
}

/// A socket that takes whatever comes; on the wire its type is `*`.
impl Socket for Value {
    const TYPE: &'static str = "*";

    /// A scalar as the value of its type; null, lists and objects as they are.
    fn from_json(json: &Json) -> Option<Self> {
        Some(match json {
            Json::Bool(value) => Self::new(*value),
            Json::String(value) => Self::new(value.clone()),
            Json::Number(number) => {
                let signed = number.as_i64().map(Self::new);
                let whole = signed.or_else(|| number.as_u64().map(Self::new));
                return whole.or_else(|| number.as_f64().map(Self::new));
            }
            Json::Null | Json::Array(_) | Json::Object(_) => Self::new(Plain(json.clone())),
        })
    }

    fn to_json(&self) -> Option<Json> {
        self.wrapped.content.json()
    }

    fn describe(&self) -> String {
        Self::describe(self)
    }

    fn size(&self) -> usize {
        Self::size(self)
    }
}

/// JSON that is no scalar.
#[derive(Clone)]
struct Plain(Json);

impl Socket for Plain {
    const TYPE: &'static str = "*";

    fn to_json(&self) -> Option<Json> {
        Some(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_is_a_value_and_never_wrapped_twice() {
        let value = Value::new(5_i64);
        assert_eq!(Value::new(value.clone()).socket(), "INT");
        let same = value.get::<Value>().expect("everything is a value");
        assert_eq!(same.get::<u32>(), Some(5));
        assert_eq!(same.get::<String>(), None);
        assert_eq!(same.identity(), value.identity());
        assert_ne!(same.identity(), Value::new(5_i64).identity());
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
            (Value::null(), "None"),
        ] {
            assert_eq!(value.describe(), text);
        }
    }

    #[test]
    fn json_becomes_values() {
        for (json, socket) in [
            (Json::from(true), "BOOLEAN"),
            (Json::from("text"), "STRING"),
            (Json::from(u64::MAX), "INT"),
            (Json::from(-1), "INT"),
            (Json::from(0.5), "FLOAT"),
            (json!([1, {"a": null}]), "*"),
            (Json::Null, "*"),
        ] {
            let value = <Value as Socket>::from_json(&json).expect("a value");
            assert_eq!(value.is_null(), json.is_null());
            assert_eq!((value.socket(), value.to_json()), (socket, Some(json)));
        }
        assert_eq!(Value::null().get::<i64>(), None);
    }

    #[test]
    fn a_socket_may_unite_several() {
        #[derive(Clone, Debug, PartialEq)]
        enum NumberOrText {
            Number(f64),
            Text(String),
        }
        impl Socket for NumberOrText {
            const TYPE: &'static str = "FLOAT,STRING";

            fn from_value(value: &Value) -> Option<Self> {
                let number = value.get().map(Self::Number);
                number.or_else(|| value.get().map(Self::Text))
            }
        }
        assert_eq!(
            Value::new(2_i64).get::<NumberOrText>(),
            Some(NumberOrText::Number(2.0))
        );
        assert_eq!(
            Value::new("a".to_owned()).get::<NumberOrText>(),
            Some(NumberOrText::Text("a".to_owned()))
        );
        assert_eq!(Value::new(true).get::<NumberOrText>(), None);
    }

    #[test]
    fn texts_are_as_big_as_they_are_long() {
        assert!(Value::new("x".repeat(1000)).size() >= 1000);
        assert_eq!(Value::new(1_u32).size(), 4);
    }
}
