//! The mirrored rows of a sequence.

use super::sequences::Sequence;
use crate::support::TestApp;
use entity::{
    accounts, coupons, disputes, invoices, payments, promo_codes, provider_customers, provider_prices, refunds,
    subscription_items, subscriptions, user_identities,
};
use sea_orm::prelude::DateTimeWithTimeZone;
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Every fact that the sequence expects stands in the mirror, to the unit and the second.
pub(super) async fn check(test: &TestApp, sequence: &Sequence, run: &str) {
    let db = test.app.db.read();
    for (kind, expected) in sequence.expected["facts"].as_object().unwrap() {
        for (id, expected) in expected.as_object().unwrap() {
            let actual = match (kind.as_str(), sequence.provider.name()) {
                ("customers", provider) => customer(db, id, provider).await,
                ("subscriptions", "stripe") => stripe_subscription(db, id).await,
                ("subscriptions", _) => paddle_subscription(db, id).await,
                ("invoices", _) => invoice(db, id).await,
                ("payments", _) => payment(db, id).await,
                ("transactions", _) => transaction(db, id, expected).await,
                ("refunds", _) => refund(db, id).await,
                ("adjustments", _) => adjustment(db, id, expected).await,
                ("disputes", _) => dispute(db, id).await,
                ("coupons", _) => coupon(db, id).await,
                ("promotion_codes", _) => promo_code(db, id).await,
                (other, _) => panic!("no check for {other}"),
            };
            let actual = actual.unwrap_or_else(|| panic!("{run}: {}: {kind} {id} is missing", sequence.name));
            assert_eq!(&actual, expected, "{run}: {}: {kind} {id}", sequence.name);
        }
    }
}

/// Instants as the providers of the corpus write them.
enum Style {
    Seconds,
    Rfc3339,
}

impl Style {
    fn write(&self, at: Option<DateTimeWithTimeZone>) -> Value {
        match (self, at) {
            (_, None) => Value::Null,
            (Style::Seconds, Some(at)) => json!(at.timestamp()),
            (Style::Rfc3339, Some(at)) => json!(at.to_utc().format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()),
        }
    }
}

async fn user_of(db: &DatabaseConnection, account_id: Uuid) -> String {
    let account = accounts::Entity::find_by_id(account_id).one(db).await.unwrap().unwrap();
    let of_user = user_identities::Column::UserId.eq(account.owner_id);
    user_identities::Entity::find().filter(of_user).one(db).await.unwrap().unwrap().subject
}

async fn customer(db: &DatabaseConnection, id: &str, provider: &str) -> Option<Value> {
    let row = provider_customers::Entity::find().filter(provider_customers::Column::ExternalId.eq(id));
    let row = row.one(db).await.unwrap()?;
    let user_id = user_of(db, row.account_id).await;
    Some(if provider == "paddle" {
        let status = if row.deleted { "archived" } else { "active" };
        json!({"user_id": user_id, "email": row.email, "name": row.name, "status": status})
    } else {
        let (deleted, delinquent) = (row.deleted, row.delinquent);
        json!({"user_id": user_id, "email": row.email, "name": row.name, "deleted": deleted, "delinquent": delinquent})
    })
}

async fn subscription(
    db: &DatabaseConnection,
    id: &str,
) -> Option<(subscriptions::Model, Vec<subscription_items::Model>)> {
    let row = subscriptions::Entity::find().filter(subscriptions::Column::ExternalId.eq(id));
    let row = row.one(db).await.unwrap()?;
    let items = subscription_items::Entity::find().filter(subscription_items::Column::SubscriptionId.eq(row.id));
    let mut items = items.all(db).await.unwrap();
    items.sort_by(|one, other| one.external_id.cmp(&other.external_id));
    Some((row, items))
}

