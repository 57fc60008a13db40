//! Whole workflows through the registry on the processor, against the pictures that `ComfyUI` made of them.
//!
//! Here a few lines stand in for the engine: nodes run in the order in which they are asked for, each once.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failing test may panic, and figures are worth seeing"
)]

mod extraction;
mod hooks;
mod photo_maker;
mod workshop;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use comfy_diffusion::weights::Weights;
use comfy_graph::{Json, NodeError, Value};
use comfy_nodes::pictures::{ReadLimits, read};
use comfy_nodes::runtime::PreviewMethod;
use comfy_nodes::sockets::{Image, Latent};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize};
use serde_json::json;
use workshop::Workshop;

fn pixels(path: &Path) -> Vec<u8> {
    read(path, &ReadLimits::default())
        .unwrap()
        .frames
        .remove(0)
        .rgb
}

/// Runs a recorded workflow that needs these files besides the usual checkpoint, and compares each picture.
fn check_with(name: &str, files: &[&str]) {
    for file in files {
        comfy_fixtures::checkpoint(file);
    }
    check(name);
}

/// Runs a recorded workflow and compares each picture.
fn check(name: &str) {
    let workshop = Workshop::new(PreviewMethod::None);
    let prompt = comfy_fixtures::json(&format!("workflows/{name}/prompt.json"));
    let images = workshop.run(&prompt, "9", &mut HashMap::new()).unwrap();
    for (index, item) in images.iter().enumerate() {
        let recorded = pixels(&comfy_fixtures::path(&format!(
            "workflows/{name}/out{index}.png"
        )));
        let difference =
            comfy_fixtures::assert_same_picture(name, &pixels(&workshop.path_of(item)), &recorded);
        println!("{name} {index}: {difference:?}");
    }
    assert!(!images.is_empty());
}

#[test]
fn the_default_workflow() {
    check("txt2img_96x72");
}

#[test]
fn a_picture_as_the_start() {
    check("img2img");
}

#[test]
fn two_samplers_share_the_way() {
    check("advanced_two_stage");
}

#[test]
fn pictures_are_scaled() {
    for method in ["nearest-exact", "bilinear", "area", "bicubic", "lanczos"] {
        check(&format!("img_scale_{method}"));
        check(&format!("img_scale_down_{method}"));
    }
}

#[test]
fn latents_are_scaled_and_sampled_again() {
    for method in ["nearest-exact", "bilinear", "area", "bicubic"] {
        check(&format!("latent_upscale_{method}"));
    }
    check("hires_fix_bislerp");
}

#[test]
fn masked_parts_are_made_anew() {
    check("inpaint_encode");
    check("inpaint_noise_mask");
}

#[test]
fn every_family_makes_its_picture() {
    check_with("sd2_eps", &["sd2_tiny"]);
    check_with("sd2_vpred", &["sd2_v_tiny"]);
    check_with("sd2_vpred_karras_dpmpp2m", &["sd2_v_tiny"]);
    check_with("sdxl_txt2img", &["sdxl_tiny"]);
    check_with("sdxl_textencode_sdxl", &["sdxl_tiny"]);
}

