//! Nodes with all their inputs and with named widget values.

use super::NodeClasses;
use super::document::{Document, End, Node, Port, SavedInput};
use super::layout::Layout;
use super::scope::MAX_DEPTH;
use super::values::widget_values;
use crate::Json;
use indexmap::IndexMap;
use std::collections::HashMap;
use std::rc::Rc;

/// Everything that the graphs of a file hold.
#[derive(Debug)]
pub(super) struct Prepared {
    /// The nodes of each graph.
    pub(super) graphs: Vec<IndexMap<String, PreparedNode>>,
    /// For each input of each subgraph, the widget inside that it shows, if any.
    pub(super) promoted: Vec<Vec<Option<Source>>>,
    /// The links from each primitive node, by its graph and id, in the order of their ids.
    pub(super) fed: IndexMap<(usize, String), Vec<i64>>,
}

/// An input of a node of a subgraph: its id and the place of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) node: String,
    pub(super) input: usize,
}

/// A node.
#[derive(Debug)]
pub(super) struct PreparedNode {
    pub(super) role: Role,
    pub(super) title: String,
    pub(super) inputs: Vec<Input>,
    /// The types of the outputs.
    pub(super) outputs: Vec<String>,
    /// Values of widgets by input name.
    pub(super) widgets: IndexMap<String, Option<Json>>,
}

/// What a node is for.
#[derive(Debug)]
pub(super) enum Role {
    /// It runs.
    Class(Rc<Layout>),
    /// It passes on what it gets.
    Reroute,
    /// It holds the value of the widgets that it is linked to.
    Primitive,
    /// It is for people only.
    Note,
    /// It stands for the nodes of a subgraph.
    Instance(usize),
    /// Nobody knows.
    Unknown,
}

/// An input of a node.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) link: Option<i64>,
    pub(super) is_widget: bool,
}

impl Prepared {
    pub(super) fn new(document: &Document, classes: &dyn NodeClasses) -> Self {
        let mut layouts: HashMap<&str, Option<Rc<Layout>>> = HashMap::new();
        let mut graphs = Vec::with_capacity(document.graphs.len());
        for graph in &document.graphs {
            let mut nodes = IndexMap::with_capacity(graph.nodes.len());
            for (id, node) in &graph.nodes {
                let find = || {
                    classes
                        .info(&node.class)
                        .map(|info| Rc::new(Layout::of(&info)))
                };
                let layout = || layouts.entry(&node.class).or_insert_with(find).clone();
                nodes.insert(id.clone(), PreparedNode::new(document, node, layout));
            }
            graphs.push(nodes);
        }
        let promoted = promoted_widgets(document, &graphs);
        let fed = links_of_primitives(document, &graphs);
        Self {
            graphs,
            promoted,
            fed,
        }
    }
}

impl PreparedNode {
    fn new(document: &Document, node: &Node, layout: impl FnOnce() -> Option<Rc<Layout>>) -> Self {
        let title = |fallback: &str| node.title.clone().unwrap_or_else(|| fallback.to_owned());
        let bare = |role| Self {
            role,
            title: title(&node.class),
            inputs: node.inputs.iter().map(Input::saved).collect(),
            outputs: node.outputs.clone(),
            widgets: IndexMap::new(),
        };
        if let Some(index) = document.subgraph_of(node) {
            let graph = &document.graphs[index];
            let input = |port: &Port| Input {
                name: port.name.clone(),
                kind: port.kind.clone(),
                link: saved_link(node, &port.name),
                is_widget: false,
            };
            return Self {
                title: title(&graph.name),
                inputs: graph.inputs.iter().map(input).collect(),
                outputs: graph.outputs.iter().map(|port| port.kind.clone()).collect(),
                ..bare(Role::Instance(index))
            };
        }
        match node.class.as_str() {
            "Reroute" => bare(Role::Reroute),
            "PrimitiveNode" => bare(Role::Primitive),
            "Note" | "MarkdownNote" => bare(Role::Note),
            _ => match layout() {
                None => bare(Role::Unknown),
                Some(layout) => Self {
                    title: title(&layout.title),
                    inputs: class_inputs(node, &layout),
                    outputs: layout.outputs.clone(),
                    widgets: class_widgets(node, &layout),
                    role: Role::Class(layout),
                },
            },
        }
    }
}

