//! `LoadImage`.

use std::fmt::Write;
use std::io::Read;
use std::path::PathBuf;

use comfy_graph::{Constants, Json, Node, NodeContext, NodeError, NodeSpec, Outputs, Services};
use sha2::{Digest, Sha256};

use crate::errors::{from_folders, from_reading};
use crate::folders::{DirectoryKind, Folders};
use crate::pictures::{self, Picture, ReadLimits};
use crate::resize::units_from_bytes;
use crate::runtime::Runtime;
use crate::sockets::{Image, InputImage, Mask};

/// The side of the mask of a picture without opacity.
const EMPTY_MASK_SIDE: usize = 64;

/// Loads a picture from the input directory. An animation gives all of its frames as a batch.
#[derive(Debug, NodeSpec)]
#[node(
    id = "LoadImage",
    name = "Load Image",
    category = "image",
    module = "nodes"
)]
pub struct LoadImage {
    /// The file to load. A name that ends in [output] or [temp] is looked for in that directory.
    #[input(image_upload)]
    image: InputImage,
}

/// The result of [`LoadImage`].
#[derive(Debug, Outputs)]
pub struct LoadedImage {
    /// The picture, without its opacity.
    #[output(name = "IMAGE")]
    image: Image,
    /// 1 where the picture is transparent. A picture without opacity gives an empty mask of 64 by 64 pixels.
    #[output(name = "MASK")]
    mask: Mask,
}

impl Node for LoadImage {
    type Output = LoadedImage;

    const HAS_FINGERPRINT: bool = true;
    const CHECKS: &'static [&'static str] = &["image"];

    fn run(self, context: &mut NodeContext<'_>) -> Result<LoadedImage, NodeError> {
        let runtime = context.service::<Runtime>()?;
        let name = &self.image.0;
        let path = path_of(runtime.folders(), name)?;
        let picture = pictures::read(&path, &ReadLimits::default())
            .map_err(|error| from_reading(name, &error))?;
        loaded(&picture)
    }

    fn fingerprint(constants: &Constants<'_>, services: &Services) -> Result<Json, NodeError> {
        let name = constants.get::<InputImage>("image").ok_or_else(|| {
            NodeError::value("the name of the picture is not known before the run")
        })?;
        let runtime = services
            .get::<Runtime>()
            .ok_or_else(|| NodeError::runtime("there are no folders to look for pictures in"))?;
        let path = path_of(runtime.folders(), &name.0)?;
        hash_of(&path)
            .map(Json::from)
            .map_err(|source| from_reading(&name.0, &pictures::ReadError::Io { path, source }))
    }

    fn check(constants: &Constants<'_>, services: &Services) -> Result<(), String> {
        let (Some(InputImage(name)), Some(runtime)) =
            (constants.get("image"), services.get::<Runtime>())
        else {
            return Ok(());
        };
        match runtime
            .folders()
            .resolve_annotated(&name, DirectoryKind::Input)
        {
            Ok(path) if path.is_file() => Ok(()),
            _ => Err(format!("Invalid image file: {name}")),
        }
    }
}

fn path_of(folders: &Folders, name: &str) -> Result<PathBuf, NodeError> {
    folders
        .resolve_annotated(name, DirectoryKind::Input)
        .map_err(from_folders)
}

/// The SHA-256 of a file, in hexadecimal.
fn hash_of(path: &std::path::Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            count => hash.update(&buffer[..count]),
        }
    }
    let mut text = String::with_capacity(64);
    for byte in hash.finalize() {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

fn loaded(picture: &Picture) -> Result<LoadedImage, NodeError> {
    let count = picture.frames.len();
    let Some(first) = picture.frames.first() else {
        return Err(NodeError::value(
            "expected a picture with at least one frame",
        ));
    };
    let (height, width) = (first.height, first.width);
    let out_of_memory = || {
        NodeError::OutOfMemory(format!(
            "cannot hold {count} pictures of {width}x{height} pixels"
        ))
    };
    let mut values: Vec<f32> = Vec::new();
    values
        .try_reserve_exact(count * height * width * 3)
        .map_err(|_| out_of_memory())?;
    for frame in &picture.frames {
        values.extend(frame.rgb.iter().map(|&byte| f32::from(byte) / 255.0));
    }
    let mask = if first.alpha.is_some() {
        let alpha = picture
            .frames
            .iter()
            .filter_map(|frame| frame.alpha.as_deref());
        let mask = alpha.flat_map(|alpha| {
            units_from_bytes(alpha)
                .into_iter()
                .map(|opacity| 1.0 - opacity)
        });
        Mask::from_values(mask.collect(), [count, height, width])?
    } else {
        Mask::from_values(
            vec![0.0; count * EMPTY_MASK_SIDE * EMPTY_MASK_SIDE],
            [count, EMPTY_MASK_SIDE, EMPTY_MASK_SIDE],
        )?
    };
    Ok(LoadedImage {
        image: Image::from_values(values, [count, height, width, 3])?,
        mask,
    })
}
