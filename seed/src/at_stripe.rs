//! The made-up company as Stripe objects: the catalogue, and some of the customers.
//!
//! Past invoices, payments and discounts are not included.

use ::entity::{
    coupons, prices, product_versions, products, promo_codes, provider_customers, provider_prices, subscription_items,
    subscriptions, user_identities, users,
};
use anyhow::Context;
use chrono::{DateTime, FixedOffset};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use uuid::Uuid;

type At = DateTime<FixedOffset>;

/// Returns the catalogue as Stripe objects, each after the objects that it refers to.
pub async fn catalogue(db: &DatabaseConnection) -> anyhow::Result<Vec<Value>> {
    let products: HashMap<Uuid, products::Model> = by_id(products::Entity::find().all(db).await?, |row| row.id);
    let versions = by_id(product_versions::Entity::find().all(db).await?, |row| row.id);
    let mut stock: BTreeMap<String, Value> = BTreeMap::new();
    let mut all_prices = Vec::new();
    for (sold_as, price) in prices_at_stripe(db).await? {
        let product = versions.get(&sold_as.product_version_id).and_then(|version| products.get(&version.product_id));
        let product = product.context("A price has no product.")?;
        stock.entry(sold_as.product_external_id.clone()).or_insert_with(|| product_object(&sold_as, product));
        all_prices.push(price_object(&sold_as, &price));
    }
    let mut found: Vec<Value> = stock.into_values().chain(all_prices).collect();
    let coupons = coupons::Entity::find().order_by_asc(coupons::Column::Id).all(db).await?;
    let codes = promo_codes::Entity::find().order_by_asc(promo_codes::Column::Id).all(db).await?;
    let coupons: Vec<_> = coupons.into_iter().map(|row| (row.id, coupon_object(&row))).collect();
    for code in codes {
        if let Some((_, coupon)) = coupons.iter().find(|(id, _)| *id == code.coupon_id) {
            found.push(coupon.clone());
            found.push(promo_code_object(&code, coupon));
        }
    }
    Ok(found)
}

/// Returns the Stripe customer of the person with this subject, and their active subscriptions. The list is empty if the
/// person has never bought at Stripe.
pub async fn customer(db: &DatabaseConnection, subject: &str) -> anyhow::Result<Vec<Value>> {
    let Some(identity) =
        user_identities::Entity::find().filter(user_identities::Column::Subject.eq(subject)).one(db).await?
    else {
        return Ok(Vec::new());
    };
    let person = users::Entity::find_by_id(identity.user_id).one(db).await?.context("An identity has no user.")?;
    let own = ::entity::accounts::Entity::find().filter(::entity::accounts::Column::OwnerId.eq(person.id));
    let accounts: Vec<Uuid> = own.all(db).await?.into_iter().map(|account| account.id).collect();
    let customers = provider_customers::Entity::find()
        .filter(provider_customers::Column::AccountId.is_in(accounts))
        .filter(provider_customers::Column::Provider.eq("stripe"))
        .order_by_asc(provider_customers::Column::Id);
    let prices: HashMap<String, Value> = prices_at_stripe(db)
        .await?
        .into_iter()
        .map(|(sold_as, price)| (sold_as.external_id.clone(), price_object(&sold_as, &price)))
        .collect();
    let mut found = Vec::new();
    for customer in customers.all(db).await?.into_iter().filter(|customer| !customer.deleted) {
        found.push(customer_object(&customer, subject));
        let subscriptions = subscriptions::Entity::find()
            .filter(subscriptions::Column::CustomerExternalId.eq(&customer.external_id))
            .filter(subscriptions::Column::Provider.eq("stripe"))
            .filter(subscriptions::Column::EndedAt.is_null());
        for row in subscriptions.all(db).await? {
            let items = subscription_items::Entity::find()
                .filter(subscription_items::Column::SubscriptionId.eq(row.id))
                .order_by_asc(subscription_items::Column::CreatedAt);
            found.extend(subscription_object(&row, &items.all(db).await?, &prices));
        }
    }
    Ok(found)
}

