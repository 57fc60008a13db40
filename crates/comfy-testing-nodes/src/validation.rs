//! Nodes that check their inputs themselves.

use comfy_graph::{
    Constants, Json, Node, NodeContext, NodeError, NodeSpec, Services, Socket, Value,
};
use comfy_nodes::sockets::Image;

use crate::MODULE;
use crate::pictures::{plain, product, scaled};
use crate::variants::check_links;

/// A picture or a number to multiply with.
#[derive(Debug, Clone)]
pub enum Factor {
    /// A picture.
    Image(Image),
    /// A number.
    Number(f64),
}

impl Socket for Factor {
    const TYPE: &'static str = "IMAGE,FLOAT";

    /// A float. A whole number is none: nobody converts the values of an input that takes several types.
    fn from_json(json: &Json) -> Option<Self> {
        is_float(json).then(|| json.as_f64().map(Self::Number))?
    }

    fn from_value(value: &Value) -> Option<Self> {
        let image = value.get::<Image>().map(Self::Image);
        image.or_else(|| Self::from_json(&value.to_json()?))
    }
}

impl Factor {
    /// The product; that of two numbers fills a picture of 512 × 512 pixels.
    fn times(self, other: Self) -> Result<Image, NodeError> {
        match (self, other) {
            (Self::Number(first), Self::Number(second)) => plain(first * second),
            (Self::Image(image), Self::Number(number))
            | (Self::Number(number), Self::Image(image)) => scaled(&image, number),
            (Self::Image(first), Self::Image(second)) => product(&first, &second),
        }
    }
}

fn is_float(json: &Json) -> bool {
    json.as_number().is_some_and(serde_json::Number::is_f64)
}

/// Tests that what stands in the prompt for the inputs is a float.
fn check_floats(constants: &Constants<'_>) -> Result<(), String> {
    for name in ["input1", "input2"] {
        if let Some(json) = constants.json(name)
            && !is_float(json)
        {
            return Err(format!("{name}: expected a picture or a float, got {json}"));
        }
    }
    Ok(())
}

/// Multiplies; it checks the values that stand in the prompt.
#[derive(Debug, NodeSpec)]
#[node(id = "TestCustomValidation1", name = "Custom Validation 1", category = "Testing/Nodes", module = MODULE)]
pub struct CustomValidation1 {
    /// A factor.
    input1: Factor,
    /// Another factor.
    input2: Factor,
}

impl Node for CustomValidation1 {
    type Output = Image;

    const CHECKS: &'static [&'static str] = &["input1", "input2"];

    fn run(self, _: &mut NodeContext<'_>) -> Result<Image, NodeError> {
        self.input1.times(self.input2)
    }

    fn check(constants: &Constants<'_>, _: &Services) -> Result<(), String> {
        check_floats(constants)
    }
}

/// Multiplies; it checks the values that stand in the prompt and what links bring.
#[derive(Debug, NodeSpec)]
#[node(id = "TestCustomValidation2", name = "Custom Validation 2", category = "Testing/Nodes", module = MODULE)]
pub struct CustomValidation2 {
    /// A factor.
    input1: Factor,
    /// Another factor.
    input2: Factor,
}

impl Node for CustomValidation2 {
    type Output = Image;

    const CHECKS: &'static [&'static str] = &["input1", "input2"];

    const CHECKS_TYPES: bool = true;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Image, NodeError> {
        self.input1.times(self.input2)
    }

    fn check(constants: &Constants<'_>, _: &Services) -> Result<(), String> {
        check_floats(constants)?;
        for name in ["input1", "input2"] {
            if let Some(linked) = constants.linked_type(name)
                && !["IMAGE", "FLOAT"].contains(&linked.name())
            {
                return Err(format!(
                    "{name}: expected IMAGE or FLOAT, got a link that brings {}",
                    linked.name()
                ));
            }
        }
        Ok(())
    }
}

/// Multiplies; it checks what links bring as all nodes do that take several types.
#[derive(Debug, NodeSpec)]
#[node(id = "TestCustomValidation3", name = "Custom Validation 3", category = "Testing/Nodes", module = MODULE)]
pub struct CustomValidation3 {
    /// A factor.
    input1: Factor,
    /// Another factor.
    input2: Factor,
}

impl Node for CustomValidation3 {
    type Output = Image;

