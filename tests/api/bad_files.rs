//! Checkpoints and pictures that are missing, broken or lies: each gets its error, and the server goes on.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use comfy_fixtures::TensorEntry;
use comfy_tests::http::Request;
use comfy_tests::multipart::form;
use comfy_tests::prompts::{scale_image, text_to_image};
use comfy_tests::server::{TestServer, write};
use serde_json::{Value, json};

/// A prompt that loads the checkpoint `name`.
fn prompt_with(name: &str) -> Value {
    let mut prompt = text_to_image(1, 1);
    prompt["4"]["inputs"]["ckpt_name"] = json!(name);
    prompt
}

/// Runs the default graph on a broken checkpoint made by `make`; the error must name the file and contain `words`.
fn broken(make: impl FnOnce(&Path), words: &[&str]) {
    let server = TestServer::start_with(
        |_| {},
        |base| make(&base.join("models/checkpoints/broken.safetensors")),
    );
    let client = server.client();
    let error = client.run_to_failure(&prompt_with("broken.safetensors"));
    let message = error["exception_message"].as_str().expect("a message");
    eprintln!("{}: {message}", error["exception_type"]);
    for word in words.iter().chain(&["broken.safetensors"]) {
        assert!(message.contains(word), "{word:?} is not in {message:?}");
    }
    assert!(
        !message.contains("panicked"),
        "the node panicked: {message}"
    );
    client.run_to_success(&text_to_image(1, 1));
}

#[test]
fn a_checkpoint_that_is_not_there() {
    let server = TestServer::start();
    let client = server.client();
    let answer = client
        .post(
            "/prompt",
            &json!({"prompt": prompt_with("nope.safetensors")}),
        )
        .expect(400)
        .json();
    let error = &answer["node_errors"]["4"]["errors"][0];
    assert_eq!(error["type"], "value_not_in_list");
    assert_eq!(
        error["details"],
        "ckpt_name: 'nope.safetensors' not in ['sd15_tiny.safetensors']"
    );
    client.run_to_success(&text_to_image(1, 1));
}

#[test]
fn no_checkpoint_at_all() {
    let server = TestServer::start_with(
        |_| {},
        |base| fs::remove_dir_all(base.join("models")).unwrap(),
    );
    let client = server.client();
    assert_eq!(
        client.get_json("/object_info/CheckpointLoaderSimple")["CheckpointLoaderSimple"]["input"]["required"]
            ["ckpt_name"][0],
        json!([])
    );
    let answer = client
        .post("/prompt", &json!({"prompt": text_to_image(1, 1)}))
        .expect(400)
        .json();
    assert_eq!(
        answer["node_errors"]["4"]["errors"][0]["details"],
        "ckpt_name: 'sd15_tiny.safetensors' not in []"
    );
}

#[test]
fn a_checkpoint_that_vanished_after_it_was_listed() {
    let server = TestServer::start();
    let client = server.client();
    client.get("/models/checkpoints").expect(200);
    fs::remove_file(server.path("models/checkpoints/sd15_tiny.safetensors")).unwrap();
    let answer = client.post("/prompt", &json!({"prompt": text_to_image(1, 1)}));
    assert_eq!(
        answer.status,
        400,
        "the list is read again: {}",
        answer.text()
    );
}

#[test]
fn a_truncated_checkpoint() {
    let half = |path: &Path| {
        let whole = fs::read(comfy_fixtures::checkpoint("sd15_tiny")).unwrap();
        write(path, &whole[..whole.len() / 2]);
    };
    broken(half, &["bytes"]);
}

#[test]
fn a_checkpoint_cut_within_its_header() {
    broken(
        |path| {
            write(
                path,
                &fs::read(comfy_fixtures::checkpoint("sd15_tiny")).unwrap()[..1000],
            );
        },
        &["header"],
    );
}

#[test]
fn an_empty_checkpoint() {
    broken(|path| write(path, b""), &[]);
}

#[test]
fn a_checkpoint_of_noise() {
    broken(
        |path| write(path, &comfy_fixtures::tensor_bytes("noise", &[5000], 1)),
        &["header"],
    );
}

#[test]
fn a_checkpoint_whose_header_claims_a_terabyte() {
    let lie = |path: &Path| write(path, &[&(1_u64 << 40).to_le_bytes()[..], b"{}"].concat());
    broken(lie, &["header"]);
}

