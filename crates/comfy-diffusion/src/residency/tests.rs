use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::error::Error;
use crate::weights::patch::{Blend, NameMap, PatchFile};
use crate::weights::{Rounding, TensorSource, Weights};

#[test]
fn loads_once_and_again_after_unloading() {
    let loads = Arc::new(AtomicUsize::new(0));
    let residency = Residency::default();
    let count = Arc::clone(&loads);
    let load = move |_: &_| Ok(Arc::new(count.fetch_add(1, Ordering::SeqCst)));
    let resident = Resident::new(&residency, "number", || 0, load);
    let other = resident.clone();
    assert_eq!(residency.unload_all(), 0);
    assert_eq!((*resident.get().unwrap(), *other.get().unwrap()), (0, 0));
    assert_eq!(residency.loaded(), ["number"]);
    assert_eq!(residency.unload_all(), 1);
    assert!(!other.is_loaded());
    assert_eq!(*other.get().unwrap(), 1);
}

#[test]
fn the_same_changes_are_merged_once() {
    let loads = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&loads);
    let residency = Residency::default();
    let file = comfy_fixtures::path("loras/ref_lora_tiny.safetensors");
    let weights = Arc::new(Weights::open(&file).unwrap());
    let resident = Resident::of_weights(
        &residency,
        "number",
        TensorSource::new(&weights, "", Rounding::None),
        |_| NameMap::default(),
        move |_| Ok(Arc::new(count.fetch_add(1, Ordering::SeqCst))),
    );
    let patched = |resident: &Resident<usize>, strength| {
        let file = PatchFile::open(&file).unwrap();
        resident.patched(&file, strength).unwrap().unwrap()
    };
    let first = patched(&resident, 0.5);
    let again = patched(&resident, 0.5);
    assert_eq!(first.get().unwrap(), again.get().unwrap());
    let other = patched(&resident, 0.25).get().unwrap();
    let twice = patched(&first, 0.5).get().unwrap();
    let plain = resident.get().unwrap();
    assert_eq!([*other, *twice, *plain], [1, 2, 3]);
    let merged = |ratio| {
        let other = first.source().unwrap();
        let merged = resident.merged(other, Blend::all(ratio, 1.0 - ratio));
        *merged.unwrap().get().unwrap()
    };
    // Nobody holds the first of these any more when the second is made, unless it is the same.
    let kept = resident
        .merged(first.source().unwrap(), Blend::all(0.5, 0.5))
        .unwrap();
    assert_eq!([*kept.get().unwrap(), merged(0.5), merged(0.25)], [4, 4, 5]);
    assert!(
        Resident::ready(Arc::new(1))
            .patched(&PatchFile::open(&file).unwrap(), 1.0)
            .unwrap()
            .is_none()
    );
}

#[test]
fn a_value_in_use_outlives_its_unloading() {
    let residency = Residency::default();
    let resident = Resident::new(&residency, "text", || 0, |_| Ok(Arc::<str>::from("hello")));
    let used = resident.get().unwrap();
    residency.unload_all();
    assert_eq!(&*used, "hello");
}

#[test]
fn a_failed_load_is_tried_again() {
    let resident =
        Resident::<str>::new(&Residency::default(), "never", || 0, |_| Err(Error::input("no")));
    assert!(resident.get().is_err());
    assert!(resident.get().is_err());
    assert!(!resident.is_loaded());
}

#[test]
fn dropped_handles_leave_the_list() {
    let residency = Residency::default();
    for _ in 0..10 {
        Resident::new(&residency, "dropped", || 0, |_| Ok(Arc::new(1)));
    }
    assert!(lock(&residency.inner.slots).len() <= 1);
}
