//! Whole workflows: the same pictures and the same history entries as recorded.

use comfy_fixtures::assert_same_picture;
use comfy_tests::difference::{Rule, differences};
use comfy_tests::picture;
use comfy_tests::recorded::place_models;
use serde_json::{Value, json};

use crate::shared::shared;

/// Runs a recorded workflow and compares its history entry and its pictures.
fn check(name: &str) {
    let server = shared();
    place_models(&server, name);
    let client = server.client();
    let prompt = comfy_fixtures::json(&format!("workflows/{name}/prompt.json"));
    let recorded = comfy_fixtures::json(&format!("workflows/{name}/history.json"));
    let body = json!({"prompt": prompt, "client_id": recorded["prompt"][3]["client_id"]});
    let answer = client.post("/prompt", &body).expect(200).json();
    assert_eq!(answer["node_errors"], json!({}), "node errors of {name}");
    let prompt_id = answer["prompt_id"]
        .as_str()
        .expect("a prompt id")
        .to_owned();
    let entry = client.wait_for(&prompt_id);

    let rules = [
        ("prompt.0", Rule::SameType),
        ("prompt.1", Rule::SameType),
        ("**.prompt_id", Rule::SameType),
        ("**.timestamp", Rule::SameType),
        // Counts up with every picture saved, and what is cached depends on the prompts before.
        ("outputs.*.images.*.filename", Rule::SameType),
        ("status.messages.*.*.nodes", Rule::SameType),
    ];
    let found = differences(&entry, &recorded, &rules);
    assert!(
        found.is_empty(),
        "the history entry of {name} differs:\n{}",
        found.join("\n")
    );
    assert_names(&entry, &prompt);

    let pictures = client.pictures_of(&entry);
    for (index, bytes) in pictures.iter().enumerate() {
        let got = picture::decode(bytes);
        let want = picture::decode(&comfy_fixtures::bytes(&format!(
            "workflows/{name}/out{index}.png"
        )));
        assert_eq!(
            (got.width, got.height, got.channels),
            (want.width, want.height, want.channels),
            "size of picture {index} of {name}"
        );
        let difference = assert_same_picture(
            &format!("picture {index} of {name}"),
            &got.pixels,
            &want.pixels,
        );
        eprintln!("{name} picture {index}: {difference:?}");
        let embedded: Value =
            serde_json::from_str(&got.texts["prompt"]).expect("the text chunk is JSON");
        let without_hashes = differences(&embedded, &prompt, &[("*.is_changed", Rule::Present)]);
        let without_hashes: Vec<_> = without_hashes
            .iter()
            .filter(|line| !line.contains(".is_changed: unexpected"))
            .collect();
        assert!(
            without_hashes.is_empty(),
            "the prompt inside picture {index} of {name} differs: {without_hashes:?}"
        );
        assert_eq!(
            got.texts["prompt"].contains("\": \""),
            want.texts["prompt"].contains("\": \""),
            "spaces in the text chunk as Python writes them"
        );
    }
}

/// File names are `<prefix>_<five digits>_.png`, and count up within one output.
fn assert_names(entry: &Value, prompt: &Value) {
    for (node, output) in entry["outputs"].as_object().expect("outputs") {
        let prefix = prompt[node]["inputs"]["filename_prefix"]
            .as_str()
            .expect("a prefix");
        let numbers: Vec<u32> = output["images"]
            .as_array()
            .expect("images")
            .iter()
            .map(|image| {
                let name = image["filename"].as_str().expect("a name");
                let number = name
                    .strip_prefix(&format!("{prefix}_"))
                    .and_then(|rest| rest.strip_suffix("_.png"));
                let number =
                    number.unwrap_or_else(|| panic!("{name} is not {prefix}_<number>_.png"));
                assert_eq!(number.len(), 5, "digits in {name}");
                number
                    .parse()
                    .unwrap_or_else(|_| panic!("{name} has no number"))
            })
            .collect();
        assert!(
            numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
            "numbers of one output: {numbers:?}"
        );
    }
}

