//! Names that a person may have meant.

/// How many names are proposed.
const MOST: usize = 5;

/// How alike names must be, from 0 to 1.
const ALIKE: f64 = 0.6;

/// Names longer than this are not compared: it takes time in proportion to the product of the lengths.
const LONGEST: usize = 200;

/// How many names are compared.
const MOST_COMPARED: usize = 20_000;

/// The names that look most like `wanted`, the nearest first.
pub(super) fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    if wanted.len() > LONGEST {
        return Vec::new();
    }
    let wanted = wanted.to_lowercase();
    let mut near: Vec<(f64, &str)> = names
        .take(MOST_COMPARED)
        .filter(|name| name.len() <= LONGEST)
        .map(|name| (likeness(&wanted, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .collect();
    // The sort is stable: among equals the order of the list counts.
    near.sort_by(|(left, _), (right, _)| right.total_cmp(left));
    near.into_iter().take(MOST).map(|(_, name)| name).collect()
}

/// From 0 to 1: 1 for the same name. A name within the other one, and the same file in another folder, are quite alike.
fn likeness(left: &str, right: &str) -> f64 {
    const SAME_FILE: f64 = 0.9;
    const WITHIN: f64 = 0.8;
    // That both are checkpoints, say, makes no names alike.
    let (left_stem, right_stem) = match (left.rsplit_once('.'), right.rsplit_once('.')) {
        (Some((left, one)), Some((right, other))) if one == other => (left, right),
        _ => (left, right),
    };
    let file = |name: &str| name.rsplit(['/', '\\']).next().map(str::to_owned);
    let is_within = !left_stem.is_empty()
        && !right_stem.is_empty()
        && (left_stem.contains(right_stem) || right_stem.contains(left_stem));
    let likeness = strsim::normalized_damerau_levenshtein(left_stem, right_stem);
    if left != right && file(left) == file(right) {
        likeness.max(SAME_FILE)
    } else if is_within {
        likeness.max(WITHIN)
    } else {
        likeness
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_come_first_and_far_ones_not_at_all() {
        let names = [
            "sd15/v1-5-pruned.safetensors",
            "v1-5-pruned-emaonly.safetensors",
            "sd_xl_base_1.0.safetensors",
            "euler",
        ];
        let near = |wanted: &str| nearest(wanted, names.into_iter());
        assert_eq!(
            near("v1-5-pruned.safetensors"),
            [
                "sd15/v1-5-pruned.safetensors",
                "v1-5-pruned-emaonly.safetensors"
            ]
        );
        assert_eq!(near("nope.safetensors"), [""; 0]);
        assert_eq!(near("Eulr"), ["euler"]);
        assert_eq!(near("euler_ancestral"), ["euler"]);
        assert_eq!(near(""), [""; 0]);
        assert_eq!(near("quite another thing"), [""; 0]);
        assert_eq!(near(&"x".repeat(100_000)), [""; 0]);
    }
}
