#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use half::{bf16, f16};

use super::*;

/// Numbers between -1 and 1 that differ.
fn numbers(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(747_796_405).wrapping_add(1);
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(next).collect()
}

/// The distance of two vectors, relative to the second.
fn distance(got: &[f32], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len());
    let square = |sum: f64, value: f64| sum + value * value;
    let pairs = got.iter().zip(want);
    let difference = pairs
        .map(|(got, want)| f64::from(*got) - want)
        .fold(0.0, square);
    let size = want.iter().copied().fold(1e-30, square);
    (difference / size).sqrt()
}

/// What a tile may be wrong by: sums in `f32`, and factors of eight bits where they are rounded.
fn bound(tile: &Tile) -> f64 {
    if tile.rounds() { 6e-3 } else { 1e-6 }
}

const SIZES: [[usize; 3]; 14] = [
    [1, 1, 1],
    [1, 3, 1],
    [2, 1, 37],
    [13, 5, 31],
    [14, 64, 32],
    [15, 65, 33],
    [28, 256, 64],
    [29, 257, 65],
    [5, 513, 1030],
    [100, 511, 77],
    [7, 1025, 9],
    [154, 77, 41],
    [330, 70, 1100],
    [320, 33, 2],
];

fn plain(
    left: &[f32],
    right: &[f32],
    [rows, depth, columns]: [usize; 3],
    at: [usize; 2],
) -> Vec<f64> {
    let mut result = Vec::with_capacity(rows * columns);
    for row in 0..rows {
        for column in 0..columns {
            let terms = (0..depth).map(|k| {
                f64::from(left[row * depth + k]) * f64::from(right[column * at[0] + k * at[1]])
            });
            result.push(terms.sum());
        }
    }
    result
}

#[test]
fn every_tile_follows_the_formula() {
    for tile in Tile::all() {
        for sizes @ [rows, depth, columns] in SIZES {
            let left = numbers(rows * depth, 1);
            let right = numbers(columns * depth, 2);
            let a = Matrix::dense(&left, rows, depth);
            for strides in [[depth, 1], [1, columns]] {
                let b = Matrix::new(&right, [columns, depth], strides);
                let want = plain(&left, &right, sizes, strides);
                let first = product(&tile, Output::PLAIN, &a, &b);
                let output = Output {
                    residual: Some(first),
                    ..Output::PLAIN
                };
                let got = product(&tile, output, &a, &b);
                let want: Vec<f64> = want.iter().map(|value| 2.0 * value).collect();
                let difference = distance(&got, &want);
                assert!(
                    difference < bound(&tile),
                    "{tile:?} {sizes:?} {strides:?}: {difference:.1e}"
                );
            }
        }
    }
}

#[test]
fn half_precision_is_widened() {
    let [rows, depth, columns] = [45, 99, 70];
    let left = numbers(rows * depth, 3);
    let halves: Vec<f16> = numbers(columns * depth, 4)
        .into_iter()
        .map(f16::from_f32)
        .collect();
    let brains: Vec<bf16> = halves
        .iter()
        .map(|half| bf16::from_f32(half.to_f32()))
        .collect();
    let a = Matrix::dense(&left, rows, depth);
    for tile in Tile::all() {
        for strides in [[depth, 1], [1, columns], [2 * depth, 2]] {
            let columns = if strides[1] == 2 {
                columns / 2
            } else {
                columns
            };
            let depth_there = if strides[1] == 2 { depth / 2 } else { depth };
            let a = if strides[1] == 2 {
                Matrix::new(&left, [rows, depth_there], [depth, 1])
            } else {
                a
            };
            let check = |right: &dyn Operand, wide: &[f32]| {
                let got = product(&tile, Output::PLAIN, &a, right);
                let left: Vec<f32> = left
                    .chunks(depth)
                    .flat_map(|row| &row[..depth_there])
                    .copied()
                    .collect();
                let want = plain(&left, wide, [rows, depth_there, columns], strides);
                let difference = distance(&got, &want);
                assert!(
                    difference < bound(&tile),
                    "{tile:?} {strides:?}: {difference:.1e}"
                );
            };
            let sizes = [columns, depth_there];
            let wide: Vec<f32> = halves.iter().map(|half| half.to_f32()).collect();
            check(&Matrix::new(&halves, sizes, strides), &wide);
            let wide: Vec<f32> = brains.iter().map(|brain| brain.to_f32()).collect();
            check(&Matrix::new(&brains, sizes, strides), &wide);
        }
    }
}

