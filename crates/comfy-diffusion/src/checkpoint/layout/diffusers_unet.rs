//! Names of a UNet's tensors in Hugging Face's diffusers (`UNet2DConditionModel`) and in the original files.

use crate::weights::{Scope, Weights};

/// Tensors that only UNets in diffusers' layout have.
const MARKS: [&str; 2] = ["conv_in.weight", "down_blocks.0.resnets.0.norm1.weight"];

/// The same weights; a UNet, which must be alone in its file, under the names of the original files.
pub(super) fn in_original_layout(weights: Weights) -> Weights {
    if !MARKS.iter().all(|mark| weights.contains(mark)) {
        return weights;
    }
    let shape = Shape::read(&weights.root());
    weights.renamed(|name| shape.original_name(name).unwrap_or_else(|| name.to_owned()))
}

/// What numbers in the original depend on.
struct Shape {
    /// For each level on the way down the number of its first stage, and how many residual blocks it has.
    down: Vec<Level>,
    up: Vec<Level>,
    /// Whether the middle has attention.
    middle_attends: bool,
}

struct Level {
    first: usize,
    blocks: usize,
    /// Whether its last block is followed by attention.
    attends: bool,
}

impl Shape {
    fn read(root: &Scope) -> Self {
        // On the way down each level ends with a stage of its own that halves; on the way up doubling belongs to the last block.
        let levels = |name: &str, start: usize, extra: usize| {
            let mut first = start;
            (0..root.count(name))
                .map(|index| {
                    let level = root.enter(name).enter(index);
                    let blocks = level.count("resnets");
                    let attends =
                        level.has_scope(format!("attentions.{}", blocks.saturating_sub(1)));
                    let found = Level {
                        first,
                        blocks,
                        attends,
                    };
                    first += blocks + extra;
                    found
                })
                .collect()
        };
        Self {
            down: levels("down_blocks", 1, 1),
            up: levels("up_blocks", 0, 0),
            middle_attends: root.has_scope("mid_block.attentions.0"),
        }
    }

    fn original_name(&self, name: &str) -> Option<String> {
        let parts: Vec<&str> = name.split('.').collect();
        let (place, rest): (String, &[&str]) = match parts.as_slice() {
            ["conv_in", rest @ ..] => ("input_blocks.0.0".to_owned(), rest),
            ["conv_norm_out", rest @ ..] => ("out.0".to_owned(), rest),
            ["conv_out", rest @ ..] => ("out.2".to_owned(), rest),
            [
                kind @ ("time_embedding" | "add_embedding" | "class_embedding"),
                layer,
                rest @ ..,
            ] => {
                let layer = match *layer {
                    "linear_1" => 0,
                    "linear_2" => 2,
                    _ => return None,
                };
                let place = match *kind {
                    "time_embedding" => "time_embed",
                    _ => "label_emb.0",
                };
                (format!("{place}.{layer}"), rest)
            }
            ["mid_block", "attentions", "0", rest @ ..] => ("middle_block.1".to_owned(), rest),
            ["mid_block", "resnets", index, rest @ ..] => {
                let index: usize = index.parse().ok()?;
                let place = index * (1 + usize::from(self.middle_attends));
                (format!("middle_block.{place}"), rest)
            }
            [
                way @ ("down_blocks" | "up_blocks"),
                level,
                kind,
                index,
                rest @ ..,
            ] => {
                let (name, levels) = match *way {
                    "down_blocks" => ("input_blocks", &self.down),
                    _ => ("output_blocks", &self.up),
                };
                let level = levels.get(level.parse::<usize>().ok()?)?;
                let index: usize = index.parse().ok()?;
                match *kind {
                    "resnets" => (format!("{name}.{}.0", level.first + index), rest),
                    "attentions" => (format!("{name}.{}.1", level.first + index), rest),
                    "downsamplers" => {
                        let stage = level.first + level.blocks;
                        (
                            format!("{name}.{stage}.0.op"),
                            rest.strip_prefix(&["conv"])?,
                        )
                    }
                    "upsamplers" => {
                        let stage = (level.first + level.blocks).checked_sub(1)?;
                        let layer = 1 + usize::from(level.attends);
                        (
                            format!("{name}.{stage}.{layer}.conv"),
                            rest.strip_prefix(&["conv"])?,
                        )
                    }
                    _ => return None,
                }
            }
            _ => return None,
        };
        let (first, tail) = rest.split_first()?;
        let first = match *first {
            "norm1" if tail.len() == 1 && !is_transformer(&parts) => "in_layers.0",
            "conv1" => "in_layers.2",
            "time_emb_proj" => "emb_layers.1",
            "norm2" if tail.len() == 1 && !is_transformer(&parts) => "out_layers.0",
            "conv2" => "out_layers.3",
            "conv_shortcut" => "skip_connection",
            other => other,
        };
        let tail: String = tail.iter().flat_map(|part| [".", *part]).collect();
        Some(format!("{place}.{first}{tail}"))
    }
}

