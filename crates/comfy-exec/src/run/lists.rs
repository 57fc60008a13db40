//! Joins what several calls of a node give.

use comfy_graph::{Item, Json, Output};
use serde_json::Map;

use super::call::Shown;

/// The list of each slot over all calls.
pub(crate) fn join_outputs(
    count: usize,
    calls: impl IntoIterator<Item = Vec<Output>>,
) -> Vec<Vec<Item>> {
    let mut slots = vec![Vec::new(); count];
    for call in calls {
        for (slot, output) in slots.iter_mut().zip(call) {
            match output {
                Output::One(item) => slot.push(item),
                Output::Many(items) => slot.extend(items),
            }
        }
    }
    slots
}

/// The kinds of the first call that shows something, with the lists of all calls.
pub(crate) fn join_shown(calls: impl IntoIterator<Item = Shown>) -> Option<Json> {
    let mut calls: Vec<Shown> = calls
        .into_iter()
        .filter(|shown| !shown.is_empty())
        .collect();
    let kinds: Vec<String> = calls.first()?.keys().cloned().collect();
    let mut joined = Map::new();
    for kind in kinds {
        let list = calls
            .iter_mut()
            .filter_map(|call| call.get_mut(&kind))
            .flat_map(std::mem::take)
            .collect();
        joined.insert(kind, Json::Array(list));
    }
    Some(Json::Object(joined))
}

#[cfg(test)]
mod tests {
    use comfy_graph::{Blocker, Value};
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_joined_call_by_call() {
        let one = |value: i64| Output::One(Ok(Value::new(value)));
        let many = |values: &[i64]| {
            Output::Many(values.iter().map(|value| Ok(Value::new(*value))).collect())
        };
        let blocked = || Output::One(Err(Blocker::silent()));
        let slots = join_outputs(
            2,
            [
                vec![one(1), many(&[10, 11])],
                vec![blocked(), blocked()],
                vec![one(2), many(&[])],
            ],
        );
        let shown = |item: &Item| {
            item.as_ref()
                .map_or(json!("blocked"), |value| json!(value.to_json()))
        };
        let slots: Vec<Vec<Json>> = slots
            .iter()
            .map(|slot| slot.iter().map(shown).collect())
            .collect();
        assert_eq!(
            json!(slots),
            json!([[1, "blocked", 2], [10, 11, "blocked"]])
        );
    }

    #[test]
    fn what_is_shown_has_the_kinds_of_the_first_call() {
        let shown = |kinds: &[(&str, i64)]| -> Shown {
            kinds
                .iter()
                .map(|(kind, value)| ((*kind).to_owned(), vec![json!(value)]))
                .collect()
        };
        assert_eq!(join_shown([Shown::new()]), None);
        assert_eq!(
            join_shown([
                Shown::new(),
                shown(&[("a", 1)]),
                shown(&[("b", 2), ("a", 3)])
            ]),
            Some(json!({"a": [1, 3]}))
        );
    }
}
