//! Files of every kind are read.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat};

use super::*;

fn encode(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, format).unwrap();
    file.into_inner()
}

/// A PNG with any header: what the encoder takes care not to write.
fn png_file(
    width: u32,
    height: u32,
    color: png::ColorType,
    depth: png::BitDepth,
    setup: impl FnOnce(&mut png::Encoder<'_, &mut Vec<u8>>),
    data: &[u8],
) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    setup(&mut encoder);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(data).unwrap();
    writer.finish().unwrap();
    file
}

pub(super) fn only_frame(bytes: &[u8]) -> Frame {
    let mut picture = read_bytes(bytes, &ReadLimits::default()).unwrap();
    assert_eq!(picture.frames.len(), 1);
    picture.frames.remove(0)
}

fn words(values: &[u16]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_be_bytes())
        .collect()
}

#[test]
fn lossless_formats_keep_their_bytes() {
    let pixels: Vec<u8> = (0..5 * 3 * 3).map(|value| value * 5).collect();
    let rgb = DynamicImage::ImageRgb8(image::RgbImage::from_raw(5, 3, pixels.clone()).unwrap());
    for format in [
        ImageFormat::Png,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
        ImageFormat::WebP,
        ImageFormat::Pnm,
    ] {
        let frame = only_frame(&encode(&rgb, format));
        assert_eq!(
            (frame.width, frame.height, frame.alpha),
            (5, 3, None),
            "{format:?}"
        );
        assert_eq!(frame.rgb, pixels, "{format:?}");
    }
    let frame = only_frame(&encode(&rgb, ImageFormat::Jpeg));
    assert_eq!((frame.width, frame.height, frame.alpha), (5, 3, None));
}

#[test]
fn opacity_is_kept() {
    let pixels: Vec<u8> = (0..4 * 2 * 4).map(|value| value * 7).collect();
    let rgba = DynamicImage::ImageRgba8(image::RgbaImage::from_raw(4, 2, pixels.clone()).unwrap());
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Tiff] {
        let frame = only_frame(&encode(&rgba, format));
        let alpha: Vec<u8> = pixels.chunks(4).map(|pixel| pixel[3]).collect();
        assert_eq!(frame.alpha, Some(alpha), "{format:?}");
        assert_eq!(frame.rgb[3..6], pixels[4..7], "{format:?}");
    }
    let frame = only_frame(&png_file(
        2,
        1,
        png::ColorType::GrayscaleAlpha,
        png::BitDepth::Eight,
        |_| {},
        &[9, 100, 8, 200],
    ));
    assert_eq!(
        (frame.rgb, frame.alpha),
        (vec![9, 9, 9, 8, 8, 8], Some(vec![100, 200]))
    );
}

/// Checked against Pillow 12.0, mode by mode.
#[test]
fn png_modes() {
    use png::{BitDepth, ColorType};
    let bits = |depth, data: &[u8]| {
        only_frame(&png_file(2, 1, ColorType::Grayscale, depth, |_| {}, data)).rgb
    };
    assert_eq!(
        bits(BitDepth::One, &[0b1011_0001]),
        [255, 255, 255, 0, 0, 0]
    );
    assert_eq!(
        bits(BitDepth::Two, &[0b1011_0001]),
        [170, 170, 170, 255, 255, 255]
    );
    assert_eq!(
        bits(BitDepth::Four, &[0b1011_0001]),
        [187, 187, 187, 17, 17, 17]
    );

    let values = words(&[0, 255, 256, 1000, 32768, 65535]);
    let frame = only_frame(&png_file(
        6,
        1,
        ColorType::Grayscale,
        BitDepth::Sixteen,
        |_| {},
        &values,
    ));
    let first: Vec<u8> = frame.rgb.chunks(3).map(|pixel| pixel[0]).collect();
    assert_eq!(first, [0, 255, 255, 255, 255, 255], "wide grey is cut off");
    let frame = only_frame(&png_file(
        2,
        1,
        ColorType::Rgb,
        BitDepth::Sixteen,
        |_| {},
        &values,
    ));
    assert_eq!(frame.rgb, [0, 0, 1, 3, 128, 255], "wide colour is cut");

    // A colour key is no opacity ...
    let keyed = |encoder: &mut png::Encoder<'_, &mut Vec<u8>>| encoder.set_trns(vec![0, 5]);
    let frame = only_frame(&png_file(
        2,
        1,
        ColorType::Grayscale,
        BitDepth::Eight,
        keyed,
        &[5, 6],
    ));
    assert_eq!((frame.rgb, frame.alpha), (vec![5, 5, 5, 6, 6, 6], None));
    let frame = only_frame(&png_file(
        2,
        1,
        ColorType::Grayscale,
        BitDepth::Sixteen,
        keyed,
        &words(&[5, 2550]),
    ));
    assert_eq!(
        (frame.rgb, frame.alpha),
        (vec![5, 5, 5, 255, 255, 255], None)
    );
    // ... but the one of a palette is.
    let palette = |encoder: &mut png::Encoder<'_, &mut Vec<u8>>| {
        encoder.set_palette((0..12).collect::<Vec<u8>>());
        encoder.set_trns(vec![0, 128]);
    };
    let frame = only_frame(&png_file(
        2,
        1,
        ColorType::Indexed,
        BitDepth::Four,
        palette,
        &[0x12],
    ));
    assert_eq!(
        (frame.rgb, frame.alpha),
        (vec![3, 4, 5, 6, 7, 8], Some(vec![128, 255]))
    );
}