/// The parts of the checkpoint as files of a folder, opened by `DiffusersLoader`.
#[test]
fn a_pipeline_folder_makes_the_recorded_picture() {
    let workshop = Workshop::new(PreviewMethod::None);
    let folder = workshop.base.path().join("models/diffusers/pipeline");
    let checkpoint = Weights::open(&comfy_fixtures::checkpoint("sd15_tiny")).unwrap();
    for (prefix, file) in [
        (
            "model.diffusion_model.",
            "unet/diffusion_pytorch_model.safetensors",
        ),
        (
            "first_stage_model.",
            "vae/diffusion_pytorch_model.safetensors",
        ),
        (
            "cond_stage_model.transformer.",
            "text_encoder/model.safetensors",
        ),
    ] {
        let names = checkpoint.names(prefix).map(str::to_owned);
        let tensors = names.map(|name| {
            let shape = checkpoint.shape(&name).unwrap().to_vec();
            let values = checkpoint.values(&name).unwrap();
            let bytes: Vec<u8> = values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect();
            (name[prefix.len()..].to_owned(), shape, bytes)
        });
        let tensors: Vec<_> = tensors.collect();
        let views = tensors.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap();
            (name.as_str(), view)
        });
        let path = folder.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, serialize(views, None).unwrap()).unwrap();
    }
    std::fs::write(folder.join("model_index.json"), "{}").unwrap();
    let mut prompt = comfy_fixtures::json("workflows/txt2img/prompt.json");
    prompt["4"] = json!({"class_type": "DiffusersLoader", "inputs": {"model_path": "pipeline"}});
    let images = workshop.run(&prompt, "9", &mut HashMap::new()).unwrap();
    let recorded = pixels(&comfy_fixtures::path("workflows/txt2img/out0.png"));
    let made = pixels(&workshop.path_of(&images[0]));
    comfy_fixtures::assert_same_picture("a folder", &made, &recorded);
}

#[test]
fn inpainting_models_see_what_is_kept() {
    check_with("inpaint_model_9ch", &["sd15_inpaint_tiny"]);
    check("inpaint_model_cond");
}

#[test]
fn weights_are_changed_by_lora() {
    check("lora");
}

#[test]
fn models_are_merged() {
    check_with("merge_simple", &["sd15_tiny_b"]);
    check_with("merge_blocks", &["sd15_tiny_b"]);
}

#[test]
fn a_merged_model_is_saved_and_opened_again() {
    comfy_fixtures::checkpoint("sd15_tiny_b");
    let workshop = Workshop::new(PreviewMethod::None);
    let mut prompt = comfy_fixtures::json("workflows/merge_simple/prompt.json");
    let merged = prompt["3"]["inputs"]["model"].clone();
    prompt["60"] = json!({"class_type": "CheckpointSave", "inputs": {
        "model": merged, "clip": ["4", 1], "vae": ["4", 2], "filename_prefix": "checkpoints/merged"}});
    workshop.run(&prompt, "60", &mut HashMap::new()).unwrap();
    let file = workshop.runtime.folders().output_dir();
    let file = file.join("checkpoints/merged_00001_.safetensors");
    let saved = comfy_diffusion::weights::Weights::open(&file).unwrap();
    let texts = saved.metadata();
    assert_eq!(texts["modelspec.predict_key"], "epsilon");
    assert!(texts["prompt"].contains("ModelMergeSimple") && texts.contains_key("workflow"));

    let mut prompt = comfy_fixtures::json("workflows/merge_simple/prompt.json");
    prompt["4"]["inputs"]["ckpt_name"] = json!("merged_00001_.safetensors");
    prompt["3"]["inputs"]["model"] = json!(["4", 0]);
    let images = workshop.run(&prompt, "9", &mut HashMap::new()).unwrap();
    let recorded = pixels(&comfy_fixtures::path("workflows/merge_simple/out0.png"));
    let got = pixels(&workshop.path_of(&images[0]));
    let difference = comfy_fixtures::assert_same_picture("saved", &got, &recorded);
    println!("saved: {difference:?}");
}

#[test]
fn text_encoders_and_autoencoders_are_saved_alone() {
    let workshop = Workshop::new(PreviewMethod::None);
    let prompt = json!({
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd15_tiny.safetensors"}},
        "5": {"class_type": "CLIPSave", "inputs": {"clip": ["4", 1], "filename_prefix": "clip/own"}},
        "6": {"class_type": "VAESave", "inputs": {"vae": ["4", 2], "filename_prefix": "vae/own"}},
        "7": {"class_type": "ModelSave", "inputs": {"model": ["4", 0], "filename_prefix": "diffusion_models/own"}},
        "8": {"class_type": "CLIPLoader", "inputs": {
            "clip_name": "own_clip_l_00001_.safetensors", "type": "stable_diffusion"}},
        "9": {"class_type": "VAELoader", "inputs": {"vae_name": "own_00001_.safetensors"}},
        "10": {"class_type": "UNETLoader", "inputs": {
            "unet_name": "own_00001_.safetensors", "weight_dtype": "default"}},
    });
    let mut done = HashMap::new();
    for node in 5..=10 {
        workshop.run(&prompt, &node.to_string(), &mut done).unwrap();
    }
}

