//! A key that Stripe refuses, an outage that lasts, too many requests: what is kept is not lost, what is wrong with one
//! object stops no other, and one caller cannot use up what all have.

use crate::checkouts::{PURCHASE, buy};
use crate::support::{Shop, TestApp, both_engines};
use axum::body::Body;
use axum::http::Request;
use chrono::TimeDelta;
use sandbox::{Card, Fault};
use serde_json::{Value, json};

both_engines! {
    a_kept_call_outlives_a_key_that_stripe_refuses,
    a_charge_is_given_up_when_stripe_refuses_the_key,
    a_refund_outlives_a_key_that_stripe_refuses,
    an_approval_that_stripe_never_carried_out_can_be_denied,
    a_denied_approval_that_stripe_carried_out_is_processed,
    a_kept_call_outlives_every_outage_of_less_than_a_day,
    a_call_without_an_answer_for_a_day_is_shown_as_unresolved,
    too_many_requests_stop_nobody_else,
    what_is_wrong_with_one_object_stops_no_other,
    an_outage_for_several_objects_spares_the_callers_the_wait,
    one_caller_has_so_many_requests_in_a_minute,
}

const CANCEL: &str = "mutation Go($input: CancelSubscriptionInput!) { cancelSubscription(input: $input) {
    subscription { cancelAtPeriodEnd } userErrors { code } } }";
const CALLS: &str = "query($state: ProviderCallState) { providerCalls(filter: {state: $state}) { nodes { callOperation
    callState errorCode attempts settledAt } } }";
const PREVIEW: &str = "query($id: ID!, $price: ID!) { previewPlanChange(subscriptionId: $id, priceId: $price) {
    dueNow { amount } } }";

const fn fault(status: u16) -> Fault {
    Fault::Answer { status, should_retry: None, acted: false, saved: false }
}

/// Subscribes a user, and returns the global id of the subscription.
async fn subscriber(shop: &Shop, subject: &str) -> Value {
    buy(shop, subject, "price_basic", subject).await;
    let found = shop.test.user(subject).data("{ viewer { subscription { id } } }", json!({})).await;
    found["viewer"]["subscription"]["id"].clone()
}

async fn call(node: &TestApp) -> Value {
    node.admin().data(CALLS, json!({"state": null})).await["providerCalls"]["nodes"][0].take()
}

async fn metric(node: &TestApp, state: &str) -> u64 {
    let request = Request::get("/metrics").header("authorization", format!("Bearer {}", node.admin_token()));
    let text = node.send(request.body(Body::empty()).unwrap()).await.body;
    let name = format!("tollgate_provider_calls{{state=\"{state}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&name)).unwrap_or_else(|| panic!("{name}: {text}"));
    line.parse().unwrap()
}

async fn a_kept_call_outlives_a_key_that_stripe_refuses(shop: &Shop) {
    let id = subscriber(shop, "ann").await;
    for (status, code) in [(401, "api_key_expired"), (403, "more_permissions_required")] {
        let input = json!({"subscriptionId": id, "idempotencyKey": code});
        shop.stripe.fail_among(100, 1, &[fault(status)]);
        let reply = shop.test.user("ann").post(CANCEL, json!({"input": input})).await.json();
        let expected = json!({"code": "PROVIDER_UNAVAILABLE", "retriedLater": true});
        assert_eq!(reply["errors"][0]["extensions"], expected, "{reply}");
        for _ in 0..3 {
            let call = call(&shop.test).await;
            assert_eq!((&call["callState"], &call["errorCode"]), (&json!("PENDING"), &json!(code)), "{call}");
            assert_eq!(metric(&shop.test, "blocked").await, 1);
            shop.advance(TimeDelta::hours(2)).await;
        }
        // The key is mended.
        shop.stripe.clear_faults();
        shop.advance(TimeDelta::hours(2)).await;
        let done = call(&shop.test).await;
        assert_eq!((&done["callState"], &done["errorCode"]), (&json!("DONE"), &Value::Null), "{done}");
        assert_eq!(metric(&shop.test, "blocked").await, 0);
        assert_eq!(shop.stripe.objects("subscription")[0]["cancel_at_period_end"], true);
        let resume = "mutation($input: ResumeSubscriptionInput!) { resumeSubscription(input: $input) {
            userErrors { code } } }";
        let input = json!({"subscriptionId": id, "idempotencyKey": format!("resume {code}")});
        assert_eq!(shop.ask(&shop.test.user("ann"), resume, input).await["userErrors"], json!([]));
        shop.deliver().await;
    }
}

