//! From the original names of a UNet's tensors to those of diffusers, which training programs use.

use crate::weights::Scope;

/// Where each stage of a network stands among the levels of diffusers.
#[derive(Debug)]
pub(in crate::checkpoint) struct DiffusersNames {
    /// For each input stage its level and its block; the block that halves has none.
    down: Vec<(usize, Option<usize>)>,
    up: Vec<(usize, usize)>,
    /// Whether the middle has attention.
    middle_attends: bool,
}

impl DiffusersNames {
    pub(in crate::checkpoint) fn of(network: &Scope) -> Self {
        let (mut level, mut block) = (0, 0);
        let down = (1..network.count("input_blocks"))
            .map(|stage| {
                if network.has_scope(format!("input_blocks.{stage}.0.op")) {
                    let halving = (level, None);
                    (level, block) = (level + 1, 0);
                    halving
                } else {
                    block += 1;
                    (level, Some(block - 1))
                }
            })
            .collect();
        let (mut level, mut block) = (0, 0);
        let up = (0..network.count("output_blocks"))
            .map(|stage| {
                let place = (level, block);
                let doubles = [1, 2]
                    .iter()
                    .any(|layer| network.has_scope(format!("output_blocks.{stage}.{layer}.conv")));
                (level, block) = if doubles {
                    (level + 1, 0)
                } else {
                    (level, block + 1)
                };
                place
            })
            .collect();
        Self {
            down,
            up,
            middle_attends: network.has_scope("middle_block.1.transformer_blocks"),
        }
    }

    /// The names of a tensor; some have two.
    pub(in crate::checkpoint) fn of_tensor(&self, name: &str) -> Vec<String> {
        let parts: Vec<&str> = name.split('.').collect();
        match parts.as_slice() {
            ["label_emb", "0", layer, end] => ["class_embedding", "add_embedding"]
                .iter()
                .filter_map(|place| Some(format!("{place}.{}.{end}", embedding_layer(layer)?)))
                .collect(),
            parts => self.only_name(parts).into_iter().collect(),
        }
    }

    fn only_name(&self, parts: &[&str]) -> Option<String> {
        let number = |text: &str| text.parse::<usize>().ok();
        let layer = |kind: &str| match kind {
            "0" => Some("resnets"),
            "1" => Some("attentions"),
            _ => None,
        };
        let (place, rest) = match parts {
            ["time_embed", layer, rest @ ..] => {
                (format!("time_embedding.{}", embedding_layer(layer)?), rest)
            }
            ["input_blocks", "0", "0", rest @ ..] => ("conv_in".to_owned(), rest),
            ["out", "0", rest @ ..] => ("conv_norm_out".to_owned(), rest),
            ["out", "2", rest @ ..] => ("conv_out".to_owned(), rest),
            ["input_blocks", stage, kind, rest @ ..] => {
                match *self.down.get(number(stage)?.checked_sub(1)?)? {
                    (level, None) => (
                        format!("down_blocks.{level}.downsamplers.0.conv"),
                        rest.strip_prefix(&["op"])?,
                    ),
                    (level, Some(block)) => (
                        format!("down_blocks.{level}.{}.{block}", layer(kind)?),
                        rest,
                    ),
                }
            }
            ["middle_block", stage, rest @ ..] => {
                let stage = number(stage)?;
                let place = match (stage, self.middle_attends) {
                    (1, true) => "mid_block.attentions.0".to_owned(),
                    (_, true) => format!("mid_block.resnets.{}", stage / 2),
                    (_, false) => format!("mid_block.resnets.{stage}"),
                };
                (place, rest)
            }
            ["output_blocks", stage, kind, rest @ ..] => {
                let (level, block) = *self.up.get(number(stage)?)?;
                match rest {
                    ["conv", rest @ ..] => (format!("up_blocks.{level}.upsamplers.0.conv"), rest),
                    rest => (format!("up_blocks.{level}.{}.{block}", layer(kind)?), rest),
                }
            }
            _ => return None,
        };
        let (part, rest) = match rest {
            ["in_layers", "0", rest @ ..] => (".norm1", rest),
            ["in_layers", "2", rest @ ..] => (".conv1", rest),
            ["emb_layers", "1", rest @ ..] => (".time_emb_proj", rest),
            ["out_layers", "0", rest @ ..] => (".norm2", rest),
            ["out_layers", "3", rest @ ..] => (".conv2", rest),
            ["skip_connection", rest @ ..] => (".conv_shortcut", rest),
            rest => ("", rest),
        };
        let rest: String = rest.iter().flat_map(|part| [".", *part]).collect();
        Some(format!("{place}{part}{rest}"))
    }
}

fn embedding_layer(number: &str) -> Option<&'static str> {
    match number {
        "0" => Some("linear_1"),
        "2" => Some("linear_2"),
        _ => None,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use comfy_fixtures::checkpoint;

    use super::*;
    use crate::weights::Weights;

    #[test]
    fn names_go_there_and_back() {
        for source in ["sd15_tiny", "sdxl_tiny"] {
            let weights = Weights::open(&checkpoint(source)).unwrap();
            let network = weights.root().enter("model.diffusion_model");
            let names = DiffusersNames::of(&network);
            let length = network.prefix().len();
            let original: Vec<String> = weights
                .names(network.prefix())
                .map(|name| name[length..].to_owned())
                .collect();
            let diffusers = weights.renamed(|name| match name.get(length..) {
                Some(rest) if name.starts_with("model.diffusion_model.") => {
                    names.of_tensor(rest).pop().unwrap()
                }
                _ => name.to_owned(),
            });
            let back = super::super::diffusers_unet::in_original_layout(diffusers);
            for name in original {
                assert!(back.contains(&name), "{source} {name}");
            }
        }
    }
}
