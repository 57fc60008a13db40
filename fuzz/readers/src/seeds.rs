//! Whole and sound examples for every reader, as small as they can be.

use std::fmt::Write as _;
use std::io::Cursor;

use comfy_fixtures::{bytes, tensor_list};
use comfy_nodes::pictures::{
    AnimationFrame, PngText, WebpOptions, encode_animated_png, encode_webp,
};
use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};
use serde_json::json;

use crate::pictures::crc32;

fn files(names: &[&str]) -> Vec<Vec<u8>> {
    names.iter().map(|name| bytes(name)).collect()
}

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

pub(crate) fn safetensors() -> Vec<Vec<u8>> {
    files(&[
        "embeddings/ref_emb128.safetensors",
        "chains/input/a.latent",
        "chains/input/old.latent",
        "upscalers/compact_1x.safetensors",
    ])
}

pub(crate) fn headers() -> Vec<Vec<u8>> {
    texts(&[
        r#"{"__metadata__":{"format":"pt"},"a.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"a.bias":{"dtype":"F16","shape":[2],"data_offsets":[24,28]}}"#,
        r#"{"p.scaled_fp8":{"dtype":"F8_E4M3","shape":[0],"data_offsets":[0,0]},"p.a.scale_weight":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"p.a.weight":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[4,6]}}"#,
        r#"{"i":{"dtype":"I64","shape":[1,1,1],"data_offsets":[8,16]},"b":{"dtype":"BF16","shape":[4],"data_offsets":[0,8]}}"#,
        r#"{"f4":{"dtype":"F4","shape":[4],"data_offsets":[0,2]},"c":{"dtype":"C64","shape":[1],"data_offsets":[2,10]}}"#,
        "{}",
    ])
}

pub(crate) fn archives() -> Vec<Vec<u8>> {
    files(&[
        "pickles/zipped.ckpt",
        "pickles/packed.ckpt",
        "pickles/embedding.pt",
    ])
}

pub(crate) fn legacy() -> Vec<Vec<u8>> {
    files(&["pickles/legacy.pt"])
}

pub(crate) fn programs() -> Vec<Vec<u8>> {
    let tensor: &[u8] = b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x08NtQ\
        K\0K\x02K\x03\x86K\x03K\x01\x86\x89ccollections\nOrderedDict\n)RtR";
    let within = |before: &[u8], after: &[u8]| [before, tensor, after].concat();
    vec![
        within(b"\x80\x02}q\x00X\x01\0\0\0aq\x01", b"q\x02s."),
        within(
            b"\x80\x02}(X\x0a\0\0\0state_dict}X\x01\0\0\0b",
            b"sX\x05\0\0\0epochK\x03u.",
        ),
        within(
            b"\x80\x04\x95\0\0\0\0\0\0\0\0}\x94\x8c\x01c\x94]\x94",
            b"\x94as.",
        ),
        within(
            b"\x80\x02ccollections\nOrderedDict\n]X\x01\0\0\0d",
            b"\x86a\x85R.",
        ),
    ]
}

pub(crate) fn changes() -> Vec<Vec<u8>> {
    files(&["patches/kinds.safetensors"])
}

pub(crate) fn embeddings() -> Vec<Vec<u8>> {
    files(&["embeddings/ref_emb128.safetensors", "pickles/embedding.pt"])
}

pub(crate) fn hypernetworks() -> Vec<Vec<u8>> {
    files(&["control/relu.pt", "control/linear.pt", "control/mish.pt"])
}

pub(crate) fn upscalers() -> Vec<Vec<u8>> {
    files(&[
        "upscalers/compact_1x.safetensors",
        "upscalers/second_1x.safetensors",
        "upscalers/list_2x.safetensors",
        "upscalers/swin_direct_2x.safetensors",
        "upscalers/unshuffled_1x.pth",
    ])
}

pub(crate) fn image_encoders() -> Vec<Vec<u8>> {
    files(&["clip_vision/style.safetensors", "clip_vision/l.safetensors"])
}

