//! Which input stands for an output of a bypassed node.

/// The input that takes the place of output `slot`, which has the type `output`, for a consumer that wants the type `wanted`.
pub(super) fn input_for(inputs: &[&str], slot: usize, output: &str, wanted: &str) -> Option<usize> {
    if matches!(wanted, "*" | "") {
        let index = if inputs.len() > slot { slot } else { 0 };
        return (!inputs.is_empty()).then_some(index);
    }
    let fits = |input: &str| compatible(input, output) && compatible(input, wanted);
    if inputs.get(slot).is_some_and(|input| fits(input)) {
        return Some(slot);
    }
    let same = inputs.iter().position(|input| *input == wanted);
    same.or_else(|| inputs.iter().position(|input| fits(input)))
}

/// Whether a link may join two types.
pub(super) fn compatible(a: &str, b: &str) -> bool {
    let open = |name: &str| matches!(name, "" | "*" | "0");
    if open(a) || open(b) {
        return true;
    }
    a.split(',').any(|a| {
        b.split(',')
            .any(|b| open(a) || open(b) || a.eq_ignore_ascii_case(b))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_compared_without_case_and_one_of_a_list_suffices() {
        assert!(compatible("IMAGE", "image"));
        assert!(compatible("INT,FLOAT", "FLOAT"));
        assert!(compatible("*", "MODEL"));
        assert!(!compatible("INT", "FLOAT"));
    }

    #[test]
    fn the_input_at_the_same_place_comes_first() {
        let inputs = ["CLIP", "MODEL", "CLIP"];
        assert_eq!(input_for(&inputs, 2, "CLIP", "CLIP"), Some(2));
        assert_eq!(input_for(&inputs, 1, "CLIP", "CLIP"), Some(0));
        assert_eq!(input_for(&inputs, 0, "MODEL", "MODEL"), Some(1));
        assert_eq!(input_for(&inputs, 0, "VAE", "VAE"), None);
        assert_eq!(input_for(&inputs, 7, "X", "*"), Some(0));
        assert_eq!(input_for(&inputs, 1, "X", ""), Some(1));
        assert_eq!(input_for(&[], 0, "X", "*"), None);
    }
}
