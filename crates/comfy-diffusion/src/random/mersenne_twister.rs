//! The 32-bit Mersenne Twister.
//!
//! Source: M. Matsumoto and T. Nishimura, "Mersenne Twister: a 623-dimensionally equidistributed uniform pseudo-random
//! number generator", ACM TOMACS 8 (1998), with the initialisation of 2002.

const STATE_WORDS: usize = 624;
const MIDDLE_WORD: usize = 397;
const TWIST_MATRIX: u32 = 0x9908_b0df;
const UPPER_BIT: u32 = 0x8000_0000;
const LOWER_BITS: u32 = 0x7fff_ffff;

/// MT19937 with a 32-bit seed.
#[derive(Clone, Debug)]
pub struct MersenneTwister {
    state: Box<[u32; STATE_WORDS]>,
    next: usize,
}

impl MersenneTwister {
    /// A generator that starts from `seed`.
    pub fn new(seed: u32) -> Self {
        let mut state = Box::new([0_u32; STATE_WORDS]);
        state[0] = seed;
        for index in 1..STATE_WORDS {
            let previous = state[index - 1];
            state[index] = 1_812_433_253_u32
                .wrapping_mul(previous ^ (previous >> 30))
                .wrapping_add(index as u32);
        }
        Self {
            state,
            next: STATE_WORDS,
        }
    }

    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.next == STATE_WORDS {
            self.twist();
        }
        let mut word = self.state[self.next];
        self.next += 1;
        word ^= word >> 11;
        word ^= (word << 7) & 0x9d2c_5680;
        word ^= (word << 15) & 0xefc6_0000;
        word ^ (word >> 18)
    }

    fn twist(&mut self) {
        for index in 0..STATE_WORDS {
            let following = self.state[(index + 1) % STATE_WORDS];
            let mixed = (self.state[index] & UPPER_BIT) | (following & LOWER_BITS);
            let twisted = (mixed >> 1) ^ if mixed & 1 == 1 { TWIST_MATRIX } else { 0 };
            self.state[index] = self.state[(index + MIDDLE_WORD) % STATE_WORDS] ^ twisted;
        }
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::MersenneTwister;

    #[test]
    fn gives_the_published_sequence() {
        // The first and the ten-thousandth word of the default seed, as the C++ standard lists them for std::mt19937.
        let mut generator = MersenneTwister::new(5489);
        assert_eq!(generator.next_u32(), 3_499_211_612);
        let mut last = 0;
        for _ in 1..10_000 {
            last = generator.next_u32();
        }
        assert_eq!(last, 4_123_659_995);
    }
}
