//! Lists, as values that later nodes are repeated for, and as one value.

use std::sync::Arc;

use comfy_graph::{
    Constants, List, Node, NodeContext, NodeError, NodeSpec, Outputs, Services, Socket, Value,
};

use crate::MODULE;
use crate::variants::check_links;

/// A list that travels as one value.
#[derive(Debug, Clone, Default)]
pub struct Accumulation(pub Arc<[Value]>);

impl Socket for Accumulation {
    const TYPE: &'static str = "ACCUMULATION";

    fn describe(&self) -> String {
        format!("{} of {}", Self::TYPE, self.0.len())
    }
}

impl Accumulation {
    /// The place of an index that counts from the end when it is negative.
    fn place(&self, index: i64) -> Result<usize, NodeError> {
        let count = self.0.len();
        let from_start = if index < 0 {
            index.saturating_add_unsigned(count as u64)
        } else {
            index
        };
        let place = usize::try_from(from_start)
            .ok()
            .filter(|place| *place < count);
        place.ok_or_else(|| {
            let message = format_args!("expected an index into a list of {count}, got {index}");
            NodeError::failed("IndexError", message)
        })
    }
}

/// Appends a value to a list, or begins one.
#[derive(Debug, NodeSpec)]
#[node(id = "TestAccumulateNode", name = "Accumulate", category = "Testing/Lists", module = MODULE)]
pub struct Accumulate {
    /// The value to append.
    to_add: Value,
    /// The list; a new one without.
    accumulation: Option<Accumulation>,
}

impl Node for Accumulate {
    type Output = Accumulation;

    const CHECKS_TYPES: bool = true;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Accumulation, NodeError> {
        let before = self.accumulation.unwrap_or_default();
        Ok(Accumulation(
            before.0.iter().cloned().chain([self.to_add]).collect(),
        ))
    }

    fn check(constants: &Constants<'_>, _: &Services) -> Result<(), String> {
        check_links::<Self>(constants)
    }
}

/// Splits the first value off a list.
#[derive(Debug, NodeSpec)]
#[node(id = "TestAccumulationHeadNode", name = "Accumulation Head", category = "Testing/Lists", module = MODULE)]
pub struct AccumulationHead {
    /// The list.
    accumulation: Accumulation,
}

impl Node for AccumulationHead {
    type Output = (Accumulation, Value);

    const CHECKS_TYPES: bool = true;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Self::Output, NodeError> {
        Ok(match self.accumulation.0.split_first() {
            Some((first, rest)) => (Accumulation(rest.into()), first.clone()),
            None => (self.accumulation, Value::null()),
        })
    }

    fn check(constants: &Constants<'_>, _: &Services) -> Result<(), String> {
        check_links::<Self>(constants)
    }
}

/// Splits the last value off a list. Of an empty list nothing is left, and the list itself is the value.
#[derive(Debug, NodeSpec)]
#[node(id = "TestAccumulationTailNode", name = "Accumulation Tail", category = "Testing/Lists", module = MODULE)]
pub struct AccumulationTail {
    /// The list.
    accumulation: Accumulation,
}

impl Node for AccumulationTail {
    type Output = (Option<Accumulation>, Value);

    fn run(self, _: &mut NodeContext<'_>) -> Result<Self::Output, NodeError> {
        Ok(match self.accumulation.0.split_last() {
            Some((last, rest)) => (Some(Accumulation(rest.into())), last.clone()),
            None => (None, Value::new(self.accumulation)),
        })
    }
}

/// Repeats later nodes for each value of a list.
#[derive(Debug, NodeSpec)]
#[node(id = "TestAccumulationToListNode", name = "Accumulation to List", category = "Testing/Lists", module = MODULE)]
pub struct AccumulationToList {
    /// The list.
    accumulation: Accumulation,
}

impl Node for AccumulationToList {
    type Output = List<Value>;

    const CHECKS_TYPES: bool = true;

