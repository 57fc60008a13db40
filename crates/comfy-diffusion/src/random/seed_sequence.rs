//! `NumPy`'s `SeedSequence`: many independent seeds from one number.
//!
//! Source: the mixing is M. E. O'Neill's `seed_seq_fe`, described in "Developing a `seed_seq` alternative" (2015), with
//! `NumPy`'s way of appending a spawn key to the entropy.

const INITIAL_A: u32 = 0x43b0_d7e5;
const MULTIPLY_A: u32 = 0x931e_8875;
const INITIAL_B: u32 = 0x8b51_f9dd;
const MULTIPLY_B: u32 = 0x58f3_8ded;
const MIX_LEFT: u32 = 0xca01_f9dd;
const MIX_RIGHT: u32 = 0x4973_f715;
const SHIFT: u32 = 16;

/// A pool of hashed entropy from which seeds are generated.
#[derive(Clone, Debug)]
pub struct SeedSequence {
    pool: Vec<u32>,
}

impl SeedSequence {
    /// `SeedSequence(entropy, spawn_key=spawn_key, pool_size=pool_size)`. `NumPy` wants a pool of at least four words,
    /// so smaller sizes are raised to that.
    pub fn new(entropy: u64, spawn_key: &[u64], pool_size: usize) -> Self {
        let pool_size = pool_size.max(4);
        let mut words = little_endian_words(entropy);
        if !spawn_key.is_empty() {
            // Padding keeps a short entropy with a spawn key apart from a longer entropy without one.
            words.resize(words.len().max(pool_size), 0);
            words.extend(spawn_key.iter().copied().flat_map(little_endian_words));
        }
        Self {
            pool: mix(&words, pool_size),
        }
    }

    /// `generate_state(count)`: `count` words of seed.
    pub fn generate(&self, count: usize) -> Vec<u32> {
        let mut constant = INITIAL_B;
        self.pool
            .iter()
            .cycle()
            .take(count)
            .map(|&word| {
                let mixed = word ^ constant;
                constant = constant.wrapping_mul(MULTIPLY_B);
                let scrambled = mixed.wrapping_mul(constant);
                scrambled ^ (scrambled >> SHIFT)
            })
            .collect()
    }
}

fn mix(words: &[u32], pool_size: usize) -> Vec<u32> {
    let mut hash = Hash {
        constant: INITIAL_A,
    };
    let mut pool: Vec<u32> = (0..pool_size)
        .map(|index| hash.absorb(words.get(index).copied().unwrap_or(0)))
        .collect();
    for source in 0..pool_size {
        for target in 0..pool_size {
            if source != target {
                pool[target] = combine(pool[target], hash.absorb(pool[source]));
            }
        }
    }
    for &word in words.iter().skip(pool_size) {
        for target in &mut pool {
            *target = combine(*target, hash.absorb(word));
        }
    }
    pool
}

struct Hash {
    constant: u32,
}

impl Hash {
    fn absorb(&mut self, word: u32) -> u32 {
        let mixed = word ^ self.constant;
        self.constant = self.constant.wrapping_mul(MULTIPLY_A);
        let scrambled = mixed.wrapping_mul(self.constant);
        scrambled ^ (scrambled >> SHIFT)
    }
}

fn combine(left: u32, right: u32) -> u32 {
    let mixed = MIX_LEFT
        .wrapping_mul(left)
        .wrapping_sub(MIX_RIGHT.wrapping_mul(right));
    mixed ^ (mixed >> SHIFT)
}

/// The 32-bit words of a number, lowest first, without leading zeros; zero is one word.
fn little_endian_words(number: u64) -> Vec<u32> {
    let low = number as u32;
    let high = (number >> 32) as u32;
    if high == 0 {
        vec![low]
    } else {
        vec![low, high]
    }
}

#[cfg(test)]
mod tests {
    use super::SeedSequence;

    #[test]
    fn equals_numpy() {
        assert_eq!(
            SeedSequence::new(42, &[], 24).generate(3),
            [387_750_627, 2_536_650_517, 4_078_839_648]
        );
        assert_eq!(
            SeedSequence::new(0, &[], 4).generate(6),
            [
                2_968_811_710,
                3_677_149_159,
                745_650_761,
                2_884_920_346,
                2_642_120_001,
                549_907_821
            ],
        );
        assert_eq!(
            SeedSequence::new((1 << 63) + 5, &[3, 7], 24).generate(4),
            [310_081_890, 2_958_543_259, 896_127_312, 1_785_044_102],
        );
        assert_eq!(
            SeedSequence::new(1, &[(1 << 40) + 1, 41], 4).generate(4),
            [3_525_079_023, 1_749_328_530, 2_379_198_404, 1_464_508_465],
        );
    }
}