#[test]
fn pictures_steer_the_model() {
    for name in ["controlnet", "controlnet_chain", "controlnet_range"] {
        check_with(name, &["controlnet_sd15_tiny"]);
    }
}

/// The latent after one step of the usual prompt at 128 pixels, with more nodes, and inputs of the sampler changed.
fn sampled(workshop: &Workshop, more: &Json, changed: &Json) -> Vec<f32> {
    let mut prompt = comfy_fixtures::json("workflows/txt2img/prompt.json");
    let prompt_nodes = prompt.as_object_mut().unwrap();
    prompt_nodes.extend(more.as_object().unwrap().clone());
    prompt["3"]["inputs"]["steps"] = json!(1);
    prompt["5"]["inputs"]["width"] = json!(128);
    let sampler = prompt["3"]["inputs"].as_object_mut().unwrap();
    sampler.extend(changed.as_object().unwrap().clone());
    let mut done = HashMap::new();
    workshop.run(&prompt, "3", &mut done).unwrap();
    let latent: Latent = done["3"][0].get().unwrap();
    latent.samples.into_data().try_into_vec().unwrap()
}

#[test]
fn words_are_put_into_boxes() {
    comfy_fixtures::checkpoint("gligen_tiny");
    let workshop = Workshop::new(PreviewMethod::None);
    let plain = sampled(&workshop, &json!({}), &json!({}));
    let boxed = |x: u32| {
        let more = json!({
            "20": {"class_type": "GLIGENLoader", "inputs": {"gligen_name": "gligen_tiny.safetensors"}},
            "21": {"class_type": "GLIGENTextBoxApply", "inputs": {
                "conditioning_to": ["6", 0], "clip": ["4", 1], "gligen_textbox_model": ["20", 0],
                "text": "a red (hat:1.2)", "width": 64, "height": 32, "x": x, "y": 0,
            }},
        });
        sampled(&workshop, &more, &json!({"positive": ["21", 0]}))
    };
    let left = boxed(0);
    assert!(left != plain && left != boxed(64) && left == boxed(7));
}

#[test]
fn a_hypernetwork_changes_the_picture() {
    let workshop = Workshop::new(PreviewMethod::None);
    let with = |strength: f64| {
        let more = json!({"20": {"class_type": "HypernetworkLoader", "inputs": {
            "model": ["4", 0], "hypernetwork_name": "tiny.pt", "strength": strength,
        }}});
        sampled(&workshop, &more, &json!({"model": ["20", 0]}))
    };
    let plain = sampled(&workshop, &json!({}), &json!({}));
    let unchanged = with(0.0);
    assert!(comfy_fixtures::relative_l2(&unchanged, &plain) < 1e-4);
    assert!(comfy_fixtures::relative_l2(&with(0.7), &plain) > 1e-3);
}