/// The tensors of a model whose names begin with `from`, as lines that begin with `to`.
fn lines(model: &str, from: &str, to: &str) -> String {
    let mut text = String::new();
    for tensor in tensor_list(model) {
        if let Some(name) = tensor.name.strip_prefix(from) {
            let sides: Vec<String> = tensor.shape.iter().map(ToString::to_string).collect();
            let _ = writeln!(text, "{to}{name} {} {}", tensor.dtype, sides.join("x"));
        }
    }
    text
}

pub(crate) fn tensor_lists() -> Vec<Vec<u8>> {
    let models = [
        "sd15_tiny",
        "sd15_inpaint_tiny",
        "sd2_tiny",
        "sdxl_tiny",
        "controlnet_sd15_tiny",
        "controlnet_union_tiny",
        "control_lora_tiny",
        "gligen_tiny",
        "t2i_sd15_tiny",
        "t2i_light_tiny",
        "esrgan_x4_tiny",
        "taesd_decoder",
        "flux_tiny",
    ];
    let lists = models.map(|model| lines(model, "", "").into_bytes());
    lists.to_vec()
}

pub(crate) fn folders() -> Vec<Vec<u8>> {
    let of = |model| {
        let parts = [
            lines(model, "model.diffusion_model.", "unet/"),
            lines(model, "first_stage_model.", "vae/"),
            lines(model, "cond_stage_model.transformer.", "text_encoder/"),
        ];
        parts.concat().into_bytes()
    };
    vec![of("sd15_tiny"), of("sdxl_tiny")]
}

pub(crate) fn latents() -> Vec<Vec<u8>> {
    files(&[
        "chains/input/one.latent",
        "chains/input/a.latent",
        "chains/input/old.latent",
    ])
}

/// A small picture with opacity.
fn drawn() -> RgbaImage {
    RgbaImage::from_fn(9, 7, |x, y| {
        Rgba([
            (x * 28) as u8,
            (y * 36) as u8,
            7,
            if x > y { 255 } else { 90 },
        ])
    })
}

fn encoded(format: ImageFormat) -> Vec<u8> {
    let picture = DynamicImage::from(drawn());
    let picture = match format {
        ImageFormat::Jpeg | ImageFormat::Pnm => picture.into_rgb8().into(),
        _ => picture,
    };
    let mut file = Cursor::new(Vec::new());
    picture
        .write_to(&mut file, format)
        .unwrap_or_else(|error| panic!("{format:?}: {error}"));
    file.into_inner()
}

/// EXIF that says how a picture is turned.
const EXIF: &[u8] = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";

/// XMP that says so.
const XMP: &[u8] =
    b"<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:Description tiff:Orientation=\"6\"/></x:xmpmeta>";

/// Frames of an animation.
fn animation(pixels: &RgbaImage) -> [AnimationFrame<'_>; 2] {
    [40, 80].map(|milliseconds| AnimationFrame {
        bytes: pixels.as_raw(),
        width: pixels.width() as usize,
        height: pixels.height() as usize,
        channels: 4,
        milliseconds,
    })
}

fn metadata() -> Vec<(String, String)> {
    vec![(
        "prompt".to_owned(),
        r#"{"1": {"class_type": "A", "inputs": {}}}"#.to_owned(),
    )]
}

pub(crate) fn png() -> Vec<Vec<u8>> {
    let mut all = files(&[
        "chains/input/n7x13.png",
        "chains/input/grey.png",
        "chains/input/grey_alpha.png",
        "chains/input/shapes.png",
    ]);
    let pixels = drawn();
    let animated = encode_animated_png(&animation(&pixels), &metadata(), 6);
    all.push(animated.unwrap_or_else(|error| panic!("{error}")));
    let text = PngText {
        keyword: "prompt".to_owned(),
        text: "{}".to_owned(),
    };
    let still = comfy_nodes::pictures::encode_png(
        pixels.as_raw(),
        9,
        7,
        4,
        &[text],
        comfy_nodes::pictures::Compression::Fast,
    );
    let mut still = still.unwrap_or_else(|error| panic!("{error}"));
    // After the header: EXIF, and a profile of colours.
    for (name, data) in [
        (b"eXIf", EXIF),
        (b"iCCP", b"name\0\0\x78\x9c\x03\0\0\0\0\x01"),
    ] {
        let body = [name, data].concat();
        let mut chunk = (data.len() as u32).to_be_bytes().to_vec();
        chunk.extend(&body);
        chunk.extend(crc32(&body).to_be_bytes());
        still.splice(33..33, chunk);
    }
    all.push(still);
    all
}

