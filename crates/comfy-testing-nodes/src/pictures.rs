//! What the nodes do with pictures, with `PyTorch`'s rules for shapes.

use comfy_graph::NodeError;
use comfy_nodes::sockets::{Image, Mask};

/// An image `[batch, height, width, channel]` whose values come one after the other from `next`. Fails when this machine
/// cannot hold it.
pub(crate) fn image_of(shape: [u64; 4], next: impl FnMut() -> f32) -> Result<Image, NodeError> {
    Image::from_values(values_of(&shape, next)?, shape.map(|size| size as usize))
}

/// A mask `[batch, height, width]`, made like [`image_of`] does.
pub(crate) fn mask_of(shape: [u64; 3], next: impl FnMut() -> f32) -> Result<Mask, NodeError> {
    Mask::from_values(values_of(&shape, next)?, shape.map(|size| size as usize))
}

fn values_of(shape: &[u64], mut next: impl FnMut() -> f32) -> Result<Vec<f32>, NodeError> {
    let failed = || NodeError::OutOfMemory(format!("cannot hold a picture of shape {shape:?}"));
    let count = shape
        .iter()
        .try_fold(1_u64, |product, &size| product.checked_mul(size))
        .and_then(|count| usize::try_from(count).ok())
        .ok_or_else(failed)?;
    let mut values = Vec::new();
    values.try_reserve_exact(count).map_err(|_| failed())?;
    values.resize_with(count, &mut next);
    Ok(values)
}

/// A picture of 512 × 512 pixels whose values are all `value`.
pub(crate) fn plain(value: f64) -> Result<Image, NodeError> {
    image_of([1, 512, 512, 3], || value as f32)
}

/// The picture after a change of each value.
fn mapped(image: &Image, change: impl Fn(f32) -> f32) -> Result<Image, NodeError> {
    let values = image.values()?.into_iter().map(change).collect();
    Image::from_values(values, image.shape())
}

/// The picture with every value multiplied.
pub(crate) fn scaled(image: &Image, factor: f64) -> Result<Image, NodeError> {
    mapped(image, |value| value * factor as f32)
}

/// The negative of a picture.
pub(crate) fn inverted(image: &Image) -> Result<Image, NodeError> {
    mapped(image, |value| 1.0 - value)
}

/// The product of two pictures.
pub(crate) fn product(first: &Image, second: &Image) -> Result<Image, NodeError> {
    joined_with(first, second, |first, second| first * second)
}

/// The mean of pictures of one shape.
pub(crate) fn average(images: &[Image]) -> Result<Image, NodeError> {
    let Some((first, rest)) = images.split_first() else {
        return Err(NodeError::value("expected at least one picture to average"));
    };
    let shape = first.shape();
    let mut sum = first.values()?;
    for image in rest {
        if image.shape() != shape {
            return Err(unfit(shape, image.shape()));
        }
        for (sum, value) in sum.iter_mut().zip(image.values()?) {
            *sum += value;
        }
    }
    let count = images.len() as f32;
    for value in &mut sum {
        *value /= count;
    }
    Image::from_values(sum, shape)
}

/// The pictures of a batch, one by one.
pub(crate) fn split(images: &Image) -> Result<Vec<Image>, NodeError> {
    let [_, height, width, channels] = images.shape();
    let values = images.values()?;
    let pictures = values.chunks_exact((height * width * channels).max(1));
    pictures
        .map(|picture| Image::from_values(picture.to_vec(), [1, height, width, channels]))
        .collect()
}

/// One batch of pictures of one size.
pub(crate) fn joined(pictures: &[Image]) -> Result<Image, NodeError> {
    let Some([_, height, width, channels]) = pictures.first().map(Image::shape) else {
        return Err(NodeError::value("expected at least one picture"));
    };
    let mut values = Vec::new();
    for picture in pictures {
        values.extend(picture.values()?);
    }
    Image::from_values(values, [pictures.len(), height, width, channels])
}

/// The least and the greatest value of a mask; `None` for one without values.
pub(crate) fn extremes(mask: &Mask) -> Result<Option<(f32, f32)>, NodeError> {
    let values = mask.values()?;
    let widen = |found: Option<(f32, f32)>, &value: &f32| {
        let (least, greatest) = found.unwrap_or((value, value));
        Some((least.min(value), greatest.max(value)))
    };
    Ok(values.iter().fold(None, widen))
}

