//! How much of two models goes into a third.

/// Two factors for each tensor: that of the model that is changed, and that of the other one.
#[derive(Debug, Clone, PartialEq)]
pub struct Blend {
    /// The factors of tensors that no prefix fits.
    pub others: [f64; 2],
    /// Beginnings of names within the network, and the factors of tensors called so; the longest that fits counts.
    pub parts: Vec<(String, [f64; 2])>,
}

impl Blend {
    /// The same factors for all tensors.
    pub fn all(own: f64, other: f64) -> Self {
        Self {
            others: [own, other],
            parts: Vec::new(),
        }
    }

    /// As much of one as is left over by the other.
    pub fn ratio(own: f64) -> [f64; 2] {
        [own, 1.0 - own]
    }

    /// The factors of a tensor.
    pub(super) fn of(&self, name: &str) -> [f32; 2] {
        let fitting = self
            .parts
            .iter()
            .filter(|(part, _)| name.starts_with(part.as_str()));
        // Of two of the same length the first is taken.
        let longest = fitting.rev().max_by_key(|(part, _)| part.len());
        longest
            .map_or(self.others, |(_, factors)| *factors)
            .map(|factor| factor as f32)
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "factors are given back as they came")]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_counts() {
        let blend = Blend {
            others: [0.0, 1.0],
            parts: vec![
                ("input_blocks.1".to_owned(), Blend::ratio(0.25)),
                ("input_blocks.11.".to_owned(), Blend::ratio(0.75)),
            ],
        };
        for (name, expected) in [
            ("out.2.weight", [0.0, 1.0]),
            ("input_blocks.1.0.weight", [0.25, 0.75]),
            ("input_blocks.11.0.weight", [0.75, 0.25]),
        ] {
            assert_eq!(blend.of(name), expected, "{name}");
        }
    }
}
