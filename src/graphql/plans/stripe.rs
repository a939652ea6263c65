//! Publication of plans at Stripe.

use super::plan::PlanVersion;
use crate::graphql::common::{ContextExt, local_id, split_refusal};
use crate::{billing, user_error};
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use std::sync::Arc;

/// The mutation root of publication at Stripe.
#[derive(Default)]
pub struct StripeCatalogueMutation;

#[Object]
impl StripeCatalogueMutation {
    /// Puts a version that is on sale here on sale at Stripe, immediately. Creates the missing product and prices,
    /// adopts matching prices that were created there by hand, and archives those of older versions.
    /// `publishPlanVersion` does the same in the background. Requires the scope `catalogue:write`. If Stripe does not
    /// answer, the request is stored and carried out later.
    async fn publish_plan_to_stripe(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The version to publish at Stripe.")] input: PublishPlanToStripeInput,
    ) -> Result<Option<PublishPlanToStripePayload>> {
        let id = local_id::<PlanVersion>(&input.plan_version_id)?;
        let done = billing::publish_plan_to_stripe(ctx.app(), ctx.viewer(), id, &input.idempotency_key).await;
        let (done, user_errors) = split_refusal(done)?;
        let (version, product_external_id) = done.map(|done| (done.version, done.product_external_id)).unzip();
        let plan_version = version.map(|row| PlanVersion(Arc::new(row)));
        Ok(Some(PublishPlanToStripePayload { plan_version, product_external_id, user_errors }))
    }
}

/// A version to publish at Stripe.
#[derive(InputObject)]
pub struct PublishPlanToStripeInput {
    /// The version; it must be on sale here.
    plan_version_id: ID,
    /// Identifies this request: with the same key and input, the state at Stripe is checked again; with other input,
    /// the request is refused. 1 to 255 bytes.
    idempotency_key: String,
}

/// The version on sale at Stripe.
#[derive(SimpleObject)]
pub struct PublishPlanToStripePayload {
    /// The version; its `providerPrices` are the prices at Stripe. Null if there are user errors.
    plan_version: Option<PlanVersion>,
    /// The id of the product at Stripe; null if there are user errors.
    product_external_id: Option<String>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<PublishPlanToStripeUserError>,
}

user_error! {
    /// A rule that refused to publish a version at Stripe.
    PublishPlanToStripeUserError with
    /// The rules that can refuse `publishPlanToStripe`.
    PublishPlanToStripeErrorCode {
        /// The version does not exist.
        NotFound = "NOT_FOUND",
        /// The version is not on sale here.
        NotOnSale = "NOT_ON_SALE",
        /// Products of this kind are not sold at Stripe.
        KindNotSold = "KIND_NOT_SOLD",
        /// A credit pack does not state its number of credits.
        CreditsInvalid = "CREDITS_INVALID",
        /// Stripe refused the request; the message has the reason.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}
