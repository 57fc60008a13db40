//! `GET /system_stats`.
//!
//! Names and types are ComfyUI's, those about Python included: typed clients refuse the answer when one is missing.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The machine and its devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SystemStats {
    /// The machine and the program.
    pub system: SystemInfo,
    /// The devices that compute.
    pub devices: Vec<DeviceInfo>,
}

/// The machine and the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SystemInfo {
    /// `posix` or `nt`.
    pub os: String,
    /// Bytes of main memory.
    pub ram_total: u64,
    /// Bytes of main memory that are available.
    pub ram_free: u64,
    /// The version of ComfyUI whose interface this is.
    pub comfyui_version: String,
    /// The version of the browser front end that fits, if there is one.
    pub required_frontend_version: Option<String>,
    /// The version of the workflow templates that are installed.
    pub installed_templates_version: Option<String>,
    /// The version of the workflow templates that fits.
    pub required_templates_version: Option<String>,
    /// What stands in for the Python interpreter: this program and its version.
    pub python_version: String,
    /// What stands in for PyTorch: the tensor library and its version.
    pub pytorch_version: String,
    /// Whether ComfyUI's portable Python is used: never.
    pub embedded_python: bool,
    /// The command line.
    pub argv: Vec<String>,
}

/// One device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceInfo {
    /// Its name, with the interface it is reached through.
    pub name: String,
    /// `cpu`, `vulkan`, `metal`, …
    pub r#type: String,
    /// Its number. ComfyUI says null for a CPU; strict clients want a number, so it is 0 there.
    pub index: u32,
    /// Bytes of memory that models may take; on a CPU all of the main memory, unless a budget was given.
    pub vram_total: u64,
    /// Bytes of it that are free.
    pub vram_free: u64,
    /// Bytes of memory that models may take.
    pub torch_vram_total: u64,
    /// Bytes of those that are free.
    pub torch_vram_free: u64,
}