pub(crate) fn jpeg() -> Vec<Vec<u8>> {
    let plain = encoded(ImageFormat::Jpeg);
    let segment = |kind: u8, data: &[u8]| {
        let length = (data.len() as u16 + 2).to_be_bytes();
        [&[0xff, kind], &length[..], data].concat()
    };
    let mut described = plain.clone();
    let parts = [
        segment(0xe1, &[b"Exif\0\0", EXIF].concat()),
        segment(0xe1, &[b"http://ns.adobe.com/xap/1.0/\0", XMP].concat()),
        segment(0xe2, b"ICC_PROFILE\0\x01\x01\0\0\0\x84"),
        segment(0xee, b"Adobe\0\x64\0\0\0\0\x01"),
    ];
    described.splice(2..2, parts.concat());
    vec![plain, described, bytes("chains/input/rough.jpg")]
}

pub(crate) fn webp() -> Vec<Vec<u8>> {
    let pixels = drawn();
    let options = |lossless| WebpOptions {
        lossless,
        quality: 80.0,
        method: 4,
    };
    let mut all = vec![encoded(ImageFormat::WebP), bytes("chains/input/three.webp")];
    for (count, lossless) in [(1, false), (2, false), (2, true)] {
        let file = encode_webp(&animation(&pixels)[..count], &metadata(), options(lossless));
        all.push(file.unwrap_or_else(|error| panic!("{error}")));
    }
    // A chunk that claims to be far longer than its file, for which a decoder once made room.
    let mut long = all[2].clone();
    let exif = long.windows(4).position(|name| name == b"EXIF");
    let length = exif.map(|place| place + 4);
    let length = length.unwrap_or_else(|| panic!("the workflow is written as EXIF"));
    long[length..length + 4].copy_from_slice(&0x5f73_734a_u32.to_le_bytes());
    all.push(long);
    all
}

pub(crate) fn gif() -> Vec<Vec<u8>> {
    vec![encoded(ImageFormat::Gif), bytes("chains/input/three.gif")]
}

/// A TIFF file of two pages with four grey pixels each, the second with a palette.
fn pages() -> Vec<u8> {
    let page = |at: u32, next: u32, photometric: u16, colours: u32| {
        let tags: [(u16, u16, u32, u32); 9] = [
            (256, 3, 1, 2),
            (257, 3, 1, 2),
            (258, 3, 1, 8),
            (259, 3, 1, 1),
            (262, 3, 1, u32::from(photometric)),
            (273, 4, 1, at),
            (277, 3, 1, 1),
            (279, 4, 1, 4),
            (320, 3, 768, colours),
        ];
        let count = if photometric == 3 { 9 } else { 8 };
        let mut page = (count as u16).to_le_bytes().to_vec();
        for (tag, kind, length, value) in &tags[..count] {
            page.extend(tag.to_le_bytes());
            page.extend(kind.to_le_bytes());
            page.extend(length.to_le_bytes());
            page.extend(value.to_le_bytes());
        }
        page.extend(next.to_le_bytes());
        page
    };
    let mut file = b"II*\0\x0c\0\0\0\0\x40\x80\xff".to_vec();
    let first = page(8, 12 + 102, 1, 0);
    let second = page(8, 0, 3, 12 + 102 + 114);
    file.extend(first);
    file.extend(second);
    file.extend(std::iter::repeat_n(7, 768 * 2));
    file
}

