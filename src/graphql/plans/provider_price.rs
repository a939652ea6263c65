//! Prices at payment providers.

use super::parts::Price;
use super::plan::PlanVersion;
use crate::graphql::common::{BigInt, Instant, Row, StoredEnum, global_id, to_exactly_one, to_one};
use crate::graphql::payments::payment::Provider;
use async_graphql::{Context, ID, Object, Result};
use entity::provider_prices;

pub struct ProviderPrice(pub(crate) Row<provider_prices::Entity>);

/// A price at a payment provider that sells a product of the catalogue.
#[Object]
impl ProviderPrice {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<ProviderPrice>(self.0.id)
    }

    /// The payment provider.
    async fn provider(&self) -> Result<Provider> {
        Ok(Provider::read(&self.0.provider)?)
    }

    /// The price's id at the provider.
    async fn external_id(&self) -> &str {
        &self.0.external_id
    }

    /// The id of the price's product at the provider.
    async fn product_external_id(&self) -> &str {
        &self.0.product_external_id
    }

    /// The version of the plan that it sells.
    async fn version(&self, ctx: &Context<'_>) -> Result<PlanVersion> {
        to_exactly_one(ctx, self.0.product_version_id).await
    }

    /// The matching price of the catalogue; null if the provider's price is not one amount per unit.
    async fn price(&self, ctx: &Context<'_>) -> Result<Option<Price>> {
        to_one(ctx, self.0.price_id).await
    }

    /// True if it can be used for new purchases.
    async fn active(&self) -> bool {
        self.0.active
    }

    /// The credits in one unit, in the smallest step of their unit; null if it does not sell a pack of credits.
    async fn pack_credits(&self) -> Option<BigInt> {
        self.0.credits.map(BigInt)
    }

    /// Time of the last change to this record.
    async fn updated_at(&self) -> Instant {
        self.0.updated_at.into()
    }
}
