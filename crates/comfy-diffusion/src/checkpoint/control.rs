//! Files that steer or change a diffusion network: control nets, adapters, GLIGEN, hypernetworks.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::layout::control_in_original_layout;
use crate::device::ComputeDevice;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::models::Network;
use crate::models::control::ControlNetwork;
use crate::models::gligen::Gligen;
use crate::models::hypernetwork::Hypernetwork;
use crate::models::picture_adapter::PictureAdapter;
use crate::models::unet::ControlUNet;
use crate::residency::{Resident, Room};
use crate::sampling::{ControlNet, ControlSource};
use crate::weights::patch::{Blend, PatchFile, Patches, is_factor};
use crate::weights::{Scope, TensorSource, View, Weights};

/// A tensor that only Control-LoRAs have.
const LORA_MARK: &str = "lora_controlnet";

/// A tensor of control nets whose weights are to be added to those of a model.
const DIFFERENCE_MARK: &str = "difference";

/// Where the tensors of a control net in the original layout lie.
const PREFIXES: [&str; 2] = ["control_model.", ""];

/// Tensors by which control nets of other families are told.
const OTHER_FAMILIES: [(&str, &str); 7] = [
    ("after_proj_list.18.bias", "Hunyuan-DiT"),
    ("pos_embed_input.proj.weight", "Stable Diffusion 3"),
    (
        "transformer_blocks.0.img_mlp.net.0.proj.weight",
        "Qwen-Image",
    ),
    ("controlnet_blocks.0.weight", "Flux"),
    ("controlnet_blocks.0.linear.weight", "Flux"),
    ("backbone.0.0.weight", "Stable Cascade"),
    ("backbone.10.blocks.0.weight", "Stable Cascade"),
];

/// Ends of the names of files whose networks add the same everywhere.
const AVERAGED: [&str; 2] = ["_shuffle", "_shuffle_fp16"];

/// Opens a control net for Stable Diffusion 1, 2 or XL in the original layout or that of diffusers, for one or several kinds of pictures; a
/// Control-LoRA; or a T2I-adapter. Weights that are differences are added to those of `model`.
///
/// # Errors
///
/// If the file cannot be read, or holds none of these.
pub fn open_control_net(
    path: &Path,
    model: Option<&Model>,
    device: &ComputeDevice,
) -> Result<ControlNet> {
    let weights = Arc::new(control_in_original_layout(Weights::open(path)?));
    let mut net = ControlNet::new(source(path, &weights, model, device)?);
    let stem = path.with_extension("");
    let stem = stem.to_string_lossy();
    net.is_averaged = AVERAGED.iter().any(|end| stem.ends_with(end));
    Ok(net)
}

fn source(
    path: &Path,
    weights: &Arc<Weights>,
    model: Option<&Model>,
    device: &ComputeDevice,
) -> Result<Arc<dyn ControlSource>> {
    if weights.contains(LORA_MARK) {
        return Ok(Arc::new(ControlLora {
            path: path.to_owned(),
            device: device.clone(),
            made: Mutex::new(Vec::new()),
        }));
    }
    let name = format!("control net {}", path.display());
    let found = PREFIXES
        .iter()
        .find(|prefix| weights.root().enter(prefix).has("zero_convs.0.0.weight"));
    if let Some(prefix) = found {
        let patches = difference(path, weights, prefix, model)?;
        let (weights, target) = (Arc::clone(weights), device.clone());
        let whole = Arc::clone(&weights);
        let footprint = move |width| whole.root().enter(prefix).footprint(width);
        let load = move |room: &Arc<Room>| -> Result<Arc<dyn ControlNetwork>> {
            let scope = weights.root().enter(prefix).patched(&patches);
            let target = target.for_network_in(room);
            Ok(Arc::new(ControlUNet::load(&scope.in_room(room), &target)?))
        };
        let networks = device.for_networks();
        let network = Resident::new(networks.residency(), name, footprint, load);
        return Ok(Arc::new(network));
    }
    if PictureAdapter::is_in(&weights.root()) {
        let (weights, target) = (Arc::clone(weights), device.clone());
        let network = Resident::of_file(device.residency(), name, weights, move |scope| {
            let adapter = PictureAdapter::load(scope, &target)?;
            Ok(Arc::new(adapter) as Arc<dyn ControlNetwork>)
        });
        return Ok(Arc::new(network));
    }
    if let Some((_, family)) = OTHER_FAMILIES
        .iter()
        .find(|(mark, _)| weights.contains(mark))
    {
        return Err(Error::UnknownModel {
            path: path.to_owned(),
            reason: format!(
                "it is a control net for {family}; those for Stable Diffusion 1, 2 and XL can be opened"
            ),
        });
    }
    Err(unknown(
        weights,
        "expected a control net (`zero_convs.0.0.weight`, or `controlnet_cond_embedding.conv_in.weight` as diffusers names it), a Control-LoRA (`lora_controlnet`) or a T2I-adapter (`conv_in.weight` or `body.0.in_conv.weight`) for Stable Diffusion 1, 2 or XL",
    ))
}

