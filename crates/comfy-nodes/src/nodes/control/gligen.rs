//! `GLIGENLoader` and `GLIGENTextBoxApply`.

use comfy_diffusion::models::gligen::Grounding;
use comfy_diffusion::open_gligen;
use comfy_diffusion::sampling::GroundedThings;
use comfy_graph::{Node, NodeContext, NodeError, NodeSpec, Outputs};

use crate::errors::{from_diffusion, from_folders};
use crate::nodes::ChangedConditioning;
use crate::runtime::Runtime;
use crate::sockets::{Clip, Conditioning, Gligen, GligenName};

/// Pixels of a picture for each cell of a latent.
const CELL: u32 = 8;

/// Opens a GLIGEN model, which tells a diffusion model what is to be where.
#[derive(Debug, NodeSpec)]
#[node(id = "GLIGENLoader", category = "loaders", module = "nodes")]
pub struct GligenLoader {
    /// A file in the folder models/gligen.
    gligen_name: GligenName,
}

/// The result of [`GligenLoader`].
#[derive(Debug, Outputs)]
pub struct LoadedGligen {
    /// The GLIGEN model.
    #[output(name = "GLIGEN")]
    pub gligen: Gligen,
}

impl Node for GligenLoader {
    type Output = LoadedGligen;

    fn run(self, context: &mut NodeContext<'_>) -> Result<LoadedGligen, NodeError> {
        let runtime = context.service::<Runtime>()?;
        let path = runtime
            .folders()
            .find("gligen", &self.gligen_name.0)
            .map_err(from_folders)?;
        let gligen = open_gligen(&path, &runtime.device()?).map_err(from_diffusion)?;
        Ok(LoadedGligen {
            gligen: Gligen(gligen),
        })
    }
}

/// Says what is to be in a rectangle of the picture. Several can follow each other.
#[derive(Debug, NodeSpec)]
#[node(
    id = "GLIGENTextBoxApply",
    category = "conditioning/gligen",
    module = "nodes"
)]
pub struct GligenTextBoxApply {
    /// The prompt for the whole picture.
    conditioning_to: Conditioning,
    /// The text encoder of the model.
    clip: Clip,
    /// The GLIGEN model.
    gligen_textbox_model: Gligen,
    /// What is to be in the rectangle.
    #[input(multiline, dynamic_prompts)]
    text: String,
    /// The width of the rectangle in pixels.
    #[input(default = 64u32, min = 8u32, max = 16384u32, step = 8u32)]
    width: u32,
    /// The height of the rectangle in pixels.
    #[input(default = 64u32, min = 8u32, max = 16384u32, step = 8u32)]
    height: u32,
    /// Its distance from the left, in pixels.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 8u32)]
    x: u32,
    /// Its distance from the top, in pixels.
    #[input(default = 0u32, min = 0u32, max = 16384u32, step = 8u32)]
    y: u32,
}

impl Node for GligenTextBoxApply {
    type Output = ChangedConditioning;

    fn run(self, _: &mut NodeContext<'_>) -> Result<ChangedConditioning, NodeError> {
        let clip = self.clip.get()?;
        let encoded = clip.encode(&self.text).map_err(from_diffusion)?;
        let text = encoded.summary.ok_or_else(|| {
            NodeError::runtime("expected a text encoder that sums texts up, as CLIP does")
        })?;
        let cells = |pixels: u32| (pixels / CELL) as usize;
        let thing = Grounding {
            text,
            height: cells(self.height),
            width: cells(self.width),
            top: cells(self.y),
            left: cells(self.x),
        };
        let network = self.gligen_textbox_model.0;
        let changed = self.conditioning_to.map(|prompt| {
            let before = prompt.grounding.take();
            let mut things = before.map_or_else(Vec::new, |grounding| grounding.things);
            things.push(thing.clone());
            prompt.grounding = Some(GroundedThings {
                network: network.clone(),
                things,
            });
        });
        Ok(changed.into())
    }
}
