//! The execution of one operation, from its text to its reply: the only way into the schema, for every transport.

use std::{
    any::TypeId,
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_graphql::{
    ObjectType, Request, Response, SDLExportOptions, Schema, SubscriptionType, parser::types::OperationType,
};
use futures_util::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::BoxStream};

use super::{
    accept::Checks,
    admission::{Admission, Permit},
    batches::BatchScheduler,
    cost::{
        budget::{Budget, Overrun},
        directives::{CostRules, annotate},
    },
    documents::{Limits, Prepared},
    errors::{RequestError, code, internal, present_all},
    mutations::Mutations,
    stopped::{busy, over_budget, timed_out},
};
use crate::changes::{Change, Interest};
use crate::detached::Detached;

pub use super::{
    accept::{Accepted, Operation, Terms},
    reply::{Outcome, Reply},
};

/// Adds the data that resolvers look up to a request, such as the caller and fresh loaders; called once per operation.
pub type Attach = Box<dyn Fn(Request) -> Request + Send + Sync>;

type Run = Box<dyn Fn(Request) -> BoxFuture<'static, Response> + Send + Sync>;
type Stream = Box<dyn Fn(Request) -> BoxStream<'static, Response> + Send + Sync>;

/// The reason why a subscription is executed.
pub enum SubscriptionTrigger {
    /// It is being opened; the resolver stores the changes that it watches here.
    Opening(Arc<OnceLock<Interest>>),
    /// A change happened that it may report.
    Event(Change),
}

/// The schema, with the checks and limits in front of it.
pub struct Engine {
    checks: Checks,
    admission: Admission,
    run: Run,
    stream: Stream,
    sdl: String,
    time_limit: Duration,
    mutations: Mutations,
    errors_limit: usize,
}

impl Engine {
    /// Creates an engine for `schema`, which must be built with `ValidationMode::Fast` and
    /// `limit_recursive_depth(usize::MAX)`: its own checks come too late and would refuse documents that the limits
    /// here allow.
    pub fn new<Q, M, S>(schema: Schema<Q, M, S>, limits: &Limits, time_limit: Duration) -> anyhow::Result<Self>
    where
        Q: ObjectType + 'static,
        M: ObjectType + 'static,
        S: SubscriptionType + 'static,
    {
        let sdl = sdl(&schema, &limits.costs.rules)?;
        let checks = Checks::new(&sdl, limits)?;
        let streamed = schema.clone();
        let run: Run = Box::new(move |request| {
            let schema = schema.clone();
            async move { schema.execute(request).await }.boxed()
        });
        let stream: Stream = Box::new(move |request| streamed.execute_stream(request));
        let admission = Admission::new(limits.costs.running);
        let mutations = Mutations::new(time_limit, Arc::default());
        Ok(Engine { checks, admission, run, stream, sdl, time_limit, mutations, errors_limit: limits.errors })
    }

    /// Publishes another schema than the one that is executed, which has roots that clients do not use.
    pub fn publishing(self, sdl: String) -> Self {
        Engine { sdl, ..self }
    }

    /// Returns the published schema in its definition language.
    pub fn sdl(&self) -> &str {
        &self.sdl
    }

    /// Runs mutations as part of `detached`, with a time limit of their own for the wait.
    pub fn with_mutations(self, time_limit: Duration, detached: &Arc<Detached>) -> Self {
        Engine { mutations: Mutations::new(time_limit, Arc::clone(detached)), ..self }
    }

    /// Checks a document against the schema and the limits on documents.
    pub fn check(&self, text: &str) -> Result<(), Vec<RequestError>> {
        self.checks.validate(text)
    }

    /// Checks an operation; returns it if it may run, or the reply with its errors.
    pub fn accept(&self, operation: Operation, terms: Terms) -> Result<Accepted, Box<Reply>> {
        self.checks.accept(operation, terms)
    }

