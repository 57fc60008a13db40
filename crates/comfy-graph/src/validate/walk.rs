//! From an output node to everything it depends on.

use super::inputs::ClassInfo;
use super::{links, problem};
use crate::python::Exception;
use crate::{
    Catalog, Constants, InputSpec, Json, Link, NodeRegistry, Section, Services, SocketType,
};
use comfy_api::error::ErrorDetail;
use indexmap::IndexMap;
use serde_json::Map;
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// What was found about a node.
pub(super) struct Verdict<'a> {
    pub(super) valid: bool,
    /// Complaints about the node itself; a node can be invalid without any, because of the nodes it depends on.
    pub(super) errors: Vec<ErrorDetail>,
    /// The output node from which the walk came here first.
    pub(super) output: &'a str,
}

/// A widget value that was converted.
pub(super) struct Change {
    node: String,
    input: String,
    value: Json,
}

impl Change {
    /// Writes it into the prompt.
    pub(super) fn apply(self, prompt: &mut Json) {
        let inputs = prompt
            .get_mut(&self.node)
            .and_then(|node| node.get_mut("inputs"));
        if let Some(Json::Object(inputs)) = inputs {
            inputs.insert(self.input, self.value);
        }
    }
}

/// Everything that was found.
pub(super) struct Findings<'a> {
    /// In the order in which the walk left the nodes.
    pub(super) verdicts: IndexMap<&'a str, Verdict<'a>>,
    pub(super) changes: Vec<Change>,
    /// The nodes of the first dependency cycle.
    pub(super) cycle: Option<Vec<String>>,
}

pub(super) struct Walk<'a> {
    nodes: &'a Map<String, Json>,
    registry: &'a NodeRegistry,
    catalog: &'a dyn Catalog,
    services: &'a Services,
    classes: HashMap<&'a str, Rc<ClassInfo<'a>>>,
    findings: Findings<'a>,
}

/// A node whose inputs are being tested.
struct Visit<'a> {
    id: &'a str,
    class: Rc<ClassInfo<'a>>,
    inputs: Option<&'a Map<String, Json>>,
    /// The input to test next; while the walk is at a linked node, the one after the link.
    next: usize,
    valid: bool,
    errors: Vec<ErrorDetail>,
    /// Converted values of the inputs that the class checks by itself.
    checked: Map<String, Json>,
    /// What is linked to the inputs.
    linked_types: IndexMap<String, SocketType>,
    /// Whether a value for the check is missing or could not be converted.
    unfit_for_check: bool,
}

