//! A Tollgate on a fresh database, called through HTTP, with a clock that stands still.

use super::webhooks::{PADDLE_SECRET, STRIPE_SECRET};
use super::{Subject, TestDatabase};
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use entity::jobs;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tollgate::accounts::{self, UserAppeared};
use tollgate::app::App;
use tollgate::auth::{MintRequest, Permission, Permissions, Role};
use tollgate::changes::Change;
use tollgate::clock::Clock;
use tollgate::config::{Config, DatabaseUrl};
use tollgate::graphql;
use tollgate::graphql::engine::execute::{Engine, Operation, Terms};
use tollgate::http::{Http, router};
use tollgate::jobs::{Job, SCHEDULE};
use tollgate::worker::{flush_last_use, worker};
use tower::ServiceExt as _;

/// The instant at which every test starts.
const START: &str = "2026-01-15T12:00:00Z";

/// The secret that signs the tests' tokens.
pub(crate) const SECRET: &str = "a secret of the tests, which is no secret";

/// A Tollgate to be tested.
pub(crate) struct TestApp {
    /// The state that its requests share.
    pub(crate) app: Arc<App>,
    router: axum::Router,
}

impl Subject for TestApp {
    async fn start(database: &TestDatabase) -> Self {
        let settings = [
            ("TOLLGATE_DATABASE_URL", database.url()),
            ("TOLLGATE_DATABASE_MAX_CONNECTIONS", "4"),
            ("TOLLGATE_JWT_HS256_SECRET", SECRET),
            ("TOLLGATE_STRIPE_WEBHOOK_SECRETS", STRIPE_SECRET),
            ("TOLLGATE_PADDLE_WEBHOOK_SECRETS", PADDLE_SECRET),
        ];
        TestApp::configured(&settings).await
    }

    /// No test leaves work behind that is due; a schedule's does not count, nor what follows from a first sign-in.
    async fn finish(self) {
        let due = jobs::Entity::find()
            .filter(jobs::Column::State.eq("queued"))
            .filter(jobs::Column::Kind.ne(<UserAppeared as Job>::KIND))
            .filter(jobs::Column::RunAt.lte(self.app.now().fixed_offset()))
            .filter(Expr::col(jobs::Column::LockedUntil).is_null())
            .filter(Expr::col(jobs::Column::UniqueKey).is_null().or(jobs::Column::UniqueKey.ne(SCHEDULE)));
        let left = due.all(self.app.db.read()).await.unwrap();
        assert!(left.is_empty(), "jobs are left that are due; run them with run_jobs(): {left:#?}");
    }
}

impl TestApp {
    /// A Tollgate with these settings and no others.
    pub(crate) async fn configured(settings: &[(&str, &str)]) -> Self {
        TestApp::at(clock(), settings).await
    }

    /// Like the function above, with a clock that others share.
    pub(crate) async fn at(clock: Arc<Clock>, settings: &[(&str, &str)]) -> Self {
        // Most tests compare whole replies, and the figures of few people. Costs and small groups have tests of their own.
        let usual = [("TOLLGATE_REPORT_COST", "false"), ("TOLLGATE_ANALYTICS_MINIMUM_GROUP", "1")];
        let settings = [&usual, settings].concat();
        let env = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let config = Config::load(None, env).unwrap();
        let app = Arc::new(App::new(config, clock).await.unwrap());
        let router = router(Http::new(&app).unwrap()).unwrap();
        TestApp { app, router }
    }

    /// Another Tollgate over the same database, with these settings besides its URL and no others.
    pub(crate) async fn beside(&self, settings: &[(&str, &str)]) -> Self {
        self.beside_at(clock(), settings).await
    }

    /// Like the function above, with a clock that others share.
    pub(crate) async fn beside_at(&self, clock: Arc<Clock>, settings: &[(&str, &str)]) -> Self {
        let url = match &self.app.config.database.url {
            DatabaseUrl::Sqlite(path) => format!("sqlite://{}", path.display()),
            DatabaseUrl::Postgres(url) => url.expose().to_owned(),
        };
        let url = [("TOLLGATE_DATABASE_URL", url.as_str()), ("TOLLGATE_DATABASE_MAX_CONNECTIONS", "4")];
        TestApp::at(clock, &[&url, settings].concat()).await
    }

    /// Lets time go by.
    pub(crate) fn advance(&self, by: TimeDelta) {
        self.app.clock.advance(by);
    }

    /// Does all that is due, the work of schedules included, none of which may fail. How many jobs that was, without
    /// those of schedules.
    pub(crate) async fn run_jobs(&self) -> usize {
        let tally = worker(&self.app.config).run_due(&self.app).await.unwrap();
        if tally.failed > 0 {
            let failed = jobs::Entity::find().filter(jobs::Column::Error.is_not_null());
            panic!("jobs failed: {:#?}", failed.all(self.app.db.read()).await.unwrap());
        }
        tally.done
    }

