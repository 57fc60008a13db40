//! Group nodes of old files, rewritten as subgraphs.
//!
//! A group node (`workflow>name`, before that `workflow/name`) stands for the nodes listed in `extra.groupNodes`. What it shows
//! follows from them: every widget, every input that no node of the group feeds, and every output that none of them takes.

use super::document::{Document, End, Graph, Link, Node, Port, SavedInput, SavedValues, check};
use super::layout::{Layout, Place};
use super::{NodeClasses, WorkflowError};
use crate::Json;
use indexmap::IndexMap;
use serde_json::Map;
use std::collections::HashMap;

/// Groups of a file.
const MAX_GROUPS: usize = 1000;
/// Nodes, or links between them, of a group.
const MAX_PARTS: usize = 2000;

/// Adds a subgraph for every group of the file.
pub(super) fn unfold(
    workflow: &Json,
    document: &mut Document,
    classes: &dyn NodeClasses,
) -> Result<(), WorkflowError> {
    let groups = workflow
        .pointer("/extra/groupNodes")
        .and_then(Json::as_object);
    check(
        "the workflow",
        "group nodes",
        groups.map_or(0, Map::len),
        MAX_GROUPS,
    )?;
    for (name, definition) in groups.into_iter().flatten() {
        let place = format!("group {name}");
        for key in ["nodes", "links", "external"] {
            check(&place, "parts", rows(definition, key).count(), MAX_PARTS)?;
        }
        let group = Group::read(name, definition, classes)?;
        let names = [format!("workflow>{name}"), format!("workflow/{name}")];
        for graph in &mut document.graphs {
            for node in graph.nodes.values_mut() {
                if names.contains(&node.class) {
                    node.class.clone_from(&names[0]);
                    group.name_values(node);
                }
            }
        }
        document.add_subgraph(names[0].clone(), group.graph);
    }
    Ok(())
}

/// A group while it is rewritten.
struct Group<'a> {
    definition: &'a Json,
    graph: Graph,
    /// What the places of an instance's values belong to: a port, or nothing that matters.
    places: Vec<Option<String>>,
    /// Values that a port has when the instance has none.
    defaults: Map<String, Json>,
    seen: Seen,
}

/// How often a name was given, by name.
type Seen = HashMap<String, usize>;

impl<'a> Group<'a> {
    fn read(
        name: &str,
        definition: &'a Json,
        classes: &dyn NodeClasses,
    ) -> Result<Self, WorkflowError> {
        let mut group = Self {
            definition,
            graph: Graph {
                name: name.to_owned(),
                is_group: true,
                ..Graph::default()
            },
            places: Vec::new(),
            defaults: Map::new(),
            seen: Seen::new(),
        };
        let nodes = definition.get("nodes").and_then(Json::as_array);
        for (index, json) in nodes.into_iter().flatten().enumerate() {
            let mut node = Node::read(json, &format!("{index} of group {name}"))?;
            for input in &mut node.inputs {
                // What is saved here belongs to the graph that the group was made from.
                input.link = None;
            }
            group.graph.nodes.insert(index.to_string(), node);
        }
        let layouts: IndexMap<String, Option<Layout>> = group
            .graph
            .nodes
            .iter()
            .map(|(id, node)| {
                (
                    id.clone(),
                    classes.info(&node.class).map(|info| Layout::of(&info)),
                )
            })
            .collect();
        group.add_links(&layouts);
        // Widgets that were made inputs come after all others.
        let mut converted = Vec::new();
        for (id, layout) in &layouts {
            group.show(id, layout.as_ref(), &mut converted);
        }
        for (id, widget, places) in converted {
            group.add_input(&id, &widget, true, places);
        }
        Ok(group)
    }

    /// The links between the nodes of the group.
    fn add_links(&mut self, layouts: &IndexMap<String, Option<Layout>>) {
        for link in rows(self.definition, "links") {
            let number = |place: usize| link.get(place).and_then(Json::as_u64);
            let (Some(origin), Some(origin_slot)) = (number(0), number(1)) else {
                continue;
            };
            let (Some(target), Some(target_slot)) = (number(2), number(3)) else {
                continue;
            };
            let (origin, target) = (origin.to_string(), target.to_string());
            if !self.graph.nodes.contains_key(&origin) {
                continue;
            }
            let id = self.next_link();
            let layout = layouts.get(&target).and_then(Option::as_ref);
            let Some(node) = self.graph.nodes.get_mut(&target) else {
                continue;
            };
            let slot = target_slot as usize;
            if node.inputs.len() <= slot
                && let Some(layout) = layout
            {
                let missing = layout.sockets.iter().skip(node.inputs.len());
                let missing: Vec<_> = missing
                    .map(|socket| saved_input(&socket.name, &socket.kind))
                    .collect();
                node.inputs.extend(missing);
            }
            if let Some(input) = node.inputs.get_mut(slot) {
                input.link = Some(id);
                let link = Link {
                    origin: End::Node(origin, origin_slot as usize),
                    target: End::Node(target, slot),
                };
                self.graph.links.insert(id, link);
            }
        }
    }