#[test]
fn what_is_added_is_added_where_it_belongs() {
    for tile in Tile::all() {
        for [rows, depth, of_group, groups] in [[3, 5, 7, 1], [35, 40, 9, 4], [600, 70, 33, 2]] {
            let columns = of_group * groups;
            let left = numbers(rows * depth, 1);
            let right = numbers(columns * depth, 2);
            let sums = plain(&left, &right, [rows, depth, columns], [depth, 1]);
            let of_rows = numbers(groups * rows, 3);
            let of_columns = numbers(of_group, 4);
            let before = numbers(rows * columns, 5);
            for (bias, residual) in [
                (Bias::OfRows(&of_rows), None),
                (Bias::OfColumns(&of_columns), None),
                (Bias::None, Some(before.clone())),
                (Bias::OfColumns(&of_columns), Some(before.clone())),
            ] {
                let want = (0..rows * columns).map(|index| {
                    let (line, column) = (index / of_group, index % of_group);
                    let (group, row) = (line / rows, line % rows);
                    let bias = match bias {
                        Bias::None => 0.0,
                        Bias::OfRows(bias) => bias[line],
                        Bias::OfColumns(bias) => bias[column],
                    };
                    let before = residual.as_ref().map_or(0.0, |before| before[index]);
                    sums[row * columns + group * of_group + column] + f64::from(bias + before)
                });
                let want: Vec<f64> = want.collect();
                let output = Output {
                    groups,
                    bias,
                    residual,
                };
                let left = Matrix::dense(&left, rows, depth);
                let got = product(&tile, output, &left, &Matrix::dense(&right, columns, depth));
                let difference = distance(&got, &want);
                assert!(
                    difference < bound(&tile),
                    "{tile:?} {bias:?}: {difference:.1e}"
                );
            }
        }
    }
}

#[test]
fn gates_follow_the_formula() {
    for tile in Tile::all() {
        for [rows, depth, width] in [[1, 3, 1], [5, 40, 33], [1030, 17, 7], [2, 700, 400]] {
            let left = numbers(rows * depth, 1);
            let right = numbers(2 * width * depth, 2);
            let bias = numbers(2 * width, 3);
            let sums = plain(&left, &right, [rows, depth, 2 * width], [depth, 1]);
            let mut want = Vec::new();
            for row in sums.chunks(2 * width) {
                for index in 0..width {
                    let kept = row[index] + f64::from(bias[index]);
                    let gate = row[width + index] + f64::from(bias[width + index]);
                    let mut gelu = [gate as f32];
                    elementwise::gelu(&mut gelu);
                    want.push(kept * f64::from(gelu[0]));
                }
            }
            let right = Matrix::dense(&right, 2 * width, depth);
            let got = gated_product(&tile, Some(&bias), &left, &right);
            let difference = distance(&got, &want);
            assert!(
                difference < 2.0 * bound(&tile),
                "{tile:?} {rows}×{width}: {difference:.1e}"
            );
        }
    }
}

#[test]
fn nothing_is_a_product_too() {
    let tile = Tile::of(Precision::Single);
    let empty = Matrix::<f32>::dense(&[], 0, 5);
    let some = numbers(10, 1);
    let some = Matrix::dense(&some, 2, 5);
    assert!(product(&tile, Output::PLAIN, &empty, &some).is_empty());
    let no_depth = |lanes| Matrix::<f32>::dense(&[], lanes, 0);
    let got = product(&tile, Output::PLAIN, &no_depth(3), &no_depth(2));
    assert!(got.len() == 6 && got.iter().all(|value| *value == 0.0));
}

#[test]
fn what_is_no_number_is_not_hidden_by_rounding() {
    for tile in Tile::all() {
        let left = [f32::NAN, 1.0, 2.0];
        let right = [1.0, 0.0, f32::INFINITY];
        let got = product(
            &tile,
            Output::PLAIN,
            &Matrix::dense(&left, 3, 1),
            &Matrix::dense(&right, 3, 1),
        );
        assert!(
            got[0].is_nan() && got[1].is_nan() && got[2].is_nan(),
            "{tile:?} {got:?}"
        );
        assert!(
            got[5].is_infinite() && (got[6] - 2.0).abs() < 1e-6,
            "{tile:?} {got:?}"
        );
    }
}

