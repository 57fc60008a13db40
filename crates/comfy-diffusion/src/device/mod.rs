//! Where tensors live and are computed: choosing a device without opening it, and opening it.
//!
//! [`DevicePlan::survey`] only asks the machine which adapters it has, so a server can say at once what it will use;
//! [`DevicePlan::open`] brings the device up, which may take seconds and may fail, when the first model needs it.

mod adapter;
mod compute;
mod failure;
mod memory;
mod probe;
mod request;
mod self_test;

pub use adapter::{Adapter, AdapterClass, GraphicsApi, adapters};
pub use compute::ComputeDevice;
pub(crate) use failure::{failed, guarded};
pub use memory::{ByteSize, Demand, Keeping, MachineMemory, MemoryPlan, MemoryRequest};
pub use request::DeviceRequest;

use crate::error::{Error, Result};
pub use crate::ops::Precision;

/// Whether a device is the processor or a graphics card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeviceKind {
    /// The processor, through burn's `flex`.
    Cpu,
    /// A graphics card, or a driver that imitates one, through burn's `wgpu`.
    Gpu,
}

/// The device that a request leads to on this machine, chosen but not opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevicePlan {
    /// What was asked for.
    pub request: DeviceRequest,
    /// Processor or graphics card.
    pub kind: DeviceKind,
    /// The interface it is reached through: `cpu`, `vulkan`, `metal` or `dx12`.
    pub api: String,
    /// The name of the part, as its driver gives it.
    pub name: String,
    /// Why this one was taken, in words for a log.
    pub reason: String,
    /// How exactly diffusion networks are computed: in `f16` on cards, else exactly, unless somebody chooses. What a device cannot do less
    /// exactly and faster, or not rightly, it does exactly.
    pub network_precision: Precision,
    /// The memory of models on it.
    pub memory: MemoryPlan,
    /// The adapter to open; `None` for the processor.
    adapter: Option<Adapter>,
}

impl DevicePlan {
    /// Looks at the adapters of this machine and chooses one, without opening it.
    ///
    /// [`DeviceRequest::Auto`] takes the best real graphics card and otherwise the processor. A driver that imitates a graphics
    /// card in software (lavapipe, llvmpipe, `SwiftShader`, WARP) is slower than the processor itself and is taken only if its
    /// interface is asked for by name and no real card answers there.
    ///
    /// # Errors
    ///
    /// If an interface was asked for by name and has no adapter here.
    pub fn survey(request: DeviceRequest) -> Result<Self> {
        if request == DeviceRequest::Cpu {
            return Ok(Self::processor(request, "asked for".to_owned()));
        }
        Self::choose(request, &adapters(request.apis()))
    }

    /// The choice among these adapters.
    fn choose(request: DeviceRequest, found: &[Adapter]) -> Result<Self> {
        let best = found.iter().min_by_key(|adapter| adapter.class);
        match (request, best) {
            (DeviceRequest::Auto, Some(adapter)) if !adapter.is_software() => {
                let reason = format!("the best of {} adapter(s) found", found.len());
                Ok(Self::card(request, adapter, reason))
            }
            (DeviceRequest::Auto, Some(adapter)) => Ok(Self::processor(
                request,
                format!(
                    "the only graphics adapter is {} ({}), a software driver, which is used only when asked for by name",
                    adapter.name, adapter.api
                ),
            )),
            (DeviceRequest::Auto, None) => Ok(Self::processor(
                request,
                format!(
                    "no graphics adapter answers through {}",
                    request.api_names()
                ),
            )),
            (_, Some(adapter)) if adapter.is_software() => Ok(Self::card(
                request,
                adapter,
                "asked for; it is a software driver, slower than the processor itself".to_owned(),
            )),
            (_, Some(adapter)) => Ok(Self::card(request, adapter, "asked for".to_owned())),
            (_, None) => Err(Error::Device(format!(
                "no adapter for device `{request}`: none answers through {} on this machine",
                request.api_names()
            ))),
        }
    }

    fn card(request: DeviceRequest, adapter: &Adapter, reason: String) -> Self {
        Self {
            request,
            kind: DeviceKind::Gpu,
            api: adapter.api.to_string(),
            name: adapter.name.clone(),
            reason,
            // A driver that computes on the processor gains nothing by it.
            network_precision: if adapter.is_software() {
                Precision::Single
            } else {
                Precision::Half
            },
            memory: MemoryPlan::new(MemoryRequest::default(), adapter.memory),
            adapter: Some(adapter.clone()),
        }
    }

    fn processor(request: DeviceRequest, reason: String) -> Self {
        let threads = rayon::current_num_threads();
        Self {
            request,
            kind: DeviceKind::Cpu,
            api: "cpu".to_owned(),
            name: format!("{} processor, {threads} threads", std::env::consts::ARCH),
            reason,
            network_precision: Precision::Single,
            memory: MemoryPlan::new(MemoryRequest::default(), None),
            adapter: None,
        }
    }

    /// The same device, with memory as it was asked for.
    #[must_use]
    pub fn with_memory(mut self, request: MemoryRequest) -> Self {
        self.memory = MemoryPlan::new(request, self.own_memory());
        self
    }

    /// The bytes of memory that the device has for itself, where it does and tells.
    pub fn own_memory(&self) -> Option<u64> {
        self.adapter.as_ref().and_then(|adapter| adapter.memory)
    }

    /// The bytes of the largest tensor that the device can hold.
    pub fn largest_tensor(&self) -> u64 {
        self.adapter
            .as_ref()
            .map_or(u64::MAX, |adapter| adapter.largest_tensor)
    }

    /// Whether this is a driver that imitates a graphics card in software.
    pub fn is_software(&self) -> bool {
        self.adapter.as_ref().is_some_and(Adapter::is_software)
    }

    /// Brings the device up and checks its operators ([`ComputeDevice::self_test`]). Opening the same adapter again gives the
    /// same device.
    ///
    /// # Errors
    ///
    /// If the adapter refuses, or an operator gives wrong values in every way it can be computed.
    pub fn open(&self) -> Result<ComputeDevice> {
        ComputeDevice::open(self)
    }
}

#[cfg(test)]
mod tests;
