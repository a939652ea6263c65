//! One operation from its text to its reply: the only way into the schema, whatever the transport.

use std::{any::TypeId, collections::BTreeMap, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_graphql::{
    ObjectType, Request, Response, SDLExportOptions, Schema, ServerError, SubscriptionType, Value,
    parser::types::OperationType,
};
use futures_util::{FutureExt as _, future::BoxFuture};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value as Json};

use super::{
    document::{Answer, Documents, Limits, Prepared},
    error::{RequestError, code, internal, present_all, retry_after_seconds},
    loaders::Loaders,
};

/// Puts into a request what its resolvers look up, as the caller and fresh loaders; called once for each operation.
pub type Attach = Box<dyn Fn(Request) -> Request + Send + Sync>;

type Run = Box<dyn Fn(Request) -> BoxFuture<'static, Response> + Send + Sync>;

/// The schema with everything that stands between it and a client's text.
pub struct Engine {
    documents: Documents,
    run: Run,
    sdl: String,
    time_limit: Duration,
    errors_limit: usize,
}

/// What a client asks for.
#[derive(Debug, Default)]
pub struct Operation {
    /// The document.
    pub query: String,
    /// Which operation of the document; needed only where there are several.
    pub operation_name: Option<String>,
    /// Values for the variables that the operation declares.
    pub variables: Map<String, Json>,
}

/// What a request may do, by its transport and its caller.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Whether mutations may run; not over GET, which crawlers and prefetching browsers send at will.
    pub mutations: bool,
    /// Whether `__schema` and `__type` may be asked for.
    pub introspection: bool,
}

/// How far an operation came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It ran; there may be errors beside the data.
    Executed,
    /// Nothing ran: what was sent holds no operation.
    Malformed,
    /// Nothing ran: the document, the variables or the terms do not allow it.
    Rejected,
    /// Nothing ran: mutations are not accepted this way.
    MutationRefused,
    /// It was stopped at the time limit; what it wrote by then may stand.
    TimedOut,
    /// A resolver panicked; what was written by then may stand.
    Crashed,
}

/// The answer to one operation; serialises to the JSON that clients get.
#[derive(Debug)]
pub struct Reply {
    /// How far the operation came.
    pub outcome: Outcome,
    /// The name of the operation, for logs.
    pub operation_name: Option<String>,
    data: Option<Answer>,
    errors: Vec<ServerError>,
    extensions: BTreeMap<String, Value>,
}

impl Engine {
    /// Serves `schema`, which is to be built with `ValidationMode::Fast` and `limit_recursive_depth(usize::MAX)`: its
    /// own checks come too late and would refuse what the limits here allow.
    pub fn new<Q, M, S>(schema: Schema<Q, M, S>, limits: &Limits, time_limit: Duration) -> anyhow::Result<Self>
    where
        Q: ObjectType + 'static,
        M: ObjectType + 'static,
        S: SubscriptionType + 'static,
    {
        let sdl = sdl(&schema);
        let documents = Documents::new(&sdl, limits)?;
        let run: Run = Box::new(move |request| {
            let schema = schema.clone();
            async move { schema.execute(request).await }.boxed()
        });
        Ok(Engine { documents, run, sdl, time_limit, errors_limit: limits.errors })
    }

    /// The schema in its definition language.
    pub fn sdl(&self) -> &str {
        &self.sdl
    }

    /// Runs one operation. The reply is always there: a panic or a timeout is an error in it.
    pub async fn execute(&self, operation: Operation, terms: Terms, attach: &Attach, request_id: &str) -> Reply {
        let Operation { query, operation_name, variables } = operation;
        let prepared = match self.documents.prepare(&query, operation_name.as_deref(), variables) {
            Ok(prepared) => prepared,
            Err(errors) => return Reply::rejected(errors),
        };
        let mut reply = match refusal(&prepared, terms) {
            Some((outcome, error)) => Reply { outcome, ..Reply::rejected(vec![error]) },
            None => self.run(&prepared, attach, request_id).await,
        };
        reply.operation_name = prepared.operation_name().map(str::to_owned);
        reply
    }

