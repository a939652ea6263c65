//! Accounts by id, and the list of them.

use super::account::Account;
use super::list::{AccountFilter, AccountOrder};
use crate::graphql::common::{Connection, ContextExt, listed, local_id, page_args, to_one};
use async_graphql::{Context, ID, Object, Result};

/// What can be asked about accounts.
#[derive(Default)]
pub struct AccountQuery;

#[Object]
impl AccountQuery {
    /// An account by its id; null where there is none or the caller may not see it.
    async fn account(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account's id.")] id: ID,
    ) -> Result<Option<Account>> {
        ctx.viewer().require_signed_in()?;
        to_one(ctx, Some(local_id::<Account>(&id)?)).await
    }

    /// The accounts that the caller may see: all of them for admins, else those that one is a member of.
    async fn accounts(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Keeps the accounts that match.")] filter: Option<AccountFilter>,
        #[graphql(desc = "The order; newest first where it is left out.")] order_by: Option<AccountOrder>,
    ) -> Result<Connection<Account>> {
        listed(ctx, AccountFilter::list(filter, order_by)?, page_args(first, after, last, before)).await
    }
}