async fn a_charge_is_given_up_when_stripe_refuses_the_key(shop: &Shop) {
    buy(shop, "ann", "price_credits", "zero").await;
    let customer = shop.stripe.objects("customer")[0]["id"].as_str().unwrap().to_owned();
    shop.stripe.set_card(&customer, Card::Good).unwrap();
    shop.deliver().await;
    let input = json!({"priceId": shop.price("price_credits").await, "idempotencyKey": "one"});
    shop.stripe.fail_next(fault(401));
    let reply = shop.test.user("ann").post(PURCHASE, json!({"input": input})).await.json();
    let expected = json!({"code": "PROVIDER_UNAVAILABLE", "retriedLater": false});
    assert_eq!(reply["errors"][0]["extensions"], expected, "{reply}");
    let given_up = call(&shop.test).await;
    assert_eq!((&given_up["callState"], &given_up["errorCode"]), (&json!("ABANDONED"), &json!("api_key_expired")));
    shop.advance(TimeDelta::hours(3)).await;
    assert_eq!(shop.count("charge"), 1);
    let paid = shop.ask(&shop.test.user("ann"), PURCHASE, input).await;
    assert_eq!(paid["payment"]["chargeStatus"], "SUCCEEDED");
    shop.deliver().await;
}

async fn a_refund_outlives_a_key_that_stripe_refuses(shop: &Shop) {
    buy(shop, "ann", "price_credits", "zero").await;
    let ann = shop.test.user("ann");
    let found = ann.data("{ viewer { account { payments { nodes { id } } } } }", json!({})).await;
    let payment = &found["viewer"]["account"]["payments"]["nodes"][0]["id"];
    let request = "mutation($input: RequestRefundInput!) { requestRefund(input: $input) { refund { id }
        userErrors { code } } }";
    let refund = shop.ask(&ann, request, json!({"paymentId": payment, "idempotencyKey": "r"})).await;
    let approve = "mutation($input: ApproveRefundInput!) { approveRefund(input: $input) { refund { id }
        userErrors { code } } }";
    let input = json!({"refundId": refund["refund"]["id"], "idempotencyKey": "a"});
    shop.stripe.fail_next(fault(403));
    assert_eq!(shop.test.admin().code(approve, json!({"input": input})).await, "PROVIDER_UNAVAILABLE");
    assert_eq!(call(&shop.test).await["callState"], "PENDING");
    shop.advance(TimeDelta::minutes(5)).await;
    assert_eq!(shop.count("refund"), 1);
    let status = "query($id: ID!) { node(id: $id) { ... on Refund { processingStatus } } }";
    let told = shop.test.admin().data(status, json!({"id": refund["refund"]["id"]})).await;
    assert_eq!(told["node"]["processingStatus"], "PROCESSED");
    shop.deliver().await;
}

