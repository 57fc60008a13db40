//! Operations per second of the processor's time of every tile that it has, beside the `gemm` crate, in turns and on one thread.
//!
//! `RAYON_NUM_THREADS=1 cargo run --release -p comfy-kernels --example rate [-- ROUNDS]`

#![allow(clippy::print_stdout, reason = "a tool that prints what it measured")]

use std::hint::black_box;

use comfy_kernels::{Attention, Images, Matrix, Output, Tile, attend, convolve_3x3, product};
use half::f16;

/// Rows, depth and columns as they come up in SD1.5: linear layers of tokens, and convolutions as weights by patches.
const PRODUCTS: [[usize; 3]; 5] = [
    [2048, 320, 320],
    [2048, 320, 2560],
    [320, 2880, 1024],
    [1280, 11520, 128],
    [1280, 11520, 32],
];

/// Images, channels, output channels, height and width of convolutions.
const CONVOLUTIONS: [[usize; 5]; 9] = [
    [1, 128, 128, 256, 256],
    [1, 256, 128, 256, 256],
    [1, 256, 256, 128, 128],
    [1, 512, 512, 64, 64],
    [1, 512, 512, 32, 32],
    [2, 320, 320, 32, 32],
    [2, 640, 640, 16, 16],
    [2, 640, 640, 32, 32],
    [2, 1280, 1280, 16, 16],
];

const ATTENTIONS: [Attention; 3] = [
    attention(4096, 4096, 8, 40),
    attention(1024, 1024, 8, 80),
    attention(4096, 77, 8, 40),
];

const fn attention(queries: usize, keys: usize, heads: usize, size: usize) -> Attention {
    Attention {
        batch: 1,
        queries,
        keys,
        heads,
        size,
        causal: false,
    }
}

fn main() {
    let rounds = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(3);
    let tiles = Tile::all();
    for [rows, depth, columns] in PRODUCTS {
        let left = vec![0.5_f32; rows * depth];
        let right = vec![0.25_f32; columns * depth];
        let halves = vec![f16::from_f32(0.25); columns * depth];
        let mut result = vec![0.0_f32; rows * columns];
        let operations = 2.0 * (rows * depth * columns) as f64;
        let mut best = vec![0.0_f64; tiles.len() + 2];
        for _ in 0..rounds {
            let start = processor_seconds();
            crate_gemm(&left, &right, &mut result, [rows, depth, columns]);
            best[0] = best[0].max(operations / (processor_seconds() - start));
            let a = Matrix::dense(&left, rows, depth);
            for (tile, best) in tiles.iter().zip(&mut best[1..]) {
                let start = processor_seconds();
                let output = Output {
                    values: &mut result,
                    row_stride: columns,
                    accumulate: false,
                };
                product(tile, output, &a, &Matrix::dense(&right, columns, depth));
                *best = best.max(operations / (processor_seconds() - start));
            }
            let start = processor_seconds();
            let output = Output {
                values: &mut result,
                row_stride: columns,
                accumulate: false,
            };
            product(
                &tiles[tiles.len() - 1],
                output,
                &a,
                &Matrix::dense(&halves, columns, depth),
            );
            let rate = operations / (processor_seconds() - start);
            if let Some(last) = best.last_mut() {
                *last = last.max(rate);
            }
            black_box(&result);
        }
        let rates: Vec<String> = best
            .iter()
            .map(|rate| format!("{:.1}", rate / 1e9))
            .collect();
        println!(
            "{rows}×{depth}×{columns}: gemm crate, {tiles:?}, the last of f16: {} GFLOP/s",
            rates.join(" ")
        );
    }
    for sizes in CONVOLUTIONS {
        convolution(&tiles, sizes, rounds);
    }
    for sizes in ATTENTIONS {
        let width = sizes.heads * sizes.size;
        let query = vec![0.5_f32; sizes.queries * width];
        let key = vec![0.25_f32; sizes.keys * width];
        let operations = 4.0 * (sizes.queries * sizes.keys * width) as f64;
        let rate = |tile: &Tile| {
            let start = processor_seconds();
            black_box(attend(tile, &sizes, &query, &key, &key));
            operations / (processor_seconds() - start) / 1e9
        };
        let rates: Vec<String> = tiles
            .iter()
            .map(|tile| format!("{:.1}", rate(tile)))
            .collect();
        println!(
            "attention {}×{} of {} heads of {}: {tiles:?} {} GFLOP/s",
            sizes.queries,
            sizes.keys,
            sizes.heads,
            sizes.size,
            rates.join(" ")
        );
    }
}

/// Convolutions of 3×3 by minimal filtering, as if all multiplications were done, beside products of their size.
fn convolution(
    tiles: &[Tile],
    [count, channels, outputs, height, width]: [usize; 5],
    rounds: usize,
) {
    let pixels = count * height * width;
    let values = vec![0.5_f32; channels * pixels];
    let weight = vec![0.25_f32; outputs * channels * 9];
    let lanes = Matrix::dense(&weight, outputs, channels * 9);
    let right = vec![0.5_f32; channels * 9 * pixels];
    let right = Matrix::new(&right, [pixels, channels * 9], [1, pixels]);
    let mut result = vec![0.0_f32; outputs * pixels];
    let images = Images {
        values: &values,
        count,
        channels,
        height,
        width,
    };
    let operations = 2.0 * (outputs * channels * 9 * pixels) as f64;
    let rates = tiles.iter().map(|tile| {
        let mut best = [0.0_f64; 2];
        for _ in 0..rounds {
            let start = processor_seconds();
            let output = Output {
                values: &mut result,
                row_stride: pixels,
                accumulate: false,
            };
            product(tile, output, &lanes, &right);
            best[0] = best[0].max(operations / (processor_seconds() - start));
            if !tile.rounds() {
                let start = processor_seconds();
                convolve_3x3(tile, &mut result, &lanes, &images);
                best[1] = best[1].max(operations / (processor_seconds() - start));
            }
        }
        format!("{tile:?} {:.0} {:.0}", best[0] / 1e9, best[1] / 1e9)
    });
    let rates: Vec<String> = rates.collect();
    println!(
        "convolution {count} of {channels}→{outputs} at {height}×{width}, product and filtering: {} GFLOP/s",
        rates.join(", ")
    );
}

/// Seconds that all threads of this process have computed, which a busy machine stretches less than those of the clock; on Linux.
fn processor_seconds() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    tasks
        .filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|text| text.split_whitespace().next()?.parse::<f64>().ok())
        .sum::<f64>()
        / 1e9
}

fn crate_gemm(left: &[f32], right: &[f32], result: &mut [f32], [rows, depth, columns]: [usize; 3]) {
    #[expect(unsafe_code, reason = "the product crate takes pointers")]
    // SAFETY: the slices have the sizes that they are made with in `main`.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            depth,
            result.as_mut_ptr(),
            1,
            columns as isize,
            false,
            left.as_ptr(),
            1,
            depth as isize,
            right.as_ptr(),
            depth as isize,
            1,
            0.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