    fn run(self, _: &mut NodeContext<'_>) -> Result<List<Value>, NodeError> {
        Ok(self.accumulation.0.to_vec().into())
    }

    fn check(constants: &Constants<'_>, _: &Services) -> Result<(), String> {
        check_links::<Self>(constants)
    }
}

/// Makes one value of all values that come.
#[derive(Debug, NodeSpec)]
#[node(id = "TestListToAccumulationNode", name = "List to Accumulation", category = "Testing/Lists", module = MODULE)]
pub struct ListToAccumulation {
    /// The values.
    list: List<Value>,
}

impl Node for ListToAccumulation {
    type Output = Accumulation;

    const CHECKS_TYPES: bool = true;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Accumulation, NodeError> {
        Ok(Accumulation(self.list.into_iter().collect()))
    }

    fn check(constants: &Constants<'_>, _: &Services) -> Result<(), String> {
        check_links::<Self>(constants)
    }
}

/// Counts the values of a list.
#[derive(Debug, NodeSpec)]
#[node(id = "TestAccumulationGetLengthNode", name = "Accumulation Get Length", category = "Testing/Lists", module = MODULE)]
pub struct AccumulationGetLength {
    /// The list.
    accumulation: Accumulation,
}

impl Node for AccumulationGetLength {
    type Output = u64;

    const CHECKS_TYPES: bool = true;

    fn run(self, _: &mut NodeContext<'_>) -> Result<u64, NodeError> {
        Ok(self.accumulation.0.len() as u64)
    }

    fn check(constants: &Constants<'_>, _: &Services) -> Result<(), String> {
        check_links::<Self>(constants)
    }
}

/// Takes a value out of a list.
#[derive(Debug, NodeSpec)]
#[node(id = "TestAccumulationGetItemNode", name = "Accumulation Get Item", category = "Testing/Lists", module = MODULE)]
pub struct AccumulationGetItem {
    /// The list.
    accumulation: Accumulation,
    /// Which value: 0 is the first, −1 the last.
    #[input(default = 0i64, step = 1i64)]
    index: i64,
}

impl Node for AccumulationGetItem {
    type Output = Value;

    const CHECKS_TYPES: bool = true;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Value, NodeError> {
        let place = self.accumulation.place(self.index)?;
        Ok(self.accumulation.0[place].clone())
    }

    fn check(constants: &Constants<'_>, _: &Services) -> Result<(), String> {
        check_links::<Self>(constants)
    }
}

/// Replaces a value of a list.
#[derive(Debug, NodeSpec)]
#[node(id = "TestAccumulationSetItemNode", name = "Accumulation Set Item", category = "Testing/Lists", module = MODULE)]
pub struct AccumulationSetItem {
    /// The list.
    accumulation: Accumulation,
    /// Which value: 0 is the first, −1 the last.
    #[input(default = 0i64, step = 1i64)]
    index: i64,
    /// What takes its place.
    value: Value,
}

impl Node for AccumulationSetItem {
    type Output = Accumulation;

    const CHECKS_TYPES: bool = true;

    fn run(self, _: &mut NodeContext<'_>) -> Result<Accumulation, NodeError> {
        let place = self.accumulation.place(self.index)?;
        let mut values = self.accumulation.0.to_vec();
        values[place] = self.value;
        Ok(Accumulation(values.into()))
    }

    fn check(constants: &Constants<'_>, _: &Services) -> Result<(), String> {
        check_links::<Self>(constants)
    }
}

/// Repeats later nodes for each of up to nine values.
#[derive(Debug, NodeSpec)]
#[node(id = "TestMakeListNode", name = "Make List", category = "Testing/Lists", module = MODULE)]
pub struct MakeList {
    /// The first value.
    value1: Value,
    /// The same once more: `ComfyUI`'s class declares it in both sections.
    #[input(name = "value1")]
    _again: Option<Value>,
    /// Another value.
    value2: Option<Value>,
    /// Another value.
    value3: Option<Value>,
    /// Another value.
    value4: Option<Value>,
    /// Another value.
    value5: Option<Value>,
    /// Another value.
    value6: Option<Value>,
    /// Another value.
    value7: Option<Value>,
    /// Another value.
    value8: Option<Value>,
    /// Another value.
    value9: Option<Value>,
}

