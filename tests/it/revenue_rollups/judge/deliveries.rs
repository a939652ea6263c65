//! Lives as events of Stripe, delivered shuffled, late and repeated, against the same reckoning.

use super::lives::{BEGIN, Contract, Coupon, NOW, PLANS, Payment, State, lives};
use super::reckoning::{book, cash, day_of};
use super::{POLICIES, asked, compare_instants, compare_movements, expected};
use crate::support::{TestApp, both_engines, sql, webhooks};
use chrono::{Days, TimeDelta};
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use sea_orm::DbBackend;
use serde_json::{Value, json};
use tollgate::providers::Provider;

both_engines!(events_in_any_order_make_the_figures_of_an_independent_reckoning,);

/// Customers whose events are delivered.
const CUSTOMERS: usize = 40;

fn event(events: &mut Vec<Value>, kind: &str, at: i64, object: Value) {
    events.push(json!({
        "id": format!("evt_{}", events.len()), "object": "event", "api_version": "2024-06-20", "created": at,
        "livemode": false, "type": kind, "pending_webhooks": 1, "request": {"id": null, "idempotency_key": null},
        "data": {"object": object},
    }));
}

fn discount(coupon: Coupon, name: &str) -> Value {
    json!({
        "id": format!("di_{name}_{}", coupon.start), "object": "discount", "start": coupon.start, "end": coupon.end,
        "subscription": name,
        "coupon": {
            "id": format!("co_{name}_{}", coupon.start), "object": "coupon", "percent_off": coupon.percent, "valid": true,
            "duration": if coupon.forever { "forever" } else { "repeating" }, "created": coupon.start,
        },
    })
}

/// A subscription as Stripe shows it in a state.
fn subscription(name: &str, contract: &Contract, state: &State) -> Value {
    let (code, amount) = PLANS[state.item.plan];
    let (interval, count) = state.item.interval;
    let currency = contract.currency.to_lowercase();
    let price = format!("price_{code}_{interval}_{count}_{currency}");
    let trial_end = contract.trial_start.map(|start| start + 14 * super::DAY);
    let ended = (state.status == "canceled" || state.status == "incomplete_expired").then_some(state.at);
    json!({
        "id": name, "object": "subscription", "created": contract.states[0].at, "start_date": contract.states[0].at,
        "status": state.status, "currency": currency, "customer": format!("cus_{}", state.owner),
        "trial_start": contract.trial_start, "trial_end": trial_end, "ended_at": ended, "canceled_at": ended,
        "pause_collection": state.paused.then(|| json!({"behavior": "void", "resumes_at": null})),
        "discount": state.coupon.map(|coupon| discount(coupon, name)),
        "items": {"object": "list", "data": [{
            "id": format!("si_{name}"), "object": "subscription_item", "quantity": state.item.quantity,
            "current_period_start": state.at, "current_period_end": state.at + 30 * super::DAY,
            "price": {
                "id": price, "object": "price", "active": true, "currency": currency, "unit_amount": amount,
                "unit_amount_decimal": amount.to_string(), "product": format!("prod_{code}"), "created": BEGIN,
                "metadata": {"plan": code}, "type": "recurring",
                "recurring": {"interval": interval, "interval_count": count, "usage_type": "licensed"},
            },
        }]},
    })
}

fn pay(events: &mut Vec<Value>, name: &str, number: usize, contract: &Contract, payment: &Payment) {
    let currency = contract.currency.to_lowercase();
    let (intent, invoice) = (format!("pi_{name}_{number}"), format!("in_{name}_{number}"));
    let customer = format!("cus_{}", contract.states[0].owner);
    event(
        events,
        "payment_intent.succeeded",
        payment.at,
        json!({
            "id": intent, "object": "payment_intent", "amount": payment.amount, "amount_received": payment.amount,
            "currency": currency, "customer": customer, "created": payment.at, "status": "succeeded", "invoice": invoice,
        }),
    );
    event(
        events,
        "invoice.paid",
        payment.at,
        json!({
            "id": invoice, "object": "invoice", "created": payment.at, "currency": currency, "customer": customer,
            "status": "paid", "subtotal": payment.amount, "total": payment.amount, "amount_due": payment.amount,
            "amount_paid": payment.amount, "subscription": name, "payment_intent": intent,
            "status_transitions": {"paid_at": payment.at},
        }),
    );
    if let Some((at, amount)) = payment.refund {
        event(
            events,
            "refund.created",
            at,
            json!({
                "id": format!("re_{name}_{number}"), "object": "refund", "amount": amount, "currency": currency,
                "created": at, "payment_intent": intent, "status": "succeeded",
            }),
        );
    }
}

async fn events_in_any_order_make_the_figures_of_an_independent_reckoning(test: &TestApp) {
    let db = test.app.db.schema();
    let lives = lives(CUSTOMERS, 21, false);
    let mut events = Vec::new();
    for life in &lives {
        let subject = format!("u{}", life.number);
        test.user(&subject).data("{ viewer { user { id } } }", json!({})).await;
        let customer = json!({"id": format!("cus_{}", life.number), "object": "customer", "created": BEGIN,
            "metadata": {"user_id": subject}});
        event(&mut events, "customer.created", BEGIN, customer);
        for (index, contract) in life.contracts.iter().enumerate() {
            let name = format!("sub_{}_{index}", life.number);
            for (place, state) in contract.states.iter().enumerate() {
                let kind = match (place, state.status) {
                    (0, _) => "customer.subscription.created",
                    (_, "canceled") => "customer.subscription.deleted",
                    _ => "customer.subscription.updated",
                };
                event(&mut events, kind, state.at, subscription(&name, contract, state));
            }
            for (number, payment) in contract.payments.iter().filter(|payment| payment.succeeded).enumerate() {
                pay(&mut events, &name, number, contract, payment);
            }
        }
    }
    // In another order on each engine; one of five comes twice.
    let seed = if db.get_database_backend() == DbBackend::Sqlite { 1 } else { 2 };
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let again: Vec<Value> = events.iter().filter(|_| dice.random_bool(0.2)).cloned().collect();
    events.extend(again);
    events.shuffle(&mut dice);
    let size = events.len() / 8 + 1;
    for some in events.chunks(size) {
        for event in some {
            assert_eq!(webhooks::deliver(test, Provider::Stripe, event).await.status, 200);
        }
        test.advance(TimeDelta::minutes(1));
        test.run_jobs().await;
    }
    let left = "SELECT external_id FROM inbox_events WHERE state NOT IN ('applied', 'ignored')";
    let left: Vec<String> = sql::column(db, left, []).await;
    assert_eq!(left, [""; 0], "every event is applied");
    let books = [false, true].map(|every_discount| book(&lives, every_discount));
    let whole = (day_of(BEGIN), day_of(NOW) + Days::new(1));
    for (policy, book) in POLICIES.into_iter().zip(&books) {
        assert_eq!(
            asked(test, whole.0, whole.1, "DAY", policy).await,
            expected(book, whole.0, whole.1, "DAY"),
            "{policy}"
        );
    }
    compare_movements(test, &books, whole).await;
    compare_instants(test, &lives, false).await;
    let gross: i64 = cash(&lives).values().map(|sums| sums[0] - sums[4]).sum();
    let query = "query($from: Date!, $to: Date!) { analytics { revenue(from: $from, to: $to, period: RANGE) { net { amount } } } }";
    let data = test.admin().data(query, json!({"from": whole.0, "to": whole.1})).await["analytics"]["revenue"].take();
    let net: i64 = data.as_array().unwrap().iter().map(|row| super::number(&row["net"]["amount"])).sum();
    assert_eq!(net, gross);
}
