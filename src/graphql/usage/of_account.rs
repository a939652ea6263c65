//! Usage and entitlements of an account.

use super::event::{UsageDay, UsageEvent, UsageEventFilter, UsageEventOrder};
use crate::graphql::common::{Connection, Date, Row, child_page, page_args, text};
use crate::graphql::entitlements::entitlement::Entitlement;
use crate::graphql::entitlements::overrides::{EntitlementOverride, EntitlementOverrideFilter};
use async_graphql::{Context, Object, Result};
use entity::accounts;

/// The fields of an account about usage and entitlements.
pub struct AccountUsage(pub(crate) Row<accounts::Entity>);

/// The usage of an account.
#[Object]
impl AccountUsage {
    /// The account's entitlements to all features, by code; empty if the caller may not see them.
    async fn entitlements(&self, ctx: &Context<'_>) -> Result<Vec<Entitlement>> {
        Entitlement::all(ctx, Some(self.0.id)).await
    }

    /// The account's entitlement to a feature; null if there is no such feature, or the caller may not see it.
    async fn entitlement(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The code of the feature.")] feature: String,
    ) -> Result<Option<Entitlement>> {
        Entitlement::of(ctx, Some(self.0.id), text("feature", feature)?).await
    }

    /// Features given to or taken from the account, newest first, also those that ended.
    async fn entitlement_overrides(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the overrides.")] filter: Option<EntitlementOverrideFilter>,
    ) -> Result<Connection<EntitlementOverride>> {
        let list = EntitlementOverrideFilter::list(filter)?;
        child_page(ctx, (), self.0.id, list, page_args(first, after, last, before)).await
    }

    /// Usage of the account, as its events were recorded.
    async fn usage_events(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the events.")] filter: Option<UsageEventFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<UsageEventOrder>,
    ) -> Result<Connection<UsageEvent>> {
        let list = UsageEventFilter::list(filter, order_by)?;
        child_page(ctx, (), self.0.id, list, page_args(first, after, last, before)).await
    }

    /// Usage of one meter by UTC day and dimension, oldest first; days without usage that stands are left out.
    async fn usage_daily(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The code of the meter.")] meter: String,
        #[graphql(desc = "The first day, in UTC.")] from: Date,
        #[graphql(desc = "The day after the last, in UTC; at most 400 days after `from`.")] to: Date,
    ) -> Result<Vec<UsageDay>> {
        UsageDay::between(ctx, self.0.id, text("meter", meter)?, from, to).await
    }
}
