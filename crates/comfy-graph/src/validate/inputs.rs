//! Tests of widget values, and what is known of a class during one validation.

use super::problem;
use crate::python::{Exception, compare, convert, equal};
use crate::{Catalog, InputSpec, Json, NodeClass, NodeSchema, Section, SocketType};
use comfy_api::error::ErrorDetail;
use std::cell::OnceCell;
use std::cmp::Ordering;
use std::collections::HashSet;

/// A class with its schema of this moment.
pub(super) struct ClassInfo<'a> {
    pub(super) class: &'a NodeClass,
    pub(super) schema: NodeSchema,
    catalog: &'a dyn Catalog,
    /// For each input with many choices, its choices for fast look-up.
    choices: Vec<OnceCell<HashSet<String>>>,
}

impl<'a> ClassInfo<'a> {
    pub(super) fn new(class: &'a NodeClass, catalog: &'a dyn Catalog) -> Self {
        let schema = class.schema(catalog);
        Self {
            class,
            choices: schema.inputs.iter().map(|_| OnceCell::new()).collect(),
            schema,
            catalog,
        }
    }

    /// The input at `index`, or `None` after the last one.
    pub(super) fn input(&self, index: usize) -> Option<&InputSpec> {
        self.schema.inputs.get(index)
    }

    /// Whether a prompt may give the input at `index`, and no earlier one has its name.
    pub(super) fn is_given_by_prompt(&self, index: usize) -> bool {
        let Some(input) = self.input(index) else {
            return false;
        };
        let mut earlier = self.schema.inputs.iter().take(index);
        matches!(input.section, Section::Required | Section::Optional)
            && earlier.all(|earlier| earlier.name != input.name)
    }

    /// Whether the class tests this input by itself.
    pub(super) fn checks(&self, name: &str) -> bool {
        self.class.checks(name)
    }

    /// Tests and converts a widget value. The outer error ends the test of the node, the inner one that of the input.
    pub(super) fn test_value(
        &self,
        index: usize,
        input: &InputSpec,
        value: &Json,
    ) -> Result<Result<Json, ErrorDetail>, Exception> {
        // A list that is no link comes wrapped.
        let value = value.get("__value__").unwrap_or(value);
        let named = match &input.socket {
            SocketType::Named(name) => name.as_str(),
            SocketType::Choices(_) | SocketType::Combo(_) => "",
        };
        let converted = match convert(value, named) {
            Ok(converted) => converted,
            Err(exception) => return Ok(Err(problem::conversion(input, value, &exception))),
        };
        if self.checks(&input.name) {
            return Ok(Ok(converted));
        }
        if let Some(min) = input.settings.get("min")
            && compare(&converted, '<', min)? == Some(Ordering::Less)
        {
            return Ok(Err(problem::too_small(input, &converted, min)));
        }
        if let Some(max) = input.settings.get("max")
            && compare(&converted, '>', max)? == Some(Ordering::Greater)
        {
            return Ok(Err(problem::too_big(input, &converted, max)));
        }
        if let SocketType::Choices(choices) = &input.socket
            && !self.is_choice(index, choices, &converted)
        {
            let folders = input.list.map(|list| self.catalog.folders(list));
            let folders = folders.unwrap_or_default();
            return Ok(Err(problem::not_a_choice(
                input, choices, &converted, folders,
            )));
        }
        Ok(Ok(converted))
    }

    fn is_choice(&self, index: usize, choices: &[Json], value: &Json) -> bool {
        const MANY: usize = 50;
        let fast = (choices.len() > MANY)
            .then(|| value.as_str().zip(self.choices.get(index)))
            .flatten();
        match fast {
            Some((value, set)) => set
                .get_or_init(|| {
                    let texts = choices.iter().filter_map(Json::as_str);
                    texts.map(str::to_owned).collect()
                })
                .contains(value),
            None => choices.iter().any(|choice| equal(choice, value)),
        }
    }
}