#[test]
fn every_way_to_apply_a_control_net() {
    comfy_fixtures::checkpoint("controlnet_sd15_tiny");
    let workshop = Workshop::new(PreviewMethod::None);
    let loaded = json!({
        "20": {"class_type": "LoadImage", "inputs": {"image": "ref_img.png"}},
        "21": {"class_type": "ControlNetLoader", "inputs": {"control_net_name": "controlnet_sd15_tiny.safetensors"}},
        "22": {"class_type": "SetUnionControlNetType", "inputs": {"control_net": ["21", 0], "type": "depth"}},
    });
    let with = |class: &str, inputs: Json, outputs: &Json| {
        let mut more = loaded.clone();
        let mut all = json!({"control_net": ["22", 0], "image": ["20", 0], "strength": 0.7});
        let given = all.as_object_mut().unwrap();
        given.extend(inputs.as_object().unwrap().clone());
        more["23"] = json!({"class_type": class, "inputs": all});
        sampled(&workshop, &more, outputs)
    };
    let both = json!({"positive": ["23", 0], "negative": ["23", 1]});
    let prompts = json!({"positive": ["6", 0], "negative": ["7", 0], "start_percent": 0.0, "end_percent": 1.0});
    let advanced = with("ControlNetApplyAdvanced", prompts.clone(), &both);
    let plain = sampled(&workshop, &json!({}), &json!({}));
    assert!(comfy_fixtures::relative_l2(&advanced, &plain) > 1e-3);

    let mut more = prompts.clone();
    more["vae"] = json!(["4", 2]);
    assert_eq!(with("ControlNetApplySD3", more.clone(), &both), advanced);
    more["mask"] = json!(["20", 1]);
    let inpainting = with("ControlNetInpaintingAliMamaApply", more, &both);
    assert_eq!(inpainting, advanced);
    // The negative prompt gets what only the positive one was given.
    let one = json!({"conditioning": ["6", 0]});
    let old = with("ControlNetApply", one, &json!({"positive": ["23", 0]}));
    assert_eq!(old, advanced);

    let mut never = prompts;
    never["start_percent"] = json!(0.9);
    assert_eq!(with("ControlNetApplyAdvanced", never, &both), plain);
}

#[test]
fn tiny_and_tiled_autoencoders() {
    let files = ["taesd_encoder", "taesd_decoder"];
    check_with("taesd_decode", &files);
    check_with("taesd_roundtrip", &files);
    check("vae_decode_tiled");
}

#[test]
fn pictures_are_enlarged_by_a_model() {
    check_with("esrgan_upscale", &["esrgan_x4_tiny"]);
}

#[test]
fn prompts_are_changed_and_joined() {
    for name in [
        "area",
        "area_pct",
        "average",
        "combine",
        "concat",
        "mask",
        "timestep_range",
        "zero_out",
    ] {
        check(&format!("cond_{name}"));
    }
}

#[test]
fn samplers_are_put_together_from_parts() {
    for name in [
        "basic_sched",
        "denoised_out",
        "disable_noise",
        "dual_cfg",
        "karras",
    ] {
        check(&format!("custom_adv_{name}"));
    }
    for name in ["custom_basic_guider", "custom_perpneg", "sampler_custom"] {
        check(name);
    }
}

#[test]
fn models_are_guided_in_other_ways() {
    for name in [
        "apg",
        "cfg_zero_star",
        "fresca",
        "mahiro",
        "pag",
        "rescale_cfg",
        "sag",
        "tcfg",
    ] {
        check(&format!("model_{name}"));
    }
}

#[test]
fn models_are_changed_inside() {
    for name in [
        "downscale",
        "easycache",
        "freeu",
        "freeu_v2",
        "hypertile",
        "tome",
        "unet_cross_attn_mult",
        "unet_self_attn_mult",
    ] {
        check(&format!("model_{name}"));
    }
}

#[test]
fn levels_and_predictions_mean_something_else() {
    for name in ["discrete_v", "lcm"] {
        check(&format!("model_model_sampling_{name}"));
    }
}

#[test]
fn samplers_have_settings() {
    for name in [
        "dpm_adaptive",
        "dpmpp_2m_sde_heun",
        "dpmpp_3m_sde",
        "dpmpp_sde",
        "er_sde",
        "euler_anc",
        "lms",
    ] {
        check(&format!("sampler_node_{name}"));
    }
}

