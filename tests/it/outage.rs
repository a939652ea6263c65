//! An outage of the database: health checks and callers see it, and it ends without a restart.

use crate::support::webhooks::{STRIPE_SECRET, deliver, event, send};
use crate::support::{Engine, Reply, SECRET, TestApp, both_engines, run};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use sea_orm::{ConnectionTrait, Database};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::Notify;
use tollgate::providers::Provider;

both_engines!(
    a_schema_that_is_behind_is_not_ready_and_says_what_to_run,
    a_schema_of_another_version_is_not_ready,
    a_flood_of_health_checks_asks_the_database_once,
);

const ASK: &str = "{ plans { totalCount } }";

async fn get(test: &TestApp, path: &str) -> Reply {
    test.send(Request::get(path).body(Body::empty()).unwrap()).await
}

/// Returns the reason of `/readyz`; `None` if the server is ready.
async fn missing(test: &TestApp) -> Option<String> {
    let reply = get(test, "/readyz").await;
    assert_eq!(get(test, "/healthz").await.status, StatusCode::OK, "the process lives all the time");
    match reply.status {
        StatusCode::OK => None,
        StatusCode::SERVICE_UNAVAILABLE => Some(reply.json()["reason"].as_str().unwrap().to_owned()),
        status => panic!("{status}: {}", reply.body),
    }
}

async fn a_schema_that_is_behind_is_not_ready_and_says_what_to_run(test: &TestApp) {
    assert_eq!(missing(test).await, None);
    migration::down(test.app.db.schema(), 2).await.unwrap();
    let reason = missing(test).await.unwrap();
    assert_eq!(reason, "2 migrations are pending. Run `tollgate migrate up`.");
    migration::up(test.app.db.schema(), None, test.app.now()).await.unwrap();
    assert_eq!(missing(test).await, None);
}

async fn a_schema_of_another_version_is_not_ready(test: &TestApp) {
    for change in [
        "UPDATE schema_migrations SET checksum = 'x' WHERE name = 'm0001_identity'",
        "UPDATE schema_migrations SET name = 'm9999_later' WHERE name = 'm0001_identity'",
    ] {
        test.app.db.schema().execute_unprepared(change).await.unwrap();
        let reason = missing(test).await.unwrap();
        assert_eq!(reason, "The schema of the database belongs to another version of Tollgate.");
    }
}

async fn a_flood_of_health_checks_asks_the_database_once(test: &TestApp) {
    let before = test.app.db.statements();
    assert_eq!(get(test, "/readyz").await.status, StatusCode::OK);
    let one = test.app.db.statements() - before;
    let before = test.app.db.statements();
    let replies = futures_util::future::join_all((0..100).map(|_| get(test, "/readyz"))).await;
    assert!(replies.iter().all(|reply| reply.status == StatusCode::OK));
    let all = test.app.db.statements() - before;
    assert!((one..=2 * one).contains(&all), "{all} statements, {one} for one check");
}

/// A way to a server that can be cut.
struct Bridge {
    open: AtomicBool,
    cut: Notify,
}

impl Bridge {
    /// Opens a port that leads to `server`, a socket's path or a host with a port.
    async fn to(server: String) -> (Arc<Bridge>, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let bridge = Arc::new(Bridge { open: AtomicBool::new(true), cut: Notify::new() });
        let accepting = Arc::clone(&bridge);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // Closed at once while the bridge is cut, as by a host without a server.
                if accepting.open.load(Ordering::SeqCst) {
                    tokio::spawn(Arc::clone(&accepting).carry(client, server.clone()));
                }
            }
        });
        (bridge, port)
    }

    async fn carry(self: Arc<Self>, client: TcpStream, server: String) {
        match server.starts_with('/') {
            true => self.between(client, UnixStream::connect(server).await.unwrap()).await,
            false => self.between(client, TcpStream::connect(server).await.unwrap()).await,
        }
    }

    async fn between(&self, mut one: TcpStream, mut other: impl AsyncRead + AsyncWrite + Unpin) {
        tokio::select! {
            _ = copy_bidirectional(&mut one, &mut other) => {}
            () = self.cut.notified() => {}
        }
    }

    fn cut(&self) {
        self.open.store(false, Ordering::SeqCst);
        self.cut.notify_waiters();
    }

    fn restore(&self) {
        self.open.store(true, Ordering::SeqCst);
    }
}

/// A Tollgate whose way to the database of `test` is a bridge.
async fn over_a_bridge(test: &TestApp) -> (Arc<Bridge>, TestApp) {
    let tollgate::config::DatabaseUrl::Postgres(url) = &test.app.config.database.url else { panic!("no PostgreSQL") };
    let mut url = url::Url::parse(url.expose()).unwrap();
    let socket = url.query_pairs().find(|(name, _)| name == "host").map(|(_, path)| path.into_owned());
    let server = match socket {
        Some(path) => format!("{path}/.s.PGSQL.{}", url.port().unwrap_or(5432)),
        None => format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432)),
    };
    let (bridge, port) = Bridge::to(server).await;
    url.set_query(None);
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(port)).unwrap();
    let settings = [
        ("TOLLGATE_DATABASE_URL", url.as_str()),
        ("TOLLGATE_JWT_HS256_SECRET", SECRET),
        ("TOLLGATE_STRIPE_WEBHOOK_SECRETS", STRIPE_SECRET),
    ];
    (bridge, TestApp::configured(&settings).await)
}

