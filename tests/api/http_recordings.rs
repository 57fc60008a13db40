//! Replays the recorded HTTP requests in their order and compares the answers: status, headers, bodies.

use std::collections::BTreeMap;

use comfy_tests::difference::{PathRule, Rule, differences};
use comfy_tests::hex;
use comfy_tests::http::{Client, Request, Response};
use comfy_tests::picture;
use comfy_tests::server::{TestServer, write};
use serde_json::Value;

/// Headers whose values are compared. Dates, tags and lengths of files depend on the machine.
const HEADERS: [&str; 6] = [
    "Content-Type",
    "Content-Disposition",
    "Accept-Ranges",
    "Cache-Control",
    "Allow",
    "Location",
];

/// Answers that differ on purpose: the request's name, the status that comes instead, and why.
const OTHER_STATUS: [(&str, u16, &str); 8] = [
    (
        "sec_fetch_cross_site",
        403,
        "what a browser says is asked by a page of another site is refused, as by later versions of the original",
    ),
    (
        "upload_empty_filename",
        400,
        "the recorded 500 is a slip in the original; an upload without a name is a bad request",
    ),
    (
        "upload_filename_abs",
        200,
        "the recording machine's path was replaced by a plain name in the recording",
    ),
    (
        "templates_index",
        404,
        "the templates are a package that is not part of this server",
    ),
    (
        "upload_mask_missing_original",
        404,
        "the original says 200 and writes nothing",
    ),
    (
        "view_preview_bad",
        200,
        "an unknown preview format becomes webp",
    ),
    (
        "number_string_bad",
        400,
        "a queue number that is no number is a bad request, not a fault of the server",
    ),
    (
        "cycle_two",
        400,
        "as recorded; listed because its text may be better than the original's",
    ),
];

/// Answers whose bodies are not compared beyond their JSON type, and why.
const OTHER_BODY: [(&str, &str); 15] = [
    ("queue_get", "depends on how fast the prompts before it run"),
    (
        "api_prefix_queue",
        "depends on how fast the prompts before it run",
    ),
    (
        "gzip_object_info",
        "depends on how fast the prompts before it run",
    ),
    (
        "get_prompt",
        "depends on how fast the prompts before it run",
    ),
    (
        "system_stats",
        "describes another machine; its members are tested on their own",
    ),
    (
        "api_prefix_system_stats",
        "describes another machine; its members are tested on their own",
    ),
    (
        "extensions",
        "names the files of a front end that is not part of this server",
    ),
    ("users_post_single", "the id ends in a random number"),
    ("internal_logs", "the log of another program"),
    ("internal_logs_raw", "the log of another program"),
    ("internal_files_output", "the output of other runs"),
    ("ws_plain_get", "the wording is a library's"),
    (
        "cycle_two",
        "the original says nothing; an error that names the cycle helps",
    ),
    (
        "static_traversal",
        "a path to nowhere gets the same empty 404 as any other",
    ),
    (
        "static_traversal_enc",
        "a path to nowhere gets the same empty 404 as any other",
    ),
];

/// Rules for all bodies. Errors of one node come in no stable order, and Python's tracebacks are Python's.
const RULES: [PathRule; 7] = [
    // Times and paths of files are the machine's.
    ("**.modified", Rule::SameType),
    ("**.created", Rule::SameType),
    ("**.folders", Rule::SameType),
    ("*.size", Rule::SameType),
    ("prompt_id", Rule::SameType),
    ("**.errors", Rule::AnyOrder),
    ("**.traceback", Rule::SameType),
];

