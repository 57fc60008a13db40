//! Names of an encoder's tensors in OpenCLIP and in Hugging Face's `CLIPTextModel` and `CLIPVisionModelWithProjection`.

use crate::weights::{View, Weights};

/// What the name of a tensor ends with that every OpenCLIP encoder has.
const MARK: &str = "transformer.resblocks.0.ln_1.weight";

/// The table that only encoders of text have, and encoders of images have not.
const TOKENS: &str = "token_embedding.weight";

/// A matrix behind the summary of a text.
const PROJECTION: &str = "text_projection";

/// The layer that cuts a picture into patches, which only encoders of images have.
const PATCHES: &str = "conv1.weight";

/// Where the tensor of a name and a shape belongs; nothing for what has no place.
type Place = fn(&str, &[usize]) -> Option<Vec<(String, View)>>;

/// The same weights, with encoders of OpenCLIP as Hugging Face's, wherever they lie.
pub(super) fn in_original_layout(weights: Weights) -> Weights {
    let kind = |prefix: &str| -> Option<Place> {
        let has = |name| weights.contains(&format!("{prefix}{name}"));
        match (has(TOKENS), has(PATCHES)) {
            (true, _) => Some(of_text),
            (_, true) => Some(of_images),
            _ => None,
        }
    };
    let prefixes: Vec<(String, Place)> = weights
        .names("")
        .filter_map(|name| name.strip_suffix(MARK))
        .filter_map(|prefix| Some((prefix.to_owned(), kind(prefix)?)))
        .collect();
    if prefixes.is_empty() {
        return with_projection_of_old_files(weights);
    }
    weights.arranged(|name, shape| {
        prefixes
            .iter()
            .find_map(|(prefix, place)| {
                let rest = name.strip_prefix(prefix.as_str())?;
                Some((prefix, place(rest, shape)?))
            })
            .map_or_else(
                || vec![(name.to_owned(), View::Whole)],
                |(prefix, places)| {
                    places
                        .into_iter()
                        .map(|(name, view)| (format!("{prefix}{name}"), view))
                        .collect()
                },
            )
    })
}

/// A style adapter, whose layers are those of OpenCLIP under a misspelt name, with layers as Hugging Face's.
pub(in crate::checkpoint) fn style_adapter_in_original_layout(weights: Weights) -> Weights {
    weights.arranged(|name, shape| {
        if name == "proj" {
            return vec![("proj.weight".to_owned(), View::Transposed)];
        }
        let layer = name.strip_prefix("transformer_layes.");
        let layer = layer.map(|rest| format!("transformer.resblocks.{rest}"));
        let places = layer.and_then(|name| of_layer(&name, shape, "adapter"));
        match places {
            Some(places) => places
                .into_iter()
                .map(|(name, view)| (name.replacen("adapter.encoder.", "", 1), view))
                .collect(),
            None => vec![(name.to_owned(), View::Whole)],
        }
    })
}

/// Text encoders alone in a file that are as `CLIPTextModel` but for the projection, which is as in OpenCLIP.
fn with_projection_of_old_files(weights: Weights) -> Weights {
    if !weights.contains(PROJECTION) || weights.names("text_model.").next().is_none() {
        return weights;
    }
    weights.arranged(|name, _| {
        if name == PROJECTION {
            vec![(format!("{PROJECTION}.weight"), View::Transposed)]
        } else {
            whole(name)
        }
    })
}

fn whole(name: impl Into<String>) -> Vec<(String, View)> {
    vec![(name.into(), View::Whole)]
}

