//! Replays the recorded websocket sessions, one after the other on one server, and compares them message by message.

use std::time::Duration;

use comfy_nodes::runtime::PreviewMethod;
use comfy_tests::difference::{PathRule, Rule, differences};
use comfy_tests::prompts::PATIENCE;
use comfy_tests::server::{TestServer, write};
use comfy_tests::websocket::{Heard, Socket};
use serde_json::{Value, json};

/// The order of the recording: what is cached and how files are numbered depends on it. `None` stands for a session that needs a node
/// which is not there yet; a prompt like its own keeps its place.
const SESSIONS: [Option<&str>; 13] = [
    Some("success"),
    Some("cached"),
    Some("partial_cache_new_seed"),
    Some("preview_metadata_flag"),
    Some("fail_sampler_attr"),
    Some("fail_save_traversal"),
    Some("fail_text_null"),
    None,
    Some("interrupted"),
    Some("multi_output"),
    Some("no_client_in_prompt"),
    Some("one_output_invalid"),
    Some("extra_data"),
];

/// What no two runs share.
const RULES: [PathRule; 5] = [
    ("**.timestamp", Rule::SameType),
    ("**.traceback", Rule::SameType),
    ("**.executed", Rule::AnyOrder),
    ("**.current_outputs", Rule::AnyOrder),
    ("*.prompt.1", Rule::SameType),
];

