//! Scalar functions written so that loops over them vectorise: no branches, no calls.

#![expect(
    clippy::inline_always,
    reason = "a loop that calls its function is not vectorised"
)]

/// The smallest and largest arguments of [`exp`] whose results are normal numbers.
const EXP_RANGE: (f32, f32) = (-87.0, 88.0);

/// `eˣ`, within 2e-7 of the value for -87 ≤ x ≤ 88, and as at these ends beyond them.
///
/// x is split as n · ln 2 + r; eʳ is its Taylor series to the seventh power, and 2ⁿ is put together from its bits.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // ln 2 in two parts, the first of few enough bits that n times it is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Adding 1.5 · 2²³ rounds to an integer and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(EXP_RANGE.0, EXP_RANGE.1);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    let series = 1.0 / 5040.0;
    let series = series * r + 1.0 / 720.0;
    let series = series * r + 1.0 / 120.0;
    let series = series * r + 1.0 / 24.0;
    let series = series * r + 1.0 / 6.0;
    let series = series * r + 0.5;
    let value = series * (r * r) + r + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits());
    let power = f32::from_bits(exponent.wrapping_add(127) << 23);
    value * power
}

/// `x / (1 + e⁻ˣ)`
#[inline(always)]
pub(crate) fn silu(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

/// `x / (1 + e^(-1.702 x))`
#[inline(always)]
pub(crate) fn quick_gelu(x: f32) -> f32 {
    x / (1.0 + exp(-1.702 * x))
}

/// `x · Φ(x)`, with Φ the normal distribution, within 3e-7 of the value relative to it wherever it is a normal number.
///
/// Φ(x) = erfc(-x / √2) / 2, and for z ≥ 0, erfc(z) = t · p(t) · e^(-z²) with t = 1 / (1 + 0.3 z) and a polynomial p that
/// interpolates erfc(z) e^(z²) / t at the Chebyshev points of 0 ≤ z ≤ 12; its own error is 5e-8.
#[inline(always)]
pub(crate) fn gelu(x: f32) -> f32 {
    const P: [f32; 9] = [
        0.169_178_32,
        0.170_880_28,
        0.147_161_1,
        0.219_527_97,
        -0.105_431_75,
        0.563_271_1,
        -0.525_805_2,
        0.492_069_97,
        -0.130_851_83,
    ];
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.3 * z);
    let mut p = P[8];
    p = p * t + P[7];
    p = p * t + P[6];
    p = p * t + P[5];
    p = p * t + P[4];
    p = p * t + P[3];
    p = p * t + P[2];
    p = p * t + P[1];
    p = p * t + P[0];
    // x² / 2 is z², with one rounding less.
    let tail = p * t * exp(-0.5 * x * x);
    let twice_phi = if x < 0.0 { tail } else { 2.0 - tail };
    0.5 * x * twice_phi
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Φ by the Taylor series of the error function for small and its continued fraction for large arguments.
    fn phi(x: f64) -> f64 {
        let z = x.abs() / 2.0_f64.sqrt();
        let erfc = if z < 3.0 {
            let (mut term, mut sum) = (z, z);
            for k in 1..200 {
                term *= -z * z / f64::from(k);
                sum += term / f64::from(2 * k + 1);
            }
            1.0 - sum * 2.0 / std::f64::consts::PI.sqrt()
        } else {
            let mut fraction = z;
            for k in (1..200).rev() {
                fraction = z + f64::from(k) / 2.0 / fraction;
            }
            (-z * z).exp() / fraction / std::f64::consts::PI.sqrt()
        };
        if x < 0.0 {
            erfc / 2.0
        } else {
            1.0 - erfc / 2.0
        }
    }

    #[test]
    fn functions_agree_with_double_precision() {
        for step in -80_000..=80_000 {
            let x = step as f32 / 1000.0;
            let wide = f64::from(x);
            let relative = |got: f32, want: f64| (f64::from(got) - want).abs() / want.abs();
            assert!(relative(exp(x), wide.exp()) < 2e-7, "exp {x}");
            if x == 0.0 {
                continue;
            }
            let logistic = wide / (1.0 + (-wide).exp());
            assert!(relative(silu(x), logistic) < 5e-7, "silu {x}");
            let want = wide * phi(wide);
            if want.abs() > 1e-30 {
                let tolerance = if x > -4.0 { 5e-7 } else { 1e-5 };
                assert!(
                    relative(gelu(x), want) < tolerance,
                    "gelu {x}: {} {want}",
                    gelu(x)
                );
            } else {
                assert!(gelu(x).abs() < 2e-30, "gelu {x}");
            }
        }
    }

    #[test]
    fn functions_have_their_limits() {
        assert!(silu(0.0).abs() < f32::MIN_POSITIVE && gelu(0.0).abs() < f32::MIN_POSITIVE);
        assert!((silu(200.0) - 200.0).abs() < 1e-4 && silu(-200.0).abs() < 1e-30);
        assert!((gelu(200.0) - 200.0).abs() < 1e-4 && gelu(-200.0).abs() < 1e-30);
        assert!(gelu(f32::NAN).is_nan() && silu(f32::NAN).is_nan());
    }
}
