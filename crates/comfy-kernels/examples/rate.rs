//! Operations per second of one thread with every tile that the processor has, for the sizes of SD1.5 at 256² and 512², in turns.
//!
//! `cargo run --release -p comfy-kernels --example rate [-- ROUNDS [NAME]]`
//!
//! The best of some rounds counts, in time of the processor.

#![allow(clippy::print_stdout, reason = "a tool that prints what it measured")]

use std::hint::black_box;

use comfy_kernels::{
    Attention, Images, Matrix, Output, Patches, Tile, Window, attend, convolve_3x3, product,
};
use half::f16;

// As the server's program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rows, depth and columns as they come up in SD1.5: tokens by weights, then weights by pixels.
const PRODUCTS: [[usize; 3]; 12] = [
    [8192, 320, 320],
    [8192, 320, 2560],
    [8192, 1280, 320],
    [2048, 640, 640],
    [2048, 640, 5120],
    [2048, 2560, 640],
    [512, 1280, 1280],
    [512, 1280, 10240],
    [512, 5120, 1280],
    [128, 1280, 10240],
    [154, 768, 1280],
    [320, 320, 4096],
];

/// Images, channels, output channels, height and width of convolutions: of the UNet, then of the autoencoder.
const CONVOLUTIONS: [[usize; 5]; 17] = [
    [1, 320, 320, 64, 64],
    [1, 960, 320, 64, 64],
    [1, 640, 640, 32, 32],
    [2, 320, 320, 32, 32],
    [2, 1280, 1280, 16, 16],
    [2, 640, 640, 16, 16],
    [2, 2560, 1280, 16, 16],
    [2, 1280, 1280, 32, 32],
    [2, 1280, 1280, 8, 8],
    [2, 2560, 1280, 8, 8],
    [2, 2560, 1280, 4, 4],
    [1, 512, 512, 64, 64],
    [1, 512, 512, 128, 128],
    [1, 512, 512, 256, 256],
    [1, 256, 256, 256, 256],
    [1, 256, 256, 512, 512],
    [1, 128, 128, 512, 512],
];

const ATTENTIONS: [Attention; 6] = [
    attention(4096, 4096, 8, 40),
    attention(1024, 1024, 8, 80),
    attention(256, 256, 8, 160),
    attention(4096, 77, 8, 40),
    attention(1024, 77, 8, 80),
    attention(4096, 4096, 1, 512),
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

struct Bench {
    tiles: Vec<Tile>,
    rounds: usize,
    only: String,
}

fn main() -> Result<(), rayon::ThreadPoolBuildError> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .use_current_thread()
        .build_global()?;
    let mut arguments = std::env::args().skip(1);
    let rounds = arguments.next().and_then(|text| text.parse().ok());
    let bench = Bench {
        // Plain loops tell nothing but how long one waits for them.
        tiles: Tile::all().split_off(1),
        rounds: rounds.unwrap_or(5),
        only: arguments.next().unwrap_or_default(),
    };
    println!("GFLOP/s, by {:?}", bench.tiles);
    for sizes in PRODUCTS {
        bench.product(sizes);
    }
    for sizes in CONVOLUTIONS {
        bench.convolution(sizes);
    }
    for sizes in ATTENTIONS {
        bench.attention(&sizes);
    }
    Ok(())
}

type Work<'a> = (String, Box<dyn FnMut() + 'a>);

impl Bench {
    /// Does all works in turns and prints the best rate of each.
    fn print(&self, name: &str, operations: usize, mut works: Vec<Work>) {
        let mut best = vec![f64::INFINITY; works.len()];
        for _ in 0..self.rounds {
            for ((_, work), best) in works.iter_mut().zip(&mut best) {
                let start = seconds();
                work();
                *best = best.min(seconds() - start);
            }
        }
        let rates = works.iter().zip(best).map(|((name, _), best)| {
            let rate = operations as f64 / best / 1e9;
            format!("{name} {rate:.0}")
        });
        println!("{name}: {}", rates.collect::<Vec<_>>().join(", "));
    }

    fn skips(&self, name: &str) -> bool {
        !name.contains(&self.only)
    }

