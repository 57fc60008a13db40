//! The strongest parts of a matrix, as the product of a tall and a wide one.

use super::lanczos::{Matrix, leading_vectors, norm};

/// Values beyond this part of all values of both factors are cut down to it.
const KEPT: f64 = 0.99;

/// Two factors of a matrix, in C order.
#[derive(Clone, Debug)]
pub(super) struct Factors {
    /// `[rows, rank]`, with the strengths of the parts.
    pub(super) up: Vec<f32>,
    /// `[rank, columns]`, rows of length 1.
    pub(super) down: Vec<f32>,
}

/// The `rank` strongest parts of a matrix by its singular values, without outliers.
pub(super) fn factors(values: &[f32], [rows, columns]: [usize; 2], rank: usize) -> Factors {
    let is_tall = rows > columns;
    let matrix = if is_tall {
        Matrix::transposed(values, [rows, columns])
    } else {
        Matrix::new(values, [rows, columns])
    };
    // Of length 1 each, and what the matrix makes of them.
    let vectors = leading_vectors(&matrix, rank);
    let images: Vec<Vec<f64>> = vectors.iter().map(|vector| matrix.along(vector)).collect();
    let strengths: Vec<f64> = images.iter().map(|image| norm(image)).collect();
    let scaled = |vector: &[f64], factor: f64| -> Vec<f32> {
        vector.iter().map(|value| (value * factor) as f32).collect()
    };
    let (up, down): (Vec<Vec<f32>>, Vec<Vec<f32>>) = vectors
        .iter()
        .zip(&images)
        .zip(&strengths)
        .map(|((vector, image), strength)| {
            let unit = if *strength > 0.0 { 1.0 / strength } else { 0.0 };
            let [(tall, length), (wide, unit)] = if is_tall {
                [(image, 1.0), (vector, 1.0)]
            } else {
                [(vector, *strength), (image, unit)]
            };
            // Either way is right; this one leaves most below the limit.
            let sign = direction(tall);
            (scaled(tall, sign * length), scaled(wide, sign * unit))
        })
        .unzip();
    let mut factors = Factors {
        up: (0..rows)
            .flat_map(|row| up.iter().map(move |column| column[row]))
            .collect(),
        down: down.concat(),
    };
    factors.cut();
    factors
}

impl Factors {
    fn cut(&mut self) {
        let most = quantile(self.up.iter().chain(&self.down).copied().collect());
        let both = self.up.iter_mut().chain(&mut self.down);
        // A most of less than zero leaves nothing between the ends, of which the upper one counts.
        both.for_each(|value| *value = value.max(-most).min(most));
    }
}

/// 1, or −1 where the value of a vector that is farthest from zero is negative.
fn direction(vector: &[f64]) -> f64 {
    let farthest = vector
        .iter()
        .max_by(|one, other| one.abs().total_cmp(&other.abs()));
    if farthest.is_some_and(|value| *value < 0.0) {
        -1.0
    } else {
        1.0
    }
}

/// The value below which [`KEPT`] of the values lie, between two neighbours where that is no whole number of values.
fn quantile(mut values: Vec<f32>) -> f32 {
    let Some(last) = values.len().checked_sub(1) else {
        return 0.0;
    };
    values.sort_unstable_by(f32::total_cmp);
    let place = KEPT * last as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    let part = (place - place.floor()) as f32;
    values[below] + part * (values[above] - values[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A matrix of rank 2 whose parts have the strengths 6 and 2.
    fn matrix() -> Vec<f32> {
        let [a, b] = [[0.5_f32, 0.5, 0.5, 0.5], [0.5, -0.5, 0.5, -0.5]];
        let [c, d] = [[0.6_f32, 0.8, 0.0], [-0.8, 0.6, 0.0]];
        (0..4)
            .flat_map(|row| {
                (0..3).map(move |column| 6.0 * a[row] * c[column] + 2.0 * b[row] * d[column])
            })
            .collect()
    }

    fn product(factors: &Factors, [rows, columns]: [usize; 2], rank: usize) -> Vec<f32> {
        let at = |row: usize, column: usize| -> f32 {
            (0..rank)
                .map(|part| factors.up[row * rank + part] * factors.down[part * columns + column])
                .sum()
        };
        (0..rows)
            .flat_map(|row| (0..columns).map(move |column| (row, column)))
            .map(|(row, column)| at(row, column))
            .collect()
    }

    #[test]
    fn the_strongest_parts_are_kept() {
        let values = matrix();
        let exact = product(&factors(&values, [4, 3], 2), [4, 3], 2);
        // One value of fourteen is cut down a little.
        comfy_fixtures::assert_within("tall", &exact, &values, 0.2);
        let one = factors(&values, [4, 3], 1);
        let length: f32 = one.up.iter().map(|value| value * value).sum();
        assert!((length.sqrt() - 6.0).abs() < 1e-5, "{length}");
        let flat: Vec<f32> = (0..3)
            .flat_map(|column| (0..4).map(move |row| (row, column)))
            .map(|(row, column)| values[row * 3 + column])
            .collect();
        let wide = product(&factors(&flat, [3, 4], 2), [3, 4], 2);
        comfy_fixtures::assert_within("wide", &wide, &flat, 0.2);
        // What is asked for beyond the rank adds nothing, and nothing comes of nothing.
        let more = product(&factors(&values, [4, 3], 3), [4, 3], 3);
        comfy_fixtures::assert_within("more", &more, &values, 0.2);
        assert!(
            factors(&[0.0; 12], [4, 3], 2)
                .up
                .iter()
                .all(|value| *value == 0.0)
        );
    }

    /// What singular vectors point to is left to the program that computes them, so that values are compared without their signs, and
    /// those that may be cut down are not.
    #[test]
    fn the_parts_are_those_of_the_recording() {
        const RANK: usize = 4;
        let golden = comfy_fixtures::golden("extraction");
        for name in ["wide", "tall", "kernel", "point", "narrow"] {
            let (shape, values) = golden.tensor(&format!("{name}.difference"));
            let size = [shape[0], values.len() / shape[0]];
            let rank = RANK.min(shape[0]).min(shape[1]);
            let got = factors(&values, size, rank);
            for (part, got) in [("up", &got.up), ("down", &got.down)] {
                let want = golden.f32(&format!("{name}.{part}"));
                assert_eq!(got.len(), want.len(), "{name} {part}");
                let most = |values: &[f32]| {
                    values
                        .iter()
                        .fold(0.0_f32, |most, value| most.max(value.abs()))
                };
                let limit = 0.98 * most(got).min(most(&want));
                let kept = got.iter().zip(&want).filter(|(_, want)| want.abs() < limit);
                let wrong = kept.filter(|(got, want)| (got.abs() - want.abs()).abs() > 1e-4);
                assert_eq!(wrong.count(), 0, "{name} {part}");
            }
            let want = Factors {
                up: golden.f32(&format!("{name}.up")),
                down: golden.f32(&format!("{name}.down")),
            };
            let [got, want] = [&got, &want].map(|both| product(both, size, rank));
            let difference = comfy_fixtures::relative_l2(&got, &want);
            assert!(difference < 0.1, "{name}: {difference:.1e}");
        }
    }

    #[test]
    fn quantiles_lie_between_values() {
        assert!((quantile((0..=50).map(|value| value as f32).collect()) - 49.5).abs() < 1e-5);
        assert!(quantile(Vec::new()).abs() < 1e-9);
    }
}
