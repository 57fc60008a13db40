//! Noise: the initial one, and what stochastic samplers add on their way.

use burn::tensor::{Device, Tensor, TensorData};

use crate::random::{BrownianTree, TorchGenerator};
use crate::{Error, Result};

/// Batch indices are drawn one after another up to the largest, so that one is limited.
const LARGEST_BATCH_INDEX: i64 = 65_535;

/// The initial noise for a latent of `shape`, row by row. One draw covers the whole batch; with `batch_index` each index
/// has the draw it would have as a member of a larger batch, equal indices share it, and the result has as many
/// members as there are indices. The generator begins at the seed, of which only the low 32 bits count.
pub fn prepare_noise(
    shape: [usize; 4],
    generator: &mut TorchGenerator,
    batch_index: Option<&[i64]>,
) -> Result<Vec<f32>> {
    let Some(indices) = batch_index else {
        return Ok(generator.randn(shape.iter().product()));
    };
    let allowed = 0..=LARGEST_BATCH_INDEX;
    if let Some(wrong) = indices.iter().find(|index| !allowed.contains(*index)) {
        return Err(Error::input(format!(
            "batch index {wrong} of the latent is outside of 0 to {LARGEST_BATCH_INDEX}"
        )));
    }
    let member: usize = shape[1..].iter().product();
    let mut noise = vec![0.0; member * indices.len()];
    for index in 0..=indices.iter().copied().max().unwrap_or(-1) {
        let draw = generator.randn(member);
        for (target, _) in noise
            .chunks_exact_mut(member.max(1))
            .zip(indices)
            .filter(|(_, wanted)| **wanted == index)
        {
            target.copy_from_slice(&draw);
        }
    }
    Ok(noise)
}

/// Independent normal noise, a fresh draw each time.
#[derive(Debug)]
pub struct StepNoise {
    generator: TorchGenerator,
    shape: [usize; 4],
    device: Device,
}

impl StepNoise {
    pub(super) fn new(seed: u64, like: &Tensor<4>) -> Self {
        Self {
            generator: TorchGenerator::new(seed),
            shape: like.dims(),
            device: like.device(),
        }
    }

    /// The next draw.
    pub fn draw(&mut self) -> Tensor<4> {
        let values = self.generator.randn(self.shape.iter().product());
        Tensor::from_data(TensorData::new(values, self.shape), &self.device)
    }
}

/// Normal noise that is the increment of one Brownian path over σ: halving the steps gives the same picture more finely.
#[derive(Debug)]
pub struct BrownianNoise {
    tree: BrownianTree,
    shape: [usize; 4],
    device: Device,
}

impl BrownianNoise {
    /// A path from the smallest positive to the largest of `sigmas`.
    pub(super) fn new(seed: u64, sigmas: &[f32], like: &Tensor<4>) -> Self {
        let positive = || sigmas.iter().copied().filter(|sigma| *sigma > 0.0);
        let low = positive().reduce(f32::min).unwrap_or_default();
        let high = positive().reduce(f32::max).unwrap_or_default();
        let shape = like.dims();
        let tree = BrownianTree::new(
            f64::from(low),
            f64::from(high),
            shape.iter().product(),
            seed,
        );
        Self {
            tree,
            shape,
            device: like.device(),
        }
    }

    /// The path's increment between two levels, divided by the root of their distance.
    pub fn between(&self, from: f32, to: f32) -> Tensor<4> {
        Tensor::from_data(
            TensorData::new(self.tree.noise(from, to), self.shape),
            &self.device,
        )
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use crate::Result;
    use crate::random::TorchGenerator;

    fn prepare_noise(
        shape: [usize; 4],
        seed: u64,
        batch_index: Option<&[i64]>,
    ) -> Result<Vec<f32>> {
        super::prepare_noise(shape, &mut TorchGenerator::new(seed), batch_index)
    }

    #[test]
    fn equal_indices_share_their_draw() {
        let shape = [3, 4, 2, 2];
        let noise = prepare_noise(shape, 42, Some(&[2, 0, 2])).unwrap();
        assert_eq!(noise.len(), 48);
        assert_eq!(noise[..16], noise[32..]);
        let second = prepare_noise([1, 4, 2, 2], 42, None).unwrap();
        assert_eq!(noise[16..32], second[..]);
    }

    #[test]
    fn single_member_equals_index_zero() {
        let shape = [1, 4, 3, 5];
        assert_eq!(
            prepare_noise(shape, 7, Some(&[0])).unwrap(),
            prepare_noise(shape, 7, None).unwrap()
        );
    }

    #[test]
    fn wrong_indices_are_refused() {
        for index in [-1, i64::MAX, i64::MIN, 65_536] {
            let error = prepare_noise([1, 4, 2, 2], 0, Some(&[index])).unwrap_err();
            assert!(error.to_string().contains(&index.to_string()), "{error}");
        }
        assert!(
            prepare_noise([0, 4, 0, 2], 0, Some(&[]))
                .unwrap()
                .is_empty()
        );
        assert!(
            prepare_noise([1, 4, 0, 2], 0, Some(&[3]))
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn only_the_low_half_of_the_seed_counts() {
        let shape = [1, 4, 2, 2];
        assert_eq!(
            prepare_noise(shape, 42, None).unwrap(),
            prepare_noise(shape, 42 + (1 << 32), None).unwrap()
        );
    }

    #[test]
    fn equals_the_recorded_noise() {
        let golden = comfy_fixtures::golden("noise");
        for seed in [0, 42, u64::MAX] {
            for batch in [1, 2] {
                let (shape, want) = golden.tensor(&format!("seed{seed}.b{batch}"));
                let noise = prepare_noise([batch, 4, 32, 32], seed, None).unwrap();
                assert_eq!(shape, [batch, 4, 32, 32]);
                assert_eq!(noise, want, "seed {seed}, batch {batch}");
            }
        }
        let noise = prepare_noise([3, 4, 32, 32], 42, Some(&[0, 0, 2])).unwrap();
        assert_eq!(noise, golden.tensor("seed42.inds_0_0_2").1);
    }
}
