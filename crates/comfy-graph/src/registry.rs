//! The node classes that a server offers.

use crate::{
    Catalog, Constants, EmptyCatalog, Inputs, Json, Needs, Node, NodeContext, NodeError,
    NodeSchema, Outputs, RegistryError, Returns, Section, Services, Step, Value,
};
use indexmap::IndexMap;
use std::any::type_name;
use std::collections::HashSet;
use std::fmt;

type SchemaFunction = Box<dyn Fn(&dyn Catalog) -> NodeSchema + Send + Sync>;
type RunFunction =
    Box<dyn Fn(&mut Inputs, &mut NodeContext<'_>) -> Result<Step, NodeError> + Send + Sync>;
type NeedsFunction = Box<dyn Fn(&mut Inputs, &mut Needs) -> Result<(), NodeError> + Send + Sync>;
type FingerprintFunction =
    Box<dyn Fn(&Constants<'_>, &Services) -> Result<Json, NodeError> + Send + Sync>;
type CheckFunction = Box<dyn Fn(&Constants<'_>, &Services) -> Result<(), String> + Send + Sync>;

/// In the place of names of inputs to check: all of them.
const ALL_INPUTS: &str = "*";

fn is_visible(input: &crate::InputSpec) -> bool {
    input.section != Section::Undeclared
}

/// A node class, ready to run.
pub struct NodeClass {
    owner: String,
    template: NodeSchema,
    schema: SchemaFunction,
    run: RunFunction,
    is_async: bool,
    needs: Option<NeedsFunction>,
    fingerprint: Option<FingerprintFunction>,
    checks: Vec<String>,
    checks_types: bool,
    check: Option<CheckFunction>,
}

impl NodeClass {
    /// The class of a Rust type.
    pub fn of<N: Node>() -> Self {
        let schema = |catalog: &dyn Catalog| {
            let outputs = <<N::Output as Returns>::Outputs as Outputs>::specs(catalog);
            N::schema(catalog).outputs(outputs).build()
        };
        let run = |inputs: &mut Inputs, context: &mut NodeContext<'_>| {
            let node = N::from_inputs(inputs)?;
            Ok(node.run(context)?.into_step())
        };
        let mut class = Self::with_steps(type_name::<N>(), schema, run);
        class.is_async = <N::Output as Returns>::IS_ASYNC;
        class.checks_types = N::CHECKS_TYPES;
        if class.template.inputs.iter().any(crate::InputSpec::is_lazy) {
            class.needs = Some(Box::new(|inputs, needs| {
                N::from_inputs(inputs)?.needs(needs);
                Ok(())
            }));
        }
        if N::HAS_FINGERPRINT {
            class = class.with_fingerprint(N::fingerprint);
        }
        if !N::CHECKS.is_empty() || N::CHECKS_TYPES {
            class = class.with_check(N::CHECKS, N::check);
        }
        class
    }

    /// A class that is only known at run time; `owner` says in messages where it comes from.
    ///
    /// `run` returns as many values as the schema has outputs.
    pub fn new(
        owner: impl Into<String>,
        schema: impl Fn(&dyn Catalog) -> NodeSchema + Send + Sync + 'static,
        run: impl Fn(&mut Inputs, &mut NodeContext<'_>) -> Result<Vec<Value>, NodeError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self::with_steps(owner, schema, move |inputs, context| {
            run(inputs, context).map(Step::from)
        })
    }

    /// As [`new`](Self::new), for classes that also return lists, blockers, graphs or futures.
    pub fn with_steps(
        owner: impl Into<String>,
        schema: impl Fn(&dyn Catalog) -> NodeSchema + Send + Sync + 'static,
        run: impl Fn(&mut Inputs, &mut NodeContext<'_>) -> Result<Step, NodeError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self {
            owner: owner.into(),
            template: schema(&EmptyCatalog),
            schema: Box::new(schema),
            run: Box::new(run),
            is_async: false,
            needs: None,
            fingerprint: None,
            checks: Vec::new(),
            checks_types: false,
            check: None,
        }
    }

    /// With an answer to which lazy inputs a run will use, as [`Node::needs`].
    #[must_use]
    pub fn with_needs(
        mut self,
        needs: impl Fn(&mut Inputs, &mut Needs) -> Result<(), NodeError> + Send + Sync + 'static,
    ) -> Self {
        self.needs = Some(Box::new(needs));
        self
    }

    /// As [`Node::CHECKS_TYPES`].
    #[must_use]
    pub fn with_checked_types(mut self) -> Self {
        self.checks_types = true;
        self
    }

    /// With a fingerprint, as [`Node::fingerprint`].
    #[must_use]
    pub fn with_fingerprint(
        mut self,
        fingerprint: impl Fn(&Constants<'_>, &Services) -> Result<Json, NodeError>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.fingerprint = Some(Box::new(fingerprint));
        self
    }

    /// With a check of the inputs in `names`, as [`Node::check`].
    #[must_use]
    pub fn with_check(
        mut self,
        names: &[&str],
        check: impl Fn(&Constants<'_>, &Services) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.checks = names.iter().map(|&name| name.to_owned()).collect();
        self.check = Some(Box::new(check));
        self
    }

    /// The class name used in prompts.
    pub fn id(&self) -> &str {
        &self.template.id
    }

    /// The Rust type or whatever else declares the class.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The schema with the choices of this moment.
    pub fn schema(&self, catalog: &dyn Catalog) -> NodeSchema {
        (self.schema)(catalog)
    }

    /// The schema with empty lists of choices: names, types, sections and flags, at no cost.
    pub fn template(&self) -> &NodeSchema {
        &self.template
    }

    /// Whether running the node is a goal in itself.
    pub fn is_output_node(&self) -> bool {
        self.template.output_node
    }

    /// Whether results depend on the id of the node.
    pub fn is_bound_to_id(&self) -> bool {
        self.template.is_bound_to_id()
    }

    /// Whether the class has a fingerprint.
    pub fn has_fingerprint(&self) -> bool {
        self.fingerprint.is_some()
    }

    /// What a result depends on besides the inputs; `false` for classes without a fingerprint.
    pub fn fingerprint(
        &self,
        constants: &Constants<'_>,
        services: &Services,
    ) -> Result<Json, NodeError> {
        match &self.fingerprint {
            Some(fingerprint) => fingerprint(constants, services),
            None => Ok(Json::Bool(false)),
        }
    }

    /// Whether the class has a check.
    pub fn has_check(&self) -> bool {
        self.check.is_some()
    }

    /// Whether [`check`](Self::check) looks at this input.
    pub fn checks(&self, input: &str) -> bool {
        let mut names = self.checks.iter();
        names.any(|name| name == input || name == ALL_INPUTS)
    }

    /// Whether [`check`](Self::check) judges the types of links.
    pub fn checks_types(&self) -> bool {
        self.checks_types
    }

    /// Whether the node goes on beside others.
    pub fn is_async(&self) -> bool {
        self.is_async
    }

    /// Whether the class has lazy inputs to ask for.
    pub fn has_needs(&self) -> bool {
        self.needs.is_some()
    }

    /// Which lazy inputs the run with these inputs will use and does not have.
    pub fn needs(&self, inputs: &mut Inputs) -> Result<Needs, NodeError> {
        let mut needs = Needs::default();
        if let Some(ask) = &self.needs {
            ask(inputs, &mut needs)?;
        }
        Ok(needs)
    }

    /// Tests the inputs.
    pub fn check(&self, constants: &Constants<'_>, services: &Services) -> Result<(), String> {
        match &self.check {
            Some(check) => check(constants, services),
            None => Ok(()),
        }
    }

    /// Runs the node.
    pub fn run(
        &self,
        inputs: &mut Inputs,
        context: &mut NodeContext<'_>,
    ) -> Result<Step, NodeError> {
        (self.run)(inputs, context)
    }

    fn validate(&self) -> Result<(), RegistryError> {
        let id = || self.template.id.clone();
        let inputs = || self.template.inputs.iter();
        if self.template.id.is_empty() || inputs().any(|input| input.name.is_empty()) {
            return Err(RegistryError::Empty {
                id: id(),
                owner: self.owner.clone(),
            });
        }
        let mut seen = HashSet::new();
        let declared = |input: &crate::InputSpec| (input.section, input.name.clone());
        if let Some(input) = inputs().find(|input| !seen.insert(declared(input))) {
            return Err(RegistryError::DuplicateInput {
                id: id(),
                input: input.name.clone(),
            });
        }
        let is_unknown = |name: &&String| {
            *name != ALL_INPUTS && !inputs().any(|input| input.name == **name && is_visible(input))
        };
        match self.checks.iter().find(is_unknown) {
            Some(input) => Err(RegistryError::UnknownCheck {
                id: id(),
                input: input.clone(),
            }),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for NodeClass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("NodeClass")
            .field("owner", &self.owner)
            .field("template", &self.template)
            .finish_non_exhaustive()
    }
}

/// The node classes that a server offers, in the order of their registration.
#[derive(Debug, Default)]
pub struct NodeRegistry {
    classes: IndexMap<String, NodeClass>,
}

impl NodeRegistry {
    /// No class.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the class of a Rust type.
    pub fn register<N: Node>(&mut self) -> Result<&mut Self, RegistryError> {
        self.register_class(NodeClass::of::<N>())
    }

    /// Adds a class.
    pub fn register_class(&mut self, class: NodeClass) -> Result<&mut Self, RegistryError> {
        if let Some(first) = self.classes.get(class.id()) {
            return Err(RegistryError::Duplicate {
                id: class.id().to_owned(),
                first: first.owner.clone(),
                second: class.owner.clone(),
            });
        }
        class.validate()?;
        self.classes.insert(class.id().to_owned(), class);
        Ok(self)
    }

    /// The class called `id`.
    pub fn get(&self, id: &str) -> Option<&NodeClass> {
        self.classes.get(id)
    }

    /// All classes by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &NodeClass)> {
        self.classes.iter().map(|(id, class)| (id.as_str(), class))
    }

    /// How many classes there are.
    pub fn len(&self) -> usize {
        self.classes.len()
    }

    /// Whether there is no class.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }
}
