//! What ComfyUI said over its websocket, prompt after prompt, and what we say.
//!
//! Compared field by field, but for ids and times, the words of errors, and values that only real models make.

use comfy_api::events::{Event, Framing, PreviewFormat};
use comfy_exec::{Audience, CachePolicy, Submission};
use serde_json::{Map, Value, json};

use crate::diffusion;
use crate::recorder::Bench;

/// The client of the transcripts.
const CLIENT: &str = "wsref";

/// One recorded conversation.
struct Transcript {
    name: &'static str,
    negotiated_metadata: bool,
    answer: Value,
    messages: Vec<Value>,
    history: Value,
}

fn read(name: &'static str) -> Transcript {
    let text = std::fs::read_to_string(comfy_fixtures::path(&format!("ws/{name}.jsonl"))).unwrap();
    let mut transcript = Transcript {
        name,
        negotiated_metadata: false,
        answer: Value::Null,
        messages: Vec::new(),
        history: Value::Null,
    };
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let kind = line.pointer("/text/type").and_then(Value::as_str);
        if let Some(answer) = line.get("POST /prompt") {
            transcript.answer = answer["body"].clone();
        } else if let Some(history) = line.get("GET /history") {
            transcript.history = history
                .as_object()
                .unwrap()
                .values()
                .next()
                .unwrap()
                .clone();
        } else if line["dir"] == "send" {
            transcript.negotiated_metadata = true;
        } else if let Some(event) = line.get("event") {
            transcript.messages.push(match event.as_u64() {
                Some(1) => json!({"frame": 1, "format": line["format"]}),
                _ => json!({"frame": event, "metadata": line["metadata"]}),
            });
        } else if kind != Some("feature_flags") && line.pointer("/text/data/sid").is_none() {
            transcript.messages.push(line["text"].clone());
        }
    }
    transcript
}

/// What the socket of [`CLIENT`] would have received.
fn received(events: Vec<(Audience, Event)>, negotiated_metadata: bool) -> Vec<Value> {
    let mine = |audience: &Audience| {
        *audience == Audience::All || *audience == Audience::Client(CLIENT.to_owned())
    };
    let framing = if negotiated_metadata {
        Framing::WithMetadata
    } else {
        Framing::Plain
    };
    events
        .into_iter()
        .filter(|(audience, _)| mine(audience))
        .filter_map(|(_, event)| match event {
            Event::Text(event) => Some(serde_json::to_value(event).unwrap()),
            Event::NodeText(_) => None,
            Event::Preview(preview) if preview.framing != framing => None,
            Event::Preview(preview) => Some(match framing {
                Framing::Plain => json!({"frame": 1, "format": if preview.format == PreviewFormat::Jpeg { 1 } else { 2 }}),
                Framing::WithMetadata => {
                    let mut metadata = serde_json::to_value(&preview.source).unwrap();
                    metadata["image_type"] = json!(preview.format.media_type());
                    json!({"frame": 4, "metadata": metadata})
                }
            }),
        })
        .collect()
}

/// Replaces what cannot be equal: times, ids, words, and values that are neither numbers, texts, truth values nor null.
fn comparable(mut value: Value, prompt_id: &str) -> Value {
    scrub(&mut value, prompt_id);
    value
}

fn scrub(value: &mut Value, prompt_id: &str) {
    match value {
        Value::String(text) if text == prompt_id => "<prompt id>".clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(|item| scrub(item, prompt_id)),
        Value::Object(members) => {
            for (key, member) in members.iter_mut() {
                match key.as_str() {
                    "timestamp" => {
                        assert!(member.is_u64(), "timestamp {member}");
                        *member = json!("<time>");
                    }
                    "exception_message" => {
                        assert!(member.as_str().unwrap().ends_with('\n'), "{member}");
                        *member = json!("<words>");
                    }
                    "traceback" => {
                        assert!(
                            member.as_array().unwrap().iter().all(Value::is_string),
                            "{member}"
                        );
                        *member = json!("<lines>");
                    }
                    "current_inputs" => scrub_inputs(member.as_object_mut().unwrap()),
                    "current_outputs" => member
                        .as_array_mut()
                        .unwrap()
                        .sort_by_key(ToString::to_string),
                    // A tensor in words.
                    "output" if member.get("text").is_some() => member["text"] = json!("<words>"),
                    "outputs" => {
                        for output in member
                            .as_object_mut()
                            .unwrap()
                            .values_mut()
                            .filter(|output| output.get("text").is_some())
                        {
                            output["text"] = json!("<words>");
                        }
                    }
                    _ => scrub(member, prompt_id),
                }
            }
        }
        _ => {}
    }
}