impl Input {
    fn saved(input: &SavedInput) -> Self {
        Self {
            name: input.name.clone(),
            kind: input.kind.clone(),
            link: input.link,
            is_widget: false,
        }
    }
}

fn saved_link(node: &Node, name: &str) -> Option<i64> {
    node.inputs.iter().find(|input| input.name == name)?.link
}

/// The inputs that the class has, then those that only the file has.
fn class_inputs(node: &Node, layout: &Layout) -> Vec<Input> {
    let own = layout.sockets.iter().map(|socket| Input {
        name: socket.name.clone(),
        kind: socket.kind.clone(),
        link: saved_link(node, &socket.name),
        is_widget: socket.is_widget,
    });
    let known = |name: &str| layout.sockets.iter().any(|socket| socket.name == name);
    let others = node.inputs.iter();
    let others = others.filter(|input| !known(&input.name) && !input.is_widget);
    own.chain(others.map(Input::saved)).collect()
}

fn class_widgets(node: &Node, layout: &Layout) -> IndexMap<String, Option<Json>> {
    let mut widgets = widget_values(node, layout);
    if matches!(node.class.as_str(), "KSampler" | "KSamplerAdvanced")
        && let Some(Some(Json::String(sampler))) = widgets.get_mut("sampler_name")
        && let Some(name) = sampler.strip_prefix("sample_")
    {
        // The first versions of ComfyUI named samplers so.
        *sampler = name.to_owned();
    }
    widgets
}

fn links_of_primitives(
    document: &Document,
    graphs: &[IndexMap<String, PreparedNode>],
) -> IndexMap<(usize, String), Vec<i64>> {
    let mut fed: IndexMap<(usize, String), Vec<i64>> = IndexMap::new();
    for (index, graph) in document.graphs.iter().enumerate() {
        for (id, link) in &graph.links {
            let End::Node(origin, _) = &link.origin else {
                continue;
            };
            let origin_node = graphs[index].get(origin);
            if origin_node.is_some_and(|node| matches!(node.role, Role::Primitive)) {
                fed.entry((index, origin.clone())).or_default().push(*id);
            }
        }
    }
    for links in fed.values_mut() {
        links.sort_unstable();
    }
    fed
}

/// Which widget each input of each subgraph shows: that of the first node inside that it is linked to and that has one.
fn promoted_widgets(
    document: &Document,
    graphs: &[IndexMap<String, PreparedNode>],
) -> Vec<Vec<Option<Source>>> {
    let mut promoted: Vec<Vec<Option<Source>>> = document
        .graphs
        .iter()
        .map(|graph| vec![None; graph.inputs.len()])
        .collect();
    // A subgraph inside shows widgets of its own: what is found there is used in the next round. Deeper ones are refused later.
    for _ in 0..=MAX_DEPTH {
        let mut changed = false;
        for (index, graph) in document.graphs.iter().enumerate() {
            for (slot, port) in graph.inputs.iter().enumerate() {
                if promoted[index][slot].is_some() {
                    continue;
                }
                let sources = port.links.iter().filter_map(|id| {
                    let End::Node(node, _) = &graph.links.get(id)?.target else {
                        return None;
                    };
                    let inputs = &graphs[index].get(node)?.inputs;
                    // The slot in the link may count inputs that the file leaves out.
                    let input = inputs.iter().position(|input| input.link == Some(*id))?;
                    Some(Source {
                        node: node.clone(),
                        input,
                    })
                });
                let shows_widget = |source: &Source| {
                    let node = &graphs[index][&source.node];
                    match node.role {
                        Role::Instance(inner) => promoted[inner][source.input].is_some(),
                        _ => node.inputs[source.input].is_widget,
                    }
                };
                let found = sources.into_iter().find(shows_widget);
                if found.is_some() {
                    promoted[index][slot] = found;
                    changed = true;
                }
            }
        }
        if !changed {
            break;
        }
    }
    promoted
}
