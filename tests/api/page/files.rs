//! Settings that come from models, workflow files and pictures.

use comfy_tests::browser::Browser;
use comfy_tests::server::{TestServer, write};
use serde_json::{Value, json};

use super::open;

#[test]
fn files_and_models_bring_their_settings() {
    let server = TestServer::start_with(
        |_| {},
        |base| {
            let header = json!({"__metadata__": {
                "modelspec.resolution": "128x128", "modelspec.usage_hint": "Name a thing.",
                "comfy-server.example": json!({"positive": "a red apple", "negative": "", "steps": 7, "sampler": "heun"}).to_string(),
            }}).to_string();
            let length = (header.len() as u64).to_le_bytes();
            // The first in the list, so the page starts with it.
            write(
                &base.join("models/checkpoints/a_small_one.safetensors"),
                &[&length, header.as_bytes()].concat(),
            );
        },
    );
    let Some(mut browser) = open(&server) else {
        return;
    };
    suggestions(&mut browser);
    workflow(&mut browser, &server);
    picture(&mut browser, &server);
    mistakes(&mut browser, &server);
    let problems = browser.problems();
    assert!(problems.is_empty(), "the browser complains: {problems:#?}");
}

/// What a model says of itself fills the fields that nobody has touched.
fn suggestions(browser: &mut Browser) {
    browser.wait(
        "the model's example is there",
        "element('positive').value === 'a red apple'",
    );
    assert_eq!(
        values(browser),
        json!({"width": "128", "height": "128", "steps": "7", "guidance": "8", "sampler": "heun", "negative": "",
               "checkpoint": "a_small_one.safetensors", "seed": "0"})
    );
    assert_eq!(
        browser.evaluate("element('advice').textContent"),
        "Name a thing."
    );
    browser.keep_screenshot("page-suggested");
    // What somebody wrote stays when the model changes; the rest follows it.
    browser.evaluate("put('steps', 9); put('checkpoint', 'sd15_tiny.safetensors')");
    browser.wait(
        "the size is the usual one",
        "element('width').value === '512'",
    );
    assert_eq!(browser.evaluate("element('steps').value"), "9");
    assert_eq!(browser.evaluate("shown('advice')"), false);
    browser.evaluate("document.querySelector('[value=landscape]').click()");
    assert_eq!(values(browser)["width"], "768");
}

/// A workflow that is not the usual one: the server turns it into a prompt, and it is run as it is.
fn workflow(browser: &mut Browser, server: &TestServer) {
    let mut workflow = comfy_fixtures::json("ui_workflows/text_to_image.json")["workflow"].take();
    for node in workflow["nodes"].as_array_mut().unwrap() {
        match node["type"].as_str().unwrap() {
            "CheckpointLoaderSimple" => node["widgets_values"] = json!(["sd15_tiny.safetensors"]),
            "EmptyLatentImage" => node["widgets_values"] = json!([64, 72, 2]),
            "KSampler" => {
                node["widgets_values"] = json!([
                    9_007_199_254_740_993_u64,
                    "fixed",
                    3,
                    6.5,
                    "dpmpp_2m",
                    "karras",
                    1
                ]);
            }
            _ => {}
        }
    }
    let path = server.path("dropped/two.json");
    write(&path, workflow.to_string().as_bytes());
    browser.drop_file(&path, 400, 400);
    browser.wait(
        "the workflow is open",
        "shown('opened') && element('opened-name').textContent === 'two.json'",
    );
    assert_eq!(values(browser), of_the_workflow());
    browser.keep_screenshot("page-workflow");
    browser.evaluate("put('positive', 'a dog'); element('form').requestSubmit()");
    browser.wait(
        "there are two pictures",
        "document.querySelectorAll('#pictures img').length === 2",
    );
    let history = server.client().get_json("/history");
    let prompt = &history.as_object().unwrap().values().next().unwrap()["prompt"][2];
    let of = |class: &str| {
        let mut nodes = prompt.as_object().unwrap().values();
        let node = nodes.find(|node| node["class_type"] == class);
        node.map_or(Value::Null, |node| node["inputs"].clone())
    };
    assert_eq!(
        of("EmptyLatentImage"),
        json!({"width": 64, "height": 72, "batch_size": 2})
    );
    assert_eq!(of("KSampler")["seed"], 9_007_199_254_740_993_u64);
    assert_eq!(of("KSampler")["scheduler"], "karras");
}

/// Back to the usual one; then the picture brings everything again.
fn picture(browser: &mut Browser, server: &TestServer) {
    browser.evaluate("element('close-file').click(); put('width', 512); put('seed', 5)");
    assert_eq!(browser.evaluate("shown('opened')"), false);
    browser.drop_file(&server.path("output/ComfyUI_00001_.png"), 400, 400);
    browser.wait(
        "the picture is open",
        "shown('opened') && element('positive').value === 'a dog'",
    );
    assert_eq!(values(browser), of_the_workflow());
    browser.evaluate("element('reset').click()");
    browser.wait(
        "the model suggests again",
        "element('positive').value === 'a red apple' && !shown('opened')",
    );
}

/// What does not work is said.
fn mistakes(browser: &mut Browser, server: &TestServer) {
    write(&server.path("dropped/notes.json"), b"{\"a\": 1}");
    browser.drop_file(&server.path("dropped/notes.json"), 400, 400);
    browser.wait(
        "the error is shown",
        "shown('error') && element('error').textContent === 'notes.json carries no workflow'",
    );
    browser.evaluate(
        "element('more').open = false; put('steps', ''); element('form').requestSubmit()",
    );
    assert_eq!(browser.evaluate("document.activeElement.id"), "steps");
    browser.evaluate("put('steps', 3); element('form').requestSubmit()");
    browser.wait(
        "the model that is none is refused",
        "shown('error') && /CheckpointLoaderSimple/.test(element('error').textContent)",
    );
}

/// What the fields hold.
fn values(browser: &mut Browser) -> Value {
    browser.evaluate("Object.fromEntries(['width', 'height', 'steps', 'guidance', 'sampler', 'negative', 'checkpoint', 'seed'].map((id) => [id, element(id).value]))")
}

/// What they hold when the workflow is open.
fn of_the_workflow() -> Value {
    json!({"width": "64", "height": "72", "steps": "3", "guidance": "6.5", "sampler": "dpmpp_2m", "negative": "bad",
                          "checkpoint": "sd15_tiny.safetensors", "seed": "9007199254740993"})
}
