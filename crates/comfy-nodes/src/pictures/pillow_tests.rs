//! Files of many kinds, read as Pillow reads them. `tests/fixtures/record_pictures.py` has written them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Recording {
    files: BTreeMap<String, Expected>,
}

#[derive(Deserialize)]
struct Expected {
    width: usize,
    height: usize,
    frames: Vec<ExpectedFrame>,
    /// What a conversion to RGBA gives as opacity, where it is not full everywhere.
    mask: Option<String>,
}

#[derive(Deserialize)]
struct ExpectedFrame {
    rgb: String,
    alpha: Option<String>,
}

/// Formats that are not read, and why not.
const NOT_READ: &[(&str, &str)] = &[(
    ".avif",
    "no decoder of AV1 is permissively licensed, safe to call and free of system libraries",
)];

/// By how many levels colours may differ.
fn tolerance(name: &str) -> u8 {
    match name.rsplit('.').next() {
        // The decoder that gives Pillow's bits cannot enlarge the colours of CMYK.
        Some("jpg") if name == "cmyk420.jpg" => 4,
        _ => 0,
    }
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits = hexadecimal.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn largest_difference(left: &[u8], right: &[u8]) -> u8 {
    if left.len() != right.len() {
        return u8::MAX;
    }
    let pairs = left.iter().zip(right);
    pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
}

/// What differs, in words.
fn difference(name: &str, expected: &Expected, picture: &Picture) -> Option<String> {
    let found = &picture.frames;
    if found.len() != expected.frames.len() {
        return Some(format!(
            "{} frames for {}",
            found.len(),
            expected.frames.len()
        ));
    }
    // Where only some frames have opacity, ours all have it.
    let has_alpha = expected.frames.iter().any(|frame| frame.alpha.is_some());
    for (index, (frame, expected_frame)) in found.iter().zip(&expected.frames).enumerate() {
        if (frame.width, frame.height) != (expected.width, expected.height) {
            return Some(format!("{}x{}", frame.width, frame.height));
        }
        if frame.alpha.is_some() != has_alpha {
            return Some(format!("opacity {}", frame.alpha.is_some()));
        }
        let opaque = vec![255; frame.width * frame.height];
        let alpha = expected_frame.alpha.as_deref().map_or(opaque, bytes);
        if let Some(found) = &frame.alpha {
            let levels = largest_difference(found, &alpha);
            if levels > tolerance(name) {
                return Some(format!("frame {index}: opacity by {levels}"));
            }
        }
        // What is not seen has no colour that matters: decoders of animations differ there.
        let mut rgb = frame.rgb.clone();
        let mut wanted = bytes(&expected_frame.rgb);
        if expected.frames.len() > 1 {
            for (index, opacity) in alpha.iter().enumerate() {
                if *opacity == 0 && index * 3 + 3 <= rgb.len().min(wanted.len()) {
                    rgb[index * 3..][..3].fill(0);
                    wanted[index * 3..][..3].fill(0);
                }
            }
        }
        let levels = largest_difference(&rgb, &wanted);
        if levels > tolerance(name) {
            return Some(format!("frame {index}: colours by {levels}"));
        }
    }
    let mask = found[0].opacity().map(<[u8]>::to_vec);
    let opaque = |mask: &Vec<u8>| mask.iter().all(|value| *value == 255);
    let mask = mask.filter(|mask| !opaque(mask)).unwrap_or_default();
    let wanted = expected.mask.as_deref().map(bytes).unwrap_or_default();
    let levels = largest_difference(&mask, &wanted);
    (levels > tolerance(name)).then(|| format!("mask by {levels}"))
}

#[test]
fn files_are_read_as_by_pillow() {
    let recording: Recording =
        serde_json::from_str(include_str!("samples/pillow/expected.json")).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/pictures/samples/pillow");
    let mut failures = Vec::new();
    for (name, expected) in &recording.files {
        if NOT_READ.iter().any(|(ending, _)| name.ends_with(ending)) {
            let read = read(&folder.join(name), &ReadLimits::default());
            assert!(matches!(read, Err(ReadError::NotRead("AVIF"))), "{name}");
            continue;
        }
        match read(&folder.join(name), &ReadLimits::default()) {
            Err(error) => failures.push(format!("{name}: {error}")),
            Ok(picture) => {
                let found = difference(name, expected, &picture);
                failures.extend(found.map(|difference| format!("{name}: {difference}")));
            }
        }
    }
    assert!(recording.files.len() >= 75);
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
