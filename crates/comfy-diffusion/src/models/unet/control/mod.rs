//! `ControlNet` (Zhang et al. 2023, "Adding conditional control to text-to-image diffusion models"): a copy of a UNet's way down that
//! also reads a picture, with an exit after each stage.

mod picture;
mod union;

use burn::tensor::{DType, Tensor};

use self::picture::PictureEncoder;
use self::union::Union;
use super::descent::{Descent, only_width};
use super::{Call, Hooking};
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::models::control::{ControlNetwork, Residuals};
use crate::models::hooks::{Part, Place};
use crate::models::{Activation, NetworkInput, Observer};
use crate::ops::{Conv2d, Geometry, InElement};
use crate::weights::Scope;

/// The network, in the layout of its original files.
#[derive(Debug)]
pub struct ControlUNet {
    descent: Descent,
    picture: PictureEncoder,
    /// One after each stage.
    exits: Vec<Conv2d>,
    middle_exit: Conv2d,
    /// Only for networks that are told what the picture shows.
    union: Option<Union>,
    context_width: Option<usize>,
}

impl ControlUNet {
    /// Builds the network from the tensors of `scope` (`input_blocks`, `middle_block`, `zero_convs`, `input_hint_block`, …).
    ///
    /// # Errors
    ///
    /// If a tensor is missing or has another shape than the rest of the network asks for.
    pub fn load(scope: &Scope, device: &ComputeDevice) -> Result<Self> {
        let exit = |name: String| Conv2d::load(&scope.enter(name), Geometry::same(1), device);
        let descent = Descent::load(scope, device)?;
        let exits = (0..scope.count("zero_convs"))
            .map(|index| exit(format!("zero_convs.{index}.0")))
            .collect::<Result<Vec<_>>>()?;
        let mut network = Self {
            exits,
            middle_exit: exit("middle_block_out.0".to_owned())?,
            picture: PictureEncoder::load(&scope.enter("input_hint_block"), device)?,
            union: Union::load(scope, device)?,
            context_width: None,
            descent,
        };
        let extents = network.descent.check(scope)?;
        network.context_width = only_width(scope, extents.contexts)?;
        if network.exits.len() != extents.stages.len() {
            return Err(Error::UnknownModel {
                path: scope.weights().path().to_owned(),
                reason: format!(
                    "it has {} input_blocks and {} zero_convs, expected as many of each",
                    extents.stages.len(),
                    network.exits.len()
                ),
            });
        }
        let expect = |name: String, found: usize, expected: usize, what: &str| {
            if found == expected {
                return Ok(());
            }
            let expected = format!("{expected} {what}");
            Err(scope.shape_error(&name, expected, scope.shape(&name)?))
        };
        for (index, (exit, channels)) in network.exits.iter().zip(&extents.stages).enumerate() {
            let name = format!("zero_convs.{index}.0.weight");
            expect(name, exit.inputs(), *channels, "inputs")?;
        }
        let name = "middle_block_out.0.weight".to_owned();
        expect(name, network.middle_exit.inputs(), extents.middle, "inputs")?;
        let first = extents.stages.first().copied().unwrap_or_default();
        let name = "input_hint_block.14.weight".to_owned();
        expect(name, network.picture.outputs(), first, "outputs")?;
        if let Some(union) = &network.union {
            union.check(scope, first, network.descent.embedding_width())?;
        }
        Ok(network)
    }

    /// As [`ControlNetwork::residuals`], telling `observe` what each part computed.
    ///
    /// # Errors
    ///
    /// If the input does not fit the network.
    pub fn residuals_observed(
        &self,
        mut read: Vec<Tensor<4>>,
        task: Option<usize>,
        input: NetworkInput,
        observe: Observer,
    ) -> Result<Residuals> {
        self.descent.check_input(&input, self.context_width)?;
        let (input, element) = (self.descent.enter(input), self.descent.element());
        let leave = |residual: Tensor<4>| Some(residual.in_element(DType::F32));
        let rows = input.x.dims()[0];
        let told = match &self.union {
            None => None,
            Some(union) => Some(union.embedding(task, rows)?),
        };
        let embedding = self.descent.embed(&input, told, &mut *observe)?;
        let mut call = Call {
            embedding,
            context: input.context,
            observe,
        };
        let at = |part, stage| Hooking {
            call: None,
            place: Place { part, stage },
            latent: [0, 0],
            base_channels: self.descent.base_channels(),
        };
        let mut residuals = Residuals::default();
        let mut x = input.x;
        for (index, (stage, exit)) in self.descent.stages.iter().zip(&self.exits).enumerate() {
            x = stage.forward(x, &mut call, &at(Part::Input, index), None)?;
            if let Some(picture) = read.pop() {
                x = x + picture.in_element(element);
            }
            residuals.output.push(leave(exit.forward(x.clone())));
        }
        x = self
            .descent
            .middle
            .forward(x, &mut call, &at(Part::Middle, 0), None)?;
        (call.observe)("middle_block", Activation::Image(&x));
        residuals.middle.push(leave(self.middle_exit.forward(x)));
        Ok(residuals)
    }
}

impl ControlNetwork for ControlUNet {
    fn picture_size(&self, latent: [usize; 2]) -> [usize; 2] {
        latent.map(|cells| cells * self.picture.ratio())
    }

    fn read(&self, pictures: Tensor<4>, task: Option<usize>) -> Result<Vec<Tensor<4>>> {
        let features = self
            .picture
            .forward(pictures.in_element(self.descent.element()))?;
        let features = features.in_element(DType::F32);
        Ok(vec![match &self.union {
            None => features,
            Some(union) => union.told(features, task)?,
        }])
    }

    fn residuals(
        &self,
        read: Vec<Tensor<4>>,
        task: Option<usize>,
        input: NetworkInput,
    ) -> Result<Residuals> {
        self.residuals_observed(read, task, input, &mut |_, _| {})
    }
}
