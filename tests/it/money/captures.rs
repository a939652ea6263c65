//! An authorisation is no payment: time, amount and state follow the capture.

use super::story::{charge, customer, fixture, flows, intent, merged, stripe, tell, time};
use crate::support::{TestApp, both_engines};
use serde_json::{Value, json};
use tollgate::providers::Provider;

both_engines!(
    a_capture_is_the_payment,
    a_part_that_was_captured_is_all_that_was_paid,
    more_than_was_authorised_may_be_captured,
    several_captures_are_one_payment,
    an_authorisation_that_was_voided_brought_nothing,
    an_authorisation_without_an_intent_follows_its_charge,
    a_debit_is_paid_when_the_bank_has_paid,
    credits_come_with_the_capture,
);

/// The seconds of an authorisation, the last of January, and of its capture, in February.
const AUTHORISED: i64 = 1_769_731_200;
const CAPTURED: i64 = 1_770_076_800;

const REVENUE: &str = "{ analytics { revenue(from: \"2026-01-01\", to: \"2026-03-01\", period: MONTH) {
    startsOn currencyless: stream gross { amount } refunded { amount } paymentCount } } }";

/// `[month, gross, refunded]` of each row of revenue, of all customers.
async fn revenue(test: &TestApp) -> Vec<Value> {
    let data = test.admin().data(REVENUE, json!({})).await;
    let rows = data["analytics"]["revenue"].as_array().unwrap();
    rows.iter().map(|row| json!([row["startsOn"], row["gross"]["amount"], row["refunded"]["amount"]])).collect()
}

fn held(amount: i64) -> Value {
    let held = json!({"capture_method": "manual", "status": "requires_capture", "amount_received": 0, "amount_capturable": amount});
    intent("pi_1", AUTHORISED, (amount, "usd"), held)
}

fn uncaptured(amount: i64) -> Value {
    charge("pi_1", AUTHORISED, (amount, "usd"), json!({"captured": false, "amount_captured": 0}))
}

/// The events of an authorisation of 50.00, and of the capture of `captured` at [`CAPTURED`].
fn captured(captured: i64) -> Vec<(Provider, Value)> {
    let paid = json!({"capture_method": "manual", "amount_received": captured});
    vec![
        customer(),
        stripe(AUTHORISED, "charge.succeeded", uncaptured(5_000)),
        stripe(AUTHORISED, "payment_intent.amount_capturable_updated", held(5_000)),
        stripe(
            CAPTURED,
            "charge.captured",
            charge("pi_1", AUTHORISED, (5_000, "usd"), json!({"amount_captured": captured})),
        ),
        stripe(CAPTURED, "payment_intent.succeeded", intent("pi_1", AUTHORISED, (5_000, "usd"), paid)),
    ]
}

async fn a_capture_is_the_payment(test: &TestApp) {
    let events = fixture("captured-later.json");
    tell(test, &events, |told| {
        let payment = told.payment("pi_1");
        assert_eq!(flows(payment), [5_000, 5_000, 0]);
        assert_eq!((&payment["chargeStatus"], &payment["paidAt"]), (&json!("SUCCEEDED"), &time(CAPTURED)));
        assert_eq!(told.account["currency"], "USD");
    })
    .await;
    assert_eq!(revenue(test).await, [json!(["2026-02-01", "35000", "0"])], "seven customers, all in February");

    // Until then it is pending, and no revenue.
    let before = &events[..3];
    super::story::tell_from(test, 10, before, |told| {
        let payment = told.payment("pi_1");
        assert_eq!((flows(payment), &payment["chargeStatus"]), ([5_000, 0, 0], &json!("PENDING")));
        assert_eq!((&payment["paidAt"], &told.account["currency"]), (&Value::Null, &Value::Null));
    })
    .await;
    assert_eq!(revenue(test).await, [json!(["2026-02-01", "35000", "0"])]);
}

