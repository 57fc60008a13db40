//! The page at `/` in a real browser: pictures are made, watched, compared and cancelled; files bring their settings.

mod accessibility;

use comfy_tests::browser::Browser;
use comfy_tests::server::{TestServer, write};
use comfy_tests::skipped;
use serde_json::{Value, json};

/// What expressions may use.
const HELPERS: &str = "
    window.element = (id) => document.getElementById(id);
    window.shown = (id) => element(id).checkVisibility();
    window.put = (id, value) => {
        const field = element(id);
        field.value = value;
        for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind, {bubbles: true}));
        return field.value;
    };
    true";

/// The page of a server, ready to be used; nothing when no browser is installed.
fn open(server: &TestServer) -> Option<Browser> {
    let Some(mut browser) = Browser::start() else {
        skipped("no chromium on this machine, the page was not tested");
        return None;
    };
    browser.resize(1280, 860, false);
    visit(&mut browser, server);
    Some(browser)
}

fn visit(browser: &mut Browser, server: &TestServer) {
    browser.open(&format!("http://{}/", server.client().address()));
    browser.evaluate(HELPERS);
    browser.wait(
        "the page is ready",
        "!element('generate').disabled && element('checkpoint').options.length > 0",
    );
}

#[test]
fn pictures_are_made_watched_compared_and_cancelled() {
    let server = TestServer::start();
    let Some(mut browser) = open(&server) else {
        return;
    };
    browser.keep_screenshot("page-start");
    browser.evaluate("put('positive', 'a photo of a lighthouse'); put('width', 64); put('height', 64); put('steps', 40); put('seed', '18446744073709551615')");
    browser.evaluate("window.previews = 0; element('picture').addEventListener('load', ({target}) => { if (target.src.startsWith('blob:')) previews++ })");
    browser.evaluate("element('form').requestSubmit()");
    browser.wait(
        "a preview and the steps are shown",
        "previews > 0 && /^Step \\d+ of 40/.test(element('detail').textContent) && /^Drawing/.test(element('message').textContent)",
    );
    browser.keep_screenshot("page-running");
    browser.wait("the picture is shown", "/^Done in/.test(element('message').textContent) && element('picture').src.includes('/view?')");
    browser.wait(
        "the gallery has it",
        "document.querySelectorAll('#pictures img').length === 1",
    );
    assert_eq!(browser.evaluate("shown('running')"), false);

    let history = server.client().get_json("/history");
    let entry = history.as_object().unwrap().values().next().unwrap();
    assert_eq!(
        entry["status"]["status_str"], "success",
        "{}",
        entry["status"]
    );
    let prompt = &entry["prompt"][2];
    assert_eq!(prompt["6"]["inputs"]["text"], "a photo of a lighthouse");
    // More than what numbers of JavaScript hold.
    assert_eq!(
        prompt["3"]["inputs"]["seed"],
        18_446_744_073_709_551_615_u64
    );

    // A second one, and one that waits behind a long one.
    browser.evaluate("put('steps', 2); element('random').click(); element('form').requestSubmit()");
    browser.wait(
        "there are two",
        "document.querySelectorAll('#pictures img').length === 2",
    );
    browser.evaluate("put('steps', 9000); element('form').requestSubmit(); put('positive', 'another one'); element('form').requestSubmit()");
    browser.wait(
        "the queue is listed",
        "shown('queue') && document.querySelectorAll('#jobs li').length === 2",
    );
    browser.wait("it runs", "/^Step/.test(element('detail').textContent) && / waiting$/.test(element('connection').textContent)");
    browser.keep_screenshot("page-queue");
    // The waiting one, by its own button, then the running one.
    browser.evaluate("document.querySelector('#jobs li:last-child button').click()");
    browser.wait(
        "it is out of the queue",
        "document.querySelectorAll('#jobs li').length < 2",
    );
    browser.evaluate("element('stop').click()");
    browser.wait(
        "the other is stopped",
        "element('message').textContent === 'Stopped.' && !shown('running')",
    );
    let queue = server.client().get_json("/queue");
    assert_eq!(queue, json!({"queue_running": [], "queue_pending": []}));

    compare(&mut browser);
    // What was written is there after a reload, and so are the pictures.
    visit(&mut browser, &server);
    assert_eq!(browser.evaluate("element('positive').value"), "another one");
    browser.wait(
        "the last picture is shown",
        "shown('picture') && element('picture').naturalWidth === 64",
    );
    let problems = browser.problems();
    assert!(problems.is_empty(), "the browser complains: {problems:#?}");
}

