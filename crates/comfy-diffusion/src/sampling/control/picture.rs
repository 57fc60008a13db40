//! Pictures as a network is shown them.

use burn::tensor::{Int, Tensor};

use crate::Result;
use crate::sampling::fit::middle;

/// The middle of pictures, cut to the proportions of a size and scaled to it; each pixel is the nearest one there.
pub(super) fn shown(pictures: &Tensor<4>, [height, width]: [usize; 2]) -> Result<Tensor<4>> {
    let [_, _, rows, columns] = pictures.dims();
    if [rows, columns] == [height, width] {
        return Ok(pictures.clone());
    }
    let middle = middle(pictures.clone(), [height, width])?;
    Ok(scaled(scaled(middle, 2, height), 3, width))
}

/// `size` rows or columns, each the one whose centre is nearest.
fn scaled(pictures: Tensor<4>, dimension: usize, size: usize) -> Tensor<4> {
    let present = pictures.dims()[dimension];
    if present == size {
        return pictures;
    }
    let scale = present as f32 / size as f32;
    let place = |index: usize| ((index as f32 + 0.5) * scale) as usize;
    let places: Vec<i32> = (0..size)
        .map(|index| place(index).min(present - 1) as i32)
        .collect();
    let places = Tensor::<1, Int>::from_data(places.as_slice(), &pictures.device());
    pictures.select(dimension, places)
}

/// What was made of pictures, in the order of the rows of a call for `parts` conditions. One picture is for all rows, and as many as there
/// are rows are for one each; otherwise the pictures go round within the rows of each condition.
pub(super) fn rows_for(read: Tensor<4>, rows: usize, parts: usize) -> Tensor<4> {
    let [pictures, ..] = read.dims();
    if pictures == 1 || pictures == rows {
        return read;
    }
    let batch = (rows / parts.max(1)).max(1);
    let places: Vec<i32> = (0..rows)
        .map(|row| (row % batch % pictures) as i32)
        .collect();
    let places = Tensor::<1, Int>::from_data(places.as_slice(), &read.device());
    read.select(0, places)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::sampling::host::{from_values, values};

    fn counting(shape: [usize; 4]) -> Tensor<4> {
        let values = (0..shape.iter().product::<usize>()).map(|value| value as f32);
        from_values(values.collect(), shape, &Device::flex())
    }

    #[test]
    fn pixels_are_the_nearest_of_the_middle() {
        // torch.nn.functional.interpolate(mode="nearest-exact") of torch.arange.
        let of = |from, size| values(shown(&counting(from), size).unwrap()).unwrap();
        assert_eq!(of([1, 1, 1, 5], [1, 5]), [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(of([1, 1, 3, 3], [2, 2]), [0.0, 2.0, 6.0, 8.0]);
        // Of six columns the middle two have the proportions of a square.
        assert_eq!(of([1, 1, 2, 6], [2, 2]), [2.0, 3.0, 8.0, 9.0]);
        assert_eq!(
            of([1, 1, 1, 2], [2, 4]),
            [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]
        );
        assert!(shown(&counting([1, 1, 0, 2]), [2, 2]).is_err());
    }

    #[test]
    fn pictures_go_round_within_each_condition() {
        let order = |pictures, rows, parts| {
            values(rows_for(counting([pictures, 1, 1, 1]), rows, parts)).unwrap()
        };
        assert_eq!(order(1, 4, 2), [0.0]);
        assert_eq!(order(2, 2, 2), [0.0, 1.0]);
        assert_eq!(order(2, 4, 2), [0.0, 1.0, 0.0, 1.0]);
        assert_eq!(order(2, 6, 2), [0.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
        assert_eq!(order(5, 4, 2), [0.0, 1.0, 0.0, 1.0]);
        assert_eq!(order(3, 2, 1), [0.0, 1.0]);
    }
}
