//! `GET /system_stats` and `GET /features`.

use axum::extract::State;
use axum::http::StatusCode;
use comfy_api::events::FeatureFlags;
use comfy_api::system::{DeviceInfo, SystemInfo, SystemStats};
use comfy_nodes::device::{DeviceKind, DevicePlan, MachineMemory};

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

fn stats(state: &AppState) -> SystemStats {
    let memory = MachineMemory::measure();
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
        devices: vec![device(
            state.device(),
            memory,
            state.runtime().memory_in_use(),
        )],
    }
}

/// What models may take and have left is told as PyTorch's memory, and as that of a graphics device. The memory of a processor is the
/// machine's, unless somebody chose a budget.
fn device(plan: &DevicePlan, machine: MachineMemory, in_use: u64) -> DeviceInfo {
    let name = match plan.kind {
        DeviceKind::Cpu => "cpu".to_owned(),
        DeviceKind::Gpu => format!("{} ({})", plan.name, plan.api),
    };
    let budget = match plan.memory.budget {
        u64::MAX => plan.own_memory().unwrap_or(machine.total),
        bytes => bytes,
    };
    let free = budget.saturating_sub(in_use);
    let (vram_total, vram_free) = if plan.kind == DeviceKind::Cpu && !plan.memory.is_chosen {
        (machine.total, machine.available)
    } else {
        (budget, free)
    };
    DeviceInfo {
        name,
        r#type: plan.api.clone(),
        index: 0,
        vram_total,
        vram_free,
        torch_vram_total: budget,
        torch_vram_free: free,
    }
}
