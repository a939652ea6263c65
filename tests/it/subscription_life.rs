//! Subscriptions over months: what is billed, when, and what the API shows of it.

use crate::checkouts::buy;
use crate::support::{self, Shop, both_engines};
use chrono::TimeDelta;
use sandbox::Card;
use serde_json::{Value, json};

both_engines!(
    a_month_is_billed_after_the_other,
    a_year_is_billed_once,
    a_trial_becomes_a_paid_plan,
    an_end_that_was_asked_for_comes_with_the_period,
    a_change_that_was_scheduled_comes_with_the_period,
    a_renewal_that_the_card_declines_leaves_the_plan_for_a_while,
);

const LIFE: &str = "{ viewer { trialAvailable plan { status plan { code } trialEnd currentPeriodEnd cancelAt
    scheduledPlan { code } scheduledAt }
    account { currency subscriptions(first: 1) { nodes { status currentPeriodStart currentPeriodEnd firstPaidAt endedAt
        history(first: 100, orderBy: {field: EFFECTIVE_AT, direction: ASC}) { nodes { status } } } }
        payments(orderBy: {field: CREATED_AT, direction: ASC}) { nodes { chargeStatus amount { amount } } }
        invoices(orderBy: {field: CREATED_AT, direction: ASC}) { nodes { collectionStatus total { amount } } } } } }";

async fn life(shop: &Shop, name: &str) -> Value {
    shop.test.user(name).data(LIFE, json!({})).await["viewer"].take()
}

/// Returns the amounts of the payments in a status, oldest first.
fn payments(life: &Value, status: &str) -> Vec<String> {
    let nodes = life["account"]["payments"]["nodes"].as_array().unwrap();
    let of_status = nodes.iter().filter(|payment| payment["chargeStatus"] == status);
    of_status.map(|payment| payment["amount"]["amount"].as_str().unwrap().to_owned()).collect()
}

/// Returns the statuses that the newest subscription had, each once, in order.
fn statuses(life: &Value) -> Vec<&str> {
    let history = life["account"]["subscriptions"]["nodes"][0]["history"]["nodes"].as_array().unwrap();
    let mut statuses: Vec<_> = history.iter().map(|version| version["status"].as_str().unwrap()).collect();
    statuses.dedup();
    statuses
}

fn subscription(life: &Value) -> &Value {
    &life["account"]["subscriptions"]["nodes"][0]
}

async fn act(shop: &Shop, name: &str, mutation: &str, input: Value) {
    let query = support::mutation(mutation, "userErrors { code message }");
    let list = "{ viewer { account { subscriptions(first: 1) { nodes { id } } } } }";
    let list = shop.test.user(name).data(list, json!({})).await;
    let mut input = input;
    input["subscriptionId"] = list["viewer"]["account"]["subscriptions"]["nodes"][0]["id"].clone();
    input["idempotencyKey"] = format!("{mutation} {}", shop.test.app.new_id()).into();
    let done = shop.ask(&shop.test.user(name), &query, input).await;
    assert_eq!(done["userErrors"], json!([]), "{mutation}");
    shop.deliver().await;
}

async fn a_month_is_billed_after_the_other(shop: &Shop) {
    buy(shop, "ann", "price_basic", "one").await;
    let first = life(shop, "ann").await;
    assert_eq!((payments(&first, "SUCCEEDED"), &first["account"]["currency"]), (vec!["900".to_owned()], &json!("USD")));
    assert_eq!(first["plan"]["currentPeriodEnd"], "2026-02-15T12:00:00Z");
    assert_eq!(subscription(&first)["currentPeriodStart"], "2026-01-15T12:00:00Z");
    assert_eq!(subscription(&first)["firstPaidAt"], "2026-01-15T12:00:00Z");
    shop.advance(TimeDelta::hours(2)).await;
    for (days, start, end, count) in [
        (31, "2026-02-15T12:00:00Z", "2026-03-15T12:00:00Z", 2),
        (28, "2026-03-15T12:00:00Z", "2026-04-15T12:00:00Z", 3),
        (31, "2026-04-15T12:00:00Z", "2026-05-15T12:00:00Z", 4),
    ] {
        shop.advance(TimeDelta::days(days)).await;
        let now = life(shop, "ann").await;
        assert_eq!(
            (&now["plan"]["status"], &now["plan"]["currentPeriodEnd"]),
            (&json!("ACTIVE"), &json!(end)),
            "{now}"
        );
        assert_eq!(subscription(&now)["currentPeriodStart"], start);
        assert_eq!(payments(&now, "SUCCEEDED"), vec!["900"; count], "one payment for each month");
        let invoices = now["account"]["invoices"]["nodes"].as_array().unwrap();
        assert_eq!(invoices.len(), count);
        assert!(invoices.iter().all(|invoice| invoice["collectionStatus"] == "PAID"), "{invoices:?}");
        assert_eq!(subscription(&now)["firstPaidAt"], "2026-01-15T12:00:00Z", "the first payment stays the first");
    }
    assert_eq!(statuses(&life(shop, "ann").await).last(), Some(&"ACTIVE"));
}

async fn a_year_is_billed_once(shop: &Shop) {
    buy(shop, "ann", "price_pro_year", "one").await;
    shop.advance(TimeDelta::days(200)).await;
    let later = life(shop, "ann").await;
    assert_eq!(payments(&later, "SUCCEEDED"), ["29000"]);
    assert_eq!(later["plan"]["currentPeriodEnd"], "2027-01-15T12:00:00Z");
    let query = "{ analytics { recurringRevenue { mrr { amount } arr { amount } subscriptionCount } } }";
    let revenue = shop.test.admin().data(query, json!({})).await;
    // A twelfth of 29,000 is 2,416 and two thirds.
    let expected = json!([{"mrr": {"amount": "2417"}, "arr": {"amount": "29000"}, "subscriptionCount": 1}]);
    assert_eq!(revenue["analytics"]["recurringRevenue"], expected);
}