#[test]
fn a_checkpoint_with_a_tensor_of_a_terabyte() {
    let lie = |path: &Path| {
        let header = br#"{"model.diffusion_model.input_blocks.0.0.weight":{"dtype":"F16","shape":[549755813888],"data_offsets":[0,1099511627776]}}"#;
        write(
            path,
            &[&(header.len() as u64).to_le_bytes()[..], header].concat(),
        );
    };
    broken(lie, &[]);
}

#[test]
fn a_checkpoint_whose_shapes_overflow() {
    let lie = |path: &Path| {
        let header = br#"{"model.diffusion_model.input_blocks.0.0.weight":{"dtype":"F16","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,0]}}"#;
        write(
            path,
            &[&(header.len() as u64).to_le_bytes()[..], header].concat(),
        );
    };
    broken(lie, &[]);
}

#[test]
fn a_sparse_checkpoint_that_really_has_a_terabyte() {
    let sparse = |path: &Path| {
        let header = br#"{"model.diffusion_model.input_blocks.0.0.weight":{"dtype":"F16","shape":[549755813888],"data_offsets":[0,1099511627776]}}"#;
        write(
            path,
            &[&(header.len() as u64).to_le_bytes()[..], header].concat(),
        );
        let file = OpenOptions::new().write(true).open(path).unwrap();
        // A file system that cannot hold such a file leaves the shorter one, which is wrong too.
        let _ = file.set_len(8 + header.len() as u64 + (1 << 40));
    };
    broken(sparse, &[]);
}

#[test]
fn a_checkpoint_without_one_tensor_of_each_part() {
    for missing in [
        "model.diffusion_model.middle_block.1.proj_in.weight",
        "first_stage_model.decoder.up.1.block.0.conv1.weight",
        "cond_stage_model.transformer.text_model.encoder.layers.5.mlp.fc1.weight",
    ] {
        let without = |path: &Path| {
            write(path, b"");
            comfy_fixtures::checkpoint_with("sd15_tiny", path, |tensors| {
                let before = tensors.len();
                tensors.retain(|tensor| tensor.name != missing);
                assert_eq!(tensors.len(), before - 1, "the list has {missing}");
            });
        };
        // The end of the name is enough: a message may shorten or translate the prefix of a part.
        let end = missing
            .rsplit('.')
            .take(2)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect::<Vec<_>>()
            .join(".");
        broken(without, &[&end]);
    }
}

#[test]
fn a_checkpoint_with_a_misshaped_tensor() {
    let misshaped = |path: &Path| {
        write(path, b"");
        comfy_fixtures::checkpoint_with("sd15_tiny", path, |tensors| {
            let tensor: &mut TensorEntry = tensors
                .iter_mut()
                .find(|tensor| {
                    tensor.name == "model.diffusion_model.output_blocks.3.0.in_layers.2.weight"
                })
                .unwrap();
            tensor.shape[1] += 1;
        });
    };
    broken(misshaped, &["output_blocks.3.0.in_layers.2.weight"]);
}

#[test]
fn a_checkpoint_whose_weights_are_not_numbers() {
    const TENSOR: &str = "model.diffusion_model.input_blocks.1.0.in_layers.2.weight";
    let spoilt = |path: &Path| {
        let mut bytes = fs::read(comfy_fixtures::checkpoint("sd15_tiny")).unwrap();
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let entries: Value = serde_json::from_slice(&bytes[8..8 + header]).unwrap();
        let start = entries[TENSOR]["data_offsets"][0].as_u64().unwrap() as usize;
        let place = 8 + header + start;
        bytes[place..place + 2].copy_from_slice(&0x7e00_u16.to_le_bytes());
        write(path, &bytes);
    };
    broken(spoilt, &[TENSOR, "not"]);
}

#[test]
fn a_checkpoint_that_wants_to_run_something() {
    // Pickles that call `os.system`, as PyTorch's old kind of file and in an archive.
    let call = b"\x80\x02cos\nsystem\nX\x04\0\0\0true\x85R.";
    let old = [&b"\x80\x02K\0.\x80\x02M\xe9\x03.\x80\x02}."[..], call].concat();
    broken(|path| write(path, &old), &["os.system"]);
    let mut archive = comfy_fixtures::bytes("pickles/zipped.ckpt");
    let program = archive
        .windows(2)
        .position(|window| window == b"\x80\x02")
        .unwrap();
    archive[program..program + call.len()].copy_from_slice(call);
    broken(|path| write(path, &archive), &["os.system"]);
}

