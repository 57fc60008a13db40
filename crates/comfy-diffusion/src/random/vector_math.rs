//! The single-precision logarithm, sine and cosine that PyTorch's vectorised normal generator uses.
//!
//! Normals must come out to the last bit, because 2⁻²² of difference in the noise is already visible in the golden
//! figures. These are S. L. Moshier's Cephes polynomials (netlib.org/cephes, `logf` and `sinf`), evaluated as the
//! vectorised kernel does: every product that feeds a sum is fused with it, except where noted.

/// Minimax coefficients of (ln(1 + x) − x + x²/2) / x³ for √½ ≤ 1 + x < √2, highest power first.
const LOGARITHM: [f32; 9] = [
    7.037_683_6e-2,
    -1.151_461e-1,
    0.116_769_984,
    -1.242_014_1e-1,
    1.424_932_3e-1,
    -1.666_805_8e-1,
    0.200_007_14,
    -2.499_999_4e-1,
    0.333_333_3,
];
/// ln 2 in two parts, the larger of which is exact in few bits.
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// Minimax coefficients of (sin x − x) / x³ in x² for |x| ≤ π/4, highest power first.
const SINE: [f32; 3] = [-1.951_529_6e-4, 8.332_161e-3, -1.666_665_5e-1];
/// Minimax coefficients of (cos x − 1 + x²/2) / x⁴ in x² for |x| ≤ π/4, highest power first.
const COSINE: [f32; 3] = [2.443_315_7e-5, -1.388_731_6e-3, 4.166_664_6e-2];
/// π/4 in three parts, the first two of which are exact in few bits.
const QUARTER_PI: [f32; 3] = [0.785_156_25, 2.418_756_5e-4, 3.774_895e-8];
const FOUR_OVER_PI: f32 = 1.273_239_5;

/// ln `value` for a normal positive number.
pub(super) fn ln(value: f32) -> f32 {
    const MANTISSA: u32 = 0x007f_ffff;
    const HALF: u32 = 0x3f00_0000;
    let bits = value.to_bits();
    // value = fraction · 2^exponent with ½ ≤ fraction < 1, moved to √½ ≤ fraction < √2.
    let mut exponent = (bits >> 23) as f32 - 126.0;
    let fraction = f32::from_bits((bits & MANTISSA) | HALF);
    let mut x = fraction - 1.0;
    if fraction < std::f32::consts::FRAC_1_SQRT_2 {
        x += fraction;
        exponent -= 1.0;
    }
    let square = x * x;
    let cubic = horner(&LOGARITHM, x) * x;
    let correction = square.mul_add(-0.5, cubic.mul_add(square, exponent * LN_2_LOW));
    exponent.mul_add(LN_2_HIGH, x + correction)
}

/// (sin `angle`, cos `angle`) for 0 ≤ angle < 8192.
pub(super) fn sin_cos(angle: f32) -> (f32, f32) {
    // The octant, made even: angle = octant · π/4 + x with |x| ≤ π/4.
    let octant = ((angle * FOUR_OVER_PI) as u32 + 1) & !1;
    let x = QUARTER_PI
        .iter()
        .fold(angle, |rest, part| (octant as f32).mul_add(-part, rest));
    let square = x * x;
    let cosine = (horner(&COSINE, square) * square).mul_add(square, -(square * 0.5)) + 1.0;
    let sine = (horner(&SINE, square) * square).mul_add(x, x);
    match octant & 7 {
        0 => (sine, cosine),
        2 => (cosine, -sine),
        4 => (-sine, -cosine),
        _ => (-cosine, sine),
    }
}

/// A polynomial by Horner's rule with fused steps.
fn horner(coefficients: &[f32], x: f32) -> f32 {
    coefficients
        .iter()
        .copied()
        .reduce(|sum, coefficient| sum.mul_add(x, coefficient))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{ln, sin_cos};

    #[test]
    fn stay_close_to_the_exact_functions() {
        for step in 1..=4096_u16 {
            let value = f32::from(step) / 4096.0;
            let exact = f64::from(value).ln();
            assert!(
                (f64::from(ln(value)) - exact).abs() <= 1.2e-7 * exact.abs().max(1.0),
                "ln {value}"
            );
            let angle = value * std::f32::consts::TAU;
            let (sine, cosine) = sin_cos(angle);
            assert!(
                (f64::from(sine) - f64::from(angle).sin()).abs() < 1.5e-7,
                "sin {angle}"
            );
            assert!(
                (f64::from(cosine) - f64::from(angle).cos()).abs() < 1.5e-7,
                "cos {angle}"
            );
        }
        // The smallest value the generator takes the logarithm of.
        assert!((ln(1.0 / 16_777_216.0) + 16.635_532).abs() < 2e-6);
    }
}
