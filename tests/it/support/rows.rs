//! Rows that no mutation makes yet, as the providers' events will make them.

use super::discounts;
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

/// Inserts this number of security events, of every kind.
pub(crate) async fn insert_security_events(app: &App, count: i64) -> Vec<Uuid> {
    let kinds = [("webhook_unsigned", "low"), ("webhook_forged", "medium"), ("webhook_mistimed", "high")];
    let rows = (0..count).zip(kinds.iter().cycle()).map(|(number, (kind, severity))| {
        let at = (app.now() - TimeDelta::days(number / 2)).fixed_offset();
        let resolved = (number % 4 == 3).then_some(at);
        security_events::ActiveModel {
            id: Set(app.new_id()),
            kind: text(kind),
            severity: text(severity),
            subject: Set(format!("192.0.2.{number}")),
            detail: Set(None),
            occurrences: Set(1),
            hour: Set(at),
            first_at: Set(at),
            last_at: Set(at),
            resolved_at: Set(resolved),
            resolved_by: Set(resolved.map(|_| "admin".to_owned())),
            resolution: Set(None),
        }
    });
    let rows: Vec<_> = rows.collect();
    let ids = rows.iter().map(|row| row.id.clone().unwrap()).collect();
    security_events::Entity::insert_many(rows).exec_without_returning(app.db.schema()).await.unwrap();
    ids
}

/// Inserts this number of requests to Stripe, in every state; the newest last.
pub(crate) async fn calls(app: &App, count: i64) -> Vec<Uuid> {
    let rows = (0..count).zip(["pending", "done", "refused", "abandoned"].iter().cycle()).map(|(number, state)| {
        let at = (app.now() - TimeDelta::days(count - number / 2)).fixed_offset();
        let is_settled = *state != "pending";
        outbox_calls::ActiveModel {
            id: Set(app.new_id()),
            account_id: Set(None),
            actor: text("admin"),
            operation: text("coupons.create"),
            idempotency_key: Set(format!("call-{number}")),
            method: text("POST"),
            path: text("coupons"),
            params: Set(serde_json::json!({})),
            state: text(state),
            persistent: Set(true),
            attempts: Set(1),
            key_changes: Set(0),
            object_kind: Set(None),
            object_id: Set(None),
            url: Set(None),
            error_code: Set((*state == "refused").then(|| "resource_missing".to_owned())),
            error_param: Set(None),
            decline_code: Set(None),
            created_at: Set(at),
            tried_at: Set(Some(at)),
            settled_at: Set(is_settled.then_some(at)),
            due_at: Set((!is_settled).then(|| (app.now() + TimeDelta::days(1)).fixed_offset())),
        }
    });
    let rows: Vec<_> = rows.collect();
    let ids = rows.iter().map(|row| row.id.clone().unwrap()).collect();
    outbox_calls::Entity::insert_many(rows).exec_without_returning(app.db.schema()).await.unwrap();
    ids
}

/// A subscription with all that hangs on it, the money that was paid, and the discount that was given: what of each
/// type was made.
pub(crate) async fn billing(
    app: &App,
    account: Uuid,
    (version, price): (Uuid, Uuid),
    event: Uuid,
) -> Vec<(&'static str, Uuid)> {
    let customer = customer(app, account, (version, price)).await;
    let subscription = subscription(app, account, (version, price), event).await;
    let discount = discount(app, account, subscription[0].1).await;
    let money = money(app, account, subscription[0].1).await;
    let gift = vec![("Gift", super::gifts::row(app, account, price).await)];
    [customer, subscription, discount, money, gift].concat()
}

/// Inserts a customer at the provider, and a price there.
async fn customer(app: &App, account: Uuid, (version, price): (Uuid, Uuid)) -> Vec<(&'static str, Uuid)> {
    let (db, at) = (app.db.schema(), app.now().fixed_offset());
    let [customer, provider_price] = std::array::from_fn(|_| app.new_id());
    let row = provider_customers::ActiveModel {
        id: Set(customer),
        account_id: Set(account),
        provider: text("stripe"),
        external_id: Set(format!("cus_{account}")),
        email: Set(Some("payer@example.com".to_owned())),
        name: Set(Some("Pay Er".to_owned())),
        delinquent: Set(false),
        deleted: Set(false),
        created_at: Set(at),
        updated_at: Set(at),
    };
    provider_customers::Entity::insert(row).exec_without_returning(db).await.unwrap();
    let row = provider_prices::ActiveModel {
        id: Set(provider_price),
        product_version_id: Set(version),
        price_id: Set(Some(price)),
        provider: text("stripe"),
        external_id: Set(format!("price_{account}")),
        product_external_id: text("prod_1"),
        product_kind: text("plan"),
        product_rank: Set(1),
        product_name: text("Plan"),
        active: Set(true),
        created_at: Set(at),
        credits: Set(None),
        updated_at: Set(at),
    };
    provider_prices::Entity::insert(row).exec_without_returning(db).await.unwrap();
    vec![("ProviderCustomer", customer), ("ProviderPrice", provider_price)]
}

