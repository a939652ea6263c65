//! Subscriptions compared with their versions, and annual revenue with the items.

use super::*;
use ::entity::{subscription_items, subscription_versions, subscriptions};
use serde_json::Value;

async fn versions(db: &DatabaseConnection) -> Vec<subscription_versions::Model> {
    let versions = subscription_versions::Entity::find()
        .order_by_asc(subscription_versions::Column::SubscriptionId)
        .order_by_asc(subscription_versions::Column::EffectiveAt)
        .order_by_asc(subscription_versions::Column::RecordedAt)
        .order_by_asc(subscription_versions::Column::Id);
    versions.all(db).await.unwrap()
}

fn integer(value: &Value, key: &str) -> i128 {
    i128::from(value[key].as_i64().unwrap())
}

/// Returns the annual revenue from the JSON of a version: all terms over a common denominator, rounded half to even.
fn yearly(version: &subscription_versions::Model, every_discount: bool) -> i128 {
    let (mut numerator, mut denominator) = (0, 1);
    for item in version.items.as_array().unwrap() {
        let per_year = match item["interval"].as_str().unwrap() {
            "day" => 365,
            "week" => 52,
            "month" => 12,
            "year" => 1,
            other => panic!("{other} does not recur"),
        };
        let count = integer(item, "intervalCount");
        let yearly = integer(item, "unitAmountMinor") * integer(item, "quantity") * per_year;
        (numerator, denominator) = (numerator * count + yearly * denominator, denominator * count);
    }
    let plan = version.items[0]["interval"].as_str().unwrap();
    if let Some(discount) = version.discount.as_ref().map(|discounts| &discounts[0])
        && (every_discount || discount["duration"] == "forever")
    {
        match discount["percentBasisPoints"].as_i64() {
            Some(percent) => {
                (numerator, denominator) = (numerator * (10_000 - i128::from(percent)), denominator * 10_000);
            }
            None => {
                let periods = if plan == "month" { 12 } else { 1 };
                numerator = (numerator - integer(discount, "amountOffMinor") * periods * denominator).max(0);
            }
        }
    }
    let below = numerator / denominator;
    let twice = 2 * (numerator - below * denominator);
    if twice > denominator || (twice == denominator && below % 2 == 1) { below + 1 } else { below }
}

#[tokio::test]
async fn yearly_revenue_follows_from_the_items() {
    let Company { db, _directory, .. } = company(&plan(400, 9)).await;
    let versions = versions(&db).await;
    let discounted = versions.iter().filter(|version| version.arr_minor != version.discounted_arr_minor).count();
    let for_ever = versions
        .iter()
        .filter(|version| version.discount.as_ref().is_some_and(|discounts| discounts[0]["duration"] == "forever"));
    assert!(discounted > 10 && for_ever.count() > 10);
    for version in versions {
        assert_eq!(version.arr_minor.map(i128::from).unwrap(), yearly(&version, false), "{version:?}");
        assert_eq!(version.discounted_arr_minor.map(i128::from).unwrap(), yearly(&version, true), "{version:?}");
    }
}

#[tokio::test]
async fn every_subscription_is_as_its_last_version_says() {
    let Company { db, _directory, .. } = company(&plan(1_000, 10)).await;
    let versions = versions(&db).await;
    let items = subscription_items::Entity::find().order_by_asc(subscription_items::Column::Id).all(&db).await.unwrap();
    for subscription in subscriptions::Entity::find().all(&db).await.unwrap() {
        let own: Vec<_> = versions.iter().filter(|version| version.subscription_id == subscription.id).collect();
        let last = own.last().unwrap();
        assert!(own.windows(2).all(|pair| pair[0].effective_at < pair[1].effective_at), "{subscription:?}");
        assert!(own.windows(2).all(|pair| pair[0].recorded_at < pair[1].recorded_at), "{subscription:?}");
        assert!(own.iter().all(|version| version.recorded_at >= version.effective_at));
        assert_eq!(own[0].effective_at, subscription.started_at);
        assert_eq!(last.status, subscription.status);
        assert_eq!(last.paused, subscription.paused_at.is_some());
        assert_eq!(last.product_version_id, subscription.product_version_id);
        assert_eq!(last.recorded_at, subscription.updated_at);
        assert_eq!(last.items[0]["priceId"].as_str().unwrap(), subscription.price_id.unwrap().to_string());
        assert_eq!(subscription.ended_at.is_some(), matches!(&*last.status, "canceled" | "incomplete_expired"));
        if subscription.ended_at.is_none() && last.status != "incomplete" {
            let now = plan(0, 0).now.fixed_offset() - chrono::TimeDelta::minutes(10);
            assert!(subscription.current_period_end.unwrap() > now, "{subscription:?}");
        }
        assert_eq!(last.inbox_event_id.is_none(), subscription.provider == "manual");
        let present: Vec<_> = items.iter().filter(|item| item.subscription_id == subscription.id).collect();
        let written = last.items.as_array().unwrap();
        assert_eq!(present.len(), written.len());
        for (item, json) in present.iter().zip(written) {
            assert_eq!(json["priceId"].as_str().unwrap(), item.price_id.unwrap().to_string());
            assert_eq!(json["quantity"].as_i64(), item.quantity);
        }
    }
}

#[tokio::test]
async fn many_kinds_of_lives_occur() {
    let Company { db, _directory, .. } = company(&plan(800, 11)).await;
    for (what, sql) in [
        ("an annual plan", "SELECT 1 FROM subscription_versions WHERE items LIKE '%\"year\"%'"),
        ("a pause", "SELECT 1 FROM subscription_versions WHERE paused AND status = 'active'"),
        ("a pause at Paddle", "SELECT 1 FROM subscription_versions WHERE paused AND status = 'paused'"),
        ("a trial", "SELECT 1 FROM subscription_versions WHERE status = 'trialing'"),
        ("a failed start", "SELECT 1 FROM subscription_versions WHERE status = 'incomplete_expired'"),
        ("a cancel to come", "SELECT 1 FROM subscriptions WHERE status = 'active' AND cancel_at IS NOT NULL"),
        (
            "a recovery",
            "SELECT 1 FROM subscriptions s WHERE status = 'active' AND EXISTS (SELECT 1 FROM subscription_versions v \
             WHERE v.subscription_id = s.id AND v.status = 'past_due')",
        ),
        (
            "a grandfathered customer",
            "SELECT 1 FROM subscriptions s JOIN product_versions v ON v.id = s.product_version_id \
             WHERE s.status = 'active' AND v.status = 'superseded'",
        ),
        (
            "a return",
            "SELECT 1 FROM subscriptions s JOIN subscriptions t ON s.account_id = t.account_id \
             WHERE s.ended_at < t.started_at AND s.first_paid_at IS NOT NULL AND t.first_paid_at IS NOT NULL",
        ),
        (
            "a lively first user",
            "SELECT 1 FROM user_identities i JOIN accounts a ON a.owner_id = i.user_id JOIN subscriptions s \
             ON s.account_id = a.id JOIN product_versions v ON v.id = s.product_version_id JOIN products p \
             ON p.id = v.product_id WHERE i.subject = 'user_1' AND s.status = 'active' AND p.code = 'pro' AND EXISTS \
             (SELECT 1 FROM balances b WHERE b.account_id = a.id AND b.available > 0) AND (SELECT COUNT(*) FROM \
             payments m WHERE m.account_id = a.id) > 15",
        ),
    ] {
        let found = number(&db, &format!("SELECT COUNT(*) FROM ({sql}) AS found")).await;
        assert!(found > 0, "{what} does not occur");
    }
}
