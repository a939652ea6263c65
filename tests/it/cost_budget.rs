//! The budget of operations while they run, and of a caller in a minute.

use crate::cost::{batch, configured, refusal};
use crate::support::live::{Events, Server, record};
use crate::support::{Company, TestApp, World, both_engines, event, local_id, sql};
use chrono::TimeDelta;
use entity::promo_codes;
use sea_orm::{ActiveModelTrait as _, IntoActiveModel as _, Set};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tollgate::changes::Change;

both_engines!(
    a_list_longer_than_assumed_stops_the_operation,
    values_longer_than_a_reply_may_be_stop_the_operation,
    a_reply_that_grows_too_long_is_refused,
    a_batch_shares_the_length_of_its_reply,
    equal_ids_are_answered_once_at_every_position,
    others_are_served_while_a_large_document_runs,
    others_are_served_while_the_schema_is_read,
    the_time_limit_holds_between_objects,
    large_operations_wait_for_each_other,
    a_caller_may_spend_so_much_in_a_minute,
    one_request_is_possible_whatever_the_rate,
    a_batch_is_charged_at_once_or_not_at_all,
    anonymous_callers_share_the_rate_of_their_address,
    the_events_of_a_subscription_are_charged,
);

/// Gives a coupon this many promotion codes.
async fn codes(test: &Company<12>, count: usize) {
    let found = sql::models::<promo_codes::Model>(test.db(), "SELECT * FROM promo_codes ORDER BY id LIMIT 1").await;
    for number in 0..count {
        let mut code = found[0].clone().into_active_model();
        code.id = Set(test.app.new_id());
        code.code = Set(format!("COPY{number}"));
        code.code_normalized = Set(format!("COPY{number}"));
        (code.provider, code.external_id) = (Set(None), Set(None));
        code.insert(test.db()).await.unwrap();
    }
}

async fn a_list_longer_than_assumed_stops_the_operation(test: &Company<12>) {
    codes(test, 200).await;
    let limit = [("TOLLGATE_LIMIT_COST_SERVICE", "150"), ("TOLLGATE_LIMIT_COST_USER", "150")];
    let strict = configured(test, &limit).await;
    let lists = "{ coupons(first: 5) { nodes { promoCodes { id } } } }";
    let reply = strict.admin().post(lists, json!({})).await;
    let body = reply.json();
    let (code, used, limit) = refusal(&body);
    assert_eq!((code.as_str(), limit), ("COST_LIMIT_EXCEEDED", 150), "{body}");
    assert!(used > 150, "{body}");
    assert_eq!(body.get("data"), None, "{body}");
    assert_eq!(body["extensions"]["cost"]["requestedQueryCost"], 61);
    assert_eq!(body["extensions"]["cost"]["actualQueryCost"], used);
    let message = body["errors"][0]["message"].as_str().unwrap();
    assert!(
        message.starts_with(&format!("The operation was stopped after {used} objects; the limit is 150.")),
        "{message}"
    );
    let accept = "application/graphql-response+json";
    assert_eq!(strict.admin().with_header("accept", accept).post(lists, json!({})).await.status, 400);
    // In a batch, what the first operation used is not left for the second.
    let few = json!({"query": "{ users(first: 60) { nodes { id } } }"});
    let (_, _, body) = batch(&strict, &strict.admin_token(), &[few.clone(), json!({"query": lists})]).await;
    assert!(body[0].get("errors").is_none(), "{body}");
    assert_eq!(refusal(&body[1]).0, "COST_LIMIT_EXCEEDED", "{body}");
    let lenient = configured(test, &[]).await;
    let body = lenient.admin().post(lists, json!({})).await.json();
    let actual = body["extensions"]["cost"]["actualQueryCost"].as_u64().unwrap();
    assert!(body.get("errors").is_none() && actual > 200, "{body}");
}

/// Lets the stored events be this long.
async fn lengthen(test: &Company<12>, bytes: usize) {
    for _ in 0..4 {
        event(&test.app).await;
    }
    let text = "x".repeat(bytes);
    sql::execute(test.db(), &format!("UPDATE inbox_events SET payload = '{{\"text\":\"{text}\"}}'")).await;
}

