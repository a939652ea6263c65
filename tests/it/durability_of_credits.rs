//! Acknowledged changes of credits and usage survive kills of the server, restarts of PostgreSQL and full disks, and each
//! happens once.

use crate::support::postgres::OwnServer;
use crate::support::server::{Place, post};
use crate::support::{Engine, both_engines, run, sql};
use sea_orm::{Database, DatabaseConnection};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::BufReader;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

both_engines!(every_acknowledged_change_survives_a_kill_once);

/// Number of concurrent clients.
const CLIENTS: u64 = 8;
/// The limit of the feature that is consumed.
const LIMIT: i64 = 60;
/// Credits granted at the beginning.
const GRANTED: i64 = 1_000_000;

/// A request, with its answer once there is one.
#[derive(Clone)]
struct Request {
    query: &'static str,
    variables: Value,
    answer: Option<Value>,
}

const SPEND: &str = "mutation($a: ID!, $key: String!) {
    done: spendCredits(input: {accountId: $a, unit: \"credit\", amount: 1, idempotencyKey: $key}) {
        transaction { id } available userErrors { code } } }";
const HOLD: &str = "mutation($a: ID!, $key: String!) {
    done: holdCredits(input: {accountId: $a, unit: \"credit\", amount: 3, idempotencyKey: $key}) {
        creditHold { id } available held userErrors { code } } }";
const CAPTURE: &str = "mutation($hold: ID!, $key: String!) {
    done: captureHold(input: {holdId: $hold, amount: 1, idempotencyKey: $key}) {
        transaction { id } available held userErrors { code } } }";
