//! `GET /system_stats` and `GET /features`.

use axum::extract::State;
use axum::http::StatusCode;
use comfy_api::events::FeatureFlags;
use comfy_api::system::{DeviceInfo, SystemInfo, SystemStats};
use comfy_nodes::device::{DeviceKind, DevicePlan};

use super::on_thread;
use crate::error::ApiResult;
use crate::reply;
use crate::state::AppState;

/// The ComfyUI whose interface this is. Clients decide by it what they can ask for.
const COMFYUI_VERSION: &str = "0.3.64";
/// The browser front end that goes with it.
const FRONT_END_VERSION: &str = "1.27.10";
/// The tensor library.
const TENSOR_LIBRARY: &str = "burn 0.22.1";

/// The machine and its devices.
#[utoipa::path(
    get, path = "/system_stats", operation_id = "get_system_stats", tag = "ui",
    responses((status = 200, description = "Memory, versions and devices.", body = SystemStats)),
)]
pub(super) async fn get_system_stats(State(state): State<AppState>) -> ApiResult {
    on_thread(move || reply::json(StatusCode::OK, &stats(&state))).await
}

/// What the server can do.
#[utoipa::path(
    get, path = "/features", operation_id = "get_features", tag = "ui",
    responses((status = 200, description = "The features.", body = FeatureFlags)),
)]
pub(super) async fn get_features(State(state): State<AppState>) -> ApiResult {
    Ok(reply::json(StatusCode::OK, &state.features()))
}

/// Main memory in bytes.
#[derive(Clone, Copy)]
struct Memory {
    total: u64,
    available: u64,
}

impl Memory {
    fn measure() -> Self {
        let mut system = sysinfo::System::new();
        system.refresh_memory();
        Self {
            total: system.total_memory(),
            available: system.available_memory(),
        }
    }
}

fn stats(state: &AppState) -> SystemStats {
    let memory = Memory::measure();
    SystemStats {
        system: SystemInfo {
            os: if cfg!(windows) { "nt" } else { "posix" }.to_owned(),
            ram_total: memory.total,
            ram_free: memory.available,
            comfyui_version: COMFYUI_VERSION.to_owned(),
            required_frontend_version: Some(FRONT_END_VERSION.to_owned()),
            installed_templates_version: None,
            required_templates_version: None,
            python_version: format!("none (comfy-server {})", env!("CARGO_PKG_VERSION")),
            pytorch_version: format!("none ({TENSOR_LIBRARY})"),
            embedded_python: false,
            argv: state.config().arguments.clone(),
        },
        devices: vec![device(state.device(), memory)],
    }
}

/// Graphics interfaces tell nothing about memory, so a GPU is described by the main memory it may share.
fn device(plan: &DevicePlan, memory: Memory) -> DeviceInfo {
    let name = match plan.kind {
        DeviceKind::Cpu => "cpu".to_owned(),
        DeviceKind::Gpu => format!("{} ({})", plan.name, plan.api),
    };
    DeviceInfo {
        name,
        r#type: plan.api.clone(),
        index: 0,
        vram_total: memory.total,
        vram_free: memory.available,
        torch_vram_total: memory.total,
        torch_vram_free: memory.available,
    }
}
