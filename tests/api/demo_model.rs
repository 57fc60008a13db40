//! The checkpoint that comes with the server: offered where there is no other, and drawing what the recipe's own program draws.

use std::path::Path;

use comfy_nodes::device::DeviceRequest;
use comfy_server::Config;
use comfy_tests::picture;
use comfy_tests::prompts::text_to_image;
use comfy_tests::server::TestServer;
use serde_json::{Value, json};

const NAME: &str = "emoji-demo.safetensors";

/// The device to draw on: `COMFY_DEMO_DEVICE=vulkan` tries another by hand.
fn device() -> DeviceRequest {
    match std::env::var("COMFY_DEMO_DEVICE") {
        Ok(name) => name.parse().expect("COMFY_DEMO_DEVICE names a device"),
        Err(_) => DeviceRequest::Cpu,
    }
}

/// A server that was never given a model.
fn start() -> TestServer {
    let configure = |config: &mut Config| {
        config.demo_model = true;
        config.device = device();
    };
    TestServer::start_with(configure, |base| {
        std::fs::remove_dir_all(base.join("models/checkpoints")).unwrap();
    })
}

fn checkpoints(server: &TestServer) -> Value {
    let info = server
        .client()
        .get_json("/object_info/CheckpointLoaderSimple");
    info["CheckpointLoaderSimple"]["input"]["required"]["ckpt_name"][0].clone()
}

/// The prompt of one of the recipe's reference pictures.
fn prompt(case: &Value) -> Value {
    let mut prompt = text_to_image(0, 1);
    prompt["4"]["inputs"]["ckpt_name"] = json!(NAME);
    prompt["5"]["inputs"]["width"] = case["width"].clone();
    prompt["5"]["inputs"]["height"] = case["height"].clone();
    prompt["6"]["inputs"]["text"] = case["prompt"].clone();
    prompt["7"]["inputs"]["text"] = case["negative"].clone();
    for (input, key) in [
        ("seed", "seed"),
        ("steps", "steps"),
        ("cfg", "cfg"),
        ("sampler_name", "sampler"),
        ("scheduler", "scheduler"),
    ] {
        prompt["3"]["inputs"][input] = case[key].clone();
    }
    prompt
}

#[test]
fn it_draws_the_pictures_that_pytorch_draws() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipes/emoji-demo/reference");
    let settings = std::fs::read(folder.join("settings.json")).unwrap();
    let cases: Value = serde_json::from_slice(&settings).unwrap();
    let server = start();
    let client = server.client();
    for (name, case) in cases.as_object().unwrap() {
        let entry = client.run_to_success(&prompt(case));
        let drawn = picture::decode(&client.pictures_of(&entry)[0]);
        let recorded = std::fs::read(folder.join(format!("{name}.png"))).unwrap();
        let recorded = picture::decode(&recorded);
        comfy_fixtures::assert_same_picture(name, &drawn.pixels, &recorded.pixels);
    }
}

#[test]
fn it_is_offered_only_where_there_is_no_other() {
    let server = start();
    let client = server.client();
    let file = server.path(&format!("models/checkpoints/{NAME}"));
    assert_eq!(checkpoints(&server), json!([NAME]));
    assert_eq!(client.get_json("/models/checkpoints"), json!([NAME]));
    assert!(!file.exists(), "it is written when it is used");

    let own = server.path("models/checkpoints/own.safetensors");
    std::fs::create_dir_all(own.parent().unwrap()).unwrap();
    std::fs::write(&own, "").unwrap();
    assert_eq!(checkpoints(&server), json!(["own.safetensors"]));
    std::fs::remove_file(&own).unwrap();

    // What it says of itself fills the page's form.
    let about = client.get_json(&format!("/view_metadata/checkpoints?filename={NAME}"));
    assert_eq!(about["modelspec.resolution"], "128x128", "{about}");
    assert!(file.is_file());
    let listed = client.get_json("/experiment/models/checkpoints");
    assert_eq!(listed[0]["name"], NAME, "{listed}");
    assert_eq!(listed[0]["size"], file.metadata().unwrap().len());
}

#[test]
fn it_can_be_left_out() {
    let server = TestServer::start_with(
        |config| config.demo_model = false,
        |base| std::fs::remove_dir_all(base.join("models/checkpoints")).unwrap(),
    );
    assert_eq!(checkpoints(&server), json!([]));
}