const RECORD: &str = "mutation($a: ID!, $key: String!, $other: String!) {
    done: recordUsage(input: {events: [{accountId: $a, meter: \"tokens\", value: 2, dedupeKey: $key},
        {accountId: $a, meter: \"tokens\", value: 2, dedupeKey: $other}]}) {
        results { event { id } userErrors { code } } userErrors { code } } }";
const CONSUME: &str = "mutation($a: ID!, $key: String!) {
    done: consume(input: {accountId: $a, feature: \"chat\", amount: 1, idempotencyKey: $key}) {
        consumed entitlement { used remaining } userErrors { code } } }";
const BATCH: &str = "mutation($a: ID!, $key: String!, $other: String!) {
    done: changeCredits(input: {changes: [
        {spend: {accountId: $a, unit: \"credit\", amount: 1, idempotencyKey: $key}},
        {spend: {accountId: $a, unit: \"credit\", amount: 2, idempotencyKey: $other}}]}) {
        results { transaction { id } available userErrors { code } } userErrors { code } } }";

/// The reply to a request.
enum Reply {
    Data(Value),
    /// The codes of errors, each with one.
    Errors(Vec<String>),
    /// The server is gone.
    Gone,
}

fn ask(stream: &mut BufReader<TcpStream>, token: &str, query: &str, variables: &Value) -> Reply {
    let body = json!({"query": query, "variables": variables}).to_string();
    let Some((_, body)) = post(stream, "/graphql", &format!("authorization: Bearer {token}"), &body) else {
        return Reply::Gone;
    };
    let mut reply: Value = serde_json::from_slice(&body).unwrap();
    match reply["errors"].as_array() {
        Some(errors) => {
            let code = |error: &Value| error["extensions"]["code"].as_str().expect("every error has a code").to_owned();
            Reply::Errors(errors.iter().map(code).collect())
        }
        None => Reply::Data(reply["data"].take()),
    }
}

fn data(stream: &mut BufReader<TcpStream>, token: &str, query: &str, variables: &Value) -> Value {
    match ask(stream, token, query, variables) {
        Reply::Data(data) => data,
        Reply::Errors(codes) => panic!("{query}: {codes:?}"),
        Reply::Gone => panic!("{query}: the server is gone"),
    }
}

/// Makes the unit, the meter, the feature with its limit and the credits. Returns the account.
fn prepare(address: &str, token: &str) -> Value {
    let mut stream = BufReader::new(TcpStream::connect(address).unwrap());
    let mine = data(&mut stream, token, "{ viewer { account { id } } }", &json!({}));
    let account = mine["viewer"]["account"]["id"].clone();
    let catalogue = "mutation {
        a: createCreditUnit(input: {code: \"credit\", name: \"x\"}) { userErrors { code } }
        b: createMeter(input: {code: \"tokens\", name: \"x\", aggregation: SUM}) { userErrors { code } }
        c: createFeature(input: {code: \"chat\", kind: LIMIT, name: \"x\"}) { userErrors { code } } }";
    let terms = format!(
        "mutation($a: ID!) {{
        d: setEntitlementOverride(input: {{accountId: $a, feature: \"chat\", limit: {LIMIT}, window: LIFETIME,
            reason: \"x\"}}) {{ userErrors {{ code }} }}
        e: grantCredits(input: {{accountId: $a, unit: \"credit\", amount: {GRANTED}, idempotencyKey: \"g\"}}) {{
            userErrors {{ code }} }} }}"
    );
    for query in [catalogue, &terms] {
        let variables = if query == catalogue { json!({}) } else { json!({"a": account}) };
        let made = data(&mut stream, token, query, &variables);
        assert!(made.as_object().unwrap().values().all(|made| made["userErrors"] == json!([])), "{made}");
    }
    account
}

/// The request of a client that comes next: one of each kind in turn. A capture is of the hold before it.
fn next(client: &str, number: u64, account: &Value, before: Option<&Request>) -> Request {
    let (key, other) = (format!("{client}-{number}"), format!("{client}-{number}-b"));
    let mut variables = json!({"a": account, "key": key});
    let query = match number % 6 {
        0 => SPEND,
        1 => HOLD,
        2 => {
            let held = before.unwrap().answer.as_ref().unwrap();
            let hold = &held["done"]["creditHold"]["id"];
            assert!(hold.is_string(), "{held}");
            variables = json!({"hold": hold, "key": key});
            CAPTURE
        }
        4 => CONSUME,
        number => {
            variables["other"] = json!(other);
            if number == 3 { RECORD } else { BATCH }
        }
    };
    Request { query, variables, answer: None }
}

/// The state that clients share.
struct Load<'a> {
    address: &'a str,
    token: &'a str,
    account: &'a Value,
    stop: AtomicBool,
}

impl Load<'_> {
    /// Sends requests until the server is gone or the load is stopped, each until it is answered, and reports every one:
    /// the last may have no answer. Returns the codes of errors.
    fn run(&self, client: &str, reports: &mpsc::Sender<Request>) -> BTreeSet<String> {
        let mut stream = BufReader::new(TcpStream::connect(self.address).unwrap());
        let mut codes = BTreeSet::new();
        let mut before: Option<Request> = None;
        for number in 0_u64.. {
            let mut request = next(client, number, self.account, before.as_ref());
            loop {
                match ask(&mut stream, self.token, request.query, &request.variables) {
                    Reply::Data(answer) => request.answer = Some(answer),
                    Reply::Errors(found) => codes.extend(found),
                    Reply::Gone => {
                        _ = reports.send(request);
                        return codes;
                    }
                }
                if request.answer.is_some() || self.stop.load(Ordering::SeqCst) {
                    break;
                }
            }
            let stop = request.answer.is_none() || self.stop.load(Ordering::SeqCst);
            _ = reports.send(request.clone());
            if stop {
                return codes;
            }
            before = Some(request);
        }
        codes
    }
}

/// The part of an answer that a repetition must have too. A refusal is not kept, and balances are those of the first time.
fn kept(answer: &Value) -> Option<Value> {
    let mut answer = answer["done"].clone();
    let refused = answer["userErrors"] != json!([]);
    if let Some(results) = answer["results"].as_array_mut() {
        results.iter_mut().for_each(|result| _ = result.as_object_mut().unwrap().remove("outcome"));
    }
    (!refused).then_some(answer)
}

/// Sends everything again, acknowledged or not: what was acknowledged has the same answer.
fn repeat(address: &str, token: &str, requests: &mut [Request]) {
    let mut stream = BufReader::new(TcpStream::connect(address).unwrap());
    for request in requests {
        let again = data(&mut stream, token, request.query, &request.variables);
        if let Some(first) = &request.answer
            && let Some(first) = kept(first)
        {
            assert_eq!(kept(&again), Some(first), "{}", request.variables);
        }
        request.answer = Some(again);
    }
}

/// Queries that find nothing in books that balance.
const WRONG: &[&str] = &[
    "SELECT 1 FROM ledger_entries GROUP BY txn_id, credit_unit_id HAVING SUM(amount) <> 0",
    "SELECT 1 FROM ledger_entries e WHERE NOT EXISTS (SELECT 1 FROM ledger_txns t WHERE t.id = e.txn_id)",
    "SELECT 1 FROM ledger_txns t WHERE NOT EXISTS (SELECT 1 FROM ledger_entries e WHERE e.txn_id = t.id)",
    "SELECT 1 FROM balances b WHERE available <> (SELECT SUM(remaining) FROM credit_grants g \
     WHERE g.account_id = b.account_id)",
    "SELECT 1 FROM balances b WHERE held <> (SELECT COALESCE(SUM(remaining), 0) FROM credit_holds h \
     WHERE h.account_id = b.account_id)",
    "SELECT 1 FROM balances b WHERE spent <> (SELECT SUM(amount) FROM ledger_entries e WHERE e.bucket = 'spent' \
     AND e.account_id = b.account_id)",
    "SELECT 1 FROM balances b WHERE entry_count <> (SELECT COUNT(*) FROM ledger_entries e \
     WHERE e.account_id = b.account_id)",
    "SELECT 1 FROM usage_daily d WHERE value <> (SELECT SUM(value) FROM usage_events e WHERE e.meter_id = d.meter_id \
     AND CAST(e.occurred_at AS TEXT) LIKE CAST(d.day AS TEXT) || '%')",
    "SELECT 1 FROM usage_counters k WHERE used <> (SELECT SUM(value) FROM usage_events e WHERE e.meter_id = k.meter_id)",
    "SELECT 1 FROM usage_counters WHERE used > limit_at_use",
];

/// Compares the books with the requests, all of which were answered.
async fn check(db: &DatabaseConnection, requests: &[Request]) {
    for wrong in WRONG {
        let found = sql::number(db, &format!("SELECT COUNT(*) FROM ({wrong}) AS wrong")).await;
        assert_eq!(found, 0, "{wrong}");
    }
    let done = |query: &str| {
        let succeeded = requests.iter().filter(|request| request.query == query);
        let succeeded = succeeded.filter(|request| kept(request.answer.as_ref().unwrap()).is_some());
        i64::try_from(succeeded.count()).unwrap()
    };
    let refused = requests.iter().filter(|request| kept(request.answer.as_ref().unwrap()).is_none());
    assert!(refused.into_iter().all(|request| request.query == CONSUME), "only uses are refused");
    let spent = done(SPEND) + done(CAPTURE) + 3 * done(BATCH);
    let held = 3 * (done(HOLD) - done(CAPTURE));
    let row = |column: &str| format!("SELECT {column} FROM balances");
    assert_eq!(sql::number(db, &row("spent")).await, spent);
    assert_eq!(sql::number(db, &row("held")).await, held);
    assert_eq!(sql::number(db, &row("available")).await, GRANTED - spent - held);
    let events = "SELECT COUNT(*) FROM usage_events e JOIN meters m ON m.id = e.meter_id WHERE m.code = 'tokens'";
    assert_eq!(sql::number(db, events).await, 2 * done(RECORD));
    let used = sql::number(db, "SELECT CAST(COALESCE(SUM(used), 0) AS bigint) FROM usage_counters").await;
    assert_eq!((used, used <= LIMIT), (done(CONSUME), true));
}

/// Runs clients while `meanwhile` does what is to happen to them, given the reports so far. Adds all reports.
fn under_load(
    load: &Load<'_>,
    round: usize,
    requests: &mut Vec<Request>,
    meanwhile: impl FnOnce(&mpsc::Receiver<Request>, &mut Vec<Request>),
) -> BTreeSet<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let sender = sender.clone();
                scope.spawn(move || load.run(&format!("{round}-{client}"), &sender))
            })
            .collect();
        drop(sender);
        meanwhile(&receiver, requests);
        requests.extend(receiver);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    })
}

/// A moment that nobody knows beforehand: after so many requests.
fn moment() -> usize {
    usize::try_from(RandomState::new().build_hasher().finish() % 150).unwrap() + 40
}

async fn every_acknowledged_change_survives_a_kill_once(place: &Place) {
    let token = place.token();
    let (mut requests, mut account) = (Vec::new(), Value::Null);
    for round in 0..3 {
        let mut server = place.serve();
        if round == 0 {
            account = prepare(&server.address, &token);
        }
        repeat(&server.address, &token, &mut requests);
        let address = server.address.clone();
        let load = Load { address: &address, token: &token, account: &account, stop: AtomicBool::new(false) };
        let codes = under_load(&load, round, &mut requests, |reports, requests| {
            requests.extend(reports.iter().take(moment()));
            server.kill();
        });
        assert_eq!(codes, BTreeSet::new());
    }
    let mut server = place.serve();
    repeat(&server.address, &token, &mut requests);
    server.kill();
    let db = Database::connect(place.url()).await.unwrap();
    check(&db, &requests).await;
    db.close().await.unwrap();
}

#[test]
fn a_restart_of_postgres_under_load_is_said_and_loses_nothing() {
    let Some(mut postgres) = OwnServer::start() else { return };
    let place = Place::migrated(&postgres.url);
    let token = place.token();
    let mut server = place.serve();
    let account = prepare(&server.address, &token);
    let address = server.address.clone();
    let load = Load { address: &address, token: &token, account: &account, stop: AtomicBool::new(false) };
    let mut requests = Vec::new();
    let codes = under_load(&load, 0, &mut requests, |reports, requests| {
        for _ in 0..2 {
            requests.extend(reports.iter().take(moment()));
            postgres.restart();
        }
        requests.extend(reports.iter().take(moment()));
        load.stop.store(true, Ordering::SeqCst);
    });
    assert!(codes.iter().all(|code| code == "SERVICE_UNAVAILABLE"), "{codes:?}");
    repeat(&server.address, &token, &mut requests);
    server.kill();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let db = Database::connect(place.url()).await.unwrap();
        check(&db, &requests).await;
        db.close().await.unwrap();
    });
}

#[test]
fn a_full_disk_is_said_and_loses_nothing() {
    run(Engine::Sqlite, async |place: &Place| {
        let token = place.token();
        let mut server = place.serve();
        let account = prepare(&server.address, &token);
        server.kill();
        let path = place.url().trim_start_matches("sqlite://").split('?').next().unwrap();
        let size = std::fs::metadata(path).unwrap().len();
        let mut server = place.serve_within(size + 2_000_000);
        let address = server.address.clone();
        let load = Load { address: &address, token: &token, account: &account, stop: AtomicBool::new(false) };
        let mut requests = Vec::new();
        let codes = under_load(&load, 0, &mut requests, |reports, requests| {
            // Until nothing is answered any more.
            let start = Instant::now();
            while start.elapsed() < Duration::from_secs(60) {
                match reports.recv_timeout(Duration::from_secs(3)) {
                    Ok(request) => requests.push(request),
                    Err(_) => break,
                }
            }
            load.stop.store(true, Ordering::SeqCst);
        });
        assert_eq!(codes, BTreeSet::from(["SERVICE_UNAVAILABLE".to_owned()]));
        let acknowledged = requests.iter().filter(|request| request.answer.is_some()).count();
        assert!(acknowledged > 20, "{acknowledged}");
        server.kill();
        // With room again, everything that was acknowledged is there, and the rest is done now.
        let mut server = place.serve();
        repeat(&server.address, &token, &mut requests);
        server.kill();
        let db = Database::connect(place.url()).await.unwrap();
        check(&db, &requests).await;
        db.close().await.unwrap();
    });
}
