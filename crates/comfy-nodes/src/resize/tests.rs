use super::*;

/// Bytes that any language can make: the high byte of a linear congruential generator.
fn noise(count: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..count).map(|_| next()).collect()
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

fn shape(height: usize, width: usize, channels: usize) -> Shape {
    Shape {
        height,
        width,
        channels,
    }
}

/// Hashes of what Pillow 13.0 makes of the same noise (`Image.resize` with `Resampling.LANCZOS`; the seed is 42 plus the height).
#[test]
fn lanczos_is_pil_to_the_bit() {
    let cases = [
        ((7, 5, 3), (13, 11), 0xeb63_b5af_6c95_8a3b),
        ((20, 30, 3), (7, 9), 0x4c93_04de_b02f_c7e1),
        ((9, 9, 4), (14, 5), 0x40d0_6d95_a495_0516),
        ((16, 12, 1), (5, 31), 0xd5eb_2a89_e2f8_63f1),
        ((33, 1, 3), (8, 4), 0x9c1b_1101_8908_6571),
        ((12, 8, 3), (12, 5), 0x3223_e095_8e48_2c66),
        ((6, 10, 4), (6, 10), 0xd0f1_442c_3d0c_1820),
        ((40, 64, 4), (9, 17), 0xa70f_5f7b_a457_dd2f),
    ];
    for ((height, width, channels), (new_height, new_width), expected) in cases {
        let bytes = noise(height * width * channels, 42 + height as u32);
        let to = shape(new_height, new_width, channels);
        let resized =
            fixed_point::resize(&bytes, shape(height, width, channels), to, Kernel::Lanczos)
                .unwrap();
        assert_eq!(
            fnv(&resized),
            expected,
            "{height}x{width}x{channels} to {new_height}x{new_width}"
        );
    }
}

/// As above, for `ImageOps.contain` with `Resampling.BILINEAR`.
#[test]
fn fitting_is_pil_to_the_bit() {
    let cases = [
        ((8, 8), 32, (32, 32), 0xfd90_7ec8_df33_ac49),
        ((9, 12), 64, (48, 64), 0x7e87_5ae5_fb27_d709),
        ((12, 9), 64, (64, 48), 0x8533_1f93_b6d8_2609),
        ((40, 30), 20, (20, 15), 0x13c1_8378_6573_a306),
        ((7, 16), 16, (7, 16), 0x6439_fc0c_05bb_8541),
        ((5, 33), 20, (3, 20), 0x9991_be7f_f043_f361),
    ];
    for ((height, width), side, (new_height, new_width), expected) in cases {
        let bytes = noise(height * width * 3, 42 + height as u32);
        let (got_height, got_width, resized) =
            fit_bytes(&bytes, shape(height, width, 3), side).unwrap();
        assert_eq!((got_height, got_width), (new_height, new_width));
        assert_eq!(fnv(&resized), expected, "{height}x{width} into {side}");
    }
    assert_eq!(fit_bytes(&[0; 3000], shape(1, 1000, 3), 10).unwrap().0, 1);
}

#[test]
fn every_method_keeps_a_constant_picture() {
    let from = shape(5, 7, 3);
    let pixels = vec![0.2; from.len()];
    for method in [
        Method::NearestExact,
        Method::Bilinear,
        Method::Area,
        Method::Bicubic,
        Method::Lanczos,
    ] {
        for (height, width) in [(1, 1), (3, 20), (11, 2), (5, 7)] {
            let resized = resize(&pixels, from, height, width, method).unwrap();
            assert_eq!(resized.len(), height * width * 3);
            assert!(
                resized.iter().all(|value| (value - 0.2).abs() < 1e-6),
                "{method:?} {height}x{width}"
            );
        }
    }
}

#[test]
fn a_row_of_four_by_hand() {
    let row = [0.0, 1.0, 0.0, 0.5];
    let resized = |width, method| resize(&row, shape(1, 4, 1), 1, width, method).unwrap();
    assert_eq!(resized(2, Method::NearestExact), [1.0, 0.5]);
    assert_eq!(resized(2, Method::Area), [0.5, 0.25]);
    assert_eq!(resized(3, Method::Area), [0.5, 0.5, 0.25]);
    assert_eq!(resized(2, Method::Bilinear), [0.5, 0.25]);
    assert_eq!(
        resized(8, Method::Bilinear),
        [0.0, 0.25, 0.75, 0.75, 0.25, 0.125, 0.375, 0.5]
    );
    // Between 1 and 0, with 0 and 0.5 around: -0.09375 * (0 + 0.5) + 0.59375 * (1 + 0).
    assert!((resized(2, Method::Bicubic)[0] - 0.59375 + 0.0).abs() < 1e-6);
    assert!((resized(2, Method::Bicubic)[1] - (0.59375 * 0.5 - 0.09375 * 1.5)).abs() < 1e-6);
}

