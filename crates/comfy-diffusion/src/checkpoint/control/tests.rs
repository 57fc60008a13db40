//! Files of control nets: what is read of them, and what is said of those that do not fit.

use comfy_fixtures::{TensorEntry, checkpoint, checkpoint_with};

use super::*;
use crate::open_checkpoint;

fn entry(name: &str, shape: &[usize]) -> TensorEntry {
    TensorEntry {
        name: name.to_owned(),
        shape: shape.to_vec(),
        dtype: "F16".to_owned(),
    }
}

/// A file with other tensors than the one it is made after.
fn changed(name: &str, change: impl FnOnce(&mut Vec<TensorEntry>)) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("changed.safetensors");
    checkpoint_with(name, &path, change);
    (directory, path)
}

#[test]
fn differences_are_added_to_the_model() {
    const NAME: &str = "input_blocks.1.0.in_layers.2.weight";
    let device = ComputeDevice::cpu();
    let (_directory, path) = changed("controlnet_sd15_tiny", |tensors| {
        tensors.push(entry(DIFFERENCE_MARK, &[1]));
    });
    let opened = open_checkpoint(&checkpoint("sd15_tiny"), &device).unwrap();
    let model = opened.model.unwrap();
    let weights = Weights::open(&path).unwrap();
    let place = weights.root().enter("control_model");
    let patches = difference(&path, &weights, place.prefix(), Some(&model)).unwrap();
    let sums = |name: &str| place.patched(&patches).values(name).unwrap();
    let base = tensors_of(&model).unwrap();
    let base = base.scope().values(NAME).unwrap();
    let own = place.values(NAME).unwrap();
    let want: Vec<f32> = own
        .iter()
        .zip(&base)
        .map(|(own, base)| own + base)
        .collect();
    assert_eq!(sums(NAME), want);
    // The model has none of these.
    let zero = "zero_convs.0.0.weight";
    assert_eq!(sums(zero), place.values(zero).unwrap());
    assert!(
        difference(&path, &weights, place.prefix(), None)
            .unwrap()
            .is_empty()
    );
    let net = open_control_net(&path, Some(&model), &device).unwrap();
    assert!(net.network(&model).unwrap().get().is_ok());
}

#[test]
fn the_name_tells_that_a_network_adds_the_same_everywhere() {
    let device = ComputeDevice::cpu();
    let directory = tempfile::tempdir().unwrap();
    for (name, expected) in [
        ("v11e_shuffle", true),
        ("shuffle_fp16", false),
        ("x_shuffle_fp16", true),
    ] {
        let path = directory.path().join(format!("{name}.safetensors"));
        std::fs::copy(checkpoint("t2i_sd15_tiny"), &path).unwrap();
        let net = open_control_net(&path, None, &device).unwrap();
        assert_eq!(net.is_averaged, expected, "{name}");
    }
}

#[test]
fn an_adapter_as_diffusers_names_it_is_the_same() {
    let (_directory, path) = changed("t2i_sd15_tiny", |tensors| {
        for tensor in tensors {
            tensor.name = match tensor.name.strip_prefix("body.") {
                None => format!("adapter.{}", tensor.name),
                Some(rest) => {
                    let (number, rest) = rest.split_once('.').unwrap();
                    let number: usize = number.parse().unwrap();
                    let level = number / 2;
                    if rest.starts_with("in_conv") {
                        format!("adapter.body.{level}.{rest}")
                    } else {
                        format!("adapter.body.{level}.resnets.{}.{rest}", number % 2)
                    }
                }
            };
        }
    });
    let names = |path: &Path| -> Vec<String> {
        let weights = control_in_original_layout(Weights::open(path).unwrap());
        weights.names("").map(str::to_owned).collect()
    };
    assert_eq!(names(&path), names(&checkpoint("t2i_sd15_tiny")));
}

/// What is said of a file when it is opened, or when its network is built.
fn complaint(path: &Path) -> String {
    let device = ComputeDevice::cpu();
    let opened = open_checkpoint(&checkpoint("sd15_tiny"), &device).unwrap();
    let model = opened.model.unwrap();
    let net = open_control_net(path, None, &device);
    let built = net.and_then(|net| net.network(&model)?.get());
    built.err().unwrap().to_string()
}

#[test]
fn files_that_do_not_fit_are_errors_that_name_the_tensor() {
    let cases: [(&str, &str, Option<&[usize]>); 9] = [
        (
            "controlnet_sd15_tiny",
            "control_model.zero_convs.3.0.weight",
            None,
        ),
        (
            "controlnet_sd15_tiny",
            "control_model.zero_convs.11.0.weight",
            None,
        ),
        (
            "controlnet_sd15_tiny",
            "control_model.input_hint_block.6.weight",
            Some(&[32, 16, 3, 3]),
        ),
        (
            "controlnet_sd15_tiny",
            "control_model.middle_block_out.0.weight",
            Some(&[128, 64, 1, 1]),
        ),
        ("controlnet_union_tiny", "task_embedding", None),
        (
            "controlnet_union_tiny",
            "spatial_ch_projs.weight",
            Some(&[320, 64]),
        ),
        ("t2i_sd15_tiny", "body.3.block2.weight", None),
        (
            "t2i_sd15_tiny",
            "body.2.in_conv.weight",
            Some(&[64, 48, 1, 1]),
        ),
        (
            "t2i_light_tiny",
            "body.1.body.0.block1.weight",
            Some(&[16, 8, 3, 3]),
        ),
    ];
    for (file, name, shape) in cases {
        let (_directory, path) = changed(file, |tensors| match shape {
            None => tensors.retain(|tensor| tensor.name != name),
            Some(shape) => {
                let tensor = tensors.iter_mut().find(|tensor| tensor.name == name);
                tensor.unwrap().shape = shape.to_vec();
            }
        });
        let error = complaint(&path);
        let place = name.trim_start_matches("control_model.");
        // A list that is too short is said to be so.
        let list = place.split('.').next().unwrap();
        assert!(
            error.contains(place) || shape.is_none() && error.contains(list),
            "{name}: {error}"
        );
    }
}

#[test]
fn other_files_say_what_they_are() {
    let error = complaint(&checkpoint("sd15_tiny"));
    assert!(error.contains("expected a control net"), "{error}");
    let (_directory, path) = changed("t2i_sd15_tiny", |tensors| {
        tensors.clear();
        tensors.push(entry("controlnet_blocks.0.weight", &[2, 2]));
    });
    assert!(
        complaint(&path).contains("for Flux"),
        "{}",
        complaint(&path)
    );
    let device = ComputeDevice::cpu();
    let error = open_gligen(&checkpoint("t2i_sd15_tiny"), &device);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("position_net"), "{error}");
    let (_directory, path) = changed("gligen_tiny", |tensors| {
        tensors.retain(|tensor| !tensor.name.contains(".fuser."));
    });
    let error = open_gligen(&path, &device).unwrap().get().unwrap_err();
    assert!(error.to_string().contains(".fuser."), "{error}");
}