async fn a_trial_becomes_a_paid_plan(shop: &Shop) {
    buy(shop, "ann", "price_pro", "one").await;
    let trial = life(shop, "ann").await;
    assert_eq!(
        (&trial["plan"]["status"], &trial["plan"]["trialEnd"]),
        (&json!("TRIALING"), &json!("2026-01-29T12:00:00Z"))
    );
    assert_eq!((&trial["trialAvailable"], &subscription(&trial)["firstPaidAt"]), (&json!(false), &Value::Null));
    assert!(payments(&trial, "SUCCEEDED").iter().all(|amount| amount == "0"), "{trial}");
    shop.advance(TimeDelta::days(13)).await;
    assert_eq!(life(shop, "ann").await["plan"]["status"], "TRIALING");
    shop.advance(TimeDelta::days(1) + TimeDelta::hours(2)).await;
    let paid = life(shop, "ann").await;
    assert_eq!(paid["plan"]["status"], "ACTIVE");
    assert_eq!(payments(&paid, "SUCCEEDED").last().map(String::as_str), Some("2900"));
    assert!(subscription(&paid)["firstPaidAt"].is_string(), "{paid}");
    assert_eq!(statuses(&paid).last(), Some(&"ACTIVE"));
    assert!(statuses(&paid).contains(&"TRIALING"), "{paid}");
}

async fn an_end_that_was_asked_for_comes_with_the_period(shop: &Shop) {
    buy(shop, "ann", "price_basic", "one").await;
    act(shop, "ann", "cancelSubscription", json!({})).await;
    let ending = life(shop, "ann").await;
    assert_eq!(
        (&ending["plan"]["status"], &ending["plan"]["cancelAt"]),
        (&json!("ACTIVE"), &json!("2026-02-15T12:00:00Z"))
    );
    shop.advance(TimeDelta::days(30)).await;
    assert_eq!(life(shop, "ann").await["plan"]["status"], "ACTIVE", "the month was paid");
    shop.advance(TimeDelta::days(1) + TimeDelta::hours(2)).await;
    let over = life(shop, "ann").await;
    assert_eq!((&over["plan"], &subscription(&over)["status"]), (&Value::Null, &json!("CANCELED")));
    assert_eq!(subscription(&over)["endedAt"], "2026-02-15T12:00:00Z");
    assert_eq!(payments(&over, "SUCCEEDED"), ["900"], "nothing more is paid");
    shop.advance(TimeDelta::days(60)).await;
    assert_eq!(payments(&life(shop, "ann").await, "SUCCEEDED"), ["900"]);
    // Another one can be bought then.
    buy(shop, "ann", "price_basic", "two").await;
    let again = life(shop, "ann").await;
    assert_eq!((&again["plan"]["status"], payments(&again, "SUCCEEDED").len()), (&json!("ACTIVE"), 2));
}

async fn a_change_that_was_scheduled_comes_with_the_period(shop: &Shop) {
    buy(shop, "ann", "price_basic", "one").await;
    let pro = shop.price("price_pro").await;
    act(shop, "ann", "changePlan", json!({"priceId": pro, "timing": "PERIOD_END"})).await;
    let ahead = life(shop, "ann").await;
    assert_eq!(ahead["plan"]["scheduledPlan"], json!({"code": "pro"}));
    assert_eq!(ahead["plan"]["scheduledAt"], "2026-02-15T12:00:00Z");
    assert_eq!(ahead["plan"]["plan"], json!({"code": "basic"}));
    shop.advance(TimeDelta::days(31) + TimeDelta::hours(2)).await;
    let changed = life(shop, "ann").await;
    assert_eq!((&changed["plan"]["plan"], &changed["plan"]["scheduledPlan"]), (&json!({"code": "pro"}), &Value::Null));
    assert_eq!(payments(&changed, "SUCCEEDED"), ["900", "2900"], "the new price from the new period on");
}

async fn a_renewal_that_the_card_declines_leaves_the_plan_for_a_while(shop: &Shop) {
    buy(shop, "ann", "price_basic", "one").await;
    let customer = shop.stripe.objects("customer")[0]["id"].as_str().unwrap().to_owned();
    shop.stripe.set_card(&customer, Card::Declined).unwrap();
    let mut at_stripe = shop.stripe.objects("subscription").remove(0);
    at_stripe["default_payment_method"] = Value::Null;
    shop.stripe.put(at_stripe);
    shop.deliver().await;
    shop.advance(TimeDelta::days(31) + TimeDelta::hours(2)).await;
    let due = life(shop, "ann").await;
    assert_eq!((&due["plan"]["status"], &due["plan"]["plan"]), (&json!("PAST_DUE"), &json!({"code": "basic"})));
    assert_eq!(payments(&due, "SUCCEEDED"), ["900"]);
    let statuses: Vec<_> = due["account"]["invoices"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|invoice| &invoice["collectionStatus"])
        .collect();
    assert_eq!(statuses, [&json!("PAID"), &json!("OPEN")]);
    let query = "{ accounts { nodes { providerCustomers { nodes { delinquent } } } } }";
    let customers = shop.test.user("ann").data(query, json!({})).await;
    assert_eq!(customers["accounts"]["nodes"][0]["providerCustomers"]["nodes"], json!([{"delinquent": true}]));
}