pub(crate) fn tiff() -> Vec<Vec<u8>> {
    // A list that claims to be far longer than its file, for which the decoder once made room.
    let mut long = pages();
    long[18..22].copy_from_slice(&6_225_921_u32.to_le_bytes());
    vec![encoded(ImageFormat::Tiff), pages(), long]
}

pub(crate) fn jxl() -> Vec<Vec<u8>> {
    vec![
        include_bytes!("../../../crates/comfy-nodes/src/pictures/samples/rgb.jxl").to_vec(),
        include_bytes!("../../../crates/comfy-nodes/src/pictures/samples/rgba.jxl").to_vec(),
    ]
}

pub(crate) fn plain() -> Vec<Vec<u8>> {
    let mut all: Vec<_> = [ImageFormat::Bmp, ImageFormat::Ico, ImageFormat::Pnm]
        .map(encoded)
        .to_vec();
    all.extend(texts(&[
        "P2\n2 2\n255\n0 9 8 7\n",
        "P1\n2 1\n0 1\n",
        "P3\n1 1\n65535\n1 2 3\n",
    ]));
    all
}

pub(crate) fn workflows() -> Vec<Vec<u8>> {
    let saved = comfy_fixtures::ui_workflows();
    saved
        .iter()
        .map(|(_, fixture)| {
            let workflow = fixture.get("workflow").unwrap_or(fixture);
            workflow.to_string().into_bytes()
        })
        .collect()
}

pub(crate) fn prompts() -> Vec<Vec<u8>> {
    [
        "txt2img",
        "controlnet_chain",
        "custom_adv_karras",
        "img_porterduff",
        "lora",
    ]
    .map(|name| {
        comfy_fixtures::json(&format!("workflows/{name}/prompt.json"))
            .to_string()
            .into_bytes()
    })
    .to_vec()
}

pub(crate) fn json() -> Vec<Vec<u8>> {
    texts(&[
        r#"{"a": NaN, "b": [Infinity, -Infinity, 1e400, -0.0, 12345678901234567890123], "c": "\ud83d\ude00\u0000"}"#,
        r#"[{"NaN": "NaN"}, "Infinity", 1.5e-300, true, null, {}]"#,
        "[[[[[[1]]]]]]",
    ])
}

