//! Picture and mask nodes: against results worked out with the libraries that `ComfyUI` calls (`tests/fixtures/pictures.py`), and
//! whole workflows against the pictures that `ComfyUI` made of them.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failing test may panic, and figures are worth seeing"
)]

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use comfy_diffusion::device::{DevicePlan, DeviceRequest};
use comfy_fixtures::Golden;
use comfy_graph::{
    Call, Host, Inputs, Json, NodeContext, NodeError, NodeRegistry, Output, Preview, Returned,
    Services, Slot, Step, Value,
};
use comfy_nodes::folders::{Folders, FoldersOptions};
use comfy_nodes::runtime::{PreviewMethod, Runtime, RuntimeOptions};
use comfy_nodes::sockets::{Image, Mask};
use serde_json::Number;

/// Keeps the words that nodes show.
#[derive(Default)]
struct Listener(Mutex<Vec<String>>);

impl Host for Listener {
    fn progress(&self, _: Number, _: Number, _: Option<Preview>) {}

    fn interrupted(&self) -> bool {
        false
    }

    fn show_text(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }

    fn instance(
        &self,
        make: &mut dyn FnMut() -> Arc<dyn Any + Send + Sync>,
    ) -> Arc<dyn Any + Send + Sync> {
        make()
    }
}

fn registry() -> NodeRegistry {
    let mut registry = NodeRegistry::new();
    comfy_nodes::register(&mut registry).unwrap();
    registry
}

fn context(services: Services) -> NodeContext<'static> {
    context_of(Arc::default(), services)
}

fn context_of(host: Arc<Listener>, services: Services) -> NodeContext<'static> {
    NodeContext::new(Call {
        unique_id: "1".into(),
        index: 0,
        prompt: Arc::new(Json::Null),
        extra_pnginfo: Arc::new(Json::Null),
        services,
        host,
    })
}

/// Runs a node whose outputs are single values.
fn run(
    registry: &NodeRegistry,
    class: &Json,
    mut inputs: Inputs,
    context: &mut NodeContext<'_>,
) -> Result<Vec<Value>, NodeError> {
    for hidden in ["prompt", "extra_pnginfo", "unique_id"] {
        inputs.insert(hidden, Slot::Hidden(Arc::new(Json::Null)));
    }
    inputs.insert("unique_id", Slot::Hidden(Arc::new(Json::from("1"))));
    let class = registry.get(class.as_str().unwrap()).unwrap();
    let step = class.run(&mut inputs, context)?.finished(context)?;
    let Step::Now(Returned::Outputs(outputs)) = step else {
        panic!("picture nodes are done when they return");
    };
    let single = |output| match output {
        Output::One(item) => item.unwrap(),
        Output::Many(_) => panic!("expected a single value"),
    };
    Ok(outputs.into_iter().map(single).collect())
}

/// A recorded tensor as what travels along wires: four axes are pictures, three are masks.
fn value_of(golden: &Golden, name: &str) -> Value {
    let (shape, values) = golden.tensor(name);
    match *shape {
        [batch, height, width, channels] => {
            Value::new(Image::from_values(values, [batch, height, width, channels]).unwrap())
        }
        [batch, height, width] => {
            Value::new(Mask::from_values(values, [batch, height, width]).unwrap())
        }
        _ => panic!("{name} has shape {shape:?}"),
    }
}

