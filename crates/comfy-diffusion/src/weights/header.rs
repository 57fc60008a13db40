//! The header of a safetensors file: eight bytes of length, then JSON of that length, then the tensors without a gap.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as MapEntry;
use std::fmt;
use std::ops::Range;

use safetensors::Dtype;
use serde::Deserialize;
use serde::de::{Error as _, MapAccess, Visitor};

/// The longest header that is read, in bytes. It is the format's own limit; the header of the largest models takes a few megabytes.
pub(super) const MAX_HEADER_BYTES: u64 = 100_000_000;

/// Dimensions that a tensor may have.
const MAX_DIMENSIONS: usize = 16;

/// The largest extent of a tensor that has no elements: such a shape is bounded by nothing in the file, and models are built to shapes.
const MAX_EMPTY_EXTENT: usize = 1 << 16;

/// The longest name of a tensor, in bytes.
const MAX_NAME_BYTES: usize = 1024;

/// Bytes before the JSON text.
const LENGTH_BYTES: usize = 8;

/// Free text about the file.
pub(super) type Metadata = BTreeMap<String, String>;

/// One tensor as the header declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Declaration {
    pub(super) element: Dtype,
    pub(super) shape: Vec<usize>,
    /// Where its bytes lie, counted from the start of the file.
    pub(super) bytes: Range<usize>,
}

/// Everything a header says, found true against the length of the file.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) tensors: BTreeMap<String, Declaration>,
    pub(super) metadata: Metadata,
}

/// Why bytes are not the weights they should be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Another format.
    NotSafetensors(String),
    /// The right format, untrue.
    Damaged(String),
    /// A pickle that wants to use this name of Python's.
    Refused(String),
}

impl Header {
    /// Reads the header of `file`, which must hold the whole file. Never panics, whatever the bytes.
    pub(super) fn read(file: &[u8]) -> Result<Self, Fault> {
        if let Some(format) = recognise_other_format(file) {
            return Err(Fault::NotSafetensors(format.to_owned()));
        }
        let json = json_of(file)?;
        let data_start = LENGTH_BYTES + json.len();
        let raw: RawHeader = serde_json::from_slice(json).map_err(|error| {
            Fault::NotSafetensors(format!("its header is not the expected JSON: {error}"))
        })?;
        let data_bytes = file.len() - data_start;
        let mut tensors = BTreeMap::new();
        for (name, raw) in raw.tensors {
            let declaration = raw.check(&name, data_start, data_bytes)?;
            tensors.insert(name, declaration);
        }
        check_layout(&tensors, data_start..file.len())?;
        Ok(Self {
            tensors,
            metadata: raw.metadata,
        })
    }
}

/// The JSON text, its stated length checked.
fn json_of(file: &[u8]) -> Result<&[u8], Fault> {
    let Some((length, rest)) = file.split_first_chunk::<LENGTH_BYTES>() else {
        return Err(Fault::NotSafetensors(format!(
            "it has {} bytes, and the header's length alone takes {LENGTH_BYTES}",
            file.len()
        )));
    };
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER_BYTES {
        return Err(Fault::NotSafetensors(format!(
            "its first eight bytes announce a header of {length} bytes, and at most {MAX_HEADER_BYTES} are allowed"
        )));
    }
    if rest.first().is_some_and(|&byte| byte != b'{') {
        return Err(Fault::NotSafetensors(
            "no JSON object follows its first eight bytes".to_owned(),
        ));
    }
    rest.get(..length as usize).ok_or_else(|| {
        Fault::Damaged(format!(
            "its header should have {length} bytes, but only {} follow; the file is cut off",
            rest.len()
        ))
    })
}

/// Whether JSON stands where a header has it. The first bytes of other formats could be the low bytes of a true length; the opening
/// brace settles it.
pub(super) fn is_json(file: &[u8]) -> bool {
    file.get(LENGTH_BYTES) == Some(&b'{')
}

/// Formats that often lie where weights are looked for.
fn recognise_other_format(file: &[u8]) -> Option<&'static str> {
    const FORMATS: [(&[u8], &str); 6] = [
        (b"GGUF", "it is a GGUF file"),
        (
            b"version https://git-lfs",
            "it is a Git LFS pointer; the weights themselves were not downloaded",
        ),
        (
            b"<!DOCTYPE",
            "it is a web page, most likely saved in place of a download",
        ),
        (
            b"<!doctype",
            "it is a web page, most likely saved in place of a download",
        ),
        (
            b"<html",
            "it is a web page, most likely saved in place of a download",
        ),
        (b"\x89HDF", "it is an HDF5 file"),
    ];
    let is_json = is_json(file);
    FORMATS
        .iter()
        .find(|(start, _)| !is_json && file.starts_with(start))
        .map(|(_, name)| *name)
}

