//! The owners of purchases: only a server or a signed reference names them, never the buyer's browser alone.

use crate::support::{TestApp, both_engines, sql, webhooks};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use std::path::PathBuf;
use tollgate::auth::{Permission, Viewer};
use tollgate::inbox::rebuild;
use tollgate::providers::Provider;

both_engines!(
    a_client_reference_id_names_nobody_by_itself,
    a_signed_reference_names_the_account_of_a_checkout,
    metadata_of_a_server_comes_before_a_reference,
    custom_data_of_a_checkout_at_paddle_name_nobody,
    a_signed_reference_names_the_account_of_a_transaction,
    a_reference_is_valid_for_one_provider_until_it_expires,
    a_subscription_whose_copy_has_expired_belongs_to_its_first_transaction,
    a_buyer_who_types_the_address_of_a_customer_gets_nothing_of_theirs,
    a_server_names_the_owner_of_a_customer_at_paddle,
    references_may_be_required_at_paddle,
    a_reference_is_signed_for_those_who_may_bill_the_account,
);

const SIGN: &str = "mutation($provider: Provider! = STRIPE, $account: ID, $seconds: Int! = 86400) {
    createPurchaseReference(input: {provider: $provider, accountId: $account, validForSeconds: $seconds}) {
        reference expiresAt userErrors { code field } } }";
const MINE: &str = "{ viewer { trialAvailable account { id payments { totalCount } invoices { totalCount }
    subscriptions { totalCount } licenseKeys { totalCount } creditBalances { available }
    providerCustomers { nodes { externalId } } } } }";

/// The records of a user that come from purchases, and whether their trial is left.
async fn mine(test: &TestApp, user: &str) -> Value {
    let mut data = test.user(user).data(MINE, json!({})).await;
    let (account, trial) = (data["viewer"]["account"].take(), data["viewer"]["trialAvailable"].take());
    let count = |list: &str| account[list]["totalCount"].clone();
    let customers = account["providerCustomers"]["nodes"].as_array().unwrap().iter();
    let customers: Vec<_> = customers.map(|customer| customer["externalId"].clone()).collect();
    json!({"payments": count("payments"), "invoices": count("invoices"), "subscriptions": count("subscriptions"),
        "licences": count("licenseKeys"), "credits": account["creditBalances"], "customers": customers, "trial": trial})
}

fn nothing() -> Value {
    json!({"payments": 0, "invoices": 0, "subscriptions": 0, "licences": 0, "credits": [], "customers": [],
        "trial": true})
}

async fn signed(test: &TestApp, user: &str, provider: &str) -> String {
    let mut data = test.user(user).data(SIGN, json!({"provider": provider})).await;
    assert_eq!(data["createPurchaseReference"]["userErrors"], json!([]));
    data["createPurchaseReference"]["reference"].take().as_str().unwrap().to_owned()
}

/// The notes and the wait keys of the events about an object that waits.
async fn waiting(test: &TestApp, object: &str) -> (String, String) {
    let query = "{ webhookEvents(first: 100, filter: {waiting: true}) { nodes { objectId note waitsFor } } }";
    let data = test.admin().data(query, json!({})).await;
    let mut nodes = data["webhookEvents"]["nodes"].as_array().unwrap().iter();
    let node = nodes.find(|node| node["objectId"] == object).unwrap_or_else(|| panic!("{object}: {data}"));
    let text = |field: &str| node[field].as_str().unwrap_or_default().to_owned();
    (text("note"), text("waitsFor"))
}

async fn suspicions(test: &TestApp) -> Vec<(String, i64)> {
    tollgate::security::flush(&test.app).await;
    let query = "{ securityEvents(filter: {suspicion: [OWNER_UNVERIFIED]}) { nodes { subject occurrences } } }";
    let data = test.admin().data(query, json!({})).await;
    let nodes = data["securityEvents"]["nodes"].as_array().unwrap().iter();
    let read =
        |node: &Value| (node["subject"].as_str().unwrap().to_owned(), node["occurrences"].as_i64().unwrap_or(-1));
    nodes.map(read).collect()
}

/// Applies the whole inbox again, which must change nothing.
async fn assert_rebuilt(test: &TestApp) {
    let rebuilt = rebuild(&test.app, &Viewer::system("test"), true, |_, _| ()).await.unwrap();
    assert_eq!((rebuilt.drift.failures, rebuilt.drift.differences), (Vec::new(), Vec::new()));
}

