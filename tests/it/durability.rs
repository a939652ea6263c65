//! Acknowledged writes survive the killing of the server, and the ledger stays balanced.

use crate::support::server::{Place, post};
use crate::support::webhooks::{STRIPE_SECRET, event, signature};
use crate::support::{both_engines, sql};
use sea_orm::Database;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::BufReader;
use std::net::TcpStream;
use std::sync::mpsc;
use tollgate::clock::Clock;
use tollgate::providers::Provider;
use uuid::Uuid;

both_engines!(every_acknowledged_grant_survives_a_kill, every_acknowledged_webhook_survives_a_kill);

/// Number of concurrent clients that grant credits.
const CLIENTS: usize = 8;

/// Number of concurrent connections of a provider.
const SENDERS: usize = 16;

/// Asks over a connection that stays open; `None` once the server is gone.
fn ask(stream: &mut BufReader<TcpStream>, token: &str, query: &str, variables: &Value) -> Option<Value> {
    let body = json!({"query": query, "variables": variables}).to_string();
    let (_, body) = post(stream, "/graphql", &format!("authorization: Bearer {token}"), &body)?;
    let reply: Value = serde_json::from_slice(&body).unwrap();
    assert!(reply.get("errors").is_none(), "{reply}");
    Some(reply["data"].clone())
}

/// Grants credits until it is stopped, and reports every acknowledged grant.
fn grant(address: &str, token: &str, account: &Value, name: &str, acknowledged: &mpsc::Sender<String>) {
    const GRANT: &str = "mutation($account: ID!, $key: String!, $amount: BigInt!) {
        grantCredits(input: {accountId: $account, unit: \"credit\", amount: $amount, idempotencyKey: $key}) {
            creditGrant { id } userErrors { code }
        }
    }";
    let mut stream = BufReader::new(TcpStream::connect(address).unwrap());
    for number in 1_u64.. {
        let variables = json!({"account": account, "key": format!("{name}-{number}"), "amount": number.to_string()});
        let Some(data) = ask(&mut stream, token, GRANT, &variables) else { return };
        let id = data["grantCredits"]["creditGrant"]["id"].as_str().expect("granted").to_owned();
        if acknowledged.send(id).is_err() {
            return;
        }
    }
}

/// Queries that find nothing in books that balance.
const WRONG: &[&str] = &[
    "SELECT 1 FROM ledger_entries GROUP BY txn_id, credit_unit_id HAVING SUM(amount) <> 0",
    "SELECT 1 FROM ledger_entries e WHERE NOT EXISTS (SELECT 1 FROM ledger_txns t WHERE t.id = e.txn_id)",
    "SELECT 1 FROM balances b WHERE available <> (SELECT SUM(remaining) FROM credit_grants g \
     WHERE g.account_id = b.account_id)",
    "SELECT 1 FROM balances b WHERE entry_count <> (SELECT COUNT(*) FROM ledger_entries e \
     WHERE e.account_id = b.account_id)",
    "SELECT 1 FROM credit_grants g WHERE (SELECT COUNT(*) FROM ledger_entries e WHERE e.grant_id = g.id) <> 2",
    "SELECT 1 FROM credit_grants g WHERE (SELECT COUNT(*) FROM audit_log l WHERE l.entity_id = g.id) <> 1",
    "SELECT 1 FROM (SELECT (SELECT COUNT(*) FROM credit_grants) AS grants, (SELECT COUNT(*) FROM idempotency_keys) \
     AS keys) AS counts WHERE grants <> keys",
];

