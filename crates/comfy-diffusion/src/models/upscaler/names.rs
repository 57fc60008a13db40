//! The names that programs gave to the tensors of upscalers over the years, brought to those of the newest.

use crate::weights::{View, Weights};

/// Dictionaries in which training programs keep the weights that count; the first that is there is taken.
const CONTAINERS: [&str; 7] = [
    "model_state_dict.",
    "state_dict.",
    "params_ema.",
    "params-ema.",
    "params.",
    "model.",
    "net.",
];

/// What wrappers put before every name.
const WRAPPERS: [&str; 2] = ["module.", "netG."];

/// The same weights with the names of today.
pub(super) fn canonical(weights: Weights) -> Weights {
    let container = CONTAINERS.into_iter().find(|container| {
        // The first ESRGAN was a list called `model`; that is no dictionary.
        let is_list = weights.contains(&format!("{container}0.weight"));
        !is_list && weights.names(container).next().is_some()
    });
    let weights = match container {
        Some(container) => only_below(weights, container),
        None => weights,
    };
    let weights = WRAPPERS.iter().fold(weights, |weights, wrapper| {
        if weights.names("").all(|name| name.starts_with(wrapper)) {
            only_below(weights, wrapper)
        } else {
            weights
        }
    });
    if weights.contains("model.0.weight") {
        let last = weights.names("model.").filter_map(number_of_layer).max();
        return weights.renamed(|name| of_list(name, last.unwrap_or_default()));
    }
    weights.renamed(of_second)
}

fn only_below(weights: Weights, prefix: &str) -> Weights {
    weights.arranged(|name, _| match name.strip_prefix(prefix) {
        Some(rest) => vec![(rest.to_owned(), View::Whole)],
        None => Vec::new(),
    })
}

fn number_of_layer(name: &str) -> Option<usize> {
    name.strip_prefix("model.")?.split('.').next()?.parse().ok()
}

/// A name of the first ESRGAN, whose layers are numbered: a convolution, the blocks, at every third number one for each doubling, and
/// two more.
fn of_list(name: &str, last: usize) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    let (place, ending) = match parts.as_slice() {
        ["model", "1", "sub", block, dense, convolution, "0", ending] => (
            format!("body.{block}.{}.{convolution}", dense.to_lowercase()),
            ending,
        ),
        ["model", "1", "sub", block, dense, "conv1x1", ending] => (
            format!("body.{block}.{}.conv1x1", dense.to_lowercase()),
            ending,
        ),
        ["model", "1", "sub", _, ending] => ("conv_body".to_owned(), ending),
        ["model", number, ending] => {
            let place = match number.parse::<usize>() {
                Ok(0) => "conv_first".to_owned(),
                Ok(number) if number == last => "conv_last".to_owned(),
                Ok(number) if number + 2 == last => "conv_hr".to_owned(),
                Ok(number) if number.is_multiple_of(3) => format!("conv_up{}", number / 3),
                _ => return name.to_owned(),
            };
            (place, ending)
        }
        _ => return name.to_owned(),
    };
    format!("{place}.{ending}")
}

/// A name of BSRGAN and its time.
fn of_second(name: &str) -> String {
    let (first, rest) = name.split_once('.').unwrap_or((name, ""));
    match first {
        "RRDB_trunk" => format!("body.{}", rest.replace("RDB", "rdb")),
        "trunk_conv" => format!("conv_body.{rest}"),
        "HRconv" => format!("conv_hr.{rest}"),
        _ => match first.strip_prefix("upconv") {
            Some(number) => format!("conv_up{number}.{rest}"),
            // SwinIR that first puts blocks of pixels into channels, which is layer 0 and has no weights.
            None => name.replacen("conv_first.1.", "conv_first.", 1),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_of_the_first_are_known_by_their_numbers() {
        for (last, name, expected) in [
            (10, "model.0.weight", "conv_first.weight"),
            (
                10,
                "model.1.sub.22.RDB3.conv5.0.bias",
                "body.22.rdb3.conv5.bias",
            ),
            (
                10,
                "model.1.sub.0.RDB1.conv1x1.weight",
                "body.0.rdb1.conv1x1.weight",
            ),
            (10, "model.1.sub.23.weight", "conv_body.weight"),
            (10, "model.3.bias", "conv_up1.bias"),
            (10, "model.6.bias", "conv_up2.bias"),
            (10, "model.8.weight", "conv_hr.weight"),
            (10, "model.10.weight", "conv_last.weight"),
            (4, "model.2.weight", "conv_hr.weight"),
            (13, "model.9.weight", "conv_up3.weight"),
            (13, "model.11.weight", "conv_hr.weight"),
        ] {
            assert_eq!(of_list(name, last), expected);
        }
    }

    #[test]
    fn names_of_the_second_become_those_of_the_third() {
        for (name, expected) in [
            ("RRDB_trunk.3.RDB2.conv4.weight", "body.3.rdb2.conv4.weight"),
            ("trunk_conv.bias", "conv_body.bias"),
            ("upconv2.weight", "conv_up2.weight"),
            ("HRconv.weight", "conv_hr.weight"),
            ("conv_first.weight", "conv_first.weight"),
        ] {
            assert_eq!(of_second(name), expected);
        }
    }
}
