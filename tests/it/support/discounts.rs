//! Rows of a subscription's discount.

use chrono::TimeDelta;
use entity::{subscription_arr_changes, subscription_discounts};
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait;
use tollgate::app::App;
use uuid::Uuid;

/// A tenth off for ten days, and the change at its end.
pub(crate) async fn rows(app: &App, account: Uuid, subscription: Uuid, state: Uuid) -> [(&'static str, Uuid); 2] {
    let (discount, change, db, at) = (app.new_id(), app.new_id(), app.db.schema(), app.now().fixed_offset());
    let end = at + TimeDelta::days(10);
    let row = subscription_discounts::ActiveModel {
        id: Set(discount),
        account_id: Set(account),
        subscription_id: Set(subscription),
        external_id: Set(format!("di_{discount}")),
        scope: Set("subscription".to_owned()),
        coupon_external_id: Set(Some("co_tenth".to_owned())),
        duration: Set(Some("repeating".to_owned())),
        percent_basis_points: Set(Some(1_000)),
        per_unit: Set(false),
        starts_at: Set(Some(at)),
        ends_at: Set(Some(end)),
        created_at: Set(at),
        ..Default::default()
    };
    subscription_discounts::Entity::insert(row).exec_without_returning(db).await.unwrap();
    let row = subscription_arr_changes::ActiveModel {
        id: Set(change),
        account_id: Set(account),
        subscription_version_id: Set(state),
        effective_at: Set(end),
        currency: Set(Some("USD".to_owned())),
        arr_minor: Set(Some(10_800)),
        discounted_arr_minor: Set(Some(10_800)),
    };
    subscription_arr_changes::Entity::insert(row).exec_without_returning(db).await.unwrap();
    [("SubscriptionDiscount", discount), ("SubscriptionArrChange", change)]
}
