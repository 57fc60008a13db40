//! `/api/v1/prompts`.

use std::io::Write;
use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::client::{Answer, begin, connect, receive, send};
use crate::forms::{Part, form, form_type};
use crate::toys::{Toy, picture, save, show, work};

const PATH: &str = "/api/v1/prompts";

fn run(toy: &Toy, headers: &[(&str, &str)], prompt: &Json) -> Answer {
    let headers: Vec<_> = headers
        .iter()
        .copied()
        .chain([("Content-Type", "application/json")])
        .collect();
    send(
        toy.address(),
        "POST",
        PATH,
        &headers,
        prompt.to_string().as_bytes(),
    )
}

#[test]
fn the_answer_is_the_result() {
    let toy =
        Toy::with(|config| config.external_address = Some("https://comfy.example/".to_owned()));
    let answer = run(&toy, &[], &save("one", 1));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let own = toy.server.base_url();
    assert_eq!(
        answer.json()["urls"],
        json!([
            format!("{own}/view?filename=one_0.png&type=output"),
            "https://comfy.example/view?filename=one_0.png&type=output"
        ])
    );
    let file = &answer.json()["outputs"]["1"]["images"][0];
    let path = toy.path().canonicalize().unwrap().join("output/one_0.png");
    assert_eq!(
        std::path::Path::new(file["abs_path"].as_str().unwrap())
            .canonicalize()
            .unwrap(),
        path
    );
    assert_eq!(
        answer.header("content-disposition"),
        Some("filename=\"one_0.png\"")
    );
    // printf '%s' '{"1":{"class_type":"ToySave","inputs":{"name":"one","count":1}}}' | sha256sum
    assert_eq!(
        answer.header("digest"),
        Some("SHA256=d436f25af4644c1600772b7fe27bd605fbb2ee4553d93ef83a8217b0ffd6885b")
    );
    assert_eq!(toy.get("/view?filename=one_0.png").body, picture(0));
}

#[test]
fn the_last_picture_comes_as_png() {
    let toy = Toy::start();
    let answer = run(&toy, &[("Accept", "image/png")], &save("many", 3));
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("image/png"))
    );
    assert_eq!(answer.body, picture(2));
    assert_eq!(
        answer.header("content-disposition"),
        None,
        "there are three"
    );
    let answer = run(
        &toy,
        &[("Accept", "image/png;q=0.9, application/json;q=0.1")],
        &save("single", 1),
    );
    assert_eq!(answer.body, picture(0));
    assert_eq!(
        run(&toy, &[("Accept", "*/*")], &save("single", 1)).header("content-type"),
        Some("application/json; charset=utf-8")
    );
    let refused = run(&toy, &[("Accept", "text/html")], &save("single", 1));
    assert_eq!(refused.status, 400);
    assert!(refused.json()["message"].is_string());
}

#[test]
fn every_outcome_has_its_status() {
    let toy = Toy::start();
    assert_eq!(toy.get(PATH).status, 404);
    let nothing = run(&toy, &[], &show("no picture"));
    assert_eq!((nothing.status, nothing.body.len()), (204, 0));
    assert_eq!(run(&toy, &[], &save("none", 0)).status, 204);

    let failed = run(
        &toy,
        &[],
        &json!({"1": {"class_type": "ToyFail", "inputs": {"message": "it broke"}}}),
    );
    assert_eq!(failed.status, 500);
    assert_eq!(failed.json()["status_str"], "error");
    assert_eq!(failed.json()["completed"], false);
    assert!(failed.text().contains("it broke"));

    for (prompt, kind) in [
        (
            json!({"1": {"class_type": "NoSuch", "inputs": {}}}),
            "invalid_prompt",
        ),
        (
            json!({"1": {"class_type": "ToySave", "inputs": {"name": "x", "count": 99}}}),
            "prompt_outputs_failed_validation",
        ),
    ] {
        let answer = run(&toy, &[], &prompt);
        assert_eq!(
            (answer.status, answer.json()["type"].as_str()),
            (400, Some(kind)),
            "{}",
            answer.text()
        );
        assert!(
            answer.json().get("node_errors").is_none(),
            "the complaint stands alone"
        );
    }
    for body in ["", "{", "[]", "{}", "null"] {
        let answer = toy.post(PATH, body);
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.json()["details"].is_string(), "{body}");
    }
    let last = toy.get(PATH);
    assert_eq!(
        (last.status, last.json()["1"]["class_type"].clone()),
        (200, json!("ToyFail"))
    );
}

