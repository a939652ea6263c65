//! Subscriptions and their history.

use super::accounts::Account;
use super::context::ContextExt;
use super::inputs::{DateTimeRange, texts};
use super::invoices::{Invoice, InvoiceFilter, InvoiceOrder};
use super::loaders::{CurrentSubscriptions, Row, Under, Wholes};
use super::node::{global_id, local_id, to_exactly_one, to_one};
use super::page::{Connection, all_under, listed, page_args, under};
use super::payments::{Payment, PaymentFilter, PaymentOrder, Provider};
use super::plan_parts::Price;
use super::plans::{Plan, PlanVersion};
use super::scalars::{BigInt, Instant, Word};
use super::subscription_versions::{SubscriptionVersion, SubscriptionVersionOrder};
use crate::payments::{InvoicesOf, PaymentsOf};
use crate::plans::PlanOfVersion;
use crate::subscriptions::{self as feature, History, Holder, Items, highest};
use crate::{order_input, words};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::{products, subscription_items, subscriptions};
use std::sync::Arc;
use uuid::Uuid;

pub struct Subscription(pub(super) Row<subscriptions::Entity>);

words! {
    /// Where a subscription stands, in the provider's words.
    SubscriptionStatus {
        /// Being tried; gives the plan.
        Trialing = "trialing",
        /// Paid for; gives the plan.
        Active = "active",
        /// The last payment failed and is tried again; still gives the plan.
        PastDue = "past_due",
        /// Payment was given up; gives nothing.
        Unpaid = "unpaid",
        /// Stopped for a while; gives nothing.
        Paused = "paused",
        /// Waits for its first payment.
        Incomplete = "incomplete",
        /// The first payment never came.
        IncompleteExpired = "incomplete_expired",
        /// Over.
        Canceled = "canceled",
    }
}

/// An account's hold on a plan.
#[Object]
impl Subscription {
    /// The global id.
    pub(super) async fn id(&self) -> ID {
        global_id::<Subscription>(self.0.id)
    }

    /// Whose it is.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// The plan; null where the provider bills for a price that is not known here.
    async fn plan(&self, ctx: &Context<'_>) -> Result<Option<Plan>> {
        // Found through the version in one statement, without its row.
        let Some(version_id) = self.0.product_version_id else { return Ok(None) };
        Ok(all_under(ctx, (), version_id, PlanOfVersion).await?.pop())
    }

    /// The version of the plan that was bought; null where the provider bills for a price that is not known here.
    async fn plan_version(&self, ctx: &Context<'_>) -> Result<Option<PlanVersion>> {
        to_one(ctx, self.0.product_version_id).await
    }

    /// The price of the plan; null where it is not known here.
    async fn price(&self, ctx: &Context<'_>) -> Result<Option<Price>> {
        to_one(ctx, self.0.price_id).await
    }

    /// Who bills for it.
    async fn provider(&self) -> Result<Provider> {
        Ok(Provider::read(&self.0.provider)?)
    }

    /// Its id at the provider; where nobody bills for it, an id of our own.
    async fn external_id(&self) -> &str {
        &self.0.external_id
    }

    /// Where it stands.
    async fn status(&self) -> Result<SubscriptionStatus> {
        Ok(SubscriptionStatus::read(&self.0.status)?)
    }

    /// When it began.
    async fn started_at(&self) -> Instant {
        self.0.started_at.into()
    }

    /// When its trial began; null where there was none.
    async fn trial_start(&self) -> Option<Instant> {
        self.0.trial_start.map(Instant::from)
    }

    /// When its trial ends or ended; null where there was none.
    async fn trial_end(&self) -> Option<Instant> {
        self.0.trial_end.map(Instant::from)
    }

    /// When the current billing period began; null where there is none.
    async fn current_period_start(&self) -> Option<Instant> {
        self.0.current_period_start.map(Instant::from)
    }

    /// When the current billing period ends; null where there is none.
    async fn current_period_end(&self) -> Option<Instant> {
        self.0.current_period_end.map(Instant::from)
    }

    /// When it will end; null where it goes on.
    async fn cancel_at(&self) -> Option<Instant> {
        self.0.cancel_at.map(Instant::from)
    }

    /// When it was asked to end; null where it was not.
    async fn canceled_at(&self) -> Option<Instant> {
        self.0.canceled_at.map(Instant::from)
    }

    /// When it ended; null where it has not.
    async fn ended_at(&self) -> Option<Instant> {
        self.0.ended_at.map(Instant::from)
    }

    /// Since when it is paused; null where it is not.
    async fn paused_at(&self) -> Option<Instant> {
        self.0.paused_at.map(Instant::from)
    }

    /// When a payment of more than zero first succeeded; null before. From then on it counts as recurring revenue.
    async fn first_paid_at(&self) -> Option<Instant> {
        self.0.first_paid_at.map(Instant::from)
    }

    /// When it was made.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// When it last changed here.
    async fn updated_at(&self) -> Instant {
        self.0.updated_at.into()
    }

    /// What it bills for.
    async fn items(&self, ctx: &Context<'_>) -> Result<Vec<SubscriptionItem>> {
        all_under(ctx, (), self.0.id, Items).await
    }

