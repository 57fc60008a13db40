//! Scaling batches.

use comfy_graph::NodeError;

use super::buffer::zeroed;
use crate::errors::from_resizing;
use crate::resize::{self, Method, Shape};

/// What to do when the aspect ratio changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crop {
    /// Stretch.
    Disabled,
    /// Cut the sides that are too long, both alike.
    Center,
}

/// Scales each picture of a batch `[batch, height, width, channel]`.
///
/// Fails with the kinds of `PyTorch` (`RuntimeError`), or of PIL for Lanczos (`ValueError`), when a side is 0, is to become 0 (but
/// by averaging areas), or is cut away; Lanczos makes black of what is cut away.
pub fn scale(
    source: &[f32],
    [batch, old_height, old_width, channels]: [usize; 4],
    height: usize,
    width: usize,
    method: Method,
    crop: Crop,
) -> Result<Vec<f32>, NodeError> {
    let empty = |width, height, to: &str| {
        let message =
            format!("expected sides of at least one pixel, got {width}x{height} to be scaled{to}");
        match method {
            Method::Lanczos => NodeError::value(message),
            _ => NodeError::runtime(message),
        }
    };
    let onto = format!(" to {width}x{height}");
    if [old_height, old_width].contains(&0) {
        return Err(empty(old_width, old_height, &onto));
    }
    if [height, width].contains(&0) {
        // Averages over no area are no pixels.
        return match method {
            Method::Area => Ok(Vec::new()),
            _ => Err(empty(old_width, old_height, &onto)),
        };
    }
    let from = Shape {
        height: old_height,
        width: old_width,
        channels,
    };
    let (top, left, part) = match crop {
        Crop::Disabled => (0, 0, from),
        Crop::Center => resize::centre_crop(from, height, width),
    };
    let mut values = zeroed(&[batch, height, width, channels])?;
    if part.is_empty() && channels > 0 {
        // PIL makes black of nothing.
        return match method {
            Method::Lanczos => Ok(values),
            _ => Err(empty(
                part.width,
                part.height,
                &format!("{onto} after cutting"),
            )),
        };
    }
    let length = (height * width * channels).max(1);
    for (picture, result) in source
        .chunks_exact(from.len().max(1))
        .zip(values.chunks_exact_mut(length))
    {
        let cropped;
        let picture = if part == from {
            picture
        } else {
            cropped = resize::crop(picture, from, top, left, part);
            &cropped
        };
        resize::resize_into(picture, part, height, width, method, result).map_err(from_resizing)?;
    }
    Ok(values)
}
