//! Every kind of change against PyTorch, and changes that do not fit.
#![allow(
    clippy::float_cmp,
    clippy::unwrap_used,
    reason = "numbers chosen to be exact; a failing test may panic"
)]

use std::fmt::Write;

use comfy_fixtures::relative_l2;
use half::{bf16, f16};

use super::*;

/// The strength of the recordings.
const STRENGTH: f32 = 0.7;

fn recorded() -> Weights {
    Weights::open(&comfy_fixtures::path("patches/kinds.safetensors")).unwrap()
}

#[test]
fn every_kind_changes_a_tensor_as_recorded() {
    let file = recorded();
    let kinds: Vec<String> = file
        .names("")
        .filter_map(|name| name.strip_suffix("/after"))
        .map(str::to_owned)
        .collect();
    assert!(kinds.len() >= 20, "{kinds:?}");
    for kind in kinds {
        let before = format!("{kind}/before");
        let shape = file.shape(&before).unwrap().to_vec();
        let mut values = file.values(&before).unwrap();
        let adapters = Adapter::read(&file, &kind).unwrap();
        let [("weight", adapter)] = adapters.as_slice() else {
            panic!("{kind}: {adapters:?}");
        };
        adapter.apply(&shape, &mut values, STRENGTH).unwrap();
        let want = file.values(&format!("{kind}/after")).unwrap();
        let difference = relative_l2(&values, &want);
        assert!(difference < 1e-5, "{kind} differs by {difference:.1e}");
    }
}

#[test]
fn what_does_not_fit_changes_nothing() {
    let file = recorded();
    for kind in [
        "lora",
        "loha",
        "lokr",
        "glora",
        "oft",
        "boft",
        "dora_rows",
        "difference",
        "replacement",
    ] {
        let (_, adapter) = Adapter::read(&file, kind).unwrap().remove(0);
        for shape in [&[5_usize, 7][..], &[3], &[], &[0, 4]] {
            let mut values = vec![1.0; shape.iter().product()];
            let before = values.clone();
            assert!(
                adapter.apply(shape, &mut values, 1.0).is_err(),
                "{kind} {shape:?}"
            );
            assert_eq!(values, before);
        }
    }
}

/// A file of tensors that are all 1.
fn ones(tensors: &[(&str, &[usize])]) -> Weights {
    let mut header = String::new();
    let mut end = 0;
    for (name, shape) in tensors {
        let start = end;
        end += shape.iter().product::<usize>();
        write!(
            header,
            r#""{name}":{{"dtype":"F8_E4M3","shape":{shape:?},"data_offsets":[{start},{end}]}},"#
        )
        .unwrap();
    }
    let header = format!("{{{}}}", header.trim_end_matches(','));
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    // 1 in this format.
    bytes.resize(bytes.len() + end, 0x38);
    Weights::from_bytes("test.safetensors", bytes).unwrap()
}

/// A few kilobytes of factors, whose products would have a million values where four are changed.
#[test]
fn products_that_would_fill_memory_are_left_out() {
    let file = ones(&[
        ("lora.lora_up.weight", &[1000, 1]),
        ("lora.lora_down.weight", &[1, 1000]),
        ("mid.lora_up.weight", &[1000, 1]),
        ("mid.lora_mid.weight", &[1, 1]),
        ("mid.lora_down.weight", &[1, 1000]),
        ("loha.hada_w1_a", &[1000, 1]),
        ("loha.hada_w1_b", &[1, 1000]),
        ("loha.hada_w2_a", &[1000, 1]),
        ("loha.hada_w2_b", &[1, 1000]),
        ("tucker.hada_w1_a", &[1, 1000]),
        ("tucker.hada_w1_b", &[1, 1000]),
        ("tucker.hada_w2_a", &[1, 1000]),
        ("tucker.hada_w2_b", &[1, 1000]),
        ("tucker.hada_t1", &[1, 1]),
        ("tucker.hada_t2", &[1, 1]),
        ("lokr.lokr_w1", &[1000, 1]),
        ("lokr.lokr_w2", &[1, 1000]),
        ("glora.a1.weight", &[2, 1]),
        ("glora.a2.weight", &[1, 2]),
        ("glora.b1.weight", &[1000, 1]),
        ("glora.b2.weight", &[1, 1000]),
    ]);
    for kind in ["lora", "mid", "loha", "tucker", "lokr", "glora"] {
        let (_, adapter) = Adapter::read(&file, kind).unwrap().remove(0);
        let mut values = [1.0; 4];
        let error = adapter.apply(&[2, 2], &mut values, 1.0).unwrap_err();
        assert!(
            error.contains("larger than what is changed"),
            "{kind}: {error}"
        );
        assert_eq!(values, [1.0; 4], "{kind}");
    }
}