async fn a_part_that_was_captured_is_all_that_was_paid(test: &TestApp) {
    tell(test, &captured(3_000), |told| {
        let payment = told.payment("pi_1");
        assert_eq!((flows(payment), &payment["fullyRefunded"]), ([3_000, 3_000, 0], &json!(false)));
        assert_eq!(payment["paidAt"], time(CAPTURED));
    })
    .await;
    assert_eq!(revenue(test).await, [json!(["2026-02-01", "21000", "0"])]);

    // Stripe shows the rest as refunded, though it was never received.
    let mut events = captured(3_000);
    let released = json!({"amount_captured": 3_000, "amount_refunded": 2_000});
    events[3] = stripe(CAPTURED, "charge.captured", charge("pi_1", AUTHORISED, (5_000, "usd"), released));
    let release = super::story::refund("re_1", "pi_1", CAPTURED, (2_000, "usd"), "succeeded");
    let release = merged(release, json!({"reason": "partial_capture"}));
    events.push(stripe(CAPTURED, "refund.created", release));
    super::story::tell_from(test, 10, &events, |told| {
        let payment = told.payment("pi_1");
        assert_eq!((flows(payment), &payment["refunds"]["nodes"]), ([3_000, 3_000, 0], &json!([])));
    })
    .await;

    // A refund of the captured part counts.
    let refunded = json!({"amount_captured": 3_000, "amount_refunded": 2_000 + 3_000, "refunded": true});
    events.push(stripe(CAPTURED + 60, "charge.refunded", charge("pi_1", AUTHORISED, (5_000, "usd"), refunded)));
    let refund = super::story::refund("re_2", "pi_1", CAPTURED + 60, (3_000, "usd"), "succeeded");
    events.push(stripe(CAPTURED + 60, "refund.created", refund));
    super::story::tell_from(test, 20, &events, |told| {
        let payment = told.payment("pi_1");
        assert_eq!((flows(payment), &payment["fullyRefunded"]), ([3_000, 3_000, 3_000], &json!(true)));
    })
    .await;
}

async fn more_than_was_authorised_may_be_captured(test: &TestApp) {
    tell(test, &captured(6_200), |told| assert_eq!(flows(told.payment("pi_1")), [6_200, 6_200, 0])).await;
}

async fn several_captures_are_one_payment(test: &TestApp) {
    let taken = |amount: i64| charge("pi_1", AUTHORISED, (5_000, "usd"), json!({"amount_captured": amount}));
    let first = json!({"capture_method": "manual", "status": "requires_capture", "amount_received": 2_000});
    let mut events = captured(0)[..3].to_vec();
    events.push(stripe(CAPTURED, "charge.captured", taken(2_000)));
    events.push(stripe(
        CAPTURED,
        "payment_intent.amount_capturable_updated",
        intent("pi_1", AUTHORISED, (5_000, "usd"), first),
    ));
    tell(test, &events, |told| {
        let payment = told.payment("pi_1");
        assert_eq!((flows(payment), &payment["paidAt"]), ([2_000, 2_000, 0], &time(CAPTURED)));
    })
    .await;
    let all = json!({"capture_method": "manual", "amount_received": 4_500});
    events.push(stripe(CAPTURED + 86_400, "charge.captured", taken(4_500)));
    events.push(stripe(CAPTURED + 86_400, "payment_intent.succeeded", intent("pi_1", AUTHORISED, (5_000, "usd"), all)));
    super::story::tell_from(test, 10, &events, |told| {
        let payment = told.payment("pi_1");
        assert_eq!((flows(payment), &payment["paidAt"]), ([4_500, 4_500, 0], &time(CAPTURED)));
    })
    .await;
}

