//! Picture and mask nodes against results worked out with the libraries that `ComfyUI` calls (`tests/fixtures/pictures.py`).

#![expect(
    clippy::unwrap_used,
    reason = "a failing test may panic"
)]

use std::any::Any;
use std::sync::Arc;

use comfy_fixtures::Golden;
use comfy_graph::{
    Host, Inputs, Json, NodeContext, NodeError, NodeRegistry, Preview, Services, Slot, Value,
};
use comfy_nodes::sockets::{Image, Mask};

struct Nobody;

impl Host for Nobody {
    fn progress(&self, _: u64, _: u64, _: Option<Preview>) {}

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

/// A recorded tensor as what travels along wires: four axes are pictures, three are masks.
fn value_of(golden: &Golden, name: &str) -> Value {
    let (shape, values) = golden.tensor(name);
    match *shape {
        [batch, height, width, channels] => {
            Value::new(Image::from_values(values, [batch, height, width, channels]).unwrap())
        }
        [batch, height, width] => Value::new(Mask::from_values(values, [batch, height, width]).unwrap()),
        _ => panic!("{name} has shape {shape:?}"),
    }
}

fn run(registry: &NodeRegistry, golden: &Golden, case: &Json) -> Result<Vec<Value>, NodeError> {
    let class = registry.get(case["node"].as_str().unwrap()).unwrap();
    let mut inputs = Inputs::new();
    for (name, value) in case["inputs"].as_object().unwrap() {
        let slot = match value["wire"].as_str() {
            Some(tensor) => Slot::Wire(value_of(golden, &format!("input.{tensor}"))),
            None => Slot::Literal(value.clone()),
        };
        inputs.insert(name.clone(), slot);
    }
    inputs.insert("unique_id", Slot::Hidden(Arc::new(Json::from("1"))));
    let services = Services::new();
    let mut context = NodeContext::new("1", &Json::Null, &Json::Null, &services, &Nobody);
    class.run(&mut inputs, &mut context)
}

/// Shape and values of a picture or a mask.
fn contents(value: &Value) -> (Vec<usize>, Vec<f32>) {
    if let Some(image) = value.get::<Image>() {
        return (image.shape().to_vec(), image.pixels().to_vec());
    }
    let mask = value.get::<Mask>().unwrap();
    (mask.shape().to_vec(), mask.pixels().to_vec())
}

fn check(registry: &NodeRegistry, golden: &Golden, case: &Json) -> Result<(), String> {
    let result = run(registry, golden, case);
    if let Some(expected) = case["fails"].as_str() {
        return match result {
            Err(NodeError::Failed { kind, .. }) if kind == expected => Ok(()),
            Err(other) => Err(format!("expected {expected}, got {other:?}")),
            Ok(_) => Err(format!("expected {expected}, it ran")),
        };
    }
    let outputs = result.map_err(|error| error.to_string())?;
    let (name, tolerance) = (case["name"].as_str().unwrap(), case["tolerance"].as_f64().unwrap());
    for slot in 0..case["outputs"].as_u64().unwrap() as usize {
        let (shape, expected) = golden.tensor(&format!("{name}.{slot}"));
        let (found_shape, found) = contents(&outputs[slot]);
        if found_shape != shape {
            return Err(format!("output {slot}: expected shape {shape:?}, got {found_shape:?}"));
        }
        let differences = found.iter().zip(&expected).map(|(a, b)| f64::from((a - b).abs()));
        let wrong = differences.clone().filter(|difference| !(*difference <= tolerance)).count();
        if wrong > 0 {
            return Err(format!(
                "output {slot}: {wrong} of {} values differ by more than {tolerance}, the worst by {}",
                expected.len(),
                differences.fold(0.0, f64::max)
            ));
        }
    }
    Ok(())
}

#[test]
fn results_are_those_of_the_libraries() {
    let golden = comfy_fixtures::golden("pictures");
    let mut registry = NodeRegistry::new();
    comfy_nodes::register(&mut registry).unwrap();
    let cases = comfy_fixtures::json("golden/pictures.json");
    let failures: Vec<String> = cases
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|case| {
            let failure = check(&registry, &golden, case).err()?;
            Some(format!("{} {}: {failure}", case["name"], case["inputs"]))
        })
        .collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
