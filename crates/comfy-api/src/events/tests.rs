#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use serde_json::json;

use super::*;

fn text(event: TextEvent) -> Value {
    serde_json::to_value(event).unwrap()
}

#[test]
fn text_events_have_a_type_and_data() {
    assert_eq!(
        text(TextEvent::Status(StatusEvent {
            status: QueueStatus::new(1),
            sid: None
        })),
        json!({"type": "status", "data": {"status": {"exec_info": {"queue_remaining": 1}}}})
    );
    assert_eq!(
        text(TextEvent::Status(StatusEvent {
            status: QueueStatus::new(0),
            sid: Some("me".to_owned())
        })),
        json!({"type": "status", "data": {"status": {"exec_info": {"queue_remaining": 0}}, "sid": "me"}})
    );
    assert_eq!(
        text(TextEvent::Executing(Executing::end("p".to_owned()))),
        json!({"type": "executing", "data": {"node": null, "prompt_id": "p"}})
    );
    assert_eq!(
        text(TextEvent::Executing(Executing::resumed("3".to_owned()))),
        json!({"type": "executing", "data": {"node": "3"}})
    );
    assert_eq!(
        text(TextEvent::Executed(Executed {
            node: "9".to_owned(),
            display_node: "9".to_owned(),
            output: None,
            prompt_id: "p".to_owned()
        })),
        json!({"type": "executed", "data": {"node": "9", "display_node": "9", "output": null, "prompt_id": "p"}})
    );
}

#[test]
fn progress_numbers_keep_their_kind() {
    let node = NodeProgress {
        value: Number::from_f64(0.0).unwrap(),
        max: Number::from(4),
        state: NodeState::Running,
        node_id: "3".to_owned(),
        prompt_id: "p".to_owned(),
        display_node_id: "3".to_owned(),
        parent_node_id: None,
        real_node_id: "3".to_owned(),
    };
    assert_eq!(
        serde_json::to_string(&node).unwrap(),
        r#"{"value":0.0,"max":4,"state":"running","node_id":"3","prompt_id":"p","display_node_id":"3","parent_node_id":null,"real_node_id":"3"}"#
    );
}

fn preview(framing: Framing) -> Preview {
    Preview {
        framing,
        format: PreviewFormat::Jpeg,
        bytes: Arc::from([9_u8, 8, 7].as_slice()),
        source: PreviewSource {
            node_id: "3".to_owned(),
            prompt_id: "e9b671ef-116b-4c77-a504-2e4696f28201".to_owned(),
            display_node_id: "3".to_owned(),
            parent_node_id: None,
            real_node_id: "3".to_owned(),
        },
    }
}

#[test]
fn a_plain_frame_is_type_format_picture() {
    assert_eq!(
        preview(Framing::Plain).frame(),
        [0, 0, 0, 1, 0, 0, 0, 1, 9, 8, 7]
    );
    let png = Preview {
        format: PreviewFormat::Png,
        ..preview(Framing::Plain)
    };
    assert_eq!(png.frame()[4..8], [0, 0, 0, 2]);
}

#[test]
fn a_frame_with_metadata_carries_the_ids() {
    let frame = preview(Framing::WithMetadata).frame();
    assert_eq!(frame[..4], [0, 0, 0, 4]);
    let length = u32::from_be_bytes(frame[4..8].try_into().unwrap()) as usize;
    let metadata: Value = serde_json::from_slice(&frame[8..8 + length]).unwrap();
    assert_eq!(
        metadata,
        json!({"node_id": "3", "prompt_id": "e9b671ef-116b-4c77-a504-2e4696f28201", "display_node_id": "3", "parent_node_id": null,
            "real_node_id": "3", "image_type": "image/jpeg"})
    );
    assert_eq!(frame[8 + length..], [9, 8, 7]);
}

#[test]
fn words_at_a_node_name_it_first() {
    let text = NodeText {
        node: "12".to_owned(),
        text: "é".to_owned(),
    };
    assert_eq!(text.frame(), b"\0\0\0\x03\0\0\0\x0212\xc3\xa9");
}
