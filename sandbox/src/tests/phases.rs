//! Phases of schedules, and what else Stripe does on the objects that Tollgate writes.

use super::*;

/// Subscribes with a coupon of half the price for ever. Returns the subscription.
async fn discounted(shop: &Shop) -> Value {
    shop.ok("coupons", &[("id", "HALF"), ("percent_off", "50"), ("duration", "forever")]).await;
    shop.subscribe(&[("discounts[0][coupon]", "HALF"), ("metadata[user_id]", "u_1")]).await
}

/// Makes a schedule of a subscription. Returns its path, and the ends of its present phase.
async fn scheduled(shop: &Shop, subscription: &Value) -> (String, String, String) {
    let made = shop.ok("subscription_schedules", &[("from_subscription", subscription["id"].as_str().unwrap())]).await;
    let time = |name: &str| at(&made, &format!("/phases/0/{name}")).to_string();
    (format!("subscription_schedules/{}", made["id"].as_str().unwrap()), time("start_date"), time("end_date"))
}

#[tokio::test]
async fn a_schedule_of_a_subscription_has_all_that_it_sets() {
    let shop = Shop::open().await;
    let subscription = discounted(&shop).await;
    let made = shop.ok("subscription_schedules", &[("from_subscription", subscription["id"].as_str().unwrap())]).await;
    let phase = at(&made, "/phases/0");
    let discount = &subscription["discounts"][0];
    assert_eq!(phase["discounts"], json!([{"coupon": null, "discount": discount, "promotion_code": null}]));
    assert_eq!(phase["metadata"], json!({"user_id": "u_1"}));
    assert_eq!(phase["collection_method"], "charge_automatically");
    assert_eq!(at(&phase, "/items/0/price"), json!(shop.monthly));
}

#[tokio::test]
async fn what_a_phase_leaves_out_the_subscription_loses() {
    let shop = Shop::open().await;
    let subscription = discounted(&shop).await;
    let (path, start, end) = scheduled(&shop, &subscription).await;
    let pairs = [
        ("phases[0][items][0][price]", shop.monthly.as_str()),
        ("phases[0][start_date]", start.as_str()),
        ("phases[0][end_date]", end.as_str()),
    ];
    let changed = shop.ok(&path, &pairs).await;
    assert_eq!(at(&changed, "/phases/0/discounts"), json!([]));
    assert_eq!(shop.object(&subscription["id"])["discounts"], json!([]));
    let types = shop.new_event_types();
    assert!(types.contains(&"customer.discount.deleted".to_owned()), "{types:?}");
    shop.pass(31);
    let renewal = shop.object(&shop.object(&subscription["id"])["latest_invoice"]);
    assert_eq!(renewal["total"], 3000);
}

#[tokio::test]
async fn what_a_phase_keeps_stays_and_a_coupon_in_it_gives_a_new_discount() {
    let shop = Shop::open().await;
    let subscription = discounted(&shop).await;
    let (path, start, end) = scheduled(&shop, &subscription).await;
    let discount = subscription["discounts"][0].as_str().unwrap();
    let mut pairs = vec![
        ("phases[0][items][0][price]", shop.monthly.as_str()),
        ("phases[0][start_date]", start.as_str()),
        ("phases[0][end_date]", end.as_str()),
        ("phases[0][discounts][0][discount]", discount),
        ("phases[0][default_tax_rates][0]", "txr_1"),
    ];
    shop.ok(&path, &pairs).await;
    let kept = shop.object(&subscription["id"]);
    assert_eq!(kept["discounts"], subscription["discounts"]);
    assert_eq!(at(&kept, "/default_tax_rates/0/id"), "txr_1");
    pairs[3] = ("phases[0][discounts][0][coupon]", "HALF");
    shop.ok(&path, &pairs).await;
    let given = shop.object(&subscription["id"]);
    assert_ne!(given["discounts"], subscription["discounts"]);
    assert_eq!(shop.object(&json!("HALF"))["times_redeemed"], 2);
    pairs[3] = ("phases[0][discounts][0][discount]", discount);
    assert_eq!(shop.post(&path, &pairs).await.code(), "resource_missing", "the former one is gone");
}

#[tokio::test]
async fn a_phase_without_the_trial_ends_it() {
    let shop = Shop::open().await;
    let subscription = shop.subscribe(&[("trial_period_days", "14")]).await;
    let (path, start, end) = scheduled(&shop, &subscription).await;
    let mut pairs = vec![
        ("phases[0][items][0][price]", shop.monthly.as_str()),
        ("phases[0][start_date]", start.as_str()),
        ("phases[0][end_date]", end.as_str()),
        ("phases[0][trial_end]", end.as_str()),
    ];
    shop.ok(&path, &pairs).await;
    assert_eq!(shop.object(&subscription["id"])["status"], "trialing");
    pairs.pop();
    shop.ok(&path, &pairs).await;
    let charged = shop.object(&subscription["id"]);
    assert_eq!(charged["status"], "active");
    assert_eq!(shop.object(&charged["latest_invoice"])["amount_paid"], 3000);
}

#[tokio::test]
async fn an_unpaid_subscription_ends_with_its_invoice() {
    let shop = Shop::open().await;
    let subscription = shop.subscribe(&[("payment_behavior", "default_incomplete")]).await;
    let invoice = subscription["latest_invoice"].as_str().unwrap();
    shop.ok(&format!("invoices/{invoice}/void"), &[]).await;
    assert_eq!(shop.object(&subscription["id"])["status"], "incomplete_expired");
    assert_eq!(shop.post(&format!("invoices/{invoice}/void"), &[]).await.status, 400);
    let paid = shop.subscribe(&[]).await;
    let path = format!("invoices/{}/void", paid["latest_invoice"].as_str().unwrap());
    assert_eq!(shop.post(&path, &[]).await.status, 400, "a paid one stays");
    assert_eq!(shop.object(&paid["id"])["status"], "active");
}

#[tokio::test]
async fn a_period_that_begins_now_is_billed_now() {
    let shop = Shop::open().await;
    let subscription = shop.subscribe(&[]).await;
    let path = format!("subscriptions/{}", subscription["id"].as_str().unwrap());
    shop.pass(10);
    let pairs =
        [("billing_cycle_anchor", "now"), ("proration_behavior", "none"), ("payment_behavior", "error_if_incomplete")];
    let changed = shop.ok(&path, &pairs).await;
    assert_eq!(at(&changed, "/items/data/0/current_period_start"), START + 10 * 86_400);
    assert_eq!(shop.object(&changed["latest_invoice"])["amount_paid"], 3000);
    shop.sandbox.set_card(&shop.customer, Card::Declined).unwrap();
    shop.pass(1);
    let refused = shop.post(&path, &pairs).await;
    assert_eq!((refused.status, refused.code()), (402, "card_declined"));
    assert_eq!(shop.object(&subscription["id"])["latest_invoice"], changed["latest_invoice"], "nothing is changed");
}

#[tokio::test]
async fn an_address_that_is_none_is_refused() {
    let shop = Shop::open().await;
    for address in ["ann", "ann at example.com", "@example.com", "ann@localhost", "a@b@example.com", "änn@example.com"]
    {
        let refused = shop.post("customers", &[("email", address)]).await;
        assert_eq!((refused.status, refused.code()), (400, "email_invalid"), "{address}");
    }
    shop.ok("customers", &[("email", "ann@example.com")]).await;
    shop.ok("customers", &[]).await;
}
