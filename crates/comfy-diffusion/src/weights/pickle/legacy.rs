//! Files of PyTorch before 1.6: five pickles (a number, a version, facts of the machine, the tensors, the keys of the storages), then
//! for each key the number of its elements in eight bytes, and the elements.

use std::collections::HashMap;

use super::machine::damaged;
use super::{Contents, Fault, Machine, Storage, Value, state};

/// Pickles before the tensors.
const PREAMBLE: usize = 3;

/// The version that all such files have, in the second pickle.
const VERSION: i64 = 1001;

pub(super) fn read(file: &[u8]) -> Result<Contents, Fault> {
    let mut machine = Machine::new(file);
    for index in 0..PREAMBLE {
        let value = machine.run()?;
        if index == 1 && !matches!(value, Value::Integer(VERSION)) {
            return Err(Fault::NotSafetensors(
                "it is a Python pickle, but none that PyTorch saved".to_owned(),
            ));
        }
    }
    let value = machine.run()?;
    let tensors = state::tensors(&machine, &value)?;
    let keys = match machine.run()? {
        Value::List(keys) => machine.list(keys).to_vec(),
        _ => return Err(damaged("does not list its storages")),
    };
    let mut at = file.len() - machine.rest().len();
    let mut storages = HashMap::new();
    for key in &keys {
        let Value::Text(key) = key else {
            return Err(damaged("has a storage whose key is no text"));
        };
        let cut_off = || Fault::Damaged(format!("storage `{key}` is cut off"));
        let count = file.get(at..).and_then(|rest| rest.first_chunk());
        let count = u64::from_le_bytes(*count.ok_or_else(cut_off)?);
        let element = machine.element(key);
        let size = element
            .ok_or_else(|| damaged(format!("lists a storage `{key}` that it never names")))?
            .bytes();
        let start = at + 8;
        let end = usize::try_from(count)
            .ok()
            .and_then(|count| count.checked_mul(size)?.checked_add(start))
            .filter(|end| *end <= file.len())
            .ok_or_else(cut_off)?;
        let storage = Storage {
            buffer: None,
            bytes: start..end,
        };
        storages.insert(key.to_string(), storage);
        at = end;
    }
    let mut contents = Contents {
        facts: state::facts(&machine, &value),
        ..Contents::default()
    };
    for (name, view) in tensors {
        let key = &*view.storage.key;
        let storage = storages.get(key).ok_or_else(|| {
            Fault::Damaged(format!("there is no storage `{key}` for tensor `{name}`"))
        })?;
        contents.add(file, name, &view, storage)?;
    }
    Ok(contents)
}
