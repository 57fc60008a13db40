//! What an input gets in the end: links are followed through everything that does not run.

use super::bypass::input_for;
use super::document::{Document, End, Mode, Node, SavedValues};
use super::layout::Widget;
use super::prepare::{Prepared, PreparedNode, Role, Source};
use super::scope::Scopes;
use crate::Json;
use std::cell::Cell;

/// What an input gets.
#[derive(Debug)]
pub(super) enum Resolved {
    /// The output of a node that runs, by its full id.
    Output(String, usize),
    /// The value of a widget that a subgraph shows.
    Promoted(Option<Json>),
    /// The value of a primitive node, which takes the place of the widget's, and that node: its scope and id.
    Primitive(Json, (usize, String)),
    /// The output of a node that is not there.
    Missing,
    /// No more than without link.
    Nothing,
}

/// Places that links are followed through in a whole conversion.
const MAX_STEPS: usize = 2_000_000;
/// Widgets of a primitive node that have a say in its number.
const MAX_FED: usize = 100;
/// Widgets that an instance shows without a link.
const MAX_PROXIES: usize = 1000;

/// Why a link cannot be followed.
#[derive(Debug)]
pub(super) enum Stuck {
    /// It comes back to where it was.
    Loop,
    /// All links together are longer than this number of places.
    TooLong(usize),
}

/// Follows links.
#[derive(Debug)]
pub(super) struct Resolver<'a> {
    pub(super) document: &'a Document,
    pub(super) prepared: &'a Prepared,
    pub(super) scopes: &'a Scopes,
    /// How many inputs and outputs there are.
    places: usize,
    steps: Cell<usize>,
}

/// A place on the way.
#[derive(Debug, Clone)]
struct At {
    scope: usize,
    node: String,
    slot: usize,
    is_output: bool,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(document: &'a Document, prepared: &'a Prepared, scopes: &'a Scopes) -> Self {
        let mut resolver = Self {
            document,
            prepared,
            scopes,
            places: 0,
            steps: Cell::new(0),
        };
        let nodes = scopes.nodes.iter();
        let nodes = nodes.filter_map(|(scope, id)| resolver.node(*scope, id));
        resolver.places = nodes
            // Files may leave outputs out, and links name inputs and outputs.
            .map(|(_, node)| 2 * (node.inputs.len() + node.outputs.len() + 1))
            .sum();
        resolver
    }

    /// The node as it was saved, and as it was prepared.
    pub(super) fn node(&self, scope: usize, id: &str) -> Option<(&'a Node, &'a PreparedNode)> {
        let graph = self.scopes.get(scope).graph;
        let saved = self.document.graphs[graph].nodes.get(id)?;
        Some((saved, self.prepared.graphs[graph].get(id)?))
    }

    /// What the input at `slot` of a node gets.
    pub(super) fn input(&self, scope: usize, node: &str, slot: usize) -> Result<Resolved, Stuck> {
        // Whoever has been to more places than there are has been somewhere twice.
        let mut left = self.places;
        let mut at = At {
            scope,
            node: node.to_owned(),
            slot,
            is_output: false,
        };
        // The type that the consumer wants; without one, that of the input at hand.
        let mut wanted: Option<String> = None;
        loop {
            left = left.checked_sub(1).ok_or(Stuck::Loop)?;
            self.steps.set(self.steps.get() + 1);
            if self.steps.get() > MAX_STEPS {
                return Err(Stuck::TooLong(MAX_STEPS));
            }
            let step = if at.is_output {
                self.at_output(&at, &mut wanted)
            } else {
                self.at_input(&at, &mut wanted)
            };
            match step {
                Ok(next) => at = next,
                Err(end) => return Ok(end),
            }
        }
    }