async fn stripe_subscription(db: &DatabaseConnection, id: &str) -> Option<Value> {
    let (row, items) = subscription(db, id).await?;
    let at = |at| Style::Seconds.write(at);
    let plan_price = match row.price_id {
        Some(price_id) => {
            let of_price = provider_prices::Column::PriceId.eq(price_id);
            let prices = provider_prices::Entity::find().filter(of_price).all(db).await.unwrap();
            let billed = prices
                .into_iter()
                .find(|price| items.iter().any(|item| item.price_external_id.as_ref() == Some(&price.external_id)));
            billed.map(|price| price.external_id)
        }
        None => None,
    };
    let items: Vec<Value> = items
        .iter()
        .map(|item| {
            json!({
                "item": item.external_id, "price": item.price_external_id, "quantity": item.quantity,
                "period_start": at(item.current_period_start), "period_end": at(item.current_period_end),
            })
        })
        .collect();
    Some(json!({
        "customer": row.customer_external_id, "user_id": user_of(db, row.account_id).await, "status": row.status,
        "items": items, "plan_price": plan_price,
        "period_start": at(row.current_period_start), "period_end": at(row.current_period_end),
        "cancel_at_period_end": row.cancel_at_period_end, "cancel_at": at(row.cancel_at),
        "ends_at": at(row.ended_at.or(row.cancel_at)), "canceled_at": at(row.canceled_at),
        "ended_at": at(row.ended_at), "trial_end": at(row.trial_end), "schedule": row.schedule_external_id,
        "latest_invoice": row.latest_invoice_external_id, "metadata": row.metadata,
    }))
}

async fn paddle_subscription(db: &DatabaseConnection, id: &str) -> Option<Value> {
    let (row, items) = subscription(db, id).await?;
    let at = |at| Style::Rfc3339.write(at);
    Some(json!({
        "customer": row.customer_external_id, "user_id": user_of(db, row.account_id).await, "status": row.status,
        "price": items[0].price_external_id, "quantity": items[0].quantity,
        "period_start": at(row.current_period_start), "period_end": at(row.current_period_end),
        "next_billed_at": at(row.next_billed_at), "scheduled_change": Value::Null,
        "canceled_at": at(row.canceled_at), "paused_at": at(row.paused_at),
    }))
}

async fn invoice_row(db: &DatabaseConnection, id: &str) -> Option<invoices::Model> {
    invoices::Entity::find().filter(invoices::Column::ExternalId.eq(id)).one(db).await.unwrap()
}

async fn subscription_id(db: &DatabaseConnection, id: Option<Uuid>) -> Option<String> {
    let row = subscriptions::Entity::find_by_id(id?).one(db).await.unwrap();
    row.map(|row| row.external_id)
}

async fn invoice(db: &DatabaseConnection, id: &str) -> Option<Value> {
    let row = invoice_row(db, id).await?;
    Some(json!({
        "customer": row.customer_external_id, "subscription": subscription_id(db, row.subscription_id).await,
        "number": row.number, "status": row.status, "billing_reason": row.billing_reason,
        "currency": row.currency.to_lowercase(), "subtotal": row.subtotal_minor, "discount": row.discount_minor,
        "total": row.total_minor, "amount_due": row.due_minor, "amount_paid": row.paid_minor,
        "attempt_count": row.attempt_count, "payment_intent": row.payment_external_id,
    }))
}

async fn payment_row(db: &DatabaseConnection, id: &str) -> Option<payments::Model> {
    payments::Entity::find().filter(payments::Column::ExternalId.eq(id)).one(db).await.unwrap()
}

async fn payment(db: &DatabaseConnection, id: &str) -> Option<Value> {
    let row = payment_row(db, id).await?;
    let invoice = match row.invoice_id {
        Some(id) => invoices::Entity::find_by_id(id).one(db).await.unwrap().map(|row| row.external_id),
        None => None,
    };
    Some(json!({
        "customer": row.customer_external_id, "status": row.provider_status, "currency": row.currency.to_lowercase(),
        "amount": row.amount_minor, "amount_received": row.received_minor, "amount_refunded": row.refunded_minor,
        "fully_refunded": row.amount_minor > 0 && row.refunded_minor == row.amount_minor, "disputed": row.disputed,
        "charge": row.charge_external_id, "invoice": invoice, "failed_attempts": row.failed_attempts,
    }))
}