fn run_case(
    registry: &NodeRegistry,
    golden: &Golden,
    case: &Json,
) -> Result<Vec<Value>, NodeError> {
    let mut inputs = Inputs::new();
    for (name, value) in case["inputs"].as_object().unwrap() {
        let slot = match value["wire"].as_str() {
            Some(tensor) => Slot::Wire(value_of(golden, &format!("input.{tensor}"))),
            None => Slot::Literal(value.clone()),
        };
        inputs.insert(name.clone(), slot);
    }
    run(
        registry,
        &case["node"],
        inputs,
        &mut context(Services::new()),
    )
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
    let result = run_case(registry, golden, case);
    if let Some(expected) = case["fails"].as_str() {
        return match result {
            Err(NodeError::Failed { kind, .. }) if kind == expected => Ok(()),
            Err(other) => Err(format!("expected {expected}, got {other:?}")),
            Ok(_) => Err(format!("expected {expected}, it ran")),
        };
    }
    let outputs = result.map_err(|error| error.to_string())?;
    let (name, tolerance) = (
        case["name"].as_str().unwrap(),
        case["tolerance"].as_f64().unwrap(),
    );
    let slots = case["outputs"].as_u64().unwrap() as usize;
    for (slot, output) in outputs.iter().enumerate().take(slots) {
        let (shape, expected) = golden.tensor(&format!("{name}.{slot}"));
        let (found_shape, found) = contents(output);
        if found_shape != shape {
            return Err(format!(
                "output {slot}: expected shape {shape:?}, got {found_shape:?}"
            ));
        }
        let differences = found
            .iter()
            .zip(&expected)
            .map(|(a, b)| f64::from((a - b).abs()));
        let wrong = differences
            .clone()
            .filter(|difference| difference.is_nan() || *difference > tolerance)
            .count();
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
    let registry = registry();
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

/// A server's folders with the recorded inputs.
fn services(base: &std::path::Path) -> Services {
    let options = FoldersOptions {
        base: base.to_path_buf(),
        ..FoldersOptions::default()
    };
    let folders = Folders::new(options).unwrap();
    folders.create_all().unwrap();
    for name in ["ref_img.png", "ref_img2.png"] {
        std::fs::copy(
            comfy_fixtures::path(&format!("input/{name}")),
            folders.input_dir().join(name),
        )
        .unwrap();
    }
    let mut services = Services::new();
    services.insert(Arc::new(Runtime::new(RuntimeOptions {
        folders: Arc::new(folders),
        device: DevicePlan::survey(DeviceRequest::Cpu).unwrap(),
        preview: PreviewMethod::None,
        preview_size: 512,
        metadata: true,
    })));
    services
}

/// Runs a node of a prompt and all that it needs; gives the files it lists.
fn run_prompt(
    registry: &NodeRegistry,
    services: &Services,
    prompt: &Json,
    id: &str,
    done: &mut HashMap<String, Vec<Value>>,
) -> Vec<Json> {
    if done.contains_key(id) {
        return Vec::new();
    }
    let node = &prompt[id];
    let mut inputs = Inputs::new();
    for (name, value) in node["inputs"].as_object().unwrap() {
        let slot = match value.as_array() {
            Some(link) => {
                let source = link[0].as_str().unwrap();
                run_prompt(registry, services, prompt, source, done);
                Slot::Wire(done[source][link[1].as_u64().unwrap() as usize].clone())
            }
            None => Slot::Literal(value.clone()),
        };
        inputs.insert(name.clone(), slot);
    }
    let mut context = context(services.clone());
    let outputs = run(registry, &node["class_type"], inputs, &mut context).unwrap();
    done.insert(id.to_owned(), outputs);
    context.take_ui().swap_remove("images").unwrap_or_default()
}

#[test]
fn recorded_workflows() {
    let registry = registry();
    let mut failures = Vec::new();
    let mut names: Vec<String> = std::fs::read_dir(comfy_fixtures::path("workflows"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("img_"))
        .collect();
    names.sort();
    assert!(names.len() >= 40, "{names:?}");
    for name in names {
        let base = tempfile::tempdir().unwrap();
        let services = services(base.path());
        let prompt = comfy_fixtures::json(&format!("workflows/{name}/prompt.json"));
        let images = run_prompt(&registry, &services, &prompt, "9", &mut HashMap::new());
        assert!(!images.is_empty(), "{name}");
        // Pillow's results come within two levels, all others within one.
        let tolerance = if name.contains("lanczos") || name.contains("quantize") {
            2
        } else {
            1
        };
        for (index, item) in images.iter().enumerate() {
            let recorded = comfy_fixtures::path(&format!("workflows/{name}/out{index}.png"));
            let saved = base
                .path()
                .join("output")
                .join(item["filename"].as_str().unwrap());
            let [recorded, saved] = [recorded, saved].map(|path| image::open(path).unwrap());
            assert_eq!(
                (saved.color(), saved.width(), saved.height()),
                (recorded.color(), recorded.width(), recorded.height()),
                "{name}"
            );
            let pairs = || saved.as_bytes().iter().zip(recorded.as_bytes());
            let worst = pairs().map(|(a, b)| a.abs_diff(*b)).max().unwrap();
            let unequal = pairs().filter(|(a, b)| a != b).count();
            println!("{name} {index}: {unequal} values differ, by {worst} at most");
            if worst > tolerance {
                failures.push(format!(
                    "{name} {index}: {unequal} values differ, by {worst} at most"
                ));
            }
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn masks_are_shown_from_the_temporary_directory() {
    let base = tempfile::tempdir().unwrap();
    let services = services(base.path());
    let mask = Mask::from_values(vec![0.0, 0.5, 1.0, 0.25], [1, 2, 2]).unwrap();
    let mut inputs = Inputs::new();
    inputs.insert("mask", Slot::Wire(Value::new(mask)));
    let mut context = context(services);
    run(
        &registry(),
        &Json::from("MaskPreview"),
        inputs,
        &mut context,
    )
    .unwrap();
    let images = context.take_ui().swap_remove("images").unwrap();
    let name = images[0]["filename"].as_str().unwrap();
    assert!(
        name.starts_with("ComfyUI_temp_") && name.ends_with("_00001_.png"),
        "{name}"
    );
    assert_eq!(images[0]["type"], "temp");
    let shown = image::open(base.path().join("temp").join(name)).unwrap();
    assert_eq!(
        shown.as_bytes(),
        [[0; 3], [127; 3], [255; 3], [63; 3]].as_flattened()
    );
}

#[test]
fn the_size_of_pictures_is_shown_and_returned() {
    let host = Arc::new(Listener::default());
    let image = Image::from_values(vec![0.0; 2 * 3 * 5 * 4], [2, 3, 5, 4]).unwrap();
    let mut inputs = Inputs::new();
    inputs.insert("image", Slot::Wire(Value::new(image)));
    let mut context = context_of(Arc::clone(&host), Services::new());
    let outputs = run(
        &registry(),
        &Json::from("GetImageSize"),
        inputs,
        &mut context,
    )
    .unwrap();
    let numbers: Vec<u32> = outputs
        .iter()
        .map(|value| value.get::<u32>().unwrap())
        .collect();
    assert_eq!(numbers, [5, 3, 2]);
    assert_eq!(
        *host.0.lock().unwrap(),
        ["width: 5, height: 3\n batch size: 2"]
    );
}
