//! Memory for panels.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// Values of a cache line: what is not aligned to one takes up to three times as long to multiply.
const LINE: usize = 16;

/// Values in the buffers that a thread keeps for later, so that the system need not clear pages again and again.
const KEPT: usize = 16 << 20;

thread_local! {
    static SPARE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Values that begin where a cache line does; what they are at first is left over from earlier use.
pub(crate) struct Buffer {
    values: Vec<f32>,
    start: usize,
    count: usize,
}

impl Buffer {
    pub(crate) fn new(count: usize) -> Self {
        let all = count + LINE;
        let fits = |spare: &Vec<f32>| spare.len() >= all;
        let found = SPARE.with_borrow_mut(|spare| {
            let smallest = spare.iter().enumerate().filter(|(_, values)| fits(values));
            let smallest = smallest.min_by_key(|(_, values)| values.len());
            smallest
                .map(|(index, _)| index)
                .map(|index| spare.swap_remove(index))
        });
        let values = found.unwrap_or_else(|| vec![0.0; all]);
        let start = values.as_ptr().align_offset(LINE * size_of::<f32>());
        // Where the place of a cache line is not known, any will do.
        let start = if start <= LINE { start } else { 0 };
        Self {
            values,
            start,
            count,
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let values = std::mem::take(&mut self.values);
        // The thread may be ending.
        let _ = SPARE.try_with(|spare| {
            let mut spare = spare.borrow_mut();
            spare.push(values);
            while spare.iter().map(Vec::len).sum::<usize>() > KEPT {
                let largest = spare
                    .iter()
                    .enumerate()
                    .max_by_key(|(_, values)| values.len());
                if let Some((index, _)) = largest {
                    spare.swap_remove(index);
                }
            }
        });
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.values[self.start..][..self.count]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.values[self.start..][..self.count]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_used_again() {
        let mut first = Buffer::new(1000);
        first.fill(3.0);
        let place = first.as_ptr();
        assert_eq!(place as usize % 64, 0);
        drop(first);
        let second = Buffer::new(900);
        assert_eq!(second.as_ptr(), place);
        assert_eq!(second.len(), 900);
        assert_ne!(Buffer::new(900).as_ptr(), place);
    }
}
