//! schemathesis sends what openapi.yaml allows, and much that it does not, to every operation: no answer may be an error of the server,
//! and none may differ from what the document says. `tests/clients/install.py` installs it.
//!
//! `SCHEMATHESIS_EXAMPLES` is the number of random requests for each operation; a few by default, so that it takes a minute.

use std::process::Command;

use comfy_server::ApiKey;
use comfy_tests::clients::{Workplace, python};
use comfy_tests::server::TestServer;
use comfy_tests::skipped;

const KEY: &str = "open sesame";
/// What every answer must satisfy, whatever was sent.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance";

fn send(server: &TestServer, key: Option<&str>) {
    let python = match python() {
        Ok(python) => python,
        Err(why) => return skipped(&format!("schemathesis: {why}")),
    };
    let place = Workplace::new();
    let document = serde_json::to_value(comfy_server::openapi()).unwrap();
    let document = place.write_json("openapi.json", &document);
    let examples = std::env::var("SCHEMATHESIS_EXAMPLES").unwrap_or_else(|_| "3".to_owned());
    let mut program = Command::new(python.with_file_name("schemathesis"));
    program
        .arg("run")
        .arg(document)
        .args(["--url", &format!("http://{}", server.client().address())])
        .args(["--checks", CHECKS, "--max-examples", &examples])
        .args(["--phases", "examples,coverage,fuzzing", "--seed", "1"])
        // Shrinking takes long, and the requests are small anyway.
        .args(["--no-shrink", "--generation-database", "none", "--no-color"])
        .args(["--continue-on-failure", "--request-timeout", "60"])
        .args(["--warnings", "off", "--suppress-health-check", "all"])
        // A websocket is no request with an answer.
        .args(["--exclude-path", "/ws"]);
    if let Some(key) = key {
        program.args(["--header", &format!("Authorization: Bearer {key}")]);
    }
    match place.run(program) {
        Ok(said) => assert!(said.contains("passed"), "{said}"),
        Err(error) => panic!("schemathesis: {error}"),
    }
}

#[test]
fn every_operation_answers_as_the_document_says() {
    send(&TestServer::start(), None);
}

#[test]
fn every_operation_answers_as_the_document_says_with_the_key() {
    let server = TestServer::start_with(|config| config.api_key = ApiKey::new(KEY).ok(), |_| {});
    send(&server, Some(KEY));
}

#[test]
fn every_operation_answers_as_the_document_says_without_the_key() {
    let server = TestServer::start_with(|config| config.api_key = ApiKey::new(KEY).ok(), |_| {});
    send(&server, None);
}
