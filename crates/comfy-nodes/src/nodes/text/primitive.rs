//! Nodes that hold one value, for several nodes to use.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec, Outputs};

use super::SomeText;

/// Holds a short text.
#[derive(Debug, NodeSpec)]
#[node(
    id = "PrimitiveString",
    name = "String",
    category = "utils/primitive",
    module = "comfy_extras.nodes_primitive",
    v3
)]
pub struct PrimitiveString {
    /// The text.
    value: String,
}

impl Node for PrimitiveString {
    type Output = SomeText;

    fn run(self, _: &mut NodeContext<'_>) -> Result<SomeText, NodeError> {
        Ok(self.value.into())
    }
}

/// Holds a text of several lines.
#[derive(Debug, NodeSpec)]
#[node(
    id = "PrimitiveStringMultiline",
    name = "String (Multiline)",
    category = "utils/primitive",
    module = "comfy_extras.nodes_primitive",
    v3
)]
pub struct PrimitiveStringMultiline {
    /// The text.
    #[input(multiline)]
    value: String,
}

impl Node for PrimitiveStringMultiline {
    type Output = SomeText;

    fn run(self, _: &mut NodeContext<'_>) -> Result<SomeText, NodeError> {
        Ok(self.value.into())
    }
}

/// Holds a whole number.
#[derive(Debug, NodeSpec)]
#[node(
    id = "PrimitiveInt",
    name = "Int",
    category = "utils/primitive",
    module = "comfy_extras.nodes_primitive",
    v3
)]
pub struct PrimitiveInt {
    /// The number. It may change after each run, as a seed does.
    #[input(min = -9_223_372_036_854_775_807i64, max = 9_223_372_036_854_775_807i64, control_after_generate)]
    value: i64,
}

/// The result of [`PrimitiveInt`].
#[derive(Debug, Outputs)]
pub struct SomeInt {
    /// The number.
    #[output(name = "INT")]
    value: i64,
}

impl Node for PrimitiveInt {
    type Output = SomeInt;

    fn run(self, _: &mut NodeContext<'_>) -> Result<SomeInt, NodeError> {
        Ok(SomeInt { value: self.value })
    }
}

/// Holds a number.
#[derive(Debug, NodeSpec)]
#[node(
    id = "PrimitiveFloat",
    name = "Float",
    category = "utils/primitive",
    module = "comfy_extras.nodes_primitive",
    v3
)]
pub struct PrimitiveFloat {
    /// The number.
    #[input(min = -9_223_372_036_854_775_807.0, max = 9_223_372_036_854_775_807.0)]
    value: f64,
}

/// The result of [`PrimitiveFloat`].
#[derive(Debug, Outputs)]
pub struct SomeFloat {
    /// The number.
    #[output(name = "FLOAT")]
    value: f64,
}

impl Node for PrimitiveFloat {
    type Output = SomeFloat;

    fn run(self, _: &mut NodeContext<'_>) -> Result<SomeFloat, NodeError> {
        Ok(SomeFloat { value: self.value })
    }
}

/// Holds yes or no.
#[derive(Debug, NodeSpec)]
#[node(
    id = "PrimitiveBoolean",
    name = "Boolean",
    category = "utils/primitive",
    module = "comfy_extras.nodes_primitive",
    v3
)]
pub struct PrimitiveBoolean {
    /// Whether it is so.
    value: bool,
}

/// The result of [`PrimitiveBoolean`].
#[derive(Debug, Outputs)]
pub struct SomeBoolean {
    /// Whether it is so.
    #[output(name = "BOOLEAN")]
    pub value: bool,
}

impl Node for PrimitiveBoolean {
    type Output = SomeBoolean;

    fn run(self, _: &mut NodeContext<'_>) -> Result<SomeBoolean, NodeError> {
        Ok(SomeBoolean { value: self.value })
    }
}
