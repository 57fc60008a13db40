//! Latent nodes on small latents, against what `ComfyUI` computed. `tests/fixtures/record_latents.py` has written the recording.

#![expect(clippy::unwrap_used, reason = "a failing test may panic")]

use std::any::Any;
use std::sync::Arc;

use comfy_diffusion::weights::Weights;
use comfy_graph::{
    Call, Host, Inputs, Json, NodeContext, NodeRegistry, Output, Preview, Returned, Services, Slot,
    Step, Value,
};
use comfy_nodes::planes::Planes;
use comfy_nodes::sockets::{Latent, Mask};

/// How far values may be from the recorded ones, of which most lie between -3 and 3.
const TOLERANCE: f32 = 2e-6;

struct Nobody;

impl Host for Nobody {
    fn progress(&self, _: serde_json::Number, _: serde_json::Number, _: Option<Preview>) {}

    fn interrupted(&self) -> bool {
        false
    }

    fn instance(
        &self,
        make: &mut dyn FnMut() -> Arc<dyn Any + Send + Sync>,
    ) -> Arc<dyn Any + Send + Sync> {
        make()
    }
}

struct Player {
    file: Weights,
    registry: NodeRegistry,
}

impl Player {
    fn planes(&self, name: &Json) -> Planes {
        let name = name.as_str().unwrap();
        let shape = <[usize; 4]>::try_from(self.file.shape(name).unwrap()).unwrap();
        Planes::new(self.file.values(name).unwrap(), shape).unwrap()
    }

    fn latent(&self, described: &Json) -> Latent {
        let places = described.get("batch_index").map(|places| {
            let places = places.as_array().unwrap().iter();
            places.map(|place| place.as_i64().unwrap()).collect()
        });
        Latent {
            samples: self.planes(&described["samples"]).into_tensor(),
            noise_mask: described
                .get("noise_mask")
                .map(|mask| self.planes(mask).into_tensor()),
            batch_index: places,
        }
    }

    /// An input as a slot: a latent, a mask, an operation, a list of them, or a widget's value.
    fn slot(&self, described: &Json) -> Slot {
        match described {
            Json::Array(items) => Slot::Many(items.iter().map(|item| self.slot(item)).collect()),
            Json::Object(members) if members.contains_key("samples") => {
                Slot::Wire(Value::new(self.latent(described)))
            }
            Json::Object(members) if members.contains_key("mask") => {
                let name = members["mask"].as_str().unwrap();
                let shape = <[usize; 3]>::try_from(self.file.shape(name).unwrap()).unwrap();
                let mask = Mask::from_values(self.file.values(name).unwrap(), shape).unwrap();
                Slot::Wire(Value::new(mask))
            }
            Json::Object(_) => Slot::Wire(self.run(described).unwrap().swap_remove(0)),
            other => Slot::Literal(other.clone()),
        }
    }

    /// The values of the first output.
    fn run(&self, case: &Json) -> Result<Vec<Value>, String> {
        let class = self.registry.get(case["class"].as_str().unwrap()).unwrap();
        let mut inputs = Inputs::new();
        for (name, described) in case["inputs"].as_object().unwrap() {
            inputs.insert(name.clone(), self.slot(described));
        }
        let mut context = NodeContext::new(Call {
            unique_id: "1".into(),
            index: 0,
            prompt: Arc::default(),
            extra_pnginfo: Arc::default(),
            services: Services::new(),
            host: Arc::new(Nobody),
        });
        match class.run(&mut inputs, &mut context) {
            Err(error) => Err(error.to_string()),
            Ok(Step::Now(Returned::Outputs(outputs))) => {
                Ok(match outputs.into_iter().next().unwrap() {
                    Output::One(item) => vec![item.unwrap()],
                    Output::Many(items) => items.into_iter().map(Result::unwrap).collect(),
                })
            }
            Ok(_) => Err("it returned no outputs at once".to_owned()),
        }
    }

    fn differences(&self, case: &Json) -> Vec<String> {
        let outputs = match (self.run(case), &case["output"]) {
            (Err(_), Json::Null) => return Vec::new(),
            (Err(error), _) => return vec![error],
            (Ok(_), Json::Null) => return vec!["it works, where ComfyUI fails".to_owned()],
            (Ok(outputs), _) => outputs,
        };
        let expected: Vec<&Json> = match &case["output"] {
            Json::Array(items) => items.iter().collect(),
            single => vec![single],
        };
        if outputs.len() != expected.len() {
            return vec![format!("{} outputs for {}", outputs.len(), expected.len())];
        }
        let pairs = outputs.iter().zip(expected);
        pairs
            .flat_map(|(found, expected)| {
                let found: Latent = found.get().unwrap();
                different(&found, &self.latent(expected))
            })
            .collect()
    }
}

fn different(found: &Latent, expected: &Latent) -> Vec<String> {
    let mut differences = Vec::new();
    let planes = (found.planes().unwrap(), expected.planes().unwrap());
    differences.extend(apart("samples", &planes.0, &planes.1));
    match (
        found.mask_planes().unwrap(),
        expected.mask_planes().unwrap(),
    ) {
        (None, None) => {}
        (Some(found), Some(expected)) => differences.extend(apart("mask", &found, &expected)),
        (found, _) => differences.push(format!("a mask: {}", found.is_some())),
    }
    if found.batch_index != expected.batch_index {
        differences.push(format!(
            "places {:?}, expected {:?}",
            found.batch_index, expected.batch_index
        ));
    }
    differences
}

fn apart(what: &str, found: &Planes, expected: &Planes) -> Option<String> {
    if found.shape() != expected.shape() {
        return Some(format!(
            "{what} {:?}, expected {:?}",
            found.shape(),
            expected.shape()
        ));
    }
    let pairs = found.values().iter().zip(expected.values());
    let largest = pairs
        .map(|(found, expected)| (found - expected).abs() / expected.abs().max(1.0))
        .fold(0.0, f32::max);
    (largest > TOLERANCE || largest.is_nan()).then(|| format!("{what} by {largest:e}"))
}

#[test]
fn latents_are_those_of_comfyui() {
    let bytes = std::fs::read(comfy_fixtures::path("golden/latent_nodes.safetensors")).unwrap();
    let file = Weights::from_bytes("latent_nodes", bytes).unwrap();
    let cases: Vec<Json> = serde_json::from_str(&file.metadata()["cases"]).unwrap();
    let mut registry = NodeRegistry::new();
    comfy_nodes::register(&mut registry).unwrap();
    let player = Player { file, registry };
    let mut failures = Vec::new();
    for case in &cases {
        for difference in player.differences(case) {
            let inputs = &case["inputs"];
            failures.push(format!("{}: {difference}\n    {inputs}", case["class"]));
        }
    }
    assert!(cases.len() > 100);
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
