//! Executable documents from texts. apollo-compiler parses, validates and coerces, because async-graphql's own front
//! end accepts documents that the specification refuses, and executes a duplicated field twice. The merged result is
//! cached, so that a repeated query costs one look-up.
//!
//! The steps have one file each: count (`limits`), parse and validate (here), coerce variables (`variables`), merge
//! under the conditions (`collect` and `normalise` into a `plan`), add up the cost (`estimate`), insert the variables (`bind`) and shape the data
//! (`answer`).

mod answer;
mod bind;
mod collect;
mod diagnose;
mod estimate;
mod limits;
#[cfg(test)]
mod limits_tests;
mod normalise;
mod one_of;
mod plan;
mod position;
#[cfg(test)]
mod random_tests;
#[cfg(test)]
mod tests;
mod variables;

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use anyhow::Context as _;
use apollo_compiler::{
    ExecutableDocument, Name, Node, Schema, executable::Operation, parser::Parser, schema::Implementers,
    validation::Valid,
};
use async_graphql::{Request, Response, parser::types::OperationType};
use quick_cache::{Weighter, sync::Cache};
use serde_json::{Map, Value as Json};

pub use self::{answer::Answer, limits::Limits};
use self::{
    bind::Variables,
    diagnose::diagnosed,
    estimate::{Estimate, costliest},
    plan::Plan,
    position::position,
};
use crate::graphql::engine::{
    cost::{weights::Weights, whole},
    errors::{RequestError, code},
};

/// Plans kept per operation: one for each combination of its conditions that clients send.
const PLANS_PER_OPERATION: usize = 16;

/// The recently accepted documents, and the schema and limits to check new ones.
pub struct Documents {
    schema: Valid<Schema>,
    implementers: apollo_compiler::collections::HashMap<Name, Implementers>,
    weights: Weights,
    limits: Limits,
    cache: Cache<Box<str>, Arc<Document>, ByLength>,
}

/// A valid document.
struct Document {
    source: Valid<ExecutableDocument>,
    operations: HashMap<Option<String>, PreparedOperation>,
}

/// The values of an operation's condition variables; `None` for null, which is an error only if the value is used.
type Conditions = Vec<Option<bool>>;

struct PreparedOperation {
    source: Node<Operation>,
    /// The variables in `@skip` and `@include`.
    conditions: Vec<Name>,
    /// The plans so far, by the values of the conditions.
    plans: RwLock<Vec<(Conditions, Arc<Costed>)>>,
}

/// A plan and its cost.
struct Costed {
    plan: Arc<Plan>,
    estimate: Estimate,
}

#[derive(Clone)]
struct ByLength;

impl Weighter<Box<str>, Arc<Document>> for ByLength {
    fn weight(&self, text: &Box<str>, _: &Arc<Document>) -> u64 {
        u64::try_from(text.len()).unwrap_or(u64::MAX).max(1)
    }
}

/// An operation that can be executed once.
pub struct Prepared {
    plan: Arc<Plan>,
    variables: Variables,
    cost: u64,
}

impl Prepared {
    /// Returns the type of operation.
    pub fn operation_type(&self) -> OperationType {
        self.plan.operation
    }

    /// Returns the name that the document gives the operation.
    pub fn operation_name(&self) -> Option<&str> {
        self.plan.name.as_deref()
    }

    /// Returns true if the schema is selected.
    pub fn asks_introspection(&self) -> bool {
        self.plan.introspection
    }

    /// Returns the names of the root fields that are selected.
    pub fn root_fields(&self) -> impl Iterator<Item = &str> {
        self.plan.root.fields().map(|field| field.name.as_str())
    }

    /// Returns the most that the operation can cost, in objects.
    pub fn cost(&self) -> u64 {
        self.cost
    }

    /// Returns the path to the selection that costs the most.
    pub fn costliest(&self) -> String {
        costliest(&self.plan.root, &self.variables)
    }

    /// Returns the request for async-graphql. Its text and variables are empty, because the parsed document holds
    /// everything.
    pub fn request(&self) -> Request {
        let mut request = Request::new("");
        request.set_parsed_query(bind::bind(&self.plan, &self.variables));
        request
    }

    /// Builds the `data` of the reply from async-graphql's response to [`Prepared::request`].
    pub fn answer(&self, response: &mut Response) -> Answer {
        Answer::new(Arc::clone(&self.plan), std::mem::take(&mut response.data), &response.errors)
    }
}

impl Documents {
    /// Creates a front end for the schema that `sdl` describes, as async-graphql prints it.
    pub fn new(sdl: &str, limits: &Limits) -> anyhow::Result<Self> {
        let mut schema = Schema::parse(sdl, "schema.graphql").map_err(|error| anyhow::anyhow!("{error}"))?;
        one_of::add_introspection_field(&mut schema);
        let schema =
            schema.validate().map_err(|error| anyhow::anyhow!("{error}")).context("the schema is not valid")?;
        let implementers = schema.implementers_map();
        let weights = Weights::new(&schema);
        let cache = Cache::with_weighter(1_000, limits.cache_bytes, ByLength);
        Ok(Documents { schema, implementers, weights, limits: limits.clone(), cache })
    }

