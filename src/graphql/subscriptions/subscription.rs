//! Subscriptions.

use super::parts::{ScheduledChange, SubscriptionItem};
use super::version::{SubscriptionVersion, SubscriptionVersionOrder};
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{
    Connection, Instant, Json, Row, Word, all_under, global_id, page_args, to_exactly_one, to_one, under,
};
use crate::graphql::payments::invoice::{Invoice, InvoiceFilter, InvoiceOrder};
use crate::graphql::payments::payment::{Payment, PaymentFilter, PaymentOrder, Provider};
use crate::graphql::plans::parts::Price;
use crate::graphql::plans::plan::{Plan, PlanVersion};
use crate::payments::{InvoicesOf, PaymentsOf};
use crate::plans::PlanOfVersion;
use crate::subscriptions::{History, Items, ScheduledChanges};
use crate::words;
use async_graphql::{Context, ID, Object, Result};
use entity::subscriptions;

pub struct Subscription(pub(crate) Row<subscriptions::Entity>);

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
    pub(crate) async fn id(&self) -> ID {
        global_id::<Subscription>(self.0.id)
    }

    /// Whose it is.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// The plan; null where the provider bills for a price that is not known here.
    pub(crate) async fn plan(&self, ctx: &Context<'_>) -> Result<Option<Plan>> {
        // Found through the version in one statement, without its row.
        let Some(version_id) = self.0.product_version_id else { return Ok(None) };
        Ok(all_under(ctx, (), version_id, PlanOfVersion).await?.pop())
    }

    /// Whether none of its prices is known here as that of a plan, so that it gives none, whatever its status. It is
    /// kept all the same: this asks for a look at the provider's price.
    async fn plan_unknown(&self) -> bool {
        self.0.product_version_id.is_none()
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

    /// The id of the customer at the provider; null where nobody bills for it.
    async fn customer_external_id(&self) -> Option<&str> {
        self.0.customer_external_id.as_deref()
    }

    /// The id at the provider of the schedule that governs it; null where there is none.
    async fn schedule_external_id(&self) -> Option<&str> {
        self.0.schedule_external_id.as_deref()
    }

    /// The id at the provider of its newest invoice; null where there is none.
    async fn latest_invoice_external_id(&self) -> Option<&str> {
        self.0.latest_invoice_external_id.as_deref()
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

    /// When it is billed next; null where it is not, or the provider does not say.
    async fn next_billed_at(&self) -> Option<Instant> {
        self.0.next_billed_at.map(Instant::from)
    }

    /// Whether it was asked to end with the billing period. It may be false although `cancelAt` is set.
    async fn cancel_at_period_end(&self) -> bool {
        self.0.cancel_at_period_end
    }

    /// When it ended, else when it will: `endedAt`, else `cancelAt`. Null where it goes on.
    async fn ends_at(&self) -> Option<Instant> {
        self.0.ended_at.or(self.0.cancel_at).map(Instant::from)
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

    /// The notes that the host application put on it at the provider; null where there are none.
    async fn metadata(&self) -> Option<Json> {
        self.0.metadata.clone().map(Json)
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

    /// What is to become of it, soonest first. Empty for one that goes on as it is.
    async fn scheduled_changes(&self, ctx: &Context<'_>) -> Result<Vec<ScheduledChange>> {
        all_under(ctx, (), self.0.id, ScheduledChanges).await
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
        let list = PaymentFilter::list(filter, order_by)?;
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
        let list = InvoiceFilter::list(filter, order_by)?;
        under(ctx, InvoicesOf::Subscription, self.0.id, list, page_args(first, after, last, before)).await
    }
}
