//! The pickle machine: a stack, marks on it, and a memory of values, as Python's `pickletools` describes it. It knows the names of
//! [`known`](super::known) and calls nothing.

use std::collections::HashMap;
use std::rc::Rc;

use super::Fault;
use super::known::{Element, Known};
use super::state::{StorageReference, TensorView};

/// A value. Lists and dictionaries stand in the machine, because a pickle goes on filling them after it has used them.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Anything without meaning for weights.
    Nothing,
    Integer(i64),
    Text(Rc<str>),
    Tuple {
        items: Rc<[Value]>,
        /// Tuples within tuples, this one included.
        depth: u8,
    },
    List(usize),
    Dictionary(usize),
    Name(Known),
    Storage(Rc<StorageReference>),
    Tensor(Rc<TensorView>),
}

/// Steps that the pickles of a file may take together; those of a large checkpoint take a hundred thousand. This also bounds memory: a
/// step makes one value at most.
const MAX_STEPS: usize = 5_000_000;

/// What an entry counts that is copied from a list into a dictionary. The file has no byte for it.
const STEPS_OF_A_COPY: usize = 16;

/// Tuples that may lie within each other. They are dropped by calls within calls, for which a thread has so much room.
const MAX_DEPTH: u8 = 64;

/// Texts of more bytes than this are no names, and are passed over.
const MAX_TEXT_BYTES: usize = 1 << 16;

/// Numbers of more bytes than this are nothing that weights need.
const MAX_NUMBER_BYTES: usize = 1024;

/// Runs pickles, one after the other.
#[derive(Debug)]
pub(super) struct Machine<'a> {
    rest: &'a [u8],
    stack: Vec<Value>,
    marks: Vec<usize>,
    memory: HashMap<usize, Value>,
    lists: Vec<Vec<Value>>,
    dictionaries: Vec<Vec<(Value, Value)>>,
    storages: HashMap<Rc<str>, Element>,
    steps_left: usize,
}

type Step<T = ()> = Result<T, Fault>;

impl<'a> Machine<'a> {
    pub(super) fn new(pickle: &'a [u8]) -> Self {
        Self {
            rest: pickle,
            stack: Vec::new(),
            marks: Vec::new(),
            memory: HashMap::new(),
            lists: Vec::new(),
            dictionaries: Vec::new(),
            storages: HashMap::new(),
            steps_left: MAX_STEPS,
        }
    }

    /// What follows the pickles that were run.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The element type of a storage that was named.
    pub(super) fn element(&self, key: &str) -> Option<Element> {
        self.storages.get(key).copied()
    }

    pub(super) fn list(&self, index: usize) -> &[Value] {
        self.lists.get(index).map_or(&[], Vec::as_slice)
    }

    pub(super) fn entries(&self, index: usize) -> &[(Value, Value)] {
        self.dictionaries.get(index).map_or(&[], Vec::as_slice)
    }

    /// Runs one pickle and gives its value.
    pub(super) fn run(&mut self) -> Step<Value> {
        self.stack.clear();
        self.marks.clear();
        self.memory.clear();
        loop {
            let [operation] = *self.take_array::<1>()?;
            if operation == b'.' {
                return self.pop();
            }
            self.pay(1)?;
            self.step(operation)?;
        }
    }