#[test]
fn every_name_of_a_factor_is_known() {
    for [up, down] in adapter::FACTORS {
        let (up, down) = (format!("a{up}"), format!("a{down}"));
        let file = ones(&[(&up, &[2, 3]), (&down, &[3, 2]), ("a.alpha", &[])]);
        assert_eq!(bases(&file).into_iter().collect::<Vec<_>>(), ["a"], "{up}");
        let (ending, adapter) = Adapter::read(&file, "a").unwrap().remove(0);
        let mut values = [1.0; 4];
        adapter.apply(&[2, 2], &mut values, 0.5).unwrap();
        // Three ones are added up, and the scale is 1/3.
        assert_eq!((ending, values), ("weight", [1.5; 4]), "{up}");
    }
}

#[test]
fn differences_reach_biases_and_norms() {
    let file = ones(&[
        ("layer.diff", &[2]),
        ("layer.diff_b", &[2]),
        ("norm.w_norm", &[2]),
        ("norm.b_norm", &[2]),
    ]);
    for base in ["layer", "norm"] {
        let mut found = Vec::new();
        for (ending, adapter) in Adapter::read(&file, base).unwrap() {
            let mut values = [0.0; 2];
            adapter.apply(&[2], &mut values, 0.5).unwrap();
            assert_eq!(values, [0.5; 2], "{base}.{ending}");
            found.push(ending);
        }
        found.sort_unstable();
        assert_eq!(found, ["bias", "weight"], "{base}");
    }
}

#[test]
fn every_name_of_a_layer_is_known() {
    let weights = ones(&[
        ("net.input_blocks.1.1.to_q.weight", &[1]),
        ("net.norm.bias", &[1]),
        ("text.text_model.encoder.layers.0.mlp.fc1.weight", &[1]),
        ("text.text_projection.weight", &[1]),
    ]);
    let network = NameMap::of_network(&weights.root().enter("net"), |name| {
        let diffusers = name.replace("input_blocks.1.1.", "down_blocks.0.attentions.0.");
        vec![diffusers]
    });
    for name in [
        "lora_unet_input_blocks_1_1_to_q",
        "lora_unet_down_blocks_0_attentions_0_to_q",
        "lycoris_down_blocks_0_attentions_0_to_q",
        "diffusion_model.input_blocks.1.1.to_q",
        "unet.down_blocks.0.attentions.0.processor.to_q",
        "down_blocks.0.attentions.0.processor.to_q",
    ] {
        let tensor = network.get(name).map(String::as_str);
        assert_eq!(tensor, Some("net.input_blocks.1.1.to_q.weight"), "{name}");
    }
    let bias = network.get("diffusion_model.norm.bias");
    assert_eq!(bias.map(String::as_str), Some("net.norm.bias"));
    for (key, is_second, names) in [
        (
            "clip_l",
            false,
            &[
                "lora_te_text_model_encoder_layers_0_mlp_fc1",
                "lora_te1_text_model_encoder_layers_0_mlp_fc1",
                "text_encoder.text_model.encoder.layers.0.mlp.fc1",
                "text_encoders.clip_l.transformer.text_model.encoder.layers.0.mlp.fc1",
                "lora_te1_text_projection",
            ][..],
        ),
        (
            "clip_g",
            true,
            &[
                "lora_te2_text_model_encoder_layers_0_mlp_fc1",
                "text_encoder_2.text_model.encoder.layers.0.mlp.fc1",
                "lora_te2_text_projection",
            ],
        ),
        (
            "clip_g",
            false,
            &[
                "lora_te_text_model_encoder_layers_0_mlp_fc1",
                "lora_prior_te_text_model_encoder_layers_0_mlp_fc1",
                "lora_prior_te_text_projection",
            ],
        ),
    ] {
        let map = NameMap::of_text_encoder(&weights.root().enter("text"), key, is_second);
        for name in names {
            assert!(map.get(name).is_some(), "{key}: {name}");
        }
    }
}

