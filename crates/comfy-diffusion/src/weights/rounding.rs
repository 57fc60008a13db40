//! Weights as they would be if they were stored in fewer bits.

use half::{bf16, f16};
use rayon::prelude::*;

/// To which numbers weights are rounded as they are read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rounding {
    /// They stay as they are.
    #[default]
    None,
    /// 16-bit floats (IEEE half).
    Half,
    /// 16-bit floats with the exponent of 32-bit ones.
    Brain,
    /// 8-bit floats of 4 exponent and 3 mantissa bits.
    E4m3,
    /// 8-bit floats of 5 exponent and 2 mantissa bits.
    E5m2,
}

/// A small float: the bits of its mantissa, the exponent of its smallest normal number, and its largest number.
struct SmallFloat {
    mantissa_bits: i32,
    smallest_exponent: i32,
    largest: f32,
}

const E4M3: SmallFloat = SmallFloat {
    mantissa_bits: 3,
    smallest_exponent: -6,
    largest: 448.0,
};

const E5M2: SmallFloat = SmallFloat {
    mantissa_bits: 2,
    smallest_exponent: -14,
    largest: 57344.0,
};

impl Rounding {
    /// Rounds to the nearest number; of two equally near ones to that with an even mantissa. What is too large becomes the largest.
    pub(super) fn apply(self, values: &mut [f32]) {
        match self {
            Self::None => {}
            Self::Half => values
                .par_iter_mut()
                .for_each(|value| *value = f16::from_f32(*value).to_f32()),
            Self::Brain => values
                .par_iter_mut()
                .for_each(|value| *value = bf16::from_f32(*value).to_f32()),
            Self::E4m3 => values
                .par_iter_mut()
                .for_each(|value| *value = E4M3.round(*value)),
            Self::E5m2 => values
                .par_iter_mut()
                .for_each(|value| *value = E5M2.round(*value)),
        }
    }
}

impl SmallFloat {
    fn round(&self, value: f32) -> f32 {
        // The exponent as it is stored; that of zero and of subnormal numbers is below all that count here.
        let exponent = ((value.to_bits() >> 23) & 0xff).cast_signed() - 127;
        let step = (exponent.max(self.smallest_exponent) - self.mantissa_bits) as f32;
        let step = step.exp2();
        ((value / step).round_ties_even() * step).clamp(-self.largest, self.largest)
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "rounding gives one number exactly")]
mod tests {
    use super::Rounding;

    #[test]
    fn values_go_to_the_nearest_number_of_the_kind() {
        let round = |rounding: Rounding, value: f32| {
            let mut values = [value];
            rounding.apply(&mut values);
            values[0]
        };
        // torch.tensor(…).to(torch.float8_e4m3fn).float()
        for (value, expected) in [
            (0.3, 0.3125),
            (-1.0, -1.0),
            (1.0625, 1.0),
            (1.1875, 1.25),
            (0.001, 0.001_953_125),
            (0.000_9, 0.0),
            (300.0, 288.0),
            (1e9, 448.0),
        ] {
            assert_eq!(round(Rounding::E4m3, value), expected, "{value}");
        }
        for (value, expected) in [
            (0.3, 0.3125),
            (1.1, 1.0),
            (1.4, 1.5),
            (1e-5, 0.000_015_258_789),
            (-70_000.0, -57344.0),
        ] {
            assert_eq!(round(Rounding::E5m2, value), expected, "{value}");
        }
        assert_eq!(round(Rounding::Half, 0.1), 0.099_975_586);
        assert_eq!(round(Rounding::None, 0.1), 0.1);
    }
}
