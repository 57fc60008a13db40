//! Names of control nets and adapters in Hugging Face's diffusers (`ControlNetModel`, `T2IAdapter`) and in the original files.

use crate::weights::Weights;

/// A tensor that only control nets in diffusers' layout have.
const CONTROL_MARK: &str = "controlnet_cond_embedding.conv_in.weight";

/// One that only adapters in that layout have.
const ADAPTER_MARK: &str = "adapter.body.0.resnets.0.block1.weight";

/// The same weights under the names of the original files.
pub(super) fn in_original_layout(weights: Weights) -> Weights {
    if weights.contains(CONTROL_MARK) {
        let blocks = weights.root().count("controlnet_cond_embedding.blocks");
        return weights.renamed(|name| control_name(name, blocks));
    }
    let is_adapter = weights.contains(ADAPTER_MARK);
    weights.renamed(|name| match name.strip_prefix("adapter.") {
        None => name.to_owned(),
        Some(rest) if is_adapter => adapter_name(rest).unwrap_or_else(|| rest.to_owned()),
        Some(rest) => rest.to_owned(),
    })
}

/// `blocks` is how many layers of the picture's encoder stand between its first and its last.
fn control_name(name: &str, blocks: usize) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    let layer = |index: usize, end: &str| format!("input_hint_block.{}.{end}", 2 * index);
    match parts.as_slice() {
        ["controlnet_mid_block", end] => format!("middle_block_out.0.{end}"),
        ["controlnet_down_blocks", index, end] => format!("zero_convs.{index}.0.{end}"),
        ["controlnet_cond_embedding", "conv_in", end] => layer(0, end),
        ["controlnet_cond_embedding", "conv_out", end] => layer(blocks + 1, end),
        ["controlnet_cond_embedding", "blocks", index, end] => match index.parse::<usize>() {
            Ok(index) if index < blocks => layer(index + 1, end),
            _ => name.to_owned(),
        },
        _ => name.replace(".attn.in_proj_", ".attn.in_proj."),
    }
}

/// The name after `adapter.`: levels have rows of blocks there, and one row in the original.
fn adapter_name(name: &str) -> Option<String> {
    let rest = name.strip_prefix("body.")?;
    let (level, rest) = rest.split_once('.')?;
    let first = level.parse::<usize>().ok()?.checked_mul(2)?;
    match rest.strip_prefix("resnets.") {
        None => Some(format!("body.{first}.{rest}")),
        Some(rest) => {
            let (block, rest) = rest.split_once('.')?;
            let block = first.checked_add(block.parse::<usize>().ok()?)?;
            Some(format!("body.{block}.{rest}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_translated() {
        for (diffusers, original) in [
            ("controlnet_mid_block.bias", "middle_block_out.0.bias"),
            ("controlnet_down_blocks.7.weight", "zero_convs.7.0.weight"),
            (
                "controlnet_cond_embedding.conv_in.bias",
                "input_hint_block.0.bias",
            ),
            (
                "controlnet_cond_embedding.blocks.5.weight",
                "input_hint_block.12.weight",
            ),
            (
                "controlnet_cond_embedding.conv_out.weight",
                "input_hint_block.14.weight",
            ),
            (
                "transformer_layes.0.attn.in_proj_weight",
                "transformer_layes.0.attn.in_proj.weight",
            ),
            ("conv_in.weight", "conv_in.weight"),
        ] {
            assert_eq!(control_name(diffusers, 6), original);
        }
        for (diffusers, original) in [
            ("body.1.resnets.1.block2.bias", "body.3.block2.bias"),
            ("body.2.in_conv.weight", "body.4.in_conv.weight"),
        ] {
            assert_eq!(adapter_name(diffusers).as_deref(), Some(original));
        }
        assert_eq!(adapter_name("conv_in.weight"), None);
    }
}
