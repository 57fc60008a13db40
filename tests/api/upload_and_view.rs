//! What a client gets to see of pictures: channels, previews, ranges; and what every client asks for first.

use comfy_tests::http::Request;
use comfy_tests::multipart::form;
use comfy_tests::picture;
use comfy_tests::server::TestServer;
use serde_json::{Value, json};

use crate::shared::shared;

/// A 2×1 picture with alpha.
fn with_alpha() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 2, 1);
    encoder.set_color(png::ColorType::Rgba);
    encoder
        .write_header()
        .unwrap()
        .write_image_data(&[10, 20, 30, 40, 50, 60, 70, 255])
        .unwrap();
    bytes
}

#[test]
fn channels() {
    let server = TestServer::start();
    let client = server.client();
    let bytes = with_alpha();
    client
        .send(&form(
            "/upload/image",
            &[("image", Some("alpha.png"), &bytes)],
        ))
        .expect(200);
    assert_eq!(
        client
            .get("/view?filename=alpha.png&type=input")
            .expect(200)
            .body,
        bytes
    );
    assert_eq!(
        client
            .get("/view?filename=alpha.png&type=input&channel=rgba")
            .expect(200)
            .body,
        bytes
    );
    let colours = picture::decode(
        &client
            .get("/view?filename=alpha.png&type=input&channel=rgb")
            .expect(200)
            .body,
    );
    assert_eq!(
        (colours.channels, &*colours.pixels),
        (3, &[10, 20, 30, 50, 60, 70][..])
    );
    let alpha = picture::decode(
        &client
            .get("/view?filename=alpha.png&type=input&channel=a")
            .expect(200)
            .body,
    );
    assert_eq!(
        (alpha.channels, &*alpha.pixels),
        (4, &[0, 0, 0, 40, 0, 0, 0, 255][..])
    );
}

#[test]
fn previews() {
    let server = shared();
    let client = server.client();
    let original = picture::decode(&comfy_fixtures::bytes("input/ref_img2.png"));
    for (preview, format) in [
        ("webp;90", image::ImageFormat::WebP),
        ("jpeg;90", image::ImageFormat::Jpeg),
        ("webp", image::ImageFormat::WebP),
        ("gif;5", image::ImageFormat::WebP),
    ] {
        let answer = client
            .get(&format!(
                "/view?filename=ref_img2.png&type=input&preview={preview}"
            ))
            .expect(200);
        assert_eq!(
            answer.header("Content-Type"),
            Some(format.to_mime_type()),
            "{preview}"
        );
        assert_eq!(
            answer.header("Content-Disposition"),
            Some("filename=\"ref_img2.png\"")
        );
        let got = image::load_from_memory_with_format(&answer.body, format)
            .unwrap()
            .to_rgb8();
        assert_eq!(got.dimensions(), (original.width, original.height));
        if original.channels == 3 {
            let difference = comfy_fixtures::compare_pictures(got.as_raw(), &original.pixels);
            assert!(difference.psnr > 25.0, "{preview}: {difference:?}");
        }
    }
}

#[test]
fn parts_and_conditions() {
    let server = shared();
    let client = server.client();
    let whole = comfy_fixtures::bytes("input/ref_img.png");
    let target = "/view?filename=ref_img.png&type=input";
    let answer = client.get(target).expect(200);
    assert_eq!(answer.body, whole);
    let part = client
        .send(&Request::new("GET", target).header("Range", "bytes=10-19"))
        .expect(206);
    assert_eq!(part.body, whole[10..20]);
    assert_eq!(
        part.header("Content-Range"),
        Some(&*format!("bytes 10-19/{}", whole.len()))
    );
    let date = answer.header("Last-Modified").expect("a date");
    client
        .send(&Request::new("GET", target).header("If-Modified-Since", date))
        .expect(304);
    let tag = answer.header("ETag").expect("a tag");
    client
        .send(&Request::new("GET", target).header("If-None-Match", tag))
        .expect(304);
    let head = client.send(&Request::new("HEAD", target)).expect(200);
    assert_eq!(
        head.header("Content-Length"),
        Some(&*whole.len().to_string())
    );
}