    /// Returns the requested operation after all checks, or its errors.
    pub fn prepare(
        &self,
        text: &str,
        operation_name: Option<&str>,
        variables: Map<String, Json>,
    ) -> Result<Prepared, Vec<RequestError>> {
        let prepared = self.document(text).and_then(|document| {
            let operation = document.operation(operation_name)?;
            let variables = variables::coerce(&self.schema, &document.source, &operation.source, variables)?;
            let costed = self.plan(&document, operation, &variables)?;
            let cost = whole(costed.estimate.evaluate(&variables));
            Ok(Prepared { plan: Arc::clone(&costed.plan), variables, cost })
        });
        prepared.map_err(|mut errors| {
            errors.truncate(self.limits.errors);
            errors
        })
    }

    /// Returns the errors of a document, whichever of its operations runs.
    pub fn validate(&self, text: &str) -> Result<(), Vec<RequestError>> {
        self.document(text).map(drop)
    }

    fn document(&self, text: &str) -> Result<Arc<Document>, Vec<RequestError>> {
        if let Some(document) = self.cache.get(text) {
            return Ok(document);
        }
        let document = Arc::new(self.check(text)?);
        if text.len() <= self.limits.cached_text_bytes {
            self.cache.insert(text.into(), Arc::clone(&document));
        }
        Ok(document)
    }

    fn check(&self, text: &str) -> Result<Document, Vec<RequestError>> {
        let tokens = limits::count_tokens(text, self.limits.tokens);
        if tokens > self.limits.tokens {
            let limit = self.limits.tokens;
            let message = format!("The document has more than {limit} tokens; the limit is {limit}.");
            return Err(vec![RequestError::new(code::PARSE, message)]);
        }
        let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
        let ast = (Parser::new().recursion_limit(self.limits.recursion))
            .parse_ast(text, "document.graphql")
            .map_err(|error| diagnosed(code::PARSE, &error.errors, self.limits.errors))?;
        self.limits.check(&ast)?;
        let source = ast
            .to_executable_validate(&self.schema)
            .map_err(|error| diagnosed(code::VALIDATION, &error.errors, self.limits.errors))?;
        one_of::check(&self.schema, &source)?;
        let mut operations = HashMap::new();
        for operation in source.operations.iter() {
            if operation.operation_type.is_query() {
                apollo_compiler::introspection::check_max_depth(&source, operation).map_err(|error| {
                    let error = RequestError::new(code::VALIDATION, error.message().to_string())
                        .at(position(error.location(), &source.sources));
                    vec![error]
                })?;
            }
            let prepared = PreparedOperation {
                source: operation.clone(),
                conditions: collect::condition_variables(&source, operation),
                plans: RwLock::default(),
            };
            operations.insert(operation.name.as_ref().map(Name::to_string), prepared);
        }
        Ok(Document { source, operations })
    }

    fn plan(
        &self,
        document: &Document,
        operation: &PreparedOperation,
        variables: &Variables,
    ) -> Result<Arc<Costed>, Vec<RequestError>> {
        let values: Conditions = (operation.conditions.iter())
            .map(|name| match variables.get(name.as_str()) {
                Some(async_graphql::Value::Boolean(value)) => Some(*value),
                _ => None,
            })
            .collect();
        let kept = operation.plans.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, costed)) = kept.iter().find(|(of, _)| *of == values) {
            return Ok(Arc::clone(costed));
        }
        drop(kept);
        let named = operation.conditions.iter().map(Name::as_str).zip(&values);
        let source = collect::Source {
            schema: &self.schema,
            implementers: &self.implementers,
            document: &document.source,
            conditions: &named.filter_map(|(name, value)| Some((name, (*value)?))).collect(),
            weights: &self.weights,
            selections_limit: self.limits.selections,
        };
        let plan = normalise::plan(&source, &operation.source).map_err(|error| vec![error])?;
        let estimate = Estimate::of(&plan.root);
        let costed = Arc::new(Costed { plan: Arc::new(plan), estimate });
        let mut kept = operation.plans.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < PLANS_PER_OPERATION {
            kept.push((values, Arc::clone(&costed)));
        }
        Ok(costed)
    }
}

impl Document {
    fn operation(&self, name: Option<&str>) -> Result<&PreparedOperation, Vec<RequestError>> {
        let found = match name {
            Some(name) => self.operations.get(&Some(name.to_owned())),
            None if self.operations.len() == 1 => self.operations.values().next(),
            None => None,
        };
        found.ok_or_else(|| {
            let message = match name {
                Some(name) => format!("The document has no operation named \"{name}\"."),
                None if self.operations.is_empty() => "The document has no operation.".to_owned(),
                None => "The document has several operations: name the one to run in `operationName`.".to_owned(),
            };
            vec![RequestError::new(code::VALIDATION, message)]
        })
    }
}