fn plain_attention(sizes: &Attention, query: &[f32], key: &[f32], value: &[f32]) -> Vec<f64> {
    let Attention {
        batch,
        queries,
        keys,
        heads,
        size,
        causal,
    } = *sizes;
    let width = heads * size;
    let mut result = vec![0.0; batch * queries * width];
    for image in 0..batch {
        for head in 0..heads {
            for q in 0..queries {
                let at = |values: &[f32], tokens: usize, token: usize, feature: usize| {
                    f64::from(values[(image * tokens + token) * width + head * size + feature])
                };
                let seen = if causal { keys.min(q + 1) } else { keys };
                let scores: Vec<f64> = (0..seen)
                    .map(|k| {
                        let terms =
                            (0..size).map(|f| at(query, queries, q, f) * at(key, keys, k, f));
                        terms.sum::<f64>() / (size as f64).sqrt()
                    })
                    .collect();
                let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = scores.iter().map(|score| (score - most).exp()).sum();
                for f in 0..size {
                    let terms = scores.iter().enumerate();
                    let terms =
                        terms.map(|(k, score)| (score - most).exp() * at(value, keys, k, f));
                    result[(image * queries + q) * width + head * size + f] =
                        terms.sum::<f64>() / sum;
                }
            }
        }
    }
    result
}

#[test]
fn attention_follows_the_formula() {
    let list = [
        ([1, 1, 1, 1, 1], false),
        ([2, 33, 77, 3, 40], false),
        ([1, 64, 64, 2, 4], false),
        ([1, 70, 500, 1, 80], false),
        ([2, 31, 239, 2, 7], false),
        ([1, 5, 241, 1, 160], false),
        ([1, 9, 15, 1, 513], false),
        ([2, 77, 77, 3, 64], true),
        ([1, 300, 300, 1, 24], true),
        ([3, 5, 5, 2, 3], true),
    ];
    for tile in Tile::all() {
        for ([batch, queries, keys, heads, size], causal) in list {
            let sizes = Attention {
                batch,
                queries,
                keys,
                heads,
                size,
                causal,
            };
            let width = heads * size;
            let query: Vec<f32> = numbers(batch * queries * width, 5)
                .iter()
                .map(|value| 4.0 * value)
                .collect();
            let key: Vec<f32> = numbers(batch * keys * width, 6)
                .iter()
                .map(|value| 4.0 * value)
                .collect();
            let value = numbers(batch * keys * width, 7);
            let got = attend(&tile, &sizes, &query, &key, &value);
            let want = plain_attention(&sizes, &query, &key, &value);
            let difference = distance(&got, &want);
            let bound = if tile.rounds() { 4e-2 } else { 3e-6 };
            assert!(difference < bound, "{tile:?} {sizes:?}: {difference:.1e}");
        }
    }
}

/// A convolution as the formula has it, added to 1.
fn convolved(images: &Images, window: &Window, weight: &[f32], outputs: usize) -> Vec<f64> {
    let Images {
        values,
        count,
        channels,
        height,
        width,
    } = *images;
    let Window {
        kernel: [kernel_height, kernel_width],
        stride,
        before,
        output: [rows, columns],
    } = *window;
    let places = kernel_height * kernel_width;
    let mut result = vec![1.0; count * outputs * rows * columns];
    for (index, value) in result.iter_mut().enumerate() {
        let (x, y) = (index % columns, index / columns % rows);
        let (output, image) = (
            index / (columns * rows) % outputs,
            index / (columns * rows * outputs),
        );
        for channel in 0..channels {
            let plane = &values[(image * channels + channel) * height * width..];
            let kernel = &weight[(output * channels + channel) * places..][..places];
            for (place, factor) in kernel.iter().enumerate() {
                let y = y * stride + place / kernel_width;
                let x = x * stride + place % kernel_width;
                if (before..height + before).contains(&y) && (before..width + before).contains(&x) {
                    let pixel = plane[(y - before) * width + x - before];
                    *value += f64::from(pixel) * f64::from(*factor);
                }
            }
        }
    }
    result
}

/// A kernel of three that leaves images their size.
fn same(images: &Images) -> Window {
    Window {
        kernel: [3, 3],
        stride: 1,
        before: 1,
        output: [images.height, images.width],
    }
}

