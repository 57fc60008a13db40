//! The names that training programs give to the tensors of a model.

use std::collections::BTreeMap;

use crate::weights::Scope;

/// From the names in files of changes, up to the ending, to the full names of the model's tensors.
#[derive(Debug, Clone, Default)]
pub struct NameMap {
    names: BTreeMap<String, String>,
}

/// Layers of a text encoder that have names in every training program.
const TEXT_LAYERS: [&str; 6] = [
    "mlp.fc1",
    "mlp.fc2",
    "self_attn.k_proj",
    "self_attn.q_proj",
    "self_attn.v_proj",
    "self_attn.out_proj",
];

impl NameMap {
    /// The full name of the tensor that a name stands for.
    pub(super) fn get(&self, name: &str) -> Option<&String> {
        self.names.get(name)
    }

    /// How many names there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    fn add(&mut self, name: String, tensor: &str) {
        self.names.insert(name, tensor.to_owned());
    }

    /// Those of a diffusion network. `diffusers_name` gives the name of a tensor in diffusers' layout, where it has one.
    pub fn of_network(network: &Scope, diffusers_name: impl Fn(&str) -> Vec<String>) -> Self {
        let mut map = Self::default();
        for full in network.weights().names(network.prefix()) {
            let Some(name) = full.get(network.prefix().len()..) else {
                continue;
            };
            let Some(layer) = name.strip_suffix(".weight") else {
                map.add(format!("diffusion_model.{name}"), full);
                continue;
            };
            map.add(format!("lora_unet_{}", layer.replace('.', "_")), full);
            map.add(format!("diffusion_model.{layer}"), full);
            for diffusers in diffusers_name(name) {
                let Some(layer) = diffusers.strip_suffix(".weight") else {
                    continue;
                };
                let flat = layer.replace('.', "_");
                map.add(format!("lora_unet_{flat}"), full);
                map.add(format!("lycoris_{flat}"), full);
                let processor = layer.replace(".to_", ".processor.to_");
                let processor = match processor.strip_suffix(".to_out.0") {
                    Some(place) => format!("{place}.to_out"),
                    None => processor,
                };
                map.add(format!("unet.{processor}"), full);
                map.add(processor, full);
            }
        }
        map
    }

    /// Those of a network of a text encoder at `place`: `key` is its name (`clip_l`, `clip_g`, `clip_h`), and `is_second` whether it
    /// follows another.
    pub fn of_text_encoder(place: &Scope, key: &str, is_second: bool) -> Self {
        let mut map = Self::default();
        // `text_model.` may be missing in the file, never in the names.
        let has_part = place.has_scope("text_model");
        for full in place.weights().names(place.prefix()) {
            let Some(name) = full.get(place.prefix().len()..) else {
                continue;
            };
            let Some(layer) = name.strip_suffix(".weight") else {
                continue;
            };
            let layer = if has_part || layer == "text_projection" {
                layer.to_owned()
            } else {
                format!("text_model.{layer}")
            };
            map.add(format!("text_encoders.{key}.transformer.{layer}"), full);
            if layer == "text_projection" {
                let names: &[&str] = match key {
                    "clip_g" => &["lora_prior_te_text_projection", "lora_te2_text_projection"],
                    "clip_l" => &["lora_te1_text_projection"],
                    _ => &[],
                };
                for name in names {
                    map.add((*name).to_owned(), full);
                }
            }
            if !TEXT_LAYERS.iter().any(|known| layer.ends_with(known)) {
                continue;
            }
            let (programs, diffusers): (&[&str], _) = match (key, is_second) {
                ("clip_g", true) => (&["lora_te2"], "text_encoder_2"),
                ("clip_g", false) => (&["lora_te", "lora_prior_te"], "text_encoder"),
                _ => (&["lora_te", "lora_te1"], "text_encoder"),
            };
            for program in programs {
                map.add(format!("{program}_{}", layer.replace('.', "_")), full);
            }
            map.add(format!("{diffusers}.{layer}"), full);
        }
        map
    }
}
