//! The root for one entitlement.

use super::entitlement::Entitlement;
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{ContextExt, local_id, text};
use async_graphql::{Context, ID, Object, Result};

/// The query root of entitlements.
#[derive(Default)]
pub struct EntitlementQuery;

#[Object]
impl EntitlementQuery {
    /// The entitlement of an account to a feature; null if there is no such feature or account, or the caller may not see
    /// it: members see it, and callers with the scope `billing:read` or `credits:write`.
    async fn entitlement(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The code of the feature.")] feature: String,
        #[graphql(
            desc = "The account; by default the one that gives the caller their plan, or else their individual \
            account. Callers who are not users have to pass it."
        )]
        account_id: Option<ID>,
    ) -> Result<Option<Entitlement>> {
        ctx.viewer().require_signed_in()?;
        let account_id = account_id.map(|id| local_id::<Account>(&id)).transpose()?;
        if account_id.is_none() && ctx.viewer().user_id().is_none() {
            return Err(Entitlement::account_missing().into());
        }
        Entitlement::of(ctx, account_id, text("feature", feature)?).await
    }
}