async fn stripe(test: &TestApp, id: &str, kind: &str, object: Value) {
    let created = test.app.now().timestamp();
    let event = json!({"id": id, "object": "event", "api_version": "2025-08-27.basil", "created": created,
        "livemode": false, "type": kind, "data": {"object": object}});
    assert_eq!(webhooks::deliver(test, Provider::Stripe, &event).await.status, 200);
    test.run_jobs().await;
}

fn customer(id: &str, metadata: Value) -> Value {
    json!({"id": id, "object": "customer", "created": 1_757_000_000, "email": "ann@example.com", "metadata": metadata})
}

/// A paid session of a payment link, which sells 100 credits.
fn session(test: &TestApp, id: &str, customer: &str, reference: &str) -> Value {
    json!({"id": id, "object": "checkout.session", "created": test.app.now().timestamp(), "mode": "payment",
        "customer": customer, "client_reference_id": reference, "payment_status": "paid", "status": "complete",
        "payment_link": "plink_1", "payment_intent": format!("pi_{id}"), "amount_total": 900, "currency": "usd",
        "metadata": {"credits": "100"}})
}

fn intent(id: &str, customer: &str) -> Value {
    json!({"id": id, "object": "payment_intent", "created": 1_757_000_000, "status": "succeeded", "amount": 900,
        "amount_received": 900, "currency": "usd", "customer": customer, "metadata": {}})
}

async fn a_client_reference_id_names_nobody_by_itself(test: &TestApp) {
    mine(test, "ann").await;
    mine(test, "eve").await;
    stripe(test, "evt_1", "customer.created", customer("cus_1", json!({}))).await;
    stripe(test, "evt_2", "checkout.session.completed", session(test, "cs_1", "cus_1", "ann")).await;
    stripe(test, "evt_3", "payment_intent.succeeded", intent("pi_cs_1", "cus_1")).await;
    assert_eq!(mine(test, "ann").await, nothing());
    let (note, waits_for) = waiting(test, "cs_1").await;
    assert!(note.contains("names ann as the owner"), "{note}");
    assert_eq!(waits_for, "customer:cus_1");
    assert_eq!(suspicions(test).await, [("stripe".to_owned(), 1)]);
    // A server says whose it is.
    stripe(test, "evt_4", "customer.updated", customer("cus_1", json!({"user_id": "eve"}))).await;
    assert_eq!(mine(test, "ann").await, nothing());
    let hers = mine(test, "eve").await;
    assert_eq!((&hers["payments"], &hers["credits"]), (&json!(1), &json!([{"available": "100"}])));
    assert_rebuilt(test).await;
}

async fn a_signed_reference_names_the_account_of_a_checkout(test: &TestApp) {
    let reference = signed(test, "ann", "STRIPE").await;
    assert!(
        reference.len() <= 200 && reference.chars().all(|char| char.is_ascii_alphanumeric() || "-_".contains(char))
    );
    let subscription = json!({"id": "sub_1", "object": "subscription", "created": 1_757_000_000, "status": "trialing",
        "customer": "cus_1", "metadata": {}, "trial_start": 1_757_000_000, "trial_end": 1_757_600_000,
        "items": {"data": []}});
    let mut subscribing = session(test, "cs_1", "cus_1", &reference);
    subscribing["mode"] = json!("subscription");
    subscribing["subscription"] = json!("sub_1");
    subscribing["payment_intent"] = Value::Null;
    let deliveries = [
        ("customer.subscription.created", subscription),
        ("payment_intent.succeeded", intent("pi_cs_2", "cus_1")),
        ("checkout.session.completed", subscribing),
        ("customer.created", customer("cus_1", json!({}))),
        ("checkout.session.completed", session(test, "cs_2", "cus_1", &reference)),
    ];
    for (number, (kind, object)) in deliveries.into_iter().enumerate() {
        stripe(test, &format!("evt_{number}"), kind, object).await;
    }
    let expected = json!({"payments": 1, "invoices": 0, "subscriptions": 1, "licences": 0,
        "credits": [{"available": "100"}], "customers": ["cus_1"], "trial": false});
    assert_eq!(mine(test, "ann").await, expected);
    assert!(suspicions(test).await.is_empty());
    assert_rebuilt(test).await;
}