/// The first picture where the mask is 0, the second where it is 1.
pub(crate) fn mix(first: &Image, second: &Image, mask: &Mask) -> Result<Image, NodeError> {
    let [batch, height, width] = mask.shape();
    let part = Image::from_values(mask.values()?, [batch, height, width, 1])?;
    let rest = inverted(&part)?;
    let (first, second) = (product(first, &rest)?, product(second, &part)?);
    joined_with(&first, &second, |first, second| first + second)
}

/// Joins two pictures value by value; a size of 1 fits every other.
fn joined_with(
    first: &Image,
    second: &Image,
    join: impl Fn(f32, f32) -> f32,
) -> Result<Image, NodeError> {
    let (first_shape, second_shape) = (first.shape(), second.shape());
    let shape = broadcast(first_shape, second_shape)?;
    let (first, second) = (first.values()?, second.values()?);
    let (first_step, second_step) = (steps(first_shape), steps(second_shape));
    let mut values = Vec::with_capacity(shape.iter().product());
    let place = |steps: [usize; 4], index: [usize; 4]| -> usize {
        steps
            .iter()
            .zip(index)
            .map(|(step, index)| step * index)
            .sum()
    };
    let [batches, rows, columns, channels] = shape;
    for batch in 0..batches {
        for row in 0..rows {
            for column in 0..columns {
                let start = [batch, row, column, 0];
                let (first_start, second_start) =
                    (place(first_step, start), place(second_step, start));
                values.extend((0..channels).map(|channel| {
                    join(
                        first[first_start + channel * first_step[3]],
                        second[second_start + channel * second_step[3]],
                    )
                }));
            }
        }
    }
    Image::from_values(values, shape)
}

/// How far apart neighbours lie along each axis; 0 where all places share one value.
fn steps(shape: [usize; 4]) -> [usize; 4] {
    let mut steps = [0; 4];
    let mut step = 1;
    for (axis, size) in shape.into_iter().enumerate().rev() {
        steps[axis] = if size == 1 { 0 } else { step };
        step *= size;
    }
    steps
}

/// The shape of a computation with two pictures.
fn broadcast(first: [usize; 4], second: [usize; 4]) -> Result<[usize; 4], NodeError> {
    let mut shape = first;
    for (size, other) in shape.iter_mut().zip(second) {
        match (*size, other) {
            (_, 1) => {}
            (1, _) => *size = other,
            (size, other) if size == other => {}
            _ => return Err(unfit(first, second)),
        }
    }
    Ok(shape)
}

fn unfit(first: [usize; 4], second: [usize; 4]) -> NodeError {
    NodeError::runtime(format_args!(
        "expected pictures that fit together, got shapes {first:?} and {second:?}"
    ))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    fn image(shape: [u64; 4], value: f32) -> Image {
        image_of(shape, || value).unwrap()
    }

    #[test]
    fn mixing_follows_the_mask_and_broadcasts() {
        let mut step = 0.0;
        let mask = mask_of([1, 1, 2], || {
            step += 0.25;
            step
        })
        .unwrap();
        let mixed = mix(&image([2, 1, 2, 3], 0.0), &image([1, 1, 1, 3], 1.0), &mask).unwrap();
        assert_eq!(mixed.shape(), [2, 1, 2, 3]);
        assert_eq!(
            mixed.values().unwrap(),
            [[0.25_f32; 3], [0.5; 3]].concat().repeat(2)
        );
        assert!(mix(&image([1, 2, 2, 3], 0.0), &image([1, 3, 2, 3], 0.0), &mask).is_err());
    }

    #[test]
    fn averages_need_one_shape() {
        let dark = image([1, 2, 2, 3], 0.0);
        let light = image([1, 2, 2, 3], 1.0);
        let mean = average(&[dark.clone(), light, dark.clone(), dark.clone()]).unwrap();
        assert_eq!(mean.values().unwrap(), [0.25_f32; 12]);
        assert!(average(&[dark, image([1, 2, 1, 3], 0.0)]).is_err());
        assert!(average(&[]).is_err());
    }

    #[test]
    fn giant_pictures_are_refused() {
        assert!(matches!(
            image_of([u64::MAX, 2, 2, 3], || 0.0),
            Err(NodeError::OutOfMemory(_))
        ));
        assert!(matches!(
            image_of([1 << 30, 1 << 30, 2, 3], || 0.0),
            Err(NodeError::OutOfMemory(_))
        ));
    }
}
