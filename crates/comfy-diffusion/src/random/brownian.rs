//! A Brownian path that can be asked for any of its increments and always gives the same ones.
//!
//! The path is fixed at its two ends and refined by halving: the value in the middle of an interval, given its ends, is
//! normal (Lévy's construction), and its randomness comes from a seed that depends only on where the interval lies in
//! the tree of halvings. The seeds, the rounding of times to six decimals and the order of the sums follow torchsde 0.2.6
//! (`BrownianTree`), whose numbers these are.
//!
//! Source: J. Gaines and T. Lyons, "Variable step size control in the numerical solution of stochastic differential
//! equations", SIAM J. Appl. Math. 57 (1997).

use super::{SeedSequence, TorchGenerator};

/// Words of entropy that each node's seed is mixed in.
const POOL_WORDS: usize = 24;

/// A Brownian path over an interval of σ, with `count` independent components.
#[derive(Clone, Debug)]
pub struct BrownianTree {
    entropy: u64,
    root: Interval,
    /// W(end) − W(start).
    whole: Vec<f32>,
}

/// A node of the tree: the interval it covers and its place.
#[derive(Clone, Copy, Debug)]
struct Interval {
    start: f64,
    end: f64,
    /// The path of left (0) and right (1) turns from the root.
    key: u64,
    depth: u64,
}

impl Interval {
    fn middle(&self) -> f64 {
        rounded(0.5 * (self.end + self.start))
    }
}

impl BrownianTree {
    /// A path over `start..=end` (in either order) for a seed; all 64 bits of it count.
    pub fn new(start: f64, end: f64, count: usize, seed: u64) -> Self {
        let (start, end) = if start <= end {
            (start, end)
        } else {
            (end, start)
        };
        let scale = (end - start).sqrt() as f32;
        let mut whole = node_normals(&SeedSequence::new(seed, &[], POOL_WORDS), count);
        for value in &mut whole {
            *value *= scale;
        }
        let root = Interval {
            start: rounded(start),
            end: rounded(end),
            key: 0,
            depth: 0,
        };
        Self {
            entropy: seed,
            root,
            whole,
        }
    }

    /// The increment from `from` to `to` divided by √|to − from|: a standard normal value per component. Times outside
    /// of the path are moved to its ends; an empty interval gives zeros.
    pub fn noise(&self, from: f32, to: f32) -> Vec<f32> {
        let scale = (to - from).abs().sqrt();
        let mut increment = self.increment(f64::from(from), f64::from(to));
        if scale > 0.0 {
            for value in &mut increment {
                *value /= scale;
            }
        }
        increment
    }

    /// W(to) − W(from) per component.
    pub fn increment(&self, from: f64, to: f64) -> Vec<f32> {
        let sign = if from <= to { 1.0 } else { -1.0 };
        let (low, high) = if from <= to { (from, to) } else { (to, from) };
        let low = rounded(low.clamp(self.root.start, self.root.end));
        let high = rounded(high.clamp(self.root.start, self.root.end));
        let mut sum = None;
        if low < high {
            self.add_increments(self.root, &self.whole, low, high, &mut sum);
        }
        let mut sum = sum.unwrap_or_else(|| vec![0.0; self.whole.len()]);
        for value in &mut sum {
            *value *= sign;
        }
        sum
    }

    /// Adds, from left to right, the increments of the largest nodes at or below `node` that together make up
    /// `low..high`. The depth of the recursion is bounded by the number of halvings down to a step of 10⁻⁶.
    fn add_increments(
        &self,
        node: Interval,
        whole: &[f32],
        low: f64,
        high: f64,
        sum: &mut Option<Vec<f32>>,
    ) {
        let middle = node.middle();
        // An interval of one step has its middle on an edge and cannot be halved.
        let covered = low <= node.start && high >= node.end;
        if covered || middle <= node.start || middle >= node.end {
            match sum {
                None => *sum = Some(whole.to_vec()),
                Some(sum) => {
                    for (total, value) in sum.iter_mut().zip(whole) {
                        *total += value;
                    }
                }
            }
            return;
        }
        let left_increment = self.left_increment(node, middle, whole);
        if low < middle {
            let left = Interval {
                end: middle,
                key: node.key << 1,
                depth: node.depth + 1,
                ..node
            };
            self.add_increments(left, &left_increment, low, high.min(middle), sum);
        }
        if high > middle {
            let right = Interval {
                start: middle,
                key: (node.key << 1) | 1,
                depth: node.depth + 1,
                ..node
            };
            let increment: Vec<f32> = whole
                .iter()
                .zip(&left_increment)
                .map(|(whole, left)| whole - left)
                .collect();
            self.add_increments(right, &increment, low.max(middle), high, sum);
        }
    }

