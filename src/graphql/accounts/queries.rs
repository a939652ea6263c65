//! Accounts by id, and the list of them.

use super::account::Account;
use super::list::{AccountFilter, AccountOrder};
use crate::graphql::common::{Connection, ContextExt, local_id, page, page_args, to_one};
use async_graphql::{Context, ID, Object, Result};

/// The query roots of accounts.
#[derive(Default)]
pub struct AccountQuery;

#[Object]
impl AccountQuery {
    /// An account by id; null if there is none or the caller may not see it.
    async fn account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account's id.")] id: ID,
    ) -> Result<Option<Account>> {
        ctx.viewer().require_signed_in()?;
        to_one(ctx, Some(local_id::<Account>(&id)?)).await
    }

    /// Accounts that the caller may see: those they are a member of, or all with the scope `billing:read`.
    async fn accounts(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the accounts.")] filter: Option<AccountFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<AccountOrder>,
    ) -> Result<Connection<Account>> {
        page(ctx, AccountFilter::list(filter, order_by)?, page_args(first, after, last, before)).await
    }
}
