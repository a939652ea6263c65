//! The mutation that signs references to accounts.

use crate::accounts::{self, NewReference};
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{ContextExt, Instant, StoredEnum, local_id, split_refusal};
use crate::graphql::payments::payment::Provider;
use crate::providers;
use crate::user_error;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};

/// The mutation root of references.
#[derive(Default)]
pub struct ReferenceMutation;

#[Object]
impl ReferenceMutation {
    /// Signs a reference to an account, for a purchase that starts in the buyer's browser: the `client_reference_id` of a
    /// payment link or pricing table of Stripe, or `customData.tollgate_reference` in Paddle.js. The purchase then belongs
    /// to the account; an id without a signature there has no effect. Allowed for owners and admins of the account; with
    /// the scope `billing:write` for any account.
    async fn create_purchase_reference(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The provider and the account.")] input: CreatePurchaseReferenceInput,
    ) -> Result<Option<CreatePurchaseReferencePayload>> {
        let new = NewReference {
            provider: providers::Provider::named(input.provider.stored().as_str()),
            account_id: input.account_id.as_ref().map(local_id::<Account>).transpose()?,
            lifetime_s: input.valid_for_seconds.into(),
        };
        let signed = accounts::create_purchase_reference(ctx.app(), ctx.viewer(), new).await;
        let (signed, user_errors) = split_refusal(signed)?;
        let (reference, expires_at) = signed.map(|signed| (signed.text, Instant(signed.expires_at))).unzip();
        Ok(Some(CreatePurchaseReferencePayload { reference, expires_at, user_errors }))
    }
}

/// Input of `createPurchaseReference`.
#[derive(InputObject)]
pub struct CreatePurchaseReferenceInput {
    /// The provider at which the purchase takes place: `STRIPE` or `PADDLE`. A reference is valid at no other.
    provider: Provider,
    /// The id of the account; the caller's own by default.
    account_id: Option<ID>,
    /// The lifetime in seconds, 60 to 604,800 (a week). The purchase must start within it; the payment may take longer.
    #[graphql(default = 86_400)]
    valid_for_seconds: i32,
}

/// Payload of `createPurchaseReference`.
#[derive(SimpleObject)]
pub struct CreatePurchaseReferencePayload {
    /// The reference, 81 letters, digits, dashes and underscores. Whoever has it can buy for the account, and see or
    /// change nothing. Null if there are user errors.
    reference: Option<String>,
    /// Time of expiry; null if there are user errors.
    expires_at: Option<Instant>,
    /// Reasons for refusing the request; empty on success.
    user_errors: Vec<CreatePurchaseReferenceUserError>,
}

user_error! {
    /// A reason for refusing `createPurchaseReference`.
    CreatePurchaseReferenceUserError with
    /// Rules that can refuse `createPurchaseReference`.
    CreatePurchaseReferenceErrorCode {
        /// The account does not exist, or the caller may not bill it.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// The provider takes no references.
        ProviderInvalid = "PROVIDER_INVALID",
        /// The lifetime is too short or too long.
        LifetimeInvalid = "LIFETIME_INVALID",
    }
}
