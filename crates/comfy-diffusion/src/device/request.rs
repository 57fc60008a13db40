//! What a user can ask for.

use std::fmt;
use std::str::FromStr;

use super::GraphicsApi;
use crate::error::{Error, Result};

/// The device that a user asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DeviceRequest {
    /// The best graphics card, or the processor if there is none.
    #[default]
    Auto,
    /// A graphics card through Vulkan.
    Vulkan,
    /// A graphics card through Metal.
    Metal,
    /// A graphics card through whatever native interface of WebGPU the machine has: Vulkan, Metal or DX12.
    WebGpu,
    /// The processor.
    Cpu,
}

impl DeviceRequest {
    /// All of them, in the order of their documentation.
    pub const ALL: [Self; 5] = [
        Self::Auto,
        Self::Vulkan,
        Self::Metal,
        Self::WebGpu,
        Self::Cpu,
    ];

    /// The name on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Vulkan => "vulkan",
            Self::Metal => "metal",
            Self::WebGpu => "webgpu",
            Self::Cpu => "cpu",
        }
    }

    /// The interfaces to look through, best first.
    pub(super) fn apis(self) -> &'static [GraphicsApi] {
        match self {
            Self::Auto | Self::WebGpu => &GraphicsApi::ALL,
            Self::Vulkan => &[GraphicsApi::Vulkan],
            Self::Metal => &[GraphicsApi::Metal],
            Self::Cpu => &[],
        }
    }

    /// The interfaces to look through, in words.
    pub(super) fn api_names(self) -> String {
        let names: Vec<String> = self.apis().iter().map(ToString::to_string).collect();
        names.join(", ")
    }
}

impl fmt::Display for DeviceRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for DeviceRequest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|request| request.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| {
                Error::input(format!(
                    "unknown device `{text}`, expected auto, vulkan, metal, webgpu or cpu"
                ))
            })
    }
}
