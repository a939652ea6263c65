//! Reads the sequences of the corpus, and compares with the records that they expect.

use super::{
    claim, customer, embedded_prices, invoice, kind, licences, payment, price, references, state, subscription, user,
};
use crate::inbox::json::{at, instant, list, minor, text};
use crate::inbox::kinds::ObjectKind;
use crate::inbox::object::Object;
use crate::providers::Provider;
use crate::subscriptions::{Exact, Pricing};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

const SEQUENCES: [&str; 2] = ["20-paddle-lifecycle", "21-paddle-license"];

fn read(sequence: &str, file: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/corpus").join(sequence).join(file);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Returns every version of the objects of a sequence.
pub(super) fn states(sequence: &str) -> Vec<Object> {
    let events = read(sequence, "sequence.json");
    let files = list(&events, "events").iter().map(|event| text(event, "file").unwrap());
    files.filter_map(|file| object(&read(sequence, file))).collect()
}

pub(super) fn object(event: &Value) -> Option<Object> {
    let kind = kind(text(event, "event_type")?)?;
    let payload = at(event, "data").clone();
    Some(Object {
        kind,
        external_id: text(&payload, "id")?.to_owned(),
        api_version: None,
        deleted: false,
        occurred_at: instant(at(event, "occurred_at"))?,
        references: references(kind, &payload),
        payload,
    })
}

/// The newest version of each object of a sequence.
struct Mirror(BTreeMap<String, Object>);

impl Mirror {
    fn of(sequence: &str) -> Mirror {
        let mut newest: BTreeMap<String, Object> = BTreeMap::new();
        for object in states(sequence) {
            match newest.get(&object.external_id) {
                Some(known) if known.occurred_at > object.occurred_at => {}
                _ => drop(newest.insert(object.external_id.clone(), object)),
            }
        }
        Mirror(newest)
    }

    fn kind(&self, kind: ObjectKind) -> impl Iterator<Item = &Object> {
        self.0.values().filter(move |object| object.kind == kind)
    }

    fn adjustments(&self, transaction: &str) -> Vec<&Object> {
        self.kind(ObjectKind::Adjustment)
            .filter(|object| object.references.payment.as_deref() == Some(transaction))
            .collect()
    }
}

/// Returns the expected facts of one kind of object, each with its object.
fn facts<'a>(mirror: &'a Mirror, expected: &'a Value, kind: ObjectKind) -> Vec<(&'a Object, &'a Value)> {
    let name = Provider::Paddle.kind_entry(kind).unwrap().name;
    let Some(facts) = at(expected, "facts").get(format!("{name}s")).and_then(Value::as_object) else {
        return Vec::new();
    };
    assert_eq!(facts.len(), mirror.kind(kind).count(), "{name}s");
    facts.iter().map(|(id, facts)| (&mirror.0[id], facts)).collect()
}

#[test]
fn customers_are_as_the_corpus_expects() {
    for sequence in SEQUENCES {
        let (mirror, expected) = (Mirror::of(sequence), read(sequence, "expected.json"));
        let found = facts(&mirror, &expected, ObjectKind::Customer);
        assert_eq!(found.len(), 1);
        for (object, fact) in found {
            let observed = customer(object).unwrap();
            assert_eq!((observed.provider, &observed.external_id), ("paddle", &object.external_id));
            assert_eq!(json!(observed.email), fact["email"]);
            assert_eq!(json!(observed.name), fact["name"]);
            assert_eq!(json!(user(object)), fact["user_id"]);
            assert_eq!((observed.deleted, observed.delinquent), (fact["status"] != "active", false));
        }
    }
}

#[test]
fn subscriptions_are_as_the_corpus_expects() {
    let sequence = SEQUENCES[0];
    let (mirror, expected) = (Mirror::of(sequence), read(sequence, "expected.json"));
    let found = facts(&mirror, &expected, ObjectKind::Subscription);
    assert_eq!(found.len(), 1);
    for (object, fact) in found {
        let observed = subscription(object).unwrap();
        assert_eq!(json!(observed.customer_external_id), fact["customer"]);
        assert_eq!((json!(claim(object)), user(object)), (fact["user_id"].clone(), None));
        assert_eq!(json!(observed.status), fact["status"]);
        let [item] = &observed.items[..] else { panic!("{:?}", observed.items) };
        assert_eq!(json!(item.price_external_id), fact["price"]);
        assert_eq!(item.external_id, format!("{}:{}", object.external_id, item.price_external_id));
        assert_eq!(json!(item.quantity), fact["quantity"]);
        assert_eq!(item.period.map(|(start, _)| start), instant(&fact["period_start"]));
        assert_eq!(item.period.map(|(_, end)| end), instant(&fact["period_end"]));
        assert_eq!(
            (&item.pricing, item.interval.as_str(), item.interval_count),
            (&Pricing::PerUnit(Exact::from_integer(9_900)), "month", 1)
        );
        assert_eq!(observed.next_billed_at, instant(&fact["next_billed_at"]));
        assert_eq!((observed.scheduled.len(), observed.cancel_at), (0, None));
        assert_eq!(observed.canceled_at, instant(&fact["canceled_at"]));
        assert_eq!(observed.paused_at, instant(&fact["paused_at"]));
        let ends_at = observed.ended_at.or(observed.cancel_at).map(|end| end.timestamp());
        assert_eq!(json!(ends_at), expected["derived"]["users"]["user_2001"]["ends_at"]);
    }
}