async fn an_approval_that_stripe_never_carried_out_can_be_denied(shop: &Shop) {
    buy(shop, "ann", "price_credits", "zero").await;
    let ann = shop.test.user("ann");
    let found = ann.data("{ viewer { account { payments { nodes { id } } } } }", json!({})).await;
    let payment = &found["viewer"]["account"]["payments"]["nodes"][0]["id"];
    let request = "mutation($input: RequestRefundInput!) { requestRefund(input: $input) { refund { id }
        userErrors { code } } }";
    let approve = "mutation($input: ApproveRefundInput!) { approveRefund(input: $input) { refund { processingStatus }
        userErrors { code } } }";
    let deny =
        "mutation($input: DenyRefundInput!) { denyRefund(input: $input) { refund { processingStatus failureCode }
        userErrors { code } } }";
    let failed = json!({"refund": {"processingStatus": "FAILED", "failureCode": "withdrawn"}, "userErrors": []});
    // Kept because the key is refused, and without an outcome after a day.
    for (round, hours) in [(1, 3), (2, 26)] {
        let key = |of: &str| format!("{of} {round}");
        let ann = shop.test.user("ann");
        let asked = shop.ask(&ann, request, json!({"paymentId": payment, "idempotencyKey": key("ask")})).await;
        let refund = asked["refund"]["id"].clone();
        shop.stripe.fail_among(100, 1, &[fault(403)]);
        let input = json!({"refundId": refund, "idempotencyKey": key("approve")});
        assert_eq!(shop.test.admin().code(approve, json!({"input": input})).await, "PROVIDER_UNAVAILABLE");
        for _ in 0..hours {
            shop.advance(TimeDelta::hours(1)).await;
        }
        let denial = json!({"refundId": refund, "idempotencyKey": key("deny")});
        assert_eq!(shop.test.user("ann").code(deny, json!({"input": denial})).await, "FORBIDDEN");
        let denied = shop.ask(&shop.test.admin(), deny, denial.clone()).await;
        assert_eq!(denied, failed);
        assert_eq!(shop.ask(&shop.test.admin(), deny, denial).await, failed, "the same key has the same answer");
        shop.stripe.clear_faults();
        shop.advance(TimeDelta::hours(2)).await;
        assert_eq!(shop.count("refund"), 0, "it is never carried out");
        assert_eq!(call(&shop.test).await["callState"], "REFUSED");
        let again = json!({"refundId": refund, "idempotencyKey": key("again")});
        let told = shop.ask(&shop.test.admin(), deny, again).await;
        assert_eq!(told["userErrors"], json!([{"code": "REFUND_DECIDED"}]));
    }
    // The amount is free again, and a refund that was carried out cannot be denied.
    let asked = shop.ask(&shop.test.user("ann"), request, json!({"paymentId": payment, "idempotencyKey": "3"})).await;
    let refund = asked["refund"]["id"].clone();
    let done = shop.ask(&shop.test.admin(), approve, json!({"refundId": refund, "idempotencyKey": "3"})).await;
    assert_eq!(done["userErrors"], json!([]), "{done}");
    let told = shop.ask(&shop.test.admin(), deny, json!({"refundId": refund, "idempotencyKey": "4"})).await;
    assert_eq!(told["userErrors"], json!([{"code": "REFUND_DECIDED"}]));
    shop.deliver().await;
}

async fn a_denied_approval_that_stripe_carried_out_is_processed(shop: &Shop) {
    buy(shop, "ann", "price_credits", "zero").await;
    let found = shop.test.user("ann").data("{ viewer { account { payments { nodes { id } } } } }", json!({})).await;
    let payment = &found["viewer"]["account"]["payments"]["nodes"][0]["id"];
    let request = "mutation($input: RequestRefundInput!) { requestRefund(input: $input) { refund { id } } }";
    let approve = "mutation($input: ApproveRefundInput!) { approveRefund(input: $input) { refund { id } } }";
    let deny = "mutation($input: DenyRefundInput!) { denyRefund(input: $input) { refund { processingStatus } } }";
    let asked = json!({"paymentId": payment, "idempotencyKey": "ask"});
    let refund = shop.ask(&shop.test.user("ann"), request, asked).await["refund"]["id"].take();
    // Stripe acts, and its answers are lost.
    shop.stripe.fail_among(100, 1, &[Fault::Answer { status: 503, should_retry: None, acted: true, saved: false }]);
    let input = json!({"refundId": refund, "idempotencyKey": "approve"});
    assert_eq!(shop.test.admin().code(approve, json!({"input": input})).await, "PROVIDER_UNAVAILABLE");
    shop.stripe.clear_faults();
    let denied = shop.ask(&shop.test.admin(), deny, json!({"refundId": refund, "idempotencyKey": "deny"})).await;
    assert_eq!(denied["refund"]["processingStatus"], "FAILED");
    // The webhook tells what became of it.
    shop.deliver().await;
    let status = "query($id: ID!) { node(id: $id) { ... on Refund { processingStatus failureCode } } }";
    let told = shop.test.admin().data(status, json!({"id": refund})).await;
    assert_eq!(told["node"], json!({"processingStatus": "PROCESSED", "failureCode": null}));
    assert_eq!(shop.count("refund"), 1);
}

