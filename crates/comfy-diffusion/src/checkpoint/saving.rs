//! The tensors of models as files of checkpoints have them, with the changes made to them.

use super::Vae;
use super::families::{Family, Marks};
use crate::Model;
use crate::sampling::Prediction;
use crate::text::Clip;
use crate::weights::{Outgoing, Rounding, Stored, TensorSource};

/// What a model was recognised as when it was opened.
#[derive(Clone)]
pub struct Recognised {
    family: &'static Family,
    architecture: Option<&'static str>,
    predicts: Option<&'static str>,
}

/// What the names of a diffusion network's tensors begin with.
pub(super) const NETWORK_PARTS: [&str; 6] = [
    "time_embed.",
    "label_emb.",
    "input_blocks.",
    "middle_block.",
    "output_blocks.",
    "out.",
];

/// The same for autoencoders and text encoders.
const AUTOENCODER_PARTS: [&str; 4] = ["encoder.", "decoder.", "quant_conv.", "post_quant_conv."];
const TEXT_PARTS: [&str; 5] = [
    "text_model.",
    "text_projection.",
    "embeddings.",
    "encoder.",
    "final_layer_norm.",
];

/// Tensors beside the network that say how it is sampled.
const MARKS: [&str; 6] = [
    VELOCITY_MARK,
    "ztsnr",
    CONTINUOUS,
    "edm_vpred.sigma_min",
    "edm_mean",
    "edm_std",
];

/// The mark of networks that predict velocities, and what metadata calls that.
const VELOCITY_MARK: &str = "v_pred";
const VELOCITY: &str = "v";

/// The mark of those that do so over continuous noise levels.
const CONTINUOUS: &str = "edm_vpred.sigma_max";

/// How many places CLIP has; some programs want them listed.
const PLACES: usize = 77;

impl std::fmt::Debug for Recognised {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Recognised")
            .field("family", &self.family.name)
            .field("predicts", &self.predicts)
            .finish_non_exhaustive()
    }
}

impl Recognised {
    pub(super) fn new(family: &'static Family, marks: &Marks, prediction: Prediction) -> Self {
        Self {
            family,
            architecture: (family.architecture)(marks),
            predicts: match prediction {
                Prediction::Epsilon => Some("epsilon"),
                Prediction::Velocity if !marks.root.has(CONTINUOUS) => Some(VELOCITY),
                _ => None,
            },
        }
    }

    /// What the specification of model metadata (`modelspec`) calls the architecture, where programs write it.
    pub fn architecture(&self) -> Option<&'static str> {
        self.architecture
    }

    /// What the network predicts, in the words of that specification, where it has any.
    pub fn predicts(&self) -> Option<&'static str> {
        self.predicts
    }
}

/// The tensors of a checkpoint: of the diffusion network, and of what else there is. They are read when they are written.
pub fn tensors_of_checkpoint(
    model: &Model,
    clip: Option<&Clip>,
    vae: Option<&Vae>,
) -> Vec<Outgoing<'static>> {
    let mut tensors = Vec::new();
    if let Some(source) = model.network.source() {
        let network = named(&source, &NETWORK_PARTS, "model.diffusion_model.");
        tensors.extend(network);
        let root = TensorSource::new(source.weights(), "", Rounding::None);
        let marks = MARKS.iter();
        tensors.extend(marks.filter_map(|mark| outgoing(&root, mark, (*mark).to_owned())));
        let recognised = model.recognised.as_ref();
        let is_velocity = recognised.and_then(Recognised::predicts) == Some(VELOCITY);
        if is_velocity && !source.weights().contains(VELOCITY_MARK) {
            tensors.push(Outgoing {
                name: VELOCITY_MARK.to_owned(),
                shape: vec![0],
                element: Stored::Single,
                values: Box::new(|| Ok(Vec::new())),
            });
        }
    }
    let family = model
        .recognised
        .as_ref()
        .map(|recognised| recognised.family);
    let networks = family.map_or(&[][..], |family| family.text);
    for (key, source) in clip.map(Clip::sources).unwrap_or_default() {
        let place = networks
            .iter()
            .filter(|network| network.kind.rules.embedding_key == key)
            .find_map(|network| network.prefixes.first());
        match place.map(|place| (place, place.strip_suffix(".transformer"))) {
            Some((place, Some(_))) => {
                // The projection that the first models leave out.
                let parts: Vec<_> = text(&source, &format!("{place}."))
                    .into_iter()
                    .filter(|tensor| !tensor.name.contains("text_projection"))
                    .collect();
                tensors.extend(parts);
                if networks.len() > 1 {
                    tensors.push(places(&format!("{place}.text_model.")));
                }
            }
            Some((place, None)) => tensors.extend(open_clip(&source, &format!("{place}."))),
            None => tensors.extend(text(&source, &format!("{key}.transformer."))),
        }
    }
    if let Some(vae) = vae {
        let mut network = tensors_of_autoencoder(vae);
        for tensor in &mut network {
            tensor.name.insert_str(0, "first_stage_model.");
        }
        tensors.extend(network);
    }
    tensors
}

/// The tensors of an autoencoder in a file of its own.
pub fn tensors_of_autoencoder(vae: &Vae) -> Vec<Outgoing<'static>> {
    let source = vae.source();
    source.map_or_else(Vec::new, |source| named(&source, &AUTOENCODER_PARTS, ""))
}

/// The tensors of each network of a text encoder in a file of its own, by the network's name.
pub fn tensors_of_text_encoder(clip: &Clip) -> Vec<(&'static str, Vec<Outgoing<'static>>)> {
    let sources = clip.sources().into_iter();
    sources
        .map(|(key, source)| (key, text(&source, "")))
        .collect()
}