#[test]
fn dangerous_types_are_only_bytes() {
    let server = TestServer::start();
    let client = server.client();
    for name in ["page.html", "script.js", "style.css", "page.xhtml"] {
        client
            .send(&form(
                "/upload/image",
                &[("image", Some(name), b"<script>alert(1)</script>")],
            ))
            .expect(200);
        let answer = client
            .get(&format!("/view?filename={name}&type=input"))
            .expect(200);
        assert_eq!(
            answer.header("Content-Type"),
            Some("application/octet-stream"),
            "{name}"
        );
    }
}

#[test]
fn uploads_keep_what_is_there() {
    let server = TestServer::start();
    let client = server.client();
    let upload = |content: &[u8], overwrite: &[u8]| {
        let parts = [
            ("image", Some("a.png"), content),
            ("overwrite", None, overwrite),
            ("subfolder", None, &b"sub"[..]),
        ];
        client
            .send(&form("/upload/image", &parts))
            .expect(200)
            .json()["name"]
            .clone()
    };
    assert_eq!(upload(b"one", b""), "a.png");
    assert_eq!(upload(b"one", b""), "a.png", "the same content again");
    assert_eq!(upload(b"two", b""), "a (1).png");
    assert_eq!(upload(b"three", b"false"), "a (2).png");
    assert_eq!(
        upload(b"two", b""),
        "a (1).png",
        "the content of the second file"
    );
    assert_eq!(upload(b"four", b"true"), "a.png");
    assert_eq!(
        client
            .get("/view?filename=a.png&type=input&subfolder=sub")
            .expect(200)
            .body,
        b"four"
    );
    assert_eq!(
        std::fs::read_dir(server.path("input/sub")).unwrap().count(),
        3,
        "nothing else was left behind"
    );
}

#[test]
fn what_every_client_asks_first() {
    let server = shared();
    let client = server.client();
    let stats = client.get_json("/system_stats");
    for member in ["os", "comfyui_version", "python_version", "pytorch_version"] {
        assert!(stats["system"][member].is_string(), "{member} in {stats}");
    }
    assert!(
        stats["system"]["embedded_python"].is_boolean() && stats["system"]["argv"].is_array(),
        "{stats}"
    );
    assert!(
        stats["system"]["ram_total"].as_u64() > stats["system"]["ram_free"].as_u64(),
        "{stats}"
    );
    let device = &stats["devices"][0];
    for member in [
        "index",
        "vram_total",
        "vram_free",
        "torch_vram_total",
        "torch_vram_free",
    ] {
        assert!(device[member].is_u64(), "{member} in {device}");
    }
    assert!(
        device["name"].is_string() && device["type"] == "cpu",
        "{device}"
    );

    let info = client.get_json("/object_info");
    for class in [
        "CheckpointLoaderSimple",
        "CLIPTextEncode",
        "CLIPSetLastLayer",
        "EmptyLatentImage",
        "KSampler",
        "KSamplerAdvanced",
        "VAELoader",
        "VAEDecode",
        "VAEEncode",
        "LoadImage",
        "SaveImage",
        "PreviewImage",
        "ImageScale",
    ] {
        let node = &info[class];
        assert!(
            node["input"]["required"].is_object() && node["description"].is_string(),
            "{class}: {node}"
        );
        assert_eq!(
            client.get_json(&format!("/object_info/{class}"))[class],
            *node
        );
        assert_eq!(
            client.get_json(&format!("/api/object_info/{class}"))[class],
            *node
        );
    }
    assert_eq!(
        info["CheckpointLoaderSimple"]["input"]["required"]["ckpt_name"][0],
        json!(["sd15_tiny.safetensors"])
    );
    assert_eq!(client.get_json("/object_info/NoSuchNode"), json!({}));
    assert_eq!(
        client.get_json("/embeddings"),
        json!(["ref_emb128", "ref_emb768"])
    );
    assert_eq!(
        client.get_json("/features")["supports_preview_metadata"],
        true
    );
    let page = client.get("/").expect(200);
    assert!(
        page.header("Content-Type")
            .is_some_and(|kind| kind.starts_with("text/html"))
    );
    assert!(page.text().to_lowercase().contains("<!doctype html>"));
}