async fn subscription(
    app: &App,
    account: Uuid,
    (version, price): (Uuid, Uuid),
    event: Uuid,
) -> Vec<(&'static str, Uuid)> {
    let (db, at) = (app.db.schema(), app.now().fixed_offset());
    let [subscription, item] = std::array::from_fn(|_| app.new_id());
    let end = at + TimeDelta::days(30);
    let row = subscriptions::ActiveModel {
        id: Set(subscription),
        account_id: Set(account),
        product_version_id: Set(Some(version)),
        price_id: Set(Some(price)),
        provider: text("stripe"),
        external_id: Set(format!("sub_{subscription}")),
        status: text("active"),
        started_at: Set(at),
        current_period_start: Set(Some(at)),
        current_period_end: Set(Some(end)),
        cancel_at: Set(Some(end)),
        customer_external_id: Set(Some(format!("cus_{account}"))),
        cancel_at_period_end: Set(true),
        schedule_external_id: Set(Some(format!("sub_sched_{subscription}"))),
        latest_invoice_external_id: Set(Some(format!("in_{subscription}"))),
        next_billed_at: Set(None),
        metadata: Set(Some(json!({"user_id": "user_1"}))),
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
        price_external_id: Set(Some(format!("price_{account}"))),
        current_period_start: Set(Some(at)),
        current_period_end: Set(Some(end)),
        created_at: Set(at),
    };
    subscription_items::Entity::insert(row).exec_without_returning(db).await.unwrap();
    let state = state(app, account, subscription, (version, event)).await;
    let change = scheduled(app, account, subscription).await;
    let discounted = discounts::rows(app, account, subscription, state).await;
    let mut rows = vec![
        ("Subscription", subscription),
        ("SubscriptionItem", item),
        ("SubscriptionVersion", state),
        ("ScheduledChange", change),
    ];
    rows.extend(discounted);
    rows
}

/// Its only state.
async fn state(app: &App, account: Uuid, subscription: Uuid, (version, event): (Uuid, Uuid)) -> Uuid {
    let (state, db, at) = (app.new_id(), app.db.schema(), app.now().fixed_offset());
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
        arr_minor: Set(Some(10_800)),
        discounted_arr_minor: Set(Some(9_720)),
        cause: text("created"),
        inbox_event_id: Set(Some(event)),
        ..Default::default()
    };
    subscription_versions::Entity::insert(row).exec_without_returning(db).await.unwrap();
    state
}

/// Its end, which is to come.
async fn scheduled(app: &App, account: Uuid, subscription: Uuid) -> Uuid {
    let (change, db, at) = (app.new_id(), app.db.schema(), app.now().fixed_offset());
    let row = scheduled_changes::ActiveModel {
        id: Set(change),
        account_id: Set(account),
        subscription_id: Set(subscription),
        kind: text("cancel"),
        effective_at: Set(at + TimeDelta::days(30)),
        created_at: Set(at),
        ..Default::default()
    };
    scheduled_changes::Entity::insert(row).exec_without_returning(db).await.unwrap();
    change
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
        provider: Set(Some("stripe".to_owned())),
        external_id: Set(Some(format!("co_{coupon}"))),
        times_redeemed: Set(1),
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
        provider: Set(Some("stripe".to_owned())),
        external_id: Set(Some(format!("promo_{promo}"))),
        times_redeemed: Set(1),
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
    let [invoice, payment] = std::array::from_fn(|_| app.new_id());
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
        due_minor: Set(900),
        attempt_count: Set(2),
        customer_external_id: Set(Some(format!("cus_{account}"))),
        payment_external_id: Set(Some(format!("pi_{payment}"))),
        billing_reason: Set(Some("subscription_cycle".to_owned())),
        hosted_url: Set(Some("https://invoices.example.com/1".to_owned())),
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
        returned_minor: Set(Some(100)),
        received_minor: Set(900),
        disputed: Set(true),
        failed_attempts: Set(1),
        customer_external_id: Set(Some(format!("cus_{account}"))),
        charge_external_id: Set(Some(format!("ch_{payment}"))),
        provider_status: Set(Some("succeeded".to_owned())),
        paid_at: Set(Some(at)),
        created_at: Set(at),
        ..Default::default()
    };
    payments::Entity::insert(row).exec_without_returning(db).await.unwrap();
    let returned = returned(app, account, payment).await;
    [&[("Invoice", invoice), ("Payment", payment)], &returned[..]].concat()
}

/// Inserts refunds of a payment, requested and processed.
async fn returned(app: &App, account: Uuid, payment: Uuid) -> Vec<(&'static str, Uuid)> {
    let (db, at) = (app.db.schema(), app.now().fixed_offset());
    let [refund, dispute] = std::array::from_fn(|_| app.new_id());
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
        charge_external_id: Set(Some(format!("ch_{payment}"))),
        provider_status: Set(Some("succeeded".to_owned())),
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
        charge_external_id: Set(Some(format!("ch_{payment}"))),
        provider_status: Set(Some("under_review".to_owned())),
        currency: text("USD"),
        amount_minor: Set(900),
        created_at: Set(at),
        ..Default::default()
    };
    disputes::Entity::insert(row).exec_without_returning(db).await.unwrap();
    vec![("Refund", refund), ("Dispute", dispute)]
}
