//! The canvas on which the frames of an animated PNG are painted one over the other.

use png::{BlendOp, DisposeOp};

/// A frame's place and how it is painted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placement {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) blend: BlendOp,
    pub(super) dispose: DisposeOp,
}

/// The picture so far, red, green, blue, opacity.
pub(super) struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
    /// What to do before the next frame: clear or restore this region.
    pending: Option<(Placement, Vec<u8>)>,
}

impl Canvas {
    /// A transparent canvas.
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            pixels: vec![0; width * height * 4],
            pending: None,
        }
    }

    /// Paints a frame of RGBA bytes and gives the whole picture that is then seen. `None` when it does not lie inside.
    pub(super) fn paint(&mut self, frame: &[u8], placement: Placement) -> Option<&[u8]> {
        if let Some((place, pixels)) = self.pending.take() {
            self.replace(place, &pixels);
        }
        let right = placement.left.checked_add(placement.width)?;
        let bottom = placement.top.checked_add(placement.height)?;
        if right > self.width
            || bottom > self.height
            || frame.len() != placement.width * placement.height * 4
        {
            return None;
        }
        self.pending = match placement.dispose {
            DisposeOp::None => None,
            DisposeOp::Background => Some((placement, vec![0; frame.len()])),
            DisposeOp::Previous => Some((placement, self.copy(placement))),
        };
        match placement.blend {
            BlendOp::Source => self.replace(placement, frame),
            BlendOp::Over => self.blend(placement, frame),
        }
        Some(&self.pixels)
    }

    fn rows(&self, place: Placement) -> impl Iterator<Item = std::ops::Range<usize>> + use<> {
        let width = self.width;
        (place.top..place.top + place.height).map(move |y| {
            let start = (y * width + place.left) * 4;
            start..start + place.width * 4
        })
    }

    fn copy(&self, place: Placement) -> Vec<u8> {
        self.rows(place)
            .flat_map(|row| self.pixels[row].iter().copied())
            .collect()
    }

    fn replace(&mut self, place: Placement, frame: &[u8]) {
        for (row, source) in self.rows(place).zip(frame.chunks_exact(place.width * 4)) {
            self.pixels[row].copy_from_slice(source);
        }
    }

    /// Porter and Duff's "over".
    fn blend(&mut self, place: Placement, frame: &[u8]) {
        for (row, source) in self.rows(place).zip(frame.chunks_exact(place.width * 4)) {
            for (below, above) in self.pixels[row]
                .chunks_exact_mut(4)
                .zip(source.chunks_exact(4))
            {
                let above_alpha = u32::from(above[3]);
                let below_share = u32::from(below[3]) * (255 - above_alpha);
                let total = above_alpha * 255 + below_share;
                if total == 0 {
                    below.copy_from_slice(&[0; 4]);
                    continue;
                }
                for (value, &over) in below[..3].iter_mut().zip(above) {
                    let mixed =
                        u32::from(over) * above_alpha * 255 + u32::from(*value) * below_share;
                    *value = ((mixed + total / 2) / total) as u8;
                }
                below[3] = ((total + 127) / 255) as u8;
            }
        }
    }
}
