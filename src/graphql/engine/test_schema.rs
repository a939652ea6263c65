//! A schema for tests of the engine, with a little of everything and resolvers that fail.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI32, Ordering},
    },
    time::Duration,
};

use async_graphql::{
    Context, Enum, ID, InputObject, Interface, Object, OneofObject, Scalar, ScalarType, Schema, Subscription, Union,
    Value,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextResolve, ResolveInfo},
};

use crate::error::Error;
use crate::graphql::common::Loaders;

pub(crate) type Toy = Schema<Query, Mutation, Subscription>;

pub(crate) fn schema() -> Toy {
    Schema::build(Query, Mutation::default(), Subscription)
        .register_output_type::<Named>()
        .validation_mode(async_graphql::ValidationMode::Fast)
        .limit_recursive_depth(usize::MAX)
        .extension(CountCalls)
        .finish()
}

/// Counts of the resolutions of each response path, filled during a request.
#[derive(Default, Clone)]
pub(crate) struct Calls(pub(crate) Arc<Mutex<HashMap<String, usize>>>);

struct CountCalls;

impl ExtensionFactory for CountCalls {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(CountCalls)
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for CountCalls {
    async fn resolve(
        &self,
        ctx: &ExtensionContext<'_>,
        info: ResolveInfo<'_>,
        next: NextResolve<'_>,
    ) -> async_graphql::ServerResult<Option<Value>> {
        if let Some(calls) = ctx.data_opt::<Calls>()
            && !info.parent_type.starts_with('[')
        {
            *calls.0.lock().unwrap().entry(info.path_node.to_string()).or_default() += 1;
        }
        next.run(ctx, info).await
    }
}

#[derive(Clone, Copy)]
pub(crate) struct User(i32);

#[derive(Clone, Copy)]
pub(crate) struct Plan(i32);

#[derive(Interface, Clone, Copy)]
#[graphql(field(name = "id", ty = "ID"))]
pub(crate) enum Node {
    User(User),
    Plan(Plan),
}

#[derive(Interface, Clone, Copy)]
#[graphql(field(name = "id", ty = "ID"), field(name = "late", ty = "i32"))]
pub(crate) enum Named {
    User(User),
}

#[derive(Union, Clone, Copy)]
pub(crate) enum Thing {
    User(User),
    Plan(Plan),
}

#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Low,
    High,
    #[graphql(deprecation = "use HIGH, since 2026-01-01")]
    Top,
}

#[derive(InputObject)]
pub(crate) struct SumInput {
    terms: Vec<i32>,
    #[graphql(default = 1)]
    factor: i32,
    level: Option<Level>,
}

#[derive(OneofObject)]
pub(crate) enum Lookup {
    Id(ID),
    Name(String),
}

pub(crate) struct Stamp(String);