#[test]
fn files_change_the_tensors_that_they_name() {
    let weights = Weights::open(&comfy_fixtures::checkpoint("sd15_tiny")).unwrap();
    let network = weights.root().enter("model.diffusion_model");
    let text = weights.root().enter("cond_stage_model.transformer");
    let file = PatchFile::open(&comfy_fixtures::path("loras/ref_lora_tiny.safetensors")).unwrap();
    let names = NameMap::of_network(&network, |_| Vec::new());
    assert!(!names.is_empty() && names.len() > 500);
    let half = Patches::default().with(&file, 0.5, &names).unwrap();
    let of_text = NameMap::of_text_encoder(&text, "clip_l", false);
    let patches = half.with(&file, 0.5, &of_text).unwrap();
    let adapters = file.adapters(&of_text).unwrap();
    let changed: Vec<&String> = adapters.keys().collect();
    assert!(
        changed
            .iter()
            .all(|name| name.starts_with("cond_stage_model.transformer.text_model"))
    );
    assert!(!changed.is_empty() && !patches.are(&half) && patches.are(&patches.clone()));
    let name = changed[0];
    let plain = weights.root().values(name).unwrap();
    let scope = weights.root().patched(&patches);
    assert_ne!(scope.values(name).unwrap(), plain);
    // Twice half of a change is the whole of it.
    let whole = Patches::default().with(&file, 1.0, &of_text).unwrap();
    let twice = Patches::default()
        .with(&file, 0.5, &of_text)
        .unwrap()
        .with(&file, 0.5, &of_text)
        .unwrap();
    let [whole, twice] =
        [whole, twice].map(|patches| weights.root().patched(&patches).values(name).unwrap());
    assert!(relative_l2(&whole, &twice) < 1e-6);
    // And minus a change takes it back.
    let none = Patches::default()
        .with(&file, 1.0, &of_text)
        .unwrap()
        .with(&file, -1.0, &of_text)
        .unwrap();
    assert!(relative_l2(&weights.root().patched(&none).values(name).unwrap(), &plain) < 1e-6);
}

#[test]
fn weights_are_rounded_last() {
    let weights = Arc::new(Weights::open(&comfy_fixtures::checkpoint("sd15_tiny")).unwrap());
    let name = "out.2.weight";
    let source = TensorSource::new(&weights, "model.diffusion_model", Rounding::None);
    let plain = source.scope().values(name).unwrap();
    for (rounding, round) in [
        (
            Rounding::Half,
            (|value| f16::from_f32(value).to_f32()) as fn(f32) -> f32,
        ),
        (Rounding::Brain, |value| bf16::from_f32(value).to_f32()),
    ] {
        // A change that comes after the rounding was asked for counts before it.
        let patches = Patches::default().rounded(rounding);
        let patches = patches.scaled(&[(name.to_owned(), 0.3)]);
        let got = source.patched(patches).scope().values(name).unwrap();
        let wanted: Vec<f32> = plain.iter().map(|value| round(value * 0.3)).collect();
        assert_eq!(got, wanted, "{rounding:?}");
    }
}

#[test]
fn a_model_goes_part_of_the_way_to_another() {
    let open = |name: &str| {
        let weights = Arc::new(Weights::open(&comfy_fixtures::checkpoint(name)).unwrap());
        TensorSource::new(&weights, "model.diffusion_model", Rounding::None)
    };
    let (own, other) = (open("sd15_tiny"), open("sd15_tiny_b"));
    let name = "out.2.weight";
    let values = |patches: Patches| own.patched(patches).scope().values(name).unwrap();
    let [plain, target] = [&own, &other].map(|source| source.scope().values(name).unwrap());
    let patches = Patches::default().scaled(&[(name.to_owned(), 2.0)]);
    // The way begins where the model was without any change, and is added to what other changes have made.
    for (got, (plain, target)) in values(patches.towards(&other, 0.25))
        .iter()
        .zip(plain.iter().zip(&target))
    {
        let wanted = plain * 2.0 + 0.25 * (target - plain);
        assert!(
            (got - wanted).abs() <= 1e-6 * wanted.abs().max(1e-3),
            "{got} {wanted}"
        );
    }
    assert!(
        !patches
            .towards(&other, 0.25)
            .are(&patches.towards(&other, 0.5))
    );
    assert!(
        patches
            .towards(&other, 0.25)
            .are(&patches.towards(&other, 0.25))
    );
}
