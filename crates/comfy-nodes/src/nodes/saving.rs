//! What `SaveImage` and `PreviewImage` have in common.

use comfy_graph::{ExtraPngInfo, Json, NodeContext, NodeError, PromptJson, python_json};
use serde_json::json;

use crate::errors::{from_folders, from_writing};
use crate::folders::DirectoryKind;
use crate::pictures::{Compression, PngText, encode_png, save_new};
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
    let [batch, height, width, channels] = images.shape();
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
    let texts = if runtime.options().metadata {
        metadata(prompt, extra)?
    } else {
        Vec::new()
    };
    let mut target = runtime
        .folders()
        .save_target(destination.directory, destination.prefix, width, height)
        .map_err(from_folders)?;
    for (index, picture) in values.chunks_exact(height * width * channels).enumerate() {
        context.check_interrupt()?;
        let file = encode_png(
            &bytes_from_units(picture),
            width,
            height,
            channels,
            &texts,
            destination.compression,
        )
        .map_err(from_writing)?;
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

fn metadata(prompt: &PromptJson, extra: &ExtraPngInfo) -> Result<Vec<PngText>, NodeError> {
    let text = |keyword: &str, value: &Json| PngText {
        keyword: keyword.to_owned(),
        text: python_json::to_string(value),
    };
    let mut texts = Vec::new();
    if !prompt.0.is_null() {
        texts.push(text("prompt", &prompt.0));
    }
    match &*extra.0 {
        Json::Null => {}
        Json::Object(members) => {
            texts.extend(members.iter().map(|(keyword, value)| text(keyword, value)));
        }
        _ => {
            return Err(NodeError::value(
                "expected extra_pnginfo to be an object of metadata, got something else",
            ));
        }
    }
    Ok(texts)
}
