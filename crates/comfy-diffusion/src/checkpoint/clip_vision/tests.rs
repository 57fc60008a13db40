use comfy_fixtures::{assert_close, golden};

use super::*;

fn opened(name: &str) -> ClipVision {
    let path = comfy_fixtures::path(&format!("clip_vision/{name}.safetensors"));
    ClipVision::open(&path, &ComputeDevice::cpu()).unwrap()
}

fn pictures() -> Tensor<4> {
    let (shape, values) = golden("clip_vision").tensor("picture");
    let shape: [usize; 4] = shape.try_into().unwrap();
    Tensor::from_data(
        TensorData::new(values, shape),
        ComputeDevice::cpu().tensor_device(),
    )
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

#[test]
fn both_layouts_equal_the_recordings() {
    let golden = golden("clip_vision");
    for name in ["l", "h"] {
        let vision = opened(name);
        for (crop, word) in [(true, "center"), (false, "none")] {
            let got = vision.encode(pictures(), crop).unwrap();
            let recorded = |part: &str| golden.f32(&format!("{name}/{word}/{part}"));
            assert_close(name, &values(got.last), &recorded("last"), 1e-4);
            let penultimate = values(got.penultimate);
            assert_close(name, &penultimate, &recorded("penultimate"), 1e-4);
            assert_close(name, &values(got.summary), &recorded("summary"), 1e-4);
        }
    }
}

#[test]
fn other_files_are_told_apart() {
    let error = ClipVision::open(
        &comfy_fixtures::checkpoint("sd15_tiny"),
        &ComputeDevice::cpu(),
    );
    let error = error.unwrap_err().to_string();
    assert!(error.contains("image encoder of CLIP"), "{error}");
    let none = Tensor::zeros([0, 4, 4, 3], ComputeDevice::cpu().tensor_device());
    assert!(opened("l").encode(none, true).is_err());
}
