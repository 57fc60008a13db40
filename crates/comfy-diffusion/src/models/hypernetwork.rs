//! Hypernetworks as of `NovelAI` (2022): small networks that change what attention reads.

use std::collections::BTreeMap;

use burn::tensor::{Tensor, activation};

use super::hooks::{AttentionInput, AttentionSite, NetworkHook};
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::ops::{LayerNorm, Linear};
use crate::residency::Resident;
use crate::weights::Scope;

/// Added to variances.
const EPSILON: f64 = 1e-5;

/// For each width of what is read, a network for keys and one for values.
#[derive(Debug)]
pub struct Hypernetwork {
    by_width: BTreeMap<usize, [Vec<Layer>; 2]>,
}

#[derive(Debug)]
enum Layer {
    Linear(Linear),
    Norm(LayerNorm),
    Activation(Activation),
}

/// What stands between linear layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Activation {
    Identity,
    Relu,
    LeakyRelu,
    Elu,
    HardSwish,
    Tanh,
    Sigmoid,
    SoftSign,
    Mish,
}

impl Activation {
    /// The one of this name.
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "linear" => Self::Identity,
            "relu" => Self::Relu,
            "leakyrelu" => Self::LeakyRelu,
            "elu" => Self::Elu,
            "swish" => Self::HardSwish,
            "tanh" => Self::Tanh,
            "sigmoid" => Self::Sigmoid,
            "softsign" => Self::SoftSign,
            "mish" => Self::Mish,
            _ => return None,
        })
    }

    fn apply(self, x: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Identity => x,
            Self::Relu => activation::relu(x),
            Self::LeakyRelu => activation::leaky_relu(x, 0.01),
            Self::Elu => {
                let below = x.clone().clamp_max(0.0).exp().sub_scalar(1.0);
                activation::relu(x) + below
            }
            // Some programs call this swish.
            Self::HardSwish => {
                let gate = x.clone().add_scalar(3.0).clamp(0.0, 6.0).div_scalar(6.0);
                x * gate
            }
            Self::Tanh => x.tanh(),
            Self::Sigmoid => activation::sigmoid(x),
            Self::SoftSign => x.clone() / x.abs().add_scalar(1.0),
            Self::Mish => {
                // ln(1 + eˣ), without overflow.
                let growth = x.clone().abs().neg().exp().log1p() + activation::relu(x.clone());
                x * growth.tanh()
            }
        }
    }
}

impl Hypernetwork {
    /// Builds it from all tensors of a file, named by width, then 0 for keys or 1 for values, then as in the networks. What the file says
    /// besides tells the activation. Dropout, which is for training, is left out.
    ///
    /// # Errors
    ///
    /// If there is no such tensor, one does not fit those before it, or the activation is unknown.
    pub fn load(root: &Scope, device: &ComputeDevice) -> Result<Self> {
        let unknown = |reason: String| Error::UnknownModel {
            path: root.weights().path().to_owned(),
            reason,
        };
        let facts = root.weights().metadata();
        let name = facts
            .get("activation_func")
            .map_or("linear", String::as_str);
        let activation = Activation::named(name)
            .ok_or_else(|| unknown(format!("its activation `{name}` is not known here")))?;
        let activates_output = facts.get("activate_output").is_some_and(|fact| fact == "1");
        let mut by_width = BTreeMap::new();
        for width in root.children() {
            let Ok(number) = width.parse::<usize>() else {
                continue;
            };
            let load = |part: usize| {
                let scope = root.enter(width).enter(part);
                layers(&scope, number, activation, activates_output, device)
            };
            by_width.insert(number, [load(0)?, load(1)?]);
        }
        if by_width.is_empty() {
            return Err(unknown(
                "a hypernetwork has tensors by the width of what they change, such as `320`"
                    .to_owned(),
            ));
        }
        Ok(Self { by_width })
    }

    fn change(layers: &[Layer], x: &Tensor<3>, strength: f64) -> Tensor<3> {
        let changed = layers.iter().fold(x.clone(), |x, layer| match layer {
            Layer::Linear(linear) => linear.forward(x),
            Layer::Norm(norm) => norm.forward(x),
            Layer::Activation(activation) => activation.apply(x),
        });
        x.clone() + changed.mul_scalar(strength)
    }
}

