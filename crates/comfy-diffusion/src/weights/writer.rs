//! Writing weights: a safetensors file, tensor by tensor, so that a model is never in memory as a whole.

use std::collections::BTreeMap;
use std::io::{self, Write};

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use safetensors::Dtype;
use serde_json::{Map, Value, json};

use crate::error::Error;

/// A tensor that is to be written.
pub struct Outgoing<'a> {
    /// Its name in the file.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// How its values are stored.
    pub element: Stored,
    /// Makes its values, in C order.
    pub values: Box<dyn Fn() -> Result<Vec<f32>, Error> + 'a>,
}

/// How values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stored {
    /// 16-bit floats (IEEE half).
    Half,
    /// 16-bit floats with the exponent of 32-bit ones.
    Brain,
    /// 32-bit floats.
    Single,
    /// 64-bit integers.
    Integer,
}

/// Why a file of weights was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteFailure {
    /// The values could not be made.
    #[error(transparent)]
    Values(#[from] Error),
    /// They could not be written.
    #[error("cannot write weights: {0}")]
    Io(#[from] io::Error),
}

impl Stored {
    /// The type for values that were stored as `element`: the same, or the smallest that holds them.
    pub fn like(element: Dtype) -> Self {
        match element {
            Dtype::F16
            | Dtype::F8_E4M3
            | Dtype::F8_E5M2
            | Dtype::F8_E4M3FNUZ
            | Dtype::F8_E5M2FNUZ => Self::Half,
            Dtype::BF16 => Self::Brain,
            _ => Self::Single,
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Half | Self::Brain => 2,
            Self::Single => 4,
            Self::Integer => 8,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Half => "F16",
            Self::Brain => "BF16",
            Self::Single => "F32",
            Self::Integer => "I64",
        }
    }

    fn encode(self, values: &[f32]) -> Vec<u8> {
        match self {
            Self::Half => {
                let mut halves = vec![f16::ZERO; values.len()];
                halves.convert_from_f32_slice(values);
                halves.iter().flat_map(|half| half.to_le_bytes()).collect()
            }
            Self::Brain => {
                let mut halves = vec![bf16::ZERO; values.len()];
                halves.convert_from_f32_slice(values);
                halves.iter().flat_map(|half| half.to_le_bytes()).collect()
            }
            Self::Single => values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect(),
            Self::Integer => values
                .iter()
                .flat_map(|value| (*value as i64).to_le_bytes())
                .collect(),
        }
    }
}

/// Writes a safetensors file with these tensors and texts.
///
/// # Errors
///
/// If the values of a tensor cannot be made or are not as many as its shape says, or if writing fails.
pub fn write_weights(
    out: &mut dyn Write,
    mut tensors: Vec<Outgoing<'_>>,
    texts: &BTreeMap<String, String>,
) -> Result<(), WriteFailure> {
    // Wider elements come first, so that each lies at a multiple of its width.
    tensors.sort_by(|one, other| {
        let widths = other.element.cmp(&one.element);
        widths.then_with(|| one.name.cmp(&other.name))
    });
    let mut header = Map::new();
    if !texts.is_empty() {
        header.insert("__metadata__".to_owned(), json!(texts));
    }
    let mut offset = 0;
    for Outgoing {
        name,
        shape,
        element,
        ..
    } in &tensors
    {
        let end = offset + shape.iter().product::<usize>() * element.bytes();
        let entry = json!({"dtype": element.name(), "shape": shape, "data_offsets": [offset, end]});
        header.insert(name.clone(), entry);
        offset = end;
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    for tensor in tensors {
        let values = (tensor.values)()?;
        if values.len() != tensor.shape.iter().product::<usize>() {
            return Err(WriteFailure::Values(Error::input(format!(
                "expected the values of `{}` of shape {:?}, got {}",
                tensor.name,
                tensor.shape,
                values.len()
            ))));
        }
        out.write_all(&tensor.element.encode(&values))?;
    }
    Ok(out.flush()?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::super::Weights;
    use super::*;

    fn outgoing(name: &str, element: Stored, values: &'static [f32]) -> Outgoing<'static> {
        Outgoing {
            name: name.to_owned(),
            shape: vec![values.len()],
            element,
            values: Box::new(|| Ok(values.to_vec())),
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        let tensors = vec![
            outgoing("half", Stored::Half, &[0.1, -2.0]),
            outgoing("empty", Stored::Single, &[]),
            outgoing("places", Stored::Integer, &[0.0, 76.0]),
            outgoing("brain", Stored::Brain, &[1.0]),
            outgoing("single", Stored::Single, &[0.1]),
        ];
        let texts = BTreeMap::from([("prompt".to_owned(), "{\"a\": 1}".to_owned())]);
        let mut file = Vec::new();
        write_weights(&mut file, tensors, &texts).unwrap();
        let weights = Weights::from_bytes("written", file).unwrap();
        assert_eq!(weights.metadata(), &texts);
        assert_eq!(weights.values("half").unwrap(), [0.099_975_586, -2.0]);
        assert_eq!(weights.values("places").unwrap(), [0.0, 76.0]);
        assert_eq!(weights.values("single").unwrap(), [0.1]);
        assert_eq!(weights.values("brain").unwrap(), [1.0]);
        assert_eq!(weights.shape("empty").unwrap(), [0]);
    }

    #[test]
    fn too_few_values_are_an_error() {
        let mut tensor = outgoing("short", Stored::Half, &[1.0]);
        tensor.shape = vec![2];
        let written = write_weights(&mut Vec::new(), vec![tensor], &BTreeMap::new());
        assert!(matches!(written, Err(WriteFailure::Values(_))));
    }
}
