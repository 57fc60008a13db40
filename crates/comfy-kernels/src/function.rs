//! Scalar functions written so that loops over them vectorise: no branches, no calls.

#![expect(
    clippy::inline_always,
    reason = "a loop that calls its function is not vectorised"
)]

/// Whether the compiler makes one instruction of a multiplication and an addition wherever the program runs.
pub(crate) const FUSED: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

/// `a · b + c`, with one rounding where that is one instruction and two elsewhere: without the instruction it would be a call.
#[inline(always)]
pub(crate) fn multiply_add<const FUSED: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FUSED { a.mul_add(b, c) } else { a * b + c }
}

/// `c₀ + c₁ x + c₂ x² + …`
#[inline(always)]
fn polynomial<const FUSED: bool, const N: usize>(coefficients: [f32; N], x: f32) -> f32 {
    let mut sum = coefficients[N - 1];
    for coefficient in coefficients.into_iter().rev().skip(1) {
        sum = multiply_add::<FUSED>(sum, x, coefficient);
    }
    sum
}

/// Adding 1.5 · 2²³ rounds to an integer and leaves it in the low bits.
const ROUND: f32 = 12_582_912.0;

/// The smallest and largest arguments of [`exp`] whose results are normal numbers.
const EXP_RANGE: (f32, f32) = (-87.0, 88.0);

/// `eˣ`, within 2e-7 of the value for -87 ≤ x ≤ 88, and as at these ends beyond them.
///
/// x is split as n · ln 2 + r; eʳ is its Taylor series to the seventh power, and 2ⁿ is put together from its bits.
#[inline(always)]
pub(crate) fn exp<const FUSED: bool>(x: f32) -> f32 {
    // ln 2 in two parts, the first of few enough bits that n times it is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    const SERIES: [f32; 6] = [
        0.5,
        1.0 / 6.0,
        1.0 / 24.0,
        1.0 / 120.0,
        1.0 / 720.0,
        1.0 / 5040.0,
    ];
    let x = x.clamp(EXP_RANGE.0, EXP_RANGE.1);
    let shifted = multiply_add::<FUSED>(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = multiply_add::<FUSED>(n, -LN_2_HIGH, x);
    let r = multiply_add::<FUSED>(n, -LN_2_LOW, r);
    let value = multiply_add::<FUSED>(polynomial::<FUSED, 6>(SERIES, r), r * r, r) + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits());
    let power = f32::from_bits(exponent.wrapping_add(127) << 23);
    value * power
}

/// `2ˣ`, within 2e-7 of the value for -125 ≤ x ≤ 0, and 2⁻¹²⁵ below.
///
/// x is split as n + r; 2ʳ is a polynomial that agrees with it at Chebyshev points, and n is added to its exponent.
#[inline(always)]
pub(crate) fn power_of_two<const FUSED: bool>(x: f32) -> f32 {
    const POWERS: [f32; 7] = [
        1.0,
        std::f32::consts::LN_2,
        0.240_226_5,
        0.055_503_57,
        0.009_618_083,
        0.001_339_086_3,
        0.000_154_531_63,
    ];
    // Written so that what is not a number remains so.
    let x = if x < -125.0 { -125.0 } else { x };
    let shifted = x + ROUND;
    let value = polynomial::<FUSED, 7>(POWERS, x - (shifted - ROUND));
    f32::from_bits(value.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// `x / (1 + e⁻ˣ)`
#[inline(always)]
pub(crate) fn silu<const FUSED: bool>(x: f32) -> f32 {
    x / (1.0 + exp::<FUSED>(-x))
}

/// `x / (1 + e^(-1.702 x))`
#[inline(always)]
pub(crate) fn quick_gelu<const FUSED: bool>(x: f32) -> f32 {
    x / (1.0 + exp::<FUSED>(-1.702 * x))
}

/// `x · Φ(x)`, with Φ the normal distribution, within 3e-7 of the value relative to it wherever it is a normal number.
///
/// Φ(x) = erfc(-x / √2) / 2, and for z ≥ 0, erfc(z) = t · p(t) · e^(-z²) with t = 1 / (1 + 0.3 z) and a polynomial p that
/// interpolates erfc(z) e^(z²) / t at the Chebyshev points of 0 ≤ z ≤ 12; its own error is 5e-8.
#[inline(always)]
pub(crate) fn gelu<const FUSED: bool>(x: f32) -> f32 {
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
    let t = 1.0 / multiply_add::<FUSED>(0.3, z, 1.0);
    // x² / 2 is z², with one rounding less.
    let tail = polynomial::<FUSED, 9>(P, t) * t * exp::<FUSED>(-0.5 * x * x);
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
        agree::<false>();
        agree::<true>();
    }

    fn agree<const FUSED: bool>() {
        for step in -80_000..=80_000 {
            let x = step as f32 / 1000.0;
            let wide = f64::from(x);
            let relative = |got: f32, want: f64| (f64::from(got) - want).abs() / want.abs();
            assert!(relative(exp::<FUSED>(x), wide.exp()) < 2e-7, "exp {x}");
            if (-125.0..=0.0).contains(&x) {
                let got = power_of_two::<FUSED>(x);
                assert!(relative(got, wide.exp2()) < 2e-7, "2 to the {x}: {got}");
            }
            if x == 0.0 {
                continue;
            }
            let logistic = wide / (1.0 + (-wide).exp());
            assert!(relative(silu::<FUSED>(x), logistic) < 5e-7, "silu {x}");
            let want = wide * phi(wide);
            if want.abs() > 1e-30 {
                let tolerance = if x > -4.0 { 5e-7 } else { 1e-5 };
                assert!(
                    relative(gelu::<FUSED>(x), want) < tolerance,
                    "gelu {x}: {} {want}",
                    gelu::<FUSED>(x)
                );
            } else {
                assert!(gelu::<FUSED>(x).abs() < 2e-30, "gelu {x}");
            }
        }
    }

    #[test]
    fn functions_have_their_limits() {
        assert!(
            silu::<FUSED>(0.0).abs() < f32::MIN_POSITIVE
                && gelu::<FUSED>(0.0).abs() < f32::MIN_POSITIVE
        );
        assert!((silu::<FUSED>(200.0) - 200.0).abs() < 1e-4 && silu::<FUSED>(-200.0).abs() < 1e-30);
        assert!((gelu::<FUSED>(200.0) - 200.0).abs() < 1e-4 && gelu::<FUSED>(-200.0).abs() < 1e-30);
        assert!(gelu::<FUSED>(f32::NAN).is_nan() && silu::<FUSED>(f32::NAN).is_nan());
        assert!(power_of_two::<FUSED>(f32::NAN).is_nan());
        assert!((power_of_two::<FUSED>(0.0) - 1.0).abs() < f32::MIN_POSITIVE);
        assert!(power_of_two::<FUSED>(f32::NEG_INFINITY) < 1e-37);
    }
}
