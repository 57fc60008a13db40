//! Whole numbers as wide as the nodes declare them.

use comfy_graph::{Json, Number, Socket, Widget};

/// A whole number on an `INT` wire: these nodes accept both signs of 64 bits, which neither `i64` nor `u64` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Whole(pub i128);

/// A setting of a [`Whole`].
#[derive(Debug, Clone, Copy)]
pub struct Bound(pub i128);

/// The greatest absolute value that these nodes declare.
pub(crate) const WIDEST: i128 = u64::MAX as i128;

impl From<Bound> for Json {
    /// A number beyond what JSON readers keep exactly becomes the nearest float.
    fn from(Bound(value): Bound) -> Self {
        let whole = i64::try_from(value).map(Self::from);
        whole
            .or_else(|_| u64::try_from(value).map(Self::from))
            .unwrap_or_else(|_| Self::from(value as f64))
    }
}

impl Socket for Whole {
    const TYPE: &'static str = "INT";

    fn from_json(json: &Json) -> Option<Self> {
        let signed = json.as_i64().map(i128::from);
        signed.or_else(|| json.as_u64().map(i128::from)).map(Self)
    }

    fn to_json(&self) -> Option<Json> {
        Some(Bound(self.0).into())
    }
}

impl Widget for Whole {
    type Setting = Bound;
}

impl Number for Whole {}

#[cfg(test)]
mod tests {
    use comfy_graph::Value;

    use super::*;

    #[test]
    fn whole_numbers_understand_the_other_ones() {
        assert_eq!(Value::new(-5_i64).get::<Whole>(), Some(Whole(-5)));
        assert_eq!(Value::new(u64::MAX).get::<Whole>(), Some(Whole(WIDEST)));
        assert_eq!(Value::new(Whole(7)).get::<u32>(), Some(7));
        assert_eq!(Value::new(0.5).get::<Whole>(), None);
    }
}