#[test]
fn animated_png_is_painted_frame_over_frame() {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 2, 1);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_animated(3, 0).unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer
        .write_image_data(&[10, 20, 30, 255, 40, 50, 60, 255])
        .unwrap();
    writer.set_frame_dimension(1, 1).unwrap();
    writer.set_frame_position(1, 0).unwrap();
    writer.set_blend_op(png::BlendOp::Over).unwrap();
    writer.set_dispose_op(png::DisposeOp::Previous).unwrap();
    writer.write_image_data(&[240, 150, 60, 128]).unwrap();
    writer.set_blend_op(png::BlendOp::Source).unwrap();
    writer.reset_frame_position().unwrap();
    writer.write_image_data(&[1, 2, 3, 4]).unwrap();
    writer.finish().unwrap();

    let frames = read_bytes(&file, &ReadLimits::default()).unwrap().frames;
    assert_eq!(frames.len(), 3);
    assert_eq!(frames[0].rgb, [10, 20, 30, 40, 50, 60]);
    assert_eq!(
        frames[1].rgb,
        [10, 20, 30, 140, 100, 60],
        "half over what was there"
    );
    assert_eq!(
        frames[2].rgb,
        [1, 2, 3, 40, 50, 60],
        "the second frame has gone again"
    );
    assert_eq!(frames[2].alpha, Some(vec![4, 255]));
}

#[test]
fn animated_gif_gives_every_frame() {
    let mut file = Vec::new();
    {
        let mut encoder = image::codecs::gif::GifEncoder::new(&mut file);
        let frame = |value| {
            image::Frame::new(image::RgbaImage::from_pixel(
                3,
                2,
                image::Rgba([value, value, value, 255]),
            ))
        };
        encoder.encode_frames([frame(10), frame(200)]).unwrap();
    }
    let frames = read_bytes(&file, &ReadLimits::default()).unwrap().frames;
    assert_eq!(frames.len(), 2);
    assert!(
        frames[0].rgb.iter().all(|value| *value == 10)
            && frames[1].rgb.iter().all(|value| *value == 200)
    );
    assert_eq!(frames[0].alpha, None);
}

/// `samples/cleared.webp` was drawn with Pillow: a rectangle and a disc that move, each frame cleared before the next.
#[test]
fn animated_webp_clears_to_transparent() {
    let frames = read_bytes(
        include_bytes!("samples/cleared.webp"),
        &ReadLimits::default(),
    )
    .unwrap()
    .frames;
    let opaque: Vec<usize> = frames
        .iter()
        .map(|frame| {
            let alpha = frame.alpha.as_ref().unwrap();
            alpha.iter().filter(|&&value| value > 254).count()
        })
        .collect();
    assert_eq!(opaque, [109, 118, 129, 143]);
    assert_eq!((frames[0].width, frames[0].height), (24, 20));
}