async fn values_longer_than_a_reply_may_be_stop_the_operation(test: &Company<12>) {
    lengthen(test, 20_000).await;
    let test = configured(test, &[("TOLLGATE_LIMIT_REPLY_BYTES", "65536")]).await;
    let events = "query($n: Int) { webhookEvents(first: $n) { nodes { id payload } } }";
    assert!(test.admin().post(events, json!({"n": 3})).await.json().get("errors").is_none());
    let body = test.admin().post(events, json!({"n": 4})).await.json();
    assert_eq!(refusal(&body), ("COST_LIMIT_EXCEEDED".to_owned(), 0, 65_536), "{}", body["errors"]);
    assert_eq!(body.get("data"), None);
    let names: String = (0..4).map(|number| format!("p{number}: payload ")).collect();
    let aliases = format!("{{ webhookEvents(first: 1) {{ nodes {{ {names} }} }} }}");
    assert_eq!(refusal(&test.admin().post(&aliases, json!({})).await.json()).0, "COST_LIMIT_EXCEEDED");
}

async fn a_reply_that_grows_too_long_is_refused(test: &Company<12>) {
    let test = configured(test, &[("TOLLGATE_LIMIT_REPLY_BYTES", "65536")]).await;
    let name = "a".repeat(1_500);
    let names: String = (0..5).map(|number| format!("{name}{number}: id ")).collect();
    let document = |first: usize| format!("{{ users(first: {first}) {{ nodes {{ {names} }} }} }}");
    let fits = test.admin().post(&document(8), json!({})).await;
    assert!(fits.json().get("errors").is_none() && fits.body.len() > 60_000, "{}", fits.body.len());
    let reply = test.admin().post(&document(9), json!({})).await;
    assert_eq!(reply.status, 200);
    assert_eq!(refusal(&reply.json()), ("COST_LIMIT_EXCEEDED".to_owned(), 0, 65_536));
    assert!(reply.body.len() < 1_000);
    let accept = "application/graphql-response+json";
    assert_eq!(test.admin().with_header("accept", accept).post(&document(9), json!({})).await.status, 400);
    let server = Server::start(&test).await;
    let error = Events::of(&server, Some(&test.admin_token()), &document(9), json!({})).await;
    let mut error = error;
    assert_eq!(error.error().await, "COST_LIMIT_EXCEEDED");
}

async fn a_batch_shares_the_length_of_its_reply(test: &Company<12>) {
    let test = configured(test, &[("TOLLGATE_LIMIT_REPLY_BYTES", "65536")]).await;
    let name = "a".repeat(1_000);
    let query = format!("{{ users(first: 12) {{ nodes {{ {name}: id }} }} }}");
    let operations = vec![json!({"query": query}); 10];
    let (status, _, body) = batch(&test, &test.admin_token(), &operations).await;
    assert_eq!(status, 200);
    let codes: Vec<String> = body.as_array().unwrap().iter().map(|reply| refusal(reply).0).collect();
    let refused = codes.iter().filter(|code| *code == "COST_LIMIT_EXCEEDED").count();
    assert!(codes[0].is_empty() && refused >= 4 && codes.len() == 10, "{codes:?}");
}

async fn equal_ids_are_answered_once_at_every_position(test: &Company<12>) {
    let test = configured(test, &[]).await;
    let admin = test.admin();
    let users = admin.data("{ users(first: 2) { nodes { id email } } }", json!({})).await;
    let (one, two) = (&users["users"]["nodes"][0], &users["users"]["nodes"][1]);
    let ids = json!([one["id"], "none", two["id"], one["id"], "none", one["id"]]);
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { id ... on User { email } } }";
    let body = admin.post(query, json!({"ids": ids})).await.json();
    assert_eq!(body["data"]["nodes"], json!([one, null, two, one, null, one]));
    assert_eq!(body["extensions"]["cost"], json!({"requestedQueryCost": 8, "actualQueryCost": 5}));
    // A failure is told once, at the first position.
    let keys = test.service(&[tollgate::auth::Permission::BillingRead]);
    let accounts = admin.data("{ accounts(first: 1) { nodes { id } } }", json!({})).await;
    let account = &accounts["accounts"]["nodes"][0]["id"];
    let failing =
        "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Account { payments(first: 101) { nodes { id } } } } }";
    let body = keys.post(failing, json!({"ids": ["none", account, account, account]})).await.json();
    assert_eq!(body["errors"].as_array().unwrap().len(), 1, "{body}");
    assert_eq!(body["errors"][0]["path"], json!(["nodes", 1, "payments"]), "{body}");
    let many = admin.post(query, json!({"ids": vec![one["id"].clone(); 101]})).await.json();
    assert_eq!(refusal(&many).0, "BAD_USER_INPUT");
}

/// A document with thousands of objects, all of which a few statements load.
const LARGE: &str = "{ payments(first: 100) { nodes { account { payments(first: 100) { nodes { account {
    payments(first: 100) { nodes { id amount { amount currency } } } } } } } } } }";