    /// Checks the operations of a batch. If they cost too much together, none of them may run.
    pub fn accept_batch(
        &self,
        operations: impl IntoIterator<Item = Result<Operation, Box<Reply>>>,
        terms: Terms,
    ) -> Vec<Result<Accepted, Box<Reply>>> {
        self.checks.accept_batch(operations, terms)
    }

    /// Runs an accepted query or mutation; refuses a subscription. Always returns a reply: a panic or a time-out is an
    /// error in it.
    pub async fn execute(&self, accepted: &Accepted, attach: &Attach, request_id: &str) -> Reply {
        if accepted.is_subscription() {
            let message = "Subscriptions run over a WebSocket (graphql-transport-ws) or with `Accept: text/event-stream` or \
                 `multipart/mixed;subscriptionSpec=1.0`.";
            return accepted.with_name(Reply::rejected(vec![RequestError::new(code::BAD_REQUEST, message)]));
        }
        self.run(accepted, attach, request_id).await
    }

    /// Runs an accepted query or mutation.
    pub async fn run(&self, accepted: &Accepted, attach: &Attach, request_id: &str) -> Reply {
        let request = attach(accepted.prepared.request());
        let running = drive(scheduler(&request, &accepted.budget), (self.run)(request));
        let introspection = accepted.prepared.asks_introspection();
        let ran = match accepted.prepared.operation_type() {
            OperationType::Mutation => self.run_guarded(accepted, self.mutations.run(running), request_id).await,
            _ if introspection => self.run_guarded(accepted, on_own_thread(running), request_id).await,
            _ => self.run_guarded(accepted, running, request_id).await,
        };
        let reply = match ran {
            Ok((response, permit)) => {
                let reply = self.reply(accepted, response, permit, request_id);
                if introspection { on_own_thread(async { reply.encode_data() }).await } else { reply }
            }
            Err(failed) => *failed,
        };
        accepted.with_name(reply)
    }

    /// Opens an accepted subscription; returns the changes that it watches, or the reply with its errors.
    pub async fn open(&self, accepted: &Accepted, attach: &Attach, request_id: &str) -> Result<Interest, Box<Reply>> {
        let found = Arc::new(OnceLock::new());
        let refused = self.event(accepted, SubscriptionTrigger::Opening(Arc::clone(&found)), attach, request_id).await;
        match (found.get(), refused) {
            (Some(interest), None) => Ok(*interest),
            (_, Some(reply)) if reply.outcome == Outcome::Executed => {
                Err(Box::new(Reply { outcome: Outcome::Rejected, data: None, ..reply }))
            }
            (_, Some(reply)) => Err(Box::new(reply)),
            (None, None) => Err(Box::new(Reply::failed(Outcome::Crashed, internal(request_id)))),
        }
    }

    /// Executes a subscription for a change; returns `None` if it has nothing to report or the caller may not see it.
    pub async fn tell(&self, accepted: &Accepted, change: Change, attach: &Attach, request_id: &str) -> Option<Reply> {
        self.event(accepted, SubscriptionTrigger::Event(change), attach, request_id).await
    }

    /// Returns the first response of a subscription's stream: its resolvers yield at most one item per trigger.
    async fn event(
        &self,
        accepted: &Accepted,
        trigger: SubscriptionTrigger,
        attach: &Attach,
        request_id: &str,
    ) -> Option<Reply> {
        let request = attach(accepted.prepared.request()).data(trigger);
        // Each event may use as much as a query.
        let scheduler = scheduler(&request, &Arc::new(self.checks.budget(accepted.limit())));
        let mut events = (self.stream)(request);
        let first = async move { events.next().await };
        let reply = match self.run_guarded(accepted, drive(scheduler, first), request_id).await {
            Ok((response, permit)) => self.reply(accepted, response?, permit, request_id),
            Err(failed) => *failed,
        };
        Some(accepted.with_name(reply))
    }