#[test]
fn a_checkpoint_that_is_a_zip_bomb() {
    let mut bomb = comfy_fixtures::bytes("pickles/packed.ckpt");
    let entries: Vec<usize> = bomb
        .windows(4)
        .enumerate()
        .filter(|(_, window)| *window == b"PK\x01\x02")
        .map(|(at, _)| at)
        .collect();
    for at in entries {
        bomb[at + 24..at + 28].copy_from_slice(&(3_u32 << 30).to_le_bytes());
    }
    broken(|path| write(path, &bomb), &["unpacks to 3221225472 bytes"]);
}

#[test]
fn a_picture_that_claims_sixty_thousand_pixels_squared() {
    let server = TestServer::start();
    let client = server.client();
    let png = huge_png(60_000, 60_000);
    client
        .send(&form("/upload/image", &[("image", Some("huge.png"), &png)]))
        .expect(200);
    let error = client.run_to_failure(&scale_image("huge.png", 64, 64));
    let message = error["exception_message"].as_str().expect("a message");
    assert!(message.contains("60000"), "the size is not in {message:?}");
    assert!(
        message.contains("huge.png"),
        "the file is not in {message:?}"
    );
    for query in [
        "preview=webp;80",
        "preview=jpeg;80",
        "channel=rgb",
        "channel=a",
    ] {
        let answer = client.get(&format!("/view?filename=huge.png&type=input&{query}"));
        assert!(
            (400..500).contains(&answer.status),
            "{query}: status {}",
            answer.status
        );
    }
    // The file itself may be had.
    assert_eq!(
        client
            .get("/view?filename=huge.png&type=input")
            .expect(200)
            .body,
        png
    );
    client.run_to_success(&scale_image("ref_img.png", 8, 8));
}

/// A one-bit PNG of zeros: small as a file, gigabytes when decoded to floats.
fn huge_png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header().unwrap();
    let mut stream = writer.stream_writer().unwrap();
    let row = vec![0; width.div_ceil(8) as usize];
    // The rest of the rows may be missing: who allocates before looking has lost already.
    for _ in 0..1000 {
        stream.write_all(&row).unwrap();
    }
    drop(stream);
    drop(writer);
    bytes
}

#[test]
fn a_file_that_is_no_picture() {
    let server = TestServer::start();
    let client = server.client();
    client
        .send(&form(
            "/upload/image",
            &[("image", Some("text.png"), b"this is text")],
        ))
        .expect(200);
    let error = client.run_to_failure(&scale_image("text.png", 8, 8));
    assert!(
        error["exception_message"]
            .as_str()
            .expect("a message")
            .contains("text.png"),
        "{error}"
    );
    let answer = client.get("/view?filename=text.png&type=input&preview=webp;80");
    assert!(
        (400..=500).contains(&answer.status),
        "status {}",
        answer.status
    );
    let truncated = &comfy_fixtures::bytes("input/ref_img2.png")[..2000];
    client
        .send(&form(
            "/upload/image",
            &[("image", Some("half.png"), truncated)],
        ))
        .expect(200);
    client.run_to_failure(&scale_image("half.png", 8, 8));
    client.run_to_success(&scale_image("ref_img.png", 8, 8));
}

#[test]
fn sizes_that_no_memory_holds() {
    let server = TestServer::start();
    let client = server.client();
    let mut prompt = text_to_image(1, 1);
    prompt["5"]["inputs"] = json!({"width": 16384, "height": 16384, "batch_size": 4096});
    let error = client.run_to_failure(&prompt);
    eprintln!(
        "{}: {}",
        error["exception_type"], error["exception_message"]
    );
    client.run_to_success(&text_to_image(1, 1));
}

#[test]
fn a_folder_where_a_file_should_be() {
    let server = TestServer::start_with(
        |_| {},
        |base| {
            fs::create_dir_all(base.join("models/checkpoints/folder.safetensors")).unwrap();
            fs::create_dir_all(base.join("input/folder.png")).unwrap();
        },
    );
    let client = server.client();
    assert_eq!(
        client.get_json("/models/checkpoints"),
        json!(["sd15_tiny.safetensors"])
    );
    client
        .post(
            "/prompt",
            &json!({"prompt": scale_image("folder.png", 8, 8)}),
        )
        .expect(400);
    client
        .send(&Request::new("GET", "/view?filename=folder.png&type=input"))
        .expect(404);
}
