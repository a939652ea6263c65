//! An invoice that was paid outside of Stripe was paid: its subscription counts from then on.

use super::story::{Told, fixture, merged, minor, stripe, tell, tell_from, time, unchanged_by_a_rebuild};
use crate::support::{TestApp, both_engines};
use serde_json::{Value, json};
use tollgate::providers::Provider;

both_engines!(
    an_invoice_paid_out_of_band_makes_a_subscription_paid,
    each_version_says_it_in_its_own_way,
    an_invoice_without_money_does_not,
);

const PAID: i64 = 1_767_571_200;

const RECURRING: &str = "query($at: DateTime!) { analytics { recurringRevenue(asOf: $at) {
    mrr { amount currency } subscriptionCount } } }";

fn first_paid(told: &Told) -> Value {
    told.account["subscriptions"]["nodes"][0]["firstPaidAt"].clone()
}

/// The fixture, with another invoice.
fn with_invoice(with: Value) -> Vec<(Provider, Value)> {
    let mut events = fixture("paid-out-of-band.json");
    let invoice = events[2].1["data"]["object"].take();
    events[2] = stripe(PAID, "invoice.paid", merged(invoice, with));
    events
}

async fn an_invoice_paid_out_of_band_makes_a_subscription_paid(test: &TestApp) {
    tell(test, &fixture("paid-out-of-band.json"), |told| {
        assert_eq!(first_paid(told), time(PAID));
        let invoice = told.invoice("in_1");
        assert_eq!((&invoice["collectionStatus"], minor(&invoice["paid"])), (&json!("PAID"), Some(2_000)));
        assert_eq!((&invoice["paidAt"], &invoice["subscription"]["externalId"]), (&time(PAID), &json!("sub_1")));
        assert_eq!(told.account["payments"]["nodes"], json!([]), "Stripe took no payment");
    })
    .await;
    for (at, mrr) in [
        (PAID - 1, json!([])),
        (PAID, json!([{"mrr": {"amount": "14000", "currency": "USD"}, "subscriptionCount": 7}])),
    ] {
        let data = test.admin().data(RECURRING, json!({"at": time(at)})).await;
        assert_eq!(data["analytics"]["recurringRevenue"], mrr, "seven customers of 20.00");
    }
}

async fn each_version_says_it_in_its_own_way(test: &TestApp) {
    // Before basil the subscription is on the invoice; `amount_paid` may leave out what came in another way.
    let old = with_invoice(json!({"parent": null, "subscription": "sub_1", "amount_paid": 0}));
    // Since basil an `invoice_payment` of another type says so.
    let mut new = with_invoice(json!({"paid_out_of_band": null, "amount_paid": 0}));
    let outside = json!({"id": "inpay_1", "object": "invoice_payment", "invoice": "in_1", "is_default": false,
        "created": PAID, "currency": "usd", "amount_paid": 2_000, "status": "paid",
        "payment": {"type": "out_of_band_payment"}});
    new.push(stripe(PAID, "invoice_payment.paid", outside));
    // Without the time at which it was paid, the event tells.
    let undated = with_invoice(json!({"status_transitions": {}}));
    for (number, events) in [old, new, undated].into_iter().enumerate() {
        tell_from(test, number * 10, &events, |told| {
            assert_eq!((first_paid(told), minor(&told.invoice("in_1")["paid"])), (time(PAID), Some(2_000)));
        })
        .await;
    }
    unchanged_by_a_rebuild(test).await;
}

async fn an_invoice_without_money_does_not(test: &TestApp) {
    let open = json!({"status": "open", "paid_out_of_band": false, "amount_paid": 0, "status_transitions": {}});
    let by_balance = json!({"paid_out_of_band": false, "amount_due": 0, "amount_paid": 0, "starting_balance": -2_000});
    let free = json!({"paid_out_of_band": false, "subtotal": 0, "total": 0, "amount_due": 0, "amount_paid": 0});
    let void = json!({"status": "void", "paid_out_of_band": false, "amount_paid": 0, "status_transitions": {}});
    for (number, with) in [open, by_balance, free, void].into_iter().enumerate() {
        tell_from(test, number * 10, &with_invoice(with.clone()), |told| {
            assert_eq!(first_paid(told), Value::Null, "{with}");
        })
        .await;
    }
    // Nothing at all is in force, since nobody has paid.
    let data = test.admin().data(RECURRING, json!({"at": time(PAID + 60)})).await;
    assert_eq!(data["analytics"]["recurringRevenue"], json!([]));
}
