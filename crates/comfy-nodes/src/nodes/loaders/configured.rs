//! `CheckpointLoader`: checkpoints with a configuration of the first training programs.

use comfy_diffusion::sampling::Prediction;
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec};
use yaml_serde::Value;

use crate::errors::from_folders;
use crate::nodes::checkpoint_loader_simple::{LoadedCheckpoint, open};
use crate::runtime::Runtime;
use crate::sockets::{CheckpointName, ConfigurationName};

/// Opens a checkpoint as a configuration of the first training programs says. What a model is shows in its file; of the configuration
/// only the last layer of the text encoder and the prediction of velocities count.
#[derive(Debug, NodeSpec)]
#[node(
    id = "CheckpointLoader",
    name = "Load Checkpoint With Config (DEPRECATED)",
    category = "advanced/loaders",
    module = "nodes",
    deprecated
)]
pub struct CheckpointLoader {
    /// A file in the folder models/configs, or one of the well-known configurations, which need no file.
    config_name: ConfigurationName,
    /// A file in the folder models/checkpoints.
    ckpt_name: CheckpointName,
}

/// What a configuration says that a checkpoint does not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Configuration {
    predicts_velocity: bool,
    last_layer: Option<i32>,
}

const PLAIN: Configuration = Configuration {
    predicts_velocity: false,
    last_layer: None,
};

const SKIPPING: Configuration = Configuration {
    last_layer: Some(-2),
    ..PLAIN
};

const VELOCITY: Configuration = Configuration {
    predicts_velocity: true,
    ..PLAIN
};

/// The well-known configurations, sorted.
const KNOWN: [(&str, Configuration); 11] = [
    ("anything_v3.yaml", SKIPPING),
    ("v1-inference.yaml", PLAIN),
    ("v1-inference_clip_skip_2.yaml", SKIPPING),
    ("v1-inference_clip_skip_2_fp16.yaml", SKIPPING),
    ("v1-inference_fp16.yaml", PLAIN),
    ("v1-inpainting-inference.yaml", PLAIN),
    ("v2-inference-v.yaml", VELOCITY),
    ("v2-inference-v_fp32.yaml", VELOCITY),
    ("v2-inference.yaml", PLAIN),
    ("v2-inference_fp32.yaml", PLAIN),
    ("v2-inpainting-inference.yaml", PLAIN),
];

/// The largest configuration that is read; real ones have some kilobytes.
const MAX_BYTES: u64 = 1 << 20;

/// The names of the well-known configurations.
pub(crate) fn known_configurations() -> impl Iterator<Item = String> {
    KNOWN.iter().map(|(name, _)| (*name).to_owned())
}

impl Node for CheckpointLoader {
    type Output = LoadedCheckpoint;

    fn run(self, context: &mut NodeContext<'_>) -> Result<LoadedCheckpoint, NodeError> {
        let runtime = context.service::<Runtime>()?;
        let configuration = configuration(&runtime, &self.config_name.0)?;
        let path = runtime
            .folders()
            .find("checkpoints", &self.ckpt_name.0)
            .map_err(from_folders)?;
        let (mut model, mut clip, vae) = open(&runtime, &path, &self.ckpt_name.0)?;
        if configuration.predicts_velocity {
            model = model.map(|mut model| {
                model.sampling.prediction = Prediction::Velocity;
                model
            })?;
        }
        if let Some(layer) = configuration.last_layer {
            clip = clip.map(|clip| clip.with_last_layer(layer))?;
        }
        Ok(LoadedCheckpoint { model, clip, vae })
    }
}

/// A file counts before a well-known configuration of the same name.
fn configuration(runtime: &Runtime, name: &str) -> Result<Configuration, NodeError> {
    let known = KNOWN.iter().find(|(known, _)| *known == name);
    let path = match (runtime.folders().find("configs", name), known) {
        (Ok(path), _) => path,
        (Err(_), Some((_, configuration))) => return Ok(*configuration),
        (Err(error), None) => return Err(from_folders(error)),
    };
    let wrong = |reason: String| {
        NodeError::value(format_args!(
            "{} is no configuration: {reason}",
            path.display()
        ))
    };
    let bytes = std::fs::metadata(&path).map_err(NodeError::runtime)?.len();
    if bytes > MAX_BYTES {
        return Err(wrong(format!(
            "it has {bytes} bytes, more than {MAX_BYTES}"
        )));
    }
    let text = std::fs::read_to_string(&path).map_err(NodeError::runtime)?;
    read(&text).map_err(wrong)
}

fn read(text: &str) -> Result<Configuration, String> {
    let document: Value = yaml_serde::from_str(text).map_err(|error| error.to_string())?;
    let parameters = document
        .get("model")
        .and_then(|model| model.get("params"))
        .ok_or("expected `params` in `model`")?;
    let layer = parameters
        .get("cond_stage_config")
        .ok_or("expected `cond_stage_config` in the `params` of the model")?
        .get("params")
        .and_then(|text| text.get("layer_idx"))
        .and_then(Value::as_i64);
    Ok(Configuration {
        predicts_velocity: parameters.get("parameterization").and_then(Value::as_str) == Some("v"),
        last_layer: layer.and_then(|layer| i32::try_from(layer).ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_layer_and_the_prediction_count() {
        let text = "model:\n  params:\n    parameterization: v\n    cond_stage_config:\n      target: x\n      params: {layer_idx: -2}\n";
        let expected = Configuration {
            predicts_velocity: true,
            last_layer: Some(-2),
        };
        assert_eq!(read(text), Ok(expected));
        let text = "model: {params: {cond_stage_config: {target: x}}}";
        assert_eq!(read(text), Ok(PLAIN));
        for wrong in ["", "model: 3", "model: {params: {}}", "{"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
