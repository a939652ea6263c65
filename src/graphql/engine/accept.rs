//! The checks of an operation before it runs: its document, the permissions of the request, and its cost.

use std::sync::Arc;

use async_graphql::parser::types::OperationType;
use serde_json::{Map, Value as Json};

use super::{
    cost::{CostReport, CostSettings, budget::Budget},
    documents::{Documents, Limits, Prepared},
    errors::{RequestError, code},
    reply::{Outcome, Reply},
};
use crate::rate_limit::Throttle;

/// A request of a client.
#[derive(Debug, Default)]
pub struct Operation {
    /// The document.
    pub query: String,
    /// The name of the operation to run; required if the document has several.
    pub operation_name: Option<String>,
    /// The values of the operation's variables.
    pub variables: Map<String, Json>,
}

/// The permissions of a request, which depend on its transport and caller.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Allows mutations; false for GET, which crawlers and prefetching browsers send at will.
    pub mutations: bool,
    /// Allows `__schema`, `__type` and `_service`.
    pub introspection: bool,
    /// The most that the operations of the request may cost together, in objects.
    pub cost: u64,
    /// The only root fields that may be selected, beside those of introspection; `None` for all.
    pub roots: Option<&'static [&'static str]>,
}

/// An operation that may run: a query or mutation once, a subscription for each event.
pub struct Accepted {
    pub(super) prepared: Prepared,
    /// The most that it can cost, in objects.
    cost: u64,
    /// The budget while it runs. The operations of a batch share one.
    pub(super) budget: Arc<Budget>,
    limit: u64,
    throttle: Option<Throttle>,
}

/// The checks before an operation runs.
pub(super) struct Checks {
    documents: Documents,
    costs: CostSettings,
}

impl Checks {
    /// Creates the checks for the schema that `sdl` describes.
    pub(super) fn new(sdl: &str, limits: &Limits) -> anyhow::Result<Checks> {
        Ok(Checks { documents: Documents::new(sdl, limits)?, costs: limits.costs.clone() })
    }

    /// Checks an operation; returns it if it may run, or the reply with its errors.
    pub(super) fn accept(&self, operation: Operation, terms: Terms) -> Result<Accepted, Box<Reply>> {
        let accepted = self.check(operation, terms)?;
        if accepted.cost > terms.cost {
            let error = too_expensive(accepted.cost, terms.cost, &accepted.prepared.costliest(), None);
            return Err(Box::new(accepted.with_name(Reply::rejected(vec![error]))));
        }
        Ok(accepted)
    }

    /// Checks the operations of a batch. If they cost too much together, none of them may run.
    pub(super) fn accept_batch(
        &self,
        operations: impl IntoIterator<Item = Result<Operation, Box<Reply>>>,
        terms: Terms,
    ) -> Vec<Result<Accepted, Box<Reply>>> {
        let checked = operations.into_iter().map(|operation| self.check(operation?, terms));
        let mut batch: Vec<Result<Accepted, Box<Reply>>> = checked.collect();
        let cost = batch.iter().flatten().map(|accepted| accepted.cost).fold(0, u64::saturating_add);
        if cost > terms.cost {
            let operations = batch.len();
            return batch
                .into_iter()
                .map(|checked| {
                    let accepted = checked?;
                    let costliest = accepted.prepared.costliest();
                    let error = too_expensive(cost, terms.cost, &costliest, Some(operations));
                    Err(Box::new(accepted.with_name(Reply::rejected(vec![error]))))
                })
                .collect();
        }
        let budget = Arc::new(self.budget(terms.cost));
        batch.iter_mut().flatten().for_each(|accepted| accepted.budget = Arc::clone(&budget));
        batch
    }

    /// Returns the errors of a document, whichever of its operations runs.
    pub(super) fn validate(&self, text: &str) -> Result<(), Vec<RequestError>> {
        self.documents.validate(text)
    }

