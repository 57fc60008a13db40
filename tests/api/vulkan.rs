//! A workflow of each family of models on a Vulkan device, software or not.

use std::time::{Duration, Instant};

use comfy_nodes::device::{DevicePlan, DeviceRequest};
use comfy_tests::picture;
use comfy_tests::recorded::place_models;
use comfy_tests::server::TestServer;
use comfy_tests::skipped;

/// One for each family, and for what is computed beside a model. All of them have the same small size, so that they share most kernels.
const WORKFLOWS: [&str; 5] = [
    "txt2img",
    "controlnet",
    "sd2_vpred",
    "sdxl_txt2img",
    "esrgan_upscale",
];

/// Each new shape of a matrix product or convolution is compiled on first use, which takes a software driver seconds; Mesa keeps what it
/// compiled in its own cache in the user's cache directory, so a second run is faster.
#[test]
fn every_family_on_vulkan() {
    let request = DeviceRequest::Vulkan;
    if let Err(error) = DevicePlan::survey(request) {
        skipped(&format!(
            "no Vulkan device on this machine ({error}), no workflow was run on one"
        ));
        return;
    }
    let server = TestServer::start_with(|config| config.device = request, |_| {});
    let client = server.client();
    let device = client.get_json("/system_stats")["devices"][0].clone();
    eprintln!("on {device}");
    for name in WORKFLOWS {
        let start = Instant::now();
        place_models(&server, name);
        let prompt = comfy_fixtures::json(&format!("workflows/{name}/prompt.json"));
        let entry = client.wait_within(&client.queue_prompt(&prompt), Duration::from_mins(40));
        assert_eq!(
            entry["status"]["status_str"], "success",
            "{}",
            entry["status"]
        );
        let got = picture::decode(&client.pictures_of(&entry)[0]);
        let want = picture::decode(&comfy_fixtures::bytes(&format!(
            "workflows/{name}/out0.png"
        )));
        let what = format!("{name} on Vulkan");
        let difference = comfy_fixtures::assert_same_picture(&what, &got.pixels, &want.pixels);
        eprintln!("{what}: {:.1?}, {difference:?}", start.elapsed());
    }
}