    async fn run(&self, prepared: &Prepared, attach: &Attach, request_id: &str) -> Reply {
        let request = attach(prepared.request());
        let loaders = request.data.get(&TypeId::of::<Arc<Loaders>>()).and_then(|any| any.downcast_ref()).cloned();
        let running = AssertUnwindSafe(driven(loaders, (self.run)(request))).catch_unwind();
        match tokio::time::timeout(self.time_limit, running).await {
            Ok(Ok(mut response)) => {
                let data = prepared.answer(&mut response);
                present_all(&mut response.errors, self.errors_limit, request_id);
                let Response { errors, extensions, .. } = response;
                Reply { outcome: Outcome::Executed, operation_name: None, data: Some(data), errors, extensions }
            }
            Ok(Err(panic)) => {
                tracing::error!(request_id, cause = panic_message(&*panic), "resolver panicked");
                Reply::failed(Outcome::Crashed, internal(request_id))
            }
            Err(_) => Reply::failed(Outcome::TimedOut, self.timeout(prepared).into()),
        }
    }

    fn timeout(&self, prepared: &Prepared) -> RequestError {
        let advice = match prepared.operation_type() {
            OperationType::Mutation => {
                "it may have taken effect: send it again with the same idempotency key to learn its result"
            }
            _ => "ask for less at once, or try again",
        };
        let seconds = self.time_limit.as_secs();
        RequestError::new(code::TIMEOUT, format!("the operation took longer than {seconds} s; {advice}"))
    }
}

/// Runs an operation with its loaders, where it has any.
async fn driven<T>(loaders: Option<Arc<Loaders>>, operation: impl Future<Output = T>) -> T {
    match loaders {
        Some(loaders) => loaders.drive(operation).await,
        None => operation.await,
    }
}

impl Reply {
    /// A reply to an operation of which nothing ran.
    pub fn rejected(errors: Vec<RequestError>) -> Self {
        Reply {
            outcome: Outcome::Rejected,
            operation_name: None,
            data: None,
            errors: errors.into_iter().map(ServerError::from).collect(),
            extensions: BTreeMap::new(),
        }
    }

    /// A reply that consists of one error.
    pub fn failed(outcome: Outcome, error: ServerError) -> Self {
        Reply { outcome, errors: vec![error], ..Reply::rejected(Vec::new()) }
    }

    /// How many seconds to wait before asking again, where something was refused because it was asked too often.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        retry_after_seconds(&self.errors)
    }
}

impl Serialize for Reply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(data) = &self.data {
            map.serialize_entry("data", data)?;
        }
        if !self.errors.is_empty() {
            map.serialize_entry("errors", &self.errors)?;
        }
        if !self.extensions.is_empty() {
            map.serialize_entry("extensions", &self.extensions)?;
        }
        map.end()
    }
}

fn refusal(prepared: &Prepared, terms: Terms) -> Option<(Outcome, RequestError)> {
    match prepared.operation_type() {
        OperationType::Mutation if !terms.mutations => {
            let error = RequestError::new(code::BAD_REQUEST, "mutations are accepted by POST only");
            return Some((Outcome::MutationRefused, error));
        }
        OperationType::Subscription => {
            let message = "subscriptions are not served by this endpoint; send a query or a mutation";
            return Some((Outcome::Rejected, RequestError::new(code::BAD_REQUEST, message)));
        }
        _ => {}
    }
    let refused = prepared.asks_introspection() && !terms.introspection;
    refused.then(|| {
        let message = "introspection is not open to this caller; sign in, or use the published schema";
        (Outcome::Rejected, RequestError::new(code::FORBIDDEN, message))
    })
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    match panic.downcast_ref::<String>() {
        Some(message) => message,
        None => panic.downcast_ref::<&str>().copied().unwrap_or("a panic without a message"),
    }
}

/// A schema in its definition language.
pub(super) fn sdl<Q, M, S>(schema: &Schema<Q, M, S>) -> String
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
{
    schema.sdl_with_options(SDLExportOptions::new().include_specified_by())
}
