//! An opened device.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::Device;

use super::{Adapter, Demand, DeviceKind, DevicePlan, DeviceRequest, MachineMemory, MemoryRequest};
use super::{probe, self_test};
use crate::error::{Error, Result};
use crate::ops::Strategies;
use crate::residency::{Residency, Room};

/// A device that tensors can be made on. Cheap to clone; clones are the same device.
#[derive(Debug, Clone)]
pub struct ComputeDevice {
    inner: Arc<Inner>,
    strategies: Strategies,
    residency: Residency,
}

#[derive(Debug)]
struct Inner {
    device: Device,
    plan: DevicePlan,
    /// How diffusion networks are computed, where that is not how all else is.
    network_strategies: Strategies,
}

/// Scratch memory of one operator on a graphics card.
const CARD_SCRATCH: usize = 256 << 20;

/// Scratch memory of one operator on a software driver, some of which allow no tensor above 128 MiB.
const SOFTWARE_SCRATCH: usize = 32 << 20;

impl ComputeDevice {
    /// The processor, without a survey and a self-test.
    pub fn cpu() -> Self {
        Self::cpu_with(MemoryRequest::default())
    }

    /// As [`ComputeDevice::cpu`], with memory as it was asked for.
    pub fn cpu_with(memory: MemoryRequest) -> Self {
        let plan = DevicePlan::processor(DeviceRequest::Cpu, "asked for".to_owned());
        let plan = plan.with_memory(memory);
        Self::new(Device::flex(), plan, Strategies::HOST, Strategies::HOST)
    }

    /// The processor, computing networks in half precision in the ways of graphics cards, which are slow there.
    #[cfg(test)]
    pub(crate) fn imitating_a_card() -> Self {
        let plan = DevicePlan::processor(DeviceRequest::Cpu, "a test".to_owned());
        let exactly = Strategies::graphics(false, 1 << 20);
        let networks = Strategies {
            precision: super::Precision::Half,
            ..exactly
        };
        Self::new(Device::flex(), plan, exactly, networks)
    }

    fn new(
        device: Device,
        plan: DevicePlan,
        strategies: Strategies,
        network_strategies: Strategies,
    ) -> Self {
        let residency = Residency::new(plan.memory, strategies.width_of_weights(), {
            let device = device.clone();
            move || device.memory_cleanup()
        });
        Self {
            inner: Arc::new(Inner {
                device,
                plan,
                network_strategies,
            }),
            strategies,
            residency,
        }
    }

    /// The same device, as diffusion networks compute on it: less exactly, if the plan says so.
    #[must_use]
    pub fn for_networks(&self) -> Self {
        let strategies = self.inner.network_strategies;
        Self {
            inner: Arc::clone(&self.inner),
            strategies,
            residency: self.residency.with_width(strategies.width_of_weights()),
        }
    }

    /// The same device, as a network computes on it that is loaded into this room: as diffusion networks do, if it need not be exact.
    #[must_use]
    pub(crate) fn for_network_in(&self, room: &Room) -> Self {
        if room.is_exact() {
            self.clone()
        } else {
            self.for_networks()
        }
    }

    pub(super) fn open(plan: &DevicePlan) -> Result<Self> {
        let (device, wanted) = match &plan.adapter {
            None => (Device::flex(), Strategies::HOST),
            Some(adapter) => {
                // Only the native compilers (SPIR-V, MSL) know matrix units; burn picks them by the features it is built with.
                let matrix_units = match adapter.api {
                    super::GraphicsApi::Vulkan => cfg!(feature = "vulkan"),
                    super::GraphicsApi::Metal => cfg!(feature = "metal"),
                    super::GraphicsApi::Dx12 => false,
                };
                let scratch = if adapter.is_software() {
                    SOFTWARE_SCRATCH
                } else {
                    CARD_SCRATCH
                };
                let matrix_units = matrix_units && !adapter.is_software();
                let wanted = Strategies::on_card(matrix_units, scratch);
                (open_adapter(adapter)?, wanted)
            }
        };
        // Nobody takes a software driver for its speed.
        let is_card = plan.kind == DeviceKind::Gpu && !plan.is_software();
        let fastest = |strategies| {
            if is_card {
                probe::with_fastest_convolution(&device, strategies)
            } else {
                strategies
            }
        };
        let settled = self_test::settle(&device, wanted)?;
        let strategies = fastest(settled);
        let network_strategies =
            self_test::settle_precision(&device, settled, plan.network_precision);
        let network_strategies = if network_strategies == settled {
            strategies
        } else {
            fastest(network_strategies)
        };
        tracing::info!(
            kind = ?plan.kind, api = %plan.api, name = %plan.name, reason = %plan.reason, ?strategies,
            network_precision = ?network_strategies.precision, "compute device opened"
        );
        Ok(Self::new(
            device,
            plan.clone(),
            strategies,
            network_strategies,
        ))
    }