async fn metadata_of_a_server_comes_before_a_reference(test: &TestApp) {
    let reference = signed(test, "ann", "STRIPE").await;
    mine(test, "eve").await;
    let mut named = session(test, "cs_1", "cus_1", &reference);
    named["metadata"]["user_id"] = json!("eve");
    stripe(test, "evt_1", "checkout.session.completed", named).await;
    stripe(test, "evt_2", "payment_intent.succeeded", intent("pi_cs_1", "cus_1")).await;
    assert_eq!(mine(test, "eve").await["credits"], json!([{"available": "100"}]));
    assert_eq!(mine(test, "ann").await, nothing());
}

/// An event of the corpus about something else: with these custom data, and ids of its own.
fn paddle_event(file: &str, name: &str, custom_data: &Value, created_at: DateTime<Utc>) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/corpus").join(file);
    let mut event: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    event["event_id"] = json!(format!("evt_{name}_{}", event["event_type"].as_str().unwrap()));
    let data = &mut event["data"];
    if data.get("custom_data").is_some() {
        data["custom_data"] = custom_data.clone();
    }
    data["id"] = json!(name);
    data["created_at"] = json!(created_at.to_rfc3339());
    event
}

fn sold(test: &TestApp, id: &str, custom_data: &Value) -> Value {
    let file = "21-paddle-license/events/0016-transaction.completed.json";
    let mut event = paddle_event(file, id, custom_data, test.app.now());
    event["data"]["customer_id"] = json!("ctm_1");
    event
}

fn subscribed(at: DateTime<Utc>, custom_data: &Value) -> [Value; 2] {
    let lifecycle = |file: &str| format!("20-paddle-lifecycle/events/{file}");
    let first = lifecycle("0020-transaction.completed.json");
    let mut transaction = paddle_event(&first, "txn_first", custom_data, at);
    let created = lifecycle("0015-subscription.created.json");
    let mut subscription = paddle_event(&created, "sub_1", custom_data, at + TimeDelta::minutes(2));
    transaction["data"]["subscription_id"] = json!("sub_1");
    for event in [&mut transaction, &mut subscription] {
        event["data"]["customer_id"] = json!("ctm_1");
    }
    [transaction, subscription]
}

fn paddle_customer(custom_data: &Value) -> Value {
    let file = "21-paddle-license/events/0009-customer.created.json";
    let mut event = paddle_event(file, "ctm_1", custom_data, DateTime::UNIX_EPOCH);
    event["event_id"] = json!(format!("evt_ctm_1_{custom_data}"));
    event
}

async fn paddle(test: &TestApp, event: &Value) {
    let reply = webhooks::deliver(test, Provider::Paddle, event).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    test.run_jobs().await;
}

async fn custom_data_of_a_checkout_at_paddle_name_nobody(test: &TestApp) {
    mine(test, "ann").await;
    let custom_data = json!({"user_id": "ann"});
    // A transaction of a server too, because Paddle.js replaces its custom data.
    for (id, origin) in [("txn_web", "web"), ("txn_api", "api"), ("txn_other", "subscription_charge")] {
        let mut event = sold(test, id, &custom_data);
        event["data"]["origin"] = json!(origin);
        paddle(test, &event).await;
        let (note, waits_for) = waiting(test, id).await;
        assert!(note.contains("names ann as the owner"), "{note}");
        assert_eq!(waits_for, "owner:ctm_1");
    }
    for event in subscribed(test.app.now(), &custom_data) {
        paddle(test, &event).await;
    }
    paddle(test, &paddle_customer(&Value::Null)).await;
    assert_eq!(mine(test, "ann").await, nothing());
    assert_eq!(suspicions(test).await.len(), 1);
    assert_rebuilt(test).await;
}

async fn a_signed_reference_names_the_account_of_a_transaction(test: &TestApp) {
    let custom_data = json!({"tollgate_reference": signed(test, "ann", "PADDLE").await, "user_id": "eve"});
    mine(test, "eve").await;
    let [transaction, subscription] = subscribed(test.app.now(), &custom_data);
    let events = [sold(test, "txn_1", &custom_data), paddle_customer(&Value::Null), subscription, transaction];
    for event in &events {
        paddle(test, event).await;
    }
    // The trial costs nothing.
    let expected = json!({"payments": 1, "invoices": 2, "subscriptions": 1, "licences": 3, "credits": [],
        "customers": ["ctm_1"], "trial": false});
    assert_eq!(mine(test, "ann").await, expected);
    assert_eq!(mine(test, "eve").await, nothing());
    assert!(suspicions(test).await.is_empty());
    assert_rebuilt(test).await;
}

