//! The number that a widget gets from a primitive node.
//!
//! The front end keeps the number of a primitive node within the limits of the widgets it is linked to, and each widget rounds it to its
//! own step. Nothing of this happens to numbers that a user typed into the widget itself.

use super::layout::Widget;
use crate::Json;
use serde_json::Map;

/// The whole numbers that JavaScript tells apart.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The value that `target` gets from a primitive node that is linked to `linked`.
pub(super) fn received(value: Json, linked: &[&Widget], target: &Widget) -> Json {
    let (Some(number), Some(own)) = (value.as_f64(), Limits::of(target)) else {
        return value;
    };
    let mut kept = number;
    let mut common = linked.first().and_then(|first| Limits::of(first));
    for limits in linked.iter().filter_map(|widget| Limits::of(widget)) {
        if let Some(both) = common.as_ref().and_then(|common| common.with(&limits)) {
            kept = both.rounded(kept.max(both.minimum()).min(both.maximum()));
            common = Some(both);
        }
    }
    let received = own.rounded(kept);
    #[expect(clippy::float_cmp, reason = "an untouched number keeps all its digits")]
    if received == number {
        return value;
    }
    if own.is_whole && received.abs() < EXACT {
        Json::from(received as i64)
    } else {
        Json::from(received)
    }
}

/// What a number widget takes.
#[derive(Debug, Clone)]
struct Limits {
    is_whole: bool,
    min: Option<f64>,
    max: Option<f64>,
    step: Option<f64>,
    round: Option<f64>,
    /// Other settings, which must be the same in both to be merged.
    others: Map<String, Json>,
}

impl Limits {
    fn of(widget: &Widget) -> Option<Self> {
        /// Settings that do not keep two widgets from being fed by one node.
        const HARMLESS: [&str; 7] = [
            "control_after_generate",
            "default",
            "defaultInput",
            "dynamicPrompts",
            "forceInput",
            "multiline",
            "tooltip",
        ];
        let number = |key: &str| widget.settings.get(key).and_then(Json::as_f64);
        let is_whole = match widget.kind.as_str() {
            "INT" => true,
            "FLOAT" => false,
            _ => return None,
        };
        let others = widget.settings.iter().filter(|(key, value)| {
            let key = key.as_str();
            !HARMLESS.contains(&key) && !["min", "max", "step"].contains(&key) && !value.is_null()
        });
        Some(Self {
            is_whole,
            min: number("min"),
            max: number("max"),
            step: number("step").filter(|step| *step > 0.0),
            round: number("round").filter(|round| *round > 0.0),
            others: others
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        })
    }

    fn minimum(&self) -> f64 {
        self.min.unwrap_or(f64::NEG_INFINITY)
    }

    fn maximum(&self) -> f64 {
        self.max.unwrap_or(f64::INFINITY)
    }

    /// The limits of both, unless they have nothing in common.
    fn with(&self, other: &Self) -> Option<Self> {
        let min = self.minimum().max(other.minimum());
        let max = self.maximum().min(other.maximum());
        if self.is_whole != other.is_whole || min > max || self.others != other.others {
            return None;
        }
        let (a, b) = (self.step.unwrap_or(1.0), other.step.unwrap_or(1.0));
        Some(Self {
            min: min.is_finite().then_some(min),
            max: max.is_finite().then_some(max),
            step: Some(common_multiple(a, b)),
            ..self.clone()
        })
    }

    fn rounded(&self, number: f64) -> f64 {
        if self.is_whole {
            let step = self.step.unwrap_or(1.0);
            let offset = self.min.unwrap_or(0.0) % step;
            return half_up((number - offset) / step) * step + offset;
        }
        let step = self.step.unwrap_or(0.5);
        let digits = (-step.log10().floor()).max(0.0);
        let round = self.round.or((digits > 0.0).then(|| 10_f64.powf(-digits)));
        let Some(round) = round else {
            return number;
        };
        let digits = digits.min(100.0) as usize;
        let text = format!("{:.digits$}", half_up(number / round) * round);
        let rounded: f64 = text.parse().unwrap_or(number);
        // Widgets that set no limits have these.
        rounded
            .max(self.min.unwrap_or(0.0))
            .min(self.max.unwrap_or(2048.0))
    }
}

fn half_up(number: f64) -> f64 {
    (number + 0.5).floor()
}

/// The least number that both divide; for steps that are no whole numbers, the larger one.
fn common_multiple(a: f64, b: f64) -> f64 {
    if a.fract() != 0.0 || b.fract() != 0.0 || a.max(b) > EXACT {
        return a.max(b);
    }
    let (mut x, mut y) = (a, b);
    while y > 0.0 {
        (x, y) = (y, x % y);
    }
    a / x * b
}