#[test]
fn the_queue_can_be_changed() {
    let server = TestServer::start();
    let client = server.client();
    let long = client.queue_prompt(&comfy_tests::prompts::text_to_image(1, 5_000));
    let waiting: Vec<String> = (2..5)
        .map(|seed| client.queue_prompt(&comfy_tests::prompts::text_to_image(seed, 1)))
        .collect();
    let ids = |queue: &Value, part: &str| -> Vec<String> {
        queue[part]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row[1].as_str().unwrap().to_owned())
            .collect()
    };
    let queue = client.get_json("/queue");
    assert_eq!(
        queue["queue_pending"][0].as_array().unwrap().len(),
        5,
        "{queue}"
    );
    client
        .post("/queue", &json!({"delete": [waiting[1], "unknown"]}))
        .expect(200);
    let queue = client.get_json("/queue");
    assert_eq!(ids(&queue, "queue_running"), [&*long]);
    assert_eq!(
        ids(&queue, "queue_pending"),
        [waiting[0].clone(), waiting[2].clone()]
    );
    let front = client
        .post(
            "/prompt",
            &json!({"prompt": comfy_tests::prompts::text_to_image(9, 1), "front": true}),
        )
        .expect(200)
        .json();
    assert!(front["number"].as_i64().unwrap() < 0, "{front}");
    assert_eq!(
        ids(&client.get_json("/queue"), "queue_pending")[0],
        front["prompt_id"].as_str().unwrap()
    );
    client.post("/queue", &json!({"clear": true})).expect(200);
    // An interrupt of another prompt does nothing.
    client
        .post("/interrupt", &json!({"prompt_id": waiting[0]}))
        .expect(200);
    assert_eq!(ids(&client.get_json("/queue"), "queue_running"), [&*long]);
    client
        .post("/interrupt", &json!({"prompt_id": long}))
        .expect(200);
    let entry = client.wait_for(&long);
    assert_eq!(
        (
            &entry["status"]["status_str"],
            &entry["status"]["completed"]
        ),
        (&json!("error"), &json!(false))
    );
    client.wait_until_idle();
    assert_eq!(client.get_json("/history").as_object().unwrap().len(), 1);
    client
        .post("/history", &json!({"delete": [long]}))
        .expect(200);
    assert_eq!(client.get_json("/history"), json!({}));
}

#[test]
fn memory_is_freed_and_taken_again() {
    let server = TestServer::start();
    let client = server.client();
    let prompt = comfy_tests::prompts::text_to_image(3, 2);
    let first = client.pictures_of(&client.run_to_success(&prompt));
    for request in [
        json!({"unload_models": true}),
        json!({"free_memory": true}),
        json!({"unload_models": true, "free_memory": true}),
    ] {
        client.post("/free", &request).expect(200);
        let entry = client.run_to_success(&prompt);
        let messages = entry["status"]["messages"].as_array().unwrap();
        let cached = messages
            .iter()
            .find(|message| message[0] == "execution_cached")
            .unwrap()[1]["nodes"]
            .as_array()
            .unwrap()
            .len();
        let forgotten = request.get("free_memory").is_some();
        assert_eq!(
            cached == 0,
            forgotten,
            "{request}: {cached} nodes were cached"
        );
        let again = client.pictures_of(&entry);
        assert_eq!(
            picture::decode(&again[0]).pixels,
            picture::decode(&first[0]).pixels,
            "{request}"
        );
    }
}

#[test]
fn every_route_has_a_twin_below_api() {
    let server = shared();
    let client = server.client();
    for target in [
        "/embeddings",
        "/extensions",
        "/features",
        "/models",
        "/models/checkpoints",
        "/object_info/SaveImage",
        "/view?filename=ref_img.png&type=input&clientId=x&rand=0.5",
        "/view?filename=missing.png",
        "/history/nobody",
    ] {
        let (plain, twin) = (client.get(target), client.get(&format!("/api{target}")));
        assert_eq!(plain.status, twin.status, "{target}");
        assert_eq!(plain.body, twin.body, "{target}");
        assert_eq!(
            plain.header("Content-Type"),
            twin.header("Content-Type"),
            "{target}"
        );
    }
    for target in ["/queue", "/history", "/free", "/interrupt"] {
        client
            .post(&format!("/api{target}"), &json!({}))
            .expect(200);
    }
    client
        .post("/api/prompt", &json!({"prompt": {}}))
        .expect(400);
    let socket = Request::new("GET", "/api/ws")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    let answer = client.send(&socket);
    // The client's own `Connection: close` makes it no upgrade; the route is there all the same.
    assert!(
        matches!(answer.status, 101 | 400 | 426),
        "{}",
        answer.status
    );
}
