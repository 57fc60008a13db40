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
    let resident = Resident::new(&residency, "number", |_| 0, load);
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
    let resident = Resident::new(&residency, "text", |_| 0, |_| Ok(Arc::<str>::from("hello")));
    let used = resident.get().unwrap();
    residency.unload_all();
    assert_eq!(&*used, "hello");
}

#[test]
fn a_failed_load_is_tried_again() {
    let resident = Resident::<str>::new(
        &Residency::default(),
        "never",
        |_| 0,
        |_| Err(Error::input("no")),
    );
    assert!(resident.get().is_err());
    assert!(resident.get().is_err());
    assert!(!resident.is_loaded());
}

#[test]
fn dropped_handles_leave_the_list() {
    let residency = Residency::default();
    for _ in 0..10 {
        Resident::new(&residency, "dropped", |_| 0, |_| Ok(Arc::new(1)));
    }
    assert!(lock(&residency.inner.slots).len() <= 1);
}

/// A value of so many bytes that counts how often it is loaded.
struct Toy {
    handle: Resident<str>,
    loads: Arc<AtomicUsize>,
}

impl Toy {
    fn new(residency: &Residency, name: &'static str, bytes: u64) -> Self {
        let loads = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&loads);
        let load = move |room: &Arc<Room>| {
            count.fetch_add(1, Ordering::SeqCst);
            room.take(bytes);
            Ok(Arc::<str>::from(name))
        };
        Self {
            handle: Resident::new(residency, name, move |_| bytes, load),
            loads,
        }
    }

    fn use_it(&self) {
        self.handle.get().unwrap();
    }

    fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }
}

fn residency(budget: u64, keeping: Keeping) -> (Residency, Arc<AtomicUsize>) {
    let releases = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&releases);
    let plan = MemoryPlan {
        budget,
        is_chosen: true,
        keeping,
    };
    let release = move || {
        count.fetch_add(1, Ordering::SeqCst);
    };
    (Residency::new(plan, Width::Single, release), releases)
}

#[test]
fn those_used_longest_ago_leave_first() {
    let (residency, releases) = residency(100, Keeping::UntilRoomIsNeeded);
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| Toy::new(&residency, name, 30));
    for toy in [&a, &b, &c, &a] {
        toy.use_it();
    }
    assert_eq!(
        (residency.in_use(), releases.load(Ordering::SeqCst)),
        (90, 0)
    );
    d.use_it();
    assert_eq!(residency.loaded(), ["a", "c", "d"]);
    b.use_it();
    assert_eq!(residency.loaded(), ["a", "b", "d"]);
    a.use_it();
    assert_eq!([&a, &b, &c, &d].map(Toy::loads), [1, 2, 1, 1]);
    assert_eq!(
        (residency.in_use(), releases.load(Ordering::SeqCst)),
        (90, 2)
    );
    // One large one takes the place of several.
    let large = Toy::new(&residency, "large", 65);
    large.use_it();
    assert_eq!(residency.loaded(), ["a", "large"]);
    assert_eq!(residency.make_room(20), 35);
    assert_eq!(residency.loaded(), ["large"]);
}

#[test]
fn what_is_in_use_stays_and_counts_until_it_is_gone() {
    let (residency, _) = residency(100, Keeping::UntilRoomIsNeeded);
    let [a, b] = ["a", "b"].map(|name| Toy::new(&residency, name, 60));
    let used = a.handle.get().unwrap();
    b.use_it();
    assert_eq!(
        (residency.loaded(), residency.in_use()),
        (vec!["a".to_owned(), "b".to_owned()], 120)
    );
    assert_eq!(residency.unload_all(), 2);
    assert_eq!(residency.in_use(), 60);
    drop(used);
    assert_eq!(residency.in_use(), 0);
    // A handle that goes takes its value with it.
    b.use_it();
    drop(b);
    assert_eq!(residency.in_use(), 0);
}

