//! The prices at the payment providers that sell what is in the catalogue.

use super::parts::Price;
use super::plan::PlanVersion;
use crate::graphql::common::{BigInt, Instant, Row, Word, global_id, to_exactly_one, to_one};
use crate::graphql::payments::payment::Provider;
use async_graphql::{Context, ID, Object, Result};
use entity::provider_prices;

pub struct ProviderPrice(pub(crate) Row<provider_prices::Entity>);

/// A price at a payment provider, and what of ours it sells.
#[Object]
impl ProviderPrice {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<ProviderPrice>(self.0.id)
    }

    /// Whose price it is.
    async fn provider(&self) -> Result<Provider> {
        Ok(Provider::read(&self.0.provider)?)
    }

    /// Its id at the provider.
    async fn external_id(&self) -> &str {
        &self.0.external_id
    }

    /// The id at the provider of the product that it is a price of.
    async fn product_external_id(&self) -> &str {
        &self.0.product_external_id
    }

    /// The version of the plan that it sells.
    async fn version(&self, ctx: &Context<'_>) -> Result<PlanVersion> {
        to_exactly_one(ctx, self.0.product_version_id).await
    }

    /// Our price; null where the provider's is not one amount for each unit.
    async fn price(&self, ctx: &Context<'_>) -> Result<Option<Price>> {
        to_one(ctx, self.0.price_id).await
    }

    /// Whether it can be bought at.
    async fn active(&self) -> bool {
        self.0.active
    }

    /// How many credits one unit of it holds, in the smallest step of their unit; null where it is no pack of credits.
    async fn pack_credits(&self) -> Option<BigInt> {
        self.0.credits.map(BigInt)
    }

    /// When it last changed here.
    async fn updated_at(&self) -> Instant {
        self.0.updated_at.into()
    }
}