    /// Makes ports of what a node shows.
    fn show(
        &mut self,
        id: &str,
        layout: Option<&Layout>,
        converted: &mut Vec<(String, String, usize)>,
    ) {
        let node = &self.graph.nodes[id];
        match (node.class.as_str(), layout) {
            ("PrimitiveNode", _) => return self.show_primitive(id),
            ("Reroute", _) => return self.show_reroute(id),
            (_, Some(layout)) => {
                let is_converted = |name: &str| {
                    let input = node.inputs.iter().find(|input| input.name == name);
                    input.is_some_and(|input| input.is_widget)
                };
                let mut shown: Vec<(String, usize)> = Vec::new();
                for place in &layout.places {
                    match place {
                        Place::Input(widget) => shown.push((widget.name.clone(), 1)),
                        Place::Other => match shown.last_mut() {
                            Some((_, places)) => *places += 1,
                            None => shown.push((String::new(), 1)),
                        },
                    }
                }
                let (later, now): (Vec<_>, Vec<_>) =
                    shown.into_iter().partition(|(name, _)| is_converted(name));
                let sockets: Vec<String> = layout
                    .sockets
                    .iter()
                    .filter(|socket| !socket.is_widget)
                    .map(|socket| socket.name.clone())
                    .collect();
                for (name, places) in now {
                    self.add_input(id, &name, true, places);
                }
                for name in sockets {
                    self.add_input(id, &name, false, 0);
                }
                converted.extend(
                    later
                        .into_iter()
                        .map(|(name, places)| (id.to_owned(), name, places)),
                );
            }
            (_, None) => {}
        }
        let outputs = match layout {
            Some(layout) => layout.outputs.clone(),
            None => self.graph.nodes[id].outputs.clone(),
        };
        self.add_outputs(id, &outputs);
    }

    /// The value of a primitive node is a widget that goes to all that the primitive feeds.
    fn show_primitive(&mut self, id: &str) {
        let fed: Vec<i64> = self.links_from(id, 0);
        if fed.is_empty() {
            return;
        }
        let name = self.port_name(id, "value");
        let node = &self.graph.nodes[id];
        if let Some(value) = node.value(0) {
            self.defaults.insert(name.clone(), value.clone());
        }
        let controls = match &node.values {
            SavedValues::List(values) => values.len().saturating_sub(1),
            _ => 0,
        };
        self.places.push(Some(name.clone()));
        self.places.extend((0..controls).map(|_| None));
        let slot = self.graph.inputs.len();
        for link in &fed {
            if let Some(link) = self.graph.links.get_mut(link) {
                link.origin = End::Border(slot);
            }
        }
        self.graph.inputs.push(Port {
            name,
            kind: "*".to_owned(),
            links: fed,
        });
    }

    fn show_reroute(&mut self, id: &str) {
        let fed = self.links_from(id, 0);
        let is_linked = self.graph.nodes[id]
            .inputs
            .iter()
            .any(|input| input.link.is_some());
        if is_linked && !fed.is_empty() && !self.is_taken_outside(id, 0) {
            return;
        }
        let kind = fed
            .iter()
            .find_map(|link| match &self.graph.links.get(link)?.target {
                End::Node(node, slot) => {
                    Some(self.graph.nodes.get(node)?.inputs.get(*slot)?.kind.clone())
                }
                End::Border(_) => None,
            });
        let saved = || self.graph.nodes[id].outputs.first().cloned();
        let kind = kind.or_else(saved).unwrap_or_else(|| "*".to_owned());
        if !is_linked {
            let name = self.port_name(id, &kind);
            let node = &mut self.graph.nodes[id];
            if node.inputs.is_empty() {
                node.inputs.push(saved_input("", "*"));
            }
            self.connect(id, 0, name, kind.clone());
        }
        self.add_outputs(id, &[kind]);
    }

