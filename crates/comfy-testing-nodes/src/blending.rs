//! Nodes that compute with pictures: lazy inputs, undeclared inputs, fingerprints.

use comfy_graph::{
    Constants, Json, Lazy, Needs, Node, NodeContext, NodeError, NodeSpec, Services, Undeclared,
    Value, python_json,
};
use comfy_nodes::sockets::{Image, Mask};

use crate::MODULE;
use crate::pictures::{average, extremes, mix, plain, scaled};

/// Mixes two pictures by a mask, and asks only for those that show.
#[derive(Debug, NodeSpec)]
#[node(id = "TestLazyMixImages", name = "Lazy Mix Images", category = "Testing/Nodes", module = MODULE)]
pub struct LazyMixImages {
    /// What shows where the mask is 0.
    image1: Lazy<Image>,
    /// What shows where the mask is 1.
    image2: Lazy<Image>,
    /// How much of the second picture shows.
    mask: Mask,
}

impl LazyMixImages {
    /// The value that the mask has everywhere, if it is one.
    fn even_mask(&self) -> Option<f32> {
        let (least, greatest) = extremes(&self.mask).ok()??;
        (least >= greatest).then_some(greatest)
    }
}

impl Node for LazyMixImages {
    type Output = Image;

    fn needs(&self, needs: &mut Needs) {
        let even = self.even_mask();
        if even != Some(1.0) {
            needs.ask(&self.image1);
        }
        if even != Some(0.0) {
            needs.ask(&self.image2);
        }
    }

    fn run(self, _: &mut NodeContext<'_>) -> Result<Image, NodeError> {
        let even = self.even_mask();
        if even == Some(0.0) {
            return self.image1.take();
        }
        if even == Some(1.0) {
            return self.image2.take();
        }
        mix(&self.image1.take()?, &self.image2.take()?, &self.mask)
    }
}

/// The mean of any number of pictures.
#[derive(Debug, NodeSpec)]
#[node(id = "TestVariadicAverage", name = "Variadic Average", category = "Testing/Nodes", module = MODULE)]
pub struct VariadicAverage {
    /// A picture. Others come at `input2`, `input3` and so on.
    input1: Image,
    others: Undeclared,
}

impl Node for VariadicAverage {
    type Output = Image;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Image, NodeError> {
        let mut images = vec![self.input1];
        while let Some(image) = self.others.get(&format!("input{}", images.len() + 1))? {
            images.push(image);
        }
        average(&images)
    }
}

/// Passes pictures on; it runs again as often as it is told to.
#[derive(Debug, NodeSpec)]
#[node(id = "TestCustomIsChanged", name = "Custom IsChanged", category = "Testing/Nodes", module = MODULE)]
pub struct CustomIsChanged {
    /// The pictures.
    image: Image,
    /// Whether to run in every prompt.
    #[input(accepts = "BOOL", default = false)]
    should_change: Option<bool>,
}

impl Node for CustomIsChanged {
    type Output = Image;

    const HAS_FINGERPRINT: bool = true;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Image, NodeError> {
        let _ = self.should_change;
        Ok(self.image)
    }

    fn fingerprint(constants: &Constants<'_>, _: &Services) -> Result<Json, NodeError> {
        let changes = constants.get::<bool>("should_change") == Some(true);
        Ok(if changes {
            python_json::nan()
        } else {
            Json::Bool(false)
        })
    }
}

/// Scales the values of pictures; its fingerprint is the factor.
#[derive(Debug, NodeSpec)]
#[node(id = "TestIsChangedWithConstants", name = "IsChanged With Constants", category = "Testing/Nodes", module = MODULE)]
pub struct IsChangedWithConstants {
    /// The pictures.
    image: Image,
    /// The factor.
    #[input(default = 1.0, min = 0.0, max = 10.0)]
    value: f64,
}

impl Node for IsChangedWithConstants {
    type Output = Image;

    const HAS_FINGERPRINT: bool = true;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Image, NodeError> {
        scaled(&self.image, self.value)
    }

    /// Pictures come along wires, which a fingerprint never sees.
    fn fingerprint(constants: &Constants<'_>, _: &Services) -> Result<Json, NodeError> {
        Ok(constants.json("value").cloned().unwrap_or_default())
    }
}

/// Scales the values of pictures; running it is a goal in itself, though it shows nothing.
#[derive(Debug, NodeSpec)]
#[node(
    id = "TestOutputNodeWithSocketOutput",
    name = "Test Output Node With Socket Output",
    category = "_for_testing",
    module = MODULE,
    output_node
)]
pub struct OutputNodeWithSocketOutput {
    /// The pictures.
    image: Image,
    /// The factor.
    #[input(default = 1.0, min = 0.0, max = 10.0)]
    value: f64,
}

impl Node for OutputNodeWithSocketOutput {
    type Output = Image;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Image, NodeError> {
        scaled(&self.image, self.value)
    }
}

/// Asks for one of two inputs, and makes a white picture.
#[derive(Debug, NodeSpec)]
#[node(id = "TestAsyncLazyCheck", name = "Test Async Lazy Check", category = "_for_testing/async", module = MODULE)]
pub struct AsyncLazyCheck {
    /// Computed when the condition holds.
    input1: Lazy<Value>,
    /// Computed when it does not.
    input2: Lazy<Value>,
    /// Which input to ask for.
    #[input(default = true)]
    condition: bool,
}

impl Node for AsyncLazyCheck {
    type Output = Image;

    fn needs(&self, needs: &mut Needs) {
        needs.ask(if self.condition {
            &self.input1
        } else {
            &self.input2
        });
    }

    fn run(self, _: &mut NodeContext<'_>) -> Result<Image, NodeError> {
        plain(1.0)
    }
}
