//! Noise levels that somebody found to be good for a number of steps, and those between them for other numbers.

/// Levels for `steps` steps: the known ones where there are as many, else such as lie on lines between their logarithms. Below 1,
/// `denoise` leaves only that part of the steps, at the end.
pub(super) fn along(known: &[f64], steps: usize, denoise: f64) -> Vec<f32> {
    let taken = if denoise < 1.0 {
        if denoise <= 0.0 {
            return Vec::new();
        }
        (steps as f64 * denoise).round_ties_even() as usize
    } else {
        steps
    };
    let mut levels: Vec<f32> = if steps + 1 == known.len() {
        known.iter().map(|level| *level as f32).collect()
    } else {
        (0..=steps)
            .map(|step| between(known, step as f64 / steps as f64) as f32)
            .collect()
    };
    levels.drain(..levels.len().saturating_sub(taken + 1));
    if let Some(last) = levels.last_mut() {
        *last = 0.0;
    }
    levels
}

/// The level after a part of the way (0 to 1) through levels, on a line between the logarithms of two.
fn between(levels: &[f64], part: f64) -> f64 {
    let last = levels.len() - 1;
    let place = part * last as f64;
    let low = (place as usize).min(last - 1);
    let weight = place - low as f64;
    (levels[low].ln() * (1.0 - weight) + levels[low + 1].ln() * weight).exp()
}
