//! The embedding of times.

use burn::tensor::{Tensor, TensorData};

use crate::device::ComputeDevice;
use crate::error::{Error, Result};

/// The longest period of the embedding's waves.
const MAX_PERIOD: f64 = 10_000.0;

/// Sinusoidal embedding (Vaswani et al. 2017): for each time t the cosines, then the sines of t · f, where the
/// `width / 2` frequencies f fall geometrically from 1 towards 1/10000. `[batch, width]`; an odd width ends in a zero.
///
/// It is computed on the processor: graphics devices promise little about sines of large arguments.
///
/// # Errors
///
/// If the times cannot be read from their device.
pub fn timestep_embedding(
    timesteps: Tensor<1>,
    width: usize,
    device: &ComputeDevice,
) -> Result<Tensor<2>> {
    let timesteps = timesteps
        .into_data()
        .convert::<f32>()
        .try_into_vec::<f32>()
        .map_err(|error| Error::Device(format!("cannot read timesteps: {error}")))?;
    let shape = [timesteps.len(), width];
    let data = TensorData::new(embed_times(&timesteps, width), shape);
    Ok(Tensor::from_data(data, device.tensor_device()))
}

/// The same of plain numbers, row after row.
pub(crate) fn embed_times(timesteps: &[f32], width: usize) -> Vec<f32> {
    let half = width / 2;
    // Products in f32, as everywhere this embedding is used: networks were trained with its roundings.
    let frequencies: Vec<f32> = (0..half)
        .map(|index| (-(MAX_PERIOD.ln() as f32) * index as f32 / half as f32).exp())
        .collect();
    let mut rows = Vec::with_capacity(timesteps.len() * width);
    for time in timesteps {
        let angles = || {
            frequencies
                .iter()
                .map(|frequency| f64::from(time * frequency))
        };
        rows.extend(angles().map(|angle| angle.cos() as f32));
        rows.extend(angles().map(|angle| angle.sin() as f32));
        rows.extend((2 * half..width).map(|_| 0.0));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosines_come_first_and_odd_widths_end_in_zero() {
        let row = embed_times(&[1.0], 5);
        let want = [
            1.0_f32.cos(),
            0.01_f32.cos(),
            1.0_f32.sin(),
            0.01_f32.sin(),
            0.0,
        ];
        for (got, want) in row.iter().zip(want) {
            assert!((got - want).abs() < 1e-7, "{row:?}");
        }
        assert_eq!(row.len(), 5);
    }

    #[test]
    fn rows_follow_the_times() {
        let rows = embed_times(&[0.0, 999.0], 4);
        assert_eq!(rows[..4], [1.0, 1.0, 0.0, 0.0]);
        assert!((rows[4] - 999.0_f32.cos()).abs() < 1e-6);
        assert!(embed_times(&[], 8).is_empty());
    }
}
