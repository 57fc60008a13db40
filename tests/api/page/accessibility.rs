//! The page for everybody: with a keyboard alone, with a screen reader, on a phone, in the dark, without motion.

use comfy_tests::browser::{Browser, With};
use comfy_tests::server::TestServer;
use serde_json::Value;

use super::open;

/// Texts whose colour is too near to what lies behind them: less than 4.5 to 1, as WCAG 2 asks for normal sizes.
const FAINT: &str = "(() => {
    const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const luminance = ([red, green, blue]) => {
        const linear = [red, green, blue].map((value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    };
    const behind = (part) => {
        for (; part; part = part.parentElement) {
            const colour = numbers(getComputedStyle(part).backgroundColor);
            if (colour.length === 3 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const texts = [...document.querySelectorAll('body *')].filter((part) =>
        part.checkVisibility() && !part.disabled && (part.matches('input, select, textarea')
            || [...part.childNodes].some((node) => node.nodeType === 3 && node.data.trim())));
    return texts.map((part) => {
        const [one, other] = [luminance(numbers(getComputedStyle(part).color)), luminance(behind(part))];
        return {part: part.outerHTML.slice(0, 90), contrast: (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)};
    }).filter(({contrast}) => contrast < 4.5);
})()";

/// Things to press that are smaller than 24 by 24, unless they stand in a line of text.
const SMALL: &str = "[...document.querySelectorAll('button, input, select, textarea, summary, a')].filter((part) => {
    const {width, height} = part.getBoundingClientRect();
    return part.checkVisibility() && !part.matches('.link, .skip, nav a, [type=checkbox]') && (width < 24 || height < 24);
}).map((part) => part.outerHTML.slice(0, 90))";

#[test]
fn everybody_can_use_the_page() {
    let server = TestServer::start();
    let Some(mut browser) = open(&server) else {
        return;
    };
    names_and_order(&mut browser);
    by_keyboard(&mut browser);
    for scheme in ["light", "dark"] {
        browser.prefer("prefers-color-scheme", scheme);
        // Colours change at once, except where a transition is declared.
        browser.evaluate("new Promise((done) => setTimeout(done, 400))");
        assert_eq!(
            browser.evaluate(FAINT),
            Value::Array(Vec::new()),
            "{scheme}"
        );
        browser.keep_screenshot(&format!("page-{scheme}"));
    }
    browser.prefer("prefers-reduced-motion", "reduce");
    let moving = "[...document.querySelectorAll('*')].filter((part) => { const style = getComputedStyle(part);
        return style.animationName !== 'none' || style.transitionProperty !== 'none' && style.transitionDuration !== '0s'; }).length";
    assert_eq!(browser.evaluate(moving), 0);
    on_a_phone(&mut browser);
    let problems = browser.problems();
    assert!(problems.is_empty(), "the browser complains: {problems:#?}");
}

