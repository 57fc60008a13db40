//! A whole workflow on a Vulkan device, software or not.

use std::time::{Duration, Instant};

use comfy_nodes::device::{DevicePlan, DeviceRequest};
use comfy_tests::picture;
use comfy_tests::server::TestServer;
use comfy_tests::skipped;

/// Each new shape of a matrix product or convolution is compiled on first use, which takes a software driver seconds; Mesa keeps what it
/// compiled in its own cache in the user's cache directory, so a second run is faster.
#[test]
fn txt2img_on_vulkan() {
    let request = DeviceRequest::Vulkan;
    if let Err(error) = DevicePlan::survey(request) {
        skipped(&format!(
            "no Vulkan device on this machine ({error}), the workflow was not run on one"
        ));
        return;
    }
    let server = TestServer::start_with(|config| config.device = request, |_| {});
    let client = server.client();
    let device = client.get_json("/system_stats")["devices"][0].clone();
    let start = Instant::now();
    let prompt = comfy_fixtures::json("workflows/txt2img/prompt.json");
    let entry = client.wait_within(&client.queue_prompt(&prompt), Duration::from_mins(40));
    assert_eq!(
        entry["status"]["status_str"], "success",
        "{}",
        entry["status"]
    );
    eprintln!("txt2img on {device}: {:?}", start.elapsed());
    let got = picture::decode(&client.pictures_of(&entry)[0]);
    let want = picture::decode(&comfy_fixtures::bytes("workflows/txt2img/out0.png"));
    let difference =
        comfy_fixtures::assert_same_picture("txt2img on Vulkan", &got.pixels, &want.pixels);
    eprintln!("{difference:?}");
}
