use std::cell::Cell;

use burn::tensor::TensorData;

use super::*;
use crate::device::MemoryRequest;

/// The autoencoder of the tiny checkpoint on a device with so many bytes.
fn autoencoder(budget: Option<u64>) -> Vae {
    let device = ComputeDevice::cpu_with(MemoryRequest {
        budget,
        ..MemoryRequest::default()
    });
    Vae::open(&comfy_fixtures::checkpoint("sd15_tiny"), &device).unwrap()
}

fn waves<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..count)
        .map(|n| (n as f32 * 0.37).sin() * 0.4 + 0.5)
        .collect();
    let device = ComputeDevice::cpu();
    Tensor::from_data(TensorData::new(values, shape), device.tensor_device())
}

#[test]
fn what_is_too_large_is_done_in_tiles() {
    let (small, large) = (autoencoder(Some(1 << 20)), autoencoder(None));
    let latents = waves([1, 4, 20, 72]);
    let tiled = large.decode_tiled(latents.clone(), 64, 16).unwrap();
    assert_eq!(
        small.decode(latents.clone()).unwrap().into_data(),
        tiled.clone().into_data()
    );
    assert_ne!(
        large.decode(latents).unwrap().into_data(),
        tiled.into_data()
    );

    let pictures = waves([1, 64, 576, 3]);
    let tiled = large.encode_tiled(pictures.clone(), 512, 64).unwrap();
    assert_eq!(
        small.encode(pictures.clone()).unwrap().into_data(),
        tiled.clone().into_data()
    );
    assert_ne!(
        large.encode(pictures).unwrap().into_data(),
        tiled.into_data()
    );
    assert!(small.device.residency().in_use() <= 1 << 20);
}

#[test]
fn what_is_no_larger_than_a_tile_is_not_divided() {
    let (small, large) = (autoencoder(Some(1)), autoencoder(None));
    let latents = waves([2, 4, 8, 16]);
    assert_eq!(
        small.decode(latents.clone()).unwrap().into_data(),
        large.decode(latents).unwrap().into_data()
    );
}

/// Runs work that needs `Demand`s of 100 bytes per cell, a tenth of it in one tensor, and gives the tilings that were tried.
fn tried(
    size: [usize; 2],
    tiles: Tiling,
    device: &ComputeDevice,
    fail: impl Fn(Option<Tiling>) -> Result<()>,
) -> (Vec<Option<[usize; 2]>>, Result<()>) {
    let tried = Cell::new(Vec::new());
    let work = Work {
        doing: "test",
        tiles,
        demand: &|[height, width]| Demand {
            total: (height * width * 100) as u64,
            largest: (height * width * 10) as u64,
        },
        compute: &|item, tiling| {
            let mut list = tried.take();
            list.push(tiling.map(|tiling| tiling.tile));
            tried.set(list);
            fail(tiling).map(|()| item.clone())
        },
    };
    let item = Tensor::zeros([1, 1, size[0], size[1]], device.tensor_device());
    let result = work.run(&item, device).map(|_| ());
    (tried.take(), result)
}

#[test]
fn a_device_without_memory_is_asked_for_less() {
    let device = ComputeDevice::cpu();
    let out = |tiling: Option<Tiling>| match tiling {
        None => Err(Error::OutOfMemory("all is taken".to_owned())),
        Some(_) => Ok(()),
    };
    let (seen, result) = tried([100, 20], DECODED_TILES, &device, out);
    assert_eq!(seen, [None, Some([64, 64])]);
    assert!(result.is_ok());
    // Tiles would not help.
    let (seen, result) = tried([64, 20], DECODED_TILES, &device, out);
    assert_eq!(seen, [None]);
    assert!(matches!(result, Err(Error::OutOfMemory(_))));
    // The library panics where it cannot allocate.
    let (seen, result) = tried([100, 20], DECODED_TILES, &device, |tiling| {
        assert!(tiling.is_some(), "can't allocate buffer of size: 5");
        Ok(())
    });
    assert_eq!(seen.len(), 2);
    assert!(result.is_ok());
    let (seen, result) = tried([100, 20], DECODED_TILES, &device, |_| {
        Err(Error::input("something else"))
    });
    assert_eq!(seen.len(), 1);
    assert!(matches!(result, Err(Error::Input(_))));
}

#[test]
fn tiles_are_halved_until_the_device_can_hold_their_tensors() {
    let work = Work {
        doing: "test",
        tiles: DECODED_TILES,
        demand: &|[height, width]| Demand {
            total: 0,
            largest: (height * width) as u64,
        },
        compute: &|item, _| Ok(item.clone()),
    };
    let tile = |limit| (work.tiles_for(limit).tile[0], work.tiles_for(limit).overlap);
    assert_eq!(tile(64 * 64), (64, 16));
    assert_eq!(tile(64 * 64 - 1), (32, 8));
    assert_eq!(tile(32 * 32 - 1), (16, 4));
    assert_eq!(tile(1), (16, 4));
}