/// The layers of one network, which takes and gives vectors of a width. An activation follows each linear layer but one that ends
/// the network.
fn layers(
    scope: &Scope,
    width: usize,
    activation: Activation,
    activates_output: bool,
    device: &ComputeDevice,
) -> Result<Vec<Layer>> {
    let names = names_of(scope);
    let mut layers = Vec::with_capacity(2 * names.len());
    let mut current = width;
    for (index, name) in names.iter().enumerate() {
        let place = scope.enter(name);
        let shape = place.shape("weight")?;
        let fits = match shape {
            [outputs, inputs] => std::mem::replace(&mut current, *outputs) == *inputs,
            [features] => *features == current,
            _ => false,
        };
        if !fits {
            let expected = format!("a layer of {current} inputs");
            return Err(place.shape_error("weight", expected, shape));
        }
        if shape.len() == 1 {
            layers.push(Layer::Norm(LayerNorm::load(&place, EPSILON, device)?));
            continue;
        }
        layers.push(Layer::Linear(Linear::load(&place, device)?));
        let ends = index + 1 == names.len();
        if !ends || activates_output {
            layers.push(Layer::Activation(activation));
        }
    }
    if current == width && !layers.is_empty() {
        return Ok(layers);
    }
    Err(Error::UnknownModel {
        path: scope.weights().path().to_owned(),
        reason: format!(
            "its network at {} gives vectors of width {current}, expected {width}",
            scope.prefix()
        ),
    })
}

/// The names of layers in the order of their numbers.
fn names_of(scope: &Scope) -> Vec<String> {
    let mut names: Vec<String> = scope
        .weights()
        .names(scope.prefix())
        .filter_map(|name| name.get(scope.prefix().len()..)?.strip_suffix(".weight"))
        .map(str::to_owned)
        .collect();
    names.sort_by_key(|name| {
        let numbers = name.split('.').map(|part| part.parse::<usize>().ok());
        numbers.collect::<Vec<_>>()
    });
    names
}

/// Changes what attention reads by a hypernetwork.
#[derive(Debug, Clone)]
pub struct Hypernetworking {
    /// The network.
    pub network: Resident<Hypernetwork>,
    /// How much of what it gives is added; negative numbers take away.
    pub strength: f64,
}

impl NetworkHook for Hypernetworking {
    fn before_attention(
        &self,
        _: &AttentionSite<'_>,
        input: AttentionInput,
    ) -> Result<AttentionInput> {
        let network = self.network.get()?;
        let [_, _, width] = input.key.dims();
        let Some([keys, values]) = network.by_width.get(&width) else {
            return Ok(input);
        };
        Ok(AttentionInput {
            key: Hypernetwork::change(keys, &input.key, self.strength),
            value: Hypernetwork::change(values, &input.value, self.strength),
            query: input.query,
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use comfy_fixtures::{golden, path};

    use super::*;
    use crate::models::testing::Comparison;
    use crate::models::testing::recorded;
    use crate::open_hypernetwork;
    use crate::weights::Weights;

    #[test]
    fn every_activation_equals_the_recordings() {
        let device = ComputeDevice::cpu();
        let golden = golden("control");
        let wide: Tensor<3> = recorded(&golden, "hyper.wide", &device);
        for name in [
            "linear",
            "relu",
            "leakyrelu",
            "elu",
            "swish",
            "tanh",
            "sigmoid",
            "softsign",
            "mish",
        ] {
            let file = path(&format!("control/{name}.pt"));
            let network = open_hypernetwork(&file, &device).unwrap().get().unwrap();
            let [keys, values] = &network.by_width[&16];
            let prefix = format!("hyper.{name}.");
            let mut parts = Comparison::new(&golden, &prefix);
            parts.compare("key", Hypernetwork::change(keys, &wide, 0.7));
            let half = wide.clone().mul_scalar(0.5);
            parts.compare("value", Hypernetwork::change(values, &half, 0.7));
            parts.finish(&[]);
        }
    }

    #[test]
    fn other_files_are_errors() {
        let device = ComputeDevice::cpu();
        let file = path("loras/ref_lora_tiny.safetensors");
        let error = open_hypernetwork(&file, &device).unwrap_err().to_string();
        assert!(error.contains("hypernetwork"), "{error}");
        let weights = Weights::open(&file).unwrap();
        let error = Hypernetwork::load(&weights.root(), &device).unwrap_err();
        assert!(error.to_string().contains("by the width"), "{error}");
    }
}
