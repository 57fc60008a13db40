//! Where results go: memory that nobody has cleared, or a residual that they are added to.

use std::mem::MaybeUninit;

use crate::elementwise;

/// Numbers that are added to a product.
#[derive(Debug, Clone, Copy, Default)]
pub enum Bias<'a> {
    /// None.
    #[default]
    None,
    /// One for each row of each group.
    OfRows(&'a [f32]),
    /// One for each column of a group.
    OfColumns(&'a [f32]),
}

/// How the result of a product lies in memory, and what it is added to.
#[derive(Debug, Clone)]
pub struct Output<'a> {
    /// In how many groups of as many columns the result is divided: all rows of one come before those of the next.
    pub groups: usize,
    /// What is added.
    pub bias: Bias<'a>,
    /// Of the same layout, also added; the result takes its memory.
    pub residual: Option<Vec<f32>>,
}

impl Output<'_> {
    /// Rows of all columns, with nothing added.
    pub const PLAIN: Self = Self {
        groups: 1,
        bias: Bias::None,
        residual: None,
    };
}

/// A number for some values of a row, or one for each.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Addend<'a> {
    Same(f32),
    Each(&'a [f32]),
}

/// One value of a result.
pub(crate) trait Place: Send + Sized {
    /// Puts sums and what is added to them into as many places.
    fn put(places: &mut [Self], sums: &[f32], addend: Addend);
}

/// Of a residual.
impl Place for f32 {
    fn put(places: &mut [Self], sums: &[f32], addend: Addend) {
        match addend {
            Addend::Same(number) => elementwise::add_and_number(places, sums, number),
            Addend::Each(numbers) => elementwise::add_both(places, sums, numbers),
        }
    }
}

/// Of new memory.
impl Place for MaybeUninit<f32> {
    fn put(places: &mut [Self], sums: &[f32], addend: Addend) {
        match addend {
            Addend::Same(number) => elementwise::set_number(places, sums, number),
            Addend::Each(numbers) => elementwise::set_both(places, sums, numbers),
        }
    }
}

/// As many values as `write` writes.
///
/// Clearing them before would take as long as some products, and one thread would do it for all.
///
/// # Safety
///
/// `write` writes every value.
#[expect(unsafe_code, reason = "the compiler does not see who wrote what")]
pub(crate) unsafe fn written(
    count: usize,
    write: impl FnOnce(&mut [MaybeUninit<f32>]),
) -> Vec<f32> {
    let mut values = Vec::with_capacity(count);
    write(&mut values.spare_capacity_mut()[..count]);
    // SAFETY: there is room for as many, and the caller has promised that they were written.
    unsafe {
        values.set_len(count);
    }
    values
}
