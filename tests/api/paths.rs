//! File names from clients stay below their directories, whatever they are spelled like.

use std::fs;
use std::path::Path;

use comfy_tests::http::Request;
use comfy_tests::multipart::form;
use comfy_tests::prompts::{scale_image, text_to_image};
use comfy_tests::server::{TestServer, write};
use serde_json::json;

/// A server whose base directory lies beside a file that nobody may have.
fn server() -> TestServer {
    TestServer::start_with(
        |_| {},
        |base| {
            write(
                &base.join("secret.png"),
                &comfy_fixtures::bytes("input/ref_img.png"),
            );
            write(
                &base.join("secrets/inside.png"),
                &comfy_fixtures::bytes("input/ref_img.png"),
            );
            write(&base.join("models/secret.safetensors"), b"secret");
        },
    )
}

#[test]
fn view_gives_nothing_from_outside() {
    let server = server();
    let client = server.client();
    let absolute = server.path("secret.png").display().to_string();
    for query in [
        "filename=../secret.png&type=input",
        "filename=..%2fsecret.png&type=input",
        "filename=%2e%2e/secret.png&type=input",
        "filename=..\\secret.png&type=input",
        "filename=....//secret.png&type=input",
        "filename=sub/../../secret.png&type=input",
        "filename=secret.png&type=input&subfolder=..",
        "filename=secret.png&type=input&subfolder=../",
        "filename=inside.png&type=input&subfolder=../secrets",
        "filename=secret.png&type=input&subfolder=sub/../..",
        "filename=secret.png&type=../",
        "filename=secret.png [..]",
        "filename=../secret.png%20[input]",
        &format!("filename={absolute}&type=input"),
        &format!(
            "filename=secret.png&type=input&subfolder={}",
            server.path("").display()
        ),
    ] {
        let answer = client.get(&format!("/view?{}", query.replace(' ', "%20")));
        assert!(
            matches!(answer.status, 400 | 403 | 404),
            "{query}: status {}",
            answer.status
        );
    }
    for target in [
        "/../secret.png",
        "/..%2fsecret.png",
        "/%2e%2e/secret.png",
        "//secret.png",
        "/extensions/../../secret.png",
        "/models/..",
        "/models/..%2f",
    ] {
        let answer = client.get(target);
        assert!(
            matches!(answer.status, 400 | 403 | 404),
            "{target}: status {}",
            answer.status
        );
    }
}

#[test]
fn uploads_stay_inside() {
    let server = server();
    let client = server.client();
    let content = b"written by a client";
    for (name, subfolder) in [
        ("../evil.png", ""),
        ("../../evil.png", ""),
        ("evil.png", ".."),
        ("evil.png", "../../x"),
        ("evil.png", "/tmp"),
        ("sub/../../evil.png", ""),
        ("..\\evil.png", ""),
    ] {
        let answer = client.send(&form(
            "/upload/image",
            &[
                ("image", Some(name), content),
                ("subfolder", None, subfolder.as_bytes()),
            ],
        ));
        assert!(
            matches!(answer.status, 200 | 400 | 403),
            "{name} in {subfolder:?}: status {}",
            answer.status
        );
        let answer = client.send(&form(
            "/api/v1/prompts",
            &[("prompt", None, b"{}"), ("files", Some(name), content)],
        ));
        assert_eq!(answer.status, 400, "{name}: an empty prompt");
    }
    let strays: Vec<_> = files_below(&server.path(""))
        .into_iter()
        .filter(|path| path.contains("evil") && !path.starts_with("input/"))
        .collect();
    assert!(
        strays.is_empty(),
        "files outside of the input directory: {strays:?}"
    );
    let parent = server.path("").parent().map(Path::to_owned).unwrap();
    assert!(!parent.join("evil.png").exists() && !Path::new("/tmp/evil.png").exists());
}