    /// Waits until the operation may start, and runs it within the time limit and its budget. Turns a panic into a reply.
    async fn run_guarded<T>(
        &self,
        accepted: &Accepted,
        running: impl Future<Output = Result<T, Overrun>>,
        request_id: &str,
    ) -> Result<(T, Option<Permit>), Box<Reply>> {
        let (operation, time_limit) = (accepted.prepared.operation_type(), self.time_limit(&accepted.prepared));
        let Ok(permit) = self.admission.enter(accepted.cost(), time_limit).await else {
            return Err(Box::new(Reply::failed(Outcome::Busy, busy().into())));
        };
        let running = AssertUnwindSafe(running).catch_unwind();
        let failed = match tokio::time::timeout(time_limit, running).await {
            Ok(Ok(Ok(answer))) => return Ok((answer, permit)),
            Ok(Ok(Err(overrun))) => {
                let cost = self.checks.report(accepted);
                Reply { cost, ..Reply::failed(Outcome::OverBudget, over_budget(overrun, operation).into()) }
            }
            Ok(Err(panic)) => {
                tracing::error!(request_id, cause = panic_message(&*panic), "resolver panicked");
                Reply::failed(Outcome::Crashed, internal(request_id))
            }
            Err(_) => Reply::failed(Outcome::TimedOut, timed_out(time_limit, operation).into()),
        };
        Err(Box::new(failed))
    }

    fn reply(&self, accepted: &Accepted, mut response: Response, permit: Option<Permit>, request_id: &str) -> Reply {
        let data = accepted.prepared.answer(&mut response);
        present_all(&mut response.errors, self.errors_limit, request_id);
        let Response { errors, extensions, .. } = response;
        let cost = self.checks.report(accepted);
        let outcome = Outcome::Executed;
        Reply { outcome, operation_name: None, data: Some(data), errors, extensions, cost, _permit: permit }
    }

    fn time_limit(&self, prepared: &Prepared) -> Duration {
        match prepared.operation_type() {
            OperationType::Mutation => self.mutations.time_limit,
            _ => self.time_limit,
        }
    }
}

/// Returns the scheduler of a request, if it has one, limited by `budget`.
fn scheduler(request: &Request, budget: &Arc<Budget>) -> Option<Arc<BatchScheduler>> {
    let scheduler = request.data.get(&TypeId::of::<Arc<BatchScheduler>>())?.downcast_ref::<Arc<BatchScheduler>>()?;
    scheduler.limit(Arc::clone(budget));
    Some(Arc::clone(scheduler))
}

/// Runs an operation with the reads that its resolvers request, if it has a scheduler.
async fn drive<T>(scheduler: Option<Arc<BatchScheduler>>, operation: impl Future<Output = T>) -> Result<T, Overrun> {
    match scheduler {
        Some(scheduler) => scheduler.drive(operation).await,
        None => Ok(operation.await),
    }
}

/// Runs an operation on a thread of its own, for the introspection system: it resolves everything in one turn, and its
/// reply is long.
async fn on_own_thread<T: Send + 'static>(operation: impl Future<Output = T> + Send + 'static) -> T {
    let runtime = tokio::runtime::Handle::current();
    match tokio::task::spawn_blocking(move || runtime.block_on(operation)).await {
        Ok(answer) => answer,
        // A panic goes on here. Only the end of the runtime cancels the task, and this one with it.
        Err(failed) => match failed.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => std::future::pending().await,
        },
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    match panic.downcast_ref::<String>() {
        Some(message) => message,
        None => panic.downcast_ref::<&str>().copied().unwrap_or("a panic without a message"),
    }
}

/// Prints a schema in its definition language, with the costs that follow from `rules`.
pub fn sdl<Q, M, S>(schema: &Schema<Q, M, S>, rules: &CostRules) -> anyhow::Result<String>
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    annotate(&schema.sdl_with_options(SDLExportOptions::new().include_specified_by()), rules)
}
