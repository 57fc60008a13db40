//! Uploads.

use serde_json::{Value as Json, json};

use crate::client::{Answer, send};
use crate::toys::{Toy, picture};

/// A part of a form: its name, its file name, its content.
pub(crate) type Part<'a> = (&'a str, Option<&'a str>, &'a [u8]);

/// The headers and the body of a request.
type Request<'a> = (&'a [(&'a str, &'a str)], &'a [u8]);

const BOUNDARY: &str = "XBOUNDX";

pub(crate) fn form(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file, content) in parts {
        body.extend(
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"").into_bytes(),
        );
        if let Some(file) = file {
            body.extend(format!("; filename=\"{file}\"\r\nContent-Type: image/png").into_bytes());
        }
        body.extend(b"\r\n\r\n");
        body.extend(*content);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").into_bytes());
    body
}

pub(crate) fn form_type(essence: &str) -> String {
    format!("{essence}; boundary={BOUNDARY}")
}

fn upload(toy: &Toy, parts: &[Part<'_>]) -> Answer {
    send(
        toy.address(),
        "POST",
        "/upload/image",
        &[("Content-Type", &form_type("multipart/form-data"))],
        &form(parts),
    )
}

fn stored(answer: &Answer) -> Json {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[test]
fn files_are_stored_and_never_replaced_unasked() {
    let toy = Toy::start();
    let (one, two, three) = (picture(1), picture(2), picture(3));
    let expected = json!({"name": "up1.png", "subfolder": "", "type": "input"});
    assert_eq!(
        stored(&upload(&toy, &[("image", Some("up1.png"), &one)])),
        expected
    );
    assert_eq!(
        stored(&upload(&toy, &[("image", Some("up1.png"), &one)])),
        expected
    );
    assert_eq!(
        stored(&upload(&toy, &[("image", Some("up1.png"), &two)]))["name"],
        "up1 (1).png"
    );
    assert_eq!(
        stored(&upload(&toy, &[("image", Some("up1.png"), &three)]))["name"],
        "up1 (2).png"
    );
    assert_eq!(
        stored(&upload(
            &toy,
            &[
                ("image", Some("up1.png"), &three),
                ("overwrite", None, b"true")
            ]
        )),
        expected
    );
    assert_eq!(
        std::fs::read(toy.path().join("input/up1.png")).unwrap(),
        three
    );
    assert_eq!(
        std::fs::read_dir(toy.path().join("temp")).unwrap().count(),
        0
    );

    let parts: [Part<'_>; 3] = [
        ("subfolder", None, b"a/b"),
        ("image", Some("\u{732b}.png"), &one),
        ("type", None, b"temp"),
    ];
    assert_eq!(
        stored(&upload(&toy, &parts)),
        json!({"name": "\u{732b}.png", "subfolder": "a/b", "type": "temp"})
    );
    assert!(toy.path().join("temp/a/b/\u{732b}.png").is_file());
    let answer = upload(
        &toy,
        &[
            ("image", Some("notes.txt"), b"hi"),
            ("type", None, b"output"),
        ],
    );
    assert_eq!(stored(&answer)["type"], "output");
}

#[test]
fn bad_forms_are_refused() {
    let toy = Toy::start();
    let one = picture(1);
    let long = vec![b'a'; 100_000];
    let bad: &[&[Part<'_>]] = &[
        &[("type", None, b"input")],
        &[("image", None, b"abc")],
        &[("image", Some(""), &one)],
        &[("image", Some("../../evil.png"), &one)],
        &[("image", Some("/etc/evil.png"), &one)],
        &[
            ("image", Some("s.png"), &one),
            ("subfolder", None, b"../../x"),
        ],
        &[("image", Some("s.png"), &one), ("subfolder", None, b"/tmp")],
        &[("image", Some("s.png"), &one), ("type", None, b"bogus")],
        &[("image", Some("s.png"), &one), ("subfolder", None, &long)],
    ];
    for parts in bad {
        assert_eq!(
            upload(&toy, parts).status,
            400,
            "{:?}",
            parts
                .iter()
                .map(|part| (part.0, part.1))
                .collect::<Vec<_>>()
        );
    }
    let requests: [Request<'_>; 4] = [
        (
            &[("Content-Type", "application/json")],
            b"{\"image\": \"x\"}",
        ),
        (&[], b""),
        (&[("Content-Type", "multipart/form-data")], b"garbage"),
        (
            &[("Content-Type", "multipart/form-data; boundary=XBOUNDX")],
            b"garbage",
        ),
    ];
    for (headers, body) in requests {
        assert_eq!(
            send(toy.address(), "POST", "/upload/image", headers, body).status,
            400,
            "{headers:?}"
        );
    }
    assert_eq!(
        std::fs::read_dir(toy.path().join("input")).unwrap().count(),
        0
    );
    assert_eq!(
        std::fs::read_dir(toy.path().join("temp")).unwrap().count(),
        0
    );
}

#[test]
fn a_file_may_be_as_large_as_the_limit_and_no_larger() {
    let toy = Toy::with(|config| config.max_upload_size = 5_000_000);
    // Above the two megabytes that libraries like to put as a default.
    let large = vec![7; 4_900_000];
    assert_eq!(
        stored(&upload(&toy, &[("image", Some("large.bin"), &large)]))["name"],
        "large.bin"
    );
    let answer = upload(&toy, &[("image", Some("larger.bin"), &vec![7; 5_000_001])]);
    assert_eq!(answer.status, 413);
    assert!(!toy.path().join("input/larger.bin").exists());
}

#[test]
fn a_form_that_is_refused_early_still_gets_its_answer() {
    let toy = Toy::start();
    let large = vec![7; 30_000_000];
    let answer = upload(&toy, &[("image", Some(""), &large)]);
    assert_eq!(answer.status, 400);
}
