//! The zip archive around a pickle and its storages (PKWARE's APPNOTE, with its 64-bit fields). PyTorch stores entries as they are, so
//! tensors are read in place; an archive that was packed again is unpacked into memory, within limits.

use std::collections::HashMap;
use std::io::Read;
use std::ops::Range;

use super::{Contents, Fault, Machine, Storage, state};

/// The longest pickle that is read, in bytes; one of a large checkpoint has a few hundred thousand.
const MAX_PICKLE_BYTES: usize = 256 << 20;

/// Unpacked bytes for each packed one. Weights hardly shrink at all; an archive of more is made to fill memory.
const MAX_RATIO: u64 = 16;

/// Bytes that a small archive may unpack to whatever its size.
const FREE_BYTES: u64 = 16 << 20;

/// Signatures of an archive's parts.
const END: &[u8] = b"PK\x05\x06";
const END_64: &[u8] = b"PK\x06\x06";
const LOCATOR_64: &[u8] = b"PK\x06\x07";
const ENTRY: &[u8] = b"PK\x01\x02";
const LOCAL: &[u8] = b"PK\x03\x04";

/// How far from its end the end of an archive is looked for: its comment has at most so many bytes.
const MAX_END: usize = 65_535 + 22;

/// The ways in which entries are packed that are read.
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// One file in an archive.
struct Entry {
    method: u16,
    packed: Range<usize>,
    unpacked_bytes: u64,
}

pub(super) fn read(file: &[u8]) -> Result<Contents, Fault> {
    let entries = entries(file)?;
    let pickle = entries
        .keys()
        .find(|name| *name == "data.pkl" || name.ends_with("/data.pkl"))
        .ok_or_else(|| {
            Fault::NotSafetensors(
                "it is a zip archive without a PyTorch checkpoint's data.pkl".to_owned(),
            )
        })?;
    let root = pickle.trim_end_matches("data.pkl").to_owned();
    let byte_order = entries.get(&format!("{root}byteorder"));
    let mut unpacker = Unpacker {
        file,
        left: FREE_BYTES.saturating_add((file.len() as u64).saturating_mul(MAX_RATIO)),
    };
    if let Some(entry) = byte_order
        && unpacker.whole(entry)?.starts_with(b"big")
    {
        return Err(damaged("its numbers are big-endian, which is not read"));
    }
    let program = &entries[pickle];
    if program.unpacked_bytes > MAX_PICKLE_BYTES as u64 {
        return Err(damaged(format!(
            "its pickle has {} bytes, and at most {MAX_PICKLE_BYTES} are allowed",
            program.unpacked_bytes
        )));
    }
    let program = unpacker.whole(program)?;
    let mut machine = Machine::new(&program);
    let value = machine.run()?;
    let mut contents = Contents {
        facts: state::facts(&machine, &value),
        ..Contents::default()
    };
    let mut storages = HashMap::new();
    for (name, view) in state::tensors(&machine, &value)? {
        let key = &view.storage.key;
        if !storages.contains_key(key) {
            let entry = entries.get(&format!("{root}data/{key}")).ok_or_else(|| {
                damaged(format!(
                    "the archive has no storage `{key}` for tensor `{name}`"
                ))
            })?;
            let storage = if entry.method == STORED {
                Storage {
                    buffer: None,
                    bytes: entry.packed.clone(),
                }
            } else {
                contents.keep(unpacker.whole(entry)?)
            };
            storages.insert(key.clone(), storage);
        }
        contents.add(file, name, &view, &storages[key])?;
    }
    Ok(contents)
}

/// Unpacks entries while the limit lasts.
struct Unpacker<'a> {
    file: &'a [u8],
    left: u64,
}

impl Unpacker<'_> {
    fn whole(&mut self, entry: &Entry) -> Result<Vec<u8>, Fault> {
        let packed = self.file.get(entry.packed.clone()).unwrap_or_default();
        if entry.method == STORED {
            return Ok(packed.to_vec());
        }
        if entry.unpacked_bytes > self.left {
            return Err(damaged(format!(
                "an entry unpacks to {} bytes, more than {MAX_RATIO} times what the file has",
                entry.unpacked_bytes
            )));
        }
        self.left -= entry.unpacked_bytes;
        let mut unpacked = Vec::new();
        // What the archive says of the size is not believed but is the limit.
        let mut reader = flate2::read::DeflateDecoder::new(packed).take(entry.unpacked_bytes);
        reader
            .read_to_end(&mut unpacked)
            .map_err(|error| damaged(format!("an entry cannot be unpacked: {error}")))?;
        if unpacked.len() as u64 != entry.unpacked_bytes {
            return Err(damaged("an entry unpacks to less than it should"));
        }
        Ok(unpacked)
    }
}