#[test]
fn nodes_load_and_save_nothing_outside() {
    let server = server();
    let client = server.client();
    for image in [
        "../secret.png",
        "../secrets/inside.png",
        "sub/../../secret.png",
        "../secret.png [input]",
        "secret.png [..]",
        &server.path("secret.png").display().to_string(),
    ] {
        let answer = client.post("/prompt", &json!({"prompt": scale_image(image, 8, 8)}));
        assert_eq!(answer.status, 400, "{image}: {}", answer.text());
        let error = &answer.json()["node_errors"]["1"]["errors"][0];
        assert_eq!(
            error["type"], "custom_validation_failed",
            "{image}: {error}"
        );
    }
    for name in [
        "../secret.safetensors",
        "../../secret.png",
        "./sd15_tiny.safetensors",
    ] {
        let mut prompt = text_to_image(1, 1);
        prompt["4"]["inputs"]["ckpt_name"] = json!(name);
        let answer = client
            .post("/prompt", &json!({"prompt": prompt}))
            .expect(400)
            .json();
        assert_eq!(
            answer["node_errors"]["4"]["errors"][0]["type"], "value_not_in_list",
            "{name}"
        );
    }
    for prefix in [
        "../x",
        "../../x",
        "/tmp/evil/x",
        "sub/../../x",
        "../output-beside/x",
    ] {
        let mut prompt = scale_image("ref_img.png", 8, 8);
        prompt["3"]["inputs"]["filename_prefix"] = json!(prefix);
        let error = client.run_to_failure(&prompt);
        let message = error["exception_message"].as_str().unwrap();
        assert!(
            message
                .starts_with("**** ERROR: Saving image outside the output folder is not allowed."),
            "{prefix}: {message}"
        );
    }
    assert!(!Path::new("/tmp/evil").exists());
    let mut prompt = scale_image("ref_img.png", 8, 8);
    prompt["3"]["inputs"]["filename_prefix"] = json!("sub/folder/x");
    let entry = client.run_to_success(&prompt);
    assert_eq!(
        entry["outputs"]["3"]["images"],
        json!([{"filename": "x_00001_.png", "subfolder": "sub/folder", "type": "output"}])
    );
}

#[cfg(unix)]
#[test]
fn links_do_not_lead_outside() {
    use std::os::unix::fs::symlink;

    let server = server();
    let client = server.client();
    client.get("/prompt").expect(200);
    for directory in ["input", "output", "temp"] {
        fs::create_dir_all(server.path(directory)).unwrap();
        symlink(
            server.path("secret.png"),
            server.path(directory).join("link.png"),
        )
        .unwrap();
        symlink(
            server.path("secrets"),
            server.path(directory).join("folder"),
        )
        .unwrap();
    }
    for directory in ["input", "output", "temp"] {
        for query in ["filename=link.png", "filename=inside.png&subfolder=folder"] {
            let answer = client.get(&format!("/view?type={directory}&{query}"));
            assert!(
                matches!(answer.status, 400 | 403 | 404),
                "{directory}: {query}: status {}",
                answer.status
            );
        }
    }
    for image in ["link.png", "folder/inside.png", "link.png [output]"] {
        let answer = client.post("/prompt", &json!({"prompt": scale_image(image, 8, 8)}));
        assert_eq!(answer.status, 400, "{image}: {}", answer.text());
    }
    let mut prompt = scale_image("ref_img.png", 8, 8);
    prompt["3"]["inputs"]["filename_prefix"] = json!("folder/x");
    client.run_to_failure(&prompt);
    let answer = client.send(&form(
        "/upload/image",
        &[
            ("image", Some("x.png"), b"x"),
            ("subfolder", None, b"folder"),
        ],
    ));
    assert!(
        matches!(answer.status, 400 | 403),
        "an upload through a link: status {}",
        answer.status
    );
    let answer = client.send(&form(
        "/upload/image",
        &[
            ("image", Some("link.png"), b"x"),
            ("overwrite", None, b"true"),
        ],
    ));
    assert_eq!(
        fs::read(server.path("secret.png")).unwrap(),
        comfy_fixtures::bytes("input/ref_img.png"),
        "an upload wrote through a link (status {})",
        answer.status
    );
    assert_eq!(
        fs::read_dir(server.path("secrets")).unwrap().count(),
        1,
        "files in the linked folder"
    );
}

#[cfg(unix)]
#[test]
fn models_may_be_links() {
    use std::os::unix::fs::symlink;

    // People keep their models on another disk and link them; only what clients can write is closed.
    let server = TestServer::start_with(
        |_| {},
        |base| {
            let folder = base.join("models/checkpoints");
            fs::rename(
                folder.join("sd15_tiny.safetensors"),
                base.join("elsewhere.safetensors"),
            )
            .unwrap();
            symlink(
                base.join("elsewhere.safetensors"),
                folder.join("sd15_tiny.safetensors"),
            )
            .unwrap();
        },
    );
    server.client().run_to_success(&text_to_image(1, 1));
}

#[test]
fn names_with_control_characters() {
    let server = server();
    let client = server.client();
    for name in ["a%00.png", "a%0a.png", "%ff%fe.png", "con", "a%7f"] {
        let answer = client.send(&Request::new(
            "GET",
            &format!("/view?filename={name}&type=input"),
        ));
        assert!(
            matches!(answer.status, 400 | 404),
            "{name}: status {}",
            answer.status
        );
    }
    let mut prompt = scale_image("ref_img.png", 8, 8);
    prompt["3"]["inputs"]["filename_prefix"] = json!("a\u{0}b");
    client.run_to_failure(&prompt);
}

/// Paths of all files below a directory, relative to it.
fn files_below(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(directory).unwrap().display().to_string());
            }
        }
    }
    found
}
