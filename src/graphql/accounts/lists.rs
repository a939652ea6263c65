//! How accounts are found.

use super::account::{Account, AccountType};
use crate::accounts as feature;
use crate::graphql::common::{Connection, ContextExt, DateTimeRange, Word, listed, local_id, page_args, text, to_one};
use crate::order_input;
use async_graphql::{Context, ID, InputObject, Object, Result};

/// Which accounts to list.
#[derive(InputObject, Default)]
pub struct AccountFilter {
    /// This type alone.
    r#type: Option<AccountType>,
    /// The object of the host application that it stands for.
    reference: Option<ReferenceInput>,
    /// Opened in this span.
    created_at: Option<DateTimeRange>,
}

/// An object of the host application.
#[derive(InputObject)]
pub struct ReferenceInput {
    /// What kind of object it is.
    ref_type: String,
    /// Which object it is.
    ref_id: String,
}

order_input! {
    /// How to order accounts.
    AccountOrder by
    /// What accounts can be ordered by.
    AccountOrderField {
        /// When they were opened.
        CreatedAt,
    }
}

impl AccountFilter {
    pub(crate) fn list(filter: Option<Self>, order: Option<AccountOrder>) -> Result<feature::Accounts> {
        let filter = filter.unwrap_or_default();
        let reference = match filter.reference {
            Some(reference) => Some((text("refType", reference.ref_type)?, text("refId", reference.ref_id)?)),
            None => None,
        };
        Ok(feature::Accounts {
            kind: filter.r#type.map(Word::word),
            reference,
            created: DateTimeRange::between(filter.created_at),
            descending: AccountOrder::descending(order, true),
        })
    }
}

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
