//! The arguments of each command, and their effect on the database.

use crate::cli::{Run, tollgate, tollgate_in};
use crate::sign_in::ask;
use crate::support::webhooks::{deliver, event};
use crate::support::{SECRET, TestApp, both_engines, sql};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use tollgate::config::DatabaseUrl;
use tollgate::providers::Provider;

both_engines!(
    a_printed_token_is_accepted_with_its_role_and_scopes,
    a_company_is_generated_by_its_seed,
    a_company_is_only_generated_into_an_empty_database,
    events_are_replayed_by_state_type_id_and_time,
    a_dry_run_of_a_replay_changes_nothing,
    an_empty_inbox_is_rebuilt_to_nothing,
    reconciling_needs_a_key_and_a_time,
    each_change_is_listed_with_its_state,
    a_server_in_production_leaves_the_schema_alone,
    a_server_logs_in_the_configured_format,
    a_measurement_leaves_nothing_behind,
);

/// Returns the URL of a test's database.
pub(crate) fn url(test: &TestApp) -> String {
    match &test.app.config.database.url {
        DatabaseUrl::Sqlite(path) => format!("sqlite://{}", path.display()),
        DatabaseUrl::Postgres(url) => url.expose().to_owned(),
    }
}

/// Runs the program on the database of a test, with these variables.
pub(crate) fn on(test: &TestApp, args: &[&str], env: &[(&str, &str)]) -> Run {
    tollgate(args, &[&[("TOLLGATE_DATABASE_URL", url(test).as_str())], env].concat())
}

/// Runs the program, which must succeed, and returns what it printed.
pub(crate) fn done(test: &TestApp, args: &[&str], env: &[(&str, &str)]) -> String {
    let run = on(test, args, env);
    assert_eq!(run.status, 0, "{args:?}: {}", run.err);
    run.out
}

/// Returns the number at the beginning of the line that contains `word`.
fn number(out: &str, word: &str) -> u64 {
    let line = out.lines().find(|line| line.contains(word)).unwrap_or_else(|| panic!("no {word} in {out}"));
    line.split_whitespace().next().unwrap().parse().unwrap_or_else(|_| panic!("{line}"))
}

/// Returns the claims of a token.
fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

async fn a_printed_token_is_accepted_with_its_role_and_scopes(test: &TestApp) {
    let secret = [("TOLLGATE_JWT_HS256_SECRET", SECRET)];
    // The token's times are of the machine's clock, the test's of its own: the test's is set to the token's.
    let cases: [(&[&str], &str, Value); 5] = [
        (&[], "USER", json!([])),
        (&["--role", "user", "--scope", "billing:read"], "USER", json!([])),
        (&["--role", "service"], "SERVICE", json!([])),
        (
            &["--role", "service", "--scope", "billing:read", "--scope", "audit:read"],
            "SERVICE",
            json!(["billing:read", "audit:read"]),
        ),
        (&["--role", "admin"], "ADMIN", Value::Null),
    ];
    for (options, role, scopes) in cases {
        let token = done(test, &[&["token", "--user", "ops"], options].concat(), &secret);
        let token = token.trim_end();
        let claims = claims(token);
        assert_eq!(claims["sub"], "ops");
        let issued = claims["iat"].as_i64().unwrap();
        assert_eq!(claims["exp"].as_i64().unwrap() - issued, 3_600);
        let ahead = issued - test.app.now().timestamp();
        test.advance(chrono::TimeDelta::seconds(ahead + 1));
        let viewer = ask(test, &[&format!("Bearer {token}")]).await.json()["data"]["viewer"].take();
        assert_eq!(viewer["role"], role, "{options:?}");
        if scopes.is_array() {
            assert_eq!(viewer["scopes"], scopes, "{options:?}");
        } else {
            assert!(viewer["scopes"].as_array().unwrap().len() >= 9, "an admin has all scopes: {viewer}");
        }
    }
    let short = claims(done(test, &["token", "--user", "ops", "--ttl-s", "60"], &secret).trim_end());
    assert_eq!(short["exp"].as_i64().unwrap() - short["iat"].as_i64().unwrap(), 60);
    for (options, status) in [
        (&["token"][..], 2),
        (&["token", "--user", "ops", "--role", "owner"], 2),
        (&["token", "--user", "ops", "--ttl-s", "-1"], 2),
        (&["token", "--user", "ops", "--scope", "billing:everything"], 1),
    ] {
        let run = on(test, options, &secret);
        assert_eq!((run.status, run.out.as_str()), (status, ""), "{options:?}: {}", run.err);
    }
}