#[test]
fn a_list_longer_than_its_tiff_file_is_refused() {
    // One page whose width claims to be a list of values.
    let with_width = |count: u32| {
        let mut file = b"II*\0\x08\0\0\0\x01\0\0\x01\x03\0".to_vec();
        file.extend(count.to_le_bytes());
        file.extend([0; 8]);
        let read = read_bytes(&file, &ReadLimits::default());
        read.err().unwrap().to_string()
    };
    assert!(with_width(6_225_921).contains("longer than the file"));
    assert!(with_width(u32::MAX).contains("longer than the file"));
    assert!(!with_width(1).contains("longer than the file"));
}

/// EXIF with nothing but an orientation.
fn exif(orientation: u8) -> Vec<u8> {
    let mut chunk = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    chunk.extend([orientation, 0, 0, 0, 0, 0, 0]);
    chunk
}

#[test]
fn pictures_are_turned_as_exif_says() {
    // A B C    orientation 6 (a quarter to the right):  D A
    // D E F                                             E B
    //                                                   F C
    let pixels: Vec<u8> = b"ABCDEF".to_vec();
    let mut file = png_file(
        3,
        2,
        png::ColorType::Grayscale,
        png::BitDepth::Eight,
        |_| {},
        &pixels,
    );
    let mut chunk = b"eXIf".to_vec();
    chunk.extend(exif(6));
    let mut with_exif = file.drain(..33).collect::<Vec<u8>>();
    with_exif.extend((chunk.len() as u32 - 4).to_be_bytes());
    with_exif.extend(&chunk);
    with_exif.extend(crc32(&chunk).to_be_bytes());
    with_exif.extend(file);
    let frame = only_frame(&with_exif);
    assert_eq!((frame.width, frame.height), (2, 3));
    let grey: Vec<u8> = frame.rgb.chunks(3).map(|pixel| pixel[0]).collect();
    assert_eq!(grey, b"DAEBFC");
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 {
                (crc >> 1) ^ 0xedb8_8320
            } else {
                crc >> 1
            }
        })
    })
}

/// A valid PNG header of any size with almost nothing behind it.
fn claims(width: u32, height: u32) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |name: &[u8], data: &[u8]| {
        file.extend((data.len() as u32).to_be_bytes());
        let mut body = name.to_vec();
        body.extend(data);
        file.extend(&body);
        file.extend(crc32(&body).to_be_bytes());
    };
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([8, 6, 0, 0, 0]);
    chunk(b"IHDR", &header);
    chunk(b"IDAT", &[0x78, 0x9c, 0x03, 0, 0, 0, 0, 1]);
    chunk(b"IEND", &[]);
    file
}

#[test]
fn huge_pictures_are_refused_by_their_header() {
    for (width, height) in [
        (60_000, 60_000),
        (i32::MAX as u32, i32::MAX as u32),
        (178_956_971, 1),
    ] {
        let error = read_bytes(&claims(width, height), &ReadLimits::default()).unwrap_err();
        assert!(matches!(error, ReadError::TooManyPixels { .. }), "{error}");
    }
    let mut bmp = encode(&DynamicImage::new_rgb8(1, 1), ImageFormat::Bmp);
    bmp[18..22].copy_from_slice(&60_000u32.to_le_bytes());
    bmp[22..26].copy_from_slice(&60_000u32.to_le_bytes());
    assert!(read_bytes(&bmp, &ReadLimits::default()).is_err());
    let mut gif = Vec::new();
    image::codecs::gif::GifEncoder::new(&mut gif)
        .encode(&[0; 3], 1, 1, image::ExtendedColorType::Rgb8)
        .unwrap();
    gif[6..10].copy_from_slice(&[0xff; 4]);
    assert!(matches!(
        read_bytes(&gif, &ReadLimits::default()),
        Err(ReadError::TooManyPixels { .. })
    ));
    assert!(read_bytes(b"P6 60000 60000 255\n", &ReadLimits::default()).is_err());

    let limits = ReadLimits {
        file_bytes: 100,
        pixels: 3,
    };
    assert!(matches!(
        read_bytes(&[0; 101], &limits),
        Err(ReadError::FileTooLarge { .. })
    ));
    let frames = claims_frames();
    assert!(
        read_bytes(
            &frames,
            &ReadLimits {
                file_bytes: 10_000,
                pixels: 8
            }
        )
        .is_ok()
    );
    assert!(matches!(
        read_bytes(
            &frames,
            &ReadLimits {
                file_bytes: 10_000,
                pixels: 7
            }
        ),
        Err(ReadError::TooManyPixels { frames: 2, .. })
    ));
}

