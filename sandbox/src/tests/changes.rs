//! Changes of running subscriptions.

use super::*;

#[tokio::test]
async fn a_change_costs_what_its_preview_says() {
    let shop = Shop::open().await;
    let subscription = shop.subscribe(&[]).await;
    let (id, item) = (subscription["id"].as_str().unwrap(), at(&subscription, "/items/data/0/id"));
    shop.pass(10);
    let before = shop.sandbox.events().len();
    let preview = shop
        .ok(
            "invoices/create_preview",
            &[
                ("subscription", id),
                ("subscription_details[items][0][id]", item.as_str().unwrap()),
                ("subscription_details[items][0][quantity]", "3"),
                ("subscription_details[proration_behavior]", "always_invoice"),
            ],
        )
        .await;
    assert_eq!(shop.sandbox.events().len(), before);
    // Two more for 21 of 31 days, each rounded by itself.
    assert_eq!(preview["total"], 6097 - 2032);
    let pairs = [
        ("items[0][id]", item.as_str().unwrap()),
        ("items[0][quantity]", "3"),
        ("proration_behavior", "always_invoice"),
    ];
    let changed = shop.ok(&format!("subscriptions/{id}"), &pairs).await;
    let invoice = shop.object(&changed["latest_invoice"]);
    assert_eq!((&invoice["total"], &invoice["status"]), (&preview["total"], &json!("paid")));
    let fewer = [("items[0][id]", item.as_str().unwrap()), ("items[0][quantity]", "1")];
    shop.ok(&format!("subscriptions/{id}"), &fewer).await;
    let next = shop.ok("invoices/create_preview", &[("subscription", id)]).await;
    assert_eq!(next["total"], 3000 - (6097 - 2032));
    shop.pass(21);
    let renewal = shop.object(&shop.object(&json!(id))["latest_invoice"]);
    assert_eq!(
        (&renewal["total"], &renewal["amount_due"], &renewal["ending_balance"]),
        (&next["total"], &json!(0), &next["total"])
    );
    shop.pass(31);
    let after = shop.object(&shop.object(&json!(id))["latest_invoice"]);
    assert_eq!(after["amount_due"], 3000 - 1065);
    shop.assert_events_complete();
}

#[tokio::test]
async fn another_interval_begins_a_new_period() {
    let shop = Shop::open().await;
    let subscription = shop.subscribe(&[]).await;
    let path = format!("subscriptions/{}", subscription["id"].as_str().unwrap());
    let item = at(&subscription, "/items/data/0/id");
    shop.pass(10);
    let changed = shop.ok(&path, &[("items[0][id]", item.as_str().unwrap()), ("items[0][price]", &shop.yearly)]).await;
    assert_eq!(at(&changed, "/items/data/0/current_period_start"), START + 10 * 86_400);
    assert_eq!(shop.object(&changed["latest_invoice"])["total"], 30_000 - 2032);
}

#[tokio::test]
async fn a_change_that_is_not_paid_for_is_undone_or_waits() {
    let shop = Shop::open().await;
    let subscription = shop.subscribe(&[]).await;
    let id = subscription["id"].clone();
    let path = format!("subscriptions/{}", id.as_str().unwrap());
    let item = at(&subscription, "/items/data/0/id");
    shop.sandbox.set_card(&shop.customer, Card::Declined).unwrap();
    let pairs = |behaviour| {
        [
            ("items[0][id]", item.as_str().unwrap()),
            ("items[0][quantity]", "2"),
            ("proration_behavior", "always_invoice"),
            ("payment_behavior", behaviour),
        ]
    };
    let refused = shop.post(&path, &pairs("error_if_incomplete")).await;
    assert_eq!((refused.status, refused.code()), (402, "card_declined"));
    assert_eq!((shop.object(&id), shop.sandbox.objects("invoice").len()), (subscription.clone(), 1));
    let pending = shop.ok(&path, &pairs("pending_if_incomplete")).await;
    assert_eq!(
        (at(&pending, "/items/data/0/quantity"), at(&pending, "/pending_update/subscription_items/0/quantity")),
        (json!(1), json!(2))
    );
    assert_eq!(pending["status"], "active");
    shop.sandbox.set_card(&shop.customer, Card::Good).unwrap();
    shop.ok(&format!("invoices/{}/pay", pending["latest_invoice"].as_str().unwrap()), &[]).await;
    let applied = shop.object(&id);
    assert_eq!((at(&applied, "/items/data/0/quantity"), applied["pending_update"].clone()), (json!(2), json!(null)));
    shop.sandbox.set_card(&shop.customer, Card::NeedsAuthentication).unwrap();
    let mut third = pairs("pending_if_incomplete");
    third[1].1 = "3";
    let pending = shop.ok(&path, &third).await;
    shop.pass(1);
    assert_eq!(
        (shop.object(&id)["pending_update"].clone(), shop.object(&pending["latest_invoice"])["status"].clone()),
        (json!(null), json!("void"))
    );
    assert_eq!(at(&shop.object(&id), "/items/data/0/quantity"), 2);
    shop.assert_events_complete();
}

#[tokio::test]
async fn a_schedule_changes_the_plan_with_the_period() {
    let shop = Shop::open().await;
    let subscription = shop.subscribe(&[]).await;
    let id = subscription["id"].as_str().unwrap();
    let schedule = shop.ok("subscription_schedules", &[("from_subscription", id)]).await;
    let (start, end) =
        (at(&schedule, "/phases/0/start_date").to_string(), at(&schedule, "/phases/0/end_date").to_string());
    let path = format!("subscription_schedules/{}", schedule["id"].as_str().unwrap());
    let refused = shop.post(&format!("subscriptions/{id}"), &[("cancel_at_period_end", "true")]).await;
    assert_eq!(refused.status, 400);
    let pairs = [
        ("phases[0][items][0][price]", shop.monthly.as_str()),
        ("phases[0][start_date]", &start),
        ("phases[0][end_date]", &end),
        ("phases[1][items][0][price]", &shop.yearly),
        ("phases[1][proration_behavior]", "none"),
        ("end_behavior", "release"),
    ];
    shop.ok(&path, &pairs).await;
    shop.pass(31);
    let changed = shop.object(&json!(id));
    assert_eq!(at(&changed, "/items/data/0/price/id"), shop.yearly.as_str());
    assert_eq!(at(&changed, "/items/data/0/id"), at(&subscription, "/items/data/0/id"));
    assert_eq!(shop.object(&changed["latest_invoice"])["total"], 30_000);
    assert_eq!(at(&changed, "/items/data/0/current_period_start").to_string(), end);
    let released = shop.ok(&format!("{path}/release"), &[]).await;
    assert_eq!((&released["status"], &released["released_subscription"]), (&json!("released"), &json!(id)));
    assert_eq!(shop.object(&json!(id))["schedule"], json!(null));
    assert_eq!(shop.sandbox.objects("invoice").len(), 2);
    shop.assert_events_complete();
}
