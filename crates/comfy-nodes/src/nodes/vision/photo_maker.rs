//! `PhotoMakerLoader` and `PhotoMakerEncode`.

use comfy_graph::{Node, NodeContext, NodeError, NodeSpec, Outputs};

use crate::errors::{from_diffusion, from_folders};
use crate::nodes::EncodedPrompt;
use crate::runtime::Runtime;
use crate::sockets::{Clip, Conditioning, Image, PhotoMaker, PhotoMakerName};

/// Opens a `PhotoMaker` model, which puts the person of a picture into prompts of Stable Diffusion XL.
#[derive(Debug, NodeSpec)]
#[node(
    id = "PhotoMakerLoader",
    category = "_for_testing/photomaker",
    module = "comfy_extras.nodes_photomaker",
    experimental,
    v3
)]
pub struct PhotoMakerLoader {
    /// A file in the folder models/photomaker.
    photomaker_model_name: PhotoMakerName,
}

/// The result of [`PhotoMakerLoader`].
#[derive(Debug, Outputs)]
pub struct LoadedPhotoMaker {
    /// The model.
    #[output(name = "PHOTOMAKER")]
    photomaker: PhotoMaker,
}

impl Node for PhotoMakerLoader {
    type Output = LoadedPhotoMaker;

    fn run(self, context: &mut NodeContext<'_>) -> Result<LoadedPhotoMaker, NodeError> {
        let runtime = context.service::<Runtime>()?;
        let path = runtime
            .folders()
            .find("photomaker", &self.photomaker_model_name.0)
            .map_err(from_folders)?;
        let opened = comfy_diffusion::PhotoMaker::open(&path, &runtime.device()?);
        Ok(LoadedPhotoMaker {
            photomaker: PhotoMaker(opened.map_err(from_diffusion)?),
        })
    }
}

/// Turns a prompt into conditioning in which the word photomaker stands for the person of a picture.
#[derive(Debug, NodeSpec)]
#[node(
    id = "PhotoMakerEncode",
    category = "_for_testing/photomaker",
    module = "comfy_extras.nodes_photomaker",
    experimental,
    v3
)]
pub struct PhotoMakerEncode {
    /// The `PhotoMaker` model.
    photomaker: PhotoMaker,
    /// The picture. Of several the first counts.
    image: Image,
    /// The text encoder that reads the prompt.
    clip: Clip,
    /// The prompt, with the word photomaker behind what the person is.
    #[input(default = "photograph of photomaker", multiline, dynamic_prompts)]
    text: String,
}

impl Node for PhotoMakerEncode {
    type Output = EncodedPrompt;

    fn run(self, _: &mut NodeContext<'_>) -> Result<EncodedPrompt, NodeError> {
        let encoded = self
            .photomaker
            .0
            .encode(self.clip.get()?, &self.text, &self.image.tensor())
            .map_err(from_diffusion)?;
        let condition = comfy_diffusion::sampling::Conditioning::new(encoded.cond, encoded.pooled);
        Ok(Conditioning(vec![condition]).into())
    }
}