    fn product(&self, [rows, depth, columns]: [usize; 3]) {
        let name = format!("product {rows}×{depth}×{columns}");
        if self.skips(&name) {
            return;
        }
        let left = vec![0.5_f32; rows * depth];
        let right = vec![0.25_f32; columns * depth];
        let halves = vec![f16::from_f32(0.25); columns * depth];
        let operations = 2 * rows * depth * columns;
        let mut works: Vec<Work> = vec![(
            "gemm crate".to_owned(),
            Box::new(|| crate_gemm(&left, &right, [rows, depth, columns])),
        )];
        for tile in &self.tiles {
            let (left, halves) = (&left, &halves);
            works.push((
                format!("{tile:?}"),
                Box::new(move || {
                    let left = Matrix::dense(left, rows, depth);
                    let right = Matrix::dense(halves, columns, depth);
                    black_box(product(tile, Output::PLAIN, &left, &right));
                }),
            ));
        }
        self.print(&name, operations, works);
    }

    /// Convolutions of 3×3 as products and by minimal filtering, as if all multiplications were done.
    fn convolution(&self, [count, channels, outputs, height, width]: [usize; 5]) {
        let name = format!("convolution {count} of {channels}→{outputs} at {height}×{width}");
        if self.skips(&name) {
            return;
        }
        let pixels = count * height * width;
        let values = vec![0.5_f32; channels * pixels];
        let weight = vec![f16::from_f32(0.25); outputs * channels * 9];
        let weight = Matrix::dense(&weight, outputs, channels * 9);
        let images = Images {
            values: &values,
            count,
            channels,
            height,
            width,
        };
        let window = Window {
            kernel: [3, 3],
            stride: 1,
            before: 1,
            output: [height, width],
        };
        let mut works: Vec<Work> = Vec::new();
        for tile in &self.tiles {
            let (images, weight) = (&images, &weight);
            let output = move || Output {
                groups: count,
                ..Output::PLAIN
            };
            works.push((
                format!("{tile:?}"),
                Box::new(move || {
                    let patches = Patches::new(*images, window);
                    black_box(product(tile, output(), weight, &patches));
                }),
            ));
            if !tile.rounds() {
                works.push((
                    "filtering".to_owned(),
                    Box::new(move || {
                        black_box(convolve_3x3(tile, output(), weight, images));
                    }),
                ));
            }
        }
        self.print(&name, 2 * outputs * channels * 9 * pixels, works);
    }

    fn attention(&self, sizes: &Attention) {
        let Attention {
            queries,
            keys,
            heads,
            size,
            ..
        } = *sizes;
        let name = format!("attention {queries}×{keys} of {heads} heads of {size}");
        if self.skips(&name) {
            return;
        }
        let query = vec![0.5_f32; queries * heads * size];
        let key = vec![0.25_f32; keys * heads * size];
        let mut works: Vec<Work> = Vec::new();
        for tile in &self.tiles {
            let (query, key) = (&query, &key);
            works.push((
                format!("{tile:?}"),
                Box::new(move || {
                    black_box(attend(tile, sizes, query, key, key));
                }),
            ));
        }
        self.print(&name, 4 * queries * keys * heads * size, works);
    }
}

/// Seconds that this thread has computed; where the system is not asked for them, those of the clock.
fn seconds() -> f64 {
    #[cfg(unix)]
    {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        #[expect(unsafe_code, reason = "a system call")]
        // SAFETY: the call writes one time.
        unsafe {
            libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time);
        }
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    }
    #[cfg(not(unix))]
    {
        static START: std::sync::LazyLock<std::time::Instant> =
            std::sync::LazyLock::new(std::time::Instant::now);
        START.elapsed().as_secs_f64()
    }
}

fn crate_gemm(left: &[f32], right: &[f32], [rows, depth, columns]: [usize; 3]) {
    let mut result = vec![0.0_f32; rows * columns];
    #[expect(unsafe_code, reason = "the product crate takes pointers")]
    // SAFETY: the slices have the sizes that they are made with in `Bench::product`.
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
    black_box(result);
}
