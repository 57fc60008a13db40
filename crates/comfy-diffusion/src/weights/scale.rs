//! Scales of weights that are stored in eight bits.
//!
//! A file with a tensor `scaled_fp8` has for each `….weight` below the same prefix a number `….scale_weight`, by which the stored values
//! are to be multiplied.

use safetensors::Dtype;

use super::Weights;

/// The tensor whose presence says that what is below its prefix is scaled.
const MARK: &str = "scaled_fp8";

/// The tensor with the scale of a tensor, if that has one.
pub(super) fn name_for(weights: &Weights, name: &str, element: Dtype) -> Option<String> {
    if !matches!(element, Dtype::F8_E4M3 | Dtype::F8_E5M2) {
        return None;
    }
    let scale = format!("{}.scale_weight", name.strip_suffix(".weight")?);
    // The mark may stand at any level above the tensor.
    let is_marked = weights.contains(MARK)
        || name
            .match_indices('.')
            .any(|(at, _)| weights.contains(&format!("{}{MARK}", &name[..=at])));
    (is_marked && weights.contains(&scale)).then_some(scale)
}
