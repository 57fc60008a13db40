//! What is written is read again.

use std::io::Cursor;

use super::tests::only_frame;
use super::*;

#[test]
fn written_png_holds_pixels_and_texts() {
    let texts = [
        PngText {
            keyword: "prompt".to_owned(),
            text: "{\"1\": \"\\u00e9\"}".to_owned(),
        },
        PngText {
            keyword: "workflow".to_owned(),
            text: "{}".to_owned(),
        },
        PngText {
            keyword: "k".repeat(80),
            text: "{}".to_owned(),
        },
        PngText {
            keyword: "日本".to_owned(),
            text: "{}".to_owned(),
        },
        PngText {
            keyword: String::new(),
            text: "{}".to_owned(),
        },
        PngText {
            keyword: "a\0b".to_owned(),
            text: "{}".to_owned(),
        },
    ];
    for channels in 1..=4 {
        let pixels: Vec<u8> = (0..3 * 2 * channels).map(|value| value as u8 * 3).collect();
        let file = encode_png(&pixels, 3, 2, channels, &texts, Compression::Balanced).unwrap();
        let mut reader = png::Decoder::new(Cursor::new(&file)).read_info().unwrap();
        let found: Vec<_> = reader
            .info()
            .uncompressed_latin1_text
            .iter()
            .map(|chunk| (chunk.keyword.clone(), chunk.text.clone()))
            .collect();
        assert_eq!(
            found,
            [
                ("prompt".to_owned(), texts[0].text.clone()),
                ("workflow".to_owned(), "{}".to_owned())
            ]
        );
        let mut read = vec![0; pixels.len()];
        reader.next_frame(&mut read).unwrap();
        assert_eq!(read, pixels);
    }
    assert!(matches!(
        encode_png(&[0; 10], 1, 2, 5, &[], Compression::Fast),
        Err(WriteError::Shape { .. })
    ));
    assert!(matches!(
        encode_png(&[0; 10], 3, 1, 3, &[], Compression::Fast),
        Err(WriteError::Shape { .. })
    ));
}

#[test]
fn files_appear_whole_and_replace_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let name = |counter| format!("a_{counter:05}_.png");
    std::fs::write(directory.path().join("a_00002_.png"), "old").unwrap();
    assert_eq!(
        save_new(directory.path(), 1, name, b"one").unwrap(),
        ("a_00001_.png".to_owned(), 1)
    );
    assert_eq!(
        save_new(directory.path(), 2, name, b"three").unwrap(),
        ("a_00003_.png".to_owned(), 3)
    );
    assert_eq!(
        std::fs::read(directory.path().join("a_00002_.png")).unwrap(),
        b"old"
    );
    assert_eq!(
        std::fs::read_dir(directory.path()).unwrap().count(),
        3,
        "no temporary file is left"
    );
    assert_eq!(name(123_456), "a_123456_.png");
    assert!(matches!(
        save_new(&directory.path().join("none"), 1, name, b""),
        Err(WriteError::Io { .. })
    ));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = directory
            .path()
            .join("a_00001_.png")
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        let plain = directory
            .path()
            .join("a_00002_.png")
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode, plain, "like any new file");
    }
}

fn frames_of(pictures: &[Vec<u8>], channels: usize) -> Vec<AnimationFrame<'_>> {
    pictures
        .iter()
        .map(|bytes| AnimationFrame {
            bytes,
            width: 5,
            height: 3,
            channels,
            milliseconds: 166,
        })
        .collect()
}