/// Returns the reply to a document, and the number of other requests that were served meanwhile, by the same task.
async fn served_during(test: &TestApp, document: &str) -> (Value, usize) {
    let (done, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (admin, anonymous) = (test.admin(), test.anonymous());
    let heavy = async {
        let reply = admin.post(document, json!({})).await;
        done.store(true, Ordering::SeqCst);
        reply.json()
    };
    let light = async {
        while !done.load(Ordering::SeqCst) {
            anonymous.data("{ __typename }", json!({})).await;
            served.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
        }
    };
    let (body, ()) = tokio::join!(heavy, light);
    assert!(body.get("errors").is_none(), "{}", body["errors"]);
    (body, served.load(Ordering::SeqCst))
}

async fn others_are_served_while_a_large_document_runs(test: &Company<12>) {
    let large = [("TOLLGATE_LIMIT_COST_SERVICE", "10000000"), ("TOLLGATE_REQUEST_TIMEOUT_MS", "600000")];
    let test = configured(test, &large).await;
    let (body, served) = served_during(&test, LARGE).await;
    let objects = body["extensions"]["cost"]["actualQueryCost"].as_u64().unwrap();
    let turns = objects / 32 / 4;
    assert!(objects > 1_000, "{objects} objects are too few");
    assert!(u64::try_from(served).unwrap() > turns, "{served} others were served during {objects} objects");
}

async fn others_are_served_while_the_schema_is_read(test: &TestApp) {
    let whole = include_str!("../../src/graphql/engine/documents/introspection.graphql");
    let (_, served) = served_during(test, whole).await;
    assert!(served > 10, "{served} others were served");
}

async fn the_time_limit_holds_between_objects(test: &Company<12>) {
    let slow = [("TOLLGATE_LIMIT_COST_SERVICE", "10000000"), ("TOLLGATE_REQUEST_TIMEOUT_MS", "100")];
    let test = configured(test, &slow).await;
    let reply = test.admin().post(LARGE, json!({})).await;
    let body = reply.json();
    assert_eq!((refusal(&body).0.as_str(), reply.status.as_u16()), ("TIMEOUT", 504), "{}", body["extensions"]);
}

async fn large_operations_wait_for_each_other(test: &Company<12>) {
    let test = configured(test, &[("TOLLGATE_LIMIT_COST_RUNNING", "1000")]).await;
    let admin = test.admin();
    let page = "{ users(first: 100) { nodes { payments(first: 20) { nodes { id } } } } }";
    let replies = futures_util::future::join_all((0..8).map(|_| admin.post(page, json!({})))).await;
    for reply in replies {
        assert!(reply.json().get("errors").is_none(), "{}", reply.body);
    }
}

async fn a_caller_may_spend_so_much_in_a_minute(test: &TestApp) {
    let clock = std::sync::Arc::clone(&test.app.clock);
    let settings = [
        ("TOLLGATE_JWT_HS256_SECRET", crate::support::SECRET),
        ("TOLLGATE_REPORT_COST", "true"),
        ("TOLLGATE_LIMIT_COST_USER", "60"),
        ("TOLLGATE_COST_PER_MINUTE_USER", "60"),
    ];
    let test = test.beside_at(clock, &settings).await;
    let plans = "query($n: Int) { plans(first: $n) { nodes { __typename } } }";
    let body = test.user("eve").post(plans, json!({"n": 9})).await.json();
    let throttle = |available: u64| json!({"maximumAvailable": 60, "currentlyAvailable": available, "restoreRate": 1});
    assert_eq!(body["extensions"]["cost"]["requestedQueryCost"], 11);
    assert_eq!(body["extensions"]["cost"]["throttleStatus"], throttle(49));
    // A document that is refused costs nothing.
    test.user("eve").post("{ nope }", json!({})).await;
    let body = test.user("eve").post(plans, json!({"n": 39})).await.json();
    assert_eq!(body["extensions"]["cost"]["throttleStatus"], throttle(5));
    let reply = test.user("eve").post(plans, json!({"n": 9})).await;
    assert_eq!((reply.status.as_u16(), refusal(&reply.json()).0.as_str()), (429, "RATE_LIMITED"), "{}", reply.body);
    assert_eq!(reply.headers["retry-after"], "6");
    assert_eq!(reply.json()["errors"][0]["extensions"]["retryAfterSeconds"], 6);
    assert_eq!(reply.json().get("data"), None);
    // Others, and smaller requests, are not held up.
    test.user("bob").data(plans, json!({"n": 40})).await;
    test.admin().data(plans, json!({"n": 100})).await;
    test.user("eve").data(plans, json!({"n": 2})).await;
    test.advance(TimeDelta::seconds(30));
    test.user("eve").data(plans, json!({"n": 20})).await;
    test.advance(TimeDelta::hours(1));
    let body = test.user("eve").post(plans, json!({"n": 9})).await.json();
    assert_eq!(body["extensions"]["cost"]["throttleStatus"], throttle(49));
}

async fn one_request_is_possible_whatever_the_rate(test: &TestApp) {
    let limits = [("TOLLGATE_LIMIT_COST_SERVICE", "60"), ("TOLLGATE_COST_PER_MINUTE_SERVICE", "6")];
    let test = configured(test, &limits).await;
    let users = "{ users(first: 53) { nodes { id } } }";
    let body = test.admin().post(users, json!({})).await.json();
    let throttle = json!({"maximumAvailable": 60, "currentlyAvailable": 0, "restoreRate": 1});
    assert_eq!(body["extensions"]["cost"]["throttleStatus"], throttle);
    assert_eq!(test.admin().post(users, json!({})).await.headers["retry-after"], "600");
    // A role without a rate is told of none.
    let body = test.user("eve").post("{ plans { nodes { id } } }", json!({})).await.json();
    assert_eq!(body["extensions"]["cost"]["throttleStatus"]["maximumAvailable"], 2_000_000);
    let unlimited = configured(&test, &[("TOLLGATE_COST_PER_MINUTE_USER", "0")]).await;
    for client in [unlimited.user("eve"), unlimited.admin()] {
        let body = client.post("{ plans { nodes { id } } }", json!({})).await.json();
        assert_eq!(body["extensions"]["cost"].get("throttleStatus"), None, "{body}");
    }
}

async fn a_batch_is_charged_at_once_or_not_at_all(test: &TestApp) {
    let limits = [("TOLLGATE_LIMIT_COST_SERVICE", "60"), ("TOLLGATE_COST_PER_MINUTE_SERVICE", "60")];
    let test = configured(test, &limits).await;
    let users = json!({"query": "{ users(first: 20) { nodes { id } } }"});
    let (status, wait, body) = batch(&test, &test.admin_token(), &[users.clone(), users.clone()]).await;
    assert_eq!((status, wait), (200, None));
    for reply in body.as_array().unwrap() {
        assert_eq!(reply["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"], 14, "{body}");
    }
    let (status, wait, body) = batch(&test, &test.admin_token(), &[users, json!({"query": "{ nope }"})]).await;
    assert_eq!((status, wait.as_deref()), (429, Some("9")), "{body}");
    assert_eq!(refusal(&body[0]).0, "RATE_LIMITED");
    assert_eq!(refusal(&body[1]).0, "GRAPHQL_VALIDATION_FAILED");
    assert!(body[0].get("data").is_none());
}

async fn anonymous_callers_share_the_rate_of_their_address(test: &TestApp) {
    let limits = [("TOLLGATE_LIMIT_COST_ANONYMOUS", "10"), ("TOLLGATE_COST_PER_MINUTE_ANONYMOUS", "10")];
    let test = configured(test, &limits).await;
    let plans = "{ plans(first: 8) { nodes { __typename } } }";
    let status = async |address: &str| test.anonymous().calling_from(address).post(plans, json!({})).await.status;
    assert_eq!(status("192.0.2.1").await, 200);
    assert_eq!(status("192.0.2.1").await, 429);
    assert_eq!(status("192.0.2.2").await, 200);
    assert_eq!(status("2001:db8::1").await, 200);
    assert_eq!(status("2001:db8::ffff:2").await, 429, "of the same network");
    assert_eq!(status("2001:db8:0:1::1").await, 200);
    // Those who signed in have a rate of their own, wherever they are.
    let user = test.user("eve").calling_from("192.0.2.1").post(plans, json!({})).await;
    assert_eq!(user.status, 200);
}

async fn the_events_of_a_subscription_are_charged(test: &TestApp) {
    let world = World::make(test).await;
    let limits = [("TOLLGATE_LIMIT_COST_SERVICE", "10"), ("TOLLGATE_COST_PER_MINUTE_SERVICE", "10")];
    let test = configured(test, &limits).await;
    let server = Server::start(&test).await;
    let watch = "subscription { paymentRecorded { id account { id } } }";
    let mut events = Events::of(&server, Some(&test.admin_token()), watch, json!({})).await;
    let change = Change::PaymentRecorded(local_id(world.id("Payment", "eve")).1, world.shared);
    // 3 for the opening and 3 for each event: the third has not enough left.
    for _ in 0..2 {
        record(&test, change).await;
        assert_eq!(events.event().await["paymentRecorded"]["id"], world.id("Payment", "eve"));
    }
    record(&test, change).await;
    assert_eq!(events.error().await, "RATE_LIMITED");
    let mut refused = Events::of(&server, Some(&test.admin_token()), watch, json!({})).await;
    assert_eq!(refused.error().await, "RATE_LIMITED");
}
