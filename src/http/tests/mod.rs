mod graphql;
mod server;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request},
};
use serde_json::Value;
use tower::ServiceExt as _;

use super::{Http, Settings, router};
use crate::{
    app::App,
    auth::{MintRequest, Permissions, Role},
    clock::Clock,
    config::Config,
    graphql::engine::{documents::Limits, execute::Engine, test_schema},
};

const JSON: &str = "application/json";
const GRAPHQL: &str = "application/graphql-response+json";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A Tollgate with the schema of the tests, over an empty database.
struct Server {
    app: Arc<App>,
    router: Router,
    _directory: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        Server::with(|_| {}).await
    }

    /// With changed limits.
    async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Server::configured(("JWT_HS256_SECRET", SECRET), change).await
    }

    async fn configured(setting: (&str, &str), change: impl FnOnce(&mut Settings)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = format!("sqlite://{}", directory.path().join("test.db").display());
        let settings = [("DATABASE_URL", database.as_str()), setting];
        let env = settings.iter().map(|(name, value)| (format!("TOLLGATE_{name}"), (*value).to_owned()));
        let app = Arc::new(App::new(Config::load(None, env).unwrap(), Clock::System).await.unwrap());
        let engine = Engine::new(test_schema::schema(), &Limits::default(), Duration::from_millis(200)).unwrap();
        let mut http = Http::with_engine(&app, engine).unwrap();
        change(&mut http.settings);
        Server { app, router: router(http).unwrap(), _directory: directory }
    }

    /// Returns the credential of a service, whose sign-in needs no database.
    fn bearer(&self) -> String {
        let request = MintRequest {
            subject: "backend".to_owned(),
            role: Role::Service,
            permissions: Permissions::NONE,
            ttl: Duration::from_secs(60),
            now: self.app.now(),
        };
        format!("Bearer {}", self.app.tokens.mint(&request).unwrap())
    }
}

struct Got {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Got {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    fn code(&self) -> String {
        self.json()["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

async fn send(app: &Server, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Got {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = app.router.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let body = String::from_utf8_lossy(&body).into_owned();
    Got { status: parts.status.as_u16(), headers: parts.headers, body }
}

async fn post(app: &Server, accept: &str, body: Value) -> Got {
    send(app, "POST", "/graphql", &[("content-type", JSON), ("accept", accept)], &body.to_string()).await
}
