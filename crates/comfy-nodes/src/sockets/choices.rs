//! Choices whose lists change while the server runs.

use comfy_graph::{Json, Socket};

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident, $list:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(pub String);

        impl Socket for $name {
            const TYPE: &'static str = "COMBO";

            const LIST: Option<&'static str> = Some($list);

            fn from_json(json: &Json) -> Option<Self> {
                json.as_str().map(|name| Self(name.to_owned()))
            }

            fn to_json(&self) -> Option<Json> {
                Some(Json::from(self.0.as_str()))
            }
        }
    };
}

choice!(
    /// The name of a file in the model folder `checkpoints`.
    CheckpointName, "checkpoints"
);
choice!(
    /// The name of a file in the model folder `vae`, or of an autoencoder that needs no file.
    VaeName, "vae"
);
choice!(
    /// The name of a file in the model folder `diffusion_models`.
    DiffusionModelName, "diffusion_models"
);
choice!(
    /// The name of a file in the model folder `text_encoders`.
    TextEncoderName, "text_encoders"
);
choice!(
    /// The name of a file in the model folder `loras`.
    LoraName, "loras"
);
choice!(
    /// The name of a file in the model folder `clip_vision`.
    ClipVisionName, "clip_vision"
);
choice!(
    /// The name of a file in the model folder `style_models`.
    StyleModelName, "style_models"
);
choice!(
    /// The name of a file in the model folder `photomaker`.
    PhotoMakerName, "photomaker"
);
choice!(
    /// The name of a folder in the model folder `diffusers`.
    PipelineName, "diffusers"
);
choice!(
    /// The name of a configuration of old checkpoints.
    ConfigurationName, "configs"
);
choice!(
    /// The name of a file in the model folder `upscale_models`.
    UpscaleModelName, "upscale_models"
);
choice!(
    /// The name of a file in the model folder `controlnet`.
    ControlNetName, "controlnet"
);
choice!(
    /// The name of a file in the model folder `gligen`.
    GligenName, "gligen"
);
choice!(
    /// The name of a file in the model folder `hypernetworks`.
    HypernetworkName, "hypernetworks"
);
choice!(
    /// The name of a sampler.
    SamplerName, "samplers"
);
choice!(
    /// The name of a scheduler.
    SchedulerName, "schedulers"
);
choice!(
    /// The name of a picture in the input directory; one that ends in ` [output]` or ` [temp]` is in that directory.
    InputImage, "input_images"
);
choice!(
    /// The name of a file of any kind in the input directory; one that ends in ` [output]` or ` [temp]` is in that directory.
    InputFile, "input_files"
);
choice!(
    /// The name of a `.latent` file in the input directory; one that ends in ` [output]` or ` [temp]` is in that directory.
    InputLatent, "input_latents"
);

/// The name of a picture in the output directory, with the ending ` [output]`. Clients ask for the list themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputImage(pub String);

impl Socket for OutputImage {
    const TYPE: &'static str = "COMBO";

    fn from_json(json: &Json) -> Option<Self> {
        json.as_str().map(|name| Self(name.to_owned()))
    }

    fn to_json(&self) -> Option<Json> {
        Some(Json::from(self.0.as_str()))
    }
}
