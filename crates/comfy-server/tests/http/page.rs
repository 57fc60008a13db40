//! The built-in page and what it needs.

use serde_json::json;

use crate::toys::Toy;

#[test]
fn every_file_that_the_page_names_is_there() {
    let toy = Toy::start();
    let page = toy.get("/");
    let mut waiting: Vec<String> = names(&page.text(), "page/");
    let mut seen = Vec::new();
    while let Some(name) = waiting.pop() {
        if seen.contains(&name) {
            continue;
        }
        let file = toy.get(&format!("/page/{name}"));
        assert_eq!(file.status, 200, "{name}");
        assert_eq!(file.header("cache-control"), Some("no-cache"), "{name}");
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
        waiting.extend(names(&file.text(), "\"./"));
        seen.push(name);
    }
    assert!(seen.iter().any(|name| name == "json.js"), "{seen:?}");
    for path in [
        "/page/",
        "/page/none.js",
        "/page/index.html",
        "/page/..%2Findex.html",
    ] {
        assert_eq!(toy.get(path).status, 404, "{path}");
    }
}

/// The names between a mark and the next quotation mark.
fn names(text: &str, mark: &str) -> Vec<String> {
    let parts = text.split(mark).skip(1);
    parts
        .filter_map(|part| Some(part.split_once('"')?.0.to_owned()))
        .collect()
}

#[test]
fn nothing_on_the_page_can_run_but_its_own_scripts() {
    let page = Toy::start().get("/");
    let policy = page.header("content-security-policy").unwrap_or_default();
    for rule in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "frame-ancestors 'none'",
    ] {
        assert!(policy.contains(rule), "{policy}");
    }
    let text = page.text();
    for forbidden in ["<style", "style=", " onclick", " onload", "<script>"] {
        assert!(!text.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn saved_workflows_are_converted() {
    let toy = Toy::start();
    let workflow = json!({"version": 0.4, "links": [], "nodes": [
        {"id": 5, "type": "ToyText", "mode": 0, "inputs": [], "outputs": [], "widgets_values": ["hello"]},
    ]});
    let answer = toy.post("/api/v1/convert", workflow.to_string());
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["5"]["class_type"], "ToyText");
    assert_eq!(answer.json()["5"]["inputs"]["text"], "hello");

    let unknown =
        json!({"version": 0.4, "links": [], "nodes": [{"id": 1, "type": "ToyTxet", "mode": 0}]});
    for (body, why) in [
        (unknown, "ToyTxet"),
        (json!({"a": 1}), "workflow"),
        (json!([]), "workflow"),
        (json!(null), "workflow"),
    ] {
        let answer = toy.post("/api/v1/convert", body.to_string());
        assert_eq!(answer.status, 400, "{body}");
        let error = answer.json();
        assert_eq!(error["type"], "invalid_prompt", "{error}");
        assert!(
            error["details"].as_str().unwrap().contains(why)
                || error["message"].as_str().unwrap().contains(why),
            "{error}"
        );
    }
}