/// The tensors must fill the data without overlap or gap; the format demands it, and a file that breaks it was damaged or made to deceive.
fn check_layout(tensors: &BTreeMap<String, Declaration>, data: Range<usize>) -> Result<(), Fault> {
    let mut by_place: Vec<_> = tensors
        .iter()
        .map(|(name, tensor)| (tensor.bytes.start, tensor.bytes.end, name.as_str()))
        .collect();
    by_place.sort_unstable();
    let mut end = data.start;
    let mut before = "the header";
    for (start, next_end, name) in by_place {
        if start < end {
            return Err(Fault::Damaged(format!(
                "tensors `{before}` and `{name}` overlap by {} bytes",
                end - start
            )));
        }
        if start > end {
            return Err(Fault::Damaged(format!(
                "{} bytes between {} and `{name}` belong to no tensor",
                start - end,
                quoted(before)
            )));
        }
        (end, before) = (next_end, name);
    }
    if end < data.end {
        return Err(Fault::Damaged(format!(
            "{} bytes after {} belong to no tensor",
            data.end - end,
            quoted(before)
        )));
    }
    Ok(())
}

/// Refuses names and shapes that no model has, and that messages and models would not bear; `size` is 0 if there are no elements.
pub(super) fn check_extents(name: &str, shape: &[usize], size: usize) -> Result<(), Fault> {
    if name.len() > MAX_NAME_BYTES {
        return Err(Fault::Damaged(format!(
            "a tensor has a name of {} bytes, and at most {MAX_NAME_BYTES} are allowed",
            name.len()
        )));
    }
    if shape.len() > MAX_DIMENSIONS {
        return Err(Fault::Damaged(format!(
            "tensor `{name}` has {} dimensions, and at most {MAX_DIMENSIONS} are allowed",
            shape.len()
        )));
    }
    if size == 0 && shape.iter().any(|extent| *extent > MAX_EMPTY_EXTENT) {
        return Err(Fault::Damaged(format!(
            "tensor `{name}` of shape {shape:?} has no elements, and no extent above {MAX_EMPTY_EXTENT} is allowed then"
        )));
    }
    Ok(())
}

fn quoted(name: &str) -> String {
    if name == "the header" {
        name.to_owned()
    } else {
        format!("`{name}`")
    }
}

/// A tensor's entry as JSON has it.
#[derive(Deserialize)]
struct RawTensor {
    dtype: Dtype,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

impl RawTensor {
    fn check(self, name: &str, data_start: usize, data_bytes: usize) -> Result<Declaration, Fault> {
        let (start, end) = self.data_offsets;
        let bits = self
            .shape
            .iter()
            .try_fold(self.dtype.bitsize() as u64, |product, &size| {
                product.checked_mul(size)
            });
        let Some(bits) = bits else {
            return Err(Fault::Damaged(format!(
                "tensor `{name}` claims shape {:?}, more than any file can hold",
                self.shape
            )));
        };
        if end < start || bits.div_ceil(8) != end - start || !bits.is_multiple_of(8) {
            return Err(Fault::Damaged(format!(
                "tensor `{name}` of shape {:?} and type {} takes {} bytes, but its offsets are {start} to {end}",
                self.shape,
                self.dtype,
                bits.div_ceil(8)
            )));
        }
        if end > data_bytes as u64 {
            return Err(Fault::Damaged(format!(
                "tensor `{name}` should end {end} bytes into the data, but the file has only {data_bytes} bytes of data; it is cut off"
            )));
        }
        let shape: Vec<usize> = self.shape.into_iter().map(|size| size as usize).collect();
        check_extents(name, &shape, (end - start) as usize)?;
        Ok(Declaration {
            element: self.dtype,
            shape,
            bytes: data_start + start as usize..data_start + end as usize,
        })
    }
}

/// The whole header as JSON has it.
#[derive(Default)]
struct RawHeader {
    tensors: BTreeMap<String, RawTensor>,
    metadata: Metadata,
}

impl<'de> Deserialize<'de> for RawHeader {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RawHeaderVisitor)
    }
}

struct RawHeaderVisitor;

impl<'de> Visitor<'de> for RawHeaderVisitor {
    type Value = RawHeader;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawHeader, A::Error> {
        let mut header = RawHeader::default();
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                header.metadata = map.next_value::<Option<Metadata>>()?.unwrap_or_default();
                continue;
            }
            match header.tensors.entry(name) {
                MapEntry::Vacant(place) => place.insert(map.next_value()?),
                // Two entries of one name: which of them is meant?
                MapEntry::Occupied(place) => {
                    return Err(A::Error::custom(format!(
                        "tensor `{}` is declared twice",
                        place.key()
                    )));
                }
            };
        }
        Ok(header)
    }
}