fn some_texts() -> Vec<(String, String)> {
    [
        ("prompt", r#"{"1": {"class_type": "X\u00e9"}}"#),
        ("workflow", r#"{"version": 0.4}"#),
        ("a", "1"),
    ]
    .map(|(keyword, text)| (keyword.to_owned(), text.to_owned()))
    .to_vec()
}

#[test]
fn animations_come_back() {
    for channels in 1..=4 {
        let pictures: Vec<Vec<u8>> = (0..3_usize)
            .map(|frame| {
                let values = 0..5 * 3 * channels;
                let mut bytes: Vec<u8> = values
                    .map(|value| ((value * 37 + frame * 91) % 256) as u8)
                    .collect();
                if channels % 2 == 0 {
                    // Colours that nobody sees may be lost.
                    for pixel in bytes.chunks_exact_mut(channels) {
                        pixel[channels - 1] |= 1;
                    }
                }
                bytes
            })
            .collect();
        for count in [1, 3] {
            let frames = frames_of(&pictures[..count], channels);
            let options = WebpOptions {
                lossless: true,
                quality: 80.0,
                method: 4,
            };
            for file in [
                encode_animated_png(&frames, &some_texts(), 4).unwrap(),
                encode_animated_png(&frames, &[], 0).unwrap(),
                encode_webp(&frames, &some_texts(), options).unwrap(),
                encode_webp(&frames, &[], options).unwrap(),
            ] {
                let found = read_bytes(&file, &ReadLimits::default()).unwrap().frames;
                assert_eq!(found.len(), count, "{channels}");
                for (found, frame) in found.iter().zip(&frames) {
                    let expected = match channels {
                        1 => Frame::from_grey(5, 3, frame.bytes),
                        2 => Frame::from_grey_alpha(5, 3, frame.bytes),
                        3 => Frame {
                            width: 5,
                            height: 3,
                            rgb: frame.bytes.to_vec(),
                            alpha: None,
                            key: None,
                        },
                        _ => Frame::from_rgba(5, 3, frame.bytes),
                    };
                    assert_eq!(*found, expected, "{channels} channels, {count} frames");
                }
            }
        }
    }
    assert!(encode_animated_png(&[], &[], 4).is_err());
}

#[test]
fn lossy_webp_keeps_what_is_seen() {
    let smooth: Vec<u8> = (0..5 * 3 * 3).map(|value| 100 + value as u8).collect();
    let pictures = [smooth];
    let frames = frames_of(&pictures, 3);
    let mut sizes = Vec::new();
    for quality in [5.0, 100.0] {
        let options = WebpOptions {
            lossless: false,
            quality,
            method: 6,
        };
        let file = encode_webp(&frames, &[], options).unwrap();
        let frame = only_frame(&file);
        let pairs = frame.rgb.iter().zip(&pictures[0]);
        let largest = pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(largest < 40, "quality {quality}: {largest}");
        sizes.push(file.len());
    }
    assert!(sizes[0] <= sizes[1], "{sizes:?}");
}

/// Chunk by chunk as the official front end goes through a file.
#[test]
fn the_front_end_finds_the_workflow() {
    for side in 1..6 {
        let pixels: Vec<u8> = (0..side * 3)
            .map(|value| (value * 50 % 256) as u8)
            .collect();
        let frame = AnimationFrame {
            bytes: &pixels,
            width: side,
            height: 1,
            channels: 3,
            milliseconds: 100,
        };
        let options = WebpOptions {
            lossless: side % 2 == 0,
            quality: 50.0,
            method: 0,
        };
        let file = encode_webp(&[frame], &some_texts(), options).unwrap();
        let word = |at: usize| u32::from_le_bytes(*file[at..].first_chunk().unwrap()) as usize;
        assert_eq!(word(4) + 8, file.len());
        let mut offset = 12;
        while &file[offset..offset + 4] != b"EXIF" {
            offset += 8 + word(offset + 4);
        }
        let exif = &file[offset + 8..][..word(offset + 4)];
        assert_eq!(&exif[..4], b"II*\0");
        let half = |at: usize| u16::from_le_bytes(*exif[at..].first_chunk().unwrap());
        let long = |at: usize| u32::from_le_bytes(*exif[at..].first_chunk().unwrap()) as usize;
        let start = long(4);
        let mut found = Vec::new();
        for entry in 0..usize::from(half(start)) {
            let entry = start + 2 + entry * 12;
            let length = long(entry + 4);
            let at = if length > 4 {
                long(entry + 8)
            } else {
                entry + 8
            };
            let text = std::str::from_utf8(&exif[at..at + length - 1]).unwrap();
            let (keyword, text) = text.split_once(':').unwrap();
            found.push((half(entry), keyword.to_owned(), text.to_owned()));
        }
        let texts = some_texts();
        let expected =
            |tag: u16, index: usize| (tag, texts[index].0.clone(), texts[index].1.clone());
        assert_eq!(
            found,
            [
                expected(0x010e, 2),
                expected(0x010f, 1),
                expected(0x0110, 0)
            ]
        );

        let file = encode_animated_png(&[frame, frame], &some_texts(), 9).unwrap();
        let mut offset = 8;
        let mut found = Vec::new();
        let mut kinds = Vec::new();
        while offset < file.len() {
            let length = u32::from_be_bytes(*file[offset..].first_chunk().unwrap()) as usize;
            let kind = &file[offset + 4..offset + 8];
            let data = &file[offset + 8..][..length];
            if kind == b"comf" {
                let end = data.iter().position(|byte| *byte == 0).unwrap();
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                found.push((text(&data[..end]), text(&data[end + 1..])));
            }
            kinds.push(kind.to_vec());
            offset += 12 + length;
        }
        assert_eq!(found, texts);
        let of = |name: &[u8; 4]| kinds.iter().position(|kind| kind == name).unwrap();
        assert!(of(b"comf") > of(b"fdAT"));
    }
}
