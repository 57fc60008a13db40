//! Stable unCLIP 2.1: Stable Diffusion 2 with a label made of pictures.

use std::sync::Arc;

use super::{Family, TextNetwork, sd2};
use crate::sampling::{LatentFormat, PictureLabel};
use crate::text::CLIP_H_PENULTIMATE;

/// Labels narrower than this hold something else than pictures.
const NARROWEST_LABEL: usize = 64;

/// A UNet with attention at full resolution that reads one text encoder and a label: a picture's summary and its noise level, of the
/// same width.
pub(super) const FAMILY: Family = Family {
    name: "Stable unCLIP 2.1",
    matches: |facts| {
        facts.is_conditioned_latent_model()
            && facts.has_linear_projections
            && facts.first_depth > 0
            && facts
                .label_width
                .is_some_and(|width| width >= NARROWEST_LABEL && width.is_multiple_of(2))
    },
    sampling: sd2::sampling,
    latent_format: |_| LatentFormat::SD15,
    label: |marks| {
        let width = marks.facts.label_width?;
        Some(Arc::new(PictureLabel::new(width / 2)))
    },
    beside: |marks| marks.facts.beside(),
    architecture: |_| None,
    text: &[TextNetwork {
        kind: CLIP_H_PENULTIMATE,
        prefixes: &["cond_stage_model.model", "conditioner.embedders.0.model"],
    }],
};
