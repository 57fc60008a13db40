//! Bicubic resizing as PyTorch does it with antialiasing: where the result is smaller, each of its pixels is a mean of all that it covers.

/// The sharpness of the kernel (Keys 1981) that is used with antialiasing.
const SHARPNESS: f32 = -0.5;

/// Half the width of the kernel.
const REACH: f32 = 2.0;

/// For each place of the result, where it begins in the source and what each place counts from there on.
type Weights = Vec<(usize, Vec<f32>)>;

/// A plane of another size; the sizes are height and width, at least one each.
pub(super) fn antialiased_bicubic(plane: &[f32], from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
    let (rows, columns) = (weights(from[0], to[0]), weights(from[1], to[1]));
    let mut wide = Vec::with_capacity(from[0] * to[1]);
    for row in plane.chunks_exact(from[1]) {
        wide.extend(columns.iter().map(|(start, weights)| {
            let values = row[*start..].iter().zip(weights);
            values.map(|(value, weight)| value * weight).sum::<f32>()
        }));
    }
    let mut result = Vec::with_capacity(to[0] * to[1]);
    for (start, weights) in &rows {
        for column in 0..to[1] {
            let values = weights.iter().enumerate();
            let value =
                |(index, weight): (usize, &f32)| wide[(start + index) * to[1] + column] * weight;
            result.push(values.map(value).sum::<f32>());
        }
    }
    result
}

fn weights(from: usize, to: usize) -> Weights {
    let scale = from as f32 / to as f32;
    let stretch = scale.max(1.0);
    let reach = REACH * stretch;
    (0..to)
        .map(|index| {
            let centre = scale * (index as f32 + 0.5);
            let start = ((centre - reach + 0.5).max(0.0)) as usize;
            let end = ((centre + reach + 0.5) as usize).min(from);
            let weights: Vec<f32> = (start..end)
                .map(|place| cubic((place as f32 - centre + 0.5) / stretch))
                .collect();
            let sum: f32 = weights.iter().sum();
            (
                start,
                weights.into_iter().map(|weight| weight / sum).collect(),
            )
        })
        .collect()
}

fn cubic(x: f32) -> f32 {
    let x = x.abs();
    if x < 1.0 {
        ((SHARPNESS + 2.0) * x - (SHARPNESS + 3.0)) * x * x + 1.0
    } else if x < REACH {
        (((x - 5.0) * x + 8.0) * x - 4.0) * SHARPNESS
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_planes_stay_even_and_the_same_size_changes_nothing() {
        let even = antialiased_bicubic(&[0.25; 35], [5, 7], [3, 11]);
        assert!(even.iter().all(|value| (value - 0.25).abs() < 1e-6));
        let plane: Vec<f32> = (0..20).map(|value| (value as f32).sin()).collect();
        let same = antialiased_bicubic(&plane, [4, 5], [4, 5]);
        let largest = plane.iter().zip(&same).map(|(a, b)| (a - b).abs());
        assert!(largest.fold(0.0, f32::max) < 1e-6);
    }

    #[test]
    fn a_row_is_scaled_as_by_pytorch() {
        // torch.nn.functional.interpolate(row, (1, 3), mode="bicubic", antialias=True)
        let row = [0.0, 1.0, 4.0, 9.0, 16.0, 25.0, 36.0];
        let got = antialiased_bicubic(&row, [1, 7], [1, 3]);
        let expected = RECORDED;
        let close = got
            .iter()
            .zip(expected)
            .all(|(got, want)| (got - want).abs() < 1e-4);
        assert!(close, "{got:?}");
    }

    const RECORDED: [f32; 3] = [0.677420, 9.363858, 28.064514];
}
