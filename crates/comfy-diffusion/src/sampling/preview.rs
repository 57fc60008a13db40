//! A rough picture of a latent without decoding it.

use burn::tensor::Tensor;

use super::LatentFormat;
use super::host::values;
use crate::{Error, Result};

/// The first member of a latent [batch, channels, height, width] in the network's scale as a picture: its width, its height
/// and its bytes, red, green and blue for each pixel row by row. One cell of the latent becomes one pixel.
pub fn latent_to_rgb(format: &LatentFormat, x0: &Tensor<4>) -> Result<(usize, usize, Vec<u8>)> {
    let [batch, channels, height, width] = x0.dims();
    if batch == 0 || channels != format.colours.len() {
        return Err(Error::input(format!(
            "a preview of a latent of format {} needs {} channels, but its shape is {:?}",
            format.name,
            format.colours.len(),
            x0.dims()
        )));
    }
    let cells = height * width;
    let latent = values(x0.clone().narrow(0, 0, 1))?;
    let mut pixels = Vec::with_capacity(3 * cells);
    for cell in 0..cells {
        let mut colour = format.colour_offset;
        for (plane, factors) in latent.chunks_exact(cells).zip(format.colours) {
            for (sum, factor) in colour.iter_mut().zip(factors) {
                *sum += factor * plane[cell];
            }
        }
        // The conversion cuts off: a value that is not a number becomes 0.
        pixels
            .extend(colour.map(|value| (f32::midpoint(value, 1.0).clamp(0.0, 1.0) * 255.0) as u8));
    }
    Ok((width, height, pixels))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use burn::tensor::{Device, Tensor, TensorData};

    use super::latent_to_rgb;
    use crate::sampling::LatentFormat;

    #[test]
    fn cells_become_pixels() {
        // Two cells beside each other, the second member of the batch ignored.
        let mut latent = vec![0.0; 16];
        latent[0] = 1.0;
        latent[1] = -10.0;
        latent[8] = 5.0;
        let latent = Tensor::from_data(TensorData::new(latent, [2, 4, 1, 2]), &Device::flex());
        let (width, height, pixels) = latent_to_rgb(&LatentFormat::SD15, &latent).unwrap();
        assert_eq!((width, height), (2, 1));
        // (0.3512 + 1)/2 · 255 = 172.3 and so on; the second pixel is below all colours.
        assert_eq!(pixels, [172, 156, 168, 0, 0, 0]);
    }

    #[test]
    fn other_latents_are_refused() {
        for shape in [[1, 16, 2, 2], [0, 4, 2, 2]] {
            let latent = Tensor::<4>::zeros(shape, &Device::flex());
            let error = latent_to_rgb(&LatentFormat::SD15, &latent).unwrap_err();
            assert!(error.to_string().contains("needs 4 channels"), "{error}");
        }
        let empty = Tensor::<4>::zeros([1, 4, 0, 3], &Device::flex());
        assert_eq!(
            latent_to_rgb(&LatentFormat::SD15, &empty).unwrap(),
            (3, 0, vec![])
        );
    }
}