#[test]
fn a_failed_load_leaves_its_room_to_others() {
    let (residency, _) = residency(100, Keeping::UntilRoomIsNeeded);
    let fail = |room: &Arc<Room>| {
        room.take(50);
        Err(Error::input("no"))
    };
    assert!(
        Resident::<str>::new(&residency, "never", |_| 90, fail)
            .get()
            .is_err()
    );
    assert_eq!((residency.in_use(), residency.make_room(100)), (0, 100));
}

#[test]
fn room_is_kept_for_what_is_being_loaded() {
    let (residency, _) = residency(100, Keeping::UntilRoomIsNeeded);
    let seen = Arc::new(AtomicUsize::new(0));
    let (inner, saw) = (residency.clone(), Arc::clone(&seen));
    let load = move |_: &Arc<Room>| {
        saw.store(inner.make_room(100) as usize, Ordering::SeqCst);
        Ok(Arc::<str>::from("loaded"))
    };
    Resident::new(&residency, "slow", |_| 70, load)
        .get()
        .unwrap();
    assert_eq!(seen.load(Ordering::SeqCst), 30);
}

#[test]
fn one_model_at_a_time_or_all_of_them() {
    for (keeping, kept) in [
        (Keeping::OneModel, vec!["b"]),
        (Keeping::NoParts, vec!["b"]),
        (Keeping::UntilRoomIsNeeded, vec!["a", "b"]),
    ] {
        let (residency, _) = residency(100, keeping);
        let [a, b] = ["a", "b"].map(|name| Toy::new(&residency, name, 10));
        a.use_it();
        b.use_it();
        assert_eq!(residency.loaded(), kept, "{keeping:?}");
    }
    let residency = Residency::default();
    let toys = ["a", "b", "c"].map(|name| Toy::new(&residency, name, u64::MAX / 4));
    toys.iter().for_each(Toy::use_it);
    assert_eq!(residency.loaded().len(), 3);
}

#[test]
fn parts_stay_while_there_is_room_and_are_loaded_anew_without() {
    let bytes = 64 * 4;
    let (residency, _) = residency(3 * bytes, Keeping::UntilRoomIsNeeded);
    let weights = Weights::open(&comfy_fixtures::checkpoint("taesd_decoder")).unwrap();
    let device = crate::device::ComputeDevice::cpu();
    let loads = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&loads);
    let load = move |room: &Arc<Room>| {
        let scope = weights.root().in_room(room);
        let part = |_| {
            let (device, count) = (device.clone(), Arc::clone(&count));
            Part::new(&scope.enter("1"), move |scope| {
                count.fetch_add(1, Ordering::SeqCst);
                scope.tensor::<1>("bias", [64], &device)
            })
        };
        Ok(Arc::new((0..5).map(part).collect::<Vec<_>>()))
    };
    let blocker = Toy::new(&residency, "blocker", bytes);
    let held = blocker.handle.get().unwrap();
    let resident = Resident::new(&residency, "parts", move |_| 5 * bytes, load);
    let network = resident.get().unwrap();
    assert_eq!(
        (loads.load(Ordering::SeqCst), residency.in_use()),
        (0, bytes)
    );
    let run = || {
        let values = |part: &Part<_>| {
            let part: Use<'_, burn::tensor::Tensor<1>> = part.get().unwrap();
            assert!(residency.in_use() <= 4 * bytes, "one beyond the budget");
            part.clone().into_data()
        };
        network.iter().map(values).collect::<Vec<_>>()
    };
    let first = run();
    assert_eq!(
        (loads.load(Ordering::SeqCst), residency.in_use()),
        (5, 3 * bytes)
    );
    assert_eq!(run(), first);
    assert_eq!(loads.load(Ordering::SeqCst), 8);
    // When the other one is gone a third part may stay.
    drop(held);
    residency.make_room(bytes);
    assert!(!blocker.handle.is_loaded());
    resident.get().unwrap();
    run();
    run();
    assert_eq!(
        (loads.load(Ordering::SeqCst), residency.in_use()),
        (13, 3 * bytes)
    );
}