pub(crate) fn regex() -> Vec<Vec<u8>> {
    texts(&[
        "(?P<a>\\w+)\\s(?P=a)\n\\g<a>-\\1\nthe the cat",
        "(?:(a|b)*c|[^\\d\\-x-z]{2,3}?)+$\n\\0\nabababcabc",
        "(?i)(?<=x)y(?!z)|\\bfoo\\b|(?>a+)b++\n<\\g<0>>\nxy foo aaab",
        "(?s:.)(?(1)a|b)\\u00e9[[:alpha:]]\n\\n\na\u{e9}b",
        "(x+x+)+y\n\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ])
}

pub(crate) fn prompt_texts() -> Vec<Vec<u8>> {
    texts(&[
        "a (photograph:1.3) of ((cats)), [dogs] \\(not this\\) (a:0.5) embedding:x",
        "\u{65e5}\u{672c}\u{8a9e} \u{1f600} e\u{301} <lora:x:1> AND (nested (weights:1.1):0.9)",
        "one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve",
    ])
}

pub(crate) fn names() -> Vec<Vec<u8>> {
    texts(&[
        "folder/picture.png [output]",
        "../../etc/passwd",
        "a/./b//c/../d [temp]",
        "C:\\windows\\system32 [input]",
        "%date:yyyy-MM-dd%/%width%x%height%_%batch_num%",
    ])
}

pub(crate) fn extra_model_paths() -> Vec<Vec<u8>> {
    texts(&[
        "my_disk:\n    base_path: /mnt/models\n    is_default: true\n    checkpoints: sd/checkpoints\n    loras: |\n        sd/loras\n        sdxl/loras\n",
        "a: &a\n  base_path: ~/x\n  vae: $HOME/${HOME}/vae\nb: *a\n",
        "{a: {checkpoints: \"x\"}, b: null}\n",
    ])
}

pub(crate) fn requests() -> Vec<Vec<u8>> {
    let form = "--B\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\nxyz\r\n\
        --B\r\nContent-Disposition: form-data; name=\"subfolder\"\r\n\r\nsub\r\n--B\r\nContent-Disposition: form-data; name=\"overwrite\"\r\n\r\ntrue\r\n--B--\r\n";
    let body = |target: &str, body: serde_json::Value| {
        format!("POST {target} HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{body}")
    };
    let prompt = json!({"prompt": {"1": {"class_type": "A", "inputs": {"x": ["2", 0]}}}, "client_id": "a", "extra_data": {"extra_pnginfo": {}}, "number": 1.5, "front": true});
    let all = [
        format!("POST /upload/image HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=B\r\n\r\n{form}"),
        format!("POST /upload/mask HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=\"B\"\r\n\r\n{form}"),
        "GET /view?filename=there.txt&type=input&subfolder=&preview=webp;90&channel=rgba HTTP/1.1\r\nRange: bytes=2-5\r\n\r\n".to_owned(),
        "GET /view?filename=there.txt&type=input HTTP/1.1\r\nRange: bytes=-3\r\nIf-None-Match: \"x\", W/\"y\"\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\nIf-Range: \"x\"\r\nAccept-Encoding: gzip;q=0.5\r\n\r\n".to_owned(),
        "GET /history?max_items=3&offset=-1 HTTP/1.1\r\nAccept: text/html, */*;q=0.1\r\n\r\n".to_owned(),
        "GET /userdata?dir=.&recurse=true&split=true&full_info=true HTTP/1.1\r\ncomfy-user: default\r\n\r\n".to_owned(),
        "POST /userdata/workflows%2Fa.json?overwrite=false&full_info=true HTTP/1.1\r\n\r\n{}".to_owned(),
        "POST /userdata/a/move/b?overwrite=true HTTP/1.1\r\n\r\n".to_owned(),
        "GET /api/jobs?status=completed,failed&limit=5&sort_by=created_at HTTP/1.1\r\nOrigin: http://127.0.0.1\r\n\r\n".to_owned(),
        "GET /ws?clientId=x HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n".to_owned(),
        body("/prompt", prompt),
        body("/queue", json!({"clear": true, "delete": ["a", 1]})),
        body("/history", json!({"clear": true, "delete": ["a"]})),
        body("/free", json!({"unload_models": true, "free_memory": false})),
        body("/interrupt", json!({"prompt_id": "x"})),
        body("/settings", json!({"Comfy.A": [1, {"b": null}]})),
        body("/settings/Comfy.B", json!("text")),
        body("/users", json!({"username": "somebody"})),
    ];
    all.map(String::into_bytes).to_vec()
}

pub(crate) fn frames() -> Vec<Vec<u8>> {
    // Each masked with zeros, so that the text shows.
    let frame = |operation: u8, text: &str| {
        let mut frame = vec![0x80 | operation, 0x80 | text.len() as u8, 0, 0, 0, 0];
        frame.extend(text.bytes());
        frame
    };
    let flags = r#"{"type": "feature_flags", "data": {"supports_preview_metadata": true}}"#;
    vec![
        frame(1, flags),
        [
            frame(9, "ping"),
            frame(10, "pong"),
            frame(2, "\x01\x02"),
            frame(8, "\x03\u{68}bye"),
        ]
        .concat(),
        [vec![1, 0x82, 0, 0, 0, 0, b'{', b'"'], frame(0, "a\": 1}")].concat(),
    ]
}

pub(crate) fn viewed() -> Vec<Vec<u8>> {
    let mut all = vec![
        encoded(ImageFormat::Png),
        encoded(ImageFormat::Gif),
        encoded(ImageFormat::WebP),
        encoded(ImageFormat::Bmp),
        encoded(ImageFormat::Tiff),
        encoded(ImageFormat::Ico),
    ];
    all.extend(jpeg());
    all.extend(safetensors());
    all
}
