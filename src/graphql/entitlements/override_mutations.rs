//! Mutations of overrides.

use super::overrides::EntitlementOverride;
use crate::entitlements::{self, NewOverride};
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{BigInt, ContextExt, Instant, StoredEnum, local_id, optional_text, split_refusal, text};
use crate::graphql::plans::parts::LimitWindow;
use crate::user_error;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use std::sync::Arc;

/// The mutation roots of overrides.
#[derive(Default)]
pub struct OverrideMutation;

#[Object]
impl OverrideMutation {
    /// Gives a feature to an account or takes it away, whatever its plan says. Replaces the overrides in force of the same
    /// account, feature and window; one without a window replaces all of the feature. Requires the scope `billing:write`.
    async fn set_entitlement_override(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account, the feature and what it gets.")] input: SetEntitlementOverrideInput,
    ) -> Result<Option<SetEntitlementOverridePayload>> {
        let new = NewOverride {
            account_id: local_id::<Account>(&input.account_id)?,
            feature: text("feature", input.feature)?,
            granted: input.granted,
            value: optional_text("value", input.value)?,
            limit: input.limit.map(|limit| limit.0),
            window: input.window.map(StoredEnum::stored),
            reason: text("reason", input.reason)?,
            expires_at: input.expires_at.map(|at| at.0),
        };
        let (row, user_errors) = split_refusal(entitlements::set_override(ctx.app(), ctx.viewer(), new).await)?;
        let entitlement_override = row.map(|row| EntitlementOverride(Arc::new(row)));
        Ok(Some(SetEntitlementOverridePayload { entitlement_override, user_errors }))
    }

    /// Ends an override now: what the plan says counts again. Requires the scope `billing:write`.
    async fn revoke_entitlement_override(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The override to end.")] input: RevokeEntitlementOverrideInput,
    ) -> Result<Option<RevokeEntitlementOverridePayload>> {
        let id = local_id::<EntitlementOverride>(&input.entitlement_override_id)?;
        let (row, user_errors) = split_refusal(entitlements::revoke_override(ctx.app(), ctx.viewer(), id).await)?;
        let entitlement_override = row.map(|row| EntitlementOverride(Arc::new(row)));
        Ok(Some(RevokeEntitlementOverridePayload { entitlement_override, user_errors }))
    }
}

/// An override to be set.
#[derive(InputObject)]
pub struct SetEntitlementOverrideInput {
    /// The account.
    account_id: ID,
    /// The code of the feature.
    feature: String,
    /// True to give the feature, false to take it away.
    #[graphql(default = true)]
    granted: bool,
    /// The value of a feature of the kind CONFIG, which needs one to be given.
    value: Option<String>,
    /// The limit, in the feature's unit; unlimited by default.
    limit: Option<BigInt>,
    /// The window in which the limit counts. Without one, an override that is unlimited lifts all limits of the plan, and
    /// a limit holds for each use.
    window: Option<LimitWindow>,
    /// An explanation for display: 1 to 500 characters.
    reason: String,
    /// Time at which it ends; no end by default.
    expires_at: Option<Instant>,
}

/// The override.
#[derive(SimpleObject)]
pub struct SetEntitlementOverridePayload {
    /// The override; null if there are user errors.
    entitlement_override: Option<EntitlementOverride>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<SetEntitlementOverrideUserError>,
}

user_error! {
    /// A rule that refused to set an override.
    SetEntitlementOverrideUserError with
    /// The rules that can refuse `setEntitlementOverride`.
    SetEntitlementOverrideErrorCode {
        /// The account does not exist.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// The feature does not exist.
        FeatureNotFound = "FEATURE_NOT_FOUND",
        /// The limit is negative, or the feature has none.
        LimitInvalid = "LIMIT_INVALID",
        /// The value is missing, or the feature has none.
        ValueInvalid = "VALUE_INVALID",
        /// The reason is empty or too long.
        ReasonInvalid = "REASON_INVALID",
        /// The expiry is in the past.
        ExpiryInvalid = "EXPIRY_INVALID",
    }
}

/// An override to be revoked.
#[derive(InputObject)]
pub struct RevokeEntitlementOverrideInput {
    /// The override.
    entitlement_override_id: ID,
}

/// The revoked override.
#[derive(SimpleObject)]
pub struct RevokeEntitlementOverridePayload {
    /// The override; null if there are user errors.
    entitlement_override: Option<EntitlementOverride>,
    /// The rules that refused the request; empty on success.
    user_errors: Vec<RevokeEntitlementOverrideUserError>,
}

user_error! {
    /// A rule that refused to revoke an override.
    RevokeEntitlementOverrideUserError with
    /// The rules that can refuse `revokeEntitlementOverride`.
    RevokeEntitlementOverrideErrorCode {
        /// The override does not exist.
        NotFound = "NOT_FOUND",
        /// The override is already revoked.
        AlreadyRevoked = "ALREADY_REVOKED",
    }
}
