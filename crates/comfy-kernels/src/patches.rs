//! What a convolution sees of images, as one side of a product.

use std::ops::Range;

use crate::operand::{Operand, pack_values};
use crate::tile::block::{self, Block, Order, Piece, Planes};

/// Images of several channels, `[count, channels, height, width]`.
#[derive(Debug, Clone, Copy)]
pub struct Images<'a> {
    /// The values in C order.
    pub values: &'a [f32],
    /// How many images there are.
    pub count: usize,
    /// Channels of each.
    pub channels: usize,
    /// Rows of pixels.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
}

/// How a kernel moves over an image.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// The step from one output pixel to the next, in input pixels, both ways.
    pub stride: usize,
    /// Zeros before the first row and column.
    pub before: usize,
    /// Rows and columns of output pixels.
    pub output: [usize; 2],
}

impl Window {
    /// Single pixels.
    pub const fn pixels(images: &Images) -> Self {
        Self {
            kernel: [1, 1],
            stride: 1,
            before: 0,
            output: [images.height, images.width],
        }
    }
}

/// The patches of images, one for each output pixel of all images; depths are places of the kernel in the input channels, in the
/// order of weights. Pixels outside the image are zero.
#[derive(Debug, Clone, Copy)]
pub struct Patches<'a> {
    images: Images<'a>,
    window: Window,
}

/// Output pixels that are neighbours in a row.
#[derive(Default)]
struct Run {
    /// Where the first channel of their image begins.
    image: usize,
    y: usize,
    x: usize,
    count: usize,
}

impl<'a> Patches<'a> {
    /// # Panics
    ///
    /// If the images have not as many values as their sizes say.
    pub fn new(images: Images<'a>, window: Window) -> Self {
        let plane = images.height * images.width;
        assert_eq!(images.values.len(), images.count * images.channels * plane);
        if window.kernel == [1, 1] && window.stride == 1 && window.before == 0 {
            // Nothing is said by where a row ends.
            return Self {
                images: Images {
                    height: 1,
                    width: plane,
                    ..images
                },
                window: Window {
                    output: [1, plane],
                    ..window
                },
            };
        }
        Self { images, window }
    }

    /// The output pixels as parts of rows; they are counted through all images.
    fn runs(&self, pixels: Range<usize>) -> Vec<Run> {
        let Images {
            channels,
            height,
            width,
            ..
        } = self.images;
        let [rows, columns] = self.window.output;
        let mut runs = Vec::with_capacity(pixels.len().min(4));
        let mut pixel = pixels.start;
        while pixel < pixels.end {
            let (image, within) = (pixel / (rows * columns), pixel % (rows * columns));
            let (y, x) = (within / columns, within % columns);
            let count = (columns - x).min(pixels.end - pixel);
            let image = image * channels * height * width;
            runs.push(Run { image, y, x, count });
            pixel += count;
        }
        if runs.is_empty() {
            // There are some for whoever counts them.
            runs.push(Run::default());
        }
        runs
    }

    /// Part of one output row, as seen by one place of the kernel.
    fn gather_row(&self, plane: &[f32], out: &mut [f32], [y, x]: [usize; 2], [ky, kx]: [usize; 2]) {
        let Window { stride, before, .. } = self.window;
        let Images { height, width, .. } = self.images;
        // Places are counted from the first padding row and column, so that none is negative.
        let source_y = y * stride + ky;
        if source_y < before || source_y >= before + height {
            out.fill(0.0);
            return;
        }
        let source = &plane[(source_y - before) * width..][..width];
        let start = x * stride + kx;
        let left = before.saturating_sub(start).div_ceil(stride).min(out.len());
        let last = before + width;
        let inside_end = last
            .saturating_sub(start)
            .div_ceil(stride)
            .clamp(left, out.len());
        out[..left].fill(0.0);
        out[inside_end..].fill(0.0);
        let inside = &mut out[left..inside_end];
        if inside.is_empty() {
            return;
        }
        let source = &source[start + left * stride - before..];
        if stride == 1 {
            inside.copy_from_slice(&source[..inside.len()]);
        } else {
            for (out, value) in inside.iter_mut().zip(source.iter().step_by(stride)) {
                *out = *value;
            }
        }
    }

