//! Fitting pictures and their batches to what is sampled.

use burn::tensor::Tensor;

use super::mask::fit_mask;
use crate::{Error, Result};

/// A picture `[batch, channels, height, width]` of the height and width of `like`: its middle, cut to the same proportions, resized
/// bilinearly.
pub(super) fn fit_picture(picture: Tensor<4>, like: &Tensor<4>) -> Result<Tensor<4>> {
    let [batch, channels, height, width] = picture.dims();
    let [_, _, rows, columns] = like.dims();
    let middle = middle(picture, [rows, columns])?;
    if (height, width) == (rows, columns) {
        return Ok(middle);
    }
    let wanted = Tensor::zeros([batch, channels, rows, columns], &like.device());
    fit_mask(&middle, &wanted)
}

/// The middle of a picture `[batch, channels, height, width]`, cut to the proportions of a height and a width.
pub(super) fn middle(picture: Tensor<4>, [rows, columns]: [usize; 2]) -> Result<Tensor<4>> {
    let [batch, channels, height, width] = picture.dims();
    if [batch, channels, height, width, rows, columns].contains(&0) {
        return Err(Error::input(format!(
            "a picture beside the latent must not be empty, but its shape is {:?}",
            picture.dims()
        )));
    }
    let (proportion, wanted) = (width as f64 / height as f64, columns as f64 / rows as f64);
    let cut = |size: usize, share: f64| {
        let half = (size as f64 - size as f64 * share) / 2.0;
        half.round_ties_even() as usize
    };
    let (left, top) = if proportion > wanted {
        (cut(width, wanted / proportion), 0)
    } else {
        (0, cut(height, proportion / wanted))
    };
    let (kept_rows, kept_columns) = (height - 2 * top, width - 2 * left);
    if kept_rows == 0 || kept_columns == 0 {
        return Err(Error::input(format!(
            "nothing is left of a picture of {height} by {width} that is cut to the proportions of {rows} by {columns}"
        )));
    }
    Ok(picture
        .narrow(2, top, kept_rows)
        .narrow(3, left, kept_columns))
}

/// As many pictures as `like` has: where there are more, spread evenly over them with both ends; where there are fewer, each
/// repeated in its place. For one the first is taken.
pub(super) fn fit_batch(pictures: Tensor<4>, like: &Tensor<4>) -> Tensor<4> {
    let (have, want) = (pictures.dims()[0], like.dims()[0]);
    if have == want {
        return pictures;
    }
    let place = |index: usize| {
        let place = if want == 1 {
            0.0
        } else if want < have {
            (index as f64 * (have - 1) as f64 / (want - 1) as f64).round_ties_even()
        } else {
            ((index as f64 + 0.5) * (have as f64 / want as f64)).floor()
        };
        (place as usize).min(have - 1)
    };
    let picked = (0..want).map(|index| pictures.clone().narrow(0, place(index), 1));
    Tensor::cat(picked.collect(), 0)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::sampling::host::{from_values, values};

    fn like(shape: [usize; 4]) -> Tensor<4> {
        Tensor::zeros(shape, &Device::flex())
    }

    fn counting(shape: [usize; 4]) -> Tensor<4> {
        let count = shape.iter().product::<usize>();
        from_values(
            (0..count).map(|n| n as f32).collect(),
            shape,
            &Device::flex(),
        )
    }

    #[test]
    fn pictures_are_cut_to_the_middle() {
        let picture = fit_picture(counting([1, 1, 1, 6]), &like([1, 4, 2, 4])).unwrap();
        // Two of six columns are kept, in the middle, and doubled.
        assert_eq!(picture.dims(), [1, 1, 2, 4]);
        assert_eq!(values(picture).unwrap()[..4], [2.0, 2.25, 2.75, 3.0]);
        let same = fit_picture(counting([2, 3, 2, 2]), &like([1, 4, 2, 2])).unwrap();
        assert_eq!(same.dims(), [2, 3, 2, 2]);
        assert!(fit_picture(like([1, 0, 2, 2]), &like([1, 4, 2, 2])).is_err());
    }

    #[test]
    fn batches_are_spread() {
        for (have, want, expected) in [
            (3, 1, vec![0.0]),
            (5, 3, vec![0.0, 2.0, 4.0]),
            (2, 4, vec![0.0, 0.0, 1.0, 1.0]),
            (3, 3, vec![0.0, 1.0, 2.0]),
        ] {
            let fitted = fit_batch(counting([have, 1, 1, 1]), &like([want, 4, 1, 1]));
            assert_eq!(values(fitted).unwrap(), expected, "{have} to {want}");
        }
    }
}