async fn transaction(db: &DatabaseConnection, id: &str, expected: &Value) -> Option<Value> {
    let row = invoice_row(db, id).await?;
    let payment = payment_row(db, id).await;
    // Nothing is paid where nothing is due.
    assert_eq!(payment.is_some(), row.total_minor > 0, "{id}");
    let status = payment.as_ref().map_or(Some("completed"), |row| row.provider_status.as_deref());
    let refunded = payment.as_ref().map_or(0, |row| row.refunded_minor);
    Some(json!({
        "customer": row.customer_external_id, "subscription": subscription_id(db, row.subscription_id).await,
        "status": status, "origin": row.billing_reason, "currency": row.currency, "total": row.total_minor,
        "tax": expected["tax"].as_i64().map(|_| row.tax_minor), "refunded": refunded, "invoice_number": row.number,
    }))
}

async fn refund_row(db: &DatabaseConnection, id: &str) -> Option<(refunds::Model, payments::Model)> {
    let row = refunds::Entity::find().filter(refunds::Column::ExternalId.eq(id)).one(db).await.unwrap()?;
    let payment = payments::Entity::find_by_id(row.payment_id).one(db).await.unwrap().unwrap();
    Some((row, payment))
}

async fn refund(db: &DatabaseConnection, id: &str) -> Option<Value> {
    let (row, payment) = refund_row(db, id).await?;
    Some(json!({
        "charge": row.charge_external_id, "payment_intent": payment.external_id, "amount": row.amount_minor,
        "currency": row.currency.to_lowercase(), "status": row.provider_status,
    }))
}

async fn adjustment(db: &DatabaseConnection, id: &str, expected: &Value) -> Option<Value> {
    let (row, payment) = refund_row(db, id).await?;
    let full = row.amount_minor == payment.amount_minor;
    let mut actual = Map::new();
    actual.insert("transaction".to_owned(), json!(payment.external_id));
    actual.insert("action".to_owned(), json!("refund"));
    actual.insert("type".to_owned(), json!(if full { "full" } else { "partial" }));
    actual.insert("status".to_owned(), json!(row.provider_status));
    actual.insert("total".to_owned(), json!(row.amount_minor));
    actual.insert("currency".to_owned(), json!(row.currency));
    assert_eq!(expected["action"], "refund");
    Some(Value::Object(actual))
}

async fn dispute(db: &DatabaseConnection, id: &str) -> Option<Value> {
    let row = disputes::Entity::find().filter(disputes::Column::ExternalId.eq(id)).one(db).await.unwrap()?;
    let payment = payments::Entity::find_by_id(row.payment_id).one(db).await.unwrap().unwrap();
    Some(json!({
        "charge": row.charge_external_id, "payment_intent": payment.external_id, "amount": row.amount_minor,
        "currency": row.currency.to_lowercase(), "status": row.provider_status,
    }))
}

async fn coupon(db: &DatabaseConnection, id: &str) -> Option<Value> {
    let row = coupons::Entity::find().filter(coupons::Column::ExternalId.eq(id)).one(db).await.unwrap()?;
    Some(json!({
        "percent_off": row.percent_basis_points.map(|points| points / 100), "amount_off": row.amount_off_minor,
        "times_redeemed": row.times_redeemed, "valid": row.active,
    }))
}

async fn promo_code(db: &DatabaseConnection, id: &str) -> Option<Value> {
    let row = promo_codes::Entity::find().filter(promo_codes::Column::ExternalId.eq(id)).one(db).await.unwrap()?;
    let coupon = coupons::Entity::find_by_id(row.coupon_id).one(db).await.unwrap().unwrap();
    Some(json!({
        "code": row.code, "coupon": coupon.external_id, "active": row.active, "times_redeemed": row.times_redeemed,
    }))
}
