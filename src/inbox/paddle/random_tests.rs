//! Reads random payloads: nothing panics, and the records keep the rules of the tables.

use super::tests::states;
use super::{customer, embedded_prices, invoice, is_terminal, kind, licences, payment, price, purchase, state};
use super::{references, subscription, user};
use crate::inbox::kinds::ObjectKind;
use crate::inbox::object::{Object, References};
use crate::payments::{DisputeStatus, PaymentStatus, RefundStatus};
use crate::subscriptions::SubscriptionStatus;
use chrono::DateTime;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use std::sync::LazyLock;

static CORPUS: LazyLock<Vec<Object>> =
    LazyLock::new(|| ["20-paddle-lifecycle", "21-paddle-license"].into_iter().flat_map(states).collect());

/// Reads `object` in every way, with `others` as the objects that refer to it.
fn read(object: &Object, others: &[&Object]) {
    let payload = &object.payload;
    let (_, _, _) = (references(object.kind, payload), user(object), is_terminal(object.kind, payload));
    customer(object);
    for product in others.iter().copied().map(Some).chain([None]) {
        if let Some(price) = price(object, product) {
            assert!(price.unit_amount_minor.is_none_or(|amount| amount >= 0) && price.interval_count > 0, "{price:?}");
            assert!(price.trial_days.is_none_or(|days| days > 0) && price.credits.is_none_or(|credits| credits > 0));
        }
    }
    for (embedded, product) in embedded_prices(payload) {
        price(&embedded, product.as_ref());
    }
    assert_eq!(state(object, &[]).is_some(), subscription(object).is_some());
    if let Some(subscription) = subscription(object) {
        assert!(subscription.trial.is_none_or(|(start, end)| start <= end));
        assert_eq!(subscription.status == SubscriptionStatus::Canceled, subscription.ended_at.is_some());
        for item in &subscription.items {
            assert!(item.period.is_none_or(|(start, end)| start <= end), "{item:?}");
            assert!(item.quantity.is_some_and(|quantity| quantity >= 0) && item.interval_count > 0, "{item:?}");
            assert_eq!(subscription.items.iter().filter(|other| other.external_id == item.external_id).count(), 1);
        }
    }
    money(object, others);
    for sold in licences(object, others) {
        assert!(sold.units > 0 && (0..=sold.units).contains(&sold.revoked_units), "{sold:?}");
    }
    if let Some(bought) = purchase(object, others, "credit", None) {
        assert!(bought.credits > 0 && (0..=bought.amount_minor).contains(&bought.returned_minor), "{bought:?}");
    }
}

fn money(object: &Object, others: &[&Object]) {
    let invoice = invoice(object);
    if let Some(invoice) = &invoice {
        let adds_up = invoice.subtotal_minor - invoice.discount_minor + invoice.tax_minor;
        assert_eq!(invoice.total_minor, adds_up);
        let amounts = [invoice.discount_minor, invoice.tax_minor, invoice.due_minor, invoice.paid_minor];
        assert!(amounts.into_iter().all(|amount| amount >= 0), "{invoice:?}");
    }
    let Some(payment) = payment(object, others) else { return };
    assert_eq!(invoice.and_then(|invoice| invoice.payment_external_id).as_ref(), Some(&payment.external_id));
    assert!((0..=payment.amount_minor).contains(&payment.refunded_minor), "{payment:?}");
    assert!(payment.received_minor >= 0 && payment.fee_minor.is_none_or(|fee| fee >= 0), "{payment:?}");
    assert_eq!(payment.status == PaymentStatus::Succeeded, payment.paid_at.is_some());
    assert!(payment.status == PaymentStatus::Succeeded || payment.refunded_minor == 0);
    for refund in &payment.refunds {
        assert_eq!(refund.status == RefundStatus::Processed, refund.processed_at.is_some());
        assert!(refund.amount_minor > 0);
    }
    for dispute in &payment.disputes {
        assert_eq!(matches!(dispute.status, DisputeStatus::Won | DisputeStatus::Lost), dispute.closed_at.is_some());
        assert!(dispute.amount_minor > 0 && payment.disputed);
    }
}

/// A value that an object may have, or an unexpected one.
fn value() -> impl Strategy<Value = Value> {
    let words = select(vec![
        "",
        "0",
        "1",
        "-5",
        "1.5",
        "9223372036854775807",
        "-9223372036854775808",
        "USD",
        "jpy",
        "month",
        "plan",
        "license",
        "credit_pack",
        "approved",
        "reversed",
        "refund",
        "chargeback",
        "chargeback_reverse",
        "completed",
        "paid",
        "captured",
        "9999-12-31T23:59:59.999999Z",
        "0001-01-01T00:00:00+23:59",
        "a\u{0}b",
        "manual",
        "full",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        words.prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    let names = select(vec![
        "id",
        "status",
        "items",
        "price",
        "product",
        "custom_data",
        "details",
        "totals",
        "total",
        "payments",
        "amount",
        "line_items",
        "credits",
        "kind",
        "quantity",
        "billing_cycle",
        "action",
        "item_id",
        "0",
        "unit_price",
    ]);
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(names.clone().prop_map(str::to_owned), inner, 0..6).prop_map(|map| json!(map)),
        ]
    })
}

/// The places in a value, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, item)| places(item, &format!("{at}/{index}"), found));
        }
        Value::Object(fields) => fields.iter().for_each(|(name, item)| places(item, &format!("{at}/{name}"), found)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_is_sent_makes_it_panic(event_type in ".{0,20}", payload in value(), other in value()) {
        kind(&event_type);
        for kind in super::KINDS.iter().map(|entry| entry.kind) {
            let object = |payload: &Value| Object {
                kind,
                external_id: "x".to_owned(),
                api_version: None,
                payload: payload.clone(),
                deleted: false,
                occurred_at: DateTime::UNIX_EPOCH,
                references: References::default(),
            };
            read(&object(&payload), &[&object(&other), &object(&payload)]);
        }
    }

    #[test]
    fn nothing_that_is_almost_right_breaks_a_rule(
        transaction in any::<bool>(),
        which in any::<[Index; 3]>(),
        changes in vec((any::<Index>(), any::<Index>(), value()), 0..12),
    ) {
        // Most of the rules are about transactions and their adjustments.
        let of = |kind: ObjectKind| CORPUS.iter().filter(|object| object.kind == kind).collect::<Vec<_>>();
        let (all, adjustments) = (CORPUS.iter().collect(), of(ObjectKind::Adjustment));
        let first = if transaction { of(ObjectKind::Transaction) } else { all };
        let picked = [which[0].get(&first), which[1].get(&adjustments), which[2].get(&adjustments)];
        let mut objects = picked.map(|object| (*object).clone());
        for (object, place, value) in changes {
            let object = &mut objects[object.index(3)].payload;
            let mut all = Vec::new();
            places(object, "", &mut all);
            if let Some(spot) = object.pointer_mut(place.get(&all[..]).as_str()) {
                *spot = value;
            }
        }
        let [object, first, second] = &objects;
        read(object, &[first, second]);
    }
}
