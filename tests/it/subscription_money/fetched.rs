//! Objects that are fetched from Stripe come expanded as far as amounts depend on it.

use super::books::{Books, START, deliver, item, subscription, with};
use super::figures;
use crate::support::stripe::Stripe;
use crate::support::{TestApp, both_engines};
use serde_json::json;

both_engines!(amounts_that_events_do_not_have_are_fetched, nothing_is_expanded_without_need);

async fn amounts_that_events_do_not_have_are_fetched(given: &TestApp) {
    let stripe = Stripe::start(&[], Vec::new()).await;
    let test = given.beside(&stripe.settings()).await;
    let coupon = json!({
        "id": "co", "object": "coupon", "amount_off": 500, "currency": "usd", "duration": "forever", "valid": true,
        "created": START,
    });
    let expanded = with(coupon.clone(), json!({"currency_options": {"eur": {"amount_off": 300}}}));
    let discount = json!({
        "id": "di", "object": "discount", "customer": "cus_1", "subscription": "sub_1", "start": START + 5, "end": null,
        "coupon": expanded,
    });
    let options = json!({"currency_options": {"eur": {"unit_amount": 1_800}}});
    let euros = json!({"currency": "eur", "discounts": [discount]});
    stripe.put(with(subscription(json!([item("pro", options)])), euros));
    let mut books = Books::new("2025-08-27.basil");
    let sent = json!({"currency": "eur", "discounts": ["di"]});
    books.subscribe(with(subscription(json!([item("pro", json!({}))])), sent));
    books.deliver(&test).await;
    assert_eq!(figures(&test, 1).await, ["EUR 1500", "EUR 1500"]);
    let asked = stripe.asked().into_iter().find(|path| path.contains("subscriptions")).unwrap();
    let asked = url::Url::parse(&format!("http://stripe{asked}")).unwrap();
    let expand: Vec<_> = asked.query_pairs().map(|(name, path)| format!("{name} {path}")).collect();
    let expected = [
        "expand[] items.data.price.currency_options",
        "expand[] discounts.coupon.applies_to",
        "expand[] discounts.coupon.currency_options",
    ];
    assert_eq!(expand, expected);
}

async fn nothing_is_expanded_without_need(given: &TestApp) {
    let stripe = Stripe::start(&[], Vec::new()).await;
    let test = given.beside(&stripe.settings()).await;
    let whole = subscription(json!([item("pro", json!({}))]));
    stripe.put(whole.clone());
    let price = item("pro", json!({}))["price"].clone();
    stripe.put(with(price.clone(), json!({"currency_options": {"eur": {"unit_amount": 1_700}}})));
    let mut books = Books::new("2025-08-27.basil");
    books.add("price.created", START, price);
    books.subscribe(whole);
    books.deliver(&test).await;
    assert_eq!(figures(&test, 1).await, ["USD 2000", "USD 2000"]);
    let asked = stripe.asked();
    assert!(asked.contains(&"/v1/subscriptions/sub_1".to_owned()), "{asked:?}");
    assert!(asked.contains(&"/v1/prices/price_pro?expand%5B%5D=currency_options".to_owned()), "{asked:?}");
    // A subscription in another currency finds its amount in what was fetched before.
    stripe.remove("sub_1");
    let mut books = Books::new("2025-08-27.basil");
    let euros = with(subscription(json!([item("pro", json!({}))])), json!({"currency": "eur"}));
    books.events.clear();
    books.add("customer.subscription.updated", START + 50, euros);
    deliver(&test, &books.events).await;
    assert_eq!(figures(&test, 1).await, ["EUR 1700", "EUR 1700"]);
}