async fn a_reference_is_valid_for_one_provider_until_it_expires(test: &TestApp) {
    let [of_stripe, of_paddle] = [signed(test, "ann", "STRIPE").await, signed(test, "ann", "PADDLE").await];
    let mut forged = of_stripe.clone();
    forged.replace_range(20..22, if &forged[20..22] == "AA" { "BB" } else { "AA" });
    let expiry = test.app.now() + TimeDelta::days(1);
    let at = |reference: &str, number: usize, created: DateTime<Utc>| {
        let mut session = session(test, &format!("cs_{number}"), &format!("cus_{number}"), reference);
        session["created"] = json!(created.timestamp());
        session
    };
    let tries = [
        (&of_stripe, expiry - TimeDelta::seconds(1), None),
        (&of_stripe, expiry, Some("had expired")),
        (&of_stripe, expiry + TimeDelta::days(400), Some("had expired")),
        (&of_paddle, test.app.now(), Some("is not signed by this installation")),
        (&forged, test.app.now(), Some("is not signed by this installation")),
    ];
    // A payment that takes longer than the reference lives does no harm.
    test.advance(TimeDelta::days(30));
    for (number, (reference, created, refused)) in tries.into_iter().enumerate() {
        let session = at(reference, number, created);
        stripe(test, &format!("evt_{number}"), "checkout.session.completed", session).await;
        let intent = intent(&format!("pi_cs_{number}"), &format!("cus_{number}"));
        stripe(test, &format!("evt_pi_{number}"), "payment_intent.succeeded", intent).await;
        if let Some(reason) = refused {
            let (note, _) = waiting(test, &format!("cs_{number}")).await;
            assert!(note.contains(reason), "{note}");
        }
    }
    let hers = mine(test, "ann").await;
    assert_eq!((&hers["payments"], &hers["credits"]), (&json!(1), &json!([{"available": "100"}])));
    assert_eq!(suspicions(test).await.len(), 1);
    assert_rebuilt(test).await;
}

async fn a_subscription_whose_copy_has_expired_belongs_to_its_first_transaction(test: &TestApp) {
    let custom_data = json!({"tollgate_reference": signed(test, "ann", "PADDLE").await});
    // The checkout opens a minute before the reference expires, and ends a minute after.
    let opened = test.app.now() + TimeDelta::days(1) - TimeDelta::minutes(1);
    let [first, subscription] = subscribed(opened, &custom_data);
    let file = "20-paddle-lifecycle/events/0028-transaction.completed.json";
    let mut renewal = paddle_event(file, "txn_renewal", &custom_data, opened + TimeDelta::days(31));
    renewal["data"]["subscription_id"] = json!("sub_1");
    renewal["data"]["customer_id"] = json!("ctm_1");
    renewal["data"]["origin"] = json!("subscription_recurring");
    for event in [&renewal, &subscription, &first] {
        paddle(test, event).await;
    }
    let hers = mine(test, "ann").await;
    assert_eq!((&hers["subscriptions"], &hers["invoices"], &hers["trial"]), (&json!(1), &json!(2), &json!(false)));
    let left = "SELECT object_id FROM inbox_events WHERE state <> 'applied'";
    assert_eq!(sql::column::<String>(test.app.db.read(), left, []).await, [""; 0]);
    assert_eq!(suspicions(test).await.len(), 1, "while it waited for its first transaction");
    assert_rebuilt(test).await;
}

async fn a_buyer_who_types_the_address_of_a_customer_gets_nothing_of_theirs(test: &TestApp) {
    let hers = json!({"tollgate_reference": signed(test, "ann", "PADDLE").await});
    let his = json!({"tollgate_reference": signed(test, "bob", "PADDLE").await});
    let first = sold(test, "txn_1", &hers);
    test.advance(TimeDelta::minutes(1));
    let second = sold(test, "txn_2", &his);
    // Whatever order they come in, the customer stays with the first.
    for event in [&paddle_customer(&Value::Null), &second, &first, &sold(test, "txn_3", &Value::Null)] {
        paddle(test, event).await;
    }
    let (ann, bob) = (mine(test, "ann").await, mine(test, "bob").await);
    assert_eq!((&ann["licences"], &ann["customers"]), (&json!(3), &json!(["ctm_1"])));
    assert_eq!((&bob["licences"], &bob["customers"]), (&json!(3), &json!([])));
    // The purchase that nobody signed for is nobody's.
    assert_eq!(waiting(test, "txn_3").await, (String::new(), "owner:ctm_1".to_owned()));
    assert_rebuilt(test).await;
}

