//! Projects customers and the catalogue: prices, coupons, promotion codes, discounts.

use super::context::{Blocked, NAMING_KINDS, Projection};
use crate::error::Result;
use crate::inbox::kinds::{ObjectKind, Reference};
use crate::inbox::object::Object;
use crate::inbox::wait_key::WaitKey;
use crate::inbox::{stripe, waiting};
use crate::{accounts, discounts, plans};

pub(super) async fn project_customer(ctx: &mut Projection<'_, '_>, id: &str) -> Result<(), Blocked> {
    let object = ctx.object(&[ObjectKind::Customer], id).await?;
    let Some(customer) = ctx.store.provider.read_customer(&object) else { return Ok(()) };
    let mut named_by = ctx.store.referencing(Reference::Customer, id, &NAMING_KINDS).await?;
    // The first purchase decides, so that a later one with the same e-mail address does not move the customer.
    named_by.sort_by_key(|object| ctx.store.provider.created_at(object));
    let objects: Vec<&Object> = [&object].into_iter().chain(&named_by).collect();
    // A session or a subscription that names a user later projects the customer again.
    let key = WaitKey::Customer(id.to_owned());
    let account_id = ctx.owner(&objects, None, key.clone()).await?;
    if accounts::project_customer(ctx.mirror, account_id, &customer).await?.changed {
        ctx.wake(key).await?;
    }
    if ctx.account_named_by(&object).await?.is_some() {
        ctx.wake(WaitKey::Owner(id.to_owned())).await?;
    }
    Ok(())
}

pub(super) async fn project_price(ctx: &mut Projection<'_, '_>, id: &str) -> Result<(), Blocked> {
    let object = ctx.object(&[ObjectKind::Price], id).await?;
    let product = ctx.store.objects_of(&[ObjectKind::Product], object.references.product.as_slice()).await?.pop();
    let Some(price) = ctx.store.provider.read_price(&object, product.as_ref()) else { return Ok(()) };
    if plans::project_price(ctx.mirror, &price).await?.changed {
        waiting::enqueue_price(ctx.store.txn, ctx.store.provider, id).await?;
    }
    Ok(())
}

pub(super) async fn project_coupon(ctx: &mut Projection<'_, '_>, id: &str) -> Result<(), Blocked> {
    let Some(coupon) = stripe::coupon(&ctx.object(&[ObjectKind::Coupon], id).await?) else { return Ok(()) };
    if discounts::project_coupon(ctx.mirror, &coupon).await?.new {
        ctx.wake_dependents(id).await?;
    }
    Ok(())
}

pub(super) async fn project_promo_code(ctx: &mut Projection<'_, '_>, id: &str) -> Result<(), Blocked> {
    let Some(promo_code) = stripe::promo_code(&ctx.object(&[ObjectKind::PromotionCode], id).await?) else {
        return Ok(());
    };
    let projected = discounts::project_promo_code(ctx.mirror, &promo_code).await?;
    projected.map(drop).ok_or_else(|| Blocked::object(&promo_code.coupon_external_id))
}

pub(super) async fn project_redemption(ctx: &mut Projection<'_, '_>, id: &str) -> Result<(), Blocked> {
    let object = ctx.object(&[ObjectKind::Discount], id).await?;
    let Some(redemption) = stripe::redemption(&object) else { return Ok(()) };
    let subscription =
        ctx.store.objects_of(&[ObjectKind::Subscription], redemption.subscription_external_id.as_slice()).await?;
    let objects: Vec<&Object> = [&object].into_iter().chain(&subscription).collect();
    let account_id = ctx.owner_of(&objects, id).await?;
    if discounts::project_redemption(ctx.mirror, account_id, &redemption).await? {
        return Ok(());
    }
    let missing_subscription = redemption.subscription_external_id.filter(|_| subscription.is_empty());
    Err(Blocked::object(&missing_subscription.unwrap_or(redemption.coupon_external_id)))
}