async fn every_acknowledged_grant_survives_a_kill(place: &Place) {
    let token = place.token();
    let mut all: Vec<Uuid> = Vec::new();
    let mut account = Value::Null;
    for round in 0..3 {
        let mut server = place.serve();
        if round == 0 {
            let mut stream = BufReader::new(TcpStream::connect(&server.address).unwrap());
            let unit = "mutation { createCreditUnit(input: {code: \"credit\", name: \"x\"}) { userErrors { code } } }";
            ask(&mut stream, &token, unit, &json!({})).unwrap();
            let mine = "{ viewer { account { id } } }";
            account = ask(&mut stream, &token, mine, &json!({})).unwrap()["viewer"]["account"]["id"].clone();
        }
        let (sender, acknowledged) = mpsc::channel();
        // A moment that nobody knows beforehand: after so many grants.
        let moment = usize::try_from(RandomState::new().build_hasher().finish() % 150).unwrap() + 20;
        let address = server.address.clone();
        let seen: Vec<String> = std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (sender, name) = (sender.clone(), format!("{round}-{client}"));
                let (address, token, account) = (&address, &token, &account);
                scope.spawn(move || grant(address, token, account, &name, &sender));
            }
            drop(sender);
            let mut seen: Vec<_> = acknowledged.iter().take(moment).collect();
            server.kill();
            seen.extend(acknowledged);
            seen
        });
        all.extend(seen.iter().map(|id| crate::support::company::local_id(&json!(id))));
        assert!(all.len() >= moment);
    }
    let db = Database::connect(place.url()).await.unwrap();
    let stored = sql::ids(&db, "SELECT id FROM credit_grants", []).await;
    let lost: Vec<_> = all.iter().filter(|id| !stored.contains(id)).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged grants are lost", lost.len(), all.len());
    for wrong in WRONG {
        let found = sql::number(&db, &format!("SELECT COUNT(*) FROM ({wrong}) AS wrong")).await;
        assert_eq!(found, 0, "{wrong}");
    }
    db.close().await.unwrap();
}

/// Sends an event, signed afresh; whether it was acknowledged. `None` once the server is gone.
fn deliver(stream: &mut BufReader<TcpStream>, id: &str, object: &str) -> Option<bool> {
    let body = event(Provider::Stripe, id, object).to_string();
    let time = Clock::System.now().timestamp();
    let signature = signature(Provider::Stripe, &[STRIPE_SECRET], time, body.as_bytes());
    let (status, _) = post(stream, "/webhooks/stripe", &format!("stripe-signature: {signature}"), &body)?;
    Some(status == 200)
}

/// Sends events until it is stopped, and reports the acknowledged ones; returns those that were sent.
fn storm(address: &str, name: &str, acknowledged: &mpsc::Sender<String>) -> Vec<String> {
    let mut stream = BufReader::new(TcpStream::connect(address).unwrap());
    let mut sent = Vec::new();
    for number in 1_u64.. {
        let id = format!("evt_{name}_{number}");
        sent.push(id.clone());
        match deliver(&mut stream, &id, &format!("cus_{}", number % 7)) {
            Some(true) => _ = acknowledged.send(id),
            Some(false) => panic!("{id} is refused"),
            None => break,
        }
    }
    sent
}

async fn every_acknowledged_webhook_survives_a_kill(place: &Place) {
    let (mut sent, mut acknowledged) = (Vec::new(), Vec::new());
    for round in 0..3 {
        let mut server = place.serve();
        let (sender, receiver) = mpsc::channel();
        let moment = usize::try_from(RandomState::new().build_hasher().finish() % 300).unwrap() + 40;
        let address = server.address.clone();
        std::thread::scope(|scope| {
            let senders: Vec<_> = (0..SENDERS)
                .map(|number| {
                    let (sender, address) = (sender.clone(), &address);
                    scope.spawn(move || storm(address, &format!("{round}_{number}"), &sender))
                })
                .collect();
            drop(sender);
            acknowledged.extend(receiver.iter().take(moment));
            server.kill();
            acknowledged.extend(receiver);
            sent.extend(senders.into_iter().flat_map(|sender| sender.join().unwrap()));
        });
    }
    let mut server = place.serve();
    let db = Database::connect(place.url()).await.unwrap();
    let stored: HashSet<String> =
        sql::column(&db, "SELECT external_id FROM inbox_events", []).await.into_iter().collect();
    let lost: Vec<_> = acknowledged.iter().filter(|id| !stored.contains(*id)).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged events are lost", lost.len(), acknowledged.len());
    // All events are sent again, acknowledged or not: each is stored once.
    let mut stream = BufReader::new(TcpStream::connect(&server.address).unwrap());
    assert!(sent.iter().all(|id| deliver(&mut stream, id, "cus_0") == Some(true)));
    // Nothing that is not signed gets in, and who sent it is known.
    assert_eq!(post(&mut stream, "/webhooks/stripe", "a: b", "{}").unwrap().0, 400);
    server.kill();
    assert_eq!(sql::column::<String>(&db, "SELECT subject FROM security_events", []).await, ["127.0.0.1"]);
    let all = i64::try_from(sent.len()).unwrap();
    assert_eq!(sql::number(&db, "SELECT COUNT(*) FROM inbox_events").await, all);
    let told = "SELECT COUNT(*) FROM changes WHERE kind = 'webhook_event_received'";
    assert_eq!(sql::number(&db, told).await, all, "each was kept in one transaction with what tells of it");
    db.close().await.unwrap();
}
