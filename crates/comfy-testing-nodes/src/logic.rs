//! Arithmetic, comparisons and truth values.

use comfy_graph::{Choice, Json, Node, NodeContext, NodeError, NodeSpec, Value, python_json};
use comfy_nodes::sockets::{Image, Mask};
use regex::RegexBuilder;

use crate::MODULE;
use crate::numbers::{Bound, WIDEST, Whole};

/// What [`IntMathOperation`] computes.
#[derive(Debug, Clone, Copy, Choice)]
pub enum Operation {
    /// a + b
    #[choice("add")]
    Add,
    /// a − b
    #[choice("subtract")]
    Subtract,
    /// a · b
    #[choice("multiply")]
    Multiply,
    /// The greatest whole number that is not above a ∕ b.
    #[choice("divide")]
    Divide,
    /// What that division leaves; it has the sign of b.
    #[choice("modulo")]
    Modulo,
    /// a to the power of b.
    #[choice("power")]
    Power,
}

/// Computes with two whole numbers.
#[derive(Debug, NodeSpec)]
#[node(id = "TestIntMathOperation", name = "Int Math Operation", category = "Testing/Logic", module = MODULE)]
pub struct IntMathOperation {
    /// The first number.
    #[input(default = Bound(0), min = Bound(-WIDEST), max = Bound(WIDEST), step = Bound(1))]
    a: Whole,
    /// The second number.
    #[input(default = Bound(0), min = Bound(-WIDEST), max = Bound(WIDEST), step = Bound(1))]
    b: Whole,
    /// What to compute.
    operation: Operation,
}

impl Node for IntMathOperation {
    type Output = Whole;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Whole, NodeError> {
        let (Whole(a), Whole(b)) = (self.a, self.b);
        if b == 0 && matches!(self.operation, Operation::Divide | Operation::Modulo) {
            let message = format_args!("expected a divisor other than 0 for {a}");
            return Err(NodeError::failed("ZeroDivisionError", message));
        }
        let result = match self.operation {
            Operation::Add => a.checked_add(b),
            Operation::Subtract => a.checked_sub(b),
            Operation::Multiply => a.checked_mul(b),
            Operation::Divide => floor_division(a, b).map(|(quotient, _)| quotient),
            Operation::Modulo => floor_division(a, b).map(|(_, rest)| rest),
            Operation::Power => {
                let exponent = u32::try_from(b).map_err(|_| {
                    NodeError::value(format_args!(
                        "expected an exponent from 0 to {}, got {b}",
                        u32::MAX
                    ))
                })?;
                a.checked_pow(exponent)
            }
        };
        result.map(Whole).ok_or_else(|| {
            let message = format_args!("expected a result of at most 128 bits from {a} and {b}");
            NodeError::failed("OverflowError", message)
        })
    }
}

/// Quotient and rest of a division that rounds down; none when the quotient is too large.
fn floor_division(a: i128, b: i128) -> Option<(i128, i128)> {
    let (quotient, rest) = (a.checked_div(b)?, a.checked_rem(b)?);
    let is_rounded_up = rest != 0 && (rest < 0) != (b < 0);
    Some(if is_rounded_up {
        (quotient - 1, rest + b)
    } else {
        (quotient, rest)
    })
}

/// How two numbers are compared.
#[derive(Debug, Clone, Copy, Choice)]
pub enum Comparison {
    /// They are equal.
    #[choice("==")]
    Equal,
    /// They differ.
    #[choice("!=")]
    Unequal,
    /// The first is less.
    #[choice("<")]
    Less,
    /// The first is greater.
    #[choice(">")]
    Greater,
    /// The first is less, or they are equal.
    #[choice("<=")]
    LessOrEqual,
    /// The first is greater, or they are equal.
    #[choice(">=")]
    GreaterOrEqual,
}

impl Comparison {
    fn holds<T: PartialOrd>(self, a: &T, b: &T) -> bool {
        match self {
            Self::Equal => a == b,
            Self::Unequal => a != b,
            Self::Less => a < b,
            Self::Greater => a > b,
            Self::LessOrEqual => a <= b,
            Self::GreaterOrEqual => a >= b,
        }
    }
}

/// Compares two whole numbers.
#[derive(Debug, NodeSpec)]
#[node(id = "TestIntConditions", name = "Int Condition", category = "Testing/Logic", module = MODULE)]
pub struct IntConditions {
    /// The first number.
    #[input(default = Bound(0), min = Bound(-WIDEST), max = Bound(WIDEST), step = Bound(1))]
    a: Whole,
    /// The second number.
    #[input(default = Bound(0), min = Bound(-WIDEST), max = Bound(WIDEST), step = Bound(1))]
    b: Whole,
    /// How they are compared.
    operation: Comparison,
}

impl Node for IntConditions {
    type Output = bool;

    fn run(self, _: &mut NodeContext<'_>) -> Result<bool, NodeError> {
        Ok(self.operation.holds(&self.a, &self.b))
    }
}