fn unavailable(reply: &Reply) {
    let body = reply.json();
    assert_eq!(body["errors"][0]["extensions"]["code"], "SERVICE_UNAVAILABLE", "{body}");
    assert_eq!(body["errors"][0]["message"], "The database is not available at the moment: try again.");
    for internal in ["127.0.0.1", "sqlx", "refused", "os error", "pool", "postgres"] {
        assert!(!reply.body.contains(internal), "{}", reply.body);
    }
}

#[test]
fn a_lost_server_is_said_and_its_return_needs_no_restart() {
    run(Engine::Postgres, async |test: &TestApp| {
        let (bridge, test) = &over_a_bridge(test).await;
        test.user("ann").data("{ viewer { user { id } } }", json!({})).await;
        assert_eq!(missing(test).await, None);
        bridge.cut();
        // At the same time, since each waits for a connection before it gives up.
        let unit = "mutation { createCreditUnit(input: {code: \"a\", name: \"A\"}) { userErrors { code } } }";
        let (admin, stranger) = (test.admin(), test.user("bob"));
        let sent = event(Provider::Stripe, "evt_1", "cus_1");
        let (ready, read, written, told, received, forged) = tokio::join!(
            missing(test),
            async { test.anonymous().post(ASK, json!({})).await },
            admin.post(unit, json!({})),
            stranger.post(ASK, json!({})),
            deliver(test, Provider::Stripe, &sent),
            send(test, Provider::Stripe, None, b"{}"),
        );
        assert_eq!(ready.as_deref(), Some("The database does not answer."));
        unavailable(&read);
        unavailable(&written);
        // The caller cannot be identified without a database.
        assert_eq!(told.status, StatusCode::SERVICE_UNAVAILABLE);
        unavailable(&told);
        // The provider sends it again.
        assert_eq!(received.status, StatusCode::SERVICE_UNAVAILABLE);
        unavailable(&received);
        assert_eq!(forged.status, StatusCode::BAD_REQUEST);

        bridge.restore();
        assert_eq!(missing(test).await, None);
        test.user("ann").data("{ viewer { user { id } } }", json!({})).await;
        assert_eq!(deliver(test, Provider::Stripe, &sent).await.status, StatusCode::OK);
        test.run_jobs().await;
        test.advance(chrono::TimeDelta::minutes(1));
        tollgate::security::flush(&test.app).await;
        let events = "{ webhookEvents { nodes { externalId } } securityEvents { nodes { suspicion } } }";
        let kept = test.admin().data(events, json!({})).await;
        let expected = json!({"webhookEvents": {"nodes": [{"externalId": "evt_1"}]},
            "securityEvents": {"nodes": [{"suspicion": "WEBHOOK_UNSIGNED"}]}});
        assert_eq!(kept, expected);
    });
}

#[test]
fn a_server_that_is_away_at_the_start_is_waited_for() {
    run(Engine::Postgres, async |test: &TestApp| {
        let (bridge, started) = &over_a_bridge(test).await;
        bridge.cut();
        assert_eq!(missing(started).await.as_deref(), Some("The database does not answer."));
        bridge.restore();
        assert_eq!(missing(started).await, None);
        started.anonymous().data(ASK, json!({})).await;
    });
}

#[test]
fn a_file_that_another_process_holds_is_said_and_what_was_asked_is_not_done() {
    run(Engine::Sqlite, async |test: &TestApp| {
        let tollgate::config::DatabaseUrl::Sqlite(path) = &test.app.config.database.url else { panic!("no SQLite") };
        let other = Database::connect(format!("sqlite://{}", path.display())).await.unwrap();
        let unit = "mutation { createCreditUnit(input: {code: \"a\", name: \"A\"}) { userErrors { code } } }";
        test.admin().data(ASK, json!({})).await;
        other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
        assert_eq!(missing(test).await, None, "readers do not wait for it");
        test.anonymous().data(ASK, json!({})).await;
        unavailable(&test.admin().post(unit, json!({})).await);
        let sent = event(Provider::Stripe, "evt_1", "cus_1");
        unavailable(&deliver(test, Provider::Stripe, &sent).await);
        other.execute_unprepared("ROLLBACK").await.unwrap();
        let done = test.admin().data(unit, json!({})).await;
        assert_eq!(done["createCreditUnit"]["userErrors"], json!([]));
        assert_eq!(deliver(test, Provider::Stripe, &sent).await.status, StatusCode::OK);
        test.run_jobs().await;
    });
}