    /// Every state it has been in, by the time it took effect.
    async fn history(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "The order; newest first where it is left out.")] order_by: Option<SubscriptionVersionOrder>,
    ) -> Result<Connection<SubscriptionVersion>> {
        let list = History { descending: SubscriptionVersionOrder::descending(order_by, true) };
        under(ctx, (), self.0.id, list, page_args(first, after, last, before)).await
    }

    /// What was paid for it, or tried.
    async fn payments(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Keeps the payments that match.")] filter: Option<PaymentFilter>,
        #[graphql(desc = "The order; newest first where it is left out.")] order_by: Option<PaymentOrder>,
    ) -> Result<Connection<Payment>> {
        let list = PaymentFilter::list(filter, order_by);
        under(ctx, PaymentsOf::Subscription, self.0.id, list, page_args(first, after, last, before)).await
    }

    /// What was billed for it.
    async fn invoices(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Keeps the invoices that match.")] filter: Option<InvoiceFilter>,
        #[graphql(desc = "The order; newest first where it is left out.")] order_by: Option<InvoiceOrder>,
    ) -> Result<Connection<Invoice>> {
        let list = InvoiceFilter::list(filter, order_by);
        under(ctx, InvoicesOf::Subscription, self.0.id, list, page_args(first, after, last, before)).await
    }
}

/// The subscription that gives a holder their plan at present: of several, the one to the plan of the highest rank, and
/// of those the newest. Its plan is read with it.
pub(super) async fn current(ctx: &Context<'_>, of: Holder, holder: Uuid) -> Result<Option<Subscription>> {
    let Some(candidates) = ctx.loaders().load::<CurrentSubscriptions>((of, holder)).await? else { return Ok(None) };
    let rank =
        |(_, plan): &(Row<subscriptions::Entity>, Option<Row<products::Entity>>)| plan.as_ref().map(|plan| plan.rank);
    let Some((subscription, plan)) = highest(&candidates, rank) else { return Ok(None) };
    if let (Some(parent), Some(plan)) = (subscription.product_version_id, plan) {
        let key = Under { parent, of: (), list: PlanOfVersion, page: () };
        ctx.loaders().put::<Wholes<PlanOfVersion>>(key, [Arc::clone(plan)].into());
    }
    Ok(Some(Subscription(Arc::clone(subscription))))
}

pub struct SubscriptionItem(pub(super) Row<subscription_items::Entity>);

words! {
    /// What kind of thing a subscription bills for.
    SubscriptionItemPurpose {
        /// The plan itself.
        Plan = "plan",
        /// Something beside the plan.
        Addon = "addon",
        /// Usage, counted and billed afterwards.
        Metered = "metered",
    }
}

/// One thing that a subscription bills for.
#[Object]
impl SubscriptionItem {
    /// The global id.
    pub(super) async fn id(&self) -> ID {
        global_id::<SubscriptionItem>(self.0.id)
    }

    /// Its price; null where it is not known here.
    async fn price(&self, ctx: &Context<'_>) -> Result<Option<Price>> {
        to_one(ctx, self.0.price_id).await
    }

    /// What kind of thing it is.
    async fn purpose(&self) -> Result<SubscriptionItemPurpose> {
        Ok(SubscriptionItemPurpose::read(&self.0.kind)?)
    }

    /// How many; null for what is metered.
    async fn quantity(&self) -> Option<BigInt> {
        self.0.quantity.map(BigInt)
    }
}

/// Which subscriptions to list.
#[derive(InputObject, Default)]
pub struct SubscriptionFilter {
    /// In one of these statuses.
    status: Option<Vec<SubscriptionStatus>>,
    /// To a plan with one of these codes.
    plan: Option<Vec<String>>,
    /// Made in this span.
    created_at: Option<DateTimeRange>,
}

order_input! {
    /// How to order subscriptions.
    SubscriptionOrder by
    /// What subscriptions can be ordered by.
    SubscriptionOrderField {
        /// When they were made.
        CreatedAt,
    }
}

impl SubscriptionFilter {
    pub(super) fn list(
        filter: Option<Self>,
        order: Option<SubscriptionOrder>,
    ) -> crate::error::Result<feature::Subscriptions> {
        let filter = filter.unwrap_or_default();
        Ok(feature::Subscriptions {
            statuses: Word::words(filter.status),
            plans: texts("plan", filter.plan)?,
            created: DateTimeRange::between(filter.created_at),
            descending: SubscriptionOrder::descending(order, true),
        })
    }
}

/// What can be asked about subscriptions.
#[derive(Default)]
pub struct SubscriptionQuery;

#[Object]
impl SubscriptionQuery {
    /// A subscription by its id; null where there is none or the caller may not see it.
    async fn subscription(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The subscription's id.")] id: ID,
    ) -> Result<Option<Subscription>> {
        ctx.viewer().require_signed_in()?;
        to_one(ctx, Some(local_id::<Subscription>(&id)?)).await
    }

    /// The subscriptions that the caller may see: all of them for admins, else those of one's accounts.
    async fn subscriptions(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Keeps the subscriptions that match.")] filter: Option<SubscriptionFilter>,
        #[graphql(desc = "The order; newest first where it is left out.")] order_by: Option<SubscriptionOrder>,
    ) -> Result<Connection<Subscription>> {
        listed(ctx, SubscriptionFilter::list(filter, order_by)?, page_args(first, after, last, before)).await
    }
}
