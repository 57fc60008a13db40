//! ComfyUI's own front end on this server, used as a person uses it: the keyboard, files that are dropped, and what is to be seen then.

use std::path::Path;

use comfy_nodes::runtime::PreviewMethod;
use comfy_tests::browser::{Browser, With};
use comfy_tests::front_end::installed;
use comfy_tests::http::Client;
use comfy_tests::server::{TestServer, write};
use comfy_tests::skipped;
use serde_json::{Value, json};

#[test]
fn the_front_end_of_our_time_can_be_used() {
    use_front_end("front-end-1.27.10");
}

#[test]
fn a_newer_front_end_can_be_used() {
    use_front_end("front-end-1.58.1");
}

/// Complaints of the browser that ComfyUI's own server would cause as well, and why.
const ALLOWED: &[(&str, &str)] = &[
    (
        "https://huggingface.co/",
        "the newer front end asks how large the models of its own workflow are, which a machine without a network cannot tell",
    ),
    ("/user.css", "a style that the user may write; nobody has"),
    (
        "/favicon.ico",
        "the browser looks for an icon, and the old front end has none there",
    ),
    (
        "/api/userdata?dir=",
        "a new user has no folder of workflows nor of subgraphs",
    ),
    (
        "/api/userdata/comfy.templates.json",
        "a new user has saved no templates of nodes",
    ),
    (
        "/api/userdata/workflows%2F.index.json",
        "a new user has no bookmarks",
    ),
    (
        "//api.comfy.org/",
        "the front end asks its makers for news; tests reach no other machine",
    ),
    (
        "Cannot read properties of undefined (reading 'id')",
        "on its first start the old front end sets a setting before it has declared it",
    ),
];

/// What an expression may use: the open graph, its nodes by type, and the events that came.
const HELPERS: &str = "
    window.graph = () => app.rootGraph || app.graph;
    window.node = (type) => graph()._nodes.find((node) => node.type === type);
    window.value = (type, name) => node(type)?.widgets?.find((widget) => widget.name === name)?.value;
    window.seen = [];
    for (const name of ['progress', 'b_preview', 'executed', 'execution_success', 'execution_error', 'execution_interrupted'])
        app.api.addEventListener(name, () => seen.push(name));
    window.count = (name) => seen.filter((other) => other === name).length;
    true";

fn use_front_end(version: &str) {
    let Some(folder) = installed(version) else {
        return skipped(
            "ComfyUI's front end is not here (tests/front_end/install.py fetches it), nobody used it",
        );
    };
    let Some(browser) = Browser::start() else {
        return skipped("no chromium on this machine, ComfyUI's front end was not used");
    };
    let server = TestServer::start_with(
        |config| {
            config.front_end_root = Some(folder);
            config.preview_method = PreviewMethod::Auto;
        },
        |base| write(&base.join("input/broken.png"), b"no picture"),
    );
    let mut user = User {
        browser,
        client: server.client(),
        version,
    };
    user.browser.resize(1280, 800, false);
    // On the very first visit there is a choice of templates instead of the usual workflow.
    let settings = json!({"Comfy.TutorialCompleted": true});
    user.client.post("/api/settings", &settings).expect(200);

    user.open();
    let shown = "['KSampler', 'VAEDecode', 'SaveImage'].every(node)";
    user.browser.wait("the usual workflow is shown", shown);
    user.look("start");

    make_a_picture(&mut user, &server);
    save(&mut user);
    interrupt(&mut user, &server);
    see_an_error(&mut user, &server);
    come_back(&mut user);
    open_again(&mut user);
    drop_a_picture(&mut user, &server);

    let problems = user.browser.problems();
    let complaints: Vec<&String> = problems
        .iter()
        .filter(|problem| !ALLOWED.iter().any(|(known, _)| problem.contains(known)))
        .collect();
    assert!(
        complaints.is_empty(),
        "the browser complains: {complaints:#?}"
    );
}

/// Somebody with the front end before them.
struct User<'a> {
    browser: Browser,
    client: Client,
    version: &'a str,
}

