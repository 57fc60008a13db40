//! Names of an autoencoder's tensors in Hugging Face's diffusers (`AutoencoderKL`) and in the original files.

use crate::weights::Weights;

/// A tensor that only autoencoders in diffusers' layout have.
const MARK: &str = "decoder.up_blocks.0.resnets.0.norm1.weight";

/// The same weights; an autoencoder, which must be alone in its file, under the names of the original files.
pub(super) fn in_original_layout(weights: Weights) -> Weights {
    if !weights.contains(MARK) {
        return weights;
    }
    let levels = weights.root().count("decoder.up_blocks");
    weights.renamed(|name| original_name(name, levels))
}

/// The original name of a tensor; names that are the same in both layouts, or in neither, stay. `levels` is how many resolutions the
/// decoder has: diffusers counts them from the smallest, the original from the largest.
fn original_name(name: &str, levels: usize) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    let from_largest = |index: &str| {
        index
            .parse()
            .ok()
            .and_then(|index: usize| levels.checked_sub(index + 1))
    };
    let (place, rest) = match parts.as_slice() {
        [
            side @ "encoder",
            "down_blocks",
            level,
            "resnets",
            block,
            rest @ ..,
        ] => (format!("{side}.down.{level}.block.{block}"), rest),
        [
            side @ "encoder",
            "down_blocks",
            level,
            "downsamplers",
            "0",
            rest @ ..,
        ] => (format!("{side}.down.{level}.downsample"), rest),
        [
            side @ "decoder",
            "up_blocks",
            level,
            kind @ ("resnets" | "upsamplers"),
            index,
            rest @ ..,
        ] => {
            let Some(level) = from_largest(level) else {
                return name.to_owned();
            };
            let part = if *kind == "resnets" {
                format!("block.{index}")
            } else {
                "upsample".to_owned()
            };
            (format!("{side}.up.{level}.{part}"), rest)
        }
        [side, "mid_block", "resnets", "0", rest @ ..] => (format!("{side}.mid.block_1"), rest),
        [side, "mid_block", "resnets", "1", rest @ ..] => (format!("{side}.mid.block_2"), rest),
        [
            side,
            "mid_block",
            "attentions",
            "0",
            "to_out",
            "0",
            rest @ ..,
        ] => (format!("{side}.mid.attn_1.proj_out"), rest),
        [side, "mid_block", "attentions", "0", rest @ ..] => (format!("{side}.mid.attn_1"), rest),
        [side, "conv_norm_out", rest @ ..] => (format!("{side}.norm_out"), rest),
        _ => return name.to_owned(),
    };
    let rest: Vec<&str> = rest.iter().map(|part| original_part(part)).collect();
    format!("{place}.{}", rest.join("."))
}

/// The parts of blocks; attention has older names too.
fn original_part(part: &str) -> &str {
    match part {
        "conv_shortcut" => "nin_shortcut",
        "group_norm" => "norm",
        "to_q" | "query" => "q",
        "to_k" | "key" => "k",
        "to_v" | "value" => "v",
        "proj_attn" => "proj_out",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_translated() {
        for (diffusers, original) in [
            ("encoder.conv_in.weight", "encoder.conv_in.weight"),
            (
                "encoder.down_blocks.1.resnets.0.conv_shortcut.bias",
                "encoder.down.1.block.0.nin_shortcut.bias",
            ),
            (
                "encoder.down_blocks.2.downsamplers.0.conv.weight",
                "encoder.down.2.downsample.conv.weight",
            ),
            (
                "decoder.up_blocks.0.resnets.2.norm1.weight",
                "decoder.up.3.block.2.norm1.weight",
            ),
            (
                "decoder.up_blocks.2.upsamplers.0.conv.bias",
                "decoder.up.1.upsample.conv.bias",
            ),
            (
                "decoder.mid_block.resnets.1.conv2.weight",
                "decoder.mid.block_2.conv2.weight",
            ),
            (
                "decoder.mid_block.attentions.0.to_out.0.bias",
                "decoder.mid.attn_1.proj_out.bias",
            ),
            (
                "encoder.mid_block.attentions.0.query.weight",
                "encoder.mid.attn_1.q.weight",
            ),
            (
                "encoder.mid_block.attentions.0.group_norm.bias",
                "encoder.mid.attn_1.norm.bias",
            ),
            ("decoder.conv_norm_out.weight", "decoder.norm_out.weight"),
            (
                "decoder.up_blocks.9.resnets.0.norm1.weight",
                "decoder.up_blocks.9.resnets.0.norm1.weight",
            ),
            ("quant_conv.weight", "quant_conv.weight"),
        ] {
            assert_eq!(original_name(diffusers, 4), original);
        }
    }
}
