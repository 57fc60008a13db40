//! Rules for shapes that do not fit each other, as `PyTorch` has them.

use comfy_graph::NodeError;

/// The size of a batch that is put together from two: they are equal, or one of them is 1 and is repeated.
pub(super) fn broadcast(first: usize, second: usize) -> Result<usize, NodeError> {
    match (first, second) {
        (1, size) | (size, 1) => Ok(size),
        _ if first == second => Ok(first),
        _ => Err(NodeError::runtime(format_args!(
            "expected batches of one size, or one of a single picture, got {first} and {second}"
        ))),
    }
}

/// Fails unless the pictures have the channels that are asked for.
pub(super) fn same_channels(first: usize, second: usize) -> Result<(), NodeError> {
    if first == second {
        return Ok(());
    }
    Err(NodeError::runtime(format_args!(
        "expected pictures with the same channels, got {first} and {second}"
    )))
}