fn is_transformer(parts: &[&str]) -> bool {
    parts.contains(&"attentions")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn names_are_translated() {
        // Stable Diffusion 1: four levels of two blocks, attention in all but the lowest.
        let level = |first, blocks, attends| Level {
            first,
            blocks,
            attends,
        };
        let shape = Shape {
            down: vec![
                level(1, 2, true),
                level(4, 2, true),
                level(7, 2, true),
                level(10, 2, false),
            ],
            up: vec![
                level(0, 3, false),
                level(3, 3, true),
                level(6, 3, true),
                level(9, 3, true),
            ],
            middle_attends: true,
        };
        for (diffusers, original) in [
            ("conv_in.bias", "input_blocks.0.0.bias"),
            ("conv_norm_out.weight", "out.0.weight"),
            ("conv_out.weight", "out.2.weight"),
            ("time_embedding.linear_2.bias", "time_embed.2.bias"),
            ("add_embedding.linear_1.weight", "label_emb.0.0.weight"),
            ("class_embedding.linear_2.weight", "label_emb.0.2.weight"),
            (
                "down_blocks.1.resnets.1.norm1.bias",
                "input_blocks.5.0.in_layers.0.bias",
            ),
            (
                "down_blocks.1.resnets.0.conv_shortcut.weight",
                "input_blocks.4.0.skip_connection.weight",
            ),
            (
                "down_blocks.0.resnets.0.time_emb_proj.weight",
                "input_blocks.1.0.emb_layers.1.weight",
            ),
            (
                "down_blocks.2.attentions.1.proj_in.weight",
                "input_blocks.8.1.proj_in.weight",
            ),
            (
                "down_blocks.0.attentions.0.transformer_blocks.0.norm1.weight",
                "input_blocks.1.1.transformer_blocks.0.norm1.weight",
            ),
            (
                "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_out.0.bias",
                "input_blocks.1.1.transformer_blocks.0.attn2.to_out.0.bias",
            ),
            (
                "down_blocks.2.downsamplers.0.conv.weight",
                "input_blocks.9.0.op.weight",
            ),
            (
                "mid_block.resnets.1.conv2.bias",
                "middle_block.2.out_layers.3.bias",
            ),
            (
                "mid_block.attentions.0.norm.weight",
                "middle_block.1.norm.weight",
            ),
            (
                "up_blocks.0.upsamplers.0.conv.weight",
                "output_blocks.2.1.conv.weight",
            ),
            (
                "up_blocks.1.upsamplers.0.conv.weight",
                "output_blocks.5.2.conv.weight",
            ),
            (
                "up_blocks.3.resnets.2.norm2.weight",
                "output_blocks.11.0.out_layers.0.weight",
            ),
        ] {
            assert_eq!(shape.original_name(diffusers).unwrap(), original);
        }
        assert_eq!(
            shape.original_name("down_blocks.9.resnets.0.conv1.bias"),
            None
        );
        assert_eq!(shape.original_name("something.else"), None);
    }
}
