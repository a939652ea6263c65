//! What is sold, put on sale at Stripe.

use super::plan::PlanVersion;
use crate::graphql::common::{ContextExt, local_id, settle};
use crate::{billing, user_error};
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use std::sync::Arc;

/// What can be done with the catalogue at Stripe.
#[derive(Default)]
pub struct StripeCatalogueMutation;

#[Object]
impl StripeCatalogueMutation {
    /// Puts a version that is on sale here on sale at Stripe too, now: its product and prices are made where they are not
    /// there, prices that were made there by hand for the same are used, and those of older versions are archived.
    /// `publishPlanVersion` has the same done in the background. Needs the scope `catalogue:write`. Kept and carried out
    /// later where Stripe does not answer.
    async fn publish_plan_to_stripe(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which version.")] input: PublishPlanToStripeInput,
    ) -> Result<Option<PublishPlanToStripePayload>> {
        let id = local_id::<PlanVersion>(&input.plan_version_id)?;
        let done = billing::publish_plan_to_stripe(ctx.app(), ctx.viewer(), id, &input.idempotency_key).await;
        let (done, user_errors) = settle(done)?;
        let (version, product_external_id) = done.unzip();
        let plan_version = version.map(|row| PlanVersion(Arc::new(row)));
        Ok(Some(PublishPlanToStripePayload { plan_version, product_external_id, user_errors }))
    }
}

/// Which version goes on sale at Stripe.
#[derive(InputObject)]
pub struct PublishPlanToStripeInput {
    /// The version, which is on sale here.
    plan_version_id: ID,
    /// The same key with another input is refused; with the same, what is there is looked at again. 1 to 255 bytes.
    idempotency_key: String,
}

/// The version that is on sale at Stripe.
#[derive(SimpleObject)]
pub struct PublishPlanToStripePayload {
    /// The version; its `providerPrices` are what sells it. Null where there are user errors.
    plan_version: Option<PlanVersion>,
    /// The id of its product at Stripe; null where there are user errors.
    product_external_id: Option<String>,
    /// Why it is not on sale; empty where it is.
    user_errors: Vec<PublishPlanToStripeUserError>,
}

user_error! {
    /// Why a version did not go on sale at Stripe.
    PublishPlanToStripeUserError with
    /// The rules that can refuse `publishPlanToStripe`.
    PublishPlanToStripeErrorCode {
        /// There is no such version.
        NotFound = "NOT_FOUND",
        /// The version is not on sale here.
        NotOnSale = "NOT_ON_SALE",
        /// Things of this kind are not sold at Stripe.
        KindNotSold = "KIND_NOT_SOLD",
        /// A credit pack does not say how many credits it holds.
        CreditsInvalid = "CREDITS_INVALID",
        /// Stripe says no, for a reason that the message names.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}