    /// Writes the times of last use, as a server does every few seconds.
    pub(crate) async fn flush(&self) {
        flush_last_use(&self.app).await;
    }

    /// A caller without credentials.
    pub(crate) fn anonymous(&self) -> Client<'_> {
        self.bearer(None)
    }

    /// The user with this subject; made when they first ask something.
    pub(crate) fn user(&self, subject: &str) -> Client<'_> {
        self.with_token(subject, Role::User, Permissions::NONE)
    }

    /// An admin.
    pub(crate) fn admin(&self) -> Client<'_> {
        self.with_token("admin", Role::Admin, Permissions::NONE)
    }

    /// A service with these permissions.
    pub(crate) fn service(&self, permissions: &[Permission]) -> Client<'_> {
        self.with_token("backend", Role::Service, permissions.iter().copied().collect())
    }

    /// The token of an admin.
    pub(crate) fn admin_token(&self) -> String {
        self.token("admin", Role::Admin, Permissions::NONE)
    }

    /// The token of a user.
    pub(crate) fn user_token(&self, subject: &str) -> String {
        self.token(subject, Role::User, Permissions::NONE)
    }

    fn with_token(&self, subject: &str, role: Role, permissions: Permissions) -> Client<'_> {
        self.bearer(Some(&self.token(subject, role, permissions)))
    }

    fn token(&self, subject: &str, role: Role, permissions: Permissions) -> String {
        let request = MintRequest {
            subject: subject.to_owned(),
            role,
            permissions,
            ttl: Duration::from_secs(3_600),
            now: self.app.now(),
        };
        self.app.tokens.mint(&request).unwrap()
    }

    /// A caller with this credential.
    pub(crate) fn bearer(&self, credential: Option<&str>) -> Client<'_> {
        Client { test: self, credential: credential.map(str::to_owned), address: None, headers: Vec::new() }
    }

    /// Sends any request.
    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Reply { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }
}

/// A clock that stands at the instant at which every test starts.
pub(crate) fn clock() -> Arc<Clock> {
    let start: DateTime<Utc> = START.parse().unwrap();
    Arc::new(Clock::fixed(start))
}

/// A response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// A caller.
pub(crate) struct Client<'a> {
    test: &'a TestApp,
    credential: Option<String>,
    address: Option<SocketAddr>,
    headers: Vec<(&'static str, String)>,
}

impl Client<'_> {
    /// Sets the address of the caller's connection.
    pub(crate) fn calling_from(self, address: &str) -> Self {
        Client { address: Some(SocketAddr::new(address.parse().unwrap(), 4711)), ..self }
    }

    /// Adds a header to the caller's requests.
    pub(crate) fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// The reply to a document with variables.
    pub(crate) async fn post(&self, query: &str, variables: Value) -> Reply {
        let body = json!({"query": query, "variables": variables}).to_string();
        let mut request = Request::post("/graphql").header("content-type", "application/json");
        if let Some(credential) = &self.credential {
            request = request.header("authorization", format!("Bearer {credential}"));
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(address) = self.address {
            request = request.extension(ConnectInfo(address));
        }
        self.test.send(request.body(Body::from(body)).unwrap()).await
    }

    /// The data of a document that must have no errors.
    pub(crate) async fn data(&self, query: &str, variables: Value) -> Value {
        let mut reply = self.post(query, variables).await.json();
        assert!(reply.get("errors").is_none(), "{query}: {}", reply["errors"]);
        reply["data"].take()
    }

    /// Returns the event that a change sends to a subscription with this document, or null if there is none.
    pub(crate) async fn told(&self, engine: &Engine, query: &str, change: Change) -> Value {
        let app = &self.test.app;
        let viewer = match accounts::sign_in(app, self.credential.as_deref()).await {
            Ok(viewer) => viewer,
            Err(error) => return json!({"errors": [{"extensions": {"code": error.code()}}]}),
        };
        let attach = graphql::attach(Arc::clone(app), viewer);
        let operation = Operation { query: query.to_owned(), ..Operation::default() };
        let accepted =
            engine.accept(operation, Terms { mutations: true, introspection: false, cost: u64::MAX, roots: None });
        let accepted = accepted.unwrap_or_else(|refused| panic!("{query}: {refused:?}"));
        let reply = match engine.open(&accepted, &attach, "test").await {
            Ok(_) => engine.tell(&accepted, change, &attach, "test").await,
            Err(refused) => Some(*refused),
        };
        serde_json::to_value(&reply).unwrap()
    }

    /// The code of the first error of a document that must have one.
    pub(crate) async fn code(&self, query: &str, variables: Value) -> String {
        let reply = self.post(query, variables).await.json();
        let code = reply["errors"][0]["extensions"]["code"].as_str();
        code.unwrap_or_else(|| panic!("{query} has no error: {reply}")).to_owned()
    }
}
