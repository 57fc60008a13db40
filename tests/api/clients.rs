//! The clients that people use, unmodified, against the running server: each does its main job in `tests/clients/drivers`.

use comfy_tests::clients::{Language, Workplace, driver};
use comfy_tests::prompts::text_to_image;
use comfy_tests::server::TestServer;
use comfy_tests::skipped;
use serde_json::{Value, json};

/// Runs a driver; it is given the server's address, a prompt, a picture, and a workflow as the page saves it.
fn check(language: Language, name: &str) {
    let mut program = match driver(language, name) {
        Ok(program) => program,
        Err(why) => return skipped(&format!("{name}: {why}")),
    };
    let server = TestServer::start();
    let place = Workplace::new();
    let picture = comfy_fixtures::bytes("input/ref_img.png");
    program
        .arg(format!("http://{}", server.client().address()))
        .arg(place.write_json("prompt.json", &titled(text_to_image(1, 2))))
        .arg(place.write("picture.png", &picture));
    if name == "cli.py" {
        program.arg(place.write_json("workflow.json", &saved_workflow()));
    }
    match place.run(program) {
        Ok(said) => assert!(
            said.trim_end().ends_with("works"),
            "{name} did not get to its end: {said}"
        ),
        Err(error) => panic!("{name}: {error}"),
    }
}

/// A prompt with the titles that the page writes into it, by which some clients find nodes.
fn titled(mut prompt: Value) -> Value {
    for (id, node) in prompt.as_object_mut().expect("a prompt is an object") {
        let title = match id.as_str() {
            "6" => json!("positive"),
            "7" => json!("negative"),
            "9" => json!("Save Image"),
            _ => node["class_type"].clone(),
        };
        node["_meta"] = json!({"title": title});
    }
    prompt
}

/// A workflow as the page saves it, with a picture small enough for the tiny checkpoint.
fn saved_workflow() -> Value {
    let mut fixtures = comfy_fixtures::ui_workflows().into_iter();
    let found = fixtures.find(|(name, _)| name == "text_to_image.json");
    let mut workflow = found.expect("the fixtures have this workflow").1["workflow"].clone();
    let nodes = workflow["nodes"]
        .as_array_mut()
        .expect("a workflow has nodes");
    for node in nodes {
        match node["type"].as_str() {
            Some("CheckpointLoaderSimple") => {
                node["widgets_values"] = json!(["sd15_tiny.safetensors"]);
            }
            Some("EmptyLatentImage") => node["widgets_values"] = json!([64, 64, 1]),
            Some("KSampler") => node["widgets_values"][2] = json!(2),
            _ => {}
        }
    }
    workflow
}

macro_rules! clients {
    ($($test:ident: $language:ident $name:literal,)*) => {
        $(
            #[test]
            fn $test() {
                check(Language::$language, $name);
            }
        )*
    };
}

clients! {
    comfy_api_simplified: Python "simplified.py",
    comfy_cli: Python "cli.py",
    comfy_script: Python "script.py",
    comfy_sdk_through_comfy_api_proxy: Python "sdk.py",
    comfy_toolkit: Python "toolkit.py",
    comfy_ui_client: JavaScript "comfy_ui_client.mjs",
    comfyui_rs: Rust "comfyui_rs",
    comfyui_utils: Python "utils.py",
    pycomfy: Python "pycomfy_client.py",
    rucomfyui: Rust "rucomfyui",
    saintno_comfyui_sdk: JavaScript "saintno.mjs",
    stable_canvas_comfyui_client: JavaScript "stable_canvas.mjs",
}