#[test]
fn crops_keep_the_middle() {
    assert_eq!(
        centre_crop(shape(64, 64, 3), 80, 100),
        (6, 0, shape(52, 64, 3))
    );
    assert_eq!(
        centre_crop(shape(64, 64, 3), 100, 80),
        (0, 6, shape(64, 52, 3))
    );
    assert_eq!(
        centre_crop(shape(10, 10, 1), 5, 5),
        (0, 0, shape(10, 10, 1))
    );
    // Half a pixel goes to the even side: 2.5 becomes 2.
    assert_eq!(
        centre_crop(shape(10, 15, 1), 10, 10),
        (0, 2, shape(10, 11, 1))
    );
    assert_eq!(
        centre_crop(shape(2, 1000, 1), 1000, 2).2,
        shape(2, 0, 1),
        "nothing is left of what is far too wide"
    );
    let part = crop(
        &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
        shape(2, 3, 1),
        0,
        1,
        shape(2, 1, 1),
    );
    assert_eq!(part, [1.0, 4.0]);
}

#[test]
fn impossible_sizes_are_errors() {
    assert!(matches!(
        resize(&[0.0; 4], shape(2, 2, 1), 0, 3, Method::Area),
        Err(ResizeError::Shape { .. })
    ));
    assert!(matches!(
        resize(&[0.0; 3], shape(2, 2, 1), 2, 3, Method::Area),
        Err(ResizeError::Shape { .. })
    ));
    assert!(matches!(
        resize(&[], shape(0, 2, 1), 2, 3, Method::Area),
        Err(ResizeError::Shape { .. })
    ));
    for method in [Method::NearestExact, Method::Lanczos] {
        let result = resize(&[0.0], shape(1, 1, 1), usize::MAX / 8, 3, method);
        assert!(
            matches!(result, Err(ResizeError::OutOfMemory { .. })),
            "{method:?}"
        );
    }
}

#[test]
fn pixels_are_truncated() {
    assert_eq!(
        bytes_from_units(&[0.0, 0.999, 1.0, 2.0, -1.0, f32::NAN, 0.5]),
        [0, 254, 255, 255, 0, 0, 127]
    );
    let survivors = (0..=255u8)
        .filter(|&byte| bytes_from_units(&units_from_bytes(&[byte])) == [byte])
        .count();
    assert_eq!(
        survivors, 256,
        "every byte survives the way there and back in f32"
    );
}

/// The pictures that `ComfyUI` made of `input/ref_img.png`: `ImageScale` to 100x80 with the middle cut out, and to 40 pixels
/// in width without cutting.
#[test]
fn recorded_pictures() {
    let limits = crate::pictures::ReadLimits::default();
    let read = |name: &str| {
        crate::pictures::read(&comfy_fixtures::path(name), &limits)
            .unwrap()
            .frames
            .remove(0)
    };
    let source = read("input/ref_img.png");
    let from = shape(source.height, source.width, 3);
    let pixels = units_from_bytes(&source.rgb);
    for (method, name) in [
        (Method::NearestExact, "nearest-exact"),
        (Method::Bilinear, "bilinear"),
        (Method::Area, "area"),
        (Method::Bicubic, "bicubic"),
        (Method::Lanczos, "lanczos"),
    ] {
        let (top, left, part) = centre_crop(from, 80, 100);
        let larger = resize(&crop(&pixels, from, top, left, part), part, 80, 100, method).unwrap();
        let smaller = resize(&pixels, from, 40, 40, method).unwrap();
        for (folder, got) in [("img_scale", larger), ("img_scale_down", smaller)] {
            let recorded = read(&format!("workflows/{folder}_{name}/out0.png"));
            let bytes = bytes_from_units(&got);
            assert_eq!(bytes, recorded.rgb, "{folder}_{name}");
        }
    }
}