#[test]
fn frames_without_end_are_refused() {
    let limits = ReadLimits::default();
    assert!(limits.check(1, 1, 100_000).is_ok());
    assert!(matches!(
        limits.check(1, 1, 100_001),
        Err(ReadError::TooManyFrames { .. })
    ));
}

fn claims_frames() -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 2, 2);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_animated(2, 0).unwrap();
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[0; 12]).unwrap();
    writer.write_image_data(&[0; 12]).unwrap();
    writer.finish().unwrap();
    file
}

#[test]
fn broken_files_are_errors() {
    let rgb = DynamicImage::new_rgb8(40, 30);
    for format in [
        ImageFormat::Png,
        ImageFormat::Bmp,
        ImageFormat::Tiff,
        ImageFormat::WebP,
        ImageFormat::Gif,
        ImageFormat::Jpeg,
        ImageFormat::Pnm,
    ] {
        let file = encode(&rgb, format);
        for length in 0..file.len() {
            // Truncated anywhere: an error, or for some formats a picture with what there was; never a panic.
            let _ = read_bytes(&file[..length], &ReadLimits::default());
        }
        for position in 0..file.len().min(200) {
            let mut damaged = file.clone();
            damaged[position] ^= 0xff;
            let _ = read_bytes(
                &damaged,
                &ReadLimits {
                    file_bytes: 1 << 20,
                    pixels: 1 << 20,
                },
            );
        }
    }
    let png = encode(&rgb, ImageFormat::Png);
    assert!(matches!(
        read_bytes(&png[..png.len() / 2], &ReadLimits::default()),
        Err(ReadError::Broken(_))
    ));
    for text in [&b"hello, this is a text"[..], b"", b"<svg/>"] {
        assert!(matches!(
            read_bytes(text, &ReadLimits::default()),
            Err(ReadError::UnknownFormat(_))
        ));
    }
}

#[test]
fn files_are_read_by_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.png");
    std::fs::write(
        &path,
        encode(&DynamicImage::new_rgb8(2, 2), ImageFormat::Png),
    )
    .unwrap();
    assert_eq!(
        read(&path, &ReadLimits::default()).unwrap().frames[0].width,
        2
    );
    assert!(matches!(
        read(
            &path,
            &ReadLimits {
                file_bytes: 10,
                pixels: 10
            }
        ),
        Err(ReadError::FileTooLarge { .. })
    ));
    assert!(matches!(
        read(directory.path(), &ReadLimits::default()),
        Err(ReadError::Io { .. })
    ));
    assert!(matches!(
        read(&directory.path().join("none"), &ReadLimits::default()),
        Err(ReadError::Io { .. })
    ));
}

/// `samples/rgb.jxl` and `samples/rgba.jxl` hold random bytes, written without loss by libjxl.
#[test]
fn jpeg_xl_is_read() {
    let frame = only_frame(include_bytes!("samples/rgb.jxl"));
    assert_eq!((frame.width, frame.height, &frame.alpha), (9, 7, &None));
    assert_eq!(frame.rgb[..6], [0xc1, 0x58, 0x6b, 0xd6, 0x48, 0x03]);
    let frame = only_frame(include_bytes!("samples/rgba.jxl"));
    assert_eq!(frame.rgb[..6], [0xac, 0xe5, 0x02, 0x3c, 0x0e, 0x72]);
    let alpha = frame.alpha.unwrap();
    assert_eq!(alpha[..5], [0xfa, 0x51, 0xe8, 0xec, 0x39]);
    assert_eq!(alpha.len(), 63);

    let file = include_bytes!("samples/rgba.jxl");
    for length in 0..file.len() {
        let _ = read_bytes(&file[..length], &ReadLimits::default());
    }
    for position in 0..file.len() {
        let mut damaged = file.to_vec();
        damaged[position] ^= 0x55;
        let limits = ReadLimits {
            file_bytes: 1 << 20,
            pixels: 1 << 16,
        };
        let _ = read_bytes(&damaged, &limits);
    }
    let limits = ReadLimits {
        file_bytes: 1 << 20,
        pixels: 62,
    };
    assert!(matches!(
        read_bytes(file, &limits),
        Err(ReadError::TooManyPixels { .. })
    ));
}
