//! Projects the catalogues at the payment providers to our rows.

use super::observed::{KnownPrice, ObservedPrice};
use super::store::mirror as store;
use super::values::{PriceInterval, ProductKind, VersionStatus};
use crate::db::{Mirror, Mirrored, Txn};
use crate::error::Result;
use crate::money::is_currency;
use entity::{credit_units, prices, product_versions, products, provider_prices};
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait;
use std::collections::HashMap;
use uuid::Uuid;

/// Mirrors a price, and the product and version that it sells where those are not here yet.
///
/// - What the product is called and where it ranks is what one of its prices says: of those that are sold, or else of
///   all, the newest by `created_at` and then by id, whichever arrives first. A description is left alone.
/// - A price keeps the version that it was first seen to sell, as long as it names the same product; a new one sells the
///   version that is published.
/// - One that names a price of ours which asks for the same, of a version that was ever on sale, is that price.
/// - Of a version's prices made by hand, one of the same amount and interval that this provider does not sell yet is
///   taken for this one.
/// - What a price asks for never changes: one that does at the provider becomes another here, for those who bought it.
pub async fn project_price(mirror: &mut Mirror<'_>, price: &ObservedPrice) -> Result<Mirrored<provider_prices::Model>> {
    let found = store::lock_provider_price(mirror.txn, price.provider, &price.external_id).await?;
    let (product, version_id, price_id) = match named(mirror, price).await? {
        Some((product, own)) => (product, own.product_version_id, Some(own.id)),
        None => {
            let product = product(mirror, price).await?;
            let version_id = version(mirror, product.id, found.as_ref()).await?;
            (product, version_id, own_price(mirror, price, version_id, found.as_ref()).await?)
        }
    };
    let before = found.as_ref().map(|found| (found.product_version_id, found.price_id));
    let wanted = provider_prices::ActiveModel {
        id: Set(mirror.txn.new_id()),
        product_version_id: Set(version_id),
        price_id: Set(price_id),
        provider: Set(price.provider.to_owned()),
        external_id: Set(price.external_id.clone()),
        product_external_id: Set(price.product_external_id.clone()),
        product_kind: Set(price.product.kind.to_string()),
        product_rank: Set(price.product.rank),
        product_name: Set(clean_name(&price.product.name, &product.code)),
        active: Set(price.active),
        credits: Set(price.credits.filter(|credits| *credits > 0)),
        created_at: Set(price.created_at.fixed_offset()),
        updated_at: Set(mirror.txn.now().fixed_offset()),
    };
    let written = mirror.write::<provider_prices::Entity>(&price.external_id, found, wanted).await?;
    follow_prices(mirror, product).await?;
    if let Some((version_before, price_before)) = before {
        if version_before != version_id
            && let Some(product) = store::lock_product_of(mirror.txn, version_before).await?
        {
            follow_prices(mirror, product).await?;
        }
        if let Some(before) = price_before.filter(|before| price_id != Some(*before)) {
            follow_providers(mirror, before).await?;
        }
    }
    if let Some(price_id) = price_id {
        follow_providers(mirror, price_id).await?;
    }
    Ok(written)
}

/// Returns the price of ours that a price claims to be, with its product. Copying a price at the provider copies the
/// claim too, so it counts only if currency, amount, interval and product agree.
async fn named(mirror: &Mirror<'_>, price: &ObservedPrice) -> Result<Option<(products::Model, prices::Model)>> {
    let (Some(own_id), Some(amount)) = (price.own_id, price.unit_amount_minor) else { return Ok(None) };
    let Some(own) = store::published_price(mirror.txn, own_id).await? else { return Ok(None) };
    let is_alike = own.currency == price.currency
        && own.unit_amount_minor == amount
        && PriceInterval::parse(&own.interval)? == price.interval
        && own.interval_count == price.interval_count;
    let product = store::lock_product_of(mirror.txn, own.product_version_id).await?;
    // A pack is named in two ways, with and without the prefix of all packs' codes, so the codes are not compared.
    let Some(product) = product.filter(|_| is_alike) else { return Ok(None) };
    let is_of = match price.product.kind {
        ProductKind::CreditPack => ProductKind::parse(&product.kind)? == ProductKind::CreditPack,
        _ => product.code == clean_code(&price.product.code),
    };
    Ok(is_of.then_some((product, own)))
}

