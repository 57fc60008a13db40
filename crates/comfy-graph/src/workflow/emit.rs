//! Writes the nodes that run.

use super::document::{Document, Mode};
use super::error::near_names;
use super::layout::{Widget, is_truthy};
use super::prepare::{Input, Prepared, PreparedNode, Role};
use super::primitive;
use super::resolve::{Resolved, Resolver, Stuck};
use super::scope::Scopes;
use super::text::{self, Named};
use super::{NodeClasses, Surroundings, UnknownClass, WorkflowError};
use crate::Json;
use indexmap::IndexMap;
use serde_json::{Map, json};
use std::collections::HashMap;

/// Classes whose `filename_prefix` may name the date and widgets of other nodes.
const SAVING_CLASSES: &[&str] = &[
    "CLIPSave",
    "LoraSave",
    "ModelSave",
    "SaveAnimatedPNG",
    "SaveAnimatedWEBP",
    "SaveAudio",
    "SaveAudioMP3",
    "SaveAudioOpus",
    "SaveGLB",
    "SaveImage",
    "SaveLatent",
    "SaveSVGNode",
    "SaveVideo",
    "SaveWEBM",
    "VAESave",
];

/// The property by which other nodes' texts name a node.
const REPLACEMENT_NAME: &str = "Node name for S&R";
/// The property by which a primitive node asks for replacements in its text.
const REPLACES: &str = "Run widget replace on values";

/// The last step of a conversion.
#[derive(Debug)]
pub(super) struct Emission<'a> {
    document: &'a Document,
    prepared: Prepared,
    scopes: Scopes,
}

impl<'a> Emission<'a> {
    pub(super) fn new(document: &'a Document, prepared: Prepared, scopes: Scopes) -> Self {
        Self {
            document,
            prepared,
            scopes,
        }
    }

    pub(super) fn run(self, surroundings: &mut Surroundings<'_>) -> Result<Json, WorkflowError> {
        let resolver = Resolver::new(self.document, &self.prepared, &self.scopes);
        let running = || {
            self.scopes.nodes.iter().filter_map(|(scope, id)| {
                let (saved, node) = resolver.node(*scope, id)?;
                let runs = matches!(node.role, Role::Class(_) | Role::Unknown);
                let is_there = saved.mode == Mode::Active && !self.scopes.get(*scope).hidden;
                (runs && is_there).then_some((*scope, id.as_str(), node))
            })
        };
        let mut unknown: IndexMap<String, Vec<String>> = IndexMap::new();
        for (scope, id, node) in running() {
            if let Role::Unknown = node.role {
                let class = resolver
                    .node(scope, id)
                    .map(|(saved, _)| saved.class.clone());
                let full_id = format!("{}{id}", self.scopes.get(scope).prefix);
                unknown
                    .entry(class.unwrap_or_default())
                    .or_default()
                    .push(full_id);
            }
        }
        if !unknown.is_empty() {
            return Err(unknown_classes(unknown, surroundings.classes));
        }
        let named = Texts::new(&resolver);
        let mut nodes = Vec::new();
        for (scope, id, node) in running() {
            let full_id = format!("{}{id}", self.scopes.get(scope).prefix);
            let inputs = inputs(&resolver, &named, (scope, id, &full_id), node, surroundings)?;
            let (saved, _) = resolver.node(scope, id).expect("it was just found");
            let emitted = json!({
                "inputs": inputs,
                "class_type": saved.class,
                "_meta": {"title": node.title},
            });
            nodes.push((full_id, emitted));
        }
        // JavaScript lists whole numbers first.
        nodes.sort_by_key(|(id, _)| id.parse::<u32>().unwrap_or(u32::MAX));
        Ok(Json::Object(nodes.into_iter().collect()))
    }
}

/// The values of the widgets, then the links.
fn inputs(
    resolver: &Resolver<'_>,
    named: &Texts<'_>,
    (scope, id, full_id): (usize, &str, &str),
    node: &PreparedNode,
    surroundings: &mut Surroundings<'_>,
) -> Result<Map<String, Json>, WorkflowError> {
    let mut values = node.widgets.clone();
    for (name, value) in &mut values {
        if let Some(given) = resolver.overridden(scope, id, name) {
            *value = Some(given);
        }
    }
    let mut raw: IndexMap<&str, Option<Json>> = IndexMap::new();
    for (slot, input) in node.inputs.iter().enumerate() {
        let resolved = resolver.input(scope, id, slot);
        let resolved = resolved.map_err(|stuck| match stuck {
            Stuck::Loop => WorkflowError::Loop {
                node: full_id.to_owned(),
                input: input.name.clone(),
            },
            Stuck::TooLong(limit) => WorkflowError::TooMany {
                place: "the workflow".to_owned(),
                what: "nodes that links are led through",
                limit,
            },
        })?;
        match resolved {
            Resolved::Nothing => {}
            Resolved::Missing => {
                raw.insert(&input.name, None);
            }
            Resolved::Output(origin, slot) => {
                raw.insert(&input.name, Some(json!([origin, slot])));
            }
            Resolved::Promoted(value) => {
                raw.insert(&input.name, value.map(wrapped));
            }
            Resolved::Primitive(value, origin) => {
                if input.is_widget {
                    let value = match &value {
                        Json::String(text) if replaces(resolver, &origin) => {
                            Json::from(text::replace(text, named, &surroundings.now))
                        }
                        _ => value,
                    };
                    let value = read(node, input, value, &resolver.fed_by(&origin));
                    values.insert(input.name.clone(), Some(value));
                }
            }
        }
    }
    let mut inputs = Map::new();
    for (name, value) in values {
        if let Some(value) = value
            && !raw.contains_key(name.as_str())
        {
            let value = sent(node, &name, value, named, surroundings);
            let value = value.map_err(|limit| WorkflowError::TooMany {
                place: format!("input {name} of node {full_id}"),
                what: "choices inside each other",
                limit: limit.0,
            })?;
            inputs.insert(name, wrapped(value));
        } else if let Some(Some(value)) = raw.get(name.as_str()) {
            inputs.insert(name, value.clone());
        }
    }
    for (name, value) in raw {
        if let Some(value) = value {
            inputs.insert(name.to_owned(), value);
        }
    }
    Ok(inputs)
}

