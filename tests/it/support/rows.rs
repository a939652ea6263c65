//! Rows that no mutation makes yet, as the providers' events will make them.

use chrono::TimeDelta;
use entity::*;
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait;
use serde_json::json;
use tollgate::app::App;
use uuid::Uuid;

fn text(text: &str) -> sea_orm::ActiveValue<String> {
    Set(text.to_owned())
}

/// A webhook that has arrived.
pub(crate) async fn event(app: &App) -> Uuid {
    let (id, at) = (app.new_id(), app.now().fixed_offset());
    let row = inbox_events::ActiveModel {
        id: Set(id),
        provider: text("stripe"),
        external_id: Set(format!("evt_{id}")),
        kind: text("invoice.paid"),
        occurred_at: Set(at),
        received_at: Set(at),
        payload: Set(json!({})),
        state: text("received"),
        attempts: Set(0),
        ..Default::default()
    };
    inbox_events::Entity::insert(row).exec_without_returning(app.db.schema()).await.unwrap();
    id
}

/// A subscription with all that hangs on it, the money that was paid, and the discount that was given: what of each
/// type was made.
pub(crate) async fn billing(
    app: &App,
    account: Uuid,
    (version, price): (Uuid, Uuid),
    event: Uuid,
) -> Vec<(&'static str, Uuid)> {
    let subscription = subscription(app, account, (version, price), event).await;
    let discount = discount(app, account, subscription[0].1).await;
    let money = money(app, account, subscription[0].1).await;
    [subscription, discount, money].concat()
}

async fn subscription(
    app: &App,
    account: Uuid,
    (version, price): (Uuid, Uuid),
    event: Uuid,
) -> Vec<(&'static str, Uuid)> {
    let (db, at) = (app.db.schema(), app.now().fixed_offset());
    let [subscription, item, state] = std::array::from_fn(|_| app.new_id());
    let row = subscriptions::ActiveModel {
        id: Set(subscription),
        account_id: Set(account),
        product_version_id: Set(Some(version)),
        price_id: Set(Some(price)),
        provider: text("stripe"),
        external_id: Set(format!("sub_{subscription}")),
        status: text("active"),
        started_at: Set(at),
        created_at: Set(at),
        updated_at: Set(at),
        ..Default::default()
    };
    subscriptions::Entity::insert(row).exec_without_returning(db).await.unwrap();
    let row = subscription_items::ActiveModel {
        id: Set(item),
        account_id: Set(account),
        subscription_id: Set(subscription),
        price_id: Set(Some(price)),
        external_id: Set(Some(format!("si_{item}"))),
        kind: text("plan"),
        quantity: Set(Some(1)),
        created_at: Set(at),
        ..Default::default()
    };
    subscription_items::Entity::insert(row).exec_without_returning(db).await.unwrap();
    let row = subscription_versions::ActiveModel {
        id: Set(state),
        account_id: Set(account),
        subscription_id: Set(subscription),
        effective_at: Set(at),
        recorded_at: Set(at),
        status: text("active"),
        paused: Set(false),
        product_version_id: Set(Some(version)),
        items: Set(json!([])),
        currency: Set(Some("USD".to_owned())),
        arr_minor: Set(10_800),
        discounted_arr_minor: Set(10_800),
        cause: text("created"),
        inbox_event_id: Set(Some(event)),
        ..Default::default()
    };
    subscription_versions::Entity::insert(row).exec_without_returning(db).await.unwrap();
    vec![("Subscription", subscription), ("SubscriptionItem", item), ("SubscriptionVersion", state)]
}

async fn discount(app: &App, account: Uuid, subscription: Uuid) -> Vec<(&'static str, Uuid)> {
    let (db, at) = (app.db.schema(), app.now().fixed_offset());
    let [coupon, promo, redemption] = std::array::from_fn(|_| app.new_id());
    let row = coupons::ActiveModel {
        id: Set(coupon),
        code: Set(format!("c-{coupon}")),
        name: text("A quarter off"),
        percent_basis_points: Set(Some(2_500)),
        duration: text("once"),
        active: Set(true),
        created_at: Set(at),
        ..Default::default()
    };
    coupons::Entity::insert(row).exec_without_returning(db).await.unwrap();
    let row = promo_codes::ActiveModel {
        id: Set(promo),
        coupon_id: Set(coupon),
        code: Set(format!("P-{promo}")),
        code_normalized: Set(format!("p-{promo}")),
        first_purchase_only: Set(false),
        active: Set(true),
        created_at: Set(at),
        ..Default::default()
    };
    promo_codes::Entity::insert(row).exec_without_returning(db).await.unwrap();
    let row = discount_redemptions::ActiveModel {
        id: Set(redemption),
        account_id: Set(account),
        coupon_id: Set(coupon),
        promo_code_id: Set(Some(promo)),
        subscription_id: Set(Some(subscription)),
        redeemed_at: Set(at),
        ends_at: Set(None),
    };
    discount_redemptions::Entity::insert(row).exec_without_returning(db).await.unwrap();
    vec![("Coupon", coupon), ("PromoCode", promo), ("DiscountRedemption", redemption)]
}

async fn money(app: &App, account: Uuid, subscription: Uuid) -> Vec<(&'static str, Uuid)> {
    let (db, at) = (app.db.schema(), app.now().fixed_offset());
    let [invoice, payment, refund, dispute] = std::array::from_fn(|_| app.new_id());
    let row = invoices::ActiveModel {
        id: Set(invoice),
        account_id: Set(account),
        subscription_id: Set(Some(subscription)),
        provider: text("stripe"),
        external_id: Set(format!("in_{invoice}")),
        status: text("paid"),
        currency: text("USD"),
        subtotal_minor: Set(900),
        discount_minor: Set(0),
        tax_minor: Set(0),
        total_minor: Set(900),
        paid_minor: Set(900),
        created_at: Set(at),
        ..Default::default()
    };
    invoices::Entity::insert(row).exec_without_returning(db).await.unwrap();
    let row = payments::ActiveModel {
        id: Set(payment),
        account_id: Set(account),
        subscription_id: Set(Some(subscription)),
        invoice_id: Set(Some(invoice)),
        provider: text("stripe"),
        external_id: Set(format!("pi_{payment}")),
        stream: text("subscription"),
        status: text("succeeded"),
        currency: text("USD"),
        amount_minor: Set(900),
        refunded_minor: Set(100),
        paid_at: Set(Some(at)),
        created_at: Set(at),
        ..Default::default()
    };
    payments::Entity::insert(row).exec_without_returning(db).await.unwrap();
    let row = refunds::ActiveModel {
        id: Set(refund),
        account_id: Set(account),
        payment_id: Set(payment),
        provider: text("stripe"),
        external_id: Set(Some(format!("re_{refund}"))),
        status: text("processed"),
        currency: text("USD"),
        amount_minor: Set(100),
        credits_taken_back: Set(0),
        created_at: Set(at),
        processed_at: Set(Some(at + TimeDelta::seconds(1))),
        ..Default::default()
    };
    refunds::Entity::insert(row).exec_without_returning(db).await.unwrap();
    let row = disputes::ActiveModel {
        id: Set(dispute),
        account_id: Set(account),
        payment_id: Set(payment),
        provider: text("stripe"),
        external_id: Set(format!("dp_{dispute}")),
        status: text("under_review"),
        currency: text("USD"),
        amount_minor: Set(900),
        created_at: Set(at),
        ..Default::default()
    };
    disputes::Entity::insert(row).exec_without_returning(db).await.unwrap();
    vec![("Invoice", invoice), ("Payment", payment), ("Refund", refund), ("Dispute", dispute)]
}