async fn a_server_names_the_owner_of_a_customer_at_paddle(test: &TestApp) {
    mine(test, "ann").await;
    mine(test, "eve").await;
    paddle(test, &sold(test, "txn_1", &json!({"user_id": "eve"}))).await;
    assert_eq!(mine(test, "eve").await, nothing());
    paddle(test, &paddle_customer(&json!({"user_id": "ann"}))).await;
    assert_eq!(mine(test, "ann").await["licences"], 3);
    assert_eq!(mine(test, "eve").await, nothing());
    // The custom data of the browser agree: nothing to report.
    let before = suspicions(test).await;
    paddle(test, &sold(test, "txn_2", &json!({"user_id": "ann"}))).await;
    assert_eq!(mine(test, "ann").await["licences"], 6);
    assert_eq!(suspicions(test).await, before);
    assert_rebuilt(test).await;
}

async fn references_may_be_required_at_paddle(test: &TestApp) {
    mine(test, "ann").await;
    let test = &test
        .beside(&[
            ("TOLLGATE_JWT_HS256_SECRET", crate::support::SECRET),
            ("TOLLGATE_PADDLE_WEBHOOK_SECRETS", webhooks::PADDLE_SECRET),
            ("TOLLGATE_PADDLE_REQUIRE_REFERENCE", "true"),
        ])
        .await;
    paddle(test, &paddle_customer(&json!({"user_id": "ann"}))).await;
    paddle(test, &sold(test, "txn_1", &json!({"user_id": "ann"}))).await;
    assert_eq!(waiting(test, "txn_1").await.1, "owner:ctm_1");
    let custom_data = json!({"tollgate_reference": signed(test, "ann", "PADDLE").await});
    paddle(test, &sold(test, "txn_2", &custom_data)).await;
    assert_eq!(mine(test, "ann").await["licences"], 3);
}

async fn a_reference_is_signed_for_those_who_may_bill_the_account(test: &TestApp) {
    let id = "{ viewer { account { id } } }";
    let account = test.user("ann").data(id, json!({})).await["viewer"]["account"]["id"].take();
    let named = json!({"account": account});
    let payload = async |caller: crate::support::Client<'_>, variables: Value| {
        caller.data(SIGN, variables).await["createPurchaseReference"].take()
    };
    let own = payload(test.user("ann"), json!({})).await;
    assert_eq!(own["expiresAt"], "2026-01-16T12:00:00Z");
    assert_eq!(payload(test.user("ann"), named.clone()).await, own, "the same moment gives the same reference");
    assert_eq!(payload(test.service(&[Permission::BillingWrite]), named.clone()).await, own);
    let refused = payload(test.user("eve"), named.clone()).await;
    assert_eq!(refused["reference"], Value::Null);
    assert_eq!(refused["userErrors"], json!([{"code": "ACCOUNT_NOT_FOUND", "field": ["accountId"]}]));
    assert_eq!(test.anonymous().code(SIGN, json!({})).await, "UNAUTHENTICATED");
    let reader = test.service(&[Permission::BillingRead, Permission::KeysWrite]);
    assert_eq!(reader.code(SIGN, named).await, "FORBIDDEN");
    for (variables, code) in [
        (json!({"provider": "MANUAL"}), "PROVIDER_INVALID"),
        (json!({"seconds": 59}), "LIFETIME_INVALID"),
        (json!({"seconds": 604_801}), "LIFETIME_INVALID"),
        (json!({"seconds": -1}), "LIFETIME_INVALID"),
    ] {
        let payload = payload(test.user("ann"), variables.clone()).await;
        assert_eq!(payload["userErrors"][0]["code"], code, "{variables}");
        assert_eq!((&payload["reference"], &payload["expiresAt"]), (&Value::Null, &Value::Null));
    }
    let longest = payload(test.user("ann"), json!({"seconds": 604_800})).await;
    assert_eq!(longest["expiresAt"], "2026-01-22T12:00:00Z");
}
