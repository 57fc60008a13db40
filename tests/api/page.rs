//! The page at `/` in a real browser: type a prompt, press the button, see the picture.

use std::time::{Duration, Instant};

use comfy_tests::browser::Browser;
use comfy_tests::server::TestServer;
use comfy_tests::skipped;
use serde_json::Value;

#[test]
fn the_page_makes_a_picture() {
    let Some(mut browser) = Browser::start() else {
        skipped("no chromium on this machine, the page was not tested");
        return;
    };
    let server = TestServer::start();
    let client = server.client();
    browser.open(&format!("http://{}/", client.address()));
    wait(
        &mut browser,
        "the page has a text field and a button that can be pressed",
        "!!document.querySelector('textarea') && !!document.querySelector('form button:enabled')",
    );
    // Whatever numbers the page offers: few steps and a small picture make it quick.
    browser.evaluate(
        "(() => {
            const set = (element, value) => {
                element.value = value;
                element.dispatchEvent(new Event('input', {bubbles: true}));
                element.dispatchEvent(new Event('change', {bubbles: true}));
            };
            set(document.querySelector('textarea'), 'a photo of a lighthouse');
            for (const field of document.querySelectorAll('input[type=number]')) {
                const name = (field.id + ' ' + field.name).toLowerCase();
                if (name.includes('step')) set(field, 3);
                if (name.includes('width') || name.includes('height')) set(field, 64);
            }
            return true;
        })()",
    );
    browser.evaluate("document.querySelector('form button:enabled').click()");
    wait(
        &mut browser,
        "a picture appears",
        "[...document.images].some(image => image.complete && image.naturalWidth > 0)",
    );
    let history = client.get_json("/history");
    let entry = history
        .as_object()
        .and_then(|entries| entries.values().next())
        .expect("the page ran a prompt");
    assert_eq!(
        entry["status"]["status_str"], "success",
        "{}",
        entry["status"]
    );
    let texts: Vec<&Value> = entry["prompt"][2]
        .as_object()
        .unwrap()
        .values()
        .map(|node| &node["inputs"]["text"])
        .collect();
    assert!(
        texts.contains(&&Value::from("a photo of a lighthouse")),
        "{texts:?}"
    );
    let problems = browser.problems();
    assert!(problems.is_empty(), "the browser complains: {problems:?}");
}

fn wait(browser: &mut Browser, what: &str, condition: &str) {
    let start = Instant::now();
    while browser.evaluate(condition) != Value::Bool(true) {
        let text = browser.evaluate("document.body ? document.body.innerText : ''");
        assert!(
            start.elapsed() < Duration::from_mins(4),
            "not true after 4 minutes: {what}; the page says: {text}; {:?}",
            browser.problems()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}