fn compare(browser: &mut Browser) {
    browser.evaluate("document.querySelector('#pictures button').click()");
    let row = |name: &str| {
        format!(
            "[...document.querySelectorAll('#settings tr')].find((row) => row.cells[0].textContent === '{name}')"
        )
    };
    browser.wait(
        "its settings are told",
        &format!("{}?.cells[1].textContent === '2'", row("Steps")),
    );
    assert_eq!(
        browser.evaluate("element('download').download"),
        "ComfyUI_00002_.png"
    );
    let size = "fetch(element('download').href).then((answer) => answer.blob()).then((blob) => blob.size > 1000 && blob.type === 'image/png')";
    assert_eq!(browser.evaluate(size), true);
    browser.evaluate(
        "element('other').selectedIndex = 1; element('other').dispatchEvent(new Event('change'))",
    );
    browser.wait(
        "both are told",
        &format!("{}?.cells[2]?.textContent === '40'", row("Steps")),
    );
    assert_eq!(
        browser.evaluate(&format!("{}.className", row("Steps"))),
        "differs"
    );
    assert_eq!(browser.evaluate(&format!("{}.className", row("Width"))), "");
    browser.evaluate("put('divider', 25)");
    let clip = browser.evaluate("getComputedStyle(element('second')).clipPath");
    assert_eq!(clip, "inset(0px 0px 0px 25%)");
    browser.wait(
        "both are loaded",
        "element('first').naturalWidth === 64 && element('second').naturalWidth === 64",
    );
    browser.keep_screenshot("page-compare");
    browser.evaluate("element('next').click()");
    browser.wait(
        "the other one is shown",
        "element('viewer-title').textContent === 'ComfyUI_00001_.png'",
    );
    browser.evaluate("element('viewer').close()");
}

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
    browser.wait(
        "the model's example is there",
        "element('positive').value === 'a red apple'",
    );
    let values = |browser: &mut Browser| {
        browser.evaluate("Object.fromEntries(['width', 'height', 'steps', 'guidance', 'sampler', 'negative', 'checkpoint', 'seed'].map((id) => [id, element(id).value]))")
    };
    assert_eq!(
        values(&mut browser),
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
    assert_eq!(values(&mut browser)["width"], "768");

    // A workflow that is not the usual one: the server turns it into a prompt, and it is run as it is.
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
                ])
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
    let expected = json!({"width": "64", "height": "72", "steps": "3", "guidance": "6.5", "sampler": "dpmpp_2m", "negative": "bad",
                          "checkpoint": "sd15_tiny.safetensors", "seed": "9007199254740993"});
    assert_eq!(values(&mut browser), expected);
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

    // Back to the usual one; then the picture brings everything again.
    browser.evaluate("element('close-file').click(); put('width', 512); put('seed', 5)");
    assert_eq!(browser.evaluate("shown('opened')"), false);
    browser.drop_file(&server.path("output/ComfyUI_00001_.png"), 400, 400);
    browser.wait(
        "the picture is open",
        "shown('opened') && element('positive').value === 'a dog'",
    );
    assert_eq!(values(&mut browser), expected);
    browser.evaluate("element('reset').click()");
    browser.wait(
        "the model suggests again",
        "element('positive').value === 'a red apple' && !shown('opened')",
    );

    // What does not work is said.
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
    let problems = browser.problems();
    assert!(problems.is_empty(), "the browser complains: {problems:#?}");
}
