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
use serde_json::{Map, Value as Json};

use super::{
    batches::BatchScheduler,
    documents::{Documents, Limits, Prepared},
    errors::{RequestError, code, internal, present_all},
    mutations::Mutations,
};
use crate::changes::{Change, Interest};
use crate::detached::Detached;

pub use super::reply::{Outcome, Reply};

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
    documents: Documents,
    run: Run,
    stream: Stream,
    sdl: String,
    time_limit: Duration,
    mutations: Mutations,
    errors_limit: usize,
}

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

/// An operation that may run: a query or mutation once, a subscription for each event.
pub struct Accepted(Prepared);

/// The permissions of a request, which depend on its transport and caller.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Allows mutations; false for GET, which crawlers and prefetching browsers send at will.
    pub mutations: bool,
    /// Allows `__schema`, `__type` and `_service`.
    pub introspection: bool,
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
        let sdl = sdl(&schema);
        let documents = Documents::new(&sdl, limits)?;
        let streamed = schema.clone();
        let run: Run = Box::new(move |request| {
            let schema = schema.clone();
            async move { schema.execute(request).await }.boxed()
        });
        let stream: Stream = Box::new(move |request| streamed.execute_stream(request));
        let mutations = Mutations::new(time_limit, Arc::default());
        Ok(Engine { documents, run, stream, sdl, time_limit, mutations, errors_limit: limits.errors })
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

    /// Runs one query or mutation. Always returns a reply: a panic or a time-out is an error in it.
    pub async fn execute(&self, operation: Operation, terms: Terms, attach: &Attach, request_id: &str) -> Reply {
        let accepted = match self.accept(operation, terms) {
            Ok(accepted) => accepted,
            Err(reply) => return *reply,
        };
        if accepted.is_subscription() {
            let message = "Subscriptions run over a WebSocket (graphql-transport-ws) or with `Accept: text/event-stream` or \
                 `multipart/mixed;subscriptionSpec=1.0`.";
            return accepted.with_name(Reply::rejected(vec![RequestError::new(code::BAD_REQUEST, message)]));
        }
        self.run(&accepted, attach, request_id).await
    }

    /// Checks a document against the schema and the limits on documents.
    pub fn check(&self, text: &str) -> Result<(), Vec<RequestError>> {
        self.documents.validate(text)
    }

    /// Checks an operation; returns it if it may run, or the reply with its errors.
    pub fn accept(&self, operation: Operation, terms: Terms) -> Result<Accepted, Box<Reply>> {
        let Operation { query, operation_name, variables } = operation;
        let prepared = self.documents.prepare(&query, operation_name.as_deref(), variables);
        let accepted = Accepted(prepared.map_err(|errors| Box::new(Reply::rejected(errors)))?);
        match refusal(&accepted.0, terms) {
            Some((outcome, error)) => {
                let reply = Reply { outcome, ..Reply::rejected(vec![error]) };
                Err(Box::new(accepted.with_name(reply)))
            }
            None => Ok(accepted),
        }
    }

    /// Runs an accepted query or mutation.
    pub async fn run(&self, accepted: &Accepted, attach: &Attach, request_id: &str) -> Reply {
        let request = attach(accepted.0.request());
        let scheduler = scheduler(&request);
        let running = drive(scheduler, (self.run)(request));
        let ran = match accepted.0.operation_type() {
            OperationType::Mutation => self.run_guarded(&accepted.0, self.mutations.run(running), request_id).await,
            _ => self.run_guarded(&accepted.0, running, request_id).await,
        };
        let reply = ran.map(|response| self.reply(&accepted.0, response, request_id)).unwrap_or_else(|failed| *failed);
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
        let request = attach(accepted.0.request()).data(trigger);
        let scheduler = scheduler(&request);
        let mut events = (self.stream)(request);
        let first = async move { events.next().await };
        let reply = match self.run_guarded(&accepted.0, drive(scheduler, first), request_id).await {
            Ok(response) => self.reply(&accepted.0, response?, request_id),
            Err(failed) => *failed,
        };
        Some(accepted.with_name(reply))
    }

    /// Runs a future within the time limit, and turns a panic into a reply.
    async fn run_guarded<T>(
        &self,
        prepared: &Prepared,
        running: impl Future<Output = T>,
        request_id: &str,
    ) -> Result<T, Box<Reply>> {
        let running = AssertUnwindSafe(running).catch_unwind();
        let failed = match tokio::time::timeout(self.time_limit(prepared), running).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(panic)) => {
                tracing::error!(request_id, cause = panic_message(&*panic), "resolver panicked");
                Reply::failed(Outcome::Crashed, internal(request_id))
            }
            Err(_) => Reply::failed(Outcome::TimedOut, self.timeout(prepared).into()),
        };
        Err(Box::new(failed))
    }

    fn reply(&self, prepared: &Prepared, mut response: Response, request_id: &str) -> Reply {
        let data = prepared.answer(&mut response);
        present_all(&mut response.errors, self.errors_limit, request_id);
        let Response { errors, extensions, .. } = response;
        Reply { outcome: Outcome::Executed, operation_name: None, data: Some(data), errors, extensions }
    }

    fn time_limit(&self, prepared: &Prepared) -> Duration {
        match prepared.operation_type() {
            OperationType::Mutation => self.mutations.time_limit,
            _ => self.time_limit,
        }
    }

    fn timeout(&self, prepared: &Prepared) -> RequestError {
        let advice = match prepared.operation_type() {
            OperationType::Mutation => {
                "It may have taken effect: send it again with the same idempotency key to get its result."
            }
            _ => "Request less at once, or try again.",
        };
        let seconds = self.time_limit(prepared).as_secs();
        RequestError::new(code::TIMEOUT, format!("The operation took longer than {seconds} s. {advice}"))
    }
}

impl Accepted {
    /// Returns true for a subscription, which runs until it is ended.
    pub fn is_subscription(&self) -> bool {
        self.0.operation_type() == OperationType::Subscription
    }

    fn with_name(&self, reply: Reply) -> Reply {
        Reply { operation_name: self.0.operation_name().map(str::to_owned), ..reply }
    }
}

fn scheduler(request: &Request) -> Option<Arc<BatchScheduler>> {
    request.data.get(&TypeId::of::<Arc<BatchScheduler>>())?.downcast_ref().cloned()
}

/// Runs an operation with the reads that its resolvers request, if it has a scheduler.
async fn drive<T>(scheduler: Option<Arc<BatchScheduler>>, operation: impl Future<Output = T>) -> T {
    match scheduler {
        Some(scheduler) => scheduler.drive(operation).await,
        None => operation.await,
    }
}

fn refusal(prepared: &Prepared, terms: Terms) -> Option<(Outcome, RequestError)> {
    match prepared.operation_type() {
        OperationType::Mutation if !terms.mutations => {
            let error = RequestError::new(code::BAD_REQUEST, "Mutations are accepted by POST only.");
            return Some((Outcome::MutationRefused, error));
        }
        _ => {}
    }
    let refused = prepared.asks_introspection() && !terms.introspection;
    refused.then(|| {
        let message = "Introspection is not open to this caller: sign in, or use the published schema.";
        (Outcome::Rejected, RequestError::new(code::FORBIDDEN, message))
    })
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    match panic.downcast_ref::<String>() {
        Some(message) => message,
        None => panic.downcast_ref::<&str>().copied().unwrap_or("a panic without a message"),
    }
}

/// Prints a schema in its definition language.
pub fn sdl<Q, M, S>(schema: &Schema<Q, M, S>) -> String
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    schema.sdl_with_options(SDLExportOptions::new().include_specified_by())
}
