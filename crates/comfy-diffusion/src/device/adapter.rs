//! The graphics adapters of this machine.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use burn::tensor::DeviceKind as AdapterSelector;
use burn::tensor::wgpu::WgpuBackend;
use burn::tensor::wgpu::wgpu;

/// A native graphics interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GraphicsApi {
    /// Vulkan: Linux, Windows, Android.
    Vulkan,
    /// Metal: macOS and iOS.
    Metal,
    /// Direct3D 12: Windows.
    Dx12,
}

impl GraphicsApi {
    /// All of them, best first.
    pub(super) const ALL: [Self; 3] = [Self::Vulkan, Self::Metal, Self::Dx12];

    fn backend(self) -> wgpu::Backend {
        match self {
            Self::Vulkan => wgpu::Backend::Vulkan,
            Self::Metal => wgpu::Backend::Metal,
            Self::Dx12 => wgpu::Backend::Dx12,
        }
    }

    /// The runtime's name for it.
    pub(super) fn runtime(self) -> WgpuBackend {
        match self {
            Self::Vulkan => WgpuBackend::Vulkan,
            Self::Metal => WgpuBackend::Metal,
            Self::Dx12 => WgpuBackend::Dx12,
        }
    }
}

impl fmt::Display for GraphicsApi {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Vulkan => "vulkan",
            Self::Metal => "metal",
            Self::Dx12 => "dx12",
        })
    }
}

/// What sort of part an adapter is, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AdapterClass {
    /// A card with its own memory.
    Discrete,
    /// A graphics unit beside the processor.
    Integrated,
    /// A card passed to a virtual machine.
    Virtual,
    /// A part whose driver does not say what it is.
    Other,
    /// A driver that computes on the processor.
    Software,
}

/// One adapter, as seen through one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// The interface.
    pub api: GraphicsApi,
    /// The sort of part.
    pub class: AdapterClass,
    /// The part's name, as its driver gives it.
    pub name: String,
    /// The driver's name and version, as far as it gives them.
    pub driver: String,
    /// The bytes of memory that it has for itself, where it does and its interface tells.
    pub memory: Option<u64>,
    /// The bytes of the largest tensor that it can hold.
    pub largest_tensor: u64,
    /// Its place among the adapters of its class on its interface.
    index: usize,
}

impl Adapter {
    /// Whether this is a driver that computes on the processor.
    pub fn is_software(&self) -> bool {
        self.class == AdapterClass::Software
    }

    /// How the runtime addresses this adapter: the n-th of its class on its interface.
    pub(super) fn selector(&self) -> AdapterSelector {
        match self.class {
            AdapterClass::Discrete => AdapterSelector::DiscreteGpu(self.index),
            AdapterClass::Integrated => AdapterSelector::IntegratedGpu(self.index),
            AdapterClass::Virtual => AdapterSelector::VirtualGpu(self.index),
            AdapterClass::Software => AdapterSelector::Cpu,
            AdapterClass::Other => AdapterSelector::DefaultDevice,
        }
    }
}

/// The adapters that answer through these interfaces. Nothing is opened; a machine without a loader library or a driver has none.
pub fn adapters(apis: &[GraphicsApi]) -> Vec<Adapter> {
    // Loaders have crashed when instances come and go on several threads at once.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    apis.iter()
        .flat_map(|&api| {
            // A broken driver must not take the program down.
            catch_unwind(AssertUnwindSafe(|| describe(api))).unwrap_or_else(|_| {
                tracing::warn!(%api, "asking for adapters failed inside the driver's library");
                Vec::new()
            })
        })
        .collect()
}

fn describe(api: GraphicsApi) -> Vec<Adapter> {
    let backends = wgpu::Backends::from(api.backend());
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let mut found: Vec<Adapter> = Vec::new();
    for adapter in ready(instance.enumerate_adapters(backends)).unwrap_or_default() {
        let info = adapter.get_info();
        let class = class_of(info.device_type);
        let limits = adapter.limits();
        let has_own_memory = matches!(class, AdapterClass::Discrete | AdapterClass::Virtual);
        let index = found.iter().filter(|other| other.class == class).count();
        found.push(Adapter {
            api,
            class,
            name: info.name,
            driver: format!("{} {}", info.driver, info.driver_info)
                .trim()
                .to_owned(),
            memory: has_own_memory.then(|| own_memory(&adapter)).flatten(),
            largest_tensor: limits
                .max_buffer_size
                .min(limits.max_storage_buffer_binding_size),
            index,
        });
    }
    found
}

/// The memory of a card. Only Vulkan tells.
#[expect(
    unsafe_code,
    reason = "the safe interface knows nothing of memory, and the driver's own functions are unsafe to call"
)]
fn own_memory(adapter: &wgpu::Adapter) -> Option<u64> {
    /// The mark of memory that is the card's own.
    const DEVICE_LOCAL: u32 = 1;
    // SAFETY: the handles live as long as the adapter, which outlives this function, and are only asked for properties.
    let heaps = unsafe {
        let inner = adapter.as_hal::<wgpu::hal::api::Vulkan>()?;
        let instance = inner.shared_instance().raw_instance();
        instance.get_physical_device_memory_properties(inner.raw_physical_device())
    };
    let count = (heaps.memory_heap_count as usize).min(heaps.memory_heaps.len());
    let own = heaps.memory_heaps[..count]
        .iter()
        .filter(|heap| heap.flags.as_raw() & DEVICE_LOCAL != 0);
    own.map(|heap| heap.size).max()
}

fn class_of(device_type: wgpu::DeviceType) -> AdapterClass {
    match device_type {
        wgpu::DeviceType::DiscreteGpu => AdapterClass::Discrete,
        wgpu::DeviceType::IntegratedGpu => AdapterClass::Integrated,
        wgpu::DeviceType::VirtualGpu => AdapterClass::Virtual,
        wgpu::DeviceType::Cpu => AdapterClass::Software,
        wgpu::DeviceType::Other => AdapterClass::Other,
    }
}

/// The value of a future that native platforms complete at the first poll.
fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

#[cfg(test)]
impl Adapter {
    /// An adapter that need not exist.
    pub(super) fn imagined(api: GraphicsApi, class: AdapterClass, name: &str) -> Self {
        Self {
            api,
            class,
            name: name.to_owned(),
            driver: String::new(),
            memory: None,
            largest_tensor: u64::MAX,
            index: 0,
        }
    }
}