/// Where a tensor of an encoder of images belongs.
fn of_images(name: &str, shape: &[usize]) -> Option<Vec<(String, View)>> {
    const NAMES: [(&str, &str); 7] = [
        ("class_embedding", "embeddings.class_embedding"),
        (PATCHES, "embeddings.patch_embedding.weight"),
        (
            "positional_embedding",
            "embeddings.position_embedding.weight",
        ),
        ("ln_pre.weight", "pre_layrnorm.weight"),
        ("ln_pre.bias", "pre_layrnorm.bias"),
        ("ln_post.weight", "post_layernorm.weight"),
        ("ln_post.bias", "post_layernorm.bias"),
    ];
    if name == "proj" {
        let projection = "visual_projection.weight".to_owned();
        return Some(vec![(projection, View::Transposed)]);
    }
    match NAMES.iter().find(|(from, _)| *from == name) {
        Some((_, to)) => Some(whole(format!("vision_model.{to}"))),
        None => of_layer(name, shape, "vision_model"),
    }
}

/// Where a tensor of a text encoder belongs.
fn of_text(name: &str, shape: &[usize]) -> Option<Vec<(String, View)>> {
    match name {
        "positional_embedding" => {
            return Some(whole("text_model.embeddings.position_embedding.weight"));
        }
        TOKENS => return Some(whole("text_model.embeddings.token_embedding.weight")),
        // What multiplies from the right is stored as a matrix, not as a layer.
        "text_projection" => {
            return Some(vec![(
                "text_projection.weight".to_owned(),
                View::Transposed,
            )]);
        }
        _ => {}
    }
    if let Some(part) = name.strip_prefix("ln_final.") {
        return Some(whole(format!("text_model.final_layer_norm.{part}")));
    }
    of_layer(name, shape, "text_model")
}

/// Where a tensor of a layer of either belongs.
fn of_layer(name: &str, shape: &[usize], model: &str) -> Option<Vec<(String, View)>> {
    let (layer, part) = name
        .strip_prefix("transformer.resblocks.")?
        .split_once('.')?;
    let layer = format!("{model}.encoder.layers.{layer}");
    if let Some(kind) = part.strip_prefix("attn.in_proj_") {
        // Query, key and value lie one below the other.
        let rows = shape.first()? / 3;
        let places = ["q", "k", "v"].iter().enumerate().map(|(index, part)| {
            let name = format!("{layer}.self_attn.{part}_proj.{kind}");
            (name, View::Rows(index * rows..(index + 1) * rows))
        });
        return Some(places.collect());
    }
    let renamed = [
        ("attn.out_proj.", "self_attn.out_proj."),
        ("ln_1.", "layer_norm1."),
        ("ln_2.", "layer_norm2."),
        ("mlp.c_fc.", "mlp.fc1."),
        ("mlp.c_proj.", "mlp.fc2."),
    ];
    let (rest, place) = renamed
        .iter()
        .find_map(|(from, to)| Some((part.strip_prefix(from)?, to)))?;
    Some(whole(format!("{layer}.{place}{rest}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(name: &str) -> Vec<String> {
        let places = of_text(name, &[12, 4]).unwrap_or_default();
        places
            .into_iter()
            .map(|(name, view)| format!("{name} {view:?}"))
            .collect()
    }

    #[test]
    fn every_tensor_has_its_place() {
        assert_eq!(
            names("transformer.resblocks.7.attn.in_proj_weight"),
            [
                "text_model.encoder.layers.7.self_attn.q_proj.weight Rows(0..4)",
                "text_model.encoder.layers.7.self_attn.k_proj.weight Rows(4..8)",
                "text_model.encoder.layers.7.self_attn.v_proj.weight Rows(8..12)",
            ]
        );
        for (from, to) in [
            (
                "transformer.resblocks.0.mlp.c_proj.bias",
                "text_model.encoder.layers.0.mlp.fc2.bias Whole",
            ),
            (
                "transformer.resblocks.10.attn.out_proj.weight",
                "text_model.encoder.layers.10.self_attn.out_proj.weight Whole",
            ),
            ("ln_final.bias", "text_model.final_layer_norm.bias Whole"),
            ("text_projection", "text_projection.weight Transposed"),
        ] {
            assert_eq!(names(from), [to]);
        }
        assert!(names("logit_scale").is_empty());
    }
}