fn by_id<M>(rows: Vec<M>, id: impl Fn(&M) -> Uuid) -> HashMap<Uuid, M> {
    rows.into_iter().map(|row| (id(&row), row)).collect()
}

async fn prices_at_stripe(db: &DatabaseConnection) -> anyhow::Result<Vec<(provider_prices::Model, prices::Model)>> {
    let rows = provider_prices::Entity::find()
        .filter(provider_prices::Column::Provider.eq("stripe"))
        .order_by_asc(provider_prices::Column::Id)
        .all(db)
        .await?;
    let prices = by_id(prices::Entity::find().all(db).await?, |row| row.id);
    let price = |row: &provider_prices::Model| prices.get(&row.price_id?).cloned();
    Ok(rows.into_iter().filter_map(|row| price(&row).map(|price| (row, price))).collect())
}

fn seconds(at: Option<At>) -> Option<i64> {
    at.map(|at| at.timestamp())
}

/// Returns a product. The metadata of plans and add-ons names them; packs and gifts are recognised by their prices.
fn product_object(sold_as: &provider_prices::Model, product: &products::Model) -> Value {
    let metadata = match &*product.kind {
        kind @ ("plan" | "addon") => json!({kind: product.code, "tier": product.rank.to_string()}),
        _ => json!({}),
    };
    json!({
        "id": sold_as.product_external_id, "object": "product", "active": product.active,
        "created": sold_as.created_at.timestamp(), "default_price": null, "description": product.description,
        "images": [], "livemode": false, "marketing_features": [], "metadata": metadata, "name": product.name,
        "package_dimensions": null, "shippable": null, "statement_descriptor": null, "tax_code": null,
        "type": "service", "unit_label": null, "updated": sold_as.updated_at.timestamp(), "url": null,
    })
}

fn price_object(sold_as: &provider_prices::Model, price: &prices::Model) -> Value {
    let recurs = price.interval != "one_time";
    let recurring = recurs.then(|| {
        json!({"interval": price.interval, "interval_count": price.interval_count, "meter": null,
            "trial_period_days": price.trial_days, "usage_type": "licensed"})
    });
    json!({
        "id": sold_as.external_id, "object": "price", "active": sold_as.active, "billing_scheme": "per_unit",
        "created": sold_as.created_at.timestamp(), "currency": price.currency.to_lowercase(),
        "custom_unit_amount": null, "livemode": false, "lookup_key": null, "nickname": null,
        "metadata": {"tollgate_price": price.id}, "product": sold_as.product_external_id, "recurring": recurring, "tax_behavior": "unspecified",
        "tiers_mode": null, "transform_quantity": null, "type": if recurs { "recurring" } else { "one_time" },
        "unit_amount": price.unit_amount_minor, "unit_amount_decimal": price.unit_amount_minor.to_string(),
    })
}

fn coupon_object(coupon: &coupons::Model) -> Value {
    json!({
        "id": coupon.code, "object": "coupon", "amount_off": coupon.amount_off_minor,
        "created": coupon.created_at.timestamp(), "currency": coupon.currency.as_ref().map(|it| it.to_lowercase()),
        "duration": coupon.duration, "duration_in_months": coupon.duration_months, "livemode": false,
        "max_redemptions": coupon.max_redemptions, "metadata": {}, "name": coupon.name,
        "percent_off": coupon.percent_basis_points.map(percent), "redeem_by": seconds(coupon.redeem_by),
        "times_redeemed": coupon.times_redeemed, "valid": coupon.active,
    })
}

/// Converts basis points to a percentage without floating point.
fn percent(basis_points: i64) -> Value {
    let written = format!("{}.{:02}", basis_points / 100, basis_points % 100);
    serde_json::from_str(written.trim_end_matches('0').trim_end_matches('.')).unwrap_or_default()
}

