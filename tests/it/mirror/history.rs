//! Corrections of the history add to it, and payments find their subscription.

use super::observed::{Observed, at, everything, payments, prices, subscription};
use super::{account, apply};
use crate::support::{TestApp, both_engines, event};
use chrono::{TimeDelta, Utc};
use entity::{changes, refunds, subscription_items, subscription_versions, subscriptions};
use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel, QueryOrder};
use serde_json::{Value, json};
use tollgate::subscriptions::{ObservedState, ObservedSubscription, SubscriptionStatus};
use uuid::Uuid;

both_engines!(
    a_correction_is_added_and_counts,
    an_unknown_price_gives_nothing_until_it_is_known,
    money_finds_its_subscription,
    a_refund_asked_for_here_is_recognised,
);

async fn observed(test: &TestApp) -> (Uuid, ObservedSubscription, Vec<ObservedState>) {
    let (account, event) = (account(test, "someone").await, event(&test.app).await);
    let Observed::Subscription(newest, history) = subscription("", event) else { panic!("not a subscription") };
    (account, newest, history)
}

/// The versions in the order in which they count, and what the API and the figures make of them.
async fn versions(test: &TestApp) -> Vec<subscription_versions::Model> {
    use subscription_versions::{Column, Entity};
    let rows = Entity::find().order_by_asc(Column::EffectiveAt).order_by_asc(Column::RecordedAt);
    let rows = rows.order_by_asc(Column::Id).all(test.app.db.read()).await.unwrap();
    let by_id = Entity::find().order_by_asc(Column::EffectiveAt).order_by_asc(Column::Id);
    assert_eq!(rows, by_id.all(test.app.db.read()).await.unwrap(), "ids and times of recording agree");
    rows
}

async fn a_correction_is_added_and_counts(test: &TestApp) {
    let (account, newest, mut history) = observed(test).await;
    let wrong = ObservedState { status: SubscriptionStatus::Incomplete, ..history[0].clone() };
    let first = Observed::Subscription(newest.clone(), vec![wrong]);
    apply(test, account, &first).await;
    // Written down by a node whose clock is ahead.
    let ahead = versions(test).await.remove(0);
    let id = Uuid::from_u128(ahead.id.as_u128() + (1 << 96));
    let later = ahead.recorded_at + TimeDelta::minutes(5);
    let mut copy = ahead.clone().into_active_model().reset_all();
    (copy.id, copy.recorded_at, copy.status) = (Set(id), Set(later), Set("unpaid".to_owned()));
    subscription_versions::Entity::insert(copy).exec(test.app.db.schema()).await.unwrap();

    apply(test, account, &Observed::Subscription(newest.clone(), history.clone())).await;
    let written = versions(test).await;
    let told: Vec<_> = written.iter().map(|row| (row.effective_at.to_utc(), &*row.status)).collect();
    let expected =
        [(at(1), "incomplete"), (at(1), "unpaid"), (at(1), "trialing"), (at(50), "active"), (at(80), "active")];
    assert_eq!(told, expected);
    assert_eq!(written[0], ahead, "what was written down stays");

    // Equal content of another event of that second is one state; another cause is another state.
    history[0].inbox_event_id = event(&test.app).await;
    assert_eq!(apply(test, account, &Observed::Subscription(newest.clone(), history.clone())).await, []);
    history[0].cause = "customer.subscription.deleted".to_owned();
    apply(test, account, &Observed::Subscription(newest, history)).await;
    assert_eq!(versions(test).await.len(), 6);
    let query = "{ viewer { account { subscriptions { nodes { history(first: 10) { nodes { status cause } } } } } } }";
    let answer = test.user("someone").data(query, json!({})).await;
    let shown = &answer["viewer"]["account"]["subscriptions"]["nodes"][0]["history"]["nodes"];
    assert_eq!(shown[2], json!({"status": "TRIALING", "cause": "customer.subscription.deleted"}));
}