#[test]
fn a_subscription_goes_through_the_states_that_it_was_in() {
    let (mut actual, mut scheduled) = (Vec::new(), 0);
    for object in states(SEQUENCES[0]).iter().filter(|object| object.kind == ObjectKind::Subscription) {
        let observed = subscription(object).unwrap();
        let state = state(object, &[]).unwrap();
        assert_eq!((state.status, &state.items, state.paused), (observed.status, &observed.items, false));
        let days = observed.trial.map(|(start, end)| (end - start).num_days());
        assert_eq!((days, observed.observed_at), (Some(14), object.occurred_at));
        for change in &observed.scheduled {
            scheduled += 1;
            assert_eq!((change.kind.as_str(), Some(change.effective_at)), ("cancel", observed.cancel_at));
            assert!(observed.cancel_at_period_end && observed.ended_at.is_none());
        }
        if actual.last() != Some(&state.status.as_str()) {
            actual.push(state.status.as_str());
        }
    }
    assert_eq!(actual, ["trialing", "active", "past_due", "active", "canceled"]);
    assert_eq!(scheduled, 1);
}

#[test]
fn transactions_and_adjustments_are_as_the_corpus_expects() {
    for sequence in SEQUENCES {
        let (mirror, expected) = (Mirror::of(sequence), read(sequence, "expected.json"));
        let (mut gross, mut refunded) = (0, 0);
        for (object, fact) in facts(&mirror, &expected, ObjectKind::Transaction) {
            let observed = invoice(object).unwrap();
            assert_eq!(json!(observed.customer_external_id), fact["customer"]);
            assert_eq!(json!(observed.subscription_external_id), fact["subscription"]);
            assert_eq!((observed.status.as_str(), &fact["status"]), ("paid", &json!("completed")));
            assert_eq!(json!(observed.billing_reason), fact["origin"]);
            assert_eq!(json!(observed.currency), fact["currency"]);
            assert_eq!(json!(observed.total_minor), fact["total"]);
            assert_eq!(json!(observed.tax_minor), fact["tax"]);
            assert_eq!(json!(observed.number), fact["invoice_number"]);
            assert_eq!(observed.paid_minor, observed.due_minor);
            let Some(paid) = payment(object, &mirror.adjustments(&object.external_id)) else {
                assert_eq!((&fact["total"], &fact["refunded"]), (&json!(0), &json!(0)));
                assert_eq!(observed.payment_external_id, None);
                continue;
            };
            assert_eq!(observed.payment_external_id.as_ref(), Some(&paid.external_id));
            assert_eq!((paid.status.as_str(), json!(paid.provider_status)), ("succeeded", fact["status"].clone()));
            assert_eq!(json!(paid.amount_minor), fact["total"]);
            assert_eq!(json!(paid.refunded_minor), fact["refunded"]);
            assert_eq!(paid.fee_minor, minor(at(&object.payload, "details.totals.fee")));
            assert_eq!(paid.paid_at, observed.paid_at);
            gross += paid.received_minor;
            refunded += paid.refunded_minor;
        }
        let totals = json!({"gross_paid": gross, "refunded": refunded, "net": gross - refunded});
        assert_eq!(totals, expected["derived"]["totals"]["USD"]);

        let found = facts(&mirror, &expected, ObjectKind::Adjustment);
        assert_eq!(found.len(), 1);
        for (object, fact) in found {
            let transaction = &mirror.0[fact["transaction"].as_str().unwrap()];
            let paid = payment(transaction, &mirror.adjustments(&transaction.external_id)).unwrap();
            let [refund] = &paid.refunds[..] else { panic!("{:?}", paid.refunds) };
            assert_eq!((&refund.external_id, &fact["action"]), (&object.external_id, &json!("refund")));
            assert_eq!((refund.status.as_str(), json!(refund.provider_status)), ("processed", fact["status"].clone()));
            assert_eq!(refund.processed_at, instant(at(&object.payload, "updated_at")));
            assert_eq!(json!(refund.amount_minor), fact["total"]);
            assert_eq!(json!(paid.currency), fact["currency"]);
        }
    }
}