/// What to do after some inputs of a node.
enum Step<'a> {
    /// Test the node at the other end of a link first.
    Descend(&'a str),
    /// All inputs are tested.
    Done,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        nodes: &'a Map<String, Json>,
        registry: &'a NodeRegistry,
        catalog: &'a dyn Catalog,
        services: &'a Services,
    ) -> Self {
        Self {
            nodes,
            registry,
            catalog,
            services,
            classes: HashMap::new(),
            findings: Findings {
                verdicts: IndexMap::new(),
                changes: Vec::new(),
                cycle: None,
            },
        }
    }

    pub(super) fn finish(self) -> Findings<'a> {
        self.findings
    }

    /// Tests `output` and everything it depends on, but for what was tested before.
    pub(super) fn judge(&mut self, output: &'a str) {
        if self.findings.verdicts.contains_key(output) {
            return;
        }
        let mut open = HashSet::new();
        let mut path = match self.open(output) {
            Ok(visit) => vec![visit],
            Err(exception) => {
                self.conclude(
                    output,
                    false,
                    vec![problem::exception(output, &exception)],
                    output,
                );
                return;
            }
        };
        open.insert(output);
        while let Some(visit) = path.last_mut() {
            match self.test_inputs(visit) {
                Ok(Step::Descend(id)) if open.contains(id) => {
                    visit.valid = false;
                    self.note_cycle(&path, id);
                }
                Ok(Step::Descend(id)) => match self.open(id) {
                    Ok(next) => {
                        open.insert(id);
                        path.push(next);
                    }
                    Err(exception) => {
                        visit.valid = false;
                        let error = at_inner_node(visit, id, &exception);
                        self.conclude(id, false, vec![error], output);
                    }
                },
                Ok(Step::Done) => {
                    let Some(visit) = path.pop() else { break };
                    open.remove(visit.id);
                    let valid = visit.valid && visit.errors.is_empty();
                    self.conclude(visit.id, valid, visit.errors, output);
                    if let Some(parent) = path.last_mut() {
                        parent.valid &= valid;
                    }
                }
                Err(exception) => {
                    let Some(visit) = path.pop() else { break };
                    open.remove(visit.id);
                    let error = match path.last_mut() {
                        Some(parent) => {
                            parent.valid = false;
                            at_inner_node(parent, visit.id, &exception)
                        }
                        None => problem::exception(visit.id, &exception),
                    };
                    self.conclude(visit.id, false, vec![error], output);
                }
            }
        }
    }

    fn conclude(&mut self, id: &'a str, valid: bool, errors: Vec<ErrorDetail>, output: &'a str) {
        let verdict = Verdict {
            valid,
            errors,
            output,
        };
        self.findings.verdicts.insert(id, verdict);
    }

    fn open(&mut self, id: &'a str) -> Result<Visit<'a>, Exception> {
        let node = self.node(id)?;
        let class = self.class_of(node)?;
        let inputs = match node.get("inputs") {
            Some(Json::Object(inputs)) => Some(inputs),
            Some(Json::Array(_) | Json::String(_)) => None,
            Some(other) => {
                let kind = crate::python::type_name(other);
                return Err(Exception::new(
                    "TypeError",
                    format!("argument of type '{kind}' is not iterable"),
                ));
            }
            None => return Err(Exception::key(&Json::from("inputs"))),
        };
        Ok(Visit {
            id,
            class,
            inputs,
            next: 0,
            valid: true,
            errors: Vec::new(),
            checked: Map::new(),
            linked_types: IndexMap::new(),
            unfit_for_check: false,
        })
    }

    fn node(&self, id: &str) -> Result<&'a Json, Exception> {
        self.nodes
            .get(id)
            .ok_or_else(|| Exception::key(&Json::from(id)))
    }

    fn class_of(&mut self, node: &'a Json) -> Result<Rc<ClassInfo<'a>>, Exception> {
        let name = node
            .get("class_type")
            .and_then(Json::as_str)
            .ok_or_else(|| Exception::key(&Json::from("class_type")))?;
        if let Some(info) = self.classes.get(name) {
            return Ok(Rc::clone(info));
        }
        let class = self
            .registry
            .get(name)
            .ok_or_else(|| Exception::key(&Json::from(name)))?;
        let info = Rc::new(ClassInfo::new(class, self.catalog));
        self.classes.insert(name, Rc::clone(&info));
        Ok(info)
    }

    /// Tests inputs until a linked node has to be tested first or there are no more.
    fn test_inputs(&mut self, visit: &mut Visit<'a>) -> Result<Step<'a>, Exception> {
        let class = Rc::clone(&visit.class);
        while let Some(input) = class.input(visit.next) {
            visit.next += 1;
            if !class.is_given_by_prompt(visit.next - 1) {
                continue;
            }
            let checks = class.checks(&input.name);
            match visit.inputs.and_then(|inputs| inputs.get(&input.name)) {
                None if input.section == Section::Required => {
                    visit.errors.push(problem::missing(input));
                    visit.unfit_for_check |= checks;
                }
                None => {}
                Some(Json::Array(link)) => {
                    if let Some(id) = self.test_link(visit, input, link)? {
                        return Ok(Step::Descend(id));
                    }
                }
                Some(value) => match class.test_value(visit.next - 1, input, value)? {
                    Ok(converted) => {
                        if checks {
                            visit.checked.insert(input.name.clone(), converted.clone());
                        }
                        if converted != *value {
                            self.findings.changes.push(Change {
                                node: visit.id.to_owned(),
                                input: input.name.clone(),
                                value: converted,
                            });
                        }
                    }
                    Err(error) => {
                        visit.errors.push(error);
                        visit.unfit_for_check |= checks;
                    }
                },
            }
        }
        self.check(visit)?;
        Ok(Step::Done)
    }

    /// Tests a link; the id of the node to test next, if that is not yet done.
    fn test_link(
        &mut self,
        visit: &mut Visit<'a>,
        input: &InputSpec,
        link: &'a [Json],
    ) -> Result<Option<&'a str>, Exception> {
        let value = || Json::from(link);
        let [id, slot] = link else {
            visit.errors.push(problem::bad_link(input, &value()));
            return Ok(None);
        };
        let (id, node) = links::linked_node(self.nodes, id)?;
        let source = self.class_of(node)?;
        let output = links::linked_output(&source.schema.outputs, slot)?;
        if visit.class.class.has_check() {
            let linked = output.socket.clone();
            visit.linked_types.insert(input.name.clone(), linked);
        }
        let is_judged = visit.class.class.checks_types();
        if !is_judged && !links::fits(&output.socket, &input.socket) {
            let error = problem::type_mismatch(input, &source.schema.id, output, &value());
            visit.errors.push(error);
            return Ok(None);
        }
        match self.findings.verdicts.get(id) {
            Some(verdict) => {
                visit.valid &= verdict.valid;
                Ok(None)
            }
            None => Ok(Some(id)),
        }
    }

    /// Lets the class test the inputs it names. A panic of its code fails the node and nothing else.
    fn check(&self, visit: &mut Visit<'a>) -> Result<(), Exception> {
        let ClassInfo { class, schema, .. } = &*visit.class;
        if !class.has_check() || visit.unfit_for_check {
            return Ok(());
        }
        let given = |name: &str| visit.inputs.is_some_and(|inputs| inputs.contains_key(name));
        let mut checked: Vec<&str> = (0..schema.inputs.len())
            .filter(|&index| visit.class.is_given_by_prompt(index))
            .map(|index| schema.inputs[index].name.as_str())
            .filter(|name| class.checks(name) && given(name))
            .collect();
        if class.checks_types() {
            checked.push("input_types");
        }
        if checked.is_empty() {
            return Ok(());
        }
        let constants = Constants::new(&visit.checked).with_linked_types(&visit.linked_types);
        let check = || class.check(&constants, self.services);
        let verdict = catch_unwind(AssertUnwindSafe(check))
            .map_err(|_| Exception::new("RuntimeError", "the check of this node class panicked"))?;
        if let Err(reason) = verdict {
            let failed = checked
                .into_iter()
                .map(|name| problem::failed_check(name, &reason));
            visit.errors.extend(failed);
        }
        Ok(())
    }

    fn note_cycle(&mut self, path: &[Visit<'a>], id: &str) {
        if self.findings.cycle.is_none() {
            let cycle = path.iter().skip_while(|visit| visit.id != id);
            self.findings.cycle = Some(cycle.map(|visit| visit.id.to_owned()).collect());
        }
    }
}

/// The complaint about a node that could not be tested, found along the link that `visit` tests at the moment.
fn at_inner_node(visit: &Visit<'_>, id: &str, exception: &Exception) -> ErrorDetail {
    let input = visit
        .next
        .checked_sub(1)
        .and_then(|at| visit.class.input(at));
    let Some(input) = input else {
        return problem::exception(id, exception);
    };
    let link = visit.inputs.and_then(|inputs| inputs.get(&input.name));
    problem::inner_exception(input, link.unwrap_or(&Json::Null), id, exception)
}

impl<'a> Findings<'a> {
    /// The invalid nodes to which a node is linked.
    pub(super) fn invalid_sources(&self, node: &'a Json) -> impl Iterator<Item = &'a str> {
        let inputs = node.get("inputs").and_then(Json::as_object);
        let links = inputs.into_iter().flat_map(|inputs| inputs.values());
        links
            .filter_map(|value| Some(Link::read(value)?.node))
            .filter(|id| self.verdicts.get(id).is_some_and(|verdict| !verdict.valid))
    }
}