#[test]
fn every_session_is_heard_as_recorded() {
    let server = TestServer::start_with(
        |config| config.preview_method = PreviewMethod::Latent2Rgb,
        |base| {
            (1..=3).for_each(|number| {
                write(
                    &base.join(format!("output/ws_{number:05}_.png")),
                    b"from a session before the first",
                );
            });
        },
    );
    let mut failures = Vec::new();
    for session in SESSIONS {
        match session {
            Some(name) => failures.extend(
                replay(&server, name)
                    .into_iter()
                    .map(|line| format!("{name}: {line}")),
            ),
            None => fill_the_place(&server),
        }
    }
    assert!(
        failures.is_empty(),
        "{} differences:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// A prompt with the texts that the next session finds in the cache.
fn fill_the_place(server: &TestServer) {
    let recorded = comfy_fixtures::json_lines("ws/interrupted.jsonl");
    let mut prompt = history_of(&recorded).1["prompt"][2].clone();
    prompt["3"]["inputs"]["steps"] = json!(1);
    prompt["9"]["inputs"]["filename_prefix"] = json!("filler");
    let client = server.client();
    let mut socket = Socket::connect(&client, Some("filler"));
    let body = json!({"prompt": prompt, "client_id": "filler"});
    let answer = client.post("/prompt", &body).expect(200).json();
    // The history tells of the end a little before the messages do, and the next session is to hear none of them.
    socket.hear_prompt(PATIENCE);
    let id = answer["prompt_id"].as_str().expect("a prompt id");
    let entry = client.wait_for(id);
    assert_eq!(entry["status"]["status_str"], "success", "{entry}");
}

fn history_of(recorded: &[Value]) -> (String, Value) {
    let history = recorded
        .iter()
        .find_map(|row| row["GET /history"].as_object())
        .expect("a history entry");
    let (id, entry) = history.iter().next().expect("a history entry");
    (id.clone(), entry.clone())
}

fn replay(server: &TestServer, name: &str) -> Vec<String> {
    let client = server.client();
    let recorded = comfy_fixtures::json_lines(&format!("ws/{name}.jsonl"));
    let (recorded_id, recorded_entry) = history_of(&recorded);
    let mut socket = Socket::connect(&client, Some("wsref"));
    let mut heard = vec![socket.hear(PATIENCE).expect("a first message")];
    if let Some(flags) = recorded.iter().find(|row| row["dir"] == "send") {
        socket.send(&flags["text"]);
        heard.push(socket.hear(PATIENCE).expect("an answer to the flags"));
    }

    let answer = client.post("/prompt", &body_of(name, &recorded_id, &recorded_entry));
    if answer.status != 200 {
        return vec![format!("the prompt was refused: {}", answer.text())];
    }
    let answer = answer.json();
    let id = answer["prompt_id"]
        .as_str()
        .expect("a prompt id")
        .to_owned();
    heard.extend(listen(name, server, &mut socket, &id));
    assert_eq!(
        socket.hear(Duration::from_millis(100)),
        None,
        "{name}: a message after the end"
    );

    let as_here = |value: &Value| renamed(value, &recorded_id, &id);
    let wanted_answer = recorded
        .iter()
        .find_map(|row| row.get("POST /prompt"))
        .expect("an answer to the prompt");
    let mut failures: Vec<String> = differences(&answer, &as_here(&wanted_answer["body"]), &[]);

    let wanted: Vec<&Value> = recorded.iter().filter(|row| row["dir"] == "recv").collect();
    failures.extend(compare_messages(name, &heard, &wanted, &as_here));

    let entry = client.get_json(&format!("/history/{id}"));
    let entry = plain(&entry[&id]);
    failures.extend(
        compare(&entry, &plain(&as_here(&recorded_entry)))
            .into_iter()
            .map(|line| format!("history: {line}")),
    );
    failures
}

/// The body of the prompt as the recorded client sent it, as far as the history tells.
fn body_of(name: &str, recorded_id: &str, entry: &Value) -> Value {
    let mut prompt = entry["prompt"][2].clone();
    if name == "fail_text_null" {
        // The history shows the text after its conversion.
        prompt["6"]["inputs"]["text"] = Value::Null;
    }
    let mut body = json!({"prompt": prompt, "client_id": entry["prompt"][3]["client_id"]});
    let mut extra_data = entry["prompt"][3].as_object().expect("extra data").clone();
    extra_data.remove("client_id");
    if !extra_data.is_empty() {
        body["extra_data"] = Value::Object(extra_data);
    }
    if name == "extra_data" {
        body["prompt_id"] = json!(recorded_id);
        body["front"] = json!(true);
    }
    body
}

/// Everything up to the end of the prompt; interrupts it where the recording does.
fn listen(name: &str, server: &TestServer, socket: &mut Socket, id: &str) -> Vec<Heard> {
    if name == "no_client_in_prompt" {
        // The prompt belongs to somebody else: only the queue's length is told.
        return socket.hear_until(PATIENCE, |message| {
            message.data()["status"]["exec_info"]["queue_remaining"] == 0
        });
    }
    let mut heard = Vec::new();
    if name == "interrupted" {
        heard = socket.hear_until(PATIENCE, |message| {
            message.kind() == Some("progress") && message.data()["value"] == 3
        });
        server
            .client()
            .post("/interrupt", &json!({"prompt_id": id}))
            .expect(200);
    }
    heard.extend(socket.hear_prompt(PATIENCE));
    heard
}

fn compare_messages(
    name: &str,
    heard: &[Heard],
    wanted: &[&Value],
    as_here: &dyn Fn(&Value) -> Value,
) -> Vec<String> {
    // How many steps a sampler takes before an interrupt reaches it is chance.
    let counts = |kind: Option<&str>, data: &Value, binary: bool| {
        name != "interrupted"
            || !(binary
                || kind == Some("progress")
                || (kind == Some("progress_state")
                    && data["nodes"]["3"]["value"].as_f64() > Some(0.0)))
    };
    let heard: Vec<&Heard> = heard
        .iter()
        .filter(|message| {
            counts(
                message.kind(),
                message.data(),
                matches!(message, Heard::Binary(_)),
            )
        })
        .collect();
    let wanted: Vec<&&Value> = wanted
        .iter()
        .filter(|row| {
            counts(
                row["text"]["type"].as_str(),
                &row["text"]["data"],
                row.get("binary_len").is_some(),
            )
        })
        .collect();
    let outline = |kinds: Vec<String>| kinds.join(" ");
    let heard_outline = outline(
        heard
            .iter()
            .map(|message| message.kind().unwrap_or("binary").to_owned())
            .collect(),
    );
    let wanted_outline = outline(
        wanted
            .iter()
            .map(|row| row["text"]["type"].as_str().unwrap_or("binary").to_owned())
            .collect(),
    );
    if heard_outline != wanted_outline {
        return vec![format!(
            "other messages:\n  came     {heard_outline}\n  expected {wanted_outline}"
        )];
    }
    let mut failures = Vec::new();
    let mut frames = 0;
    for (index, (message, row)) in heard.iter().zip(&wanted).enumerate() {
        let found = match message {
            Heard::Text(got) => compare(&plain(got), &plain(&as_here(&row["text"]))),
            Heard::Binary(bytes) => {
                frames += 1;
                compare_frame(name, frames - 1, bytes, &as_here(row))
            }
        };
        failures.extend(found.into_iter().map(|line| {
            format!(
                "message {index} ({}): {line}",
                message.kind().unwrap_or("binary")
            )
        }));
    }
    failures
}

fn compare(got: &Value, want: &Value) -> Vec<String> {
    differences(got, want, &RULES)
}

/// Header, metadata and picture of a preview frame.
fn compare_frame(name: &str, index: usize, bytes: &[u8], row: &Value) -> Vec<String> {
    let word = |at: usize| {
        bytes
            .get(at..at + 4)
            .map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]))
    };
    let event = word(0);
    if event.map(u64::from) != row["event"].as_u64() {
        return vec![format!("event {event:?}, expected {}", row["event"])];
    }
    let mut failures = Vec::new();
    let picture = if event == Some(4) {
        let end = 8 + word(4).unwrap_or(0) as usize;
        let metadata: Value = bytes
            .get(8..end)
            .and_then(|text| serde_json::from_slice(text).ok())
            .unwrap_or(Value::Null);
        failures.extend(differences(&metadata, &row["metadata"], &[]));
        &bytes[end.min(bytes.len())..]
    } else {
        if word(4).map(u64::from) != row["format"].as_u64() {
            failures.push(format!("format {:?}, expected {}", word(4), row["format"]));
        }
        &bytes[8..]
    };
    let fixture = format!("ws/{name}_frame{index}.bin");
    if failures.is_empty() && index < 2 && name != "interrupted" {
        let recorded = comfy_fixtures::bytes(&fixture);
        let start = if event == Some(4) {
            recorded.len() - row["image_len"].as_u64().expect("a length") as usize
        } else {
            8
        };
        failures.extend(compare_jpegs(picture, &recorded[start..]));
    }
    failures
}