async fn a_company_is_generated_by_its_seed(test: &TestApp) {
    let subjects = || async {
        let db = test.app.db.schema();
        let emails: Vec<String> =
            sql::column(db, "SELECT email FROM users WHERE email IS NOT NULL ORDER BY email", []).await;
        (sql::number(db, "SELECT COUNT(*) FROM users").await, emails)
    };
    let mut companies = Vec::new();
    for options in [&["--seed", "3"][..], &["--seed", "3"], &["--seed", "4"]] {
        let out = done(test, &[&["seed", "--users", "5"], options].concat(), &[]);
        let (users, emails) = subjects().await;
        assert_eq!(number(&out, "users"), u64::try_from(users).unwrap());
        let total = out.lines().last().unwrap().split_whitespace().next().unwrap().parse::<u64>().unwrap();
        let lines = out.lines().filter(|line| !line.contains("rows in"));
        let sum: u64 = lines.map(|line| line.split_whitespace().next().unwrap().parse::<u64>().unwrap()).sum();
        assert_eq!(total, sum, "{out}");
        companies.push(emails);
        assert_eq!(done(test, &["reset", "--yes"], &[]).lines().count(), 1);
    }
    assert_eq!(companies[0], companies[1], "one seed makes one company");
    assert_ne!(companies[0], companies[2], "another seed makes another");
}

async fn a_company_is_only_generated_into_an_empty_database(test: &TestApp) {
    for users in ["0", "1000001", "-1", "many"] {
        assert_eq!(on(test, &["seed", "--users", users], &[]).status, 2, "{users}");
    }
    let production = [("TOLLGATE_ENVIRONMENT", "production"), ("TOLLGATE_JWT_HS256_SECRET", SECRET)];
    let run = on(test, &["seed", "--users", "5"], &production);
    assert_eq!((run.status, run.out.as_str()), (1, ""));
    assert_eq!(sql::number(test.app.db.schema(), "SELECT COUNT(*) FROM users").await, 0);
    done(test, &["seed", "--users", "5"], &[]);
    let before = sql::everything(test.app.db.schema()).await;
    let run = on(test, &["seed", "--users", "5", "--seed", "9"], &[]);
    assert_eq!(run.status, 1, "{}", run.out);
    assert!(sql::everything(test.app.db.schema()).await == before, "a refused seed changed rows");
}

/// Delivers events that cannot be applied because they name no owner, and sets the states of some.
async fn inbox(test: &TestApp) {
    for (number, state) in ["applied", "failed", "parked", "received"].iter().enumerate() {
        let mut sent = event(Provider::Stripe, &format!("evt_{state}"), &format!("cus_{number}"));
        sent["type"] = if *state == "parked" { "customer.created" } else { "customer.updated" }.into();
        assert_eq!(deliver(test, Provider::Stripe, &sent).await.status, 200);
    }
    test.run_jobs().await;
    for state in ["applied", "failed", "parked", "received"] {
        let set = format!(
            "UPDATE inbox_events SET state = '{state}', waits_for = NULL, applied_at = CASE WHEN '{state}' = 'applied' \
             THEN received_at END, error = CASE WHEN '{state}' IN ('failed', 'parked') \
             THEN 'x' END WHERE external_id = 'evt_{state}'"
        );
        sql::execute(test.app.db.schema(), &set).await;
    }
}

/// Returns the number of events whose application is queued.
async fn queued(test: &TestApp) -> i64 {
    sql::number(test.app.db.read(), "SELECT COUNT(*) FROM jobs WHERE kind = 'apply_object' AND state = 'queued'").await
}

async fn events_are_replayed_by_state_type_id_and_time(test: &TestApp) {
    inbox(test).await;
    let cases: [(&[&str], u64); 11] = [
        (&[], 2), // those that failed or are parked
        (&["--state", "failed"], 1),
        (&["--state", "parked"], 1),
        (&["--state", "applied"], 1),
        (&["--state", "received"], 1),
        (&["--kind", "customer.created"], 1),
        (&["--kind", "invoice.paid"], 0),
        (&["--id", "evt_applied"], 1),
        (&["--id", "evt_unknown"], 0),
        (&["--since", "2026-01-15"], 2),
        (&["--since", "2026-01-16T00:00:00Z", "--state", "applied"], 0),
    ];
    for (options, expected) in cases {
        let out = done(test, &[&["inbox", "replay", "--dry-run"], options].concat(), &[]);
        assert_eq!(number(&out, "events"), expected, "{options:?}: {out}");
    }
    for (options, status) in [
        (&["--state", "ignored"][..], 1),
        (&["--state", "FAILED"], 2),
        (&["--since", "yesterday"], 1),
        (&["--since", ""], 1),
        (&["--unknown"], 2),
    ] {
        let run = on(test, &[&["inbox", "replay"], options].concat(), &[]);
        assert_eq!(run.status, status, "{options:?}: {}{}", run.out, run.err);
    }
    assert_eq!(number(&done(test, &["inbox", "replay"], &[]), "events"), 2);
    assert_eq!(queued(test).await, 2, "each object has a job");
    test.run_jobs().await;
    assert_eq!(number(&done(test, &["inbox", "replay"], &[]), "events"), 0, "they are applied or waiting now");
}

