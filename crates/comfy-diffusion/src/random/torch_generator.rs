//! PyTorch's CPU generator: the same bits in the same order, turned into the same numbers.
//!
//! The schemes (observed, and checked against recorded draws): a tensor of fewer than 16 normal values is drawn one by
//! one in f64 by Box and Muller's method, keeping the sine half for the next value; a larger one first takes all its
//! uniforms and then transforms them in blocks of 16, eight cosines followed by eight sines, where a last incomplete
//! block is replaced by a block of fresh uniforms that overlaps the one before it.
//!
//! Source of the transform: G. E. P. Box and M. E. Muller, "A note on the generation of random normal deviates",
//! Annals of Mathematical Statistics 29 (1958).

use super::{MersenneTwister, vector_math};

/// Below this many values PyTorch draws normals one at a time.
const BLOCK: usize = 16;
const HALF_BLOCK: usize = BLOCK / 2;
/// From this range on a random integer is made of 64 random bits rather than 32 (as of PyTorch 2.8).
const WIDE_RANGE: u64 = 1 << 28;

/// A generator that draws what `torch.Generator(device="cpu")` draws after `manual_seed`.
#[derive(Clone, Debug)]
pub struct TorchGenerator {
    engine: MersenneTwister,
    /// The sine half of the last pair drawn by [`Self::next_normal`]; it outlives the call that made it.
    spare_normal: Option<f64>,
}

impl TorchGenerator {
    /// A generator for `seed`, of which only the low 32 bits count, as in PyTorch.
    pub fn new(seed: u64) -> Self {
        Self {
            engine: MersenneTwister::new(seed as u32),
            spare_normal: None,
        }
    }

    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        self.engine.next_u32()
    }

    /// The next 64 random bits: the first word drawn is the upper half.
    pub fn next_u64(&mut self) -> u64 {
        let high = u64::from(self.next_u32());
        let low = u64::from(self.next_u32());
        (high << 32) | low
    }

    /// `torch.rand(count)` in f32: values in `0.0..1.0` in steps of 2⁻²⁴.
    pub fn rand(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next_uniform_f32()).collect()
    }

    /// `torch.rand(count, dtype=float64)`: values in `0.0..1.0` in steps of 2⁻⁵³.
    pub fn rand_f64(&mut self, count: usize) -> Vec<f64> {
        (0..count).map(|_| self.next_uniform_f64()).collect()
    }

    /// `torch.randint(low, high, (count,))`: integers in `low..high`. An empty range gives `low`.
    pub fn randint(&mut self, low: i64, high: i64, count: usize) -> Vec<i64> {
        let range = high.wrapping_sub(low) as u64;
        (0..count)
            .map(|_| {
                let bits = if range >= WIDE_RANGE {
                    self.next_u64()
                } else {
                    u64::from(self.next_u32())
                };
                low.wrapping_add(bits.checked_rem(range).unwrap_or(0) as i64)
            })
            .collect()
    }

    /// `torch.randperm(count)`: the numbers `0..count` shuffled.
    pub fn randperm(&mut self, count: usize) -> Vec<i64> {
        let mut permutation: Vec<i64> = (0..count as i64).collect();
        for index in 0..count.saturating_sub(1) {
            let offset = self.next_u32() as usize % (count - index);
            permutation.swap(index, index + offset);
        }
        permutation
    }

    /// `torch.randn(count)` in f32, to the bit of a build that uses AVX2 (all common x86-64 ones).
    pub fn randn(&mut self, count: usize) -> Vec<f32> {
        if count < BLOCK {
            return (0..count).map(|_| self.next_normal() as f32).collect();
        }
        let mut values = self.rand(count);
        let whole = count - count % BLOCK;
        for block in values[..whole].chunks_exact_mut(BLOCK) {
            normal_block_f32(block);
        }
        if whole < count {
            let tail = &mut values[count - BLOCK..];
            for value in tail.iter_mut() {
                *value = self.next_uniform_f32();
            }
            normal_block_f32(tail);
        }
        values
    }

    /// `torch.randn(count, dtype=float64)`.
    pub fn randn_f64(&mut self, count: usize) -> Vec<f64> {
        if count < BLOCK {
            return (0..count).map(|_| self.next_normal()).collect();
        }
        let mut values = self.rand_f64(count);
        let whole = count - count % BLOCK;
        for block in values[..whole].chunks_exact_mut(BLOCK) {
            normal_block_f64(block);
        }
        if whole < count {
            let tail = &mut values[count - BLOCK..];
            for value in tail.iter_mut() {
                *value = self.next_uniform_f64();
            }
            normal_block_f64(tail);
        }
        values
    }

    fn next_uniform_f32(&mut self) -> f32 {
        (self.next_u32() & 0x00ff_ffff) as f32 / (1_u32 << 24) as f32
    }

    fn next_uniform_f64(&mut self) -> f64 {
        (self.next_u64() & ((1 << 53) - 1)) as f64 / (1_u64 << 53) as f64
    }

    fn next_normal(&mut self) -> f64 {
        if let Some(spare) = self.spare_normal.take() {
            return spare;
        }
        let turn = self.next_uniform_f64();
        let depth = self.next_uniform_f64();
        let radius = (-2.0 * (-depth).ln_1p()).sqrt();
        let angle = std::f64::consts::TAU * turn;
        self.spare_normal = Some(radius * angle.sin());
        radius * angle.cos()
    }
}

