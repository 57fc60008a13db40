//! The quantile function of the beta distribution.
//!
//! Sources: NIST Digital Library of Mathematical Functions §8.17.22 (continued fraction of the incomplete beta function,
//! evaluated by Lentz's method) and C. Lanczos, "A precision approximation of the gamma function" (1964).

/// Halvings of the interval 0..1 until it is as narrow as f64 allows.
const HALVINGS: usize = 80;
const MOST_TERMS: usize = 300;
const TINY: f64 = 1e-300;

/// The x in 0..=1 below which Beta(`a`, `b`) has the probability `probability`; `a` and `b` must be positive.
#[expect(
    clippy::float_cmp,
    reason = "only the exact median of an exactly symmetric distribution is known"
)]
pub(super) fn beta_quantile(probability: f64, a: f64, b: f64) -> f64 {
    if probability <= 0.0 {
        return 0.0;
    }
    if probability >= 1.0 {
        return 1.0;
    }
    // A symmetric distribution has its median in the middle, exactly: half a time step hangs on it.
    if a == b && probability == 0.5 {
        return 0.5;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if regularised_beta(middle, a, b) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// `I_x(a, b)`, the distribution function of Beta(a, b).
fn regularised_beta(x: f64, a: f64, b: f64) -> f64 {
    // The continued fraction converges fast only left of the mean; the right side is its mirror image.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - regularised_beta_left(1.0 - x, b, a);
    }
    regularised_beta_left(x, a, b)
}

fn regularised_beta_left(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let ln_beta = ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
    let front = (a * x.ln() + b * (-x).ln_1p() - ln_beta).exp() / a;
    front * continued_fraction(x, a, b)
}

fn continued_fraction(x: f64, a: f64, b: f64) -> f64 {
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut numerator = 1.0;
    let mut denominator = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = denominator;
    for term in 1..=MOST_TERMS {
        let m = term as f64;
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for coefficient in [even, odd] {
            denominator = 1.0 / away_from_zero(1.0 + coefficient * denominator);
            numerator = away_from_zero(1.0 + coefficient / numerator);
            change = denominator * numerator;
            fraction *= change;
        }
        if (change - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    fraction
}

/// ln Γ(x) for positive x, to about 15 digits.
fn ln_gamma(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        return (std::f64::consts::PI / (std::f64::consts::PI * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let shifted = x + COEFFICIENTS.len() as f64 - 0.5;
    let series = COEFFICIENTS
        .iter()
        .enumerate()
        .fold(0.999_999_999_999_809_9, |sum, (index, coefficient)| {
            sum + coefficient / (x + index as f64 + 1.0)
        });
    0.5 * std::f64::consts::TAU.ln() + (x + 0.5) * shifted.ln() - shifted + series.ln()
}

#[cfg(test)]
mod tests {
    use super::{beta_quantile, ln_gamma};

    #[test]
    fn gamma_of_known_arguments() {
        assert!((ln_gamma(0.5) - std::f64::consts::PI.sqrt().ln()).abs() < 1e-13);
        assert!(ln_gamma(1.0).abs() < 1e-13 && ln_gamma(2.0).abs() < 1e-13);
        assert!((ln_gamma(11.0) - 3_628_800_f64.ln()).abs() < 1e-12);
        assert!((ln_gamma(0.1) - 2.252_712_651_734_206).abs() < 1e-13);
    }

    #[test]
    fn quantiles_with_closed_forms() {
        for step in 0..=40 {
            let p = f64::from(step) / 40.0;
            assert!(
                (beta_quantile(p, 1.0, 1.0) - p).abs() < 1e-13,
                "uniform at {p}"
            );
            assert!(
                (beta_quantile(p, 2.0, 1.0) - p.sqrt()).abs() < 1e-13,
                "linear density at {p}"
            );
            let arcsine = (std::f64::consts::FRAC_PI_2 * p).sin().powi(2);
            assert!(
                (beta_quantile(p, 0.5, 0.5) - arcsine).abs() < 1e-13,
                "arcsine law at {p}"
            );
        }
    }

    #[test]
    fn quantiles_of_scipy() {
        // scipy.stats.beta.ppf
        for (p, a, b, want) in [
            (0.01, 0.6, 0.6, 0.000_861_238_821_542_905_9),
            (0.3, 0.6, 0.6, 0.234_017_003_875_235_72),
            (0.75, 0.6, 0.6, 0.824_319_621_347_305),
            (0.999, 0.6, 0.6, 0.999_981_441_261_482_6),
            (0.2, 5.0, 0.7, 0.789_078_337_473_663_8),
            (0.9, 30.0, 40.0, 0.504_629_244_871_047),
            (0.5, 0.6, 0.9, 0.347_959_986_711_263_7),
        ] {
            let got = beta_quantile(p, a, b);
            assert!(
                (got - want).abs() < 1e-12,
                "Beta({a}, {b}) at {p}: {got}, expected {want}"
            );
        }
    }
}
