//! Strengths that vary on the way from noise to picture.

use std::sync::Arc;

use crate::sampling::ModelSampling;

/// A strength that counts from some part of the way on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keyframe {
    /// The factor on a hook's own strength.
    pub strength: f64,
    /// The part of the way, from 0 to 1, after which it counts.
    pub start: f64,
    /// The noise levels at which it counts at least, however near the next keyframe is.
    pub guaranteed: usize,
}

impl Keyframe {
    /// A keyframe.
    pub fn new(strength: f64, start: f64, guaranteed: usize) -> Self {
        Self {
            strength,
            start,
            guaranteed,
        }
    }
}

/// Keyframes in the order of their starts; the first also counts before its start. Clones are the same, and hooks with the same
/// keyframes go through them together.
#[derive(Clone, Debug, Default)]
pub struct Keyframes {
    frames: Arc<Vec<Keyframe>>,
}

impl Keyframes {
    /// These and more, each behind those with the same start.
    #[must_use]
    pub fn with(&self, more: impl IntoIterator<Item = Keyframe>) -> Self {
        let mut frames = self.frames.to_vec();
        frames.extend(more);
        frames.sort_by(|one, other| one.start.total_cmp(&other.start));
        Self {
            frames: Arc::new(frames),
        }
    }

    /// The same keyframes, to go through them alone.
    pub(super) fn renewed(&self) -> Self {
        Self {
            frames: Arc::new(self.frames.to_vec()),
        }
    }

    /// The keyframes.
    pub(super) fn frames(&self) -> &[Keyframe] {
        &self.frames
    }

    /// The strength at the beginning.
    pub(crate) fn first_strength(&self) -> f64 {
        self.frames.first().map_or(1.0, |frame| frame.strength)
    }

    /// Whether there is one strength all the way.
    pub(crate) fn are_constant(&self) -> bool {
        self.frames.is_empty()
    }

    /// Whether these are the same, with which one goes together.
    pub(crate) fn are(&self, others: &Self) -> bool {
        Arc::ptr_eq(&self.frames, &others.frames) || self.are_constant() && others.are_constant()
    }
}

/// How far a run has come in going through keyframes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    current: usize,
    /// The noise levels at which the current keyframe has counted.
    used: usize,
    /// The noise level at which was looked last.
    sigma: Option<f32>,
}

impl Progress {
    /// The strength at a noise level of a run that begins at `largest`.
    pub(crate) fn strength(
        &mut self,
        keyframes: &Keyframes,
        sigma: f32,
        largest: f32,
        sampling: &ModelSampling,
    ) -> f64 {
        let frames = keyframes.frames();
        if self.sigma.map(f32::to_bits) != Some(sigma.to_bits()) {
            self.sigma = Some(sigma);
            self.go_on(frames, sigma, largest, sampling);
            self.used += 1;
        }
        frames.get(self.current).map_or(1.0, |frame| frame.strength)
    }

    fn go_on(&mut self, frames: &[Keyframe], sigma: f32, largest: f32, sampling: &ModelSampling) {
        let start = |frame: &Keyframe| sampling.table.percent_to_sigma(frame.start);
        // One that lies before the part that is sampled is not owed anything.
        let guaranteed = |frame: &Keyframe| {
            if start(frame) > f64::from(largest) {
                0
            } else {
                frame.guaranteed
            }
        };
        let owed = frames.get(self.current).map_or(0, guaranteed);
        if self.used < owed {
            return;
        }
        let further = frames.iter().enumerate().skip(self.current + 1);
        for (index, frame) in further {
            if start(frame) < f64::from(sigma) {
                break;
            }
            (self.current, self.used) = (index, 0);
            if guaranteed(frame) > 0 {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::Prediction;

    fn strengths(frames: &[(f64, f64, usize)], sigmas: &[f32]) -> Vec<f64> {
        let sampling = ModelSampling::stable_diffusion(Prediction::Epsilon);
        let keyframes = frames.iter().fold(
            Keyframes::default(),
            |keyframes, (strength, start, owed)| {
                keyframes.with([Keyframe::new(*strength, *start, *owed)])
            },
        );
        let mut progress = Progress::default();
        let largest = sigmas.iter().copied().fold(0.0, f32::max);
        sigmas
            .iter()
            .map(|sigma| progress.strength(&keyframes, *sigma, largest, &sampling))
            .collect()
    }

    // A quarter of the way is σ = 4.08, half of it 1.62, three quarters 0.69.
    const SIGMAS: [f32; 5] = [14.0, 5.0, 5.0, 2.0, 0.5];

    #[test]
    fn strengths_change_at_their_starts() {
        assert_eq!(strengths(&[], &SIGMAS), [1.0; 5]);
        let frames = [(1.0, 0.0, 0), (0.5, 0.25, 0), (0.2, 0.75, 0)];
        assert_eq!(strengths(&frames, &SIGMAS), [1.0, 1.0, 1.0, 0.5, 0.2]);
        // The first counts before its start, and those that are passed over do not count.
        let frames = [(1.0, 0.5, 0), (0.5, 0.6, 0), (0.2, 0.75, 0)];
        assert_eq!(strengths(&frames, &SIGMAS), [1.0, 1.0, 1.0, 1.0, 0.2]);
    }

    #[test]
    fn what_is_guaranteed_is_kept() {
        // Both starts are behind at 2.0, but the second keyframe is owed that level, and the third comes at the next.
        let frames = [(1.0, 0.0, 1), (0.5, 0.1, 1), (0.2, 0.2, 1)];
        assert_eq!(
            strengths(&frames, &[14.0, 2.0, 1.0, 0.5]),
            [1.0, 0.5, 0.2, 0.2]
        );
        // A level counts once, however often the network is called there.
        let frames = [(1.0, 0.05, 2), (0.5, 0.06, 0)];
        assert_eq!(strengths(&frames, &SIGMAS), [1.0, 1.0, 1.0, 0.5, 0.5]);
        // What starts before the part that is sampled is owed nothing.
        assert_eq!(strengths(&frames, &[5.0, 2.0]), [0.5, 0.5]);
    }

    #[test]
    fn later_ones_come_behind_those_of_the_same_start() {
        let keyframes = Keyframes::default()
            .with([Keyframe::new(1.0, 0.5, 0)])
            .with([Keyframe::new(2.0, 0.0, 0)])
            .with([Keyframe::new(3.0, 0.5, 0)]);
        let order: Vec<_> = keyframes
            .frames()
            .iter()
            .map(|frame| frame.strength)
            .collect();
        assert_eq!(order, [2.0, 1.0, 3.0]);
    }
}
