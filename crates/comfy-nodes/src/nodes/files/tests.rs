use std::path::Path;
use std::sync::Arc;

use comfy_diffusion::device::{DevicePlan, DeviceRequest};
use comfy_graph::testing::NodeTester;
use comfy_graph::{Node, NodeError, Outputs};
use serde_json::json;

use super::*;
use crate::folders::{Folders, FoldersOptions};
use crate::nodes::{LoadLatent, SaveLatent};
use crate::runtime::{PreviewMethod, Runtime, RuntimeOptions};
use crate::sockets::{Image, Latent, Mask, Svg};

struct Place {
    base: tempfile::TempDir,
    runtime: Arc<Runtime>,
}

impl Place {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        let folders = Folders::new(FoldersOptions {
            base: base.path().to_path_buf(),
            ..FoldersOptions::default()
        })
        .unwrap();
        folders.create_all().unwrap();
        let runtime = Runtime::new(RuntimeOptions {
            folders: Arc::new(folders),
            device: DevicePlan::survey(DeviceRequest::Cpu).unwrap(),
            preview: PreviewMethod::None,
            preview_size: 512,
            metadata: true,
        });
        Self {
            base,
            runtime: Arc::new(runtime),
        }
    }

    fn tester<N: Node>(&self) -> NodeTester<N> {
        let extra = json!({"workflow": {"version": 0.4}});
        NodeTester::new()
            .service(Arc::clone(&self.runtime))
            .prompt(json!({"1": {"class_type": "X"}}), extra)
    }

    fn path(&self, relative: &str) -> std::path::PathBuf {
        self.base.path().join(relative)
    }
}

fn pictures(count: usize) -> Image {
    let values = (0..count * 4 * 5 * 3).map(|index| (index % 256) as f32 / 255.0);
    Image::from_values(values.collect(), [count, 4, 5, 3]).unwrap()
}

fn values<O: Outputs>(output: O) -> Vec<comfy_graph::Value> {
    let outputs = output.into_outputs().into_iter();
    outputs
        .map(|output| match output {
            comfy_graph::Output::One(item) => item.unwrap(),
            comfy_graph::Output::Many(_) => panic!("no list"),
        })
        .collect()
}

fn is_there(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.len() > 0)
}