    /// What [`Operand::pack`] does, if there is a fast way; at stride 1.
    fn copy(
        &self,
        lanes: &Range<usize>,
        depth: &Range<usize>,
        width: usize,
        panel: &mut [f32],
    ) -> bool {
        (0..width).step_by(block::LANES).all(|offset| {
            let start = lanes.end.min(lanes.start + offset);
            let runs = self.runs(start..lanes.end.min(start + block::LANES));
            let pieces = self.pieces(&runs);
            let planes = self.planes(&runs, &pieces);
            block::copy_planes(&planes, depth.clone(), width, &mut panel[offset..])
        })
    }

    fn planes<'b>(&'b self, runs: &[Run], pieces: &'b [Piece]) -> Planes<'b> {
        Planes {
            values: self.images.values,
            size: self.images.height * self.images.width,
            pieces,
            pieces_of_place: runs.len(),
        }
    }

    /// For each place of the kernel, where the neighbours of some lanes are, run by run; at stride 1.
    fn pieces(&self, runs: &[Run]) -> Vec<Piece> {
        let [kernel_height, kernel_width] = self.window.kernel;
        let Images { height, width, .. } = self.images;
        let before = self.window.before as isize;
        let mut pieces = Vec::with_capacity(kernel_height * kernel_width * runs.len());
        for place in 0..kernel_height * kernel_width {
            let (ky, kx) = (place / kernel_width, place % kernel_width);
            let mut lane = 0;
            for run in runs {
                let y = (run.y + ky) as isize - before;
                let x = (run.x + kx) as isize - before;
                // The neighbours within the row.
                let first = (-x).clamp(0, run.count as isize) as usize;
                let end = (width as isize - x).clamp(0, run.count as isize) as usize;
                let inside = (0..height as isize).contains(&y) && first < end;
                let lanes = if inside {
                    ((1_u32 << (lane + end)) - (1_u32 << (lane + first))) as u16
                } else {
                    0
                };
                let start = run.image as isize + y * width as isize + x - lane as isize;
                pieces.push(Piece { start, lanes });
                lane += run.count;
            }
        }
        pieces
    }
}

impl Operand for Patches<'_> {
    fn lanes(&self) -> usize {
        let [rows, columns] = self.window.output;
        self.images.count * rows * columns
    }

    fn depth(&self) -> usize {
        let [kernel_height, kernel_width] = self.window.kernel;
        self.images.channels * kernel_height * kernel_width
    }

    fn pack(&self, lanes: Range<usize>, depth: Range<usize>, width: usize, panel: &mut [f32]) {
        let plane = self.images.height * self.images.width;
        let [kernel_height, kernel_width] = self.window.kernel;
        let places = kernel_height * kernel_width;
        if self.window.stride == 1 && self.copy(&lanes, &depth, width, panel) {
            return;
        }
        let runs = self.runs(lanes);
        for (row, depth) in panel.chunks_exact_mut(width).zip(depth) {
            let (channel, place) = (depth / places, depth % places);
            let place = [place / kernel_width, place % kernel_width];
            let mut rest = row;
            for run in &runs {
                let (out, after) = rest.split_at_mut(run.count);
                let plane = &self.images.values[run.image + channel * plane..][..plane];
                self.gather_row(plane, out, [run.y, run.x], place);
                rest = after;
            }
            rest.fill(0.0);
        }
    }

    fn pack_blocks(&self, lanes: Range<usize>, depth: Range<usize>, blocks: &mut [Block]) -> Order {
        if self.window.stride != 1 {
            return pack_values(self, lanes, depth, blocks);
        }
        let runs = self.runs(lanes);
        block::read_planes(&self.planes(&runs, &self.pieces(&runs)), depth, blocks);
        Order::ByWord
    }
}
