//! What holds for every route.

use std::io::{Read, Write};
use std::time::Duration;

use crate::client::{begin, connect, receive, send};
use crate::toys::{Toy, show};

#[test]
fn the_page_is_served_fresh() {
    let toy = Toy::start();
    for path in ["/", "/api/"] {
        let answer = toy.get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(
            answer.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        assert!(answer.text().contains("CheckpointLoaderSimple"));
    }
}

#[test]
fn a_front_end_can_be_given() {
    let front_end = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(front_end.path().join("extensions/core")).unwrap();
    std::fs::write(front_end.path().join("index.html"), "<p>mine").unwrap();
    std::fs::write(front_end.path().join("extensions/core/a.js"), "1").unwrap();
    let root = front_end.path().to_owned();
    let toy = Toy::with(|config| config.front_end_root = Some(root));
    assert_eq!(toy.get("/").text(), "<p>mine");
    assert_eq!(
        toy.get("/extensions").text(),
        r#"["/extensions/core/a.js"]"#
    );
    let script = toy.get("/extensions/core/a.js");
    assert_eq!(
        (script.text().as_str(), script.header("cache-control")),
        ("1", Some("no-cache"))
    );
    assert_eq!(toy.get("/../Cargo.toml").status, 404);
    assert_eq!(toy.get("/..%2f..%2fetc%2fpasswd").status, 404);
}

#[test]
fn an_installed_front_end_has_its_templates() {
    let base = tempfile::tempdir().unwrap();
    let packages = base.path().join(".venv/lib/python3.12/site-packages");
    let write = |name: &str, text: &str| {
        let path = packages.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("comfyui_frontend_package/static/index.html", "<p>official");
    write("comfyui_frontend_package-99.58.1.dist-info/METADATA", "");
    write("comfyui_workflow_templates_json/templates/index.json", "[]");
    write(
        "comfyui_workflow_templates_media_image/templates/a-1.webp",
        "picture",
    );
    write("secret.json", "secret");
    let directory = base.path().to_owned();
    let toy = Toy::with(move |config| {
        config.base_directory = directory;
        config.front_end_version = Some("Comfy-Org/ComfyUI_frontend@v99.58.1".to_owned());
    });
    assert_eq!(toy.get("/").text(), "<p>official");
    let index = toy.get("/templates/index.json");
    assert_eq!((index.status, index.text().as_str()), (200, "[]"));
    assert_eq!(index.header("cache-control"), Some("no-cache"));
    let picture = toy.get("/templates/a-1.webp");
    assert_eq!(
        (picture.text().as_str(), picture.header("content-type")),
        ("picture", Some("image/webp"))
    );
    for path in [
        "/templates/none.json",
        "/templates/",
        "/templates/..%2f..%2fsecret.json",
        "/templates/../../secret.json",
    ] {
        assert_eq!(toy.get(path).status, 404, "{path}");
    }
    // Without it the built-in page is served.
    let other = Toy::with(|config| config.front_end_version = Some("0.0.1".to_owned()));
    assert!(other.get("/").text().contains("CheckpointLoaderSimple"));
    assert_eq!(other.get("/templates/index.json").status, 404);
}

#[test]
fn unknown_paths_and_wrong_methods() {
    let toy = Toy::start();
    for path in [
        "/no/such/path",
        "/api/nope",
        "/../../etc/passwd",
        "/user.css",
    ] {
        let answer = toy.get(path);
        assert_eq!((answer.status, answer.text().as_str()), (404, ""), "{path}");
    }
    assert_eq!(
        toy.get("/user.css").header("cache-control"),
        Some("no-cache")
    );
    assert_eq!(
        toy.get("/a.PNG").header("cache-control"),
        Some("public, max-age=3600")
    );
    for path in ["/prompt", "/api/prompt"] {
        let answer = send(toy.address(), "DELETE", path, &[], b"");
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (405, "405: Method Not Allowed")
        );
        assert_eq!(answer.header("allow"), Some("GET,HEAD,POST"));
        assert_eq!(
            answer.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
    }
    let head = send(toy.address(), "HEAD", "/prompt", &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(
        send(toy.address(), "OPTIONS", "/whatever", &[], b"").status,
        200
    );
}

#[test]
fn pages_of_other_sites_are_kept_away() {
    let toy = Toy::start();
    let from = |origin: &str| send(toy.address(), "GET", "/prompt", &[("Origin", origin)], b"");
    let answer = from("http://evil.example");
    assert_eq!((answer.status, answer.body.len()), (403, 0));
    assert_eq!(from(&toy.server.base_url()).status, 200);

    let open = Toy::with(|config| config.cors_origin = Some("*".to_owned()));
    let answer = send(
        open.address(),
        "GET",
        "/prompt",
        &[("Origin", "http://other.example")],
        b"",
    );
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let answer = send(
        open.address(),
        "OPTIONS",
        "/prompt",
        &[("Origin", "http://other.example")],
        b"",
    );
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(
        answer.header("access-control-allow-methods"),
        Some("POST, GET, DELETE, PUT, OPTIONS")
    );
    assert_eq!(
        answer.header("access-control-allow-headers"),
        Some("Content-Type, Authorization")
    );
    assert_eq!(
        answer.header("access-control-allow-credentials"),
        Some("true")
    );
}

#[test]
fn answers_are_compressed_on_request() {
    let toy = Toy::with(|config| config.compress_responses = true);
    let gzip = [("Accept-Encoding", "gzip, deflate")];
    assert_eq!(
        send(toy.address(), "GET", "/object_info", &gzip, b"").header("content-encoding"),
        Some("gzip")
    );
    assert_eq!(
        send(toy.address(), "GET", "/", &gzip, b"").header("content-encoding"),
        None,
        "only JSON and text are"
    );
    assert_eq!(toy.get("/object_info").header("content-encoding"), None);
    assert_eq!(
        send(Toy::start().address(), "GET", "/object_info", &gzip, b"").header("content-encoding"),
        None
    );
}

#[test]
fn large_bodies_are_refused_and_the_client_can_read_why() {
    let toy = Toy::with(|config| config.max_upload_size = 10_000);
    // The whole body is sent although it is far too long.
    let answer = toy.post("/prompt", vec![b' '; 50_000_000]);
    assert_eq!(answer.status, 413);
    assert!(
        answer
            .text()
            .starts_with("Maximum request body size 10000 exceeded"),
        "{}",
        answer.text()
    );
    // A length that would never fit is refused before anything is sent.
    let mut stream = connect(toy.address());
    begin(
        &mut stream,
        "POST",
        "/upload/image",
        &[("Expect", "100-continue")],
        Some(2_000_000_000),
    );
    assert_eq!(receive(stream).status, 413);
    // A body that does not tell its length is cut off.
    let mut stream = connect(toy.address());
    begin(
        &mut stream,
        "POST",
        "/prompt",
        &[("Transfer-Encoding", "chunked")],
        None,
    );
    let chunk = format!("4000\r\n{}\r\n", " ".repeat(0x4000));
    stream.write_all(chunk.as_bytes()).unwrap();
    stream.write_all(b"0\r\n\r\n").unwrap();
    assert_eq!(receive(stream).status, 413);
    assert_eq!(
        toy.wait_for(&toy.submit(&show("still alive")))["status"]["completed"],
        true
    );
}

#[test]
fn endless_headers_are_refused() {
    let toy = Toy::start();
    let mut stream = connect(toy.address());
    stream
        .set_write_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    let line = format!("X-Long: {}\r\n", "y".repeat(1000));
    // The server may close before everything is written.
    for _ in 0..1000 {
        if stream.write_all(line.as_bytes()).is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    assert_eq!(toy.get("/prompt").status, 200);
}
