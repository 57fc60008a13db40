//! Hooks for texts: the stretches of the way on which the strengths of all hooks stay the same.

use super::{Keyframes, WeightHooks};
use crate::sampling::ProgressRange;

/// A stretch of the way, and the strength of each hook there, by which its own is multiplied.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stretch {
    pub(crate) range: ProgressRange,
    pub(crate) strengths: Vec<f64>,
}

/// The stretches of hooks. Unlike in sampling, a keyframe does not count before its start: there the hook's own strength counts.
pub(crate) fn schedule(hooks: &WeightHooks) -> Vec<Stretch> {
    let spans: Vec<Vec<Span>> = hooks
        .as_slice()
        .iter()
        .map(|hook| spans(hook.keyframes()))
        .collect();
    let ends = spans.iter().flatten();
    let mut ends: Vec<f64> = ends.flat_map(|span| [span.start, span.end]).collect();
    ends.push(0.0);
    ends.sort_by(f64::total_cmp);
    ends.dedup_by(|one, other| one.total_cmp(other).is_eq());
    let stretch = |ends: &[f64]| {
        let [start, end] = [ends[0], ends[1]];
        let strength = |spans: &Vec<Span>| {
            let around = |span: &&Span| span.start < end && span.end > start;
            spans.iter().find(around).map_or(1.0, |span| span.strength)
        };
        Stretch {
            range: ProgressRange { start, end },
            strengths: spans.iter().map(strength).collect(),
        }
    };
    ends.windows(2).map(stretch).collect()
}

/// A part of the way on which one hook has one strength.
#[derive(Clone, Copy)]
struct Span {
    start: f64,
    end: f64,
    strength: f64,
}

/// Neighbours with the same strength are one; of several keyframes with the same start the last counts.
fn spans(keyframes: &Keyframes) -> Vec<Span> {
    let mut frames = keyframes.frames().iter();
    let Some(first) = frames.next() else {
        return vec![Span {
            start: 0.0,
            end: 1.0,
            strength: 1.0,
        }];
    };
    let mut spans = Vec::new();
    let mut current = *first;
    for frame in frames {
        if frame.start > current.start {
            if is_close(frame.strength, current.strength) {
                continue;
            }
            spans.push(Span {
                start: current.start,
                end: frame.start,
                strength: current.strength,
            });
        }
        current = *frame;
    }
    if !is_close(current.start, 1.0) {
        spans.push(Span {
            start: current.start,
            end: 1.0,
            strength: current.strength,
        });
    }
    spans
}

/// Whether two numbers differ by rounding at most.
fn is_close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(other.abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weight_hooks::{Keyframe, WeightChange, WeightHook};

    fn hook(frames: &[(f64, f64)]) -> WeightHooks {
        let change = WeightChange::Model {
            network: None,
            texts: Vec::new(),
        };
        let hooks = WeightHooks::one(WeightHook::new(change, 1.0, 1.0));
        let keyframes = frames
            .iter()
            .fold(Keyframes::default(), |keyframes, (strength, start)| {
                keyframes.with([Keyframe::new(*strength, *start, 0)])
            });
        hooks.with_keyframes(&keyframes)
    }

    fn stretches(hooks: &WeightHooks) -> Vec<(f64, f64, Vec<f64>)> {
        schedule(hooks)
            .into_iter()
            .map(|stretch| (stretch.range.start, stretch.range.end, stretch.strengths))
            .collect()
    }

    #[test]
    fn the_way_is_cut_where_a_strength_changes() {
        assert_eq!(stretches(&hook(&[])), [(0.0, 1.0, vec![1.0])]);
        let first = hook(&[(0.5, 0.25), (0.5, 0.4), (0.1, 0.5), (0.2, 0.5), (0.7, 1.0)]);
        assert_eq!(
            stretches(&first),
            [
                (0.0, 0.25, vec![1.0]),
                (0.25, 0.5, vec![0.5]),
                (0.5, 1.0, vec![0.2]),
            ]
        );
        let both = first.and(&hook(&[(2.0, 0.0), (3.0, 0.75)]));
        assert_eq!(
            stretches(&both),
            [
                (0.0, 0.25, vec![1.0, 2.0]),
                (0.25, 0.5, vec![0.5, 2.0]),
                (0.5, 0.75, vec![0.2, 2.0]),
                (0.75, 1.0, vec![0.2, 3.0]),
            ]
        );
        assert!(stretches(&hook(&[(1.0, 1.0)])).is_empty());
    }
}
