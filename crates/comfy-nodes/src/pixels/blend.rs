//! Blending two pictures value by value.

use comfy_graph::Choice;

/// How the second picture acts on the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum BlendMode {
    /// It covers.
    #[choice("normal")]
    Normal,
    /// It darkens.
    #[choice("multiply")]
    Multiply,
    /// It lightens.
    #[choice("screen")]
    Screen,
    /// It darkens what is dark and lightens what is light.
    #[choice("overlay")]
    Overlay,
    /// The same with a soft hand.
    #[choice("soft_light")]
    SoftLight,
    /// It is taken away.
    #[choice("difference")]
    Difference,
}

impl BlendMode {
    /// The blended value, before it is mixed with the first. Soft light is the formula of the W3C's compositing specification.
    fn value(self, below: f32, above: f32) -> f32 {
        match self {
            Self::Normal => above,
            Self::Multiply => below * above,
            Self::Screen => 1.0 - (1.0 - below) * (1.0 - above),
            Self::Overlay if below <= 0.5 => 2.0 * below * above,
            Self::Overlay => 1.0 - 2.0 * (1.0 - below) * (1.0 - above),
            Self::SoftLight if above <= 0.5 => below - (1.0 - 2.0 * above) * below * (1.0 - below),
            Self::SoftLight => {
                let lightest = if below <= 0.25 {
                    ((16.0 * below - 12.0) * below + 4.0) * below
                } else {
                    below.sqrt()
                };
                below + (2.0 * above - 1.0) * (lightest - below)
            }
            // Signed, as ComfyUI has it.
            Self::Difference => below - above,
        }
    }
}

/// A value of the first picture mixed with the blended one; `factor` 1 shows the blended one alone. The result is in 0..1.
pub fn blend(mode: BlendMode, factor: f64) -> impl Fn(f32, f32) -> f32 + Sync {
    let (kept, factor) = ((1.0 - factor) as f32, factor as f32);
    move |below, above| (below * kept + mode.value(below, above) * factor).clamp(0.0, 1.0)
}
