//! Sources: pictures, masks and numbers out of nothing.

use std::hash::{BuildHasher, RandomState};

use comfy_graph::{Choice, Node, NodeContext, NodeError, NodeSpec};
use comfy_nodes::sockets::{Image, Mask};

use crate::MODULE;
use crate::pictures::{image_of, mask_of};

/// What a picture of [`StubImage`] shows.
#[derive(Debug, Clone, Copy, Choice)]
pub enum Content {
    /// All values are 1.
    #[choice("WHITE")]
    White,
    /// All values are 0.
    #[choice("BLACK")]
    Black,
    /// Every value is random.
    #[choice("NOISE")]
    Noise,
}

/// Makes white, black or random pictures.
#[derive(Debug, NodeSpec)]
#[node(
    id = "StubImage",
    name = "Stub Image",
    category = "Testing/Stub Nodes",
    module = MODULE
)]
pub struct StubImage {
    /// What the pictures show.
    content: Content,
    /// Height in pixels.
    #[input(default = 512u64, min = 1u64, max = 1u64 << 30, step = 1u64)]
    height: u64,
    /// Width in pixels.
    #[input(default = 512u64, min = 1u64, max = 1u64 << 36, step = 1u64)]
    width: u64,
    /// How many pictures.
    #[input(default = 1u64, min = 1u64, max = 1u64 << 30, step = 1u64)]
    batch_size: u64,
}

impl Node for StubImage {
    type Output = Image;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Image, NodeError> {
        let shape = [self.batch_size, self.height, self.width, 3];
        match self.content {
            Content::White => image_of(shape, || 1.0),
            Content::Black => image_of(shape, || 0.0),
            Content::Noise => {
                let mut noise = Noise::new();
                image_of(shape, || noise.next())
            }
        }
    }
}

/// Random numbers of at least 0 and below 1, by `SplitMix64`.
struct Noise(u64);

impl Noise {
    fn new() -> Self {
        Self(RandomState::new().hash_one(0))
    }

    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        (bits >> 40) as f32 / (1_u64 << 24) as f32
    }
}

/// Makes pictures of one shade of grey.
#[derive(Debug, NodeSpec)]
#[node(
    id = "StubConstantImage",
    name = "Stub Constant Image",
    category = "Testing/Stub Nodes",
    module = MODULE
)]
pub struct StubConstantImage {
    /// The value of all channels.
    #[input(default = 0.5, min = 0.0, max = 1.0, step = 0.01)]
    value: f64,
    /// Height in pixels.
    #[input(default = 512u64, min = 1u64, max = 1u64 << 30, step = 1u64)]
    height: u64,
    /// Width in pixels.
    #[input(default = 512u64, min = 1u64, max = 1u64 << 36, step = 1u64)]
    width: u64,
    /// How many pictures.
    #[input(default = 1u64, min = 1u64, max = 1u64 << 30, step = 1u64)]
    batch_size: u64,
}

impl Node for StubConstantImage {
    type Output = Image;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Image, NodeError> {
        image_of([self.batch_size, self.height, self.width, 3], || {
            self.value as f32
        })
    }
}

/// Makes masks of one value.
#[derive(Debug, NodeSpec)]
#[node(
    id = "StubMask",
    name = "Stub Mask",
    category = "Testing/Stub Nodes",
    module = MODULE
)]
pub struct StubMask {
    /// The value everywhere.
    #[input(default = 0.5, min = 0.0, max = 1.0, step = 0.01)]
    value: f64,
    /// Height in pixels.
    #[input(default = 512u64, min = 1u64, max = 1u64 << 30, step = 1u64)]
    height: u64,
    /// Width in pixels.
    #[input(default = 512u64, min = 1u64, max = 1u64 << 36, step = 1u64)]
    width: u64,
    /// How many masks.
    #[input(default = 1u64, min = 1u64, max = 1u64 << 30, step = 1u64)]
    batch_size: u64,
}

impl Node for StubMask {
    type Output = Mask;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Mask, NodeError> {
        mask_of([self.batch_size, self.height, self.width], || {
            self.value as f32
        })
    }
}

/// Gives a whole number.
#[derive(Debug, NodeSpec)]
#[node(
    id = "StubInt",
    name = "Stub Int",
    category = "Testing/Stub Nodes",
    module = MODULE
)]
pub struct StubInt {
    /// The number.
    #[input(default = 0i64, min = -0xffff_ffffi64, max = 0xffff_ffffi64, step = 1i64)]
    value: i64,
}

impl Node for StubInt {
    type Output = i64;

    fn run(self, _: &mut NodeContext<'_>) -> Result<i64, NodeError> {
        Ok(self.value)
    }
}

/// Gives a number.
#[derive(Debug, NodeSpec)]
#[node(
    id = "StubFloat",
    name = "Stub Float",
    category = "Testing/Stub Nodes",
    module = MODULE
)]
pub struct StubFloat {
    /// The number.
    #[input(default = 0.0, min = -1.0e38, max = 1.0e38, step = 0.01)]
    value: f64,
}

impl Node for StubFloat {
    type Output = f64;

    fn run(self, _: &mut NodeContext<'_>) -> Result<f64, NodeError> {
        Ok(self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_fills_its_range() {
        let mut noise = Noise::new();
        let values: Vec<f32> = (0..10_000).map(|_| noise.next()).collect();
        assert!(values.iter().all(|value| (0.0..1.0).contains(value)));
        let mean = values.iter().sum::<f32>() / 10_000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
    }
}