/// Inputs that are objects in Python are described in other words here.
fn scrub_inputs(inputs: &mut Map<String, Value>) {
    for (name, values) in inputs {
        for value in values.as_array_mut().unwrap() {
            if ["positive", "negative", "latent_image", "images", "prompt"].contains(&name.as_str())
            {
                assert!(value.is_string(), "{name}: {value}");
                *value = json!("<words>");
            }
        }
    }
}

/// Submits the prompt of a transcript and compares everything that follows.
fn replay(bench: &Bench, transcript: &Transcript, adjust: impl FnOnce(&mut Submission)) {
    let name = transcript.name;
    let [_, recorded_id, prompt, extra_data, _] =
        transcript.history["prompt"].as_array().unwrap().as_slice()
    else {
        panic!("{name}: a prompt of five was expected");
    };
    let mut extra_data = extra_data.as_object().unwrap().clone();
    let client_id = extra_data
        .remove("client_id")
        .map(|id| id.as_str().unwrap().to_owned());
    let mut submission = Submission {
        prompt: prompt.clone(),
        client_id,
        extra_data,
        ..Submission::default()
    };
    adjust(&mut submission);
    bench.recorder.take();
    let submitted = bench.engine.submit(submission).unwrap();
    let (recorded_id, own_id) = (recorded_id.as_str().unwrap(), submitted.prompt_id.as_str());

    let answer = json!({"prompt_id": own_id, "number": submitted.number, "node_errors": submitted.node_errors});
    assert_eq!(
        comparable(answer, own_id),
        comparable(transcript.answer.clone(), recorded_id),
        "{name}: answer"
    );

    bench.wait_for(own_id);
    let own = received(bench.recorder.take(), transcript.negotiated_metadata);
    let own: Vec<Value> = own
        .into_iter()
        .map(|message| comparable(message, own_id))
        .collect();
    let recorded: Vec<Value> = transcript
        .messages
        .iter()
        .map(|message| comparable(message.clone(), recorded_id))
        .collect();
    for (index, (own, recorded)) in own.iter().zip(&recorded).enumerate() {
        assert_eq!(own, recorded, "{name}: message {index}");
    }
    assert_eq!(own.len(), recorded.len(), "{name}: number of messages");

    let entry = serde_json::to_value(&*bench.engine.history_entry(own_id).unwrap()).unwrap();
    assert_eq!(
        comparable(entry, own_id),
        comparable(transcript.history.clone(), recorded_id),
        "{name}: history"
    );
}

#[test]
fn the_recorded_conversations_in_their_order() {
    let bench = Bench::new(
        diffusion::registry(),
        diffusion::services(4),
        CachePolicy::Classic,
    );
    let success = read("success");
    replay(&bench, &success, |_| ());
    for name in [
        "cached",
        "partial_cache_new_seed",
        "preview_metadata_flag",
        "fail_sampler_attr",
        "fail_save_traversal",
    ] {
        replay(&bench, &read(name), |_| ());
    }
    // What the client sent was null; the history has what validation made of it.
    replay(&bench, &read("fail_text_null"), |submission| {
        submission.prompt["6"]["inputs"]["text"] = Value::Null;
    });

    // Number 7 was another conversation; it brings the usual text back into the cache.
    let mut prompt = success.history["prompt"][2].clone();
    prompt["3"]["inputs"]["seed"] = json!(46);
    prompt["9"]["inputs"]["filename_prefix"] = json!("other");
    let entry = bench.run(prompt);
    assert_eq!(entry.prompt.number.as_u64(), Some(7));

    let interrupted = read("interrupted");
    let engine = bench.engine.clone();
    bench.recorder.react(move |_, event| {
        let third = |event: &Value| event["type"] == "progress" && event["data"]["value"] == 3;
        if matches!(event, Event::Text(event) if third(&serde_json::to_value(event).unwrap())) {
            engine.interrupt(None);
        }
    });
    replay(&bench, &interrupted, |_| ());
    bench.recorder.react(|_, _| ());

    replay(&bench, &read("multi_output"), |_| ());
    replay(&bench, &read("no_client_in_prompt"), |_| ());
    replay(&bench, &read("one_output_invalid"), |_| ());
    replay(&bench, &read("extra_data"), |submission| {
        submission.front = true;
        submission.prompt_id = Some("11111111-2222-3333-4444-555555555555".to_owned());
        submission
            .extra_data
            .insert("api_key_comfy_org".to_owned(), json!("secret"));
    });
}
