//! Memory for results, and functions of single values.

use comfy_diffusion::device::MachineMemory;
use comfy_graph::NodeError;
use rayon::prelude::*;

/// Values that one task computes: large enough to be worth a task, small enough for the nearest cache.
const BLOCK: usize = 1 << 14;

/// Bytes from which the machine is asked whether it has them.
const LARGE: usize = 1 << 30;

/// Zeros for a shape. Fails when this machine cannot hold them.
///
/// The pages come from the operating system as they are touched: it promises more than it has, and ends the program when they run
/// out, so a large wish is compared with what is there.
pub fn zeroed(shape: &[usize]) -> Result<Vec<f32>, NodeError> {
    let failed = || NodeError::OutOfMemory(format!("cannot hold values of shape {shape:?}"));
    let length = shape
        .iter()
        .try_fold(1_usize, |product, &size| product.checked_mul(size))
        .filter(|&length| length <= isize::MAX as usize / size_of::<f32>())
        .ok_or_else(failed)?;
    let bytes = length * size_of::<f32>();
    if bytes >= LARGE && bytes as u64 > MachineMemory::measure().available {
        return Err(failed());
    }
    bytemuck::allocation::try_zeroed_vec(length).map_err(|()| failed())
}

/// A function of each value.
pub fn map(values: &[f32], change: impl Fn(f32) -> f32 + Sync) -> Result<Vec<f32>, NodeError> {
    let mut result = zeroed(&[values.len()])?;
    result
        .par_chunks_mut(BLOCK)
        .zip(values.par_chunks(BLOCK))
        .for_each(|(result, values)| {
            for (result, &value) in result.iter_mut().zip(values) {
                *result = change(value);
            }
        });
    Ok(result)
}

/// A function of each pair of values of two slices of one length.
pub fn zip(
    first: &[f32],
    second: &[f32],
    combine: impl Fn(f32, f32) -> f32 + Sync,
) -> Result<Vec<f32>, NodeError> {
    let mut result = zeroed(&[first.len().min(second.len())])?;
    result
        .par_chunks_mut(BLOCK)
        .zip(first.par_chunks(BLOCK).zip(second.par_chunks(BLOCK)))
        .for_each(|(result, (first, second))| {
            for ((result, &first), &second) in result.iter_mut().zip(first).zip(second) {
                *result = combine(first, second);
            }
        });
    Ok(result)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn no_machine_holds_everything() {
        assert!(matches!(
            zeroed(&[usize::MAX, 2]),
            Err(NodeError::OutOfMemory(_))
        ));
        assert!(matches!(
            zeroed(&[usize::MAX / 8]),
            Err(NodeError::OutOfMemory(_))
        ));
        // The largest EmptyImage: 13 TB.
        assert!(matches!(
            zeroed(&[4096, 16384, 16384, 3]),
            Err(NodeError::OutOfMemory(_))
        ));
        assert!(zeroed(&[0, 5]).unwrap().is_empty());
    }

    #[test]
    fn all_blocks_are_computed() {
        let values: Vec<f32> = (0..BLOCK * 2 + 3).map(|value| value as f32).collect();
        assert_eq!(
            map(&values, |value| value * 2.0).unwrap(),
            zip(&values, &values, |a, b| a + b).unwrap()
        );
    }
}
