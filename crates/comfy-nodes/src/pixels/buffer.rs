//! Memory for results, and functions of single values.

use comfy_diffusion::device::MachineMemory;
use comfy_graph::NodeError;
use rayon::prelude::*;

/// Values that one task computes: large enough to be worth a task, small enough for the nearest cache.
const BLOCK: usize = 1 << 14;

/// Bytes from which the machine is asked whether it has them.
const LARGE: usize = 1 << 30;

/// How many values a shape has. Fails when this machine cannot hold them.
///
/// The pages come from the operating system as they are touched: it promises more than it has, and ends the program when they run
/// out, so a large wish is compared with what is there.
fn length_of(shape: &[usize]) -> Result<usize, NodeError> {
    let failed = || cannot_hold(shape);
    let length = shape
        .iter()
        .try_fold(1_usize, |product, &size| product.checked_mul(size))
        .filter(|&length| length <= isize::MAX as usize / size_of::<f32>())
        .ok_or_else(failed)?;
    let bytes = length * size_of::<f32>();
    if bytes >= LARGE && bytes as u64 > MachineMemory::measure().available {
        return Err(failed());
    }
    Ok(length)
}

fn cannot_hold(shape: &[usize]) -> NodeError {
    NodeError::OutOfMemory(format!("cannot hold values of shape {shape:?}"))
}

/// Zeros for a shape. Fails when this machine cannot hold them.
pub fn zeroed(shape: &[usize]) -> Result<Vec<f32>, NodeError> {
    bytemuck::allocation::try_zeroed_vec(length_of(shape)?).map_err(|()| cannot_hold(shape))
}

/// The values that an iterator gives, one after the other. Their memory is not cleared before, which would take as long as simple
/// functions do. Fails when this machine cannot hold them.
pub fn collect(values: impl IndexedParallelIterator<Item = f32>) -> Result<Vec<f32>, NodeError> {
    let shape = [values.len()];
    let mut result = Vec::new();
    result
        .try_reserve_exact(length_of(&shape)?)
        .map_err(|_| cannot_hold(&shape))?;
    values.with_min_len(BLOCK).collect_into_vec(&mut result);
    Ok(result)
}

/// A function of each value.
pub fn map(
    values: &[f32],
    change: impl Fn(f32) -> f32 + Sync + Send,
) -> Result<Vec<f32>, NodeError> {
    collect(values.par_iter().map(|&value| change(value)))
}

/// A function of each pair of values of two slices of one length.
pub fn zip(
    first: &[f32],
    second: &[f32],
    combine: impl Fn(f32, f32) -> f32 + Sync + Send,
) -> Result<Vec<f32>, NodeError> {
    let pairs = first.par_iter().zip(second);
    collect(pairs.map(|(&first, &second)| combine(first, second)))
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