/// All entries by name.
fn entries(file: &[u8]) -> Result<HashMap<String, Entry>, Fault> {
    let (mut at, count) = directory(file)?;
    let mut entries = HashMap::new();
    for _ in 0..count {
        let header = part(file, at, 46, ENTRY)?;
        let [name_length, extra_length, comment_length] =
            [28, 30, 32].map(|offset| usize::from(u16_at(header, offset)));
        let name = bytes(file, at + 46, name_length)?;
        let extra = bytes(file, at + 46 + name_length, extra_length)?;
        let mut wide = Wide::new(extra);
        let unpacked_bytes = wide.value(u32_at(header, 24))?;
        let packed_bytes = wide.value(u32_at(header, 20))?;
        let local = wide.value(u32_at(header, 42))?;
        let method = u16_at(header, 10);
        if u16_at(header, 8) & 1 != 0 || ![STORED, DEFLATED].contains(&method) {
            return Err(damaged(format!(
                "its entry `{}` is encrypted or packed in a way that is not read ({method})",
                String::from_utf8_lossy(name)
            )));
        }
        let local = to_usize(local)?;
        let local_header = part(file, local, 30, LOCAL)?;
        let start = local
            + 30
            + usize::from(u16_at(local_header, 26))
            + usize::from(u16_at(local_header, 28));
        let packed_bytes = to_usize(packed_bytes)?;
        bytes(file, start, packed_bytes)?;
        let entry = Entry {
            method,
            packed: start..start + packed_bytes,
            unpacked_bytes,
        };
        entries.insert(String::from_utf8_lossy(name).into_owned(), entry);
        at += 46 + name_length + extra_length + comment_length;
    }
    Ok(entries)
}

/// Where the directory begins and how many entries it has.
fn directory(file: &[u8]) -> Result<(usize, u64), Fault> {
    let from = file.len().saturating_sub(MAX_END);
    let tail = &file[from..];
    let end = tail
        .windows(END.len())
        .rposition(|window| window == END)
        .map(|at| from + at)
        .ok_or_else(|| damaged("it is a zip archive whose end is missing; the file is cut off"))?;
    let record = bytes(file, end, 22)?;
    let locator = end
        .checked_sub(20)
        .and_then(|at| part(file, at, 20, LOCATOR_64).ok());
    if let Some(locator) = locator {
        let record = part(file, to_usize(u64_at(locator, 8))?, 56, END_64)?;
        return Ok((to_usize(u64_at(record, 48))?, u64_at(record, 32)));
    }
    let start = to_usize(u64::from(u32_at(record, 16)))?;
    Ok((start, u64::from(u16_at(record, 10))))
}

/// The 64-bit values of an entry's extra field, in the order of the 32-bit ones that are full.
struct Wide<'a> {
    rest: &'a [u8],
}

impl<'a> Wide<'a> {
    fn new(mut extra: &'a [u8]) -> Self {
        while let Some((header, rest)) = extra.split_first_chunk::<4>() {
            let [kind, length] = [0, 2].map(|offset| u16_at(header, offset));
            let Some((field, rest)) = rest.split_at_checked(usize::from(length)) else {
                break;
            };
            if kind == 1 {
                return Self { rest: field };
            }
            extra = rest;
        }
        Self { rest: &[] }
    }

    fn value(&mut self, narrow: u32) -> Result<u64, Fault> {
        if narrow != u32::MAX {
            return Ok(u64::from(narrow));
        }
        let (value, rest) = self
            .rest
            .split_first_chunk()
            .ok_or_else(|| damaged("an entry of the archive lacks its 64-bit size"))?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*value))
    }
}

/// A part of fixed size that begins with its signature.
fn part<'a>(file: &'a [u8], at: usize, length: usize, signature: &[u8]) -> Result<&'a [u8], Fault> {
    let part = bytes(file, at, length)?;
    if part.starts_with(signature) {
        Ok(part)
    } else {
        Err(damaged(
            "the directory of the archive points to something else",
        ))
    }
}

fn bytes(file: &[u8], at: usize, length: usize) -> Result<&[u8], Fault> {
    at.checked_add(length)
        .and_then(|end| file.get(at..end))
        .ok_or_else(|| {
            damaged("the directory of the archive points beyond the file; the file is cut off")
        })
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

fn to_usize(value: u64) -> Result<usize, Fault> {
    usize::try_from(value).map_err(|_| damaged("the archive has a size beyond measure"))
}

fn damaged(reason: impl Into<String>) -> Fault {
    Fault::Damaged(reason.into())
}