fn promo_code_object(code: &promo_codes::Model, coupon: &Value) -> Value {
    json!({
        "id": code.external_id.clone().unwrap_or_else(|| format!("promo_{}", code.id.simple())),
        "object": "promotion_code", "active": code.active, "code": code.code, "coupon": coupon["id"],
        "created": code.created_at.timestamp(), "customer": code.customer_external_id,
        "expires_at": seconds(code.expires_at), "livemode": false, "max_redemptions": code.max_redemptions,
        "metadata": {}, "times_redeemed": code.times_redeemed,
        "restrictions": {"first_time_transaction": code.first_purchase_only, "minimum_amount": null,
            "minimum_amount_currency": null},
    })
}

fn customer_object(customer: &provider_customers::Model, subject: &str) -> Value {
    json!({
        "id": customer.external_id, "object": "customer", "address": null, "balance": 0,
        "created": customer.created_at.timestamp(), "currency": null, "default_source": null,
        "delinquent": customer.delinquent, "description": null, "discount": null, "email": customer.email,
        "invoice_prefix": "DEMO", "livemode": false, "metadata": {"user_id": subject}, "name": customer.name,
        "invoice_settings":
            {"custom_fields": null, "default_payment_method": null, "footer": null, "rendering_options": null},
        "next_invoice_sequence": 100, "phone": null, "preferred_locales": [], "shipping": null,
        "tax_exempt": "none", "test_clock": null,
    })
}

/// Returns a subscription, or `None` if none of its prices are at Stripe.
fn subscription_object(
    row: &subscriptions::Model,
    items: &[subscription_items::Model],
    prices: &HashMap<String, Value>,
) -> Option<Value> {
    let item = |item: &subscription_items::Model| {
        let price = prices.get(item.price_external_id.as_ref()?)?;
        Some(json!({
            "id": item.external_id, "object": "subscription_item", "billing_thresholds": null,
            "created": item.created_at.timestamp(), "current_period_end": seconds(item.current_period_end),
            "current_period_start": seconds(item.current_period_start), "discounts": [], "metadata": {},
            "price": price, "quantity": item.quantity, "subscription": row.external_id, "tax_rates": [],
        }))
    };
    let items: Vec<Value> = items.iter().filter_map(item).collect();
    let currency = items.first()?["price"]["currency"].clone();
    let list = json!({"object": "list", "data": items, "has_more": false, "total_count": items.len(),
        "url": format!("/v1/subscription_items?subscription={}", row.external_id)});
    let mut subscription = json!({
        "id": row.external_id, "object": "subscription", "billing_cycle_anchor": seconds(row.current_period_start),
        "billing_mode": {"type": "classic", "updated_at": null}, "cancel_at": seconds(row.cancel_at),
        "cancel_at_period_end": row.cancel_at_period_end, "canceled_at": seconds(row.canceled_at),
        "cancellation_details": {"comment": null, "feedback": null, "reason": null},
        "collection_method": "charge_automatically", "created": row.created_at.timestamp(), "currency": currency,
        "customer": row.customer_external_id, "default_payment_method": null, "description": null, "discounts": [],
        "ended_at": null, "items": list, "latest_invoice": null, "livemode": false, "metadata": row.metadata,
        "pause_collection": null, "pending_setup_intent": null, "pending_update": null, "schedule": null,
    });
    subscription["payment_settings"] = json!({"payment_method_options": null, "payment_method_types": null,
        "save_default_payment_method": "off"});
    subscription["start_date"] = json!(row.started_at.timestamp());
    subscription["status"] = json!(row.status);
    subscription["trial_end"] = json!(seconds(row.trial_end));
    subscription["trial_settings"] = json!({"end_behavior": {"missing_payment_method": "create_invoice"}});
    subscription["trial_start"] = json!(seconds(row.trial_start));
    Some(subscription)
}
