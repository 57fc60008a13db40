//! Tiny autoencoders: files in the model folder `vae_approx` that go together by their names.

use std::path::PathBuf;

use comfy_diffusion::sampling::LatentFormat;
use comfy_graph::NodeError;

use crate::errors::from_folders;
use crate::folders::Folders;

/// What the files of each begin with, and the scale and shift of the latents that they stand in for.
const KINDS: [(&str, f64, f64); 4] = [
    ("taesd", 0.182_15, 0.0),
    ("taesdxl", 0.130_25, 0.0),
    ("taesd3", 1.5305, 0.0609),
    ("taef1", 0.3611, 0.1159),
];

/// One of the two files.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    Encoder,
    Decoder,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Encoder => "encoder",
            Self::Decoder => "decoder",
        }
    }
}

/// The names of those of which both files are there.
pub(crate) fn installed(files: &[String]) -> impl Iterator<Item = String> + '_ {
    KINDS
        .iter()
        .filter(|(name, ..)| {
            let has = |part| file_of(files, name, part).is_some();
            has(Part::Encoder) && has(Part::Decoder)
        })
        .map(|(name, ..)| (*name).to_owned())
}

/// The scale of the latents that a tiny autoencoder of this name stands in for; nothing for other names.
pub(crate) fn format_of(name: &str) -> Option<LatentFormat> {
    let (_, scale, shift) = KINDS.iter().find(|(kind, ..)| *kind == name)?;
    Some(LatentFormat {
        scale: *scale,
        shift: *shift,
        ..LatentFormat::SD15
    })
}

/// The file of a part.
pub(crate) fn find(folders: &Folders, name: &str, part: Part) -> Result<PathBuf, NodeError> {
    let files = folders.list("vae_approx").map_err(from_folders)?;
    let file = file_of(&files, name, part).ok_or_else(|| {
        NodeError::file_not_found(format_args!(
            "expected a file `{name}_{}` in the model folder vae_approx, which has none",
            part.name()
        ))
    })?;
    folders.find("vae_approx", file).map_err(from_folders)
}

fn file_of<'a>(files: &'a [String], name: &str, part: Part) -> Option<&'a String> {
    let start = format!("{name}_{}.", part.name());
    files.iter().find(|file| file.starts_with(&start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_files_must_be_there() {
        let files = [
            "taesd_encoder.pth",
            "taesd_decoder.safetensors",
            "taesdxl_decoder.pth",
        ];
        let files = files.map(str::to_owned);
        assert_eq!(installed(&files).collect::<Vec<_>>(), ["taesd"]);
        assert!(format_of("taef1").is_some() && format_of("taesd_decoder").is_none());
    }
}