fn names_and_order(browser: &mut Browser) {
    browser.evaluate("element('more').open = true");
    let parts = browser.accessible();
    let has = |role: &str, name: &str| {
        let found = parts
            .iter()
            .any(|(one, other)| one == role && other == name);
        assert!(found, "no {role} `{name}` in {parts:?}");
    };
    has("heading", "comfy-server");
    has("main", "");
    has("navigation", "More");
    has("form", "Settings of the picture");
    has("region", "Picture");
    for name in ["Prompt", "Negative prompt", "Seed"] {
        has("textbox", name);
    }
    for name in ["Model", "Sampler", "Scheduler"] {
        has("combobox", name);
    }
    for name in ["Width", "Height", "Steps", "Guidance"] {
        has("spinbutton", name);
    }
    for name in ["Square", "Portrait", "Landscape"] {
        has("radio", name);
    }
    has("group", "Shape");
    has("checkbox", "A new seed for each picture");
    has("button", "Generate");
    let to_use = [
        "button",
        "textbox",
        "combobox",
        "spinbutton",
        "radio",
        "checkbox",
        "slider",
        "link",
        "image",
        "progressbar",
        "DisclosureTriangle",
    ];
    for (role, name) in &parts {
        assert!(
            !to_use.contains(&role.as_str()) || !name.is_empty(),
            "a {role} has no name: {parts:?}"
        );
    }
    assert_eq!(browser.evaluate("document.documentElement.lang"), "en");
    assert_eq!(
        browser.evaluate("document.querySelectorAll('h1').length"),
        1
    );
    let twice = "(() => { const ids = [...document.querySelectorAll('[id]')].map(({id}) => id); return ids.length - new Set(ids).size; })()";
    assert_eq!(browser.evaluate(twice), 0);
    let live =
        "['message', 'connection', 'error'].map((id) => element(id).getAttribute('role')).join()";
    assert_eq!(browser.evaluate(live), "status,status,alert");

    // With Tab alone one comes to everything, in the order in which it is seen.
    browser.evaluate(
        "document.activeElement.blur(); window.getSelection().collapse(document.body, 0)",
    );
    let mut order = Vec::new();
    for _ in 0..20 {
        browser.press("Tab", With::Nothing);
        let stop = browser.evaluate("document.activeElement.id || document.activeElement.name || document.activeElement.textContent.trim()");
        order.push(stop.as_str().unwrap_or_default().to_owned());
        let ring = browser.evaluate("(() => { const part = document.activeElement; return [part, part.parentElement].some((one) => getComputedStyle(one).outlineStyle !== 'none'); })()");
        assert_eq!(ring, true, "the focus cannot be seen on {stop}");
        if stop == "reset" {
            break;
        }
    }
    assert_eq!(
        order,
        [
            "Skip to the prompt",
            "Nodes",
            "positive",
            "negative",
            "checkpoint",
            "shape",
            "More settings",
            "width",
            "height",
            "steps",
            "guidance",
            "sampler",
            "scheduler",
            "seed",
            "random",
            "generate",
            "open-file",
            "reset"
        ]
    );
}

fn by_keyboard(browser: &mut Browser) {
    browser.evaluate(
        "put('width', 64); put('height', 64); put('steps', 2); element('positive').focus()",
    );
    browser.evaluate("element('positive').select()");
    browser.enter_text("a photo of a cat");
    browser.press("Enter", With::Control);
    browser.wait(
        "the picture is there",
        "document.querySelectorAll('#pictures img').length === 1",
    );
    browser.evaluate("document.querySelector('#pictures button').focus()");
    browser.press("Enter", With::Nothing);
    browser.wait(
        "the viewer is open",
        "element('viewer').open && element('viewer').contains(document.activeElement)",
    );
    let parts = browser.accessible();
    assert!(
        parts
            .iter()
            .any(|(role, name)| role == "dialog" && name == "ComfyUI_00001_.png"),
        "{parts:?}"
    );
    assert!(
        parts
            .iter()
            .any(|(role, name)| role == "image" && name == "a photo of a cat"),
        "{parts:?}"
    );
    assert_eq!(browser.evaluate(FAINT), Value::Array(Vec::new()));
    browser.press("Escape", With::Nothing);
    browser.wait("it is closed", "!element('viewer').open");
    assert_eq!(
        browser.evaluate("document.activeElement.closest('#pictures') !== null"),
        true
    );
}

fn on_a_phone(browser: &mut Browser) {
    browser.resize(360, 740, true);
    let fits = "document.documentElement.scrollWidth <= 360";
    assert_eq!(browser.evaluate(fits), true);
    assert_eq!(browser.evaluate(SMALL), Value::Array(Vec::new()));
    browser.keep_screenshot("page-phone");
    browser.evaluate("document.querySelector('#pictures button').click()");
    browser.wait(
        "the viewer is open",
        "element('viewer').open && document.querySelectorAll('#settings tbody tr').length > 5",
    );
    assert_eq!(browser.evaluate("element('viewer').scrollWidth <= element('viewer').clientWidth && element('viewer').getBoundingClientRect().right <= 360"), true);
    assert_eq!(browser.evaluate(SMALL), Value::Array(Vec::new()));
    browser.keep_screenshot("page-phone-viewer");
    browser.evaluate("element('viewer').close()");
}