async fn a_dry_run_of_a_replay_changes_nothing(test: &TestApp) {
    inbox(test).await;
    let before = sql::everything(test.app.db.schema()).await;
    done(test, &["inbox", "replay", "--dry-run"], &[]);
    done(test, &["inbox", "replay", "--dry-run", "--state", "applied"], &[]);
    done(test, &["inbox", "rebuild", "--dry-run"], &[]);
    assert!(sql::everything(test.app.db.schema()).await == before, "a dry run changed rows");
}

async fn an_empty_inbox_is_rebuilt_to_nothing(test: &TestApp) {
    for options in [&["inbox", "rebuild"][..], &["inbox", "rebuild", "--dry-run"]] {
        let out = done(test, options, &[]);
        assert_eq!(number(&out, "objects"), 0);
        assert!(out.lines().all(|line| line.trim_start().starts_with('0')), "{out}");
    }
}

async fn reconciling_needs_a_key_and_a_time(test: &TestApp) {
    assert_eq!(on(test, &["reconcile"], &[]).status, 2);
    let run = on(test, &["reconcile", "--since", "1d"], &[]);
    assert_eq!(run.status, 1);
    assert!(run.err.to_lowercase().contains("stripe_api_key"), "{}", run.err);
    let key = [("TOLLGATE_STRIPE_API_KEY", "rk_test_1"), ("TOLLGATE_STRIPE_API_BASE", "http://127.0.0.1:1")];
    for since in ["", "tomorrow", "1y", "-3d"] {
        let run = on(test, &["reconcile", &format!("--since={since}")], &key);
        assert_eq!(run.status, 1, "{since}: {}", run.out);
        assert!(run.out.is_empty(), "{}", run.out);
    }
}

async fn each_change_is_listed_with_its_state(test: &TestApp) {
    let names: Vec<_> = migration::changes().iter().map(|change| change.name).collect();
    let lines = |state: &str, names: &[&str]| names.iter().map(|name| format!("{state}  {name}\n")).collect::<String>();
    assert_eq!(done(test, &["migrate", "status"], &[]), lines("applied", &names));
    let (kept, newest) = names.split_at(names.len() - 1);
    assert_eq!(done(test, &["migrate", "down"], &[]).lines().count(), 1, "one change by default");
    assert_eq!(done(test, &["migrate", "status"], &[]), lines("applied", kept) + &lines("pending", newest));
    assert_eq!(done(test, &["migrate", "up"], &[]), lines("applied", newest));
    assert_eq!(on(test, &["migrate", "down", "--count", "-1"], &[]).status, 2);
    assert_eq!(on(test, &["migrate", "sideways"], &[]).status, 2);
}

async fn a_server_in_production_leaves_the_schema_alone(test: &TestApp) {
    done(test, &["migrate", "down"], &[]);
    let production = [("TOLLGATE_ENVIRONMENT", "production"), ("TOLLGATE_JWT_HS256_SECRET", SECRET)];
    let server = Server::start(test, &production);
    drop(server);
    let run = on(test, &["migrate", "check"], &[]);
    assert_eq!(run.status, 1, "the change is still pending: {}", run.out);
    drop(Server::start(test, &[]));
    assert_eq!(on(test, &["migrate", "check"], &[]).status, 0, "in development it is applied");
}

/// A running `serve`, killed when dropped.
struct Server {
    process: std::process::Child,
    /// The lines of its log up to the one that it listens.
    log: Vec<String>,
}