    fn check(&self, operation: Operation, terms: Terms) -> Result<Accepted, Box<Reply>> {
        let Operation { query, operation_name, variables } = operation;
        let prepared = self.documents.prepare(&query, operation_name.as_deref(), variables);
        let prepared = prepared.map_err(|errors| Box::new(Reply::rejected(errors)))?;
        let cost = prepared.cost();
        let (budget, limit) = (Arc::new(self.budget(terms.cost)), terms.cost);
        let accepted = Accepted { prepared, cost, budget, limit, throttle: None };
        match refusal(&accepted.prepared, terms) {
            Some((outcome, error)) => {
                let reply = Reply { outcome, ..Reply::rejected(vec![error]) };
                Err(Box::new(accepted.with_name(reply)))
            }
            None => Ok(accepted),
        }
    }

    /// Returns what an operation may use while it runs.
    pub(super) fn budget(&self, limit: u64) -> Budget {
        Budget::new(limit, self.costs.reply_bytes)
    }

    /// Returns the cost for a reply, with what was used so far, if it is to be shown.
    pub(super) fn report(&self, accepted: &Accepted) -> Option<CostReport> {
        let Accepted { cost, throttle, .. } = *accepted;
        self.costs.report.then(|| CostReport { requested: cost, actual: accepted.budget.rows(), throttle })
    }
}

impl Accepted {
    /// Returns true for a subscription, which runs until it is ended.
    pub fn is_subscription(&self) -> bool {
        self.prepared.operation_type() == OperationType::Subscription
    }

    /// Returns the most that the operation can cost, in objects; a subscription for each event.
    pub fn cost(&self) -> u64 {
        self.cost
    }

    /// Sets the state of the caller's rate limit, for the reply.
    pub fn set_throttle(&mut self, throttle: Option<Throttle>) {
        self.throttle = throttle;
    }

    /// Adds the name of the operation to a reply.
    pub fn with_name(&self, reply: Reply) -> Reply {
        Reply { operation_name: self.prepared.operation_name().map(str::to_owned), ..reply }
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit
    }
}

/// Creates the error for operations that can cost too much.
fn too_expensive(cost: u64, limit: u64, costliest: &str, batch: Option<usize>) -> RequestError {
    let (what, fewer) = match batch {
        None => ("This operation may".to_owned(), ""),
        Some(operations) => {
            (format!("The {operations} operations of this batch together may"), "send fewer operations at once, ")
        }
    };
    // At the end, because long names are cut off.
    let most = if costliest.is_empty() { String::new() } else { format!(" Most of it is `{costliest}`.") };
    let message = format!(
        "{what} cost {cost}, and the limit is {limit}. Lower `first` and `last`, pass fewer ids, {fewer}or select fewer \
         lists below lists.{most}"
    );
    RequestError::new(code::COST_LIMIT_EXCEEDED, message).with("cost", cost).with("limit", limit)
}

fn refusal(prepared: &Prepared, terms: Terms) -> Option<(Outcome, RequestError)> {
    match prepared.operation_type() {
        OperationType::Mutation if !terms.mutations => {
            let error = RequestError::new(code::BAD_REQUEST, "Mutations are accepted by POST only.");
            return Some((Outcome::MutationRefused, error));
        }
        _ => {}
    }
    let is_open = |field: &str| terms.roots.is_none_or(|roots| field.starts_with("__") || roots.contains(&field));
    if let Some(closed) = prepared.root_fields().find(|field| !is_open(field)) {
        let message = format!("This credential does not open `{closed}`: send a token or an API key.");
        return Some((Outcome::Rejected, RequestError::new(code::FORBIDDEN, message)));
    }
    let refused = prepared.asks_introspection() && !terms.introspection;
    refused.then(|| {
        let message = "Introspection is not open to this caller: sign in, or use the published schema.";
        (Outcome::Rejected, RequestError::new(code::FORBIDDEN, message))
    })
}