impl User<'_> {
    /// Opens the front end, or opens it again.
    fn open(&mut self) {
        self.browser
            .open(&format!("http://{}/", self.client.address()));
        self.browser.wait(
            "the front end has started",
            "!!(window.app?.extensionManager && (app.rootGraph || app.graph)?._nodes.length > 0
                && Object.keys(window.LiteGraph?.registered_node_types ?? {}).length > 100)",
        );
        // The last steps of its start have no sign.
        self.browser
            .evaluate("new Promise((done) => setTimeout(done, 1500))");
        self.browser.evaluate(HELPERS);
    }

    /// Drops a file on the canvas.
    fn drop_file(&mut self, path: &Path) {
        self.browser.drop_file(path, 700, 400);
    }

    fn queue(&mut self) {
        self.browser.evaluate("seen.length = 0");
        self.browser.press("Enter", With::Control);
    }

    fn look(&mut self, name: &str) {
        self.browser
            .keep_screenshot(&format!("{}-{name}", self.version));
    }
}

fn make_a_picture(user: &mut User<'_>, server: &TestServer) {
    let path = server.path("dropped/lighthouse.json");
    write(&path, text_to_image(4_711, 12).to_string().as_bytes());
    user.drop_file(&path);
    user.browser.wait(
        "the dropped workflow is shown",
        "value('KSampler', 'seed') === 4711 && value('CheckpointLoaderSimple', 'ckpt_name') === 'sd15_tiny.safetensors'",
    );
    user.queue();
    user.browser.wait(
        "progress is shown",
        "count('progress') > 2 && /%/.test(document.title)",
    );
    user.look("progress");
    user.browser.wait(
        "the picture is shown",
        "node('SaveImage').imgs?.[0]?.naturalWidth === 64",
    );
    assert_eq!(user.browser.evaluate("count('progress')"), 12);
    assert_eq!(user.browser.evaluate("count('b_preview') >= 10"), true);
    user.browser
        .wait("the progress is over", "!/%/.test(document.title)");
    user.look("picture");
}

fn save(user: &mut User<'_>) {
    user.browser.press("s", With::Control);
    user.browser.wait(
        "a name is asked for",
        "document.activeElement?.tagName === 'INPUT'",
    );
    user.browser.evaluate("document.activeElement.select()");
    user.browser.enter_text("my lighthouse");
    user.browser.press("Enter", With::Nothing);
    user.browser.wait(
        "the workflow is saved",
        "fetch('/api/userdata?dir=workflows').then((answer) => answer.ok ? answer.json() : []).then((names) => names.includes('my lighthouse.json'))",
    );
    let saved = user
        .client
        .get_json("/userdata/workflows%2Fmy%20lighthouse.json");
    assert_eq!(saved["nodes"].as_array().unwrap().len(), 7, "{saved}");
}

fn interrupt(user: &mut User<'_>, server: &TestServer) {
    let path = server.path("dropped/long.json");
    write(&path, text_to_image(1, 5000).to_string().as_bytes());
    user.drop_file(&path);
    user.browser.wait(
        "the dropped workflow is shown",
        "value('KSampler', 'steps') === 5000",
    );
    user.queue();
    user.browser.wait("it runs", "count('progress') > 2");
    user.browser.press("Enter", With::ControlAlt);
    user.browser
        .wait("it was interrupted", "count('execution_interrupted') === 1");
    user.browser
        .wait("the progress is over", "!/%/.test(document.title)");
    let history = user.client.get_json("/history");
    let last = history.as_object().unwrap().values().next_back().unwrap();
    assert_eq!(last["status"]["status_str"], "error");
}

fn see_an_error(user: &mut User<'_>, server: &TestServer) {
    let path = server.path("dropped/broken.json");
    write(&path, broken().to_string().as_bytes());
    user.drop_file(&path);
    user.browser.wait(
        "the dropped workflow is shown",
        "value('LoadImage', 'image') === 'broken.png'",
    );
    user.queue();
    user.browser
        .wait("the prompt failed", "count('execution_error') === 1");
    user.browser.wait(
        "the node is marked",
        "Object.values(node('LoadImage').strokeStyles).some((style) => style.call(node('LoadImage'))?.color) || node('LoadImage').has_errors === true",
    );
    assert_eq!(user.browser.evaluate("app.lastExecutionError.node_id"), "1");
    user.browser.wait(
        "the error is told",
        "/LoadImage|Load Image failed/.test(document.body.innerText)",
    );
    let told = user
        .browser
        .evaluate("app.lastExecutionError.exception_message");
    assert!(
        told.as_str().unwrap().starts_with("broken.png: expected"),
        "{told}"
    );
    user.look("error");
    user.browser.press("Escape", With::Nothing);
}

