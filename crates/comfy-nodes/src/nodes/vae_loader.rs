//! `VAELoader`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec, Outputs};

use crate::errors::{from_diffusion, from_folders};
use crate::runtime::Runtime;
use crate::sockets::{Vae, VaeName};
use crate::tiny;

/// Opens an autoencoder that has a file of its own, to use it in place of a checkpoint's.
#[derive(Debug, NodeSpec)]
#[node(
    id = "VAELoader",
    name = "Load VAE",
    category = "loaders",
    module = "nodes"
)]
pub struct VaeLoader {
    /// A file in the folder models/vae; `taesd` and its kin for a tiny one of `models/vae_approx`; `pixel_space` for models that work on
    /// pixels.
    vae_name: VaeName,
}

/// The result of [`VaeLoader`].
#[derive(Debug, Outputs)]
pub struct LoadedVae {
    /// The autoencoder.
    #[output(name = "VAE")]
    vae: Vae,
}

impl Node for VaeLoader {
    type Output = LoadedVae;

    fn run(self, context: &mut NodeContext<'_>) -> Result<LoadedVae, NodeError> {
        let name = self.vae_name.0;
        if name == Vae::PIXEL_SPACE {
            return Ok(LoadedVae {
                vae: Vae::pixel_space(),
            });
        }
        let runtime = context.service::<Runtime>()?;
        if let Some(format) = tiny::format_of(&name) {
            let [encoder, decoder] = [tiny::Part::Encoder, tiny::Part::Decoder]
                .map(|part| tiny::find(runtime.folders(), &name, part));
            let (encoder, decoder) = (encoder?, decoder?);
            let device = runtime.device()?;
            let vae = comfy_diffusion::Vae::open_tiny(
                Some(&encoder),
                Some(&decoder),
                Some(&format),
                &device,
            );
            return Ok(LoadedVae {
                vae: Vae::new(Some(vae.map_err(from_diffusion)?), &name),
            });
        }
        let path = runtime.folders().find("vae", &name).map_err(from_folders)?;
        let vae = comfy_diffusion::Vae::open(&path, &runtime.device()?).map_err(from_diffusion)?;
        Ok(LoadedVae {
            vae: Vae::new(Some(vae), &name),
        })
    }
}
