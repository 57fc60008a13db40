//! What the application offers to its nodes: devices, folders, stores.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

type Service = (Arc<dyn Any + Send + Sync>, &'static str);

/// At most one value of each type, shared by all nodes. Cheap to clone.
#[derive(Clone, Default)]
pub struct Services {
    by_type: Arc<HashMap<TypeId, Service>>,
}

impl Services {
    /// No service at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Offers `service`, in place of an earlier one of the same type; copies made before do not see it.
    pub fn insert<T: Any + Send + Sync>(&mut self, service: Arc<T>) -> &mut Self {
        Arc::make_mut(&mut self.by_type).insert(TypeId::of::<T>(), (service, type_name::<T>()));
        self
    }

    /// The service of type `T`, if there is one.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let (service, _) = self.by_type.get(&TypeId::of::<T>())?;
        service.clone().downcast().ok()
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<_> = self.by_type.values().map(|(_, name)| *name).collect();
        names.sort_unstable();
        formatter.debug_tuple("Services").field(&names).finish()
    }
}
