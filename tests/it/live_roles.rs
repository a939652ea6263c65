//! Live subscriptions of each kind of caller: those that they may open, with and without an account, and their events.

use crate::support::live::{Server, Socket, record};
use crate::support::{TestApp, World, both_engines, global_id, local_id};
use serde_json::{Value, json};
use tollgate::auth::Permission;
use tollgate::changes::Change;
use uuid::Uuid;

both_engines!(
    each_caller_opens_what_they_may_see,
    each_caller_hears_of_the_accounts_that_they_ask_for,
    an_event_shows_the_row_as_it_is_then,
    a_former_member_hears_no_more,
);

const PAYMENTS: &str = "subscription($account: ID) { paymentRecorded(accountId: $account) {
    id chargeStatus account { id } } }";
const SUBSCRIPTIONS: &str = "subscription($account: ID) { subscriptionChanged(accountId: $account) {
    id status account { id } } }";
const EVENTS: &str = "subscription { webhookEventReceived { id state } }";

/// The callers, each with a token, the labels of the accounts that they see, and whether they see every event.
fn callers(test: &TestApp) -> Vec<(&'static str, String, &'static [&'static str], bool)> {
    const ALL: &[&str] = &["alice", "shared", "eve"];
    vec![
        ("alice", test.user_token("alice"), &["alice", "shared"][..], false),
        ("bob", test.user_token("bob"), &["shared"][..], false),
        ("carol", test.user_token("carol"), &[][..], false),
        ("eve", test.user_token("eve"), &["eve"][..], false),
        ("admin", test.admin_token(), ALL, true),
    ]
}

/// Returns the keys of services with a permission, and whether it lets them see everything.
async fn keys(test: &TestApp) -> Vec<(&'static str, String, bool)> {
    let create = "mutation($scope: String!) { createApiKey(input: {name: $scope, scopes: [$scope]}) { secret } }";
    let mut keys = Vec::new();
    for permission in Permission::ALL {
        let made = test.admin().data(create, json!({"scope": permission.scope()})).await;
        let secret = made["createApiKey"]["secret"].as_str().unwrap().to_owned();
        keys.push((permission.scope(), secret, permission == Permission::BillingRead));
    }
    keys
}

/// The global id of the account with this label.
fn account(world: &World, label: &str) -> Value {
    match label {
        "shared" => json!(global_id("Account", world.shared)),
        label => json!(world.id("Account", label)),
    }
}

fn row(world: &World, ty: &str, label: &str) -> (Uuid, Uuid) {
    let (_, account) = local_id(account(world, label).as_str().unwrap());
    (local_id(world.id(ty, label)).1, account)
}

async fn each_caller_opens_what_they_may_see(test: &TestApp) {
    let world = World::make(test).await;
    let server = Server::start(test).await;
    let unknown = json!(global_id("Account", Uuid::nil()));
    let payment = json!(world.id("Payment", "shared"));
    for (name, token, sees, every_event) in callers(test) {
        let mut socket = Socket::of(&server, Some(&token)).await;
        for (number, query) in [PAYMENTS, SUBSCRIPTIONS].into_iter().enumerate() {
            socket.watch(&format!("all {number}"), query, json!({})).await;
            for label in ["alice", "shared", "eve"] {
                let id = format!("{label} {number}");
                let variables = json!({"account": account(&world, label)});
                if sees.contains(&label) {
                    socket.watch(&id, query, variables).await;
                } else {
                    socket.ask(&id, query, variables).await;
                    assert_eq!(socket.error(&id).await, "NOT_FOUND", "{name} watches the account of {label}");
                }
            }
            let id = format!("unknown {number}");
            socket.ask(&id, query, json!({"account": unknown})).await;
            assert_eq!(socket.error(&id).await, "NOT_FOUND", "{name}");
            for wrong in [json!("nonsense"), payment.clone()] {
                let id = format!("wrong {number}");
                socket.ask(&id, query, json!({"account": wrong})).await;
                assert_eq!(socket.error(&id).await, "BAD_USER_INPUT", "{name} {wrong}");
            }
        }
        if every_event {
            socket.watch("events", EVENTS, json!({})).await;
        } else {
            socket.ask("events", EVENTS, json!({})).await;
            assert_eq!(socket.error("events").await, "FORBIDDEN", "{name}");
        }
    }
    for (scope, key, every_event) in keys(test).await {
        let mut socket = Socket::of(&server, Some(&key)).await;
        socket.watch("payments", PAYMENTS, json!({})).await;
        socket.ask("events", EVENTS, json!({})).await;
        if every_event {
            socket.settle().await;
        } else {
            assert_eq!(socket.error("events").await, "FORBIDDEN", "{scope}");
        }
    }
    let mut nobody = Socket::of(&server, None).await;
    for query in [PAYMENTS, SUBSCRIPTIONS, EVENTS] {
        nobody.ask("1", query, json!({})).await;
        assert_eq!(nobody.error("1").await, "UNAUTHENTICATED", "{query}");
    }
    server.stop().await;
}

async fn each_caller_hears_of_the_accounts_that_they_ask_for(test: &TestApp) {
    let world = World::make(test).await;
    let server = Server::start(test).await;
    // Each socket watches payments of one account or of all, and subscriptions of all.
    let mut watchers: Vec<(String, Socket, Vec<&str>, Vec<&str>)> = Vec::new();
    for (name, token, sees, _) in callers(test) {
        for only in std::iter::once(None).chain(sees.iter().copied().map(Some)) {
            let mut socket = Socket::of(&server, Some(&token)).await;
            let variables = only.map_or(json!({}), |label| json!({"account": account(&world, label)}));
            socket.watch("payments", PAYMENTS, variables).await;
            socket.watch("subscriptions", SUBSCRIPTIONS, json!({"account": null})).await;
            let payments = sees.iter().copied().filter(|label| only.is_none_or(|only| only == *label)).collect();
            watchers.push((format!("{name} {only:?}"), socket, payments, sees.to_vec()));
        }
    }
    for (scope, key, sees_all) in keys(test).await {
        let mut socket = Socket::of(&server, Some(&key)).await;
        socket.watch("payments", PAYMENTS, json!({})).await;
        socket.watch("subscriptions", SUBSCRIPTIONS, json!({})).await;
        let sees = if sees_all { vec!["alice", "shared", "eve"] } else { vec![] };
        watchers.push((scope.to_owned(), socket, sees.clone(), sees));
    }
    for label in ["alice", "shared", "eve"] {
        let (payment, of) = row(&world, "Payment", label);
        record(test, Change::PaymentRecorded(payment, of)).await;
        for (name, socket, payments, _) in &mut watchers {
            if payments.contains(&label) {
                let event = socket.event("payments").await["paymentRecorded"].take();
                let id = global_id("Payment", payment);
                let expected =
                    json!({"id": id, "chargeStatus": "SUCCEEDED", "account": {"id": account(&world, label)}});
                assert_eq!(event, expected, "{name}");
            }
            socket.settle().await;
        }
        let (subscription, of) = row(&world, "Subscription", label);
        record(test, Change::SubscriptionChanged(subscription, of)).await;
        for (name, socket, _, subscriptions) in &mut watchers {
            if subscriptions.contains(&label) {
                let event = socket.event("subscriptions").await["subscriptionChanged"].take();
                assert_eq!(event["id"], global_id("Subscription", subscription), "{name}");
                assert_eq!((&event["status"], &event["account"]["id"]), (&json!("ACTIVE"), &account(&world, label)));
            }
            socket.settle().await;
        }
    }
    server.stop().await;
}

async fn an_event_shows_the_row_as_it_is_then(test: &TestApp) {
    let world = World::make(test).await;
    let server = Server::start(test).await;
    let mut socket = Socket::of(&server, Some(&test.user_token("eve"))).await;
    socket.watch("1", SUBSCRIPTIONS, json!({})).await;
    let (subscription, of) = row(&world, "Subscription", "eve");
    for status in ["past_due", "paused", "canceled"] {
        let update = format!("UPDATE subscriptions SET status = '{status}' WHERE id = $1");
        crate::support::sql::rows(test.app.db.schema(), &update, [subscription.into()]).await;
        record(test, Change::SubscriptionChanged(subscription, of)).await;
        let event = socket.event("1").await["subscriptionChanged"].take();
        assert_eq!(event["status"], status.to_uppercase());
    }
    server.stop().await;
}

async fn a_former_member_hears_no_more(test: &TestApp) {
    let world = World::make(test).await;
    let server = Server::start(test).await;
    let mut bob = Socket::of(&server, Some(&test.user_token("bob"))).await;
    let mut alice = Socket::of(&server, Some(&test.user_token("alice"))).await;
    for socket in [&mut bob, &mut alice] {
        socket.watch("1", PAYMENTS, json!({})).await;
        socket.watch("2", PAYMENTS, json!({"account": account(&world, "shared")})).await;
    }
    let (payment, of) = row(&world, "Payment", "shared");
    let told = async |socket: &mut Socket| {
        let mut heard = [socket.hear().await["id"].to_string(), socket.hear().await["id"].to_string()];
        heard.sort();
        heard
    };
    record(test, Change::PaymentRecorded(payment, of)).await;
    assert_eq!(told(&mut bob).await, ["\"1\"", "\"2\""]);
    assert_eq!(told(&mut alice).await, ["\"1\"", "\"2\""]);
    let leave = "UPDATE account_members SET left_at = joined_at WHERE account_id = $1 AND role = 'member'";
    crate::support::sql::rows(test.app.db.schema(), leave, [of.into()]).await;
    record(test, Change::PaymentRecorded(payment, of)).await;
    assert_eq!(told(&mut alice).await, ["\"1\"", "\"2\""]);
    // Bob's operations stay open, and are silent.
    bob.settle().await;
    server.stop().await;
}
