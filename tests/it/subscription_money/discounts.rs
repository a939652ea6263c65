//! Discounts: each scope, in the shape of each version of Stripe's API, in any order; and the instants at which they
//! count.

use super::books::{Books, DAY, START, deliver, item, post, subscription, with};
use super::{figures, history};
use crate::support::{TestApp, both_engines};
use serde_json::{Value, json};
use tollgate::providers::Provider;

both_engines!(
    every_version_of_the_api_shows_the_same_discounts,
    discounts_arrive_in_any_order,
    a_discount_is_restricted_to_products,
    an_amount_off_has_a_currency,
    a_repeating_coupon_ends_while_nothing_else_happens,
    a_discount_that_is_removed_ends,
    percentages_and_several_discounts_are_exact,
);

fn coupon(terms: Value) -> Value {
    let whole = json!({
        "id": "half", "object": "coupon", "created": START, "duration": "forever", "percent_off": 50, "valid": true,
        "amount_off": null, "currency": null, "duration_in_months": null, "times_redeemed": 0,
    });
    with(whole, terms)
}

fn discount(of: Value) -> Value {
    let whole = json!({
        "id": "di_1", "object": "discount", "customer": "cus_1", "subscription": "sub_1", "subscription_item": null,
        "start": START + 5, "end": null, "promotion_code": null, "checkout_session": null, "invoice": null,
        "invoice_item": null,
    });
    with(whole, of)
}

fn two_items() -> Value {
    subscription(json!([item("pro", json!({})), item("seat", json!({"unit_amount": 1_000}))]))
}

/// The books of a subscription to a plan of 20.00 and a seat of 10.00, with half of it off, in the shape of a version.
fn halved(version: &'static str, on_item: bool) -> Books {
    let mut books = Books::new(version);
    let mut whole = two_items();
    let scope = if on_item { json!({"subscription_item": "si_seat"}) } else { json!({}) };
    let of = if version.ends_with("clover") {
        json!({"source": {"type": "coupon", "coupon": "half"}})
    } else {
        json!({"coupon": coupon(json!({}))})
    };
    let given = with(discount(scope), of);
    match (version, on_item) {
        ("2022-11-15", false) => whole["discount"] = given.clone(),
        ("2024-06-20", false) => {
            whole["discount"] = given.clone();
            whole["discounts"] = json!(["di_1"]);
        }
        (_, false) => whole["discounts"] = json!(["di_1"]),
        (_, true) => whole["items"]["data"][1]["discounts"] = json!(["di_1"]),
    }
    books.subscribe(whole);
    books.add("coupon.created", START + 1, coupon(json!({})));
    books.add("customer.discount.created", START + 5, given);
    books
}

async fn every_version_of_the_api_shows_the_same_discounts(test: &TestApp) {
    for (number, version) in
        ["2022-11-15", "2024-06-20", "2025-08-27.basil", "2025-11-17.clover"].into_iter().enumerate()
    {
        for (on_item, expected) in [(false, 1_500), (true, 2_500)] {
            let name = format!("{number}{on_item}");
            let mut events = json!(halved(version, on_item).events).to_string();
            for id in ["sub_1", "di_1", "si_pro", "si_seat", "evt_", "price_pro", "price_seat"] {
                events = events.replace(id, &format!("{id}{name}"));
            }
            deliver(test, &serde_json::from_str::<Vec<Value>>(&events).unwrap()).await;
            let query = "query($id: String) { subscriptions(filter: {externalId: $id}) { nodes {
                history(first: 1) { nodes { arr { amount } } } discounts { scope couponExternalId } } } }";
            let found = test.admin().data(query, json!({"id": format!("sub_1{name}")})).await;
            let found = &found["subscriptions"]["nodes"][0];
            let arr = &found["history"]["nodes"][0]["arr"]["amount"];
            assert_eq!(*arr, (expected * 12).to_string(), "{version} {on_item}");
            let scope = if on_item { "ITEM" } else { "SUBSCRIPTION" };
            assert_eq!(found["discounts"], json!([{"scope": scope, "couponExternalId": "half"}]), "{version}");
        }
    }
}

async fn discounts_arrive_in_any_order(test: &TestApp) {
    let books = halved("2025-11-17.clover", true);
    // The last events first: the discount before the coupon that it names, and the subscription at the end.
    for event in books.events.iter().rev() {
        post(test, Provider::Stripe, std::slice::from_ref(event)).await;
    }
    deliver(test, &[]).await;
    assert_eq!(figures(test, 1).await, ["USD 2500", "USD 2500"]);
}

async fn a_discount_is_restricted_to_products(test: &TestApp) {
    let mut books = Books::new("2025-08-27.basil");
    // The restriction is in the expanded coupon alone; the subscription names the discount by its id.
    books.subscribe(with(two_items(), json!({"discounts": ["di_1"]})));
    books.add("customer.discount.created", START + 5, discount(json!({"coupon": coupon(json!({}))})));
    books.deliver(test).await;
    assert_eq!(figures(test, 1).await, ["USD 1500", "USD 1500"]);
    let mut books = Books::new("2025-08-27.basil");
    books.events.clear();
    let restricted = coupon(json!({"applies_to": {"products": ["prod_seat", "prod_other"]}}));
    books.add("coupon.updated", START + 6, restricted);
    // A version that is not expanded does not lift the restriction.
    books.add("coupon.updated", START + 7, coupon(json!({"times_redeemed": 1})));
    books.deliver(test).await;
    assert_eq!(figures(test, 1).await, ["USD 2500", "USD 2500"]);
    let products = &history(test).await["discounts"][0]["productExternalIds"];
    assert_eq!(*products, json!(["prod_seat", "prod_other"]));
}