#[test]
fn the_prompt_is_in_the_picture() {
    let workshop = Workshop::new(PreviewMethod::None);
    let prompt = json!({
        "1": {"class_type": "LoadImage", "inputs": {"image": "ref_img.png"}},
        "9": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "sub/é %width%_%batch_num%"}}
    });
    let images = workshop.run(&prompt, "9", &mut HashMap::new()).unwrap();
    assert_eq!(
        images,
        [json!({"filename": "é 64_0_00001_.png", "subfolder": "sub", "type": "output"})]
    );
    let again = workshop.run(&prompt, "9", &mut HashMap::new()).unwrap();
    assert_eq!(
        again[0]["filename"], "é 64_0_00002_.png",
        "nothing that was saved is lost"
    );
    let file = std::fs::read(workshop.path_of(&images[0])).unwrap();
    let reader = png::Decoder::new(std::io::Cursor::new(file))
        .read_info()
        .unwrap();
    let texts: Vec<_> = reader
        .info()
        .uncompressed_latin1_text
        .iter()
        .map(|chunk| (chunk.keyword.as_str(), chunk.text.as_str()))
        .collect();
    assert_eq!(texts[0].0, "prompt");
    assert!(
        texts[0]
            .1
            .contains(r#""filename_prefix": "sub/\u00e9 %width%_%batch_num%""#),
        "{}",
        texts[0].1
    );
    assert_eq!(texts[1], ("workflow", r#"{"version": 0.4}"#));
    assert_eq!(
        workshop.runtime.opened_device().map(|_| ()),
        None,
        "pictures need no device"
    );
    assert!(workshop.base.path().join("output/sub").is_dir());
}

#[test]
fn previews_and_interrupts() {
    let workshop = Workshop::new(PreviewMethod::Auto);
    let prompt = comfy_fixtures::json("workflows/txt2img/prompt.json");
    let steps = prompt["3"]["inputs"]["steps"].as_u64().unwrap();
    let mut done = HashMap::new();
    workshop.run(&prompt, "3", &mut done).unwrap();
    let progress = std::mem::take(&mut *workshop.watcher.progress.lock().unwrap());
    assert_eq!(
        progress
            .iter()
            .map(|(value, max, _)| (*value, *max))
            .collect::<Vec<_>>(),
        (1..=steps).map(|step| (step, steps)).collect::<Vec<_>>()
    );
    for (_, _, preview) in progress {
        let picture = image::load_from_memory(&preview.unwrap().bytes).unwrap();
        assert_eq!((picture.width(), picture.height()), (512, 512));
    }
    assert!(workshop.runtime.unload_models() > 0);

    done.remove("3");
    workshop.watcher.stop_after.store(2, Ordering::Relaxed);
    assert_eq!(
        workshop.run(&prompt, "3", &mut done).unwrap_err(),
        NodeError::Interrupted
    );
    assert_eq!(workshop.watcher.progress.lock().unwrap().len(), 2);
}

#[test]
fn a_prompt_can_ask_for_previews_of_its_own() {
    let shown = |method, asked: &str| {
        let mut workshop = Workshop::new(method);
        let watcher = Arc::get_mut(&mut workshop.watcher).unwrap();
        watcher.preview_method = Some(Json::from(asked));
        let prompt = comfy_fixtures::json("workflows/txt2img/prompt.json");
        workshop.run(&prompt, "3", &mut HashMap::new()).unwrap();
        let progress = std::mem::take(&mut *workshop.watcher.progress.lock().unwrap());
        progress.iter().all(|(_, _, preview)| preview.is_some())
    };
    assert!(shown(PreviewMethod::None, "latent2rgb"));
    assert!(!shown(PreviewMethod::Auto, "none"));
    assert!(shown(PreviewMethod::Auto, "default"));
}

#[test]
fn values_that_are_not_numbers_are_never_saved() {
    let workshop = Workshop::new(PreviewMethod::None);
    let mut values = vec![0.5; 4 * 4 * 3];
    values[7] = f32::NAN;
    let image = Image::from_values(values, [1, 4, 4, 3]).unwrap();
    for class in ["SaveImage", "PreviewImage"] {
        let mut done = HashMap::from([("1".to_owned(), vec![Value::new(image.clone())])]);
        let prompt = json!({"9": {"class_type": class, "inputs": {"images": ["1", 0], "filename_prefix": "x"}}});
        let error = workshop.run(&prompt, "9", &mut done).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("1 of 48 values that are not numbers"),
            "{error}"
        );
    }
    let latent = Latent::zeros([1, 4, 8, 8]).unwrap();
    let broken = Latent {
        samples: latent.samples / 0.0,
        ..latent
    };
    let mut done = HashMap::from([("1".to_owned(), vec![Value::new(broken)])]);
    let prompt = json!({
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd15_tiny.safetensors"}},
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["1", 0], "vae": ["4", 2]}}
    });
    let error = workshop.run(&prompt, "8", &mut done).unwrap_err();
    assert!(error.to_string().contains("not"), "{error}");
}

