//! The families of models that can be opened, one file each.

mod refiner;
mod sd1;
mod sd2;
mod sdxl;
mod unclip;

use std::sync::Arc;

use super::unet::{self, UnetFacts};
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::models::Network;
use crate::models::unet::UNet;
use crate::sampling::{BesideRule, LabelRule, LatentFormat, ModelSampling};
use crate::text::{Clip, ClipEncoder, ClipKind};
use crate::weights::{Scope, Weights};

/// Models that differ only in what shapes and marks tell.
pub(super) struct Family {
    /// Its name in messages.
    pub(super) name: &'static str,
    /// Whether a diffusion network with these properties is of this family.
    pub(super) matches: fn(&UnetFacts) -> bool,
    /// How its networks are sampled.
    pub(super) sampling: fn(&Marks) -> Result<ModelSampling>,
    /// What the numbers of its latents mean.
    pub(super) latent_format: fn(&Marks) -> LatentFormat,
    /// How the label of its networks is made, if they have one.
    pub(super) label: fn(&Marks) -> Option<Arc<dyn LabelRule>>,
    /// What its networks see beside the latent.
    pub(super) beside: fn(&Marks) -> BesideRule,
    /// What metadata of models calls the architecture, where programs write it.
    pub(super) architecture: fn(&Marks) -> Option<&'static str>,
    /// The networks of its text encoder; the last one gives the summary.
    pub(super) text: &'static [TextNetwork],
}

/// Where a whole checkpoint has a network of the text encoder.
pub(super) struct TextNetwork {
    pub(super) kind: ClipKind,
    /// The first of these that holds tensors.
    pub(super) prefixes: &'static [&'static str],
}

/// All families. The first that matches is taken, so the special stand before the general.
static FAMILIES: &[Family] = &[
    sd1::FAMILY,
    sd2::FAMILY,
    unclip::FAMILY,
    refiner::FAMILY,
    sdxl::FAMILY,
];

/// What a file says of its diffusion network beside the network itself.
pub(super) struct Marks<'a> {
    /// The network's tensors.
    pub(super) network: Scope<'a>,
    /// Where single tensors stand that mark the kind of training.
    pub(super) root: Scope<'a>,
    pub(super) facts: UnetFacts,
}

impl Family {
    /// The family of the network in this scope.
    pub(super) fn of(network: &Scope) -> Result<(&'static Self, UnetFacts)> {
        let facts = UnetFacts::read(network);
        let found = facts.and_then(|facts| {
            let family = FAMILIES.iter().find(|family| (family.matches)(&facts))?;
            Some((family, facts))
        });
        found.ok_or_else(|| {
            let names: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
            Error::UnknownModel {
                path: network.weights().path().to_owned(),
                reason: format!(
                    "{}, and that is none of the known families ({})",
                    unet::describe(network),
                    names.join(", ")
                ),
            }
        })
    }

    /// Builds the network from its tensors.
    pub(super) fn network(scope: &Scope, device: &ComputeDevice) -> Result<Arc<dyn Network>> {
        Ok(Arc::new(UNet::load(scope, device)?))
    }

    /// The text encoder of a whole checkpoint, if it has all of its networks.
    pub(super) fn text_encoder(
        &self,
        weights: &Arc<Weights>,
        device: &ComputeDevice,
    ) -> Option<Clip> {
        let root = weights.root();
        let mut encoder = ClipEncoder::new(device);
        for network in self.text {
            let prefix = network
                .prefixes
                .iter()
                .find(|prefix| root.has_scope(prefix))?;
            encoder = encoder.with(network.kind, weights, prefix);
        }
        Some(Clip::new(Arc::new(encoder)))
    }
}

#[cfg(test)]
mod tests;