/// A tensor under another name, with its changes.
fn outgoing(source: &TensorSource, name: &str, new_name: String) -> Option<Outgoing<'static>> {
    let scope = source.scope();
    let (shape, element) = (scope.shape(name).ok()?.to_vec(), scope.element(name).ok()?);
    let (source, name) = (source.clone(), name.to_owned());
    Some(Outgoing {
        name: new_name,
        shape,
        element: Stored::like(element),
        values: Box::new(move || source.scope().values(&name)),
    })
}

/// The tensors whose names begin so, below `prefix`.
pub(super) fn named(source: &TensorSource, parts: &[&str], prefix: &str) -> Vec<Outgoing<'static>> {
    let names = source.names().into_iter();
    names
        .filter(|name| parts.iter().any(|part| name.starts_with(part)))
        .filter(|name| !name.ends_with("scale_weight") && !name.ends_with("scaled_fp8"))
        .filter_map(|name| outgoing(source, &name, format!("{prefix}{name}")))
        .collect()
}

/// The tensors of a text encoder as `CLIPTextModel` names them. They are kept in the precision that it runs in.
pub(super) fn text(source: &TensorSource, prefix: &str) -> Vec<Outgoing<'static>> {
    let has_part = source.scope().has_scope("text_model");
    let mut tensors = named(source, &TEXT_PARTS, "");
    tensors.retain(|tensor| !tensor.name.ends_with("position_ids"));
    for tensor in &mut tensors {
        if !has_part && !tensor.name.starts_with("text_projection") {
            tensor.name.insert_str(0, "text_model.");
        }
        tensor.name.insert_str(0, prefix);
        tensor.element = Stored::Half;
    }
    tensors
}

/// The list of places that `CLIPTextModel` once had.
fn places(prefix: &str) -> Outgoing<'static> {
    Outgoing {
        name: format!("{prefix}embeddings.position_ids"),
        shape: vec![1, PLACES],
        element: Stored::Integer,
        values: Box::new(|| Ok((0..PLACES).map(|place| place as f32).collect())),
    }
}

/// The tensors of a text encoder as `OpenCLIP` names and arranges them.
fn open_clip(source: &TensorSource, prefix: &str) -> Vec<Outgoing<'static>> {
    let mut tensors = Vec::new();
    let mut by_name: std::collections::BTreeMap<String, Outgoing<'static>> = text(source, "")
        .into_iter()
        .map(|tensor| (tensor.name.clone(), tensor))
        .collect();
    let names: Vec<String> = by_name.keys().cloned().collect();
    for name in names {
        let Some(tensor) = by_name.remove(&name) else {
            // It went into another one.
            continue;
        };
        let layer = name.strip_prefix("text_model.encoder.layers.");
        let part = layer.and_then(|rest| rest.split_once(".self_attn."));
        let Some((layer, kind)) = part.filter(|(_, part)| !part.starts_with("out_proj")) else {
            tensors.push(in_open_clip(tensor, prefix));
            continue;
        };
        // Keys come first by name; the queries and the values are still there.
        let (_, kind) = kind.split_once('.').unwrap_or(("", kind));
        let mut take = |part: &str| {
            by_name.remove(&format!(
                "text_model.encoder.layers.{layer}.self_attn.{part}_proj.{kind}"
            ))
        };
        let (Some(query), Some(value)) = (take("q"), take("v")) else {
            continue;
        };
        let mut shape = tensor.shape.clone();
        if let Some(rows) = shape.first_mut() {
            *rows *= 3;
        }
        tensors.push(Outgoing {
            name: format!("{prefix}transformer.resblocks.{layer}.attn.in_proj_{kind}"),
            shape,
            element: tensor.element,
            values: Box::new(move || {
                let parts = [(query.values)()?, (tensor.values)()?, (value.values)()?];
                Ok(parts.concat())
            }),
        });
    }
    tensors
}

/// A tensor that `OpenCLIP` has by itself.
fn in_open_clip(tensor: Outgoing<'static>, prefix: &str) -> Outgoing<'static> {
    const NAMES: [(&str, &str); 9] = [
        (
            "text_model.embeddings.position_embedding.weight",
            "positional_embedding",
        ),
        ("text_model.embeddings.token_embedding.", "token_embedding."),
        ("text_model.final_layer_norm.", "ln_final."),
        ("text_model.encoder.layers.", "transformer.resblocks."),
        (".self_attn.out_proj.", ".attn.out_proj."),
        (".layer_norm1.", ".ln_1."),
        (".layer_norm2.", ".ln_2."),
        (".mlp.fc1.", ".mlp.c_fc."),
        (".mlp.fc2.", ".mlp.c_proj."),
    ];
    if tensor.name == "text_projection.weight"
        && let [rows, columns] = *tensor.shape.as_slice()
    {
        // What multiplies from the right is stored as a matrix, not as a layer.
        return Outgoing {
            name: format!("{prefix}text_projection"),
            shape: vec![columns, rows],
            element: tensor.element,
            values: Box::new(move || {
                let values = (tensor.values)()?;
                let column = |at| values.iter().skip(at).step_by(columns.max(1)).copied();
                Ok((0..columns).flat_map(column).collect())
            }),
        };
    }
    let name = NAMES
        .iter()
        .fold(tensor.name, |name, (from, to)| name.replace(from, to));
    Outgoing {
        name: format!("{prefix}{name}"),
        ..tensor
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests;
