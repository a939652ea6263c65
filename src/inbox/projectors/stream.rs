//! The stream of revenue of a payment for a subscription: what its lines sell.

use super::context::Projection;
use crate::error::Result;
use crate::inbox::kinds::ObjectKind;
use crate::inbox::object::Object;
use crate::payments::RevenueStream;
use crate::plans::{self, ProductKind};

/// Returns the stream of a payment of `invoices` for `subscription`: that of the goods on their lines, else of the
/// subscription's items. It is an add-on's, or a credit pack's, where nothing else is sold, and else the
/// subscription's.
pub(super) async fn sold(
    ctx: &Projection<'_, '_>,
    invoices: &[Object],
    subscription: Option<&Object>,
) -> Result<RevenueStream> {
    let provider = ctx.store.provider;
    let of_invoices = invoices.iter().filter(|object| object.kind == ObjectKind::Invoice);
    let mut prices: Vec<String> = of_invoices.flat_map(|invoice| provider.prices_sold(&invoice.payload)).collect();
    if prices.is_empty() {
        prices = subscription.map(|object| provider.prices_sold(&object.payload)).unwrap_or_default();
    }
    prices.sort_unstable();
    prices.dedup();
    let known = plans::known_prices(ctx.store.txn, provider.name(), &prices).await?;
    let all =
        |kind| !prices.is_empty() && prices.iter().all(|id| known.get(id).is_some_and(|price| price.kind == kind));
    Ok(if all(ProductKind::Addon) {
        RevenueStream::Addon
    } else if all(ProductKind::CreditPack) {
        RevenueStream::Credits
    } else {
        RevenueStream::Subscription
    })
}