#[test]
fn every_request_is_answered_as_recorded() {
    let server = TestServer::start_with(
        |_| {},
        |base| {
            // The other checkpoints of the recording machine are only listed, never opened.
            for name in ["sd15_full_fp16", "sd35_tiny", "sd3_tiny", "sdxl_tiny"] {
                write(
                    &base.join(format!("models/checkpoints/{name}.safetensors")),
                    b"",
                );
            }
            write(
                &base.join("input/example.png"),
                &picture::gradient(768, 768),
            );
        },
    );
    let client = server.client();
    let mut failures = Vec::new();
    let mut counted = 0;
    for row in comfy_fixtures::json_lines("http/requests.jsonl") {
        let name = row["name"].as_str().expect("a name");
        if name.starts_with("history") {
            // What is in the history depends on when prompts end.
            client.wait_until_idle();
        }
        let request = request(&client, &row["request"]);
        match client.try_send(&request) {
            Ok(answer) => failures.extend(
                compare(name, &row, &answer)
                    .into_iter()
                    .map(|line| format!("{name}: {line}")),
            ),
            Err(error) => failures.push(format!("{name}: no answer: {error}")),
        }
        counted += 1;
    }
    assert!(counted > 200, "the recording has {counted} requests only");
    assert!(
        failures.is_empty(),
        "{} differences in {counted} requests:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// The request as it was sent. Bytes that are not UTF-8 became U+FFFD in the recording; here each is 0xFF.
fn request(client: &Client, recorded: &Value) -> Request {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let mut request = Request::new(&text(&recorded["method"]), &text(&recorded["path"]));
    for (name, value) in recorded["headers"].as_object().expect("headers") {
        match name.as_str() {
            "Content-Length" => {}
            "Origin" if text(value).contains("127.0.0.1") => {
                request = request.header(name, &format!("http://{}", client.address()));
            }
            _ => request = request.header(name, &text(value)),
        }
    }
    if let Some(body) = recorded["body"].as_str() {
        let mut bytes = Vec::new();
        for (index, part) in body.split('\u{fffd}').enumerate() {
            if index > 0 {
                bytes.push(0xff);
            }
            bytes.extend_from_slice(part.as_bytes());
        }
        request = request.body(bytes);
    }
    request
}

fn compare(name: &str, row: &Value, answer: &Response) -> Vec<String> {
    let recorded = row["status"].as_u64().expect("a status") as u16;
    let other = OTHER_STATUS
        .iter()
        .find(|(listed, ..)| *listed == name)
        .map(|(_, status, _)| *status);
    // Malformed input made the original fail with 500; it is the client's fault, so it is 400 here.
    let expected = other.unwrap_or(if recorded == 500 { 400 } else { recorded });
    if answer.status != expected {
        return vec![format!(
            "status {}, expected {expected} (recorded {recorded}): {:.300}",
            answer.status,
            answer.text()
        )];
    }
    if expected != recorded {
        return if expected == 400 && row["request"]["path"] == "/prompt" {
            error_shape(answer)
        } else {
            Vec::new()
        };
    }
    let mut found = compare_headers(row, answer);
    if OTHER_BODY.iter().all(|(listed, _)| *listed != name) {
        found.extend(compare_bodies(row, answer));
    } else if matches!(row["body"], Value::Object(_) | Value::Array(_))
        && serde_json::from_slice::<Value>(&answer.body).is_err()
    {
        found.push(format!("the body is no JSON: {:.200}", answer.text()));
    }
    found
}

/// A refused prompt has an error with all four members, and node errors.
fn error_shape(answer: &Response) -> Vec<String> {
    let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else {
        return vec![format!("the body is no JSON: {:.200}", answer.text())];
    };
    let error = &body["error"];
    let whole = ["type", "message", "details"]
        .iter()
        .all(|member| error[*member].is_string())
        && error["extra_info"].is_object();
    if whole && body["node_errors"].is_object() {
        Vec::new()
    } else {
        vec![format!("not the shape of an error: {body}")]
    }
}

fn compare_headers(row: &Value, answer: &Response) -> Vec<String> {
    let lower = |name: &str, value: &str| {
        // The methods of Allow are a set.
        let mut items: Vec<_> = value
            .split(',')
            .map(|item| item.trim().to_lowercase())
            .collect();
        if name == "Allow" {
            items.sort();
        }
        items.join(",")
    };
    let recorded: BTreeMap<_, _> = row["headers"]
        .as_object()
        .expect("headers")
        .iter()
        .map(|(name, value)| (name.to_lowercase(), value))
        .collect();
    let mut found = Vec::new();
    for name in HEADERS {
        let want = recorded
            .get(&name.to_lowercase())
            .and_then(|value| value.as_str());
        let got = answer.header(name);
        // An empty body needs no type, and only a refused method needs the list of those that are not.
        let needless = match name {
            "Content-Type" => answer.body.is_empty() && row["request"]["method"] != "HEAD",
            "Allow" => answer.status != 405,
            _ => false,
        };
        if !needless && got.map(|value| lower(name, value)) != want.map(|value| lower(name, value))
        {
            found.push(format!("header {name}: {got:?}, expected {want:?}"));
        }
    }
    found
}

fn compare_bodies(row: &Value, answer: &Response) -> Vec<String> {
    match &row["body"] {
        Value::Object(members) if members.contains_key("_bytes") => {
            // A file or a picture made from one: the recording keeps its length and its first bytes, which tell the format.
            let want = members["_head_hex"].as_str().expect("the head");
            let got = hex(&answer.body[..8.min(answer.body.len())]);
            let (format, range) = (&want[..8.min(want.len())], row["status"] == 206);
            let mut found = Vec::new();
            if !got.starts_with(format) {
                found.push(format!("the body begins with {got}, expected {format}"));
            }
            if range && Some(answer.body.len() as u64) != members["_bytes"].as_u64() {
                found.push(format!(
                    "{} bytes, expected {}",
                    answer.body.len(),
                    members["_bytes"]
                ));
            }
            found
        }
        Value::String(text) if is_json(answer) => {
            match serde_json::from_slice::<Value>(&answer.body) {
                Ok(Value::String(got)) if got == *text => Vec::new(),
                got => vec![format!("the body is {got:?}, expected {text:?}")],
            }
        }
        Value::String(text) => {
            if answer.text() == *text {
                Vec::new()
            } else {
                vec![format!(
                    "the body is {:?}, expected {text:?}",
                    answer.text()
                )]
            }
        }
        Value::Null => Vec::new(),
        want => match serde_json::from_slice::<Value>(&answer.body) {
            Ok(got) => differences(&without_help(without_texts(&got)), want, &RULES),
            Err(error) => vec![format!(
                "the body is no JSON ({error}): {:.300}",
                answer.text()
            )],
        },
    }
}

fn is_json(answer: &Response) -> bool {
    answer
        .header("Content-Type")
        .is_some_and(|value| value.starts_with("application/json"))
}

/// An answer without the texts that the recordings leave out: this server has its own.
fn without_texts(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(without_texts).collect(),
        Value::Object(members) => members
            .iter()
            .filter(|(name, _)| {
                !["tooltip", "description", "output_tooltips"].contains(&name.as_str())
            })
            .map(|(name, member)| (name.clone(), without_texts(member)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

/// Without the members of `extra_info` that only our complaints have.
fn without_help(mut answer: Value) -> Value {
    const HELP: [&str; 4] = ["nearest", "searched_folders", "source", "expected_type"];
    let nodes = answer.get_mut("node_errors").and_then(Value::as_object_mut);
    let errors = nodes
        .into_iter()
        .flat_map(|nodes| nodes.values_mut())
        .filter_map(|problems| problems.get_mut("errors")?.as_array_mut())
        .flatten();
    for error in errors {
        if let Some(Value::Object(extra)) = error.get_mut("extra_info") {
            extra.retain(|member, _| !HELP.contains(&member.as_str()));
        }
    }
    if let Some(Value::Object(extra)) = answer.pointer_mut("/error/extra_info") {
        extra.retain(|member, _| !HELP.contains(&member.as_str()));
    }
    answer
}