#[test]
fn missing_files_and_bad_names_are_errors() {
    let workshop = Workshop::new(PreviewMethod::None);
    let run = |class: &str, inputs: Json| {
        let prompt = json!({"9": {"class_type": class, "inputs": inputs}});
        workshop.run(&prompt, "9", &mut HashMap::new()).unwrap_err()
    };
    let kind = |error: &NodeError| match error {
        NodeError::Failed { kind, .. } => kind.clone(),
        other => panic!("{other}"),
    };
    let error = run(
        "CheckpointLoaderSimple",
        json!({"ckpt_name": "../../../etc/passwd"}),
    );
    assert_eq!(kind(&error), "FileNotFoundError");
    assert_eq!(
        error.to_string(),
        "Model in folder 'checkpoints' with filename '../../../etc/passwd' not found."
    );
    assert_eq!(
        kind(&run("VAELoader", json!({"vae_name": "none.pt"}))),
        "FileNotFoundError"
    );
    assert_eq!(
        kind(&run("LoadImage", json!({"image": "none.png"}))),
        "FileNotFoundError"
    );
    assert_eq!(
        kind(&run("LoadImage", json!({"image": "../secret.png"}))),
        "ValueError"
    );
    std::fs::write(workshop.base.path().join("input/text.png"), "no picture").unwrap();
    assert_eq!(
        kind(&run("LoadImage", json!({"image": "text.png"}))),
        "PIL.UnidentifiedImageError"
    );

    let mut done = HashMap::new();
    let prompt = json!({
        "1": {"class_type": "LoadImage", "inputs": {"image": "ref_img.png"}},
        "9": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "../../x"}}
    });
    let error = workshop.run(&prompt, "9", &mut done).unwrap_err();
    assert_eq!(kind(&error), "Exception");
    assert!(
        error
            .to_string()
            .starts_with("**** ERROR: Saving image outside the output folder is not allowed.")
    );
}

#[test]
fn load_image_is_checked_and_fingerprinted_before_it_runs() {
    let workshop = Workshop::new(PreviewMethod::None);
    let class = workshop.registry.get("LoadImage").unwrap();
    let with = |name: &str, test: &dyn Fn(&comfy_graph::Constants<'_>)| {
        let inputs = json!({"image": name});
        test(&comfy_graph::Constants::new(inputs.as_object().unwrap()));
    };
    with("ref_img.png", &|constants| {
        assert_eq!(class.check(constants, &workshop.services), Ok(()));
        let hash = class.fingerprint(constants, &workshop.services).unwrap();
        assert_eq!(hash.as_str().unwrap().len(), 64);
    });
    for name in [
        "missing.png",
        "../../etc/passwd",
        "",
        "ref_img.png [output]",
    ] {
        with(name, &|constants| {
            assert_eq!(
                class.check(constants, &workshop.services),
                Err(format!("Invalid image file: {name}"))
            );
        });
    }
}