    /// From an input to the output that it is linked to.
    fn at_input(&self, at: &At, wanted: &mut Option<String>) -> Result<At, Resolved> {
        let (_, node) = self.node(at.scope, &at.node).ok_or(Resolved::Nothing)?;
        let input = node.inputs.get(at.slot).ok_or(Resolved::Nothing)?;
        let scope = self.scopes.get(at.scope);
        let links = &self.document.graphs[scope.graph].links;
        let link = input.link.and_then(|id| links.get(&id));
        match &link.ok_or(Resolved::Nothing)?.origin {
            End::Node(node, slot) => {
                wanted.get_or_insert_with(|| input.kind.clone());
                Ok(At {
                    scope: at.scope,
                    node: node.clone(),
                    slot: *slot,
                    is_output: true,
                })
            }
            End::Border(slot) => {
                let (outer, instance) = scope.parent.as_ref().ok_or(Resolved::Nothing)?;
                *wanted = None;
                if !self.is_linked(*outer, instance, *slot) {
                    return Err(self.promoted_value(*outer, instance, *slot));
                }
                Ok(At {
                    scope: *outer,
                    node: instance.clone(),
                    slot: *slot,
                    is_output: false,
                })
            }
        }
    }

    /// From an output to what stands behind it.
    fn at_output(&self, at: &At, wanted: &mut Option<String>) -> Result<At, Resolved> {
        let (saved, node) = self.node(at.scope, &at.node).ok_or(Resolved::Nothing)?;
        let input = |slot| At {
            slot,
            is_output: false,
            ..at.clone()
        };
        if let Role::Primitive = node.role {
            let found = saved
                .value(0)
                .map(|value| Resolved::Primitive(value.clone(), (at.scope, at.node.clone())));
            return Err(found.unwrap_or(Resolved::Nothing));
        }
        if saved.mode == Mode::Bypassed {
            let kinds: Vec<&str> = node
                .inputs
                .iter()
                .map(|input| input.kind.as_str())
                .collect();
            let output = node.outputs.get(at.slot).map_or("*", String::as_str);
            let wanted = wanted.take().unwrap_or_default();
            let slot = input_for(&kinds, at.slot, output, &wanted);
            return slot.map(input).ok_or(Resolved::Nothing);
        }
        match node.role {
            Role::Reroute => Ok(input(0)),
            Role::Note | Role::Primitive => Err(Resolved::Nothing),
            Role::Instance(graph) => self.inside(at, graph),
            Role::Class(_) | Role::Unknown => {
                let scope = self.scopes.get(at.scope);
                if saved.mode == Mode::Muted || scope.hidden {
                    return Err(Resolved::Missing);
                }
                let id = format!("{}{}", scope.prefix, at.node);
                Err(Resolved::Output(id, at.slot))
            }
        }
    }

    /// From an output of an instance to the output inside that is linked to it.
    fn inside(&self, at: &At, graph: usize) -> Result<At, Resolved> {
        let scope = self.scopes.inside(at.scope, &at.node);
        let scope = scope.ok_or(Resolved::Nothing)?;
        let graph = &self.document.graphs[graph];
        let port = graph.outputs.get(at.slot).ok_or(Resolved::Nothing)?;
        let link = port.links.first().and_then(|id| graph.links.get(id));
        match link.ok_or(Resolved::Nothing)?.origin.clone() {
            End::Node(node, slot) => Ok(At {
                scope,
                node,
                slot,
                is_output: true,
            }),
            End::Border(slot) => Ok(At {
                slot,
                is_output: false,
                ..at.clone()
            }),
        }
    }

