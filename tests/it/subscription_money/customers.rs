//! Discounts that a customer has for all of their subscriptions.

use super::books::{Books, DAY, START, deliver, item, post, subscription, with};
use super::{figures, history};
use crate::support::{TestApp, both_engines};
use serde_json::{Value, json};
use tollgate::providers::Provider;

both_engines!(
    a_customers_discount_counts_for_their_subscriptions,
    a_discount_of_their_own_comes_first,
    an_event_of_the_discount_is_enough,
    a_discount_for_one_invoice_is_not_the_customers,
);

fn discount(id: &str, start: i64, percent: i64, duration: &str) -> Value {
    let coupon = json!({
        "id": format!("co_{id}"), "object": "coupon", "percent_off": percent, "duration": duration, "valid": true,
        "created": START,
    });
    json!({
        "id": id, "object": "discount", "customer": "cus_1", "subscription": null, "start": start, "end": null,
        "coupon": coupon,
    })
}

fn customer(discount: Value) -> Value {
    json!({
        "id": "cus_1", "object": "customer", "created": START, "metadata": {"user_id": "ann"}, "discount": discount,
    })
}

fn pro() -> Value {
    subscription(json!([item("pro", json!({}))]))
}

async fn a_customers_discount_counts_for_their_subscriptions(test: &TestApp) {
    let mut books = Books::new("2024-06-20");
    books.subscribe(pro());
    let given = discount("di_c", START + 10 * DAY, 25, "forever");
    books.add("customer.updated", START + 10 * DAY, customer(given.clone()));
    books.add("customer.updated", START + 12 * DAY, with(customer(given), json!({"name": "Ann"})));
    books.add("customer.updated", START + 20 * DAY, customer(Value::Null));
    // In any order: the customer's versions before the subscription, and the other way round.
    books.events.reverse();
    books.deliver(test).await;
    for (days, mrr) in [(9, 2_000), (10, 1_500), (19, 1_500), (20, 2_000)] {
        assert_eq!(figures(test, days).await, [format!("USD {mrr}"), format!("USD {mrr}")], "{days}");
    }
    let found = &history(test).await["discounts"];
    assert_eq!([&found[0]["scope"], &found[0]["externalId"]], ["CUSTOMER", "di_c"]);
    assert_eq!([&found[0]["beginsAt"], &found[0]["endsAt"]], ["2026-01-11T00:00:00Z", "2026-01-21T00:00:00Z"]);

    // A version that comes late ends it earlier.
    let mut books = Books::new("2024-06-20");
    books.events.clear();
    books.add("customer.updated", START + 15 * DAY, customer(Value::Null));
    books.deliver(test).await;
    assert_eq!(figures(test, 16).await, ["USD 2000", "USD 2000"]);
    assert_eq!(figures(test, 14).await, ["USD 1500", "USD 1500"]);
}

async fn a_discount_of_their_own_comes_first(test: &TestApp) {
    let own = with(discount("di_own", START + 5, 10, "repeating"), json!({"subscription": "sub_1"}));
    let own = with(own, json!({"end": START + 30 * DAY}));
    let mut books = Books::new("2024-06-20");
    books.events[0]["data"]["object"] = customer(discount("di_c", START, 50, "forever"));
    books.subscribe(with(pro(), json!({"discount": own})));
    // Another subscription of the same customer has none of its own.
    let mut other = json!(pro()).to_string();
    for id in ["sub_1", "si_pro"] {
        other = other.replace(id, &format!("{id}_other"));
    }
    let other: Value = serde_json::from_str(&other).unwrap();
    books.subscribe(with(other, json!({"currency": "usd"})));
    books.deliver(test).await;
    assert_eq!(figures(test, 1).await, ["USD 3000", "USD 2800"], "2000 and 1800 with it, 1000 without");
    assert_eq!(figures(test, 40).await, ["USD 2000", "USD 2000"]);
}

async fn an_event_of_the_discount_is_enough(test: &TestApp) {
    let mut books = Books::new("2025-08-27.basil");
    books.subscribe(pro());
    let given = discount("di_c", START + 3 * DAY, 100, "forever");
    books.add("customer.discount.created", START + 3 * DAY, given.clone());
    books.add("customer.discount.deleted", START + 6 * DAY, given);
    for event in books.events.iter().rev() {
        post(test, Provider::Stripe, std::slice::from_ref(event)).await;
    }
    deliver(test, &[]).await;
    assert_eq!(figures(test, 2).await, ["USD 2000", "USD 2000"]);
    assert_eq!(figures(test, 3).await, ["", ""], "nothing is left to pay");
    assert_eq!(figures(test, 6).await, ["USD 2000", "USD 2000"]);
}

async fn a_discount_for_one_invoice_is_not_the_customers(test: &TestApp) {
    let mut books = Books::new("2025-08-27.basil");
    books.subscribe(pro());
    for (number, field) in ["invoice", "invoice_item", "checkout_session"].into_iter().enumerate() {
        let mut once = with(discount(&format!("di_{number}"), START + 5, 90, "forever"), json!({}));
        once[field] = json!("of_one");
        books.add("customer.discount.created", START + 5, once);
    }
    books.deliver(test).await;
    assert_eq!(figures(test, 1).await, ["USD 2000", "USD 2000"]);
    assert_eq!(history(test).await["discounts"], json!([]));
}
