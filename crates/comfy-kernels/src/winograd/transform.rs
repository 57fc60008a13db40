//! The three transforms: of kernels, of pieces of the image, and of their products.

#![allow(
    clippy::inline_always,
    reason = "functions that are not inlined are not compiled for the instructions of `vectorised` ones"
)]

use super::blocks::Run;
use super::{PIECE, PLACES, Part, TILE};
use crate::function::multiply_add;
use crate::patches::Images;
use crate::result::{Addend, Place};
use crate::vectorise::vectorised;

/// The points of interpolation are 0, ±A, ±B and infinity.
const A: f32 = 0.75;
const B: f32 = 1.5;
const A2: f32 = A * A;
const B2: f32 = B * B;

/// Values that are transformed at a time.
const GROUP: usize = 16;

type Group = [f32; GROUP];

/// The six values of a transformed kernel of three.
#[inline(always)]
fn kernel<const FUSED: bool>([g0, g1, g2]: [f32; 3]) -> [f32; PIECE] {
    const ZERO: f32 = 1.0 / (A2 * B2);
    const NEAR: f32 = 1.0 / (2.0 * A2 * (A2 - B2));
    const FAR: f32 = 1.0 / (2.0 * B2 * (B2 - A2));
    let fused = multiply_add::<FUSED>;
    let (near, near_odd) = (fused(A2, g2, g0) * NEAR, g1 * (A * NEAR));
    let (far, far_odd) = (fused(B2, g2, g0) * FAR, g1 * (B * FAR));
    [
        g0 * ZERO,
        near + near_odd,
        near - near_odd,
        far + far_odd,
        far - far_odd,
        g2,
    ]
}

/// The six values of a transformed piece of six pixels.
#[inline(always)]
fn piece<const FUSED: bool>([d0, d1, d2, d3, d4, d5]: [f32; PIECE]) -> [f32; PIECE] {
    let fused = multiply_add::<FUSED>;
    let (near, near_odd) = (fused(-B2, d2, d4), fused(-B2, d1, d3));
    let (far, far_odd) = (fused(-A2, d2, d4), fused(-A2, d1, d3));
    [
        fused(A2 * B2, d0, fused(-(A2 + B2), d2, d4)),
        fused(A, near_odd, near),
        fused(-A, near_odd, near),
        fused(B, far_odd, far),
        fused(-B, far_odd, far),
        fused(A2 * B2, d1, fused(-(A2 + B2), d3, d5)),
    ]
}

/// The four pixels of six products.
#[inline(always)]
fn pixels<const FUSED: bool>([m0, m1, m2, m3, m4, m5]: [f32; PIECE]) -> [f32; TILE] {
    let fused = multiply_add::<FUSED>;
    let (near, near_odd) = (m1 + m2, m1 - m2);
    let (far, far_odd) = (m3 + m4, m3 - m4);
    [
        m0 + near + far,
        fused(A, near_odd, B * far_odd),
        fused(A2, near, B2 * far),
        fused(A2 * A, near_odd, fused(B2 * B, far_odd, m5)),
    ]
}

/// Applies a transform to each value of groups.
#[inline(always)]
fn each<const N: usize, const M: usize>(
    groups: [&Group; N],
    transform: impl Fn([f32; N]) -> [f32; M],
) -> [Group; M] {
    let mut all = [[0.0; GROUP]; M];
    for index in 0..GROUP {
        let values = transform(groups.map(|group| group[index]));
        for (group, value) in all.iter_mut().zip(values) {
            group[index] = value;
        }
    }
    all
}

