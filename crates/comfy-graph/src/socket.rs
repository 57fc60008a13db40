//! Types of values that travel along the wires of a graph.

use crate::{Catalog, Json, Value, python_json};
use std::any::Any;

/// A value that travels along a wire.
///
/// Types with a [`from_json`](Self::from_json) can also be typed into a widget.
pub trait Socket: Any + Send + Sync + Clone {
    /// The name on the wire, such as `IMAGE`. `*` fits every socket; `A,B` fits both.
    const TYPE: &'static str;

    /// The list of the [`Catalog`] that has the choices of a combo; errors name the folders in which it was looked for.
    const LIST: Option<&'static str> = None;

    /// Reads a widget value; `None` when `json` is not of this type or out of its range.
    ///
    /// Validation has converted the value before: an `INT` comes as a number, a `STRING` as a string.
    fn from_json(json: &Json) -> Option<Self> {
        let _ = json;
        None
    }

    /// The widget value for `self`, by which sockets of one wire type but of different Rust types understand each other.
    fn to_json(&self) -> Option<Json> {
        None
    }

    /// Reads what came along a wire as another Rust type; `None` when it cannot be used.
    ///
    /// The default goes through JSON, so that all numbers understand each other. A type that unites several, whose
    /// [`TYPE`](Self::TYPE) is `A,B`, asks for each of them.
    fn from_value(value: &Value) -> Option<Self> {
        Self::from_json(&value.to_json()?)
    }

    /// A few words for people about a value without a widget, such as its shape.
    fn describe(&self) -> String {
        Self::TYPE.to_owned()
    }

    /// How many bytes the value holds, so that a cache can be bounded. What is shared with other values counts in each.
    fn size(&self) -> usize {
        size_of::<Self>()
    }

    /// The choices of a combo; on the wire the list then takes the place of [`TYPE`](Self::TYPE).
    fn choices(catalog: &dyn Catalog) -> Option<Vec<String>> {
        Self::LIST.map(|list| catalog.list(list))
    }
}

/// A socket with a widget.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no widget, so it has no `default`",
    label = "values of this type only come along wires"
)]
pub trait Widget: Socket {
    /// The type in which a node declares settings such as the default.
    ///
    /// For `f32` that is `f64`, so that `0.1` reaches clients as `0.1` and not as `0.10000000149011612`; for `String` it is
    /// `&'static str`.
    type Setting: Into<Json>;
}

/// A widget with a range.
#[diagnostic::on_unimplemented(
    message = "`min`, `max`, `step` and `round` are for numbers, not for `{Self}`",
    label = "not a number"
)]
pub trait Number: Widget {}

macro_rules! scalar {
    ($rust:ty, $wire:literal, $setting:ty, $read:expr, $write:expr) => {
        impl Socket for $rust {
            const TYPE: &'static str = $wire;

            fn from_json(json: &Json) -> Option<Self> {
                let read: fn(&Json) -> Option<Self> = $read;
                read(json)
            }

            fn to_json(&self) -> Option<Json> {
                let write: fn(&Self) -> Json = $write;
                Some(write(self))
            }
        }

        impl Widget for $rust {
            type Setting = $setting;
        }
    };
}

scalar!(i64, "INT", i64, Json::as_i64, |value| Json::from(*value));
scalar!(u64, "INT", u64, Json::as_u64, |value| Json::from(*value));
scalar!(
    i32,
    "INT",
    i32,
    |json| json.as_i64()?.try_into().ok(),
    |value| Json::from(*value)
);
scalar!(
    u32,
    "INT",
    u32,
    |json| json.as_u64()?.try_into().ok(),
    |value| Json::from(*value)
);
scalar!(f64, "FLOAT", f64, python_json::as_f64, |value| {
    python_json::from_f64(*value)
});
scalar!(
    f32,
    "FLOAT",
    f64,
    |json| python_json::as_f64(json).map(|value| value as f32),
    |value| python_json::from_f64(f64::from(*value))
);
scalar!(bool, "BOOLEAN", bool, truth, |value| Json::from(*value));
impl Socket for String {
    const TYPE: &'static str = "STRING";

    fn from_json(json: &Json) -> Option<Self> {
        json.as_str().map(str::to_owned)
    }

    fn to_json(&self) -> Option<Json> {
        Some(Json::from(self.as_str()))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.len()
    }
}

impl Widget for String {
    type Setting = &'static str;
}

/// A truth value, or a number that is not 0: what comes along a wire of any type is taken as Python takes it.
fn truth(json: &Json) -> Option<bool> {
    let number = || python_json::as_f64(json).map(|number| number != 0.0);
    json.as_bool().or_else(number)
}

impl Number for i64 {}
impl Number for u64 {}
impl Number for i32 {}
impl Number for u32 {}
impl Number for f64 {}
impl Number for f32 {}
