//! What `run` reads: a prompt, a workflow, or a picture that carries one.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use comfy_graph::python_json;
use serde_json::Value as Json;

/// The largest file that is read.
const MAX_BYTES: u64 = 256 << 20;
/// The most memory that the texts of a picture may take.
const MAX_TEXT: usize = 64 << 20;
const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Why a file cannot be run.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    #[error("the file could not be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("expected at most {} MB, the file is larger", MAX_BYTES >> 20)]
    TooLarge,
    #[error("expected a prompt or a workflow as JSON, or a PNG picture that carries one: {0}")]
    NotJson(String),
    #[error("expected a prompt or a workflow, got JSON without nodes")]
    NoNodes,
    #[error("the picture could not be read: {0}")]
    Picture(#[from] png::DecodingError),
    #[error("the picture carries neither a prompt nor a workflow")]
    Bare,
}

/// The prompt or workflow in a file; `-` is the standard input.
pub(super) fn read(path: &Path) -> Result<Json, SourceError> {
    let bytes = if path.as_os_str() == "-" {
        capped(io::stdin().lock())?
    } else {
        capped(File::open(path)?)?
    };
    if bytes.starts_with(PNG_SIGNATURE) {
        return from_picture(&bytes);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    unwrapped(parse(bytes)?)
}

fn capped(reader: impl Read) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    reader.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(SourceError::TooLarge);
    }
    Ok(bytes)
}

fn parse(bytes: &[u8]) -> Result<Json, SourceError> {
    python_json::from_slice(bytes).map_err(|error| SourceError::NotJson(error.to_string()))
}

/// The document itself: some are kept as the body of a request.
fn unwrapped(json: Json) -> Result<Json, SourceError> {
    let Json::Object(mut members) = json else {
        return Err(SourceError::NoNodes);
    };
    for name in ["prompt", "workflow"] {
        let inner = members.get(name).and_then(Json::as_object);
        if inner.is_some_and(|inner| !inner.contains_key("class_type"))
            && let Some(inner) = members.remove(name)
        {
            return Ok(inner);
        }
    }
    if members.is_empty() {
        return Err(SourceError::NoNodes);
    }
    Ok(Json::Object(members))
}

/// What the picture was made from: the prompt that ran, or else the workflow.
fn from_picture(bytes: &[u8]) -> Result<Json, SourceError> {
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_limits(png::Limits { bytes: MAX_TEXT });
    let mut reader = decoder.read_info()?;
    // Texts may also follow the pixels.
    reader.finish()?;
    let info = reader.info();
    for name in ["prompt", "workflow"] {
        for chunk in &info.uncompressed_latin1_text {
            if chunk.keyword == name {
                return unwrapped(parse(chunk.text.as_bytes())?);
            }
        }
        for chunk in &info.compressed_latin1_text {
            if chunk.keyword == name {
                return unwrapped(parse(chunk.get_text()?.as_bytes())?);
            }
        }
        for chunk in &info.utf8_text {
            if chunk.keyword == name {
                return unwrapped(parse(chunk.get_text()?.as_bytes())?);
            }
        }
    }
    Err(SourceError::Bare)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(bytes: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), bytes).expect("a file");
        file
    }

    fn picture(texts: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 1, 1);
        for (name, text) in texts {
            let added = encoder.add_text_chunk((*name).to_owned(), (*text).to_owned());
            added.expect("a text");
        }
        let mut writer = encoder.write_header().expect("a header");
        writer.write_image_data(&[0]).expect("a pixel");
        writer.finish().expect("an end");
        bytes
    }

    #[test]
    fn prompts_are_found_in_all_their_wrappings() {
        let prompt = json!({"1": {"class_type": "A", "inputs": {}}});
        for text in [
            prompt.to_string(),
            json!({"prompt": prompt, "client_id": "x"}).to_string(),
            format!("\u{feff}{prompt}"),
        ] {
            let file = written(text.as_bytes());
            assert_eq!(read(file.path()).expect("a prompt"), prompt, "{text}");
        }
        let file = written(&picture(&[
            ("workflow", "{}"),
            ("prompt", &prompt.to_string()),
        ]));
        assert_eq!(read(file.path()).expect("a prompt"), prompt);
        let workflow = json!({"nodes": [], "links": []});
        let file = written(&picture(&[("workflow", &workflow.to_string())]));
        assert_eq!(read(file.path()).expect("a workflow"), workflow);
    }

    #[test]
    fn other_files_are_refused_in_words() {
        for (bytes, part) in [
            (b"hello".to_vec(), "expected a prompt or a workflow as JSON"),
            (b"[]".to_vec(), "without nodes"),
            (b"{}".to_vec(), "without nodes"),
            (picture(&[]), "carries neither"),
            (PNG_SIGNATURE.to_vec(), "could not be read"),
        ] {
            let file = written(&bytes);
            let error = read(file.path()).expect_err("not a prompt").to_string();
            assert!(error.contains(part), "{error}");
        }
        assert!(read(Path::new("/nowhere/at/all.json")).is_err());
    }
}