/// Compares two numbers.
#[derive(Debug, NodeSpec)]
#[node(id = "TestFloatConditions", name = "Float Condition", category = "Testing/Logic", module = MODULE)]
pub struct FloatConditions {
    /// The first number.
    #[input(default = 0.0, min = -999_999_999_999.0, max = 999_999_999_999.0, step = 1.0)]
    a: f64,
    /// The second number.
    #[input(default = 0.0, min = -999_999_999_999.0, max = 999_999_999_999.0, step = 1.0)]
    b: f64,
    /// How they are compared.
    operation: Comparison,
}

impl Node for FloatConditions {
    type Output = bool;

    fn run(self, _: &mut NodeContext<'_>) -> Result<bool, NodeError> {
        Ok(self.operation.holds(&self.a, &self.b))
    }
}

/// How two texts are compared.
#[derive(Debug, Clone, Copy, Choice)]
pub enum TextComparison {
    /// They are equal.
    #[choice("a == b")]
    Equal,
    /// They differ.
    #[choice("a != b")]
    Unequal,
    /// The first is part of the second.
    #[choice("a IN b")]
    Within,
    /// The first begins with something that the second, a regular expression, describes.
    #[choice("a MATCH REGEX(b)")]
    Matches,
    /// The first begins with the second.
    #[choice("a BEGINSWITH b")]
    Begins,
    /// The first ends with the second.
    #[choice("a ENDSWITH b")]
    Ends,
}

/// Compares two texts.
#[derive(Debug, NodeSpec)]
#[node(id = "TestStringConditions", name = "String Condition", category = "Testing/Logic", module = MODULE)]
pub struct StringConditions {
    /// The first text.
    #[input(multiline = false)]
    a: String,
    /// The second text.
    #[input(multiline = false)]
    b: String,
    /// How they are compared.
    operation: TextComparison,
    /// Whether small and capital letters differ.
    #[input(default = true)]
    case_sensitive: bool,
}

impl Node for StringConditions {
    type Output = bool;

    fn run(self, _: &mut NodeContext<'_>) -> Result<bool, NodeError> {
        let (mut a, mut b) = (self.a, self.b);
        if !self.case_sensitive {
            (a, b) = (a.to_lowercase(), b.to_lowercase());
        }
        Ok(match self.operation {
            TextComparison::Equal => a == b,
            TextComparison::Unequal => a != b,
            TextComparison::Within => b.contains(&a),
            TextComparison::Matches => begins_with_match(&a, &b),
            TextComparison::Begins => a.starts_with(&b),
            TextComparison::Ends => a.ends_with(&b),
        })
    }
}

/// What is no regular expression describes nothing.
fn begins_with_match(text: &str, expression: &str) -> bool {
    RegexBuilder::new(&format!(r"\A(?:{expression})"))
        .build()
        .is_ok_and(|expression| expression.is_match(text))
}

/// Tells whether something counts as true: numbers other than 0, texts that are not empty, pictures that are not black.
#[derive(Debug, NodeSpec)]
#[node(id = "TestToBoolNode", name = "To Bool", category = "Testing/Logic", module = MODULE)]
pub struct ToBool {
    /// Anything.
    value: Value,
    /// Whether to say the opposite.
    #[input(default = false)]
    invert: Option<bool>,
}

impl Node for ToBool {
    type Output = bool;

    fn run(self, _: &mut NodeContext<'_>) -> Result<bool, NodeError> {
        Ok(is_true(&self.value)? != self.invert.unwrap_or(false))
    }
}

fn is_true(value: &Value) -> Result<bool, NodeError> {
    let some_light = |values: Vec<f32>| values.iter().any(|value| *value != 0.0);
    if let Some(image) = value.get::<Image>() {
        return image.values().map(some_light);
    }
    if let Some(mask) = value.get::<Mask>() {
        return mask.values().map(some_light);
    }
    Ok(value.to_json().is_none_or(|json| is_true_in_python(&json)))
}

fn is_true_in_python(json: &Json) -> bool {
    if let Some(number) = python_json::as_f64(json) {
        return number != 0.0;
    }
    match json {
        Json::Null => false,
        Json::Bool(value) => *value,
        Json::String(text) => !text.is_empty(),
        Json::Array(items) => !items.is_empty(),
        Json::Object(members) => !members.is_empty(),
        Json::Number(_) => true,
    }
}

/// How two truth values are joined.
#[derive(Debug, Clone, Copy, Choice)]
pub enum Junction {
    /// Both are true.
    #[choice("a AND b")]
    And,
    /// At least one is true.
    #[choice("a OR b")]
    Or,
    /// Exactly one is true.
    #[choice("a XOR b")]
    Xor,
    /// The first is false.
    #[choice("NOT a")]
    Not,
}

/// Joins two truth values.
#[derive(Debug, NodeSpec)]
#[node(id = "TestBoolOperationNode", name = "Bool Operation", category = "Testing/Logic", module = MODULE)]
pub struct BoolOperation {
    /// The first truth value.
    a: bool,
    /// The second truth value.
    b: bool,
    /// How they are joined.
    op: Junction,
}

impl Node for BoolOperation {
    type Output = bool;

    fn run(self, _: &mut NodeContext<'_>) -> Result<bool, NodeError> {
        Ok(match self.op {
            Junction::And => self.a && self.b,
            Junction::Or => self.a || self.b,
            Junction::Xor => self.a != self.b,
            Junction::Not => !self.a,
        })
    }
}

#[cfg(test)]
mod tests;