#[test]
fn a_payment_fails_and_is_made_good() {
    let transactions = states(SEQUENCES[0]).into_iter().filter(|object| object.kind == ObjectKind::Transaction);
    let of_october = transactions.filter(|object| object.external_id == "txn_0160rfv99zyyg0gjk7yz8x9k8b");
    let actual = of_october.map(|object| {
        let paid = payment(&object, &[]).unwrap();
        assert_eq!((paid.stream.as_str(), paid.description.as_deref()), ("subscription", Some("Pro")));
        assert_eq!(
            invoice(&object).unwrap().attempt_count,
            i64::try_from(list(&object.payload, "payments").len()).unwrap()
        );
        let attempt = paid.charge_external_id.map(|id| id[..8].to_owned());
        (paid.status.as_str(), paid.failed_attempts, paid.failure_code, paid.received_minor, attempt)
    });
    let mut actual: Vec<_> = actual.collect();
    actual.dedup();
    let declined = ("failed", 1, Some("declined".to_owned()), 0, Some("e60dc55e".to_owned()));
    let succeeded = ("succeeded", 1, None, 2_900, Some("294d90fa".to_owned()));
    assert_eq!(actual, [("pending", 0, None, 0, None), declined, succeeded]);
}

#[test]
fn licences_are_as_the_corpus_expects() {
    for sequence in SEQUENCES {
        let (mirror, expected) = (Mirror::of(sequence), read(sequence, "expected.json"));
        let sold = mirror.kind(ObjectKind::Transaction).flat_map(|object| {
            let sold = licences(object, &mirror.adjustments(&object.external_id));
            sold.into_iter().map(|sold| {
                json!({
                    "user": claim(object), "transaction": object.external_id,
                    "product": sold.product_external_id, "issued": sold.units, "revoked": sold.revoked_units,
                })
            })
        });
        assert_eq!(json!(sold.collect::<Vec<_>>()), expected["derived"]["licenses"]);
    }
}

#[test]
fn the_catalogue_is_read_from_events_and_from_what_carries_it() {
    let mirror = Mirror::of(SEQUENCES[0]);
    let product = |object: &Object| mirror.0.get(text(&object.payload, "product_id").unwrap());
    let mut actual: Vec<_> = mirror
        .kind(ObjectKind::Price)
        .map(|object| {
            let observed = price(object, product(object)).unwrap();
            assert_eq!((&observed.external_id, observed.currency.as_str()), (&object.external_id, "USD"));
            assert!(observed.active && observed.credits.is_none() && observed.trial_days.is_none());
            let sold = observed.product;
            (
                sold.name,
                sold.kind.as_str(),
                sold.code,
                sold.rank,
                observed.unit_amount_minor.unwrap(),
                observed.interval.as_str(),
            )
        })
        .collect();
    actual.sort();
    let row = |name: &str, kind, code: &str, rank, amount, interval| {
        (name.to_owned(), kind, code.to_owned(), rank, amount, interval)
    };
    let business = row("Business", "plan", "business", 3, 9_900, "month");
    let licence = row("Desktop licence", "addon", "pro_013gnb6kehwjxy39rmnn2pcda2", 0, 4_900, "one_time");
    let (pro, starter) =
        (row("Pro", "plan", "pro", 2, 2_900, "month"), row("Starter", "plan", "starter", 1, 900, "month"));
    assert_eq!(actual, [business, licence, pro, starter]);

    for object in SEQUENCES.into_iter().flat_map(states) {
        for (embedded, product) in embedded_prices(&object.payload) {
            let kinds = (embedded.kind, product.as_ref().unwrap().kind);
            assert_eq!(kinds, (ObjectKind::Price, ObjectKind::Product));
            assert!(embedded.occurred_at < object.occurred_at);
            let Some(known) = mirror.0.get(&embedded.external_id) else { continue };
            assert!(embedded.occurred_at < known.occurred_at);
            let known = price(known, mirror.0.get(&product.as_ref().unwrap().external_id));
            assert_eq!(price(&embedded, product.as_ref()), known);
        }
    }
}
