//! What is loaded on a device, and how it is unloaded while handles to it stay valid.
//!
//! A handle ([`Resident`]) knows how to load its value and does so when it is first asked for. [`Residency`] is the list of all
//! handles of one device: unloading drops the values, and the next use loads them again.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::error::Result;
use crate::weights::TensorSource;
use crate::weights::patch::{Blend, NameMap, PatchFile, Patches};

/// A value that is loaded when first used and can be unloaded; cloning gives another handle to the same value.
pub struct Resident<T: ?Sized> {
    slot: Arc<Slot<T>>,
    /// How the same is made of changed weights, where that is known.
    origin: Option<Arc<Origin<T>>>,
    /// What was changed about the weights of this one.
    patches: Patches,
}

/// Makes values of weights with changes.
struct Origin<T: ?Sized> {
    residency: Residency,
    name: String,
    /// The weights, without changes.
    source: TensorSource,
    names: Box<dyn Fn(&TensorSource) -> NameMap + Send + Sync>,
    load: PatchedLoad<T>,
    /// Those that were made, so that the same changes are merged once.
    made: Mutex<Vec<(Patches, Weak<Slot<T>>)>>,
}

struct Slot<T: ?Sized> {
    name: String,
    /// `None` for a value that was given, which cannot be loaded again and is never unloaded.
    load: Option<Load<T>>,
    value: Mutex<Option<Arc<T>>>,
}

type Load<T> = Box<dyn Fn() -> Result<Arc<T>> + Send + Sync>;
type PatchedLoad<T> = Box<dyn Fn(&TensorSource) -> Result<Arc<T>> + Send + Sync>;

impl<T: ?Sized + Send + Sync + 'static> Resident<T> {
    /// A value called `name` in logs, which `load` makes, listed in `residency`.
    pub fn new(
        residency: &Residency,
        name: impl Into<String>,
        load: impl Fn() -> Result<Arc<T>> + Send + Sync + 'static,
    ) -> Self {
        let slot = Arc::new(Slot {
            name: name.into(),
            load: Some(Box::new(load)),
            value: Mutex::new(None),
        });
        residency.list(Arc::downgrade(&slot) as Weak<dyn Unload>);
        Self {
            slot,
            origin: None,
            patches: Patches::default(),
        }
    }

    /// As [`Resident::new`], for a value that is made of the weights of `source` and can be made of changed ones too. `names` gives what
    /// they are called in files of changes.
    pub fn of_weights(
        residency: &Residency,
        name: impl Into<String>,
        source: TensorSource,
        names: impl Fn(&TensorSource) -> NameMap + Send + Sync + 'static,
        load: impl Fn(&TensorSource) -> Result<Arc<T>> + Send + Sync + 'static,
    ) -> Self {
        let origin = Origin {
            residency: residency.clone(),
            name: name.into(),
            source,
            names: Box::new(names),
            load: Box::new(load),
            made: Mutex::new(Vec::new()),
        };
        Origin::make(&Arc::new(origin), Patches::default())
    }

    /// A handle to the same with the changes of a file; nothing where the value is not made of weights.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn patched(&self, file: &PatchFile, strength: f64) -> Result<Option<Self>> {
        let Some(origin) = &self.origin else {
            return Ok(None);
        };
        let names = (origin.names)(&origin.source);
        let patches = self.patches.with(file, strength, &names)?;
        Ok(Some(Origin::make(origin, patches)))
    }

    /// A handle to the same, blended with other weights; nothing where the value is not made of weights.
    pub fn merged(&self, other: TensorSource, blend: Blend) -> Option<Self> {
        let origin = self.origin.as_ref()?;
        Some(Origin::make(origin, self.patches.with_model(other, blend)))
    }

    /// The weights with their changes, where the value is made of weights.
    pub fn source(&self) -> Option<TensorSource> {
        let origin = self.origin.as_ref()?;
        Some(origin.source.patched(self.patches.clone()))
    }

    /// A value that is there already and stays.
    pub fn ready(value: Arc<T>) -> Self {
        Self {
            slot: Arc::new(Slot {
                name: String::new(),
                load: None,
                value: Mutex::new(Some(value)),
            }),
            origin: None,
            patches: Patches::default(),
        }
    }

    /// The value, loaded now if it is not there. Who holds the result keeps the value in memory.
    pub fn get(&self) -> Result<Arc<T>> {
        let mut value = lock(&self.slot.value);
        if let Some(value) = value.as_ref() {
            return Ok(Arc::clone(value));
        }
        let load = self
            .slot
            .load
            .as_ref()
            .expect("a value without a way to load it is never unloaded");
        let started = std::time::Instant::now();
        let loaded = load()?;
        tracing::info!(name = %self.slot.name, milliseconds = started.elapsed().as_millis() as u64, "loaded");
        *value = Some(Arc::clone(&loaded));
        Ok(loaded)
    }

    /// What was changed about the weights that it is made of.
    pub fn patches(&self) -> &Patches {
        &self.patches
    }

    /// Whether both are handles to the same value.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.slot, &other.slot)
    }

    /// Whether no other handle to the value is left.
    pub fn is_only_handle(&self) -> bool {
        Arc::strong_count(&self.slot) == 1
    }

    /// Whether the value is in memory.
    pub fn is_loaded(&self) -> bool {
        lock(&self.slot.value).is_some()
    }
}