/// Whether a primitive node asks for replacements in its text.
fn replaces(resolver: &Resolver<'_>, (scope, id): &(usize, String)) -> bool {
    let node = resolver.node(*scope, id);
    let asked = node.and_then(|(saved, _)| saved.properties.get(REPLACES));
    asked.is_some_and(is_truthy)
}

/// The value of a primitive node as the widget of the input holds it.
fn read(node: &PreparedNode, input: &Input, value: Json, linked: &[&Widget]) -> Json {
    match &node.role {
        Role::Class(layout) => match layout.widget(&input.name) {
            Some(widget) => primitive::received(widget.read(&value), linked, widget),
            None => value,
        },
        _ => value,
    }
}

/// The value as it is queued: with choices made and names replaced.
fn sent(
    node: &PreparedNode,
    name: &str,
    value: Json,
    named: &Texts<'_>,
    surroundings: &mut Surroundings<'_>,
) -> Result<Json, text::TooDeep> {
    let (Role::Class(layout), Json::String(text)) = (&node.role, &value) else {
        return Ok(value);
    };
    if layout.widget(name).is_some_and(Widget::has_dynamic_prompts) {
        return text::choose(text, surroundings.choose).map(Json::from);
    }
    if name == "filename_prefix" && SAVING_CLASSES.contains(&layout.class.as_str()) {
        return Ok(Json::from(text::replace(text, named, &surroundings.now)));
    }
    Ok(value)
}

/// An array that is a value is marked, or it would be taken for a link.
fn wrapped(value: Json) -> Json {
    match value {
        Json::Array(_) => json!({"__value__": value}),
        other => other,
    }
}

/// The widgets that texts may name.
#[derive(Debug)]
struct Texts<'a> {
    resolver: &'a Resolver<'a>,
    /// Nodes by the property for this purpose, with their scopes.
    by_property: HashMap<&'a str, (usize, &'a str)>,
    by_title: HashMap<&'a str, (usize, &'a str)>,
}

impl<'a> Texts<'a> {
    fn new(resolver: &'a Resolver<'a>) -> Self {
        let mut texts = Self {
            resolver,
            by_property: HashMap::new(),
            by_title: HashMap::new(),
        };
        for (scope, id) in &resolver.scopes.nodes {
            let Some((saved, prepared)) = resolver.node(*scope, id) else {
                continue;
            };
            let place = (*scope, id.as_str());
            let property = match (saved.properties.get(REPLACEMENT_NAME), &prepared.role) {
                (Some(name), _) => name.as_str(),
                // Nodes get it when they are made, unless they are of the classes that use it.
                (None, Role::Class(_)) if !SAVING_CLASSES.contains(&saved.class.as_str()) => {
                    Some(saved.class.as_str())
                }
                _ => None,
            };
            // The first of a name counts.
            if let Some(name) = property {
                texts.by_property.entry(name).or_insert(place);
            }
            texts.by_title.entry(&prepared.title).or_insert(place);
        }
        texts
    }
}

impl Named for Texts<'_> {
    fn widget(&self, node: &str, widget: &str) -> Option<String> {
        let found = self
            .by_property
            .get(node)
            .or_else(|| self.by_title.get(node));
        let (scope, id) = *found?;
        let (saved, prepared) = self.resolver.node(scope, id)?;
        if let Role::Primitive = prepared.role {
            return (widget == "value").then(|| saved.value(0).map(text::shown))?;
        }
        let own = prepared.widgets.get(widget)?;
        let slot = prepared
            .inputs
            .iter()
            .position(|input| input.name == widget);
        let given = slot.and_then(|slot| match self.resolver.input(scope, id, slot) {
            Ok(Resolved::Primitive(value, _)) => Some(value),
            Ok(Resolved::Promoted(value)) => value,
            _ => None,
        });
        let value = given.or_else(|| own.clone());
        Some(value.as_ref().map(text::shown).unwrap_or_default())
    }
}

fn unknown_classes(
    unknown: IndexMap<String, Vec<String>>,
    classes: &dyn NodeClasses,
) -> WorkflowError {
    let known = classes.names();
    let unknown = unknown.into_iter().map(|(name, nodes)| UnknownClass {
        near: near_names(&name, &known),
        name,
        nodes,
    });
    WorkflowError::UnknownClasses(unknown.collect())
}
