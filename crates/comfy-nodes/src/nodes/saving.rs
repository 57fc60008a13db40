//! What the nodes that save pictures have in common.

use comfy_graph::{ExtraPngInfo, NodeContext, NodeError, PromptJson};
use rayon::prelude::*;
use serde_json::json;

use super::metadata;
use crate::errors::{from_folders, from_writing};
use crate::folders::DirectoryKind;
use crate::pictures::{AnimationFrame, Compression, PngText, WriteError, encode_png, save_new};
use crate::resize::bytes_from_units;
use crate::runtime::Runtime;
use crate::sockets::Image;

/// Where pictures go and what they are called.
pub(super) struct Destination<'a> {
    pub(super) directory: DirectoryKind,
    pub(super) prefix: &'a str,
    pub(super) compression: Compression,
}

/// Saves each picture of the batch as PNG, with the prompt and the client's metadata unless the application wants none, and lists
/// the files in the node's ui as `images`.
///
/// Pictures with values that are not numbers are refused before anything is written: they would come out black.
pub(super) fn save_images(
    context: &mut NodeContext<'_>,
    images: &Image,
    destination: &Destination<'_>,
    prompt: &PromptJson,
    extra: &ExtraPngInfo,
) -> Result<(), NodeError> {
    let runtime = context.service::<Runtime>()?;
    let pictures = bytes_of(images)?;
    let [_, height, width, channels] = pictures.shape;
    let texts = if runtime.options().metadata {
        let texts = metadata::texts(prompt, extra)?.into_iter();
        texts
            .map(|(keyword, text)| PngText { keyword, text })
            .collect()
    } else {
        Vec::new()
    };
    let mut target = runtime
        .folders()
        .save_target(destination.directory, destination.prefix, width, height)
        .map_err(from_folders)?;
    let members: Vec<_> = pictures.members().collect();
    let encode = |picture: &[u8]| {
        let compression = destination.compression;
        encode_png(picture, width, height, channels, &texts, compression)
    };
    // As many at a time as there are cores, so that a large batch is not in memory as a whole.
    let encoded = members
        .chunks(rayon::current_num_threads())
        .flat_map(|some| match some {
            [picture] => vec![encode(picture)],
            some => some.par_iter().map(|picture| encode(picture)).collect(),
        });
    for (index, file) in encoded.enumerate() {
        context.check_interrupt()?;
        let file = file.map_err(from_writing)?;
        let stem = target.stem.replace("%batch_num%", &index.to_string());
        let (name, counter) = save_new(
            &target.folder,
            target.counter,
            |counter| format!("{stem}_{counter:05}_.png"),
            &file,
        )
        .map_err(from_writing)?;
        target.counter = counter + 1;
        context.add_ui("images", json!({"filename": name, "subfolder": target.subfolder, "type": destination.directory.as_str()}));
    }
    Ok(())
}

/// Pictures as bytes, for a file.
pub(super) struct Pictures {
    /// Batch, height, width, channels; none of the first three is 0.
    pub(super) shape: [usize; 4],
    bytes: Vec<u8>,
}

impl Pictures {
    /// The bytes of each picture.
    pub(super) fn members(&self) -> impl Iterator<Item = &[u8]> {
        let [_, height, width, channels] = self.shape;
        self.bytes.chunks_exact((height * width * channels).max(1))
    }
}

/// The bytes of pictures. Values that are not numbers are an error: they would come out black.
pub(super) fn bytes_of(images: &Image) -> Result<Pictures, NodeError> {
    let [batch, height, width, _] = images.shape();
    if batch == 0 || height == 0 || width == 0 {
        return Err(NodeError::value(format_args!(
            "expected at least one picture with at least one pixel, got shape {:?}",
            images.shape()
        )));
    }
    let values = images.pixels();
    let wrong = values.iter().filter(|value| value.is_nan()).count();
    if wrong > 0 {
        return Err(NodeError::value(format_args!(
            "expected pictures of numbers, got {wrong} of {} values that are not numbers (f32); a computation before this node has failed",
            values.len()
        )));
    }
    Ok(Pictures {
        shape: images.shape(),
        bytes: bytes_from_units(values),
    })
}

/// What an animation is called and what is stored in it.
pub(super) struct AnimationFile<'a> {
    pub(super) prefix: &'a str,
    pub(super) ending: &'a str,
    pub(super) prompt: &'a PromptJson,
    pub(super) extra: &'a ExtraPngInfo,
}

/// Saves a batch as one animation in the output directory, with the prompt and the client's metadata unless the application wants
/// none, and lists the file in the node's ui as `images`.
///
/// A picture that equals the one before it is no frame of its own: that one is shown for longer.
pub(super) fn save_animation(
    context: &mut NodeContext<'_>,
    pictures: &Pictures,
    fps: f64,
    file: &AnimationFile<'_>,
    encode: impl FnOnce(&[AnimationFrame<'_>], &[(String, String)]) -> Result<Vec<u8>, WriteError>,
) -> Result<(), NodeError> {
    let milliseconds = 1000.0 / fps;
    if milliseconds.is_nan() || milliseconds < 0.0 || !milliseconds.is_finite() {
        return Err(NodeError::value(format_args!(
            "expected more than 0 pictures a second, got {fps}"
        )));
    }
    let milliseconds = milliseconds as u32;
    let runtime = context.service::<Runtime>()?;
    let [_, height, width, channels] = pictures.shape;
    let mut frames: Vec<AnimationFrame<'_>> = Vec::new();
    for bytes in pictures.members() {
        match frames.last_mut() {
            Some(last) if last.bytes == bytes => {
                last.milliseconds = last.milliseconds.saturating_add(milliseconds);
            }
            _ => frames.push(AnimationFrame {
                bytes,
                width,
                height,
                channels,
                milliseconds,
            }),
        }
    }
    let texts = if runtime.options().metadata {
        metadata::texts(file.prompt, file.extra)?
    } else {
        Vec::new()
    };
    context.check_interrupt()?;
    let contents = encode(&frames, &texts).map_err(from_writing)?;
    let target = runtime
        .folders()
        .save_target(DirectoryKind::Output, file.prefix, width, height)
        .map_err(from_folders)?;
    let name_of = |counter| format!("{}_{counter:05}_.{}", target.stem, file.ending);
    let (name, _) =
        save_new(&target.folder, target.counter, name_of, &contents).map_err(from_writing)?;
    context.add_ui(
        "images",
        json!({"filename": name, "subfolder": target.subfolder, "type": "output"}),
    );
    Ok(())
}