async fn an_unknown_price_gives_nothing_until_it_is_known(test: &TestApp) {
    let (account, newest, history) = observed(test).await;
    let subscription = Observed::Subscription(newest.clone(), history);
    apply(test, account, &subscription).await;
    let row = async || subscriptions::Entity::find().one(test.app.db.read()).await.unwrap().unwrap();
    let found = row().await;
    assert_eq!((found.product_version_id, found.price_id), (None, None));
    // Its amount is known all the same.
    assert_eq!(versions(test).await.last().unwrap().arr_minor, Some(69_600));
    for price in prices("") {
        apply(test, account, &Observed::Price(price)).await;
    }
    apply(test, account, &subscription).await;
    let found = row().await;
    assert!(found.product_version_id.is_some() && found.price_id.is_some());
    assert_eq!(found.current_period_end.map(|end| end.with_timezone(&Utc)), Some(at(1_440)));

    // Removed items and scheduled changes are removed here too, with a change event.
    let bare = ObservedSubscription { items: Vec::new(), scheduled: Vec::new(), ..newest };
    let changed = apply(test, account, &Observed::Subscription(bare, Vec::new())).await;
    let gone = changed.iter().filter(|difference| difference.after.is_none());
    let mut gone: Vec<_> = gone.map(|difference| (&*difference.table, &*difference.external_id)).collect();
    gone.sort_unstable();
    let expected = [
        ("scheduled_changes", "sub:cancel@2025-08-30T00:00:00.123456+00:00"),
        ("scheduled_changes", "sub:plan_change@2025-07-31T00:00:00.123456+00:00"),
        ("subscription_discounts", "sub:di"),
        ("subscription_items", "si_1"),
        ("subscription_items", "si_3"),
    ];
    assert_eq!(gone, expected);
    let left = subscription_items::Entity::find().all(test.app.db.read()).await.unwrap();
    assert_eq!((left, row().await.product_version_id), (vec![], None));
}

async fn money_finds_its_subscription(test: &TestApp) {
    let (account, _, _) = observed(test).await;
    let mut things = everything("", event(&test.app).await);
    things.sort_by_key(|thing| matches!(thing, Observed::Subscription(..)));
    for thing in &things {
        apply(test, account, thing).await;
    }
    let first_paid =
        async || subscriptions::Entity::find().one(test.app.db.read()).await.unwrap().unwrap().first_paid_at;
    assert_eq!(first_paid().await, None, "the payments came first");
    let recorded = async |kind: &str| {
        let rows = changes::Entity::find().all(test.app.db.read()).await.unwrap();
        rows.iter().filter(|row| row.kind == kind && row.account_id == Some(account)).count()
    };
    assert_eq!((recorded("subscription_changed").await, recorded("payment_recorded").await), (1, 3));
    for thing in things.iter().chain(&things) {
        apply(test, account, thing).await;
    }
    assert_eq!(first_paid().await.map(|at| at.to_utc()), Some(at(1)));
    // Two payments have found theirs through their invoices, which came earlier; one directly.
    assert_eq!((recorded("subscription_changed").await, recorded("payment_recorded").await), (2, 6));
}

async fn a_refund_asked_for_here_is_recognised(test: &TestApp) {
    let account = account(test, "someone").await;
    let paid = payments("").nth(1).unwrap();
    let without = tollgate::payments::ObservedPayment { refunds: Vec::new(), refunded_minor: 0, ..paid.clone() };
    apply(test, account, &Observed::Payment(without)).await;
    let payment = entity::payments::Entity::find().one(test.app.db.read()).await.unwrap().unwrap();
    let now = test.app.now().fixed_offset();
    for (amount, status) in [(100, "denied"), (100, "approved"), (100, "approved")] {
        let row = refunds::ActiveModel {
            id: Set(test.app.new_id()),
            account_id: Set(account),
            payment_id: Set(payment.id),
            provider: Set("stripe".to_owned()),
            status: Set(status.to_owned()),
            currency: Set("USD".to_owned()),
            amount_minor: Set(amount),
            reason: Set(Some("She asked nicely".to_owned())),
            requested_by: Set(Some("user:1".to_owned())),
            credits_taken_back: Set(7),
            created_at: Set(now),
            ..Default::default()
        };
        refunds::Entity::insert(row).exec(test.app.db.schema()).await.unwrap();
    }
    let sent = refunds::Entity::find().order_by_asc(refunds::Column::Id).all(test.app.db.read()).await.unwrap();
    let mut paid = paid;
    // That of the other is as large, and is not taken for it.
    paid.refunds[0].refund_id = Some(sent[2].id);
    for _ in 0..2 {
        apply(test, account, &Observed::Payment(paid.clone())).await;
    }
    let rows = refunds::Entity::find().order_by_asc(refunds::Column::Id).all(test.app.db.read()).await.unwrap();
    let told: Vec<Value> = rows
        .iter()
        .map(|row| json!([row.external_id, row.status, row.amount_minor, row.reason, row.credits_taken_back]))
        .collect();
    let expected = [
        json!([null, "denied", 100, "She asked nicely", 7]),
        json!([null, "approved", 100, "She asked nicely", 7]),
        json!(["re_1", "processed", 100, "She asked nicely", 7]),
        json!(["re_2", "failed", 50, "requested_by_customer", 0]),
    ];
    assert_eq!(told, expected);
}
