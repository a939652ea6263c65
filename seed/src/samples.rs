//! Rows of the made-up company that the demo's welcome refers to.

use ::entity::{accounts, prices, product_versions, products, subscriptions, user_identities};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter, QueryOrder};
use serde_json::Value;
use uuid::Uuid;

/// Returns the id of the price of a product, currency and interval, or `None` if there is none.
pub async fn price(
    db: &DatabaseConnection,
    code: &str,
    (currency, interval): (&str, &str),
) -> anyhow::Result<Option<Uuid>> {
    let product = products::Entity::find().filter(products::Column::Code.eq(code)).one(db).await?;
    let Some(product) = product else { return Ok(None) };
    let published = product_versions::Entity::find()
        .filter(product_versions::Column::ProductId.eq(product.id))
        .filter(product_versions::Column::Status.eq("published"));
    let Some(version) = published.one(db).await? else { return Ok(None) };
    let price = prices::Entity::find()
        .filter(prices::Column::ProductVersionId.eq(version.id))
        .filter(prices::Column::Currency.eq(currency))
        .filter(prices::Column::Interval.eq(interval))
        .filter(prices::Column::Active.eq(true));
    Ok(price.one(db).await?.map(|price| price.id))
}

/// Returns our id of the newest subscription among Stripe objects, or `None` if we have none of them.
pub async fn subscription(db: &DatabaseConnection, objects: &[Value]) -> anyhow::Result<Option<Uuid>> {
    let ids = objects.iter().filter(|object| object["object"] == "subscription");
    let ids = ids.filter_map(|object| object["id"].as_str());
    let found = subscriptions::Entity::find()
        .filter(subscriptions::Column::ExternalId.is_in(ids))
        .order_by_desc(subscriptions::Column::Id);
    Ok(found.one(db).await?.map(|row| row.id))
}

/// Returns the id of the own account of the person with this subject, or `None` if there is no such person.
pub async fn account(db: &DatabaseConnection, subject: &str) -> anyhow::Result<Option<Uuid>> {
    let person = user_identities::Entity::find().filter(user_identities::Column::Subject.eq(subject)).one(db).await?;
    let Some(person) = person else { return Ok(None) };
    let own = accounts::Entity::find()
        .filter(accounts::Column::OwnerId.eq(person.user_id))
        .filter(accounts::Column::Kind.eq("individual"));
    Ok(own.one(db).await?.map(|row| row.id))
}