async fn an_authorisation_that_was_voided_brought_nothing(test: &TestApp) {
    let mut events = captured(0)[..3].to_vec();
    let voided = json!({"captured": false, "amount_captured": 0, "amount_refunded": 5_000, "refunded": true});
    events.push(stripe(CAPTURED, "charge.refunded", charge("pi_1", AUTHORISED, (5_000, "usd"), voided)));
    let release = super::story::refund("re_1", "pi_1", CAPTURED, (5_000, "usd"), "succeeded");
    events.push(stripe(CAPTURED, "refund.created", release));
    let canceled = json!({"capture_method": "manual", "status": "canceled", "amount_received": 0});
    events.push(stripe(CAPTURED, "payment_intent.canceled", intent("pi_1", AUTHORISED, (5_000, "usd"), canceled)));
    tell(test, &events, |told| {
        let payment = told.payment("pi_1");
        assert_eq!((flows(payment), &payment["chargeStatus"]), ([5_000, 0, 0], &json!("CANCELED")));
        assert_eq!((&payment["paidAt"], &payment["refunds"]["nodes"]), (&Value::Null, &json!([])));
        assert_eq!(payment["returned"]["amount"], "0");
    })
    .await;
    assert_eq!(revenue(test).await, [""; 0]);
}

async fn an_authorisation_without_an_intent_follows_its_charge(test: &TestApp) {
    let alone = |with: Value| merged(charge("pi_1", AUTHORISED, (5_000, "usd"), json!({"payment_intent": null})), with);
    let held = stripe(AUTHORISED, "charge.succeeded", alone(json!({"captured": false, "amount_captured": 0})));
    let taken = stripe(CAPTURED, "charge.captured", alone(json!({"amount_captured": 4_000})));
    tell(test, &[customer(), held.clone(), taken], |told| {
        let payment = told.payment("ch_1");
        assert_eq!((flows(payment), &payment["paidAt"]), ([4_000, 4_000, 0], &time(CAPTURED)));
    })
    .await;
    let expired = json!({"captured": false, "amount_captured": 0, "amount_refunded": 5_000, "refunded": true});
    let expired = stripe(CAPTURED, "charge.expired", alone(expired));
    super::story::tell_from(test, 10, &[customer(), held, expired], |told| {
        let payment = told.payment("ch_1");
        assert_eq!((flows(payment), &payment["chargeStatus"]), ([5_000, 0, 0], &json!("CANCELED")));
    })
    .await;
}

async fn a_debit_is_paid_when_the_bank_has_paid(test: &TestApp) {
    let processing = json!({"status": "processing", "amount_received": 0});
    let pending = json!({"status": "pending", "amount_captured": 5_000});
    let events = [
        customer(),
        stripe(AUTHORISED, "payment_intent.processing", intent("pi_1", AUTHORISED, (5_000, "eur"), processing)),
        stripe(AUTHORISED, "charge.pending", charge("pi_1", AUTHORISED, (5_000, "eur"), pending)),
        stripe(CAPTURED, "charge.succeeded", charge("pi_1", AUTHORISED, (5_000, "eur"), json!({}))),
        stripe(CAPTURED, "payment_intent.succeeded", intent("pi_1", AUTHORISED, (5_000, "eur"), json!({}))),
    ];
    tell(test, &events, |told| {
        let payment = told.payment("pi_1");
        assert_eq!((&payment["chargeStatus"], &payment["paidAt"]), (&json!("SUCCEEDED"), &time(CAPTURED)));
    })
    .await;
    super::story::tell_from(test, 10, &events[..3], |told| {
        let payment = told.payment("pi_1");
        assert_eq!((flows(payment), &payment["chargeStatus"]), ([5_000, 0, 0], &json!("PENDING")));
    })
    .await;
}

async fn credits_come_with_the_capture(test: &TestApp) {
    // Stripe sends no event of the session when its payment is captured.
    let session = json!({"id": "cs_1", "object": "checkout.session", "mode": "payment", "status": "complete",
        "payment_status": "unpaid", "amount_total": 5_000, "currency": "usd", "customer": "cus_1", "created": AUTHORISED,
        "payment_intent": "pi_1", "metadata": {"credits": "100"}});
    let session = stripe(AUTHORISED, "checkout.session.completed", session);
    let mut events = captured(2_500);
    events.push(session.clone());
    tell(test, &events, |told| {
        assert_eq!(told.account["creditBalance"]["available"], "100");
        assert_eq!(told.payment("pi_1")["stream"], "CREDITS");
    })
    .await;
    let held = [&captured(0)[..3], &[session]].concat();
    super::story::tell_from(test, 10, &held, |told| assert_eq!(told.account["creditBalance"], Value::Null)).await;
}
