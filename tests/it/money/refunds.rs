//! The amount refunded is the sum of the refunds that did not fail, whenever Stripe was asked.

use super::story::{
    Told, charge, customer, flows, intent, refund, stripe, tell, tell_from, unchanged_by_a_rebuild, work,
};
use crate::support::stripe::Stripe;
use crate::support::{TestApp, both_engines, sql, webhooks};
use serde_json::{Value, json};
use tollgate::providers::Provider;

both_engines!(
    a_refund_that_failed_is_taken_off_once,
    three_repairs_correct_a_wrong_sum,
    a_figure_counts_where_the_refunds_are_unknown,
    refunds_inside_a_charge_count,
    a_refund_in_another_currency_is_not_added,
);

const AT: i64 = 1_767_225_605;

/// A pack of credits for 40.00, of which 4.00 were refunded, and 3.00 too until the bank returned them.
fn story() -> Vec<(Provider, Value)> {
    let session = json!({"id": "cs_1", "object": "checkout.session", "mode": "payment", "status": "complete",
        "payment_status": "paid", "amount_total": 4_000, "currency": "usd", "customer": "cus_1", "created": AT,
        "payment_intent": "pi_1", "metadata": {"credits": "1000"}});
    let charged = |refunded: i64| charge("pi_1", AT, (4_000, "usd"), json!({"amount_refunded": refunded}));
    let refund = |id: &str, after: i64, amount, status| refund(id, "pi_1", AT + after, (amount, "usd"), status);
    vec![
        customer(),
        stripe(AT, "charge.succeeded", charged(0)),
        stripe(AT, "payment_intent.succeeded", intent("pi_1", AT, (4_000, "usd"), json!({}))),
        stripe(AT, "checkout.session.completed", session),
        stripe(AT + 100, "refund.created", refund("re_1", 100, 300, "pending")),
        stripe(AT + 100, "charge.refunded", charged(300)),
        stripe(AT + 200, "refund.created", refund("re_2", 200, 400, "succeeded")),
        stripe(AT + 200, "charge.refunded", charged(700)),
        stripe(AT + 300, "refund.failed", refund("re_1", 100, 300, "failed")),
        stripe(AT + 301, "charge.updated", charged(400)),
    ]
}

fn is_right(told: &Told) {
    let payment = told.payment("pi_1");
    assert_eq!((flows(payment), &payment["fullyRefunded"]), ([4_000, 4_000, 400], &json!(false)));
    assert_eq!(payment["returned"]["amount"], "400");
    assert_eq!(told.account["creditBalance"]["available"], "900");
}

async fn a_refund_that_failed_is_taken_off_once(test: &TestApp) {
    tell(test, &story(), is_right).await;
    // Also if Stripe does not say that its own figure went down.
    let mut events = story();
    events.pop();
    tell_from(test, 10, &events, is_right).await;
    // A refund that failed after it had succeeded, alone.
    let events = [
        &story()[..4],
        &[
            stripe(AT + 50, "refund.created", refund("re_3", "pi_1", AT + 50, (4_000, "usd"), "succeeded")),
            stripe(AT + 90, "refund.failed", refund("re_3", "pi_1", AT + 50, (4_000, "usd"), "failed")),
        ],
    ];
    tell_from(test, 20, &events.concat(), |told| {
        assert_eq!(flows(told.payment("pi_1")), [4_000, 4_000, 0]);
        assert_eq!(told.account["creditBalance"]["available"], "1000");
    })
    .await;
}

/// A database in which an earlier version told another sum.
async fn three_repairs_correct_a_wrong_sum(given: &TestApp) {
    const RECONCILE: &str = "mutation { reconcile(input: {since: \"2024-01-01T00:00:00Z\", dryRun: false}) {
        reconciliation { failures } userErrors { code } } }";
    const RESYNC: &str = "mutation($id: ID!) { resyncAccount(input: {accountId: $id}) { userErrors { code } } }";
    const OF: &str = "SELECT refunded_minor FROM payments";
    let user = given.user("ann").data("{ viewer { account { id } } }", json!({})).await;
    let account = user["viewer"]["account"]["id"].clone();
    given.run_jobs().await;
    let mut objects = serde_json::Map::new();
    for (provider, event) in story() {
        let object = &event["data"]["object"];
        objects.insert(object["id"].as_str().unwrap().to_owned(), object.clone());
        assert_eq!(webhooks::deliver(given, provider, &event).await.status, 200);
    }
    work(given).await;
    let stripe = Stripe::start(&[json!({"2025-08-27.basil": objects})], Vec::new()).await;
    let test = given.beside(&stripe.settings()).await;
    for repair in ["reconcile", "resync", "rebuild"] {
        let wrong = "UPDATE payments SET refunded_minor = 0, returned_minor = 0";
        sql::execute(test.app.db.schema(), wrong).await;
        // Stripe shows the payment with another word, so that it is compared and differs.
        let mut shown = stripe.object("pi_1");
        shown["description"] = json!(repair);
        stripe.put(shown);
        match repair {
            "reconcile" => {
                let data = test.admin().data(RECONCILE, json!({})).await;
                assert_eq!(data["reconcile"]["reconciliation"]["failures"], json!([]));
            }
            "resync" => {
                let data = test.admin().data(RESYNC, json!({"id": account})).await;
                assert_eq!(data["resyncAccount"]["userErrors"], json!([]));
            }
            _ => {
                let viewer = tollgate::auth::Viewer::system("test");
                tollgate::inbox::rebuild(&test.app, &viewer, false, |_, _| ()).await.unwrap();
            }
        }
        work(&test).await;
        assert_eq!(sql::column::<i64>(test.app.db.read(), OF, []).await, [400], "{repair}");
        let revenue = "{ analytics { revenue(from: \"2026-01-01\", to: \"2026-02-01\", period: MONTH) { refunded { amount } } } }";
        let data = test.admin().data(revenue, json!({})).await;
        assert_eq!(data["analytics"]["revenue"][0]["refunded"]["amount"], "400", "{repair}");
    }
    unchanged_by_a_rebuild(&test).await;
}