/// Returns the product that a price names, and creates it if there is none.
async fn product(mirror: &mut Mirror<'_>, price: &ObservedPrice) -> Result<products::Model> {
    let code = clean_code(&price.product.code);
    if let Some(found) = store::lock_product(mirror.txn, &code).await? {
        return Ok(found);
    }
    let now = mirror.txn.now().fixed_offset();
    let row = products::ActiveModel {
        id: Set(mirror.txn.new_id()),
        code: Set(code.clone()),
        kind: Set(price.product.kind.to_string()),
        rank: Set(price.product.rank),
        name: Set(clean_name(&price.product.name, &code)),
        active: Set(true),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    Ok(mirror.write::<products::Entity>(&code, None, row).await?.row)
}

/// Updates a product to its leading price; a product without prices stays unchanged.
async fn follow_prices(mirror: &mut Mirror<'_>, product: products::Model) -> Result<()> {
    let Some(says) = store::price_that_has_the_say(mirror.txn, product.id).await? else { return Ok(()) };
    let wanted = products::ActiveModel {
        kind: Set(says.product_kind),
        rank: Set(says.product_rank),
        name: Set(says.product_name),
        ..Default::default()
    };
    let code = product.code.clone();
    mirror.write::<products::Entity>(&code, Some(product), wanted).await?;
    Ok(())
}

/// Returns the version that a price sells; creates and publishes one for a product without any but drafts.
async fn version(mirror: &mut Mirror<'_>, product_id: Uuid, found: Option<&provider_prices::Model>) -> Result<Uuid> {
    let versions = store::versions_of(mirror.txn, product_id).await?;
    if let Some(found) = found
        && versions.iter().any(|version| version.id == found.product_version_id)
    {
        return Ok(found.product_version_id);
    }
    let mut superseded = None;
    for version in &versions {
        match VersionStatus::parse(&version.status)? {
            VersionStatus::Draft => {}
            VersionStatus::Published => return Ok(version.id),
            VersionStatus::Superseded => superseded = Some(version.id),
        }
    }
    if let Some(superseded) = superseded {
        return Ok(superseded);
    }
    let now = mirror.txn.now().fixed_offset();
    let row = product_versions::ActiveModel {
        id: Set(mirror.txn.new_id()),
        product_id: Set(product_id),
        number: Set(versions.last().map_or(0, |version| version.number) + 1),
        status: Set(VersionStatus::Published.to_string()),
        created_at: Set(now),
        published_at: Set(Some(now)),
        ..Default::default()
    };
    Ok(product_versions::Entity::insert(row).exec_with_returning(mirror.txn).await?.id)
}

/// Returns our price for a provider's: the previous one if it still agrees, a matching one created by hand, or a new
/// one. Returns `None` if the provider's price is not one amount per unit.
async fn own_price(
    mirror: &mut Mirror<'_>,
    price: &ObservedPrice,
    version_id: Uuid,
    found: Option<&provider_prices::Model>,
) -> Result<Option<Uuid>> {
    let Some(amount) = price.unit_amount_minor.filter(|amount| *amount >= 0) else { return Ok(None) };
    if !is_currency(&price.currency) || price.interval_count < 1 {
        return Ok(None);
    }
    let alike = store::prices_like(mirror.txn, version_id, price, amount).await?;
    let kept = found.and_then(|found| found.price_id).filter(|kept| alike.iter().any(|row| row.id == *kept));
    if kept.is_some() {
        return Ok(kept);
    }
    let ids = alike.iter().map(|row| row.id);
    let taken = store::prices_taken(mirror.txn, price.provider, ids).await?;
    if let Some(free) = alike.iter().find(|row| !taken.contains(&row.id)) {
        return Ok(Some(free.id));
    }
    let row = prices::ActiveModel {
        id: Set(mirror.txn.new_id()),
        product_version_id: Set(version_id),
        currency: Set(price.currency.clone()),
        unit_amount_minor: Set(amount),
        interval: Set(price.interval.to_string()),
        interval_count: Set(price.interval_count),
        trial_days: Set(price.trial_days.filter(|days| *days > 0)),
        active: Set(price.active),
        created_at: Set(price.created_at.fixed_offset()),
    };
    let written = mirror.write::<prices::Entity>(&price.external_id, None, row).await?;
    Ok(Some(written.row.id))
}

/// Updates whether a price of ours is sold: it is as long as some provider sells it.
async fn follow_providers(mirror: &mut Mirror<'_>, price_id: Uuid) -> Result<()> {
    let sold = store::is_sold(mirror.txn, price_id).await?;
    let found = store::price(mirror.txn, price_id).await?;
    let wanted = prices::ActiveModel { active: Set(sold), ..Default::default() };
    let name = price_id.to_string();
    if found.is_some() {
        mirror.write::<prices::Entity>(&name, found, wanted).await?;
    }
    Ok(())
}

/// Returns the known products behind these prices of `provider`, leaving out unknown ones.
pub async fn known_prices(txn: &Txn, provider: &str, external_ids: &[String]) -> Result<HashMap<String, KnownPrice>> {
    if external_ids.is_empty() {
        return Ok(HashMap::new());
    }
    store::known_prices(txn, provider, external_ids).await
}

/// Returns the credit unit with this code; creates a missing one, without decimal places and named by its code.
pub async fn known_credit_unit(mirror: &mut Mirror<'_>, code: &str) -> Result<credit_units::Model> {
    let code = clean_code(code);
    if let Some(unit) = super::store::credit_unit(mirror.txn, &code).await? {
        return Ok(unit);
    }
    let row = credit_units::ActiveModel {
        id: Set(mirror.txn.new_id()),
        code: Set(code.clone()),
        name: Set(code.clone()),
        decimals: Set(0),
        created_at: Set(mirror.txn.now().fixed_offset()),
    };
    Ok(mirror.write::<credit_units::Entity>(&code, None, row).await?.row)
}

/// Turns `code` into a code of ours: lower case, `_` for forbidden characters, a letter first, at most 64 characters.
fn clean_code(code: &str) -> String {
    let allowed = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || "-_.".contains(char);
    let lower = code.trim().to_lowercase();
    let clean: String = lower.chars().map(|char| if allowed(char) { char } else { '_' }).collect();
    let first = if clean.starts_with(|first: char| first.is_ascii_lowercase()) { "" } else { "p_" };
    format!("{first}{clean}").chars().take(64).collect()
}

/// Turns `name` into a name of ours: at most 200 characters, and `code` if nothing is left.
fn clean_name(name: &str, code: &str) -> String {
    let name: String = name.trim().chars().filter(|char| *char != '\0').take(200).collect();
    if name.is_empty() { code.to_owned() } else { name }
}