async fn a_kept_call_outlives_every_outage_of_less_than_a_day(shop: &Shop) {
    let id = subscriber(shop, "ann").await;
    shop.stripe.fail_among(100, 1, &[fault(503)]);
    let input = json!({"subscriptionId": id, "idempotencyKey": "one"});
    assert_eq!(shop.test.user("ann").code(CANCEL, json!({"input": input})).await, "PROVIDER_UNAVAILABLE");
    for _ in 0..22 {
        shop.advance(TimeDelta::hours(1)).await;
    }
    // Nine hours and twenty failures end a job.
    let waiting = call(&shop.test).await;
    assert_eq!(waiting["callState"], "PENDING", "{waiting}");
    assert!(waiting["attempts"].as_i64().unwrap() > 20, "it was tried all the time: {waiting}");
    shop.stripe.clear_faults();
    shop.advance(TimeDelta::minutes(59)).await;
    assert_eq!(call(&shop.test).await["callState"], "DONE");
    assert_eq!(shop.stripe.objects("subscription")[0]["cancel_at_period_end"], true);
    shop.deliver().await;
}

async fn a_call_without_an_answer_for_a_day_is_shown_as_unresolved(shop: &Shop) {
    let id = subscriber(shop, "ann").await;
    shop.stripe.fail_among(100, 1, &[fault(503)]);
    let input = json!({"subscriptionId": id, "idempotencyKey": "one"});
    assert_eq!(shop.test.user("ann").code(CANCEL, json!({"input": input})).await, "PROVIDER_UNAVAILABLE");
    for _ in 0..25 {
        shop.advance(TimeDelta::hours(1)).await;
    }
    // Nobody has asked for it again.
    let given_up = call(&shop.test).await;
    assert_eq!(given_up["callState"], "UNRESOLVED", "{given_up}");
    assert!(given_up["settledAt"].is_string());
    assert_eq!((metric(&shop.test, "pending").await, metric(&shop.test, "unresolved").await), (0, 1));
    shop.stripe.clear_faults();
    shop.advance(TimeDelta::hours(3)).await;
    assert_eq!(shop.stripe.objects("subscription")[0]["cancel_at_period_end"], false, "it is never sent again");
    assert_eq!(shop.test.user("ann").code(CANCEL, json!({"input": input})).await, "UNRESOLVED");
}

async fn too_many_requests_stop_nobody_else(shop: &Shop) {
    let mut ids = Vec::new();
    for subject in ["ann", "bob", "cat", "dan"] {
        ids.push((subject, subscriber(shop, subject).await));
    }
    shop.stripe.fail_among(100, 1, &[fault(429)]);
    for (subject, id) in &ids[..3] {
        let input = json!({"subscriptionId": id, "idempotencyKey": "one"});
        assert_eq!(shop.test.user(subject).code(CANCEL, json!({"input": input})).await, "PROVIDER_UNAVAILABLE");
    }
    shop.stripe.clear_faults();
    let input = json!({"subscriptionId": ids[3].1, "idempotencyKey": "one"});
    let done = shop.ask(&shop.test.user("dan"), CANCEL, input).await;
    assert_eq!(done["subscription"]["cancelAtPeriodEnd"], true, "at once, on the same node");
    shop.advance(TimeDelta::minutes(5)).await;
    let all = shop.stripe.objects("subscription");
    assert!(all.iter().all(|one| one["cancel_at_period_end"] == true), "the others later");
    shop.deliver().await;
}