    const CHECKS_TYPES: bool = true;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Image, NodeError> {
        self.input1.times(self.input2)
    }

    fn check(constants: &Constants<'_>, _: &Services) -> Result<(), String> {
        check_links::<Self>(constants)
    }
}

/// Fills a picture with the product of two numbers; it checks them.
#[derive(Debug, NodeSpec)]
#[node(id = "TestCustomValidation4", name = "Custom Validation 4", category = "Testing/Nodes", module = MODULE)]
pub struct CustomValidation4 {
    /// A factor.
    input1: f64,
    /// Another factor.
    input2: f64,
}

impl Node for CustomValidation4 {
    type Output = Image;

    const CHECKS: &'static [&'static str] = &["input1", "input2"];

    fn run(self, _: &mut NodeContext<'_>) -> Result<Image, NodeError> {
        plain(self.input1 * self.input2)
    }

    fn check(constants: &Constants<'_>, _: &Services) -> Result<(), String> {
        check_floats(constants)
    }
}

/// Fills a picture with the product of two numbers; it checks whatever is given, in place of the ranges.
#[derive(Debug, NodeSpec)]
#[node(id = "TestCustomValidation5", name = "Custom Validation 5", category = "Testing/Nodes", module = MODULE)]
pub struct CustomValidation5 {
    /// A factor.
    #[input(min = 0.0, max = 1.0)]
    input1: f64,
    /// Another factor; anything but 7.
    #[input(min = 0.0, max = 1.0)]
    input2: f64,
}

impl Node for CustomValidation5 {
    type Output = Image;

    const CHECKS: &'static [&'static str] = &["*"];

    fn run(self, _: &mut NodeContext<'_>) -> Result<Image, NodeError> {
        plain(self.input1 * self.input2)
    }

    fn check(constants: &Constants<'_>, _: &Services) -> Result<(), String> {
        match constants.get::<f64>("input2") {
            Some(7.0) => Err("input2: expected any number but 7, got 7".to_owned()),
            _ => Ok(()),
        }
    }
}

/// Fills a picture with a value; it checks that it is not above a threshold.
#[derive(Debug, NodeSpec)]
#[node(id = "TestAsyncValidation", name = "Test Async Validation", category = "_for_testing/async", module = MODULE)]
pub struct AsyncValidation {
    /// The value, in tenths.
    #[input(default = 5.0)]
    value: f64,
    /// The greatest value.
    #[input(default = 10.0)]
    threshold: f64,
}

impl Node for AsyncValidation {
    type Output = Image;

    const CHECKS: &'static [&'static str] = &["value", "threshold"];

    fn run(self, _: &mut NodeContext<'_>) -> Result<Image, NodeError> {
        let _ = self.threshold;
        plain(self.value / 10.0)
    }

    fn check(constants: &Constants<'_>, _: &Services) -> Result<(), String> {
        check_limit(constants, "value", "threshold")
    }
}

/// Fills a picture with a part of a greatest value; it checks that it is not above.
#[derive(Debug, NodeSpec)]
#[node(id = "TestAsyncValidationError", name = "Test Async Validation Error", category = "_for_testing/async", module = MODULE)]
pub struct AsyncValidationError {
    /// The value.
    #[input(default = 5.0)]
    value: f64,
    /// The greatest value.
    #[input(default = 10.0)]
    max_value: f64,
}

impl Node for AsyncValidationError {
    type Output = Image;

    const CHECKS: &'static [&'static str] = &["value", "max_value"];

    fn run(self, _: &mut NodeContext<'_>) -> Result<Image, NodeError> {
        if self.max_value == 0.0 {
            let message = format_args!("expected a greatest value other than 0 for {}", self.value);
            return Err(NodeError::failed("ZeroDivisionError", message));
        }
        plain(self.value / self.max_value)
    }

    fn check(constants: &Constants<'_>, _: &Services) -> Result<(), String> {
        check_limit(constants, "value", "max_value")
    }
}

/// Upstream's checks wait a moment, in place of a service that they ask; these answer at once.
fn check_limit(constants: &Constants<'_>, value: &str, limit: &str) -> Result<(), String> {
    match (constants.get::<f64>(value), constants.get::<f64>(limit)) {
        (Some(number), Some(greatest)) if number > greatest => Err(format!(
            "{value}: expected at most {limit}, which is {greatest}, got {number}"
        )),
        _ => Ok(()),
    }
}