fn come_back(user: &mut User<'_>) {
    assert_ne!(
        user.browser
            .evaluate("app.extensionManager.setting.get('Comfy.LinkRenderMode')"),
        0
    );
    user.browser
        .evaluate("app.extensionManager.setting.set('Comfy.LinkRenderMode', 0)");
    user.browser.wait(
        "the setting is kept",
        "fetch('/api/settings').then((answer) => answer.json()).then((settings) => settings['Comfy.LinkRenderMode'] === 0)",
    );
    user.open();
    let setting = user
        .browser
        .evaluate("app.extensionManager.setting.get('Comfy.LinkRenderMode')");
    assert_eq!(setting, 0);
}

fn open_again(user: &mut User<'_>) {
    user.browser.press("w", With::Nothing);
    let item = "[...document.querySelectorAll('*')].filter((part) => part.children.length === 0 && /^my lighthouse/.test(part.textContent.trim()) && part.checkVisibility()).at(-1)";
    user.browser
        .wait("the saved workflow is listed", &format!("!!{item}"));
    user.look("list");
    user.browser.evaluate(&format!("{item}.click()"));
    user.browser.wait(
        "it is open",
        "value('KSampler', 'seed') === 4711 && value('KSampler', 'steps') === 12",
    );
    let path = user
        .browser
        .evaluate("app.extensionManager.workflow.activeWorkflow.path");
    assert_eq!(path, "workflows/my lighthouse.json");
}

fn drop_a_picture(user: &mut User<'_>, server: &TestServer) {
    user.browser
        .evaluate("node('KSampler').widgets.find((widget) => widget.name === 'seed').value = 1");
    user.drop_file(&server.path("output/ComfyUI_00001_.png"));
    user.browser.wait(
        "the workflow of the picture is shown",
        "value('KSampler', 'seed') === 4711",
    );
    let path = user
        .browser
        .evaluate("app.extensionManager.workflow.activeWorkflow.path");
    assert!(path.as_str().unwrap().contains("ComfyUI_00001_"), "{path}");
    user.look("from-picture");
}

/// The usual workflow as the page saves it, on the tiny checkpoint.
fn text_to_image(seed: u64, steps: u32) -> Value {
    let mut workflow = comfy_fixtures::json("ui_workflows/text_to_image.json")["workflow"].take();
    for (index, node) in workflow["nodes"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .enumerate()
    {
        // The fixture has them all in one place.
        node["pos"] = json!([320 * (index % 4), 420 * (index / 4)]);
        node["widgets_values"] = match node["type"].as_str().unwrap() {
            "CheckpointLoaderSimple" => json!(["sd15_tiny.safetensors"]),
            "EmptyLatentImage" => json!([64, 64, 1]),
            "KSampler" => json!([seed, "fixed", steps, 8, "euler", "normal", 1]),
            _ => continue,
        };
    }
    workflow
}

/// A workflow that fails when it runs.
fn broken() -> Value {
    json!({
        "last_node_id": 2, "last_link_id": 1, "version": 0.4, "groups": [], "config": {}, "extra": {},
        "nodes": [
            {"id": 1, "type": "LoadImage", "pos": [300, 300], "size": [300, 300], "flags": {}, "order": 0, "mode": 0, "properties": {},
             "outputs": [{"name": "IMAGE", "type": "IMAGE", "links": [1]}, {"name": "MASK", "type": "MASK", "links": null}],
             "widgets_values": ["broken.png", "image"]},
            {"id": 2, "type": "PreviewImage", "pos": [700, 300], "size": [200, 200], "flags": {}, "order": 1, "mode": 0, "properties": {},
             "inputs": [{"name": "images", "type": "IMAGE", "link": 1}], "widgets_values": []},
        ],
        "links": [[1, 1, 0, 2, 0, "IMAGE"]],
    })
}
