//! The credits of an account.

use super::balance_at::CreditBalanceSnapshot;
use super::grant::{CreditGrant, CreditGrantFilter, CreditGrantOrder};
use super::hold::{CreditHold, CreditHoldFilter, CreditHoldOrder};
use super::ledger::{CreditBalance, LedgerBucket, LedgerEntry};
use crate::credits::{Balances, Entries};
use crate::graphql::common::{
    Connection, ContextExt, Instant, Row, StoredEnum, all_children, child_page, page_args, text,
};
use async_graphql::{Context, Object, Result};
use entity::accounts;

/// The fields of an account about credits.
pub struct AccountCredits(pub(crate) Row<accounts::Entity>);

/// The credits of an account.
#[Object]
impl AccountCredits {
    /// Credit balances, one for each credit unit that the account ever held.
    async fn credit_balances(&self, ctx: &Context<'_>) -> Result<Vec<CreditBalance>> {
        all_children(ctx, (), self.0.id, Balances { unit: None }).await
    }

    /// The balance in one credit unit; null if the account never held any.
    async fn credit_balance(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The code of the credit unit.")] unit: String,
    ) -> Result<Option<CreditBalance>> {
        let list = Balances { unit: Some(text("unit", unit)?) };
        Ok(all_children(ctx, (), self.0.id, list).await?.pop())
    }

    /// Credits granted to the account.
    async fn credit_grants(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the grants.")] filter: Option<CreditGrantFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<CreditGrantOrder>,
    ) -> Result<Connection<CreditGrant>> {
        let list = CreditGrantFilter::list(filter, order_by)?;
        child_page(ctx, (), self.0.id, list, page_args(first, after, last, before)).await
    }

    /// Ledger entries of one credit unit, newest first, each with the balance after it.
    async fn ledger_entries(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "The code of the credit unit.")] unit: String,
        #[graphql(desc = "The bucket of the account's credits.", default_with = "LedgerBucket::Available")]
        bucket: LedgerBucket,
    ) -> Result<Connection<LedgerEntry>> {
        let list = Entries { unit: text("unit", unit)?, bucket: bucket.stored() };
        child_page(ctx, (), self.0.id, list, page_args(first, after, last, before)).await
    }

    /// Holds of credits, open and ended.
    async fn credit_holds(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the holds.")] filter: Option<CreditHoldFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<CreditHoldOrder>,
    ) -> Result<Connection<CreditHold>> {
        let list = CreditHoldFilter::list(filter, order_by, ctx.app().now());
        child_page(ctx, (), self.0.id, list, page_args(first, after, last, before)).await
    }

    /// The balance in one credit unit at an instant of the past, from the entries of the ledger.
    async fn credit_balance_at(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The code of the credit unit.")] unit: String,
        #[graphql(desc = "The instant; not in the future.")] at: Instant,
    ) -> Result<CreditBalanceSnapshot> {
        CreditBalanceSnapshot::read(ctx, self.0.id, text("unit", unit)?, at).await
    }
}