/// A point in time.
#[Scalar(specified_by_url = "https://www.rfc-editor.org/rfc/rfc3339")]
impl ScalarType for Stamp {
    fn parse(value: Value) -> async_graphql::InputValueResult<Self> {
        match value {
            Value::String(text) if text.contains('T') => Ok(Stamp(text)),
            other => Err(async_graphql::InputValueError::expected_type(other)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.clone())
    }
}

#[Object]
impl User {
    async fn id(&self) -> ID {
        ID(format!("user:{}", self.0))
    }
    async fn name(&self, #[graphql(default = false)] upper: bool) -> String {
        if upper { format!("USER {}", self.0) } else { format!("user {}", self.0) }
    }
    async fn friend(&self) -> User {
        User(self.0 + 1)
    }
    async fn friends(&self, #[graphql(default = 2)] first: i32) -> Vec<User> {
        (1..=first).map(|step| User(self.0 + step)).collect()
    }
    /// Resolves late, so that resolvers do not finish in the order of the document.
    async fn late(&self) -> i32 {
        tokio::task::yield_now().await;
        self.0
    }
    async fn fragile(&self) -> Result<i32, Error> {
        if self.0 % 2 == 0 { Err(Error::NotFound("fragile")) } else { Ok(self.0) }
    }
    async fn perhaps(&self) -> Result<Option<i32>, Error> {
        Err(Error::bad_input("perhaps not"))
    }
    #[graphql(deprecation = "nobody asked, since 2026-01-01")]
    async fn things(&self) -> Vec<Thing> {
        vec![Thing::User(User(self.0 + 1)), Thing::Plan(Plan(self.0))]
    }
}

#[Object]
impl Plan {
    async fn id(&self) -> ID {
        ID(format!("plan:{}", self.0))
    }
    async fn price(&self) -> i32 {
        self.0 * 100
    }
    async fn owner(&self) -> User {
        User(self.0)
    }
    async fn friend(&self) -> Plan {
        Plan(self.0 + 1)
    }
}

pub(crate) struct Query;

#[Object]
impl Query {
    async fn viewer(&self) -> User {
        User(1)
    }
    async fn user(&self, id: i32) -> Option<User> {
        (id > 0).then_some(User(id))
    }
    async fn node(&self, id: ID) -> Option<Node> {
        let (kind, number) = id.split_once(':')?;
        let number = number.parse().ok()?;
        if kind == "user" { Some(Node::User(User(number))) } else { Some(Node::Plan(Plan(number))) }
    }
    async fn nodes(&self) -> Vec<Node> {
        vec![Node::User(User(1)), Node::Plan(Plan(2))]
    }
    async fn things(&self) -> Vec<Thing> {
        vec![Thing::User(User(1)), Thing::Plan(Plan(2))]
    }
    async fn echo(
        &self,
        #[graphql(default_with = "Some(\"default\".to_owned())")] text: Option<String>,
        level: Option<Level>,
    ) -> String {
        let level = level.map_or("none", |level| match level {
            Level::Low => "low",
            Level::High => "high",
            Level::Top => "top",
        });
        format!("{} {level}", text.unwrap_or_else(|| "null".to_owned()))
    }
    async fn sum(&self, input: SumInput) -> i32 {
        let extra = if input.level.is_some() { 1000 } else { 0 };
        input.terms.iter().sum::<i32>() * input.factor + extra
    }
    async fn lookup(&self, by: Lookup) -> String {
        match by {
            Lookup::Id(id) => format!("id {}", id.as_str()),
            Lookup::Name(name) => format!("name {name}"),
        }
    }
    async fn at(&self, stamp: Stamp) -> Stamp {
        stamp
    }
    async fn panics(&self, #[graphql(default = 0)] divisor: i32) -> i32 {
        1 / divisor
    }
    async fn broken(&self) -> Result<Option<i32>, Error> {
        Err(Error::internal(std::io::Error::other("password is hunter2")))
    }
    async fn uncoded(&self) -> async_graphql::Result<Option<i32>> {
        Err(async_graphql::Error::new("password is hunter2"))
    }
    async fn away(&self) -> Result<Option<i32>, Error> {
        Err(Error::Unavailable("The ledger", anyhow::anyhow!("connection refused")))
    }
    async fn slow(&self) -> i32 {
        let _ = tokio::time::timeout(Duration::from_secs(60), std::future::pending::<()>()).await;
        1
    }
    #[graphql(entity)]
    async fn user_by_id(&self, id: ID) -> User {
        User(id.strip_prefix("user:").and_then(|number| number.parse().ok()).unwrap_or_default())
    }
    async fn attached(&self, ctx: &Context<'_>) -> Option<String> {
        ctx.data_opt::<Arc<Loaders>>().map(|loaders| loaders.viewer().actor().to_owned())
    }
}

#[derive(Default)]
pub(crate) struct Mutation(AtomicI32);

#[Object]
impl Mutation {
    async fn bump(&self) -> i32 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }
    async fn rename(&self, name: String) -> User {
        User(i32::try_from(name.len()).unwrap_or_default())
    }
    async fn slow(&self) -> i32 {
        std::future::pending().await
    }
}

pub(crate) struct Subscription;

#[Subscription]
impl Subscription {
    async fn ticks(&self) -> impl futures_util::Stream<Item = i32> {
        futures_util::stream::iter([1, 2])
    }
}