    /// The device in burn's terms.
    pub fn tensor_device(&self) -> &Device {
        &self.inner.device
    }

    /// How this device computes its operators.
    pub fn strategies(&self) -> &Strategies {
        &self.strategies
    }

    /// What is loaded on this device.
    pub fn residency(&self) -> &Residency {
        &self.residency
    }

    /// Whether a computation can run as a whole: no tensor of it is larger than the device allows, and the memory that it takes is there
    /// once models have left that nobody uses.
    pub fn has_room_for(&self, demand: Demand) -> bool {
        let fits = |free: u64| demand.total <= free;
        demand.largest <= self.info().largest_tensor()
            // Nothing leaves for what would not fit in any case.
            && fits(self.residency().plan().budget)
            && fits(self.residency().make_room(demand.total))
            && (!self.is_cpu() || fits(MachineMemory::measure().available))
    }

    /// What was opened.
    pub fn info(&self) -> &DevicePlan {
        &self.inner.plan
    }

    /// Whether this is the processor.
    pub fn is_cpu(&self) -> bool {
        self.inner.plan.kind == DeviceKind::Cpu
    }

    /// Computes small examples of every operator and compares them with their plain formulas.
    ///
    /// # Errors
    ///
    /// With the operator's name and the size of the difference, if one is too large.
    pub fn self_test(&self) -> Result<()> {
        self_test::check_all(&self.inner.device, &self.strategies)
    }

    /// Waits until everything that was asked of the device is done.
    ///
    /// # Errors
    ///
    /// If the device reports that something failed.
    pub fn synchronise(&self) -> Result<()> {
        self.inner
            .device
            .sync()
            .map_err(|error| Error::Device(format!("the device failed: {error}")))
    }

    /// Gives memory that no tensor uses back to the system, as far as the device allows.
    pub fn release_memory(&self) {
        self.inner.device.memory_cleanup();
    }
}

/// Brings up an adapter, once: the runtime knows devices by their adapter and cannot open one twice.
fn open_adapter(adapter: &Adapter) -> Result<Device> {
    static OPENED: Mutex<Vec<(Adapter, Device)>> = Mutex::new(Vec::new());
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, device)) = opened.iter().find(|(known, _)| known == adapter) {
        return Ok(device.clone());
    }
    #[cfg(feature = "persistence")]
    keep_kernels();
    let attempt = || {
        Device::wgpu_options()
            .graphics_api(adapter.api.runtime())
            .device_kind(adapter.selector())
            .init()
    };
    let Adapter {
        api, name, driver, ..
    } = adapter;
    let device = catch_unwind(AssertUnwindSafe(attempt))
        .map_err(|_| {
            Error::Device(format!(
                "cannot open {name} ({api}, {driver}): its driver failed"
            ))
        })?
        .map_err(|error| Error::Device(format!("cannot open {name} ({api}, {driver}): {error}")))?;
    opened.push((adapter.clone(), device.clone()));
    Ok(device)
}

/// Keeps what kernels are compiled and chosen in the user's cache folder (`cubecl`), unless a configuration file of burn's says where.
#[cfg(feature = "persistence")]
fn keep_kernels() {
    use burn_cubecl::cubecl::config::cache::CacheConfig;
    use burn_cubecl::cubecl::config::{CubeClRuntimeConfig, RuntimeConfig};

    let mut config = CubeClRuntimeConfig::from_current_dir().override_from_env();
    config.compilation.cache = true;
    if matches!(config.environment.path, CacheConfig::Target) {
        config.environment.path = CacheConfig::Global;
    }
    if !CubeClRuntimeConfig::try_set(config) {
        tracing::debug!("the runtime was configured before the first device was opened");
    }
}