/// Previews go through two different JPEG encoders: a few levels apart is the same.
fn compare_jpegs(got: &[u8], want: &[u8]) -> Vec<String> {
    let decode = |bytes: &[u8]| {
        image::load_from_memory_with_format(bytes, image::ImageFormat::Jpeg)
            .map(|picture| picture.to_rgb8())
    };
    match (decode(got), decode(want)) {
        (Ok(got), Ok(want)) if got.dimensions() == want.dimensions() => {
            let difference = comfy_fixtures::compare_pictures(got.as_raw(), want.as_raw());
            if difference.psnr > 35.0 {
                Vec::new()
            } else {
                vec![format!("the preview differs: {difference:?}")]
            }
        }
        (Ok(got), Ok(want)) => vec![format!(
            "the preview is {:?}, expected {:?}",
            got.dimensions(),
            want.dimensions()
        )],
        (Err(error), _) => vec![format!("the preview is no JPEG: {error}")],
        (_, Err(error)) => panic!("the recorded preview is no JPEG: {error}"),
    }
}

/// The recorded value with the prompt id of this run.
fn renamed(value: &Value, recorded_id: &str, id: &str) -> Value {
    match value {
        Value::String(text) if text == recorded_id => json!(id),
        Value::Array(items) => items
            .iter()
            .map(|item| renamed(item, recorded_id, id))
            .collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| {
                (
                    if name == recorded_id {
                        id.to_owned()
                    } else {
                        name.clone()
                    },
                    renamed(member, recorded_id, id),
                )
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

/// A message without what no two runs share: random letters of temporary names, and how a language prints a tensor or a dictionary.
fn plain(value: &Value) -> Value {
    fn walk(value: &Value, parent: &str) -> Value {
        match value {
            Value::String(text) if text.starts_with("ComfyUI_temp_") && text.len() == 29 => {
                json!(format!("ComfyUI_temp_?????{}", &text[18..]))
            }
            // Messages of Python's own exceptions are Python's; those that the original words itself begin with stars.
            Value::String(text) if parent == "exception_message" && text.starts_with("****") => {
                json!(text.lines().next())
            }
            Value::String(_) if parent == "exception_message" => json!("<message>"),
            Value::String(text) if parent == "exception_type" && text == "AttributeError" => {
                json!("TypeError")
            }
            // Outside of errors only the node that shows any value has texts: of a latent, here.
            Value::String(_) if parent == "text[]" => json!("<printed>"),
            Value::Array(items) => items
                .iter()
                .map(|item| walk(item, &format!("{parent}[]")))
                .collect(),
            Value::Object(members) if parent == "current_inputs" => members
                .iter()
                .map(|(name, member)| {
                    (
                        name.clone(),
                        if is_widget(name) {
                            member.clone()
                        } else {
                            shape(member)
                        },
                    )
                })
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Value::Object(members) => members
                .iter()
                .map(|(name, member)| (name.clone(), walk(member, name)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            other => other.clone(),
        }
    }
    /// Inputs of the failing nodes that hold plain values.
    fn is_widget(name: &str) -> bool {
        !matches!(
            name,
            "positive" | "negative" | "latent_image" | "images" | "prompt" | "extra_pnginfo"
        )
    }
    fn shape(value: &Value) -> Value {
        value
            .as_array()
            .map_or(Value::Null, |items| json!(items.len()))
    }
    walk(value, "")
}
