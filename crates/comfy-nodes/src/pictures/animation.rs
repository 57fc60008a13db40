//! The canvas on which the frames of an animation are painted one over the other.

/// How a frame is painted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blending {
    /// What was there is gone.
    Replace,
    /// "Over" as PIL paints animated PNG: opacity itself is mixed like a colour.
    Png,
    /// "Over" as libwebp paints it.
    WebP,
}

/// What becomes of a frame's region before the next frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Afterwards {
    /// It stays.
    Keep,
    /// It becomes transparent.
    Clear,
    /// What it covered comes back.
    Restore,
}

/// A frame's place and how it is painted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placement {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) blending: Blending,
    pub(super) afterwards: Afterwards,
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
        self.pending = match placement.afterwards {
            Afterwards::Keep => None,
            Afterwards::Clear => Some((placement, vec![0; frame.len()])),
            Afterwards::Restore => Some((placement, self.copy(placement))),
        };
        match placement.blending {
            Blending::Replace => self.replace(placement, frame),
            Blending::Png => self.blend(placement, frame, mixed_by_pil),
            Blending::WebP => self.blend(placement, frame, over_in_webp),
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

    fn blend(&mut self, place: Placement, frame: &[u8], mix: fn([u8; 4], [u8; 4]) -> [u8; 4]) {
        for (row, source) in self.rows(place).zip(frame.chunks_exact(place.width * 4)) {
            let (below, _) = self.pixels[row].as_chunks_mut::<4>();
            let (above, _) = source.as_chunks::<4>();
            for (below, above) in below.iter_mut().zip(above) {
                *below = mix(*below, *above);
            }
        }
    }
}

/// Each value, opacity too, between the one below and the one above, by the opacity above.
fn mixed_by_pil(below: [u8; 4], above: [u8; 4]) -> [u8; 4] {
    let opacity = u32::from(above[3]);
    std::array::from_fn(|index| {
        let sum =
            u32::from(below[index]) * (255 - opacity) + u32::from(above[index]) * opacity + 128;
        (((sum >> 8) + sum) >> 8) as u8
    })
}

/// Porter and Duff's "over" in libwebp's fixed point.
fn over_in_webp(below: [u8; 4], above: [u8; 4]) -> [u8; 4] {
    let opacity = u32::from(above[3]);
    match opacity {
        255 => return above,
        0 => return below,
        _ => {}
    }
    let left = (u32::from(below[3]) * (256 - opacity)) >> 8;
    let total = opacity + left;
    let scale = (1 << 24) / total;
    let mut mixed = [total as u8; 4];
    for (index, value) in mixed[..3].iter_mut().enumerate() {
        let sum = u32::from(above[index]) * opacity + u32::from(below[index]) * left;
        *value = ((sum * scale) >> 24) as u8;
    }
    mixed
}
