//! Flags of ComfyUI that are accepted without effect, so that existing start scripts keep working.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches};

/// How many values a flag takes.
#[derive(Clone, Copy)]
enum Values {
    None,
    One,
    Optional,
    Any,
}

use Values::{Any, None, One, Optional};

/// The flags, without their dashes.
const FLAGS: &[(&str, Values)] = &[
    // Memory, precision and kernels of PyTorch. Weights and operators are chosen by device here.
    ("async-offload", Optional),
    ("bf16-text-enc", None),
    ("bf16-vae", None),
    ("cpu-vae", None),
    ("cuda-device", One),
    ("cuda-malloc", None),
    ("default-device", One),
    ("deterministic", None),
    ("directml", Optional),
    ("disable-cuda-malloc", None),
    ("disable-ipex-optimize", None),
    ("disable-mmap", None),
    ("disable-xformers", None),
    ("dont-upcast-attention", None),
    ("fast", Any),
    ("force-channels-last", None),
    ("force-non-blocking", None),
    ("force-upcast-attention", None),
    ("fp16-text-enc", None),
    ("fp16-vae", None),
    ("fp32-text-enc", None),
    ("fp32-vae", None),
    ("fp64-unet", None),
    ("fp8_e4m3fn-text-enc", None),
    ("fp8_e4m3fn-unet", None),
    ("fp8_e5m2-text-enc", None),
    ("fp8_e5m2-unet", None),
    ("fp8_e8m0fnu-unet", None),
    ("mmap-torch-files", None),
    ("normalvram", None),
    ("oneapi-device-selector", One),
    ("supports-fp8-compute", None),
    ("use-flash-attention", None),
    ("use-pytorch-cross-attention", None),
    ("use-quad-cross-attention", None),
    ("use-sage-attention", None),
    ("use-split-cross-attention", None),
    // Python packages: there are none.
    ("comfy-api-base", One),
    ("create-directories", None),
    ("disable-all-custom-nodes", None),
    ("disable-api-nodes", None),
    ("disable-known-models", None),
    ("whitelist-custom-nodes", Any),
    ("windows-standalone-build", None),
    // Uploads with the same name are compared byte by byte, which any hash would only approximate.
    ("default-hashing-function", One),
];

/// The flags as arguments that do not show up in the help.
pub(super) fn arguments() -> impl Iterator<Item = Arg> {
    FLAGS.iter().map(|(name, values)| {
        let argument = Arg::new(*name).long(*name).hide(true);
        match values {
            None => argument.action(ArgAction::SetTrue),
            One => argument.num_args(1).allow_hyphen_values(true),
            Optional => argument.num_args(0..=1),
            Any => argument.num_args(0..),
        }
    })
}

/// Those of the flags that were given, with their dashes.
pub(super) fn given(matches: &ArgMatches) -> Vec<String> {
    FLAGS
        .iter()
        .filter(|(name, _)| matches.value_source(name) == Some(ValueSource::CommandLine))
        .map(|(name, _)| format!("--{name}"))
        .collect()
}
