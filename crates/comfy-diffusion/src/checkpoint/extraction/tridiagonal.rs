//! Eigenvalues and eigenvectors of symmetric tridiagonal matrices, by implicit QL steps with Wilkinson's shift
//! (Bowdler, Martin, Reinsch, Wilkinson 1968).

/// A symmetric matrix that is zero but for its diagonal and the places beside it.
#[derive(Clone, Debug, Default)]
pub(super) struct Tridiagonal {
    pub(super) diagonal: Vec<f64>,
    /// One less than the diagonal has; more are not looked at.
    pub(super) beside: Vec<f64>,
}

/// No value takes nearly so many steps.
const MOST_STEPS: usize = 64;

/// The eigenvalues, the largest first, and a vector of length 1 for each.
pub(super) fn eigenvectors(matrix: &Tridiagonal) -> (Vec<f64>, Vec<Vec<f64>>) {
    let size = matrix.diagonal.len();
    let mut values = matrix.diagonal.clone();
    let mut beside = matrix.beside.clone();
    beside.resize(size, 0.0);
    let mut vectors: Vec<Vec<f64>> = (0..size)
        .map(|row| {
            (0..size)
                .map(|column| f64::from(u8::from(row == column)))
                .collect()
        })
        .collect();
    for first in 0..size {
        for _ in 0..MOST_STEPS {
            // Where the matrix falls into two.
            let is_cut = |place: &usize| {
                let around = values[*place].abs() + values[place + 1].abs();
                beside[*place].abs() <= f64::EPSILON * around
            };
            let last = (first..size - 1).find(is_cut).unwrap_or(size - 1);
            if last == first {
                break;
            }
            step(&mut values, &mut beside, &mut vectors, first, last);
        }
    }
    let mut order: Vec<usize> = (0..size).collect();
    order.sort_by(|one, other| values[*other].total_cmp(&values[*one]));
    (
        order.iter().map(|index| values[*index]).collect(),
        order
            .iter()
            .map(|index| std::mem::take(&mut vectors[*index]))
            .collect(),
    )
}

/// One step on the block from `first` to `last`: rotations from its end to its beginning.
fn step(
    values: &mut [f64],
    beside: &mut [f64],
    vectors: &mut [Vec<f64>],
    first: usize,
    last: usize,
) {
    let half = (values[first + 1] - values[first]) / (2.0 * beside[first]);
    let shift = beside[first] / (half + half.hypot(1.0).copysign(half));
    let mut bulge = values[last] - values[first] + shift;
    let (mut sine, mut cosine, mut carried) = (1.0, 1.0, 0.0);
    for place in (first..last).rev() {
        let (across, along) = (sine * beside[place], cosine * beside[place]);
        let length = across.hypot(bulge);
        beside[place + 1] = length;
        if length == 0.0 {
            // The block falls apart here.
            values[place + 1] -= carried;
            beside[last] = 0.0;
            return;
        }
        (sine, cosine) = (across / length, bulge / length);
        let reduced = values[place + 1] - carried;
        let twist = (values[place] - reduced) * sine + 2.0 * cosine * along;
        carried = sine * twist;
        values[place + 1] = reduced + carried;
        bulge = cosine * twist - along;
        rotate(vectors, place, sine, cosine);
    }
    values[first] -= carried;
    beside[first] = bulge;
    beside[last] = 0.0;
}

/// Turns two neighbouring vectors in their plane.
fn rotate(vectors: &mut [Vec<f64>], place: usize, sine: f64, cosine: f64) {
    let (before, after) = vectors.split_at_mut(place + 1);
    let (Some(lower), Some(upper)) = (before.last_mut(), after.first_mut()) else {
        return;
    };
    for (lower, upper) in lower.iter_mut().zip(upper) {
        (*lower, *upper) = (
            cosine * *lower - sine * *upper,
            sine * *lower + cosine * *upper,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_has_the_known_values() {
        // −1, 2, −1: the values are 2 − 2·cos(π·k / 8) for k = 1 … 7.
        let chain = Tridiagonal {
            diagonal: vec![2.0; 7],
            beside: vec![-1.0; 6],
        };
        let (values, vectors) = eigenvectors(&chain);
        for (index, (value, vector)) in values.iter().zip(&vectors).enumerate() {
            let k = (7 - index) as f64;
            let expected = 2.0 - 2.0 * (std::f64::consts::PI * k / 8.0).cos();
            assert!((value - expected).abs() < 1e-12, "{value} {expected}");
            for place in 0..7 {
                let at = |place: Option<usize>| {
                    place
                        .and_then(|place| vector.get(place))
                        .copied()
                        .unwrap_or_default()
                };
                let product = 2.0 * vector[place] - at(place.checked_sub(1)) - at(Some(place + 1));
                assert!((product - value * vector[place]).abs() < 1e-12);
            }
        }
        let (values, _) = eigenvectors(&Tridiagonal {
            diagonal: vec![1.0, 3.0, 2.0],
            beside: vec![0.0, 0.0],
        });
        assert_eq!(values, [3.0, 2.0, 1.0]);
    }
}