/// The values of a [`MakeList`].
#[derive(Debug, Outputs)]
pub struct MadeList {
    #[output(name = "*")]
    values: List<Value>,
}

impl Node for MakeList {
    type Output = MadeList;

    const CHECKS_TYPES: bool = true;

    fn run(self, _: &mut NodeContext<'_>) -> Result<MadeList, NodeError> {
        let further = [
            self.value2,
            self.value3,
            self.value4,
            self.value5,
            self.value6,
            self.value7,
            self.value8,
            self.value9,
        ];
        let values: Vec<Value> = [self.value1]
            .into_iter()
            .chain(further.into_iter().flatten())
            .collect();
        Ok(MadeList {
            values: values.into(),
        })
    }

    fn check(constants: &Constants<'_>, _: &Services) -> Result<(), String> {
        check_links::<Self>(constants)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use comfy_graph::testing::NodeTester;

    use super::*;

    fn list(numbers: &[i64]) -> Accumulation {
        Accumulation(numbers.iter().copied().map(Value::new).collect())
    }

    fn numbers(list: &Accumulation) -> Vec<i64> {
        list.0.iter().map(|value| value.get().unwrap()).collect()
    }

    #[test]
    fn lists_grow_and_shrink_at_both_ends() {
        let grown = NodeTester::<Accumulate>::new()
            .wire("to_add", 1_i64)
            .run()
            .unwrap();
        let grown = NodeTester::<Accumulate>::new()
            .wire("to_add", 2_i64)
            .wire("accumulation", grown)
            .run()
            .unwrap();
        assert_eq!(numbers(&grown), [1, 2]);

        let (rest, first) = NodeTester::<AccumulationHead>::new()
            .wire("accumulation", grown.clone())
            .run()
            .unwrap();
        assert_eq!((numbers(&rest), first.get()), (vec![2], Some(1_i64)));
        let (rest, last) = NodeTester::<AccumulationTail>::new()
            .wire("accumulation", grown)
            .run()
            .unwrap();
        assert_eq!(
            (numbers(&rest.unwrap()), last.get()),
            (vec![1], Some(2_i64))
        );

        let (rest, first) = NodeTester::<AccumulationHead>::new()
            .wire("accumulation", list(&[]))
            .run()
            .unwrap();
        assert!(rest.0.is_empty() && first.is_null());
        let (rest, last) = NodeTester::<AccumulationTail>::new()
            .wire("accumulation", list(&[]))
            .run()
            .unwrap();
        assert!(rest.is_none() && last.get::<Accumulation>().unwrap().0.is_empty());
    }

    #[test]
    fn indices_count_from_both_ends() {
        let item = |index: i64| {
            let tester =
                NodeTester::<AccumulationGetItem>::new().wire("accumulation", list(&[10, 20, 30]));
            tester
                .set("index", index)
                .run()
                .map(|value| value.get::<i64>())
        };
        assert_eq!(
            (item(0), item(2), item(-1), item(-3)),
            (Ok(Some(10)), Ok(Some(30)), Ok(Some(30)), Ok(Some(10)))
        );
        for index in [3, -4, i64::MIN, i64::MAX] {
            assert!(item(index).is_err(), "{index}");
        }
        let tester =
            NodeTester::<AccumulationSetItem>::new().wire("accumulation", list(&[10, 20, 30]));
        let changed = tester.set("index", -2).wire("value", 5_i64).run().unwrap();
        assert_eq!(numbers(&changed), [10, 5, 30]);
    }
}