    /// The widgets that a primitive node is linked to, as far as they are in the same graph.
    pub(super) fn fed_by(&self, (scope, node): &(usize, String)) -> Vec<&'a Widget> {
        let graph = self.scopes.get(*scope).graph;
        let links = &self.document.graphs[graph].links;
        let fed = self.prepared.fed.get(&(graph, node.clone()));
        let fed = fed.into_iter().flatten().take(MAX_FED);
        let links = fed.filter_map(|id| Some((id, links.get(id)?)));
        let widgets = links.filter_map(|(id, link)| {
            let End::Node(target, _) = &link.target else {
                return None;
            };
            let target = self.prepared.graphs[graph].get(target)?;
            let input = target.inputs.iter().find(|input| input.link == Some(*id))?;
            match &target.role {
                Role::Class(layout) => layout.widget(&input.name),
                _ => None,
            }
        });
        widgets.collect()
    }

    fn is_linked(&self, scope: usize, node: &str, slot: usize) -> bool {
        let links = &self.document.graphs[self.scopes.get(scope).graph].links;
        self.node(scope, node)
            .and_then(|(_, node)| node.inputs.get(slot)?.link)
            .is_some_and(|link| links.contains_key(&link))
    }

    /// The value that an unlinked input of an instance has from the widget it shows.
    fn promoted_value(&self, scope: usize, instance: &str, slot: usize) -> Resolved {
        let Some((saved, node)) = self.node(scope, instance) else {
            return Resolved::Nothing;
        };
        // From the instance inwards until a value is found.
        let mut at = (scope, saved, node, slot, instance.to_owned());
        loop {
            let (scope, saved, node, slot, id) = at;
            let Some(input) = node.inputs.get(slot) else {
                return Resolved::Nothing;
            };
            if let Some(value) = self.overridden(scope, &id, &input.name) {
                return Resolved::Promoted(Some(value));
            }
            let Role::Instance(graph) = node.role else {
                let value = node.widgets.get(&input.name).cloned().flatten();
                return Resolved::Promoted(value);
            };
            let source = self.prepared.promoted[graph].get(slot);
            let Some(Some(source)) = source else {
                return Resolved::Nothing;
            };
            if let Some(value) = self.instance_value(saved, node, graph, slot, source) {
                return Resolved::Promoted(Some(value));
            }
            let inner = self.scopes.inside(scope, &id);
            let Some((inner, (saved, node))) =
                inner.and_then(|inner| Some((inner, self.node(inner, &source.node)?)))
            else {
                return Resolved::Nothing;
            };
            at = (inner, saved, node, source.input, source.node.clone());
        }
    }

    /// The value that an instance has of its own for an input.
    fn instance_value(
        &self,
        saved: &Node,
        node: &PreparedNode,
        graph: usize,
        slot: usize,
        source: &Source,
    ) -> Option<Json> {
        let name = &node.inputs[slot].name;
        match &saved.values {
            SavedValues::None => None,
            SavedValues::Named(values) => values.get(name).cloned(),
            SavedValues::List(values) => {
                let proxies = proxies(saved);
                if proxies.is_empty() {
                    let shown = &self.prepared.promoted[graph][..slot];
                    let place = shown.iter().filter(|source| source.is_some()).count();
                    return values.get(place).cloned();
                }
                let inner = self.prepared.graphs[graph].get(&source.node)?;
                let inner_name = &inner.inputs.get(source.input)?.name;
                let place = proxies.iter().position(|(id, widget)| {
                    (id == "-1" && widget == name) || (*id == source.node && widget == inner_name)
                })?;
                values.get(place).cloned()
            }
        }
    }

    /// The value that the instance around gives to a widget of a node inside.
    pub(super) fn overridden(&self, scope: usize, node: &str, widget: &str) -> Option<Json> {
        let (outer, instance) = self.scopes.get(scope).parent.as_ref()?;
        let (saved, _) = self.node(*outer, instance)?;
        let proxies = proxies(saved);
        let place = proxies
            .iter()
            .position(|(id, name)| id == node && name == widget)?;
        saved.value(place).cloned()
    }
}

/// The widgets inside that an instance shows without a link, by node id and name.
fn proxies(instance: &Node) -> Vec<(String, String)> {
    let listed = instance
        .properties
        .get("proxyWidgets")
        .and_then(Json::as_array);
    let read = |entry: &Json| {
        let id = super::document::id_text(entry.get(0)?)?;
        Some((id, entry.get(1)?.as_str()?.to_owned()))
    };
    // Entries that cannot be read keep their place.
    let entries = listed.into_iter().flatten().take(MAX_PROXIES);
    entries
        .map(|entry| read(entry).unwrap_or_default())
        .collect()
}
