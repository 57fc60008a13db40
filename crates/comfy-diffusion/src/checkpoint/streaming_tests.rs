//! Models that are larger than the budget compute what they compute otherwise, to the bit.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use burn::tensor::{Tensor, TensorData};
use comfy_fixtures::{checkpoint, golden};

use super::{Checkpoint, open_checkpoint, open_control_net};
use crate::device::{ComputeDevice, Keeping, MemoryRequest};
use crate::models::NetworkInput;
use crate::weights::patch::PatchFile;

/// Room for some parts of the network, not for all.
const SMALL: u64 = 4 << 20;

fn device(budget: Option<u64>, keeping: Keeping) -> ComputeDevice {
    ComputeDevice::cpu_with(MemoryRequest {
        budget,
        reserve: None,
        keeping,
    })
}

fn recorded<const D: usize>(name: &str) -> Tensor<D> {
    let (shape, values) = golden("forward_sd15_tiny").tensor(&format!("fwd.{name}"));
    let shape: [usize; D] = shape.try_into().unwrap();
    let device = ComputeDevice::cpu();
    Tensor::from_data(TensorData::new(values, shape), device.tensor_device())
}

fn input() -> NetworkInput {
    NetworkInput {
        x: recorded("x"),
        timesteps: recorded("timesteps"),
        context: Some(recorded("context")),
        label: None,
        hooks: None,
    }
}

/// What a device computes with text encoder, network, changed network, control net and autoencoder of the tiny checkpoint, and the most
/// bytes that models took between two of them.
fn results(device: &ComputeDevice) -> (Vec<TensorData>, u64) {
    let Checkpoint { model, clip, vae } =
        open_checkpoint(&checkpoint("sd15_tiny"), device).unwrap();
    let (model, clip, vae) = (model.unwrap(), clip.unwrap(), vae.unwrap());
    let file = comfy_fixtures::path("loras/ref_lora_tiny.safetensors");
    let file = PatchFile::open(&file).unwrap();
    let mut most = 0;
    let mut results = Vec::new();
    let mut add = |data: TensorData| {
        results.push(data);
        most = most.max(device.residency().in_use());
    };
    let forward = |model: &crate::Model| {
        let network = model.network.get().unwrap();
        // The second call finds some parts in memory, others not.
        network.forward(input()).unwrap();
        network.forward(input()).unwrap().into_data()
    };
    add(clip.encode("a cat").unwrap().cond.into_data());
    let changed = clip.with_patches(&file, 0.7).unwrap();
    add(changed.encode("a cat").unwrap().cond.into_data());
    add(forward(&model));
    add(forward(&model.with_patches(&file, 0.7).unwrap()));
    let net = open_control_net(&checkpoint("controlnet_sd15_tiny"), None, device).unwrap();
    let network = net.network(&model).unwrap().get().unwrap();
    let [_, _, height, width] = input().x.dims();
    let [height, width] = network.picture_size([height, width]);
    let picture = Tensor::ones([1, 3, height, width], device.tensor_device()) * 0.3;
    let read = network.read(picture, None).unwrap();
    let residuals = network.residuals(read, None, input()).unwrap();
    for residual in residuals
        .output
        .into_iter()
        .chain(residuals.middle)
        .flatten()
    {
        add(residual.into_data());
    }
    drop(network);
    let latent = recorded::<4>("x").narrow(0, 0, 1);
    let picture = vae.decode(latent).unwrap();
    add(picture.clone().into_data());
    add(vae.encode(picture).unwrap().into_data());
    (results, most)
}

#[test]
fn streamed_models_equal_those_in_memory() {
    let (whole, most) = results(&device(Some(1 << 40), Keeping::UntilRoomIsNeeded));
    assert!(most > 8 * SMALL, "{most}");
    let (streamed, most) = results(&device(Some(SMALL), Keeping::UntilRoomIsNeeded));
    assert!(
        streamed == whole,
        "parts that come and go give other values"
    );
    assert!(
        most <= SMALL + (1 << 20),
        "{most} bytes with a budget of {SMALL}"
    );
    let (streamed, most) = results(&device(None, Keeping::NoParts));
    assert!(
        streamed == whole,
        "without parts in memory there are other values"
    );
    assert!(most <= 3 << 20, "{most} bytes stay");
}