impl<T: ?Sized + Send + Sync + 'static> Origin<T> {
    /// The value with these changes: the one that is there, if any handle to it is left, else a new one.
    fn make(origin: &Arc<Self>, patches: Patches) -> Resident<T> {
        let mut made = lock(&origin.made);
        made.retain(|(_, slot)| slot.strong_count() > 0);
        let known = made.iter().find(|(known, _)| known.are(&patches));
        let slot = known.and_then(|(_, slot)| slot.upgrade());
        let slot = slot.unwrap_or_else(|| {
            let (source, changes) = (Arc::downgrade(origin), patches.clone());
            let name = if patches.is_empty() {
                origin.name.clone()
            } else {
                format!("{} with {patches:?}", origin.name)
            };
            let fresh = Resident::new(&origin.residency, name, move || {
                let origin = source
                    .upgrade()
                    .expect("every handle to a value keeps its origin");
                (origin.load)(&origin.source.patched(changes.clone()))
            });
            made.push((patches.clone(), Arc::downgrade(&fresh.slot)));
            fresh.slot
        });
        Resident {
            slot,
            origin: Some(Arc::clone(origin)),
            patches,
        }
    }
}

impl<T: ?Sized> Clone for Resident<T> {
    fn clone(&self) -> Self {
        Self {
            slot: Arc::clone(&self.slot),
            origin: self.origin.clone(),
            patches: self.patches.clone(),
        }
    }
}

impl<T: ?Sized> fmt::Debug for Resident<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Resident")
            .field("name", &self.slot.name)
            .finish_non_exhaustive()
    }
}

/// Everything that may be loaded on one device. Clones are the same list.
#[derive(Clone, Default)]
pub struct Residency {
    slots: Arc<Mutex<Vec<Weak<dyn Unload>>>>,
}

impl Residency {
    /// Unloads everything and says how many values that were. A value that is in use at this moment is freed when its user is done.
    pub fn unload_all(&self) -> usize {
        // Unloading takes each value's own lock, which a load in progress holds: not while the list is locked.
        let slots: Vec<_> = self.slots().iter().filter_map(Weak::upgrade).collect();
        slots.iter().filter(|slot| slot.unload()).count()
    }

    /// The names of all loaded values, in the order in which their handles were made.
    pub fn loaded(&self) -> Vec<String> {
        let slots: Vec<_> = self.slots().iter().filter_map(Weak::upgrade).collect();
        slots.iter().filter_map(|slot| slot.loaded_name()).collect()
    }

    fn list(&self, slot: Weak<dyn Unload>) {
        let mut slots = self.slots();
        slots.retain(|slot| slot.strong_count() > 0);
        slots.push(slot);
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Weak<dyn Unload>>> {
        lock(&self.slots)
    }
}

impl fmt::Debug for Residency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Residency")
            .field("slots", &self.slots().len())
            .finish()
    }
}

/// What the list needs of a slot, whatever its type.
trait Unload: Send + Sync {
    /// Drops the value; false if it was not loaded or cannot be loaded again.
    fn unload(&self) -> bool;
    /// The name, if the value is loaded.
    fn loaded_name(&self) -> Option<String>;
}

impl<T: ?Sized + Send + Sync> Unload for Slot<T> {
    fn unload(&self) -> bool {
        self.load.is_some() && lock(&self.value).take().is_some()
    }

    fn loaded_name(&self) -> Option<String> {
        lock(&self.value).is_some().then(|| self.name.clone())
    }
}

/// A value is either there or not, so a panic elsewhere leaves nothing half-done behind the lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::error::Error;
    use crate::weights::{Rounding, Weights};

    #[test]
    fn loads_once_and_again_after_unloading() {
        let loads = Arc::new(AtomicUsize::new(0));
        let residency = Residency::default();
        let count = Arc::clone(&loads);
        let resident = Resident::new(&residency, "number", move || {
            Ok(Arc::new(count.fetch_add(1, Ordering::SeqCst)))
        });
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
        let resident = Resident::new(&residency, "text", || Ok(Arc::<str>::from("hello")));
        let used = resident.get().unwrap();
        residency.unload_all();
        assert_eq!(&*used, "hello");
    }

    #[test]
    fn a_failed_load_is_tried_again() {
        let resident =
            Resident::<str>::new(&Residency::default(), "never", || Err(Error::input("no")));
        assert!(resident.get().is_err());
        assert!(resident.get().is_err());
        assert!(!resident.is_loaded());
    }

    #[test]
    fn dropped_handles_leave_the_list() {
        let residency = Residency::default();
        for _ in 0..10 {
            Resident::new(&residency, "dropped", || Ok(Arc::new(1)));
        }
        assert!(residency.slots().len() <= 1);
    }
}