#[test]
fn files_come_along_in_a_form() {
    let toy = Toy::start();
    let prompt = save("formed", 1).to_string();
    let wrapped = json!({"prompt": save("formed", 1)}).to_string();
    for (essence, prompt) in [
        ("multipart/form-data", &prompt),
        ("multipart/formdata", &prompt),
        ("Multipart/Form-Data", &wrapped),
    ] {
        let parts: &[Part<'_>] = &[
            ("files[]", Some("../in.png"), b"first"),
            ("prompt", None, prompt.as_bytes()),
            ("files", Some("two.txt"), b"second"),
        ];
        let answer = send(
            toy.address(),
            "POST",
            PATH,
            &[
                ("Content-Type", &form_type(essence)),
                ("Accept", "image/png"),
            ],
            &form(parts),
        );
        assert_eq!(
            (answer.status, &answer.body),
            (200, &picture(0)),
            "{essence}: {}",
            answer.text()
        );
    }
    assert_eq!(
        std::fs::read(toy.path().join("input/in.png")).unwrap(),
        b"first",
        "only the bare name counts"
    );
    assert_eq!(
        std::fs::read(toy.path().join("input/two.txt")).unwrap(),
        b"second"
    );
    for parts in [
        &[("files", Some("a.png"), &b"x"[..])] as &[Part<'_>],
        &[("prompt", None, b"{")],
        &[("files", Some(".."), b"x"), ("prompt", None, b"{}")],
    ] {
        let answer = send(
            toy.address(),
            "POST",
            PATH,
            &[("Content-Type", &form_type("multipart/form-data"))],
            &form(parts),
        );
        assert_eq!(answer.status, 400);
        assert!(answer.json()["message"].is_string());
    }
    assert_eq!(
        send(
            toy.address(),
            "POST",
            PATH,
            &[("Content-Type", "multipart/form-data")],
            b"x"
        )
        .status,
        400
    );
}

#[test]
fn files_that_cannot_be_stored_are_told() {
    let toy = Toy::start();
    // A file in the place of the directory: nobody can write below it, whatever their rights.
    let input = toy.path().join("input");
    std::fs::remove_dir_all(&input).unwrap();
    std::fs::write(&input, "in the way").unwrap();
    let prompt = save("kept", 1).to_string();
    let answer = send(
        toy.address(),
        "POST",
        PATH,
        &[("Content-Type", &form_type("multipart/form-data"))],
        &form(&[
            ("files", Some("a.png"), b"x"),
            ("prompt", None, prompt.as_bytes()),
        ]),
    );
    assert_eq!(answer.status, 507, "{}", answer.text());
    assert!(
        toy.server.engine().history(None, None).0.is_empty(),
        "a prompt without its files does not run"
    );
    assert_eq!(run(&toy, &[], &save("after", 1)).status, 200);
}

#[test]
fn clients_need_not_wait() {
    let toy = Toy::start();
    let ways: [(&str, &[(&str, &str)]); 3] = [
        (PATH, &[("Prefer", "respond-async")]),
        ("/api/v1/prompts?prefer=respond-async", &[]),
        (PATH, &[("Content-Type", "application/json+respond-async")]),
    ];
    for (path, headers) in ways {
        let answer = send(
            toy.address(),
            "POST",
            path,
            headers,
            work(20).to_string().as_bytes(),
        );
        assert_eq!(answer.status, 202, "{headers:?}");
        let id = answer.json()["prompt_id"].as_str().unwrap().to_owned();
        assert_eq!(
            answer.header("location"),
            Some(format!("/api/v1/prompts/{id}").as_str())
        );
        assert_eq!(answer.header("retry-after"), Some("60"));
        let place = format!("{PATH}/{id}");
        let mut status = toy.get(&place).status;
        while status == 204 {
            std::thread::sleep(Duration::from_millis(10));
            status = toy.get(&place).status;
        }
        assert_eq!((status, toy.get(&place).json()), (200, json!({})));
    }
    assert_eq!(toy.get(&format!("{PATH}/nobody")).status, 404);
}

#[test]
fn a_client_that_goes_away_leaves_the_queue() {
    let toy = Toy::start();
    let running = toy.submit(&work(100_000));
    toy.wait_until_running();
    let body = save("abandoned", 1).to_string();
    let pending = || toy.server.engine().queue().queue_pending.len();
    // At once, so that some go away before the server knows that the prompt has been queued.
    for _ in 0..50 {
        let mut stream = connect(toy.address());
        begin(&mut stream, "POST", PATH, &[], Some(body.len()));
        stream.write_all(body.as_bytes()).unwrap();
        while pending() == 0 {
            std::hint::spin_loop();
        }
        drop(stream);
        wait(|| pending() == 0);
    }

    // Taken out by somebody else: the one who waits is told.
    let mut stream = connect(toy.address());
    begin(&mut stream, "POST", PATH, &[], Some(body.len()));
    stream.write_all(body.as_bytes()).unwrap();
    wait(|| pending() == 1);
    toy.post("/queue", r#"{"clear": true}"#);
    let answer = receive(stream);
    assert_eq!(
        (answer.status, answer.json()["status_str"].clone()),
        (500, json!("error"))
    );

    toy.post("/interrupt", "");
    toy.wait_for(&running);
}

fn wait(condition: impl Fn() -> bool) {
    for _ in 0..500 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it does not happen");
}
