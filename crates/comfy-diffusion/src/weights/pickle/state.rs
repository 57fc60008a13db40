//! What a pickle says of tensors: storages, and views of them by name.

use std::rc::Rc;

use super::Fault;
use super::known::{Element, Known};
use super::machine::{Machine, Value, damaged};

/// A storage as a pickle names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StorageReference {
    /// Its name in the file.
    pub(super) key: Rc<str>,
    pub(super) element: Element,
}

/// A tensor: some elements of a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TensorView {
    pub(super) storage: StorageReference,
    pub(super) element: Element,
    /// The first element, counted in elements.
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    /// The step from one element to the next in each dimension, in elements.
    pub(super) strides: Vec<usize>,
}

/// Dimensions that a tensor may have.
const MAX_DIMENSIONS: usize = 16;

/// Dictionaries within dictionaries whose tensors are still listed.
const MAX_DEPTH: usize = 4;

/// Entries of dictionaries that are looked at; the largest models have some thousands.
const MAX_ENTRIES: usize = 1_000_000;

/// Bytes of all names together. Dictionaries that are within many others have a name for each of them.
const MAX_NAME_BYTES: usize = 64 << 20;

/// What is told beside the tensors: so many texts and numbers, of so many bytes.
const MAX_FACTS: usize = 1000;
const MAX_FACT_BYTES: usize = 4096;

impl StorageReference {
    /// The storage that a persistent identity stands for: the word "storage", its type, its key, and more that is not needed.
    pub(super) fn of(identity: &Value) -> Result<Self, Fault> {
        let Value::Tuple { items: parts, .. } = identity else {
            return Err(damaged("names a storage by what is no tuple"));
        };
        match &**parts {
            [Value::Text(word), Value::Name(kind), Value::Text(key), ..]
                if &**word == "storage" =>
            {
                let element = match kind {
                    Known::Element(element) => *element,
                    Known::Bytes => Element::BYTE,
                    _ => return Err(damaged("has a storage of an unknown type")),
                };
                Ok(Self {
                    key: Rc::clone(key),
                    element,
                })
            }
            _ => Err(damaged("names a storage in an unknown way")),
        }
    }
}

impl TensorView {
    /// The tensor of a storage, an offset, a shape and strides.
    pub(super) fn of(arguments: &[Value], element: Option<Element>) -> Result<Self, Fault> {
        let [
            Value::Storage(storage),
            Value::Integer(offset),
            Value::Tuple { items: shape, .. },
            Value::Tuple { items: strides, .. },
            ..,
        ] = arguments
        else {
            return Err(damaged(
                "makes a tensor of something else than a storage, an offset, a shape and strides",
            ));
        };
        let extent = |value: &Value| match value {
            Value::Integer(value) => usize::try_from(*value).ok(),
            _ => None,
        };
        let extents = |values: &[Value]| values.iter().map(extent).collect::<Option<Vec<_>>>();
        let is_possible = shape.len() == strides.len() && shape.len() <= MAX_DIMENSIONS;
        let view = usize::try_from(*offset)
            .ok()
            .filter(|_| is_possible)
            .and_then(|offset| Some((offset, extents(shape)?, extents(strides)?)));
        let (offset, shape, strides) =
            view.ok_or_else(|| damaged("makes a tensor of an impossible shape"))?;
        Ok(Self {
            storage: (**storage).clone(),
            element: element.unwrap_or(storage.element),
            offset,
            shape,
            strides,
        })
    }

    /// The last element of the storage that the view reads; `None` if it is beyond measure.
    pub(super) fn last_index(&self) -> Option<usize> {
        self.shape
            .iter()
            .zip(&self.strides)
            .try_fold(self.offset, |index, (extent, stride)| {
                index.checked_add(extent.saturating_sub(1).checked_mul(*stride)?)
            })
    }

    /// Whether the elements lie in C order without gaps.
    pub(super) fn is_contiguous(&self) -> bool {
        let mut step = 1_usize;
        self.shape
            .iter()
            .zip(&self.strides)
            .rev()
            .all(|(extent, stride)| {
                let fits = *extent <= 1 || *stride == step;
                step = step.saturating_mul(*extent);
                fits
            })
    }

    /// The bytes of the elements in C order. Every element must lie within the storage.
    pub(super) fn ordered(&self, storage: &[u8], size: usize) -> Vec<u8> {
        let count = self.shape.iter().product::<usize>();
        let mut ordered = Vec::with_capacity(count * size);
        let mut place = vec![0_usize; self.shape.len()];
        for _ in 0..count {
            let steps = place
                .iter()
                .zip(&self.strides)
                .map(|(at, stride)| at * stride);
            let start = (self.offset + steps.sum::<usize>()) * size;
            ordered.extend_from_slice(storage.get(start..start + size).unwrap_or_default());
            for (at, extent) in place.iter_mut().zip(&self.shape).rev() {
                *at += 1;
                if *at < *extent {
                    break;
                }
                *at = 0;
            }
        }
        ordered
    }
}