impl Server {
    fn start(test: &TestApp, env: &[(&str, &str)]) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command.args(["serve", "--no-worker"]).env_clear().env("TOLLGATE_DATABASE_URL", url(test));
        command.env("TOLLGATE_LISTEN", "127.0.0.1:0").envs(env.iter().copied()).stderr(Stdio::piped());
        let mut server = Server { process: command.spawn().unwrap(), log: Vec::new() };
        for line in BufReader::new(server.process.stderr.take().unwrap()).lines() {
            let line = line.unwrap();
            let listens = line.contains("listening on");
            server.log.push(line);
            if listens {
                return server;
            }
        }
        panic!("serve ended: {:#?}", server.log);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn a_server_logs_in_the_configured_format(test: &TestApp) {
    let json = Server::start(test, &[("TOLLGATE_LOG_FORMAT", "json")]);
    for line in &json.log {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
    }
    let text = Server::start(test, &[("TOLLGATE_LOG_FORMAT", "text")]);
    assert!(text.log.iter().all(|line| serde_json::from_str::<Value>(line).is_err()), "{:#?}", text.log);
}

#[test]
fn a_port_that_is_in_use_ends_the_server_with_its_address() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let run = tollgate(&["serve"], &[("TOLLGATE_LISTEN", &address)]);
    assert_eq!(run.status, 1);
    assert!(run.err.contains(&address), "{}", run.err);
}

#[test]
fn settings_come_from_the_named_file_or_the_one_in_the_directory() {
    let directory = tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    let token = |args: &[&str], env: &[(&str, &str)]| {
        tollgate_in(directory.path(), &[args, &["token", "--user", "ann"]].concat(), env)
    };
    assert_eq!(token(&[], &[]).status, 1, "without a file there is no secret");
    write("other.toml", &format!("jwt_hs256_secret = \"{SECRET}\"\n"));
    assert_eq!(token(&["--config", "other.toml"], &[]).status, 0);
    assert_eq!(token(&[], &[("TOLLGATE_CONFIG", "other.toml")]).status, 0);
    write("tollgate.toml", &format!("jwt_hs256_secret = \"{SECRET}\"\n"));
    assert_eq!(token(&[], &[]).status, 0, "tollgate.toml is read if none is named");
    write("tollgate.toml", "jwt_hs256_secret = \"short\"\nlisten = 7\nno_such_setting = true\n");
    let run = token(&[], &[]);
    assert_eq!(run.status, 2);
    for name in ["jwt_hs256_secret", "listen", "no_such_setting"] {
        assert!(run.err.contains(name), "{name}: {}", run.err);
    }
    assert!(!run.err.contains("short"), "a secret is shown: {}", run.err);
    // The named file replaces the one in the directory.
    assert_eq!(token(&["--config", "other.toml"], &[]).status, 0);
    assert_eq!(token(&["--config", "other.toml"], &[("TOLLGATE_CONFIG", "tollgate.toml")]).status, 0);
}

async fn a_measurement_leaves_nothing_behind(test: &TestApp) {
    let beside = || match &test.app.config.database.url {
        DatabaseUrl::Sqlite(file) => {
            let entries = std::fs::read_dir(file.parent().unwrap()).unwrap();
            entries.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains("_bench_")).count()
        }
        DatabaseUrl::Postgres(_) => 0,
    };
    for (command, row) in [
        (&["bench", "ledger", "--wallets", "2"][..], "spend: 2 wallets, 2 callers"),
        (&["bench", "usage", "--accounts", "2", "--batches", "5"], "record, batches of 5: 2 accounts, 2 callers"),
    ] {
        let run = on(test, &[command, &["--seconds", "1", "--callers", "2"]].concat(), &[]);
        assert_eq!(run.status, 0, "{}", run.err);
        let line = run.out.lines().find(|line| line.starts_with(row)).unwrap_or_else(|| panic!("{}", run.out));
        let figures: Vec<f64> = line[row.len()..].split_whitespace().map(|figure| figure.parse().unwrap()).collect();
        assert!(figures.len() == 4 && figures.iter().all(|figure| *figure > 0.0), "{line}");
        assert_eq!(beside(), 0);
    }
    for table in ["users", "ledger_txns", "usage_events", "credit_units", "meters"] {
        assert_eq!(sql::number(test.app.db.read(), &format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
    }
    if matches!(test.app.config.database.url, DatabaseUrl::Postgres(_)) {
        let schemas = "SELECT COUNT(*) FROM pg_namespace WHERE nspname LIKE 'tollgate_bench%'";
        assert_eq!(sql::number(test.app.db.read(), schemas).await, 0);
    }
    let run = on(test, &["bench", "ledger", "--callers", "0"], &[]);
    assert_eq!((run.status, run.out.as_str()), (1, ""));
    assert!(run.err.contains("--callers must be numbers from 1 to 10000."), "{}", run.err);
}