macro_rules! workflows {
    ($($test:ident: $folder:literal),* $(,)?) => {
        $(#[test]
        fn $test() {
            check($folder);
        })*

        /// Every recorded workflow has its test above.
        #[test]
        fn none_is_left_out() {
            let mut tested = vec![$($folder),*];
            tested.sort_unstable();
            let folders = std::fs::read_dir(comfy_fixtures::path("workflows")).unwrap();
            let mut recorded: Vec<String> = folders.map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect();
            recorded.sort();
            assert_eq!(tested, recorded);
        }
    };
}

workflows! {
    txt2img: "txt2img",
    txt2img_96x72: "txt2img_96x72",
    txt2img_128: "txt2img_128",
    txt2img_batch2: "txt2img_batch2",
    img2img: "img2img",
    cfg1: "cfg1",
    clip_skip2: "clip_skip2",
    long_prompt: "long_prompt",
    empty_prompts: "empty_prompts",
    advanced_two_stage: "advanced_two_stage",
    dpmpp_2m_karras: "dpmpp_2m_karras",
    dpmpp_2m_sde: "dpmpp_2m_sde",
    hires_fix_bislerp: "hires_fix_bislerp",
    inpaint_encode: "inpaint_encode",
    inpaint_noise_mask: "inpaint_noise_mask",
    latent_upscale_area: "latent_upscale_area",
    latent_upscale_bicubic: "latent_upscale_bicubic",
    latent_upscale_bilinear: "latent_upscale_bilinear",
    latent_upscale_nearest_exact: "latent_upscale_nearest-exact",
    img_scale_area: "img_scale_area",
    img_scale_bicubic: "img_scale_bicubic",
    img_scale_bilinear: "img_scale_bilinear",
    img_scale_lanczos: "img_scale_lanczos",
    img_scale_nearest_exact: "img_scale_nearest-exact",
    img_scale_down_area: "img_scale_down_area",
    img_scale_down_bicubic: "img_scale_down_bicubic",
    img_scale_down_bilinear: "img_scale_down_bilinear",
    img_scale_down_lanczos: "img_scale_down_lanczos",
    img_scale_down_nearest_exact: "img_scale_down_nearest-exact",
    img_batch: "img_batch",
    img_blend_difference: "img_blend_difference",
    img_blend_multiply: "img_blend_multiply",
    img_blend_normal: "img_blend_normal",
    img_blend_overlay: "img_blend_overlay",
    img_blend_screen: "img_blend_screen",
    img_blend_soft_light: "img_blend_soft_light",
    img_blur: "img_blur",
    img_canny: "img_canny",
    img_composite: "img_composite",
    img_crop: "img_crop",
    img_empty_image: "img_empty_image",
    img_flip: "img_flip",
    img_from_batch: "img_from_batch",
    img_invert: "img_invert",
    img_join_alpha: "img_join_alpha",
    img_mask_crop: "img_mask_crop",
    img_mask_feather: "img_mask_feather",
    img_mask_grow: "img_mask_grow",
    img_mask_invert: "img_mask_invert",
    img_mask_shrink: "img_mask_shrink",
    img_mask_threshold: "img_mask_threshold",
    img_mask_to_image: "img_mask_to_image",
    img_morph_dilate: "img_morph_dilate",
    img_pad_outpaint: "img_pad_outpaint",
    img_porterduff: "img_porterduff",
    img_quantize: "img_quantize",
    img_quantize_fs: "img_quantize_fs",
    img_rgb_to_yuv: "img_rgb_to_yuv",
    img_rotate: "img_rotate",
    sd2_eps: "sd2_eps",
    sd2_vpred: "sd2_vpred",
    sd2_vpred_karras_dpmpp2m: "sd2_vpred_karras_dpmpp2m",
    sdxl_txt2img: "sdxl_txt2img",
    sdxl_textencode_sdxl: "sdxl_textencode_sdxl",
    inpaint_model_9ch: "inpaint_model_9ch",
    inpaint_model_cond: "inpaint_model_cond",
    taesd_decode: "taesd_decode",
    taesd_roundtrip: "taesd_roundtrip",
    vae_decode_tiled: "vae_decode_tiled",
    lora: "lora",
    img_scale_by: "img_scale_by",
    img_sharpen: "img_sharpen",
    img_stitch: "img_stitch",
    img_total_pixels: "img_total_pixels",
    cond_area: "cond_area",
    cond_area_pct: "cond_area_pct",
    cond_average: "cond_average",
    cond_combine: "cond_combine",
    cond_concat: "cond_concat",
    cond_mask: "cond_mask",
    cond_timestep_range: "cond_timestep_range",
    cond_zero_out: "cond_zero_out",
    custom_adv_basic_sched: "custom_adv_basic_sched",
    custom_adv_denoised_out: "custom_adv_denoised_out",
    custom_adv_disable_noise: "custom_adv_disable_noise",
    custom_adv_dual_cfg: "custom_adv_dual_cfg",
    custom_adv_karras: "custom_adv_karras",
    custom_basic_guider: "custom_basic_guider",
    custom_perpneg: "custom_perpneg",
    model_apg: "model_apg",
    model_cfg_zero_star: "model_cfg_zero_star",
    model_downscale: "model_downscale",
    model_freeu: "model_freeu",
    model_freeu_v2: "model_freeu_v2",
    model_fresca: "model_fresca",
    model_hypertile: "model_hypertile",
    model_mahiro: "model_mahiro",
    model_model_sampling_discrete_v: "model_model_sampling_discrete_v",
    model_model_sampling_lcm: "model_model_sampling_lcm",
    model_pag: "model_pag",
    model_rescale_cfg: "model_rescale_cfg",
    model_sag: "model_sag",
    model_tcfg: "model_tcfg",
    model_tome: "model_tome",
    model_unet_cross_attn_mult: "model_unet_cross_attn_mult",
    model_unet_self_attn_mult: "model_unet_self_attn_mult",
    sampler_custom: "sampler_custom",
    sampler_node_dpm_adaptive: "sampler_node_dpm_adaptive",
    sampler_node_dpmpp_2m_sde_heun: "sampler_node_dpmpp_2m_sde_heun",
    sampler_node_dpmpp_3m_sde: "sampler_node_dpmpp_3m_sde",
    sampler_node_dpmpp_sde: "sampler_node_dpmpp_sde",
    sampler_node_er_sde: "sampler_node_er_sde",
    sampler_node_euler_anc: "sampler_node_euler_anc",
    sampler_node_lms: "sampler_node_lms",
    controlnet: "controlnet",
    controlnet_chain: "controlnet_chain",
    controlnet_range: "controlnet_range",
    esrgan_upscale: "esrgan_upscale",
    merge_blocks: "merge_blocks",
    merge_simple: "merge_simple",
    model_easycache: "model_easycache",
    add_noise: "add_noise",
    easycache_skips: "easycache_skips",
    instruct_pix2pix: "instruct_pix2pix",
    lora_model_only: "lora_model_only",
    model_continuous_edm: "model_continuous_edm",
    model_differential: "model_differential",
    sampler_node_dpmpp_2s: "sampler_node_dpmpp_2s",
    sampler_node_euler_anc_cfg_pp: "sampler_node_euler_anc_cfg_pp",
    sampler_node_euler_cfg_pp: "sampler_node_euler_cfg_pp",
    sampler_node_lcm_upscale: "sampler_node_lcm_upscale",
    sampler_node_sa_solver: "sampler_node_sa_solver",
    scheduler_ays: "scheduler_ays",
    scheduler_beta: "scheduler_beta",
    scheduler_exponential: "scheduler_exponential",
    scheduler_gits: "scheduler_gits",
    scheduler_laplace: "scheduler_laplace",
    scheduler_optimal: "scheduler_optimal",
    scheduler_polyexponential: "scheduler_polyexponential",
    scheduler_turbo: "scheduler_turbo",
    scheduler_vp: "scheduler_vp",
    sigmas_extended: "sigmas_extended",
    sigmas_first: "sigmas_first",
    sigmas_of_percent: "sigmas_of_percent",
    sigmas_split: "sigmas_split",
    sigmas_split_denoise: "sigmas_split_denoise",
    unsample: "unsample",
}
