//! The node classes that a server offers.

use crate::{
    Catalog, Constants, EmptyCatalog, Inputs, Json, Node, NodeContext, NodeError, NodeSchema,
    Outputs, RegistryError, Services, Value,
};
use indexmap::IndexMap;
use std::any::type_name;
use std::collections::HashSet;
use std::fmt;

type SchemaFunction = Box<dyn Fn(&dyn Catalog) -> NodeSchema + Send + Sync>;
type RunFunction =
    Box<dyn Fn(&mut Inputs, &mut NodeContext<'_>) -> Result<Vec<Value>, NodeError> + Send + Sync>;
type FingerprintFunction =
    Box<dyn Fn(&Constants<'_>, &Services) -> Result<Json, NodeError> + Send + Sync>;
type CheckFunction = Box<dyn Fn(&Constants<'_>, &Services) -> Result<(), String> + Send + Sync>;

/// A node class, ready to run.
pub struct NodeClass {
    owner: String,
    template: NodeSchema,
    schema: SchemaFunction,
    run: RunFunction,
    fingerprint: Option<FingerprintFunction>,
    checks: Vec<String>,
    check: Option<CheckFunction>,
}

impl NodeClass {
    /// The class of a Rust type.
    pub fn of<N: Node>() -> Self {
        let schema = |catalog: &dyn Catalog| {
            let outputs = <N::Output as Outputs>::specs(catalog);
            N::schema(catalog).outputs(outputs).build()
        };
        let run = |inputs: &mut Inputs, context: &mut NodeContext<'_>| {
            let node = N::from_inputs(inputs)?;
            Ok(node.run(context)?.into_values())
        };
        let mut class = Self::new(type_name::<N>(), schema, run);
        if N::HAS_FINGERPRINT {
            class = class.with_fingerprint(N::fingerprint);
        }
        if !N::CHECKS.is_empty() {
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
        Self {
            owner: owner.into(),
            template: schema(&EmptyCatalog),
            schema: Box::new(schema),
            run: Box::new(run),
            fingerprint: None,
            checks: Vec::new(),
            check: None,
        }
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

    /// The inputs that [`check`](Self::check) looks at.
    pub fn checks(&self) -> &[String] {
        &self.checks
    }

    /// Tests the inputs of [`checks`](Self::checks).
    pub fn check(&self, constants: &Constants<'_>, services: &Services) -> Result<(), String> {
        match &self.check {
            Some(check) => check(constants, services),
            None => Ok(()),
        }
    }

    /// Runs the node; the values are in slot order.
    pub fn run(
        &self,
        inputs: &mut Inputs,
        context: &mut NodeContext<'_>,
    ) -> Result<Vec<Value>, NodeError> {
        (self.run)(inputs, context)
    }

    fn validate(&self) -> Result<(), RegistryError> {
        let id = || self.template.id.clone();
        let names = || self.template.inputs.iter().map(|input| &input.name);
        if self.template.id.is_empty() || names().any(String::is_empty) {
            return Err(RegistryError::Empty {
                id: id(),
                owner: self.owner.clone(),
            });
        }
        let mut seen = HashSet::new();
        if let Some(input) = names().find(|name| !seen.insert(name.as_str())) {
            return Err(RegistryError::DuplicateInput {
                id: id(),
                input: input.clone(),
            });
        }
        match self
            .checks
            .iter()
            .find(|name| !seen.contains(name.as_str()))
        {
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