vectorised! {
    /// `[channels, 9, width]` to `[36, channels, width]`, with at most a group of lanes.
    pub(super) fn kernels(panel: &[f32], transformed: &mut [f32], width: usize, channels: usize) {
        let mut columns = [[[0.0; GROUP]; 3]; PIECE];
        for (channel, values) in panel.chunks_exact(9 * width).enumerate().take(channels) {
            let mut rows = [[0.0; GROUP]; 9];
            for (row, values) in rows.iter_mut().zip(values.chunks_exact(width)) {
                row[..width].copy_from_slice(values);
            }
            for column in 0..3 {
                let all = each([&rows[column], &rows[3 + column], &rows[6 + column]], kernel::<FUSED>);
                for (columns, values) in columns.iter_mut().zip(all) {
                    columns[column] = values;
                }
            }
            for (row, [one, two, three]) in columns.iter().enumerate() {
                for (column, values) in each([one, two, three], kernel::<FUSED>).iter().enumerate() {
                    let place = (row * PIECE + column) * channels + channel;
                    transformed[place * width..][..width].copy_from_slice(&values[..width]);
                }
            }
        }
    }

    /// Transforms each column of six rows of `stride` pixels, in place.
    fn piece_columns(rows: &mut [f32], stride: usize) {
        let (rows, _) = rows.as_chunks_mut::<GROUP>();
        let stride = stride / GROUP;
        for index in 0..stride {
            let all = each(std::array::from_fn(|row| &rows[row * stride + index]), piece::<FUSED>);
            for (row, values) in all.into_iter().enumerate() {
                rows[row * stride + index] = values;
            }
        }
    }

    /// Takes the row of pixels of some tiles apart, for each of the six rows: the first six of each tile, the tiles together.
    fn take_apart(rows: &[f32], stride: usize, apart: &mut [f32], lanes: usize, lane: usize, count: usize) {
        for (row, apart) in rows.chunks_exact(stride).zip(apart.chunks_exact_mut(PIECE * lanes)) {
            let (tiles, _) = row.as_chunks::<TILE>();
            for place in 0..TILE {
                for (value, tile) in apart[place * lanes + lane..][..count].iter_mut().zip(tiles) {
                    *value = tile[place];
                }
            }
            for place in 0..2 {
                for (value, tile) in apart[(TILE + place) * lanes + lane..][..count].iter_mut().zip(&tiles[1..]) {
                    *value = tile[place];
                }
            }
        }
    }

    /// Transforms rows that were taken apart, and puts each place of the tiles where it belongs, `stride` values from the last.
    fn piece_rows(apart: &[f32], lanes: usize, transformed: &mut [f32], stride: usize) {
        for (row, apart) in apart.chunks_exact(PIECE * lanes).enumerate() {
            let (groups, _) = apart.as_chunks::<GROUP>();
            let of_place = lanes / GROUP;
            for group in 0..of_place {
                let all = each(std::array::from_fn(|place| &groups[place * of_place + group]), piece::<FUSED>);
                for (column, values) in all.iter().enumerate() {
                    let start = (row * PIECE + column) * stride + group * GROUP;
                    transformed[start..start + GROUP].copy_from_slice(values);
                }
            }
        }
    }

    /// Transforms products, which are `stride` values from each other, to four rows of pixels.
    fn product_tiles(products: &[f32], stride: usize, rows: &mut [f32], lanes: usize) {
        for first in (0..lanes).step_by(GROUP) {
            let at = |place: usize| -> &Group {
                let group = products[place * stride + first..].first_chunk::<GROUP>();
                group.expect("lanes are whole groups")
            };
            let mut columns = [[[0.0; GROUP]; PIECE]; TILE];
            for column in 0..PIECE {
                let all = each(std::array::from_fn(|row| at(row * PIECE + column)), pixels::<FUSED>);
                for (columns, values) in columns.iter_mut().zip(all) {
                    columns[column] = values;
                }
            }
            for (columns, row) in columns.iter().zip(rows.chunks_exact_mut(TILE * lanes)) {
                let all = each(std::array::from_fn(|column| &columns[column]), pixels::<FUSED>);
                let (tiles, _) = row[TILE * first..][..TILE * GROUP].as_chunks_mut::<TILE>();
                for (index, tile) in tiles.iter_mut().enumerate() {
                    *tile = std::array::from_fn(|place| all[place][index]);
                }
            }
        }
    }
}

/// Pieces of one channel for a panel of tiles.
pub(super) struct Piece {
    lanes: usize,
    /// Six rows of pixels of a run.
    rows: Vec<f32>,
    /// `[6, 6, lanes]`
    apart: Vec<f32>,
}

impl Piece {
    pub(super) fn new(lanes: usize) -> Self {
        Self {
            lanes,
            rows: vec![0.0; PIECE * (TILE * lanes + GROUP)],
            apart: vec![0.0; PLACES * lanes],
        }
    }

    /// Reads the tiles of a panel; the columns are transformed on the way.
    pub(super) fn gather(&mut self, images: &Images, channel: usize, runs: &[Run]) {
        let Images { height, width, .. } = *images;
        for run in runs {
            let start = (run.image * images.channels + channel) * height * width;
            let plane = &images.values[start..][..height * width];
            // The pixels of all tiles and two more, in whole groups.
            let stride = (run.count * TILE + 2).next_multiple_of(GROUP);
            let rows = &mut self.rows[..PIECE * stride];
            // The image has one pixel around it.
            let (top, left) = (run.row * TILE, run.column * TILE);
            let before = usize::from(left == 0);
            let inside = (width + 1 - left).min(stride) - before;
            for (row, pixels) in rows.chunks_exact_mut(stride).enumerate() {
                let y = top + row;
                if y == 0 || y > height {
                    pixels.fill(0.0);
                    continue;
                }
                pixels[..before].fill(0.0);
                let source = &plane[(y - 1) * width + left + before - 1..][..inside];
                pixels[before..before + inside].copy_from_slice(source);
                pixels[before + inside..].fill(0.0);
            }
            piece_columns(rows, stride);
            take_apart(
                rows,
                stride,
                &mut self.apart,
                self.lanes,
                run.lane,
                run.count,
            );
        }
    }

    /// Puts each of the 36 places of the transformed tiles where it belongs, `stride` values from the last.
    pub(super) fn transform(&self, transformed: &mut [f32], stride: usize) {
        piece_rows(&self.apart, self.lanes, transformed, stride);
    }
}

/// Pixels of a panel of tiles.
pub(super) struct Finished {
    lanes: usize,
    /// `[4, lanes · 4]`
    rows: Vec<f32>,
}

impl Finished {
    pub(super) fn new(lanes: usize) -> Self {
        Self {
            lanes,
            rows: vec![0.0; TILE * TILE * lanes],
        }
    }

    /// Takes products, the places of a tile `stride` values from each other.
    pub(super) fn transform(&mut self, products: &[f32], stride: usize) {
        product_tiles(products, stride, &mut self.rows, self.lanes);
    }

    /// Puts a run into rows of an output image that begin with a row of tiles.
    pub(super) fn put<T: Place>(
        &self,
        run: &Run,
        first_row: usize,
        width: usize,
        part: &mut Part<T>,
    ) {
        let left = run.column * TILE;
        let count = (run.count * TILE).min(width - left);
        let rows = part.places.chunks_exact_mut(width);
        let rows = rows.skip((run.row - first_row) * TILE).take(TILE);
        for (places, row) in rows.zip(self.rows.chunks_exact(TILE * self.lanes)) {
            let sums = &row[run.lane * TILE..][..count];
            let places = &mut places[left..left + count];
            T::put(places, sums, Addend::Same(part.bias));
        }
    }
}