#[test]
fn latents_survive_a_file() {
    let place = Place::new();
    let samples = Latent::zeros([1, 4, 3, 5]).unwrap();
    let latent = Latent {
        samples: samples.samples + 0.25,
        ..samples
    };
    let tester = place
        .tester::<SaveLatent>()
        .wire("samples", latent.clone())
        .set("filename_prefix", "latents/x");
    let ((), trace) = tester.trace().unwrap();
    assert_eq!(
        trace.ui["latents"],
        [json!({"filename": "x_00001_.latent", "subfolder": "latents", "type": "output"})]
    );
    let file = std::fs::read(place.path("output/latents/x_00001_.latent")).unwrap();
    let length = u64::from_le_bytes(*file.first_chunk().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&file[8..8 + length]).unwrap();
    assert_eq!(
        header["__metadata__"]["prompt"],
        r#"{"1": {"class_type": "X"}}"#
    );
    assert_eq!(header["__metadata__"]["workflow"], r#"{"version": 0.4}"#);
    assert_eq!(header["latent_format_version_0"]["shape"], json!([0]));

    let load = |name: &str| place.tester::<LoadLatent>().set("latent", name).run();
    let loaded = load("latents/x_00001_.latent [output]").unwrap().latent;
    assert_eq!(loaded.planes().unwrap(), latent.planes().unwrap());

    // Older files have no version, and the scale of Stable Diffusion's autoencoder.
    let older = file.clone();
    let text = String::from_utf8(older[8..8 + length].to_vec()).unwrap();
    let renamed = text.replace("latent_format_version_0", "latent_format_version_9");
    let older = [&older[..8], renamed.as_bytes(), &older[8 + length..]].concat();
    std::fs::write(place.path("input/old.latent"), older).unwrap();
    let value = load("old.latent")
        .unwrap()
        .latent
        .planes()
        .unwrap()
        .values()[0];
    assert!((value - 0.25 / 0.18215).abs() < 1e-6);

    for (name, contents) in [
        ("a.latent", &b"no latent"[..]),
        ("b.latent", &file[..length]),
    ] {
        std::fs::write(place.path("input").join(name), contents).unwrap();
        assert!(load(name).is_err());
    }
    assert!(load("../../etc/passwd").is_err());
    assert_eq!(
        place
            .runtime
            .folders()
            .input_files(|name| name.ends_with(".latent"))
            .len(),
        3
    );
}

#[test]
fn animations_are_saved_and_loaded() {
    let place = Place::new();
    let images = pictures(3);
    let png = place
        .tester::<SaveAnimatedPng>()
        .wire("images", images.clone())
        .set("filename_prefix", "a")
        .set("fps", 6.0)
        .set("compress_level", 4);
    let webp = |count, lossless| {
        place
            .tester::<SaveAnimatedWebp>()
            .wire("images", pictures(count))
            .set("filename_prefix", "a")
            .set("fps", 6.0)
            .set("lossless", lossless)
            .set("quality", 80)
            .set("method", "default")
    };
    let ui = |trace: comfy_graph::testing::Trace| {
        (trace.ui["images"][0].clone(), trace.ui["animated"].clone())
    };
    let item = |name: &str| json!({"filename": name, "subfolder": "", "type": "output"});
    assert_eq!(
        ui(png.trace().unwrap().1),
        (item("a_00001_.png"), vec![json!(true)])
    );
    assert_eq!(
        ui(webp(3, true).trace().unwrap().1),
        (item("a_00002_.webp"), vec![json!(true)])
    );
    assert_eq!(
        ui(webp(1, false).trace().unwrap().1),
        (item("a_00003_.webp"), vec![json!(false)])
    );

    for name in ["a_00001_.png [output]", "a_00002_.webp [output]"] {
        let loaded = values(
            place
                .tester::<LoadImageOutput>()
                .set("image", name)
                .run()
                .unwrap(),
        );
        let loaded: Image = loaded[0].get().unwrap();
        assert_eq!(loaded.shape(), [3, 4, 5, 3], "{name}");
        assert_eq!(loaded.values().unwrap(), images.values().unwrap(), "{name}");
    }
    let slow = place
        .tester::<SaveAnimatedPng>()
        .wire("images", pictures(2))
        .set("filename_prefix", "b")
        .set("fps", 0.01)
        .set("compress_level", 0);
    slow.run().unwrap();
    assert!(is_there(&place.path("output/b_00001_.png")));
    let stopped = webp(2, true).set("fps", 0.0).run();
    assert!(matches!(stopped, Err(NodeError::Failed { .. })));
}

#[test]
fn equal_pictures_are_one_frame() {
    let place = Place::new();
    let image = Image::from_values(vec![0.5; 3 * 2 * 2 * 3], [3, 2, 2, 3]).unwrap();
    let tester = place
        .tester::<SaveAnimatedPng>()
        .wire("images", image)
        .set("filename_prefix", "a")
        .set("fps", 10.0)
        .set("compress_level", 4);
    tester.run().unwrap();
    let file = std::fs::read(place.path("output/a_00001_.png")).unwrap();
    let limits = crate::pictures::ReadLimits::default();
    assert_eq!(
        crate::pictures::read_bytes(&file, &limits)
            .unwrap()
            .frames
            .len(),
        1
    );
}

#[test]
fn channels_become_masks() {
    let place = Place::new();
    let rgba = [10, 20, 30, 40, 50, 60, 70, 80];
    let file = crate::pictures::encode_png(&rgba, 2, 1, 4, &[], crate::pictures::Compression::Fast);
    std::fs::write(place.path("input/a.png"), file.unwrap()).unwrap();
    for (channel, expected) in [
        ("alpha", [215, 175]),
        ("red", [10, 50]),
        ("green", [20, 60]),
        ("blue", [30, 70]),
    ] {
        let tester = place
            .tester::<LoadImageMask>()
            .set("image", "a.png")
            .set("channel", channel);
        let mask: Mask = values(tester.run().unwrap())[0].get().unwrap();
        let levels: Vec<u32> = mask
            .values()
            .unwrap()
            .iter()
            .map(|value| (value * 255.0).round() as u32)
            .collect();
        assert_eq!(
            (mask.shape(), levels),
            ([1, 1, 2], expected.to_vec()),
            "{channel}"
        );
    }
    let captured = place
        .tester::<WebcamCapture>()
        .set("image", "a.png")
        .set("width", 0)
        .set("height", 0)
        .set("capture_on_queue", true);
    let image: Image = values(captured.run().unwrap())[0].get().unwrap();
    assert_eq!(image.shape(), [1, 1, 2, 3]);
}

#[test]
fn pictures_are_sent_in_full_size() {
    let place = Place::new();
    let tester = place
        .tester::<SaveImageWebsocket>()
        .wire("images", pictures(2));
    let ((), trace) = tester.trace().unwrap();
    let steps: Vec<_> = trace
        .progress
        .iter()
        .map(|(value, max, _)| format!("{value}/{max}"))
        .collect();
    assert_eq!(steps, ["0/2", "1/2"]);
    for (_, _, preview) in &trace.progress {
        let bytes = &preview.as_ref().unwrap().bytes;
        let limits = crate::pictures::ReadLimits::default();
        let frame = crate::pictures::read_bytes(bytes, &limits)
            .unwrap()
            .frames
            .remove(0);
        assert_eq!((frame.width, frame.height), (5, 4));
    }
    assert!(trace.ui.is_empty());
}

#[test]
fn documents_are_saved_with_the_prompt() {
    let place = Place::new();
    let svg = Svg(vec!["<svg/>".to_owned(), "<svg></svg>".to_owned()].into());
    let tester = place
        .tester::<SaveSvg>()
        .wire("svg", svg)
        .set("filename_prefix", "svg/%batch_num%");
    let ((), trace) = tester.trace().unwrap();
    assert_eq!(trace.ui["images"].len(), 2);
    let saved = std::fs::read_to_string(place.path("output/svg/1_00002_.svg")).unwrap();
    assert!(
        saved.starts_with("<svg>\n<metadata>\n<![CDATA[\n{\"prompt\": "),
        "{saved}"
    );
}