async fn what_is_wrong_with_one_object_stops_no_other(shop: &Shop) {
    let (ann, bob) = (subscriber(shop, "ann").await, subscriber(shop, "bob").await);
    shop.stripe.fail_among(100, 1, &[fault(500)]);
    for key in ["1", "2", "3", "4"] {
        let input = json!({"subscriptionId": ann, "idempotencyKey": key});
        assert_eq!(shop.test.user("ann").code(CANCEL, json!({"input": input})).await, "PROVIDER_UNAVAILABLE");
    }
    shop.stripe.clear_faults();
    let input = json!({"subscriptionId": bob, "idempotencyKey": "one"});
    let done = shop.ask(&shop.test.user("bob"), CANCEL, input).await;
    assert_eq!(done["subscription"]["cancelAtPeriodEnd"], true);
    shop.advance(TimeDelta::hours(1)).await;
    shop.deliver().await;
}

async fn an_outage_for_several_objects_spares_the_callers_the_wait(shop: &Shop) {
    let mut ids = Vec::new();
    for subject in ["ann", "bob", "cat", "dan"] {
        ids.push((subject, subscriber(shop, subject).await));
    }
    shop.stripe.fail_among(100, 1, &[fault(503)]);
    for (subject, id) in &ids {
        let requests = shop.stripe.requests().len();
        let input = json!({"subscriptionId": id, "idempotencyKey": "one"});
        assert_eq!(shop.test.user(subject).code(CANCEL, json!({"input": input})).await, "PROVIDER_UNAVAILABLE");
        let sent = shop.stripe.requests().len() - requests;
        assert_eq!(sent, if *subject == "dan" { 0 } else { 3 }, "{subject}");
    }
    shop.stripe.clear_faults();
    let node = shop.another_node().await;
    shop.test.advance(TimeDelta::hours(1));
    shop.deliver_to(&node).await;
    let all = shop.stripe.objects("subscription");
    assert!(all.iter().all(|one| one["cancel_at_period_end"] == true));
    shop.deliver_to(&node).await;
}

async fn one_caller_has_so_many_requests_in_a_minute(shop: &Shop) {
    let (ann, bob) = (subscriber(shop, "ann").await, subscriber(shop, "bob").await);
    let price = shop.price("price_pro").await;
    let node = shop.node_with(&[("TOLLGATE_STRIPE_REQUESTS_PER_MINUTE", "6")]).await;
    let variables = json!({"id": ann, "price": price});
    for _ in 0..3 {
        // Two requests to Stripe each.
        node.user("ann").data(PREVIEW, variables.clone()).await;
    }
    let reply = node.user("ann").post(PREVIEW, variables.clone()).await;
    assert_eq!((reply.status.as_u16(), reply.headers["retry-after"].to_str().unwrap()), (429, "10"));
    assert_eq!(reply.json()["errors"][0]["extensions"]["code"], "RATE_LIMITED");
    // Changes count too, and are refused before they have any effect.
    let input = json!({"subscriptionId": ann, "idempotencyKey": "one"});
    let reply = node.user("ann").post(CANCEL, json!({"input": input})).await;
    assert_eq!(reply.json()["errors"][0]["extensions"]["code"], "RATE_LIMITED", "{}", reply.body);
    let aliased: String = (0..20)
        .map(|at| format!("p{at}: previewPlanChange(subscriptionId: $id, priceId: $price) {{ renewsAt }} "))
        .collect();
    let aliased = format!("query($id: ID!, $price: ID!) {{ {aliased} }}");
    let other = json!({"id": bob, "price": price});
    let before = shop.stripe.requests().len();
    let reply = node.user("bob").post(&aliased, other).await.json();
    assert!(reply["errors"].as_array().is_some_and(|errors| errors.len() >= 14), "{reply}");
    assert!(shop.stripe.requests().len() - before <= 6, "aliases count one by one");
    // Those who act for many customers have more.
    node.admin().data(PREVIEW, variables.clone()).await;
    shop.test.advance(TimeDelta::minutes(1));
    node.user("ann").data(PREVIEW, variables).await;
    let done = shop.ask(&node.user("ann"), CANCEL, input).await;
    assert_eq!(done["subscription"]["cancelAtPeriodEnd"], true);
    shop.deliver().await;
}
