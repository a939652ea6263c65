//! Pauses of subscriptions: payments are waived and the plan stays, so what a customer may ask for has a limit.

use crate::checkouts::buy;
use crate::support::{Shop, both_engines};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tollgate::auth::Permission;

both_engines! {
    a_pause_without_an_end_gets_one,
    a_pause_longer_than_the_limit_is_refused,
    a_pause_waives_no_more_than_its_own_time,
    the_pauses_of_a_year_count_together,
    who_resumes_in_a_period_that_was_waived_pays_for_a_new_one,
    an_operator_may_pause_without_an_end,
    an_installation_may_allow_no_pause,
}

const PAUSE: &str = "mutation Go($input: PauseSubscriptionInput!) { pauseSubscription(input: $input) {
    subscription { pausedAt } userErrors { code message } } }";
const RESUME: &str = "mutation Go($input: ResumeSubscriptionInput!) { resumeSubscription(input: $input) {
    subscription { pausedAt } userErrors { code } } }";

async fn subscriber(shop: &Shop, price: &str) -> Value {
    buy(shop, "ann", price, "buy").await;
    let found = shop.test.user("ann").data("{ viewer { subscription { id } } }", json!({})).await;
    found["viewer"]["subscription"]["id"].clone()
}

fn at_stripe(shop: &Shop) -> Value {
    shop.stripe.objects("subscription").pop().unwrap()
}

fn resumes_at(shop: &Shop) -> DateTime<Utc> {
    let at = at_stripe(shop)["pause_collection"]["resumes_at"].as_i64().unwrap();
    DateTime::from_timestamp(at, 0).unwrap()
}

fn period_end(shop: &Shop) -> DateTime<Utc> {
    let end = at_stripe(shop)["items"]["data"][0]["current_period_end"].as_i64().unwrap();
    DateTime::from_timestamp(end, 0).unwrap()
}

/// Asks for a pause as Ann; the code of the refusal, or an empty text.
async fn pause(shop: &Shop, id: &Value, until: Option<DateTime<Utc>>, key: &str) -> String {
    let input = json!({"subscriptionId": id, "until": until, "idempotencyKey": key});
    let paused = shop.ask(&shop.test.user("ann"), PAUSE, input).await;
    shop.deliver().await;
    paused["userErrors"][0]["code"].as_str().unwrap_or_default().to_owned()
}

async fn resume(shop: &Shop, id: &Value, key: &str) {
    let input = json!({"subscriptionId": id, "idempotencyKey": key});
    let resumed = shop.ask(&shop.test.user("ann"), RESUME, input).await;
    assert_eq!(resumed, json!({"subscription": {"pausedAt": null}, "userErrors": []}));
    shop.deliver().await;
}

async fn a_pause_without_an_end_gets_one(shop: &Shop) {
    let id = subscriber(shop, "price_basic").await;
    let now = shop.test.app.now();
    assert_eq!(pause(shop, &id, None, "one").await, "");
    assert!(resumes_at(shop) > now + TimeDelta::days(31), "{}", resumes_at(shop));
    assert!(resumes_at(shop) <= now + TimeDelta::days(90), "{}", resumes_at(shop));
    let charges = shop.count("charge");
    for _ in 0..4 {
        shop.advance(TimeDelta::days(31)).await;
    }
    assert_eq!(at_stripe(shop)["pause_collection"], Value::Null);
    assert!(shop.count("charge") > charges, "the customer pays again");
}

async fn a_pause_longer_than_the_limit_is_refused(shop: &Shop) {
    let id = subscriber(shop, "price_basic").await;
    let now = shop.test.app.now();
    assert_eq!(pause(shop, &id, Some(now + TimeDelta::days(91)), "one").await, "UNTIL_INVALID");
    assert_eq!(pause(shop, &id, Some(now - TimeDelta::days(1)), "two").await, "UNTIL_INVALID");
    assert_eq!(at_stripe(shop)["pause_collection"], Value::Null);
    // Within the paid period nothing is waived.
    assert_eq!(pause(shop, &id, Some(now + TimeDelta::days(9)), "three").await, "");
    assert_eq!(resumes_at(shop), now + TimeDelta::days(9));
}