async fn an_amount_off_has_a_currency(test: &TestApp) {
    let off = |terms: Value| {
        let terms = with(json!({"percent_off": null, "amount_off": 700, "currency": "eur"}), terms);
        json!([discount(json!({"coupon": coupon(terms)}))])
    };
    let options = json!({"usd": {"amount_off": 900}, "eur": {"amount_off": 700}});
    let cases = [
        (off(json!({})), ["USD unknown 1", "USD unknown 1"]),
        // A discount that ends by itself does not count for the default policy, known or not.
        (off(json!({"duration": "once"})), ["USD 3000", "USD unknown 1"]),
        (off(json!({"currency_options": options})), ["USD 2100", "USD 2100"]),
        (off(json!({"currency": "usd"})), ["USD 2300", "USD 2300"]),
        (off(json!({"currency": "usd", "amount_off": 5_000})), ["", ""]),
    ];
    for (second, (discounts, expected)) in cases.into_iter().enumerate() {
        let mut books = Books::new("2025-08-27.basil");
        let whole = with(two_items(), json!({"discounts": discounts}));
        let at = START + 10 * i64::try_from(second).unwrap();
        if second == 0 {
            books.subscribe(whole);
        } else {
            books.events.clear();
            books.add("customer.subscription.updated", at, whole);
            books.events[0]["id"] = json!(format!("evt_{second}"));
        }
        books.deliver(test).await;
        assert_eq!(figures(test, 1).await, expected, "{second}");
    }
}

async fn a_repeating_coupon_ends_while_nothing_else_happens(test: &TestApp) {
    let terms = json!({"duration": "repeating", "duration_in_months": 3});
    let mut books = Books::new("2025-08-27.basil");
    // Stripe states the end of one; that of the other follows from its months.
    let first = discount(json!({"coupon": coupon(terms.clone()), "end": START + 40 * DAY}));
    let second = discount(json!({"id": "di_2", "coupon": coupon(with(terms, json!({"percent_off": 10})))}));
    books.subscribe(with(two_items(), json!({"discounts": [first, second]})));
    books.deliver(test).await;
    for (days, mrr) in [(0, 1_350), (39, 1_350), (40, 2_700), (89, 2_700), (90, 3_000), (4_000, 3_000)] {
        assert_eq!(figures(test, days).await, ["USD 3000".to_owned(), format!("USD {mrr}")], "{days}");
    }
    let changes = history(test).await["history"]["nodes"][0]["arrChanges"].take();
    let expected = json!([
        {"effectiveAt": "2026-02-10T00:00:00Z", "arr": {"amount": "36000"},
            "discountedArr": {"amount": "32400", "currency": "USD"}},
        {"effectiveAt": "2026-04-01T00:00:05Z", "arr": {"amount": "36000"},
            "discountedArr": {"amount": "36000", "currency": "USD"}},
    ]);
    assert_eq!(changes, expected);
}

async fn a_discount_that_is_removed_ends(test: &TestApp) {
    let mut books = halved("2025-08-27.basil", false);
    let gone = discount(json!({"coupon": coupon(json!({}))}));
    books.add("customer.discount.deleted", START + 20 * DAY, gone);
    let mut events = books.events;
    deliver(test, &events).await;
    assert_eq!(figures(test, 19).await, ["USD 1500", "USD 1500"]);
    assert_eq!(figures(test, 20).await, ["USD 3000", "USD 3000"]);
    assert_eq!(history(test).await["discounts"][0]["endsAt"], "2026-01-21T00:00:00Z");
    // The subscription without it comes late, and was in force before.
    let mut books = Books::new("2025-08-27.basil");
    books.events.clear();
    books.add("customer.subscription.updated", START + 15 * DAY, two_items());
    events = books.events;
    deliver(test, &events).await;
    assert_eq!(figures(test, 14).await, ["USD 1500", "USD 1500"]);
    assert_eq!(figures(test, 15).await, ["USD 3000", "USD 3000"]);
    assert_eq!(history(test).await["discounts"][0]["endsAt"], "2026-01-16T00:00:00Z");
}

async fn percentages_and_several_discounts_are_exact(test: &TestApp) {
    let percent = |id: &str, percent: f64, duration: &str| {
        let terms = json!({"id": id, "percent_off": percent, "duration": duration});
        discount(json!({"id": format!("di_{id}"), "coupon": coupon(terms)}))
    };
    let of_seat = with(percent("seat", 25.5, "forever"), json!({"subscription_item": "si_seat"}));
    let mut whole = with(
        two_items(),
        json!({"discounts": [percent("third", 33.3333, "forever"), percent("welcome", 20.0, "once")]}),
    );
    whole["items"]["data"][1]["discounts"] = json!([of_seat]);
    let mut books = Books::new("2025-08-27.basil");
    books.subscribe(whole);
    books.deliver(test).await;
    // 12 × (2000 + 745) × 0.666667 = 21960.01, and of that four fifths are 17568.01.
    let state = history(test).await["history"]["nodes"][0].take();
    assert_eq!([&state["arr"]["amount"], &state["discountedArr"]["amount"]], ["21960", "17568"]);
    assert_eq!(state["discountInForce"].as_array().unwrap().len(), 3);
}
