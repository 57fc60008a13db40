//! GLIGEN (Li et al. 2023, "GLIGEN: open-set grounded text-to-image generation"): layers between those of another network that tell it
//! what is to be where.

mod fuser;
mod position;

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::Tensor;

use self::fuser::Fuser;
pub use self::position::Grounding;
use self::position::PositionNetwork;
use super::hooks::{AttentionSite, NetworkHook, Part, Place};
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::weights::Scope;

/// What comes between the name of a place in a network and that of a tensor there.
const MARK: &str = ".fuser.";

/// The network.
#[derive(Debug)]
pub struct Gligen {
    position: PositionNetwork,
    fusers: BTreeMap<Place, Fuser>,
}

impl Gligen {
    /// Builds it from all tensors of a file: `position_net`, and a `fuser` in each transformer of the other network, whatever stands
    /// before their names.
    ///
    /// # Errors
    ///
    /// If a tensor is missing or has another shape than the rest asks for.
    pub fn load(root: &Scope, device: &ComputeDevice) -> Result<Self> {
        let position = PositionNetwork::load(&root.enter("position_net"), device)?;
        let mut fusers = BTreeMap::new();
        for name in root.weights().names(root.prefix()) {
            let Some((before, "linear.weight")) = name.split_once(MARK) else {
                continue;
            };
            let Some(place) = place_of(before) else {
                continue;
            };
            let scope = root.weights().root().enter(format!("{before}{MARK}"));
            fusers.insert(place, Fuser::load(&scope, position.outputs(), device)?);
        }
        if fusers.is_empty() {
            return Err(Error::UnknownModel {
                path: root.weights().path().to_owned(),
                reason: format!("expected tensors with `{MARK}` in their names, found none"),
            });
        }
        Ok(Self { position, fusers })
    }
}

/// The stage that a name such as `model.input_blocks.1.1.transformer_blocks.0` is in.
fn place_of(name: &str) -> Option<Place> {
    let parts: Vec<&str> = name.split('.').collect();
    parts.windows(2).find_map(|pair| {
        let part = match pair[0] {
            "input_blocks" => Part::Input,
            "middle_block" => Part::Middle,
            "output_blocks" => Part::Output,
            _ => return None,
        };
        let number = pair[1].parse().ok()?;
        // All of the middle is one stage.
        let stage = if part == Part::Middle { 0 } else { number };
        Some(Place { part, stage })
    })
}

/// Tells a network what is to be where.
#[derive(Debug)]
pub struct Grounded {
    gligen: Arc<Gligen>,
    /// What is told, `[1, things, width]`.
    told: Tensor<3>,
}

impl Grounded {
    /// For a latent, or a part of one, of this height and width.
    ///
    /// # Errors
    ///
    /// If there are more things than can be told, or their texts are of another encoder.
    pub fn new(gligen: Arc<Gligen>, things: &[Grounding], latent: [usize; 2]) -> Result<Self> {
        let told = gligen.position.forward(things, latent)?;
        Ok(Self { gligen, told })
    }
}

impl NetworkHook for Grounded {
    fn between_attentions(
        &self,
        site: &AttentionSite<'_>,
        heads: usize,
        x: Tensor<3>,
    ) -> Result<Tensor<3>> {
        let place = site.site.place;
        let fuser = self.gligen.fusers.get(&place).ok_or_else(|| {
            Error::input(format!(
                "the GLIGEN model has nothing for {place:?} of the network; it was made for another family"
            ))
        })?;
        fuser.forward(x, &self.told, heads)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_from_names() {
        let place = |name| place_of(name).map(|place| (place.part, place.stage));
        assert_eq!(
            place("model.diffusion_model.input_blocks.4.1.transformer_blocks.0"),
            Some((Part::Input, 4))
        );
        assert_eq!(
            place("middle_block.1.transformer_blocks.0"),
            Some((Part::Middle, 0))
        );
        assert_eq!(place("output_blocks.11.1"), Some((Part::Output, 11)));
        assert_eq!(place("something.else"), None);
    }
}