async fn a_figure_counts_where_the_refunds_are_unknown(test: &TestApp) {
    // An endpoint that is not told of refunds knows the figure alone.
    let events: Vec<_> =
        story().into_iter().filter(|(_, event)| !event["type"].as_str().unwrap().starts_with("refund.")).collect();
    tell(test, &events, |told| assert_eq!(flows(told.payment("pi_1")), [4_000, 4_000, 400])).await;
    // One that is told of failures alone knows the failed one too.
    let failures: Vec<_> = story().into_iter().filter(|(_, event)| event["type"] != "refund.created").collect();
    for (number, events) in [failures.clone(), failures[..failures.len() - 1].to_vec()].into_iter().enumerate() {
        tell_from(test, 10 + number * 10, &events, |told| {
            assert_eq!(flows(told.payment("pi_1")), [4_000, 4_000, 400]);
        })
        .await;
    }
}

async fn refunds_inside_a_charge_count(test: &TestApp) {
    // Before 2022-11-15 the charge has its refunds inside.
    let inside = json!({"data": [
        refund("re_1", "pi_1", AT + 100, (300, "usd"), "failed"),
        refund("re_2", "pi_1", AT + 200, (400, "usd"), "succeeded"),
    ]});
    let charged = charge("pi_1", AT, (4_000, "usd"), json!({"amount_refunded": 400, "refunds": inside}));
    let events = [&story()[..4], &[stripe(AT + 301, "charge.refunded", charged)]].concat();
    tell(test, &events, |told| {
        is_right(told);
        assert_eq!(told.payment("pi_1")["refunds"]["nodes"].as_array().unwrap().len(), 2);
    })
    .await;
    // An older state of a refund inside a charge does not win over the refund.
    let pending = json!({"data": [refund("re_1", "pi_1", AT + 100, (300, "usd"), "pending")]});
    let charged = charge("pi_1", AT, (4_000, "usd"), json!({"amount_refunded": 300, "refunds": pending}));
    let failed = refund("re_1", "pi_1", AT + 100, (300, "usd"), "failed");
    let later = [stripe(AT + 101, "charge.refunded", charged), stripe(AT + 300, "refund.failed", failed)];
    tell_from(test, 10, &[&story()[..4], &later].concat(), |told| {
        let payment = told.payment("pi_1");
        assert_eq!((flows(payment)[2], &payment["refunds"]["nodes"][0]["processingStatus"]), (0, &json!("FAILED")));
    })
    .await;
}

async fn a_refund_in_another_currency_is_not_added(test: &TestApp) {
    let foreign = refund("re_1", "pi_1", AT + 100, (1_000, "eur"), "succeeded");
    let without_figure = [&story()[..4], &[stripe(AT + 100, "refund.created", foreign.clone())]].concat();
    let own = json!({"amount": "1000", "currency": "EUR"});
    tell(test, &without_figure, |told| {
        let payment = told.payment("pi_1");
        assert_eq!((flows(payment), &payment["returned"]), ([4_000, 4_000, 0], &Value::Null), "unknown");
        assert_eq!(payment["refunds"]["nodes"][0]["amount"], own);
        assert_eq!(told.account["creditBalance"]["available"], "1000", "nothing is taken for an unknown amount");
    })
    .await;
    // The charge states what that was in its own currency.
    let charged = charge("pi_1", AT, (4_000, "usd"), json!({"amount_refunded": 1_100}));
    let with_figure = [&without_figure[..], &[stripe(AT + 100, "charge.refunded", charged)]].concat();
    tell_from(test, 10, &with_figure, |told| {
        let payment = told.payment("pi_1");
        assert_eq!((flows(payment), &payment["returned"]["amount"]), ([4_000, 4_000, 1_100], &json!("1100")));
        assert_eq!(payment["refunds"]["nodes"][0]["amount"], own);
        assert_eq!(told.account["creditBalance"]["available"], "725");
    })
    .await;
    // Cash goes out in the currency in which it went out.
    let revenue = "{ analytics { revenue(from: \"2026-01-01\", to: \"2026-02-01\", period: MONTH) {
        gross { amount currency } refunded { amount } } } }";
    let data = test.admin().data(revenue, json!({})).await;
    let expected = json!([{"gross": {"amount": "0", "currency": "EUR"}, "refunded": {"amount": "10000"}},
        {"gross": {"amount": "40000", "currency": "USD"}, "refunded": {"amount": "0"}}]);
    assert_eq!(data["analytics"]["revenue"], expected);
}