/// The tensors of what a file holds, by name. Weights may lie in a dictionary of their own (`state_dict`, or the only entry);
/// tensors in dictionaries and rows further in get the names of both, with a dot between.
pub(super) fn tensors(
    machine: &Machine<'_>,
    value: &Value,
) -> Result<Vec<(String, Rc<TensorView>)>, Fault> {
    let Value::Dictionary(top) = value else {
        return Err(Fault::NotSafetensors(
            "it is a pickle, but holds no dictionary of tensors".to_owned(),
        ));
    };
    let top = machine.entries(*top);
    let inner = |(_, value): &(Value, Value)| match value {
        Value::Dictionary(index) => Some(machine.entries(*index)),
        _ => None,
    };
    let named =
        |entry: &&(Value, Value)| matches!(&entry.0, Value::Text(key) if &**key == "state_dict");
    let entries = match (top.iter().rfind(named).and_then(inner), top) {
        (Some(entries), _) => entries,
        (None, [only]) => inner(only).unwrap_or(top),
        (None, _) => top,
    };
    let mut list = List {
        machine,
        seen: 0,
        name_bytes: 0,
        found: Vec::new(),
    };
    list.add(entries, "", 0)?;
    if list.found.is_empty() {
        return Err(Fault::NotSafetensors(
            "it is a pickle, but holds no tensors by name".to_owned(),
        ));
    }
    Ok(list.found)
}

/// The texts and whole numbers that stand beside the tensors; truth is 1.
pub(super) fn facts(machine: &Machine<'_>, value: &Value) -> Vec<(String, String)> {
    let Value::Dictionary(top) = value else {
        return Vec::new();
    };
    let short = |text: &str| (text.len() <= MAX_FACT_BYTES).then(|| text.to_owned());
    let facts = machine.entries(*top).iter().filter_map(|(key, value)| {
        let Value::Text(key) = key else {
            return None;
        };
        let value = match value {
            Value::Text(text) => short(text)?,
            Value::Integer(number) => number.to_string(),
            _ => return None,
        };
        Some((short(key)?, value))
    });
    facts.take(MAX_FACTS).collect()
}

/// Tensors by name, while they are collected.
struct List<'a> {
    machine: &'a Machine<'a>,
    seen: usize,
    name_bytes: usize,
    found: Vec<(String, Rc<TensorView>)>,
}

impl List<'_> {
    fn add(&mut self, entries: &[(Value, Value)], prefix: &str, depth: usize) -> Result<(), Fault> {
        for (key, value) in entries {
            let name = match key {
                Value::Text(key) => format!("{prefix}{key}"),
                Value::Integer(key) => format!("{prefix}{key}"),
                _ => continue,
            };
            self.add_value(name, value, depth)?;
        }
        Ok(())
    }

    /// What is within a row is named by its number there.
    fn add_row(&mut self, row: &[Value], name: &str, depth: usize) -> Result<(), Fault> {
        row.iter()
            .enumerate()
            .try_for_each(|(index, value)| self.add_value(format!("{name}.{index}"), value, depth))
    }

    fn add_value(&mut self, name: String, value: &Value, depth: usize) -> Result<(), Fault> {
        let machine = self.machine;
        // One dictionary may stand in many places, so what is counted is what is looked at.
        self.seen += 1;
        if self.seen > MAX_ENTRIES {
            return Err(damaged(format!("has more than {MAX_ENTRIES} entries")));
        }
        self.name_bytes += name.len();
        if self.name_bytes > MAX_NAME_BYTES {
            return Err(damaged(format!(
                "has names of more than {MAX_NAME_BYTES} bytes together"
            )));
        }
        match value {
            Value::Tensor(view) => self.found.push((name, Rc::clone(view))),
            Value::Dictionary(index) if depth < MAX_DEPTH => {
                self.add(machine.entries(*index), &format!("{name}."), depth + 1)?;
            }
            Value::Tuple { items, .. } if depth < MAX_DEPTH => {
                self.add_row(items, &name, depth + 1)?;
            }
            Value::List(index) if depth < MAX_DEPTH => {
                self.add_row(machine.list(*index), &name, depth + 1)?;
            }
            _ => {}
        }
        Ok(())
    }
}