fn unknown(weights: &Weights, expected: &str) -> Error {
    const SHOWN: usize = 4;
    let some: Vec<&str> = weights.names("").take(SHOWN).collect();
    Error::UnknownModel {
        path: weights.path().to_owned(),
        reason: format!("{expected}; its tensors begin with {}", some.join(", ")),
    }
}

/// What is added to the weights of a control net.
fn difference(
    path: &Path,
    weights: &Weights,
    prefix: &str,
    model: Option<&Model>,
) -> Result<Patches> {
    if !weights.contains(DIFFERENCE_MARK) || prefix.is_empty() {
        return Ok(Patches::default());
    }
    let Some(model) = model else {
        tracing::warn!(
            file = %path.display(),
            "the weights of this control net are differences from a model's, and it was opened without one; it will hardly work"
        );
        return Ok(Patches::default());
    };
    Ok(Patches::default().with_model(tensors_of(model)?, Blend::all(1.0, 1.0)))
}

fn tensors_of(model: &Model) -> Result<TensorSource> {
    model.network.source().ok_or_else(|| {
        Error::input("the control net is made of a model's weights, and this model has no file")
    })
}

/// A control net that is made of the weights of the model that it steers and a file of products to be added (Stability AI,
/// "Control-LoRA", 2023).
struct ControlLora {
    path: PathBuf,
    device: ComputeDevice,
    /// For each model that it has steered.
    made: Mutex<Vec<Made>>,
}

struct Made {
    model: Resident<dyn Network>,
    network: Resident<dyn ControlNetwork>,
}

impl ControlSource for ControlLora {
    fn network(&self, model: &Model) -> Result<Resident<dyn ControlNetwork>> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = made.iter().find(|made| made.model.is(&model.network)) {
            return Ok(made.network.clone());
        }
        // Models that nothing else holds any more are not steered again.
        made.retain(|made| !made.model.is_only_handle());
        let network = self.for_model(model)?;
        made.push(Made {
            model: model.network.clone(),
            network: network.clone(),
        });
        Ok(network)
    }
}

impl ControlLora {
    fn for_model(&self, model: &Model) -> Result<Resident<dyn ControlNetwork>> {
        let base = tensors_of(model)?;
        let prefix = base.prefix().to_owned();
        let own = Weights::open(&self.path)?.arranged(|name, _| {
            if is_factor(name) || name == LORA_MARK {
                Vec::new()
            } else {
                vec![(format!("{prefix}{name}"), View::Whole)]
            }
        });
        let source = base.within(Arc::new(own.over(base.weights())));
        let (path, target) = (self.path.clone(), self.device.clone());
        let whole = source.clone();
        let footprint = move |width| whole.scope().footprint(width);
        let load = move |room: &Arc<Room>| -> Result<Arc<dyn ControlNetwork>> {
            let file = PatchFile::open(&path)?;
            let patches = source.patches().with_control(&file, source.prefix())?;
            let source = source.patched(patches).in_room(room);
            let target = target.for_network_in(room);
            Ok(Arc::new(ControlUNet::load(&source.scope(), &target)?))
        };
        let name = format!("control net {}", self.path.display());
        let networks = self.device.for_networks();
        Ok(Resident::new(networks.residency(), name, footprint, load))
    }
}

impl fmt::Debug for ControlLora {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ControlLora")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Opens a GLIGEN model.
///
/// # Errors
///
/// If the file cannot be read, or holds none.
pub fn open_gligen(path: &Path, device: &ComputeDevice) -> Result<Resident<Gligen>> {
    let weights = Weights::open(path)?;
    if !weights.root().has_scope("position_net") {
        return Err(unknown(
            &weights,
            "expected a GLIGEN model, which has tensors below `position_net`",
        ));
    }
    let (name, target) = (format!("GLIGEN {}", path.display()), device.clone());
    let load = move |scope: &Scope| Gligen::load(scope, &target).map(Arc::new);
    let residency = device.residency();
    Ok(Resident::of_file(residency, name, Arc::new(weights), load))
}

/// Opens a hypernetwork.
///
/// # Errors
///
/// If the file cannot be read, or holds none.
pub fn open_hypernetwork(path: &Path, device: &ComputeDevice) -> Result<Resident<Hypernetwork>> {
    let weights = Weights::open(path)?;
    let is_width = |name: &&str| name.parse::<usize>().is_ok();
    if !weights.root().children().iter().any(is_width) {
        return Err(unknown(
            &weights,
            "expected a hypernetwork, whose tensors stand by the width of what they change, such as `320`",
        ));
    }
    let (name, target) = (format!("hypernetwork {}", path.display()), device.clone());
    let load = move |scope: &Scope| Hypernetwork::load(scope, &target).map(Arc::new);
    let residency = device.residency();
    Ok(Resident::of_file(residency, name, Arc::new(weights), load))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests;
