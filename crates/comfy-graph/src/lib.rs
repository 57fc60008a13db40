//! Node schemas, prompts, validation, execution order, cache signatures and the Node trait; no tensors, no input or output.