async fn a_pause_waives_no_more_than_its_own_time(shop: &Shop) {
    let id = subscriber(shop, "price_basic").await;
    let end = period_end(shop);
    // One day over the renewal would waive a month.
    assert_eq!(pause(shop, &id, Some(end + TimeDelta::days(1)), "one").await, "");
    let resumes_at = resumes_at(shop);
    assert!(resumes_at > end + TimeDelta::days(26) && resumes_at < end + TimeDelta::days(32), "{resumes_at}");
    let charges = shop.count("charge");
    shop.advance(TimeDelta::days(40)).await;
    assert_eq!(shop.count("charge"), charges, "one payment is waived");
    shop.advance(TimeDelta::days(25)).await;
    assert_eq!(shop.count("charge"), charges + 1, "and no more");
}

async fn the_pauses_of_a_year_count_together(shop: &Shop) {
    let id = subscriber(shop, "price_basic").await;
    // Two periods of a month each.
    assert_eq!(pause(shop, &id, Some(shop.test.app.now() + TimeDelta::days(40)), "one").await, "");
    for _ in 0..4 {
        shop.advance(TimeDelta::days(31)).await;
    }
    assert_eq!(at_stripe(shop)["pause_collection"], Value::Null);
    let now = shop.test.app.now();
    assert_eq!(pause(shop, &id, Some(now + TimeDelta::days(60)), "two").await, "UNTIL_INVALID");
    // The rest is for less than two months.
    assert_eq!(pause(shop, &id, None, "three").await, "");
    assert!(resumes_at(shop) < now + TimeDelta::days(60));
    for _ in 0..3 {
        shop.advance(TimeDelta::days(31)).await;
    }
    let mut refused = String::new();
    for key in ["four", "five", "six"] {
        refused = pause(shop, &id, None, key).await;
        if !refused.is_empty() {
            break;
        }
        for _ in 0..2 {
            shop.advance(TimeDelta::days(31)).await;
        }
    }
    assert_eq!(refused, "PAUSE_LIMIT_REACHED");
}

async fn who_resumes_in_a_period_that_was_waived_pays_for_a_new_one(shop: &Shop) {
    let id = subscriber(shop, "price_basic").await;
    let charges = shop.count("charge");
    assert_eq!(pause(shop, &id, None, "one").await, "");
    // In the paid period a resumption costs nothing.
    shop.advance(TimeDelta::seconds(1)).await;
    resume(shop, &id, "two").await;
    assert_eq!(shop.count("charge"), charges);
    assert_eq!(pause(shop, &id, None, "three").await, "");
    shop.advance(TimeDelta::days(33)).await;
    assert_eq!(shop.count("charge"), charges, "the payment was waived");
    let now = shop.test.app.now();
    resume(shop, &id, "four").await;
    assert_eq!(shop.count("charge"), charges + 1);
    assert!(period_end(shop) > now + TimeDelta::days(27), "a whole period from now");
    assert_eq!(shop.stripe.objects("charge").pop().unwrap()["amount"], 900);
}

async fn an_operator_may_pause_without_an_end(shop: &Shop) {
    let id = subscriber(shop, "price_basic").await;
    let service = shop.test.service(&[Permission::BillingRead, Permission::BillingWrite]);
    let paused = shop.ask(&service, PAUSE, json!({"subscriptionId": id, "idempotencyKey": "one"})).await;
    assert_eq!(paused["userErrors"], json!([]), "{paused}");
    assert_eq!(at_stripe(shop)["pause_collection"], json!({"behavior": "void", "resumes_at": null}));
    shop.deliver().await;
    shop.advance(TimeDelta::days(200)).await;
    assert!(!at_stripe(shop)["pause_collection"].is_null());
    // An operator waives the period by resuming, too.
    let charges = shop.count("charge");
    let service = shop.test.service(&[Permission::BillingRead, Permission::BillingWrite]);
    let resumed = shop.ask(&service, RESUME, json!({"subscriptionId": id, "idempotencyKey": "two"})).await;
    assert_eq!(resumed["userErrors"], json!([]));
    assert_eq!(shop.count("charge"), charges);
    shop.deliver().await;
}

async fn an_installation_may_allow_no_pause(shop: &Shop) {
    let id = subscriber(shop, "price_basic").await;
    let node = shop.node_with(&[("TOLLGATE_MAX_PAUSE_DAYS", "0")]).await;
    let input = json!({"subscriptionId": id, "idempotencyKey": "one"});
    let refused = shop.ask(&node.user("ann"), PAUSE, input).await;
    assert_eq!(refused["userErrors"][0]["code"], "PAUSE_LIMIT_REACHED");
}