/// Turns 16 uniforms into 16 normals with the vectorised kernel's functions.
fn normal_block_f32(block: &mut [f32]) {
    let (first, second) = block.split_at_mut(HALF_BLOCK);
    for (cosine, sine) in first.iter_mut().zip(second) {
        let radius = (-2.0 * vector_math::ln(1.0 - *cosine)).sqrt();
        let (sine_part, cosine_part) = vector_math::sin_cos(std::f32::consts::TAU * *sine);
        *cosine = radius * cosine_part;
        *sine = radius * sine_part;
    }
}

/// The same in f64, where PyTorch uses the ordinary functions.
fn normal_block_f64(block: &mut [f64]) {
    let (first, second) = block.split_at_mut(HALF_BLOCK);
    for (cosine, sine) in first.iter_mut().zip(second) {
        let radius = (-2.0 * (1.0 - *cosine).ln()).sqrt();
        let angle = std::f64::consts::TAU * *sine;
        *cosine = radius * angle.cos();
        *sine = radius * angle.sin();
    }
}

#[cfg(test)]
mod tests {
    use super::TorchGenerator;

    fn assert_near(got: &[f32], want: &[f32]) {
        for (got, want) in got.iter().zip(want) {
            assert!((got - want).abs() < 5e-5, "{got} is not {want}");
        }
    }

    #[test]
    fn draws_normals_as_pytorch() {
        let randn = |count| TorchGenerator::new(42).randn(count);
        assert_near(&randn(5), &[0.3367, 0.1288, 0.2345, 0.2303, -1.1229]);
        assert_near(
            &randn(16),
            &[1.9269, 1.4873, 0.9007, -2.1055, 0.6784, -1.2345],
        );
        assert_near(&randn(17), &[1.9269, -0.1596, -0.4974]);
    }

    #[test]
    fn uses_the_low_half_of_the_seed() {
        assert_eq!(
            TorchGenerator::new(42).randn(40),
            TorchGenerator::new((7 << 32) + 42).randn(40)
        );
        assert_ne!(
            TorchGenerator::new(42).randn(40),
            TorchGenerator::new(43).randn(40)
        );
    }

    #[test]
    fn keeps_the_sine_half_between_calls() {
        let mut generator = TorchGenerator::new(1);
        let separately = [generator.randn(3), generator.randn(3)].concat();
        assert_eq!(separately, TorchGenerator::new(1).randn(6));
    }

    #[test]
    fn integers_stay_in_range() {
        let mut generator = TorchGenerator::new(3);
        assert!(
            generator
                .randint(-5, 6, 1000)
                .iter()
                .all(|value| (-5..6).contains(value))
        );
        assert_eq!(generator.randint(9, 9, 2), [9, 9]);
        let mut shuffled = generator.randperm(100);
        shuffled.sort_unstable();
        assert_eq!(shuffled, (0..100).collect::<Vec<_>>());
        assert!(generator.randperm(0).is_empty());
    }
}