    /// Takes steps off those that are left.
    fn pay(&mut self, steps: usize) -> Step {
        let left = self.steps_left.checked_sub(steps);
        self.steps_left =
            left.ok_or_else(|| damaged(format!("takes more than {MAX_STEPS} steps")))?;
        Ok(())
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one line or a few for each operation, as in a table"
    )]
    fn step(&mut self, operation: u8) -> Step {
        match operation {
            // Version, frames: they change nothing.
            0x80 => drop(self.take(1)?),
            0x95 => drop(self.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            // Something dropped, or set on an object afterwards, which holds no weights.
            b'0' | b'b' => drop(self.pop()?),
            b'1' => drop(self.pop_marked()?),
            b'2' => {
                let top = self.top()?.clone();
                self.stack.push(top);
            }
            b'N' => self.stack.push(Value::Nothing),
            // True and False.
            0x88 => self.push_integer(1),
            0x89 => self.push_integer(0),
            b'J' => {
                let value = i32::from_le_bytes(*self.take_array()?);
                self.push_integer(i64::from(value));
            }
            b'K' => {
                let [value] = *self.take_array()?;
                self.push_integer(i64::from(value));
            }
            b'M' => {
                let value = u16::from_le_bytes(*self.take_array()?);
                self.push_integer(i64::from(value));
            }
            0x8a | 0x8b => {
                let length = if operation == 0x8a {
                    self.length::<1>()?
                } else {
                    self.length::<4>()?
                };
                self.long(length)?;
            }
            b'I' | b'L' => {
                let line = self.line()?;
                let value = line.trim_end_matches('L').parse();
                self.stack
                    .push(value.map_or(Value::Nothing, Value::Integer));
            }
            b'F' => {
                self.line()?;
                self.stack.push(Value::Nothing);
            }
            b'G' => {
                self.take(8)?;
                self.stack.push(Value::Nothing);
            }
            b'S' | b'V' => {
                let line = self.line()?;
                self.push_text(line.trim_matches(['\'', '"']));
            }
            b'U' | 0x8c | b'C' => self.text::<1>()?,
            b'X' | b'T' | b'B' => self.text::<4>()?,
            0x8d | 0x8e | 0x96 => self.text::<8>()?,
            b')' => self.tuple(self.stack.len())?,
            0x85..=0x87 => {
                let count = usize::from(operation - 0x84);
                let start = self.stack.len().checked_sub(count).ok_or_else(empty)?;
                self.tuple(start)?;
            }
            b't' => {
                let start = self.pop_mark()?;
                self.tuple(start)?;
            }
            b']' | 0x8f => self.push_list(Vec::new()),
            b'l' | 0x91 => {
                let items = self.pop_marked()?;
                self.push_list(items);
            }
            b'}' => self.push_dictionary(Vec::new()),
            b'd' => {
                let entries = pairs(self.pop_marked()?)?;
                self.push_dictionary(entries);
            }
            b'a' => {
                let item = self.pop()?;
                self.extend_list(vec![item])?;
            }
            b'e' | 0x90 => {
                let items = self.pop_marked()?;
                self.extend_list(items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.extend_dictionary(vec![(key, value)])?;
            }
            b'u' => {
                let entries = pairs(self.pop_marked()?)?;
                self.extend_dictionary(entries)?;
            }
            b'p' | b'q' | b'r' => {
                let place = self.place(operation == b'p', operation == b'q')?;
                let top = self.top()?.clone();
                self.memory.insert(place, top);
            }
            0x94 => {
                let top = self.top()?.clone();
                self.memory.insert(self.memory.len(), top);
            }
            b'g' | b'h' | b'j' => {
                let place = self.place(operation == b'g', operation == b'h')?;
                let value = self.memory.get(&place).cloned();
                let missing = || damaged(format!("recalls a value {place} that it never kept"));
                self.stack.push(value.ok_or_else(missing)?);
            }
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.name(&module, &name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(name), Value::Text(module)) = (name, module) else {
                    return Err(damaged("names something by what is no text"));
                };
                self.name(&module, &name)?;
            }
            b'R' | 0x81 => {
                let (arguments, callee) = (self.pop()?, self.pop()?);
                let value = self.construct(&callee, &arguments)?;
                self.stack.push(value);
            }
            0x92 => {
                let (_, arguments, callee) = (self.pop()?, self.pop()?, self.pop()?);
                let value = self.construct(&callee, &arguments)?;
                self.stack.push(value);
            }
            b'Q' => {
                let identity = self.pop()?;
                let storage = StorageReference::of(&identity)?;
                let key = Rc::clone(&storage.key);
                self.storages.insert(key, storage.element);
                self.stack.push(Value::Storage(Rc::new(storage)));
            }
            other => {
                return Err(damaged(format!(
                    "has the operation {other:#04x}, which weights have no need of"
                )));
            }
        }
        Ok(())
    }

    fn name(&mut self, module: &str, name: &str) -> Step {
        let known =
            Known::find(module, name).ok_or_else(|| Fault::Refused(format!("{module}.{name}")))?;
        self.stack.push(Value::Name(known));
        Ok(())
    }

    /// What a call of a known name gives.
    fn construct(&mut self, callee: &Value, arguments: &Value) -> Step<Value> {
        let Value::Name(known) = callee else {
            // Values that were passed over may be called with anything.
            return Ok(Value::Nothing);
        };
        let Value::Tuple {
            items: arguments, ..
        } = arguments
        else {
            return Err(damaged("calls something without a tuple of arguments"));
        };
        Ok(match known {
            Known::Tensor => Value::Tensor(Rc::new(TensorView::of(arguments, None)?)),
            Known::TypedTensor => {
                let Some(Value::Name(Known::Element(element))) = arguments.get(6) else {
                    return Err(damaged("makes a tensor of an unknown element type"));
                };
                Value::Tensor(Rc::new(TensorView::of(arguments, Some(*element))?))
            }
            Known::Parameter => arguments.first().cloned().unwrap_or(Value::Nothing),
            Known::Dictionary => {
                let entries = match arguments.first() {
                    Some(Value::List(list)) => {
                        self.pay(self.list(*list).len().saturating_mul(STEPS_OF_A_COPY))?;
                        let items = self.list(*list).iter();
                        items.filter_map(pair).collect()
                    }
                    _ => Vec::new(),
                };
                self.dictionaries.push(entries);
                Value::Dictionary(self.dictionaries.len() - 1)
            }
            Known::Element(_) | Known::Bytes | Known::Ignored => Value::Nothing,
        })
    }

    fn push_integer(&mut self, value: i64) {
        self.stack.push(Value::Integer(value));
    }

    /// A number of `length` bytes; one that does not fit 64 bits is nothing that is looked at.
    fn long(&mut self, length: usize) -> Step {
        if length > MAX_NUMBER_BYTES {
            return Err(damaged(format!("has a number of {length} bytes")));
        }
        let bytes = self.take(length)?;
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut whole = [if negative { 0xff } else { 0 }; 8];
        let value = (length <= whole.len()).then(|| {
            whole[..length].copy_from_slice(bytes);
            i64::from_le_bytes(whole)
        });
        self.stack
            .push(value.map_or(Value::Nothing, Value::Integer));
        Ok(())
    }

    fn text<const N: usize>(&mut self) -> Step {
        let length = self.length::<N>()?;
        let bytes = self.take(length)?;
        let bytes = bytes.get(..MAX_TEXT_BYTES + 1).unwrap_or(bytes);
        self.push_text(&String::from_utf8_lossy(bytes));
        Ok(())
    }

    fn push_text(&mut self, text: &str) {
        self.stack.push(if text.len() > MAX_TEXT_BYTES {
            Value::Nothing
        } else {
            Value::Text(text.into())
        });
    }

    fn tuple(&mut self, start: usize) -> Step {
        let items: Rc<[Value]> = self.stack.drain(start..).collect();
        let depth = items.iter().map(Value::depth).max().unwrap_or_default() + 1;
        if depth > MAX_DEPTH {
            return Err(damaged(format!(
                "has more than {MAX_DEPTH} tuples within each other"
            )));
        }
        self.stack.push(Value::Tuple { items, depth });
        Ok(())
    }

    fn push_list(&mut self, items: Vec<Value>) {
        self.lists.push(items);
        self.stack.push(Value::List(self.lists.len() - 1));
    }

    fn push_dictionary(&mut self, entries: Vec<(Value, Value)>) {
        self.dictionaries.push(entries);
        self.stack
            .push(Value::Dictionary(self.dictionaries.len() - 1));
    }

    fn extend_list(&mut self, items: Vec<Value>) -> Step {
        // Other values that can be extended hold no weights.
        if let Value::List(index) = *self.top()?
            && let Some(list) = self.lists.get_mut(index)
        {
            list.extend(items);
        }
        Ok(())
    }

    fn extend_dictionary(&mut self, entries: Vec<(Value, Value)>) -> Step {
        if let Value::Dictionary(index) = *self.top()?
            && let Some(dictionary) = self.dictionaries.get_mut(index)
        {
            dictionary.extend(entries);
        }
        Ok(())
    }

    fn top(&self) -> Step<&Value> {
        self.stack.last().ok_or_else(empty)
    }

    fn pop(&mut self) -> Step<Value> {
        self.stack.pop().ok_or_else(empty)
    }

    fn pop_mark(&mut self) -> Step<usize> {
        let mark = self.marks.pop().filter(|mark| *mark <= self.stack.len());
        mark.ok_or_else(|| damaged("looks for a mark that it never set"))
    }

    fn pop_marked(&mut self) -> Step<Vec<Value>> {
        let start = self.pop_mark()?;
        Ok(self.stack.drain(start..).collect())
    }

    /// The place of a value in memory: a line of digits, one byte, or four.
    fn place(&mut self, is_line: bool, is_byte: bool) -> Step<usize> {
        if is_line {
            let line = self.line()?;
            return line
                .parse()
                .map_err(|_| damaged("has a place that is no number"));
        }
        if is_byte {
            self.length::<1>()
        } else {
            self.length::<4>()
        }
    }

    fn length<const N: usize>(&mut self) -> Step<usize> {
        let mut whole = [0; 8];
        whole[..N].copy_from_slice(self.take_array::<N>()?);
        usize::try_from(u64::from_le_bytes(whole))
            .map_err(|_| damaged("has a length beyond measure"))
    }

    fn line(&mut self) -> Step<String> {
        let end = self.rest.iter().position(|byte| *byte == b'\n');
        let line = self.take(end.ok_or_else(cut_off)?)?;
        self.take(1)?;
        Ok(String::from_utf8_lossy(line)
            .trim_end_matches('\r')
            .to_owned())
    }

    fn take_array<const N: usize>(&mut self) -> Step<&'a [u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(cut_off)?;
        self.rest = rest;
        Ok(taken)
    }

    fn take(&mut self, count: usize) -> Step<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(cut_off)?;
        self.rest = rest;
        Ok(taken)
    }
}

impl Value {
    fn depth(&self) -> u8 {
        match self {
            Self::Tuple { depth, .. } => *depth,
            _ => 0,
        }
    }
}

/// Keys and values that stand one after the other.
fn pairs(items: Vec<Value>) -> Step<Vec<(Value, Value)>> {
    if !items.len().is_multiple_of(2) {
        return Err(damaged("has a key without a value"));
    }
    let mut items = items.into_iter();
    Ok(std::iter::from_fn(|| Some((items.next()?, items.next()?))).collect())
}

/// A key and a value in a tuple.
fn pair(item: &Value) -> Option<(Value, Value)> {
    match item {
        Value::Tuple { items, .. } => match &**items {
            [key, value] => Some((key.clone(), value.clone())),
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn damaged(reason: impl Into<String>) -> Fault {
    Fault::Damaged(format!("its pickle {}", reason.into()))
}

fn empty() -> Fault {
    damaged("uses a value that it never made")
}

fn cut_off() -> Fault {
    damaged("is cut off")
}
