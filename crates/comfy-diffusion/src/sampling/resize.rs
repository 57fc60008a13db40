//! Bilinear resizing of planes, as PyTorch does it: pixel centres are aligned, not corners, and nothing is averaged when the
//! result is smaller.

/// From one size to another; the places are worked out once for all planes.
pub(super) struct Bilinear {
    width: usize,
    rows: Taps,
    columns: Taps,
}

impl Bilinear {
    /// From and to are height and width, `from` at least one cell.
    pub(super) fn new(from: [usize; 2], to: [usize; 2]) -> Self {
        Self {
            width: from[1],
            rows: Taps::new(from[0], to[0]),
            columns: Taps::new(from[1], to[1]),
        }
    }

    /// The values of a plane, row by row.
    pub(super) fn plane<'a>(&'a self, plane: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
        let at = move |y: usize, x: usize| plane[y * self.width + x];
        self.rows.0.iter().flat_map(move |row| {
            self.columns.0.iter().map(move |column| {
                let across = |y| lerp(at(y, column.low), at(y, column.high), column.weight);
                lerp(across(row.low), across(row.high), row.weight)
            })
        })
    }
}

fn lerp(low: f32, high: f32, weight: f32) -> f32 {
    low * (1.0 - weight) + high * weight
}

/// For each place of the result the two places of the source that it lies between.
struct Taps(Vec<Tap>);

struct Tap {
    low: usize,
    high: usize,
    weight: f32,
}

impl Taps {
    fn new(from: usize, to: usize) -> Self {
        let scale = from as f32 / to as f32;
        let tap = |index: usize| {
            let place = (scale * (index as f32 + 0.5) - 0.5).max(0.0);
            let low = (place as usize).min(from - 1);
            Tap {
                low,
                high: (low + 1).min(from - 1),
                weight: place - low as f32,
            }
        };
        Self((0..to).map(tap).collect())
    }
}
