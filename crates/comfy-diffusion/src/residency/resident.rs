//! Handles to what is loaded when it is used.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError, Weak};

use super::{Residency, Room, Unload, lock};
use crate::error::Result;
use crate::weights::patch::{Blend, Change, NameMap, PatchFile, Patches};
use crate::weights::{Rounding, Scope, TensorSource, Weights, Width};

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
    loader: Option<Loader<T>>,
    loaded: Mutex<Option<Loaded<T>>>,
    last_use: AtomicU64,
    /// Whether it must be loaded to be computed with exactly.
    is_exact: AtomicBool,
}

/// Where a value comes from.
struct Loader<T: ?Sized> {
    residency: Residency,
    /// The bytes that it will take, about.
    footprint: Box<dyn Fn(Width) -> u64 + Send + Sync>,
    load: Load<T>,
}

/// A value and the memory that it takes.
struct Loaded<T: ?Sized> {
    value: Arc<T>,
    room: Arc<Room>,
}

type Load<T> = Box<dyn Fn(&Arc<Room>) -> Result<Arc<T>> + Send + Sync>;
type PatchedLoad<T> = Box<dyn Fn(&TensorSource) -> Result<Arc<T>> + Send + Sync>;

impl<T: ?Sized + Send + Sync + 'static> Resident<T> {
    /// A value called `name` in logs, which `load` makes, listed in `residency`. It takes about as many bytes as `footprint` says, and
    /// tells the room that it is given what it really takes.
    pub fn new(
        residency: &Residency,
        name: impl Into<String>,
        footprint: impl Fn(Width) -> u64 + Send + Sync + 'static,
        load: impl Fn(&Arc<Room>) -> Result<Arc<T>> + Send + Sync + 'static,
    ) -> Self {
        let slot = Arc::new(Slot {
            name: name.into(),
            loader: Some(Loader {
                residency: residency.clone(),
                footprint: Box::new(footprint),
                load: Box::new(load),
            }),
            loaded: Mutex::new(None),
            last_use: AtomicU64::new(0),
            is_exact: AtomicBool::new(false),
        });
        residency.list(Arc::downgrade(&slot) as Weak<dyn Unload>);
        Self {
            slot,
            origin: None,
            patches: Patches::default(),
        }
    }

    /// As [`Resident::new`], for a value that is made of a whole file.
    pub fn of_file(
        residency: &Residency,
        name: impl Into<String>,
        weights: Arc<Weights>,
        load: impl Fn(&Scope) -> Result<Arc<T>> + Send + Sync + 'static,
    ) -> Self {
        let whole = Arc::clone(&weights);
        let footprint = move |width| whole.root().footprint(width);
        Self::new(residency, name, footprint, move |room| {
            load(&weights.root().in_room(room))
        })
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

    /// A handle to the same with several changes one after the other, each with its strength. Those without strength are left out; without
    /// any, or where the value is not made of weights, it is the same value.
    ///
    /// # Errors
    ///
    /// If a file cannot be read.
    pub fn changed(&self, changes: &[(Change<'_>, f64)]) -> Result<Self> {
        let Some(origin) = &self.origin else {
            return Ok(self.clone());
        };
        let mut patches = self.patches.clone();
        for (change, strength) in changes.iter().filter(|(_, strength)| *strength != 0.0) {
            patches = match change {
                Change::File(file) => {
                    patches.with(file, *strength, &(origin.names)(&origin.source))?
                }
                Change::Towards(source) => patches.towards(source, *strength),
            };
        }
        Ok(Origin::make(origin, patches))
    }

    /// A handle to the same with factors for the tensors whose names end so; nothing where the value is not made of weights.
    pub fn scaled(&self, factors: &[(String, f64)]) -> Option<Self> {
        let origin = self.origin.as_ref()?;
        Some(Origin::make(origin, self.patches.scaled(factors)))
    }

    /// A handle to the same whose values are rounded after all changes; nothing where the value is not made of weights.
    pub fn rounded(&self, rounding: Rounding) -> Option<Self> {
        let origin = self.origin.as_ref()?;
        Some(Origin::make(origin, self.patches.rounded(rounding)))
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
                loader: None,
                loaded: Mutex::new(Some(Loaded {
                    value,
                    room: Arc::default(),
                })),
                last_use: AtomicU64::new(0),
                is_exact: AtomicBool::new(false),
            }),
            origin: None,
            patches: Patches::default(),
        }
    }

    /// The value, loaded now if it is not there. Who holds the result keeps the value in memory.
    ///
    /// # Errors
    ///
    /// What loading gives.
    pub fn get(&self) -> Result<Arc<T>> {
        let slot = &self.slot;
        let mut loaded = lock(&slot.loaded);
        let loader = slot.loader.as_ref();
        if let Some(loader) = loader {
            slot.last_use
                .store(loader.residency.tick(), Ordering::Relaxed);
        }
        if let Some(Loaded { value, room }) = loaded.as_ref() {
            if let Some(loader) = loader.filter(|_| room.is_short()) {
                loader.residency.widen(room);
            }
            return Ok(Arc::clone(value));
        }
        let loader = loader.expect("a value without a way to load it is never unloaded");
        let started = std::time::Instant::now();
        let room = {
            let is_exact = slot.is_exact.load(Ordering::Relaxed);
            let residency = &loader.residency;
            let width = if is_exact {
                residency.inner.exact_width
            } else {
                residency.width
            };
            residency.admit((loader.footprint)(width), is_exact)
        };
        let value = (loader.load)(&room)?;
        let weak = Arc::downgrade(&value);
        room.settle(move || weak.strong_count() > 0);
        tracing::info!(
            name = %slot.name, milliseconds = started.elapsed().as_millis() as u64, bytes = room.used(),
            is_whole = !room.is_short(), "loaded"
        );
        *loaded = Some(Loaded {
            value: Arc::clone(&value),
            room,
        });
        Ok(value)
    }

    /// Says whether the value is to be computed with exactly, where the device would do it otherwise ([`Room::is_exact`]). If that is new,
    /// the value is unloaded, and this is true. A value that cannot be loaded again stays as it is.
    pub fn set_exact(&self, is_exact: bool) -> bool {
        let slot = &self.slot;
        let is_new =
            slot.loader.is_some() && slot.is_exact.swap(is_exact, Ordering::Relaxed) != is_exact;
        if is_new {
            slot.unload();
        }
        is_new
    }

    /// Whether the value is to be computed with exactly.
    pub fn is_exact(&self) -> bool {
        self.slot.is_exact.load(Ordering::Relaxed)
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
        lock(&self.slot.loaded).is_some()
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
            let changed = Arc::new(move || {
                let origin: Arc<Self> = source
                    .upgrade()
                    .expect("every handle to a value keeps its origin");
                let source = origin.source.patched(changes.clone());
                (origin, source)
            });
            let same = Arc::clone(&changed);
            let footprint = move |width| same().1.scope().footprint(width);
            let fresh = Resident::new(&origin.residency, name, footprint, move |room| {
                let (origin, source) = changed();
                (origin.load)(&source.in_room(room))
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

impl<T: ?Sized + Send + Sync> Unload for Slot<T> {
    fn unload(&self) -> bool {
        self.loader.is_some() && lock(&self.loaded).take().is_some()
    }

    fn leave(&self) -> Option<String> {
        self.loader.as_ref()?;
        // One that is being loaded is in use.
        let mut loaded = match self.loaded.try_lock() {
            Ok(loaded) => loaded,
            Err(TryLockError::Poisoned(error)) => PoisonError::into_inner(error),
            Err(TryLockError::WouldBlock) => return None,
        };
        if Arc::strong_count(&loaded.as_ref()?.value) > 1 {
            return None;
        }
        loaded.take().map(|_| self.name.clone())
    }

    fn loaded_name(&self) -> Option<String> {
        lock(&self.loaded).is_some().then(|| self.name.clone())
    }

    fn last_use(&self) -> u64 {
        self.last_use.load(Ordering::Relaxed)
    }
}
