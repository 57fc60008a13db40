//! Files of weights: safetensors, and what PyTorch pickles.

use comfy_diffusion::weights::{View, Weights};

/// Tensors of a file whose values are read.
const READ: usize = 64;

/// A whole file, in whichever format.
pub fn safetensors(bytes: &[u8]) {
    if let Ok(weights) = Weights::from_bytes("fuzzed", bytes.to_vec()) {
        use_all(&weights);
    }
}

/// The JSON of a header. The tensors behind it are zeros, as many as the header says, if that is not too much.
pub fn header(json: &[u8]) {
    const MOST: usize = 1 << 16;
    let digits = json.split(|byte| !byte.is_ascii_digit());
    let numbers = digits.filter_map(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    let data = numbers.filter(|number| *number <= MOST).max();
    let mut file = (json.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(json);
    file.extend(std::iter::repeat_n(0, data.unwrap_or_default()));
    safetensors(&file);
}

/// A zip archive.
pub fn archive(bytes: &[u8]) {
    safetensors(bytes);
    let forced = [b"PK\x03\x04", bytes.get(4..).unwrap_or_default()].concat();
    safetensors(&forced);
}

/// A pickle, which is taken for the one with the tensors in a file of PyTorch before 1.6.
pub fn program(pickle: &[u8]) {
    safetensors(&old_file(pickle));
}

/// A file of PyTorch before 1.6 around the pickle with the tensors; storage `0` has eight floats.
pub fn old_file(pickle: &[u8]) -> Vec<u8> {
    let parts: [&[u8]; 7] = [
        b"\x80\x02K\x00.",
        b"\x80\x02M\xe9\x03.",
        b"\x80\x02}.",
        pickle,
        b"\x80\x02]X\x01\x00\x00\x000a.",
        &8_u64.to_le_bytes(),
        &[0; 32],
    ];
    parts.concat()
}

fn use_all(weights: &Weights) {
    for name in weights.names("").take(READ) {
        let count = weights
            .shape(name)
            .map(|shape| shape.iter().product::<usize>());
        if let Ok(values) = weights.values(name) {
            assert_eq!(Some(values.len()), count, "{name}");
        }
        let _ = weights.rows(name, &[0, 1]);
    }
    assert!(weights.unused("").count() <= weights.names("").count());
    let _ = (weights.stored_bytes(""), weights.metadata().len());
    let turned = weights.clone().arranged(|name, shape| {
        let half = shape.first().copied().unwrap_or_default() / 2;
        vec![
            (format!("{name}.rows"), View::Rows(half..half + 1)),
            (format!("{name}.turned"), View::Transposed),
        ]
    });
    for name in turned.names("").take(READ) {
        let _ = turned.values(name);
    }
}