    /// The Brownian bridge: the increment over the left half, given the increment over the whole node.
    fn left_increment(&self, node: Interval, middle: f64, whole: &[f32]) -> Vec<f32> {
        let reciprocal = 1.0 / (node.end - node.start);
        let left = middle - node.start;
        let right = node.end - middle;
        let deviation = (left * right * reciprocal).sqrt() as f32;
        let (left, reciprocal) = (left as f32, reciprocal as f32);
        let seeds = SeedSequence::new(self.entropy, &[node.key, node.depth], POOL_WORDS);
        let mut increment = node_normals(&seeds, whole.len());
        for (value, whole) in increment.iter_mut().zip(whole) {
            *value = left * whole * reciprocal + deviation * *value;
        }
        increment
    }
}

/// The normals of a node: a fresh generator on the first word of its seeds.
fn node_normals(seeds: &SeedSequence, count: usize) -> Vec<f32> {
    let seed = seeds.generate(1).first().copied().unwrap_or_default();
    TorchGenerator::new(u64::from(seed)).randn(count)
}

/// A time rounded to six decimals, a tie going to the even digit, as Python's `round(time, 6)`.
fn rounded(time: f64) -> f64 {
    // Formatting rounds the exact binary value; multiplying by 10⁶ first would not.
    format!("{time:.6}").parse().unwrap_or(time)
}

#[cfg(test)]
#[expect(
    clippy::float_cmp,
    reason = "these values must be equal to the last bit"
)]
mod tests {
    use super::{BrownianTree, rounded};

    #[test]
    fn rounds_as_python() {
        // Values of Python's round(x, 6); the first is a tie.
        assert_eq!(rounded(0.007_812_5), 0.007_812);
        assert_eq!(rounded(0.023_437_5), 0.023_438);
        assert_eq!(rounded(14.614_642_143_249_512), 14.614_642);
        assert_eq!(rounded(-0.0), 0.0);
    }

    #[test]
    fn equals_torchsde() {
        let tree = BrownianTree::new(0.029_167, 14.614_642, 16, 42);
        let noise = tree.noise(1.0, 2.0);
        for (got, want) in noise.iter().zip([-0.7300, 0.7396, 0.5298, -2.0743]) {
            assert!((got - want).abs() < 1e-4, "{noise:?}");
        }
    }

    #[test]
    fn increments_add_up_and_change_sign() {
        let tree = BrownianTree::new(0.03, 14.6, 64, 7);
        let whole = tree.increment(0.5, 9.25);
        let parts = tree
            .increment(0.5, 2.0)
            .into_iter()
            .zip(tree.increment(2.0, 9.25));
        for (whole, (left, right)) in whole.iter().zip(parts) {
            assert!((whole - (left + right)).abs() < 2e-6);
        }
        for (forward, backward) in whole.iter().zip(tree.increment(9.25, 0.5)) {
            assert!((forward + backward).abs() < 1e-9);
        }
    }

    #[test]
    fn has_the_variance_of_its_length() {
        let tree = BrownianTree::new(0.0, 16.0, 20_000, 3);
        for (from, to) in [(0.0, 16.0), (1.0, 2.0), (0.001, 0.0013), (7.9, 8.1)] {
            let noise = tree.noise(from, to);
            let variance = noise.iter().map(|v| f64::from(v * v)).sum::<f64>() / noise.len() as f64;
            assert!(
                (variance - 1.0).abs() < 0.05,
                "variance {variance} over {from}..{to}"
            );
        }
    }

    #[test]
    fn degenerate_intervals_give_numbers() {
        let tree = BrownianTree::new(1.0, 1.0, 4, 0);
        assert_eq!(tree.noise(1.0, 1.0), [0.0; 4]);
        assert!(
            BrownianTree::new(0.0, 2e-6, 4, 0)
                .noise(0.0, 1e-6)
                .iter()
                .all(|v| v.is_finite())
        );
        assert!(
            BrownianTree::new(0.02, 1e9, 4, 0)
                .noise(5.0, 6.0)
                .iter()
                .all(|v| v.is_finite())
        );
    }
}
