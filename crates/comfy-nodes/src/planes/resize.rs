//! Resizing planes, with `ComfyUI`'s order of cutting and scaling.

use comfy_graph::NodeError;

use super::{Axis, Planes};
use crate::errors::from_resizing;
use crate::resize::{self, Method, Shape, bislerp, centre_crop};

/// How the cells between others are filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaneMethod {
    /// Every channel by itself.
    Each(Method),
    /// Along the arc between the channels' vectors of neighbouring cells.
    Bislerp,
}

impl Planes {
    /// Resizes every plane to `height` times `width` (both at least 1). With `crop` the sides are cut first, so that the aspect
    /// ratio stays.
    pub fn resized(
        &self,
        height: usize,
        width: usize,
        method: PlaneMethod,
        crop: bool,
    ) -> Result<Self, NodeError> {
        let [batch, channels, old_height, old_width] = self.shape();
        let empty = |old_width: usize, old_height: usize| {
            NodeError::runtime(format_args!(
                "expected latents of at least one cell before and after resizing, got {old_width}x{old_height} to {width}x{height}"
            ))
        };
        if [old_height, old_width].contains(&0) {
            return Err(empty(old_width, old_height));
        }
        if [height, width].contains(&0) {
            // Averages over no area are no cells.
            return match method {
                PlaneMethod::Each(Method::Area) => {
                    Self::new(Vec::new(), [batch, channels, height, width])
                }
                _ => Err(empty(old_width, old_height)),
            };
        }
        let cropped;
        let source = if crop {
            let whole = Shape {
                height: old_height,
                width: old_width,
                channels: 1,
            };
            let (top, left, part) = centre_crop(whole, height, width);
            if part.is_empty() {
                return Err(empty(part.width, part.height));
            }
            cropped = self.narrow(Axis::Height, top, part.height)?.narrow(
                Axis::Width,
                left,
                part.width,
            )?;
            &cropped
        } else {
            self
        };
        let from = Shape {
            height: source.size(Axis::Height),
            width: source.size(Axis::Width),
            channels: 1,
        };
        if (from.height, from.width) == (height, width) && method != PlaneMethod::Bislerp {
            return Ok(source.clone());
        }
        let mut values = super::reserve([batch, channels, height, width])?;
        match method {
            PlaneMethod::Each(method) => {
                for plane in source.values().chunks_exact(from.len()) {
                    let plane = resize::resize(plane, from, height, width, method);
                    values.extend(plane.map_err(from_resizing)?);
                }
            }
            PlaneMethod::Bislerp => {
                for member in source.values().chunks_exact((from.len() * channels).max(1)) {
                    let member = bislerp(member, Shape { channels, ..from }, height, width);
                    values.extend(member.map_err(from_resizing)?);
                }
            }
        }
        Self::new(values, [batch, channels, height, width])
    }

    /// Bilinear, without cutting.
    pub fn stretched(&self, height: usize, width: usize) -> Result<Self, NodeError> {
        self.resized(height, width, PlaneMethod::Each(Method::Bilinear), false)
    }
}