#[test]
fn patches_follow_the_formula() {
    let list = [
        ([1, 1, 1, 1, 1], [3, 3], 1, 1),
        ([1, 3, 5, 4, 4], [3, 3], 1, 1),
        ([2, 20, 17, 8, 8], [3, 3], 1, 1),
        ([3, 7, 31, 5, 19], [3, 3], 1, 1),
        ([1, 33, 40, 37, 41], [3, 3], 1, 1),
        ([3, 10, 7, 3, 2], [3, 3], 1, 1),
        ([1, 70, 33, 9, 64], [3, 3], 1, 1),
        ([2, 9, 5, 9, 8], [3, 3], 2, 1),
        ([1, 12, 35, 10, 40], [3, 3], 2, 0),
        ([2, 5, 6, 9, 8], [5, 5], 1, 2),
        ([1, 5, 6, 20, 9], [1, 3], 1, 0),
        ([2, 65, 34, 6, 7], [1, 1], 1, 0),
        ([1, 6, 5, 21, 23], [4, 2], 3, 1),
    ];
    for tile in Tile::all() {
        for (sizes, kernel, stride, before) in list {
            let [count, channels, outputs, height, width] = sizes;
            let depth = channels * kernel[0] * kernel[1];
            let values = numbers(count * channels * height * width, 8);
            let weight = numbers(outputs * depth, 9);
            let images = Images {
                values: &values,
                count,
                channels,
                height,
                width,
            };
            let extent = |size: usize, kernel: usize| (size + 2 * before - kernel) / stride + 1;
            let window = Window {
                kernel,
                stride,
                before,
                output: [extent(height, kernel[0]), extent(width, kernel[1])],
            };
            let patches = Patches::new(images, window);
            let bias = vec![0.5; count * outputs];
            let output = Output {
                groups: count,
                bias: Bias::OfRows(&bias),
                // The other half of 1.
                residual: Some(vec![0.5; outputs * patches.lanes()]),
            };
            let weights = Matrix::dense(&weight, outputs, depth);
            let got = product(&tile, output, &weights, &patches);
            let difference = distance(&got, &convolved(&images, &window, &weight, outputs));
            assert!(
                difference < bound(&tile),
                "{tile:?} {sizes:?} {window:?}: {difference:.1e}"
            );
        }
    }
}

#[test]
fn minimal_filtering_follows_the_formula() {
    for tile in Tile::all().iter().filter(|tile| !tile.rounds()) {
        for [count, channels, outputs, height, width] in [
            [1, 1, 1, 1, 1],
            [1, 3, 5, 4, 4],
            [2, 20, 17, 8, 8],
            [3, 7, 31, 5, 19],
            [1, 33, 15, 37, 41],
            [2, 5, 29, 70, 130],
            [1, 2, 3, 3, 300],
            [1, 450, 30, 30, 33],
        ] {
            let values = numbers(count * channels * height * width, 5);
            let weight = numbers(outputs * channels * 9, 6);
            let images = Images {
                values: &values,
                count,
                channels,
                height,
                width,
            };
            let bias = vec![1.0; count * outputs];
            let output = Output {
                groups: count,
                bias: Bias::OfRows(&bias),
                residual: None,
            };
            let lanes = Matrix::dense(&weight, outputs, channels * 9);
            let got = convolve_3x3(tile, output, &lanes, &images);
            let difference = distance(&got, &convolved(&images, &same(&images), &weight, outputs));
            assert!(
                difference < 3e-6,
                "{tile:?} {count} of {channels}→{outputs} {height}×{width}: {difference:.1e}"
            );
        }
    }
}

#[test]
fn norms_are_the_same_in_place_and_elsewhere() {
    use crate::normalise::{Affine, Source, group_norm, layer_norm};

    let values = numbers(3 * 8 * 45, 1);
    let (scale, shift) = (numbers(8, 2), numbers(8, 3));
    let affine = Affine {
        scale: &scale,
        shift: &shift,
        epsilon: 1e-3,
    };
    let wide = |values: &[f32]| -> Vec<f64> { values.iter().copied().map(f64::from).collect() };
    for silu in [false, true] {
        let of = |source| group_norm(source, &affine, 4, 45, silu);
        let (one, other) = (of(Source::Own(values.clone())), of(Source::Shared(&values)));
        assert!(distance(&one, &wide(&other)) < 1e-7);
    }
    let of = |source| layer_norm(source, &affine);
    let (one, other) = (of(Source::Own(values.clone())), of(Source::Shared(&values)));
    assert!(distance(&one, &wide(&other)) < 1e-7);
    // By hand: one row of features.
    let row = wide(&values[..8]);
    let mean = row.iter().sum::<f64>() / 8.0;
    let variance = row
        .iter()
        .map(|value| (value - mean) * (value - mean))
        .sum::<f64>()
        / 8.0;
    let wanted = row
        .iter()
        .zip(scale.iter().zip(&shift))
        .map(|(value, (scale, shift))| {
            (value - mean) / (variance + 1e-3).sqrt() * f64::from(*scale) + f64::from(*shift)
        });
    assert!(distance(&one[..8], &wanted.collect::<Vec<_>>()) < 1e-6);
    assert!(of(Source::Own(Vec::new())).is_empty());
}