    /// Makes a port of an input that no node of the group feeds.
    fn add_input(&mut self, id: &str, input: &str, is_widget: bool, places: usize) {
        if input.is_empty() {
            // Buttons before the first widget.
            self.places.extend((0..places).map(|_| None));
            return;
        }
        let node = &self.graph.nodes[id];
        let found = node.inputs.iter().position(|saved| saved.name == input);
        if found.is_some_and(|slot| node.inputs[slot].link.is_some()) {
            return;
        }
        let name = self.port_name(id, input);
        if !is_widget && self.setting(id, "input", input, "visible") == Some(&Json::Bool(false)) {
            return;
        }
        let node = &mut self.graph.nodes[id];
        let slot = found.unwrap_or_else(|| {
            node.inputs.push(saved_input(input, "*"));
            node.inputs.len() - 1
        });
        let kind = node.inputs[slot].kind.clone();
        if is_widget {
            self.places.push(Some(name.clone()));
            self.places.extend((1..places).map(|_| None));
        }
        self.connect(id, slot, name, kind);
    }

    fn add_outputs(&mut self, id: &str, kinds: &[String]) {
        for (slot, kind) in kinds.iter().enumerate() {
            let is_used = !self.links_from(id, slot).is_empty();
            let hidden = is_used && !self.is_taken_outside(id, slot);
            let visible = self.setting(id, "output", &slot.to_string(), "visible");
            if !visible.and_then(Json::as_bool).unwrap_or(!hidden) {
                continue;
            }
            let link = self.next_link();
            let target = End::Border(self.graph.outputs.len());
            let origin = End::Node(id.to_owned(), slot);
            self.graph.links.insert(link, Link { origin, target });
            self.graph.outputs.push(Port {
                name: kind.clone(),
                kind: kind.clone(),
                links: vec![link],
            });
        }
    }

    fn connect(&mut self, id: &str, slot: usize, name: String, kind: String) {
        let link = self.next_link();
        let origin = End::Border(self.graph.inputs.len());
        let target = End::Node(id.to_owned(), slot);
        self.graph.links.insert(link, Link { origin, target });
        self.graph.nodes[id].inputs[slot].link = Some(link);
        self.graph.inputs.push(Port {
            name,
            kind,
            links: vec![link],
        });
    }

    /// The name of a port: that of the input, with the node's title in front if it was given before.
    fn port_name(&mut self, id: &str, input: &str) -> String {
        let node = &self.graph.nodes[id];
        let own = self
            .setting(id, "input", input, "name")
            .and_then(Json::as_str);
        let label = || {
            let saved = node.inputs.iter().find(|saved| saved.name == input);
            saved.and_then(|saved| saved.label.as_deref())
        };
        let mut name = own.or_else(label).unwrap_or(input).to_owned();
        let mut key = name.clone();
        let is_titled = node.class == "PrimitiveNode" && node.title.is_some();
        if is_titled || self.seen.contains_key(&name) {
            let title = node.title.as_ref().unwrap_or(&node.class);
            name = format!("{title} {input}");
            key.clone_from(&name);
            if let Some(times) = self.seen.get(&name) {
                name = format!("{title} {times} {input}");
            }
        }
        *self.seen.entry(key).or_insert(1) += 1;
        name
    }

    /// What the user set for an input or output of a node.
    fn setting(&self, id: &str, side: &str, slot: &str, key: &str) -> Option<&'a Json> {
        self.definition
            .get("config")?
            .get(id)?
            .get(side)?
            .get(slot)?
            .get(key)
    }

    fn links_from(&self, id: &str, slot: usize) -> Vec<i64> {
        let origin = End::Node(id.to_owned(), slot);
        let links = self.graph.links.iter();
        let inner =
            links.filter(|(_, link)| link.origin == origin && matches!(link.target, End::Node(..)));
        let mut ids: Vec<i64> = inner.map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }

    fn is_taken_outside(&self, id: &str, slot: usize) -> bool {
        rows(self.definition, "external").any(|row| {
            let number = |place: usize| row.get(place).and_then(Json::as_u64);
            number(0).is_some_and(|node| node.to_string() == id) && number(1) == Some(slot as u64)
        })
    }

    fn next_link(&self) -> i64 {
        self.graph.links.len() as i64
    }

    /// Gives the values of an instance the names of the ports.
    fn name_values(&self, instance: &mut Node) {
        let mut named = self.defaults.clone();
        for (place, name) in self.places.iter().enumerate() {
            if let (Some(name), Some(value)) = (name, instance.value(place)) {
                named.insert(name.clone(), value.clone());
            }
        }
        instance.values = SavedValues::Named(named);
    }
}

fn rows<'a>(definition: &'a Json, key: &str) -> impl Iterator<Item = &'a Json> {
    definition
        .get(key)
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
}

fn saved_input(name: &str, kind: &str) -> SavedInput {
    SavedInput {
        name: name.to_owned(),
        kind: kind.to_owned(),
        link: None,
        is_widget: false,
        label: None,
    }
}
