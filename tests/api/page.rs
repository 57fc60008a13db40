//! The page at `/` in a real browser: pictures are made, watched, compared and cancelled; files bring their settings.

mod accessibility;
mod files;

use comfy_server::ApiKey;
use comfy_tests::browser::Browser;
use comfy_tests::server::TestServer;
use comfy_tests::skipped;
use serde_json::json;

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

#[test]
fn a_browser_that_showed_the_key_can_use_the_page() {
    let server =
        TestServer::start_with(|config| config.api_key = ApiKey::new("a-key").ok(), |_| {});
    let Some(mut browser) = Browser::start() else {
        return skipped("no chromium on this machine, the page was not tested with a key");
    };
    browser.open(&format!(
        "http://{}/?token=a-key",
        server.client().address()
    ));
    browser.evaluate(HELPERS);
    // Scripts, requests and the websocket all want the cookie.
    browser.wait(
        "the page is ready",
        "!element('generate').disabled && element('connection').textContent === 'Ready'",
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
