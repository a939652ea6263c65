//! Subscriptions.

use super::discount::SubscriptionDiscount;
use super::parts::{ScheduledChange, SubscriptionItem};
use super::status::SubscriptionStatus;
use super::version::{SubscriptionVersion, SubscriptionVersionOrder};
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{
    AllChildren, ChildrenOf, Connection, ContextExt, Currency, CurrentSubscription, Instant, Json, Row, StoredEnum,
    all_children, child_page, global_id, page_args, to_exactly_one, to_one,
};
use crate::graphql::payments::invoice::{Invoice, InvoiceFilter, InvoiceOrder};
use crate::graphql::payments::payment::{Payment, PaymentFilter, PaymentOrder, Provider};
use crate::graphql::plans::parts::Price;
use crate::graphql::plans::plan::{Plan, PlanVersion};
use crate::payments::{InvoicesOf, PaymentsOf};
use crate::plans::PlanOfVersion;
use crate::subscriptions::{Discounts, History, Holder, Items, ScheduledChanges, visible_metadata};
use async_graphql::{Context, ID, Object, Result};
use entity::subscriptions;
use uuid::Uuid;

pub struct Subscription(pub(crate) Row<subscriptions::Entity>);

/// A subscription of an account to a plan.
#[Object]
impl Subscription {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<Subscription>(self.0.id)
    }

    /// The account that holds it.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// The plan; null if the provider bills for a price that is unknown here.
    pub(crate) async fn plan(&self, ctx: &Context<'_>) -> Result<Option<Plan>> {
        // Found through the version in one statement, without its row.
        let Some(version_id) = self.0.product_version_id else { return Ok(None) };
        Ok(all_children(ctx, (), version_id, PlanOfVersion).await?.pop())
    }

    /// True if none of its prices is known here as the price of a plan. Such a subscription grants nothing, whatever
    /// its status; an admin should publish or link the provider's price.
    async fn plan_unknown(&self) -> bool {
        self.0.product_version_id.is_none()
    }

    /// The version of the plan that was bought; null if the provider bills for a price that is unknown here.
    async fn plan_version(&self, ctx: &Context<'_>) -> Result<Option<PlanVersion>> {
        to_one(ctx, self.0.product_version_id).await
    }

    /// The price of the plan; null if it is unknown here.
    async fn price(&self, ctx: &Context<'_>) -> Result<Option<Price>> {
        to_one(ctx, self.0.price_id).await
    }

    /// The provider that bills for it.
    async fn provider(&self) -> Result<Provider> {
        Ok(Provider::read(&self.0.provider)?)
    }

    /// The id at the provider; an id of our own if no provider bills for it.
    async fn external_id(&self) -> &str {
        &self.0.external_id
    }

    /// The id of the customer at the provider; null if no provider bills for it.
    async fn customer_external_id(&self) -> Option<&str> {
        self.0.customer_external_id.as_deref()
    }

    /// The id of the schedule at the provider that governs it; null if there is none.
    async fn schedule_external_id(&self) -> Option<&str> {
        self.0.schedule_external_id.as_deref()
    }

    /// The id of its latest invoice at the provider; null if there is none.
    async fn latest_invoice_external_id(&self) -> Option<&str> {
        self.0.latest_invoice_external_id.as_deref()
    }

    /// The status.
    async fn status(&self) -> Result<SubscriptionStatus> {
        Ok(SubscriptionStatus::read(&self.0.status)?)
    }

    /// The currency that it bills in, which can differ from that of `price`; null if it is unknown here.
    async fn currency(&self) -> Option<Currency> {
        self.0.currency.clone().map(Currency)
    }

    /// The start of the subscription.
    async fn started_at(&self) -> Instant {
        self.0.started_at.into()
    }

    /// The start of its trial; null if it had none.
    async fn trial_start(&self) -> Option<Instant> {
        self.0.trial_start.map(Instant::from)
    }

    /// The end of its trial, past or future; null if it had none.
    async fn trial_end(&self) -> Option<Instant> {
        self.0.trial_end.map(Instant::from)
    }

    /// The start of the current billing period; null if there is none.
    async fn current_period_start(&self) -> Option<Instant> {
        self.0.current_period_start.map(Instant::from)
    }

    /// The end of the current billing period; null if there is none.
    async fn current_period_end(&self) -> Option<Instant> {
        self.0.current_period_end.map(Instant::from)
    }

    /// The next billing date; null if it will not be billed or the provider does not state it.
    async fn next_billed_at(&self) -> Option<Instant> {
        self.0.next_billed_at.map(Instant::from)
    }

    /// True if it was set to cancel at the end of the billing period. May be false although `cancelAt` is set.
    async fn cancel_at_period_end(&self) -> bool {
        self.0.cancel_at_period_end
    }

    /// The end, past or future: `endedAt`, else `cancelAt`. Null if it continues.
    async fn ends_at(&self) -> Option<Instant> {
        self.0.ended_at.or(self.0.cancel_at).map(Instant::from)
    }

    /// The instant at which it will be canceled; null if it continues.
    async fn cancel_at(&self) -> Option<Instant> {
        self.0.cancel_at.map(Instant::from)
    }

    /// The instant at which cancellation was requested; null if it was not.
    async fn canceled_at(&self) -> Option<Instant> {
        self.0.canceled_at.map(Instant::from)
    }

    /// The instant at which it ended; null if it has not.
    async fn ended_at(&self) -> Option<Instant> {
        self.0.ended_at.map(Instant::from)
    }

    /// The instant since which it is paused; null if it is not paused.
    async fn paused_at(&self) -> Option<Instant> {
        self.0.paused_at.map(Instant::from)
    }

    /// The time of the first successful payment of more than zero; null before. From then on it counts as recurring
    /// revenue.
    async fn first_paid_at(&self) -> Option<Instant> {
        self.0.first_paid_at.map(Instant::from)
    }

    /// The metadata that the host application set at the provider; null if there is none. Complete with the scope
    /// `billing:read`; other callers see only the fields that the setting `subscription_metadata_fields` lists, by default
    /// none.
    async fn metadata(&self, ctx: &Context<'_>) -> Option<Json> {
        let metadata = self.0.metadata.as_ref()?;
        visible_metadata(ctx.app(), ctx.viewer(), metadata).map(Json)
    }

    /// The creation time.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// The time of the last change here.
    async fn updated_at(&self) -> Instant {
        self.0.updated_at.into()
    }

    /// The items that it bills for.
    async fn items(&self, ctx: &Context<'_>) -> Result<Vec<SubscriptionItem>> {
        all_children(ctx, (), self.0.id, Items).await
    }

    /// The discounts that it has or had, also those of its customer and of single items.
    async fn discounts(&self, ctx: &Context<'_>) -> Result<Vec<SubscriptionDiscount>> {
        all_children(ctx, (), self.0.id, Discounts).await
    }

    /// Scheduled changes, soonest first; empty if none is scheduled.
    async fn scheduled_changes(&self, ctx: &Context<'_>) -> Result<Vec<ScheduledChange>> {
        all_children(ctx, (), self.0.id, ScheduledChanges).await
    }

    /// Every state of the subscription, ordered by the time it took effect.
    async fn history(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<SubscriptionVersionOrder>,
    ) -> Result<Connection<SubscriptionVersion>> {
        let list = History { descending: SubscriptionVersionOrder::descending(order_by, true) };
        child_page(ctx, (), self.0.id, list, page_args(first, after, last, before)).await
    }

    /// Payments for it, successful and failed.
    async fn payments(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Lists only the payments that match.")] filter: Option<PaymentFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<PaymentOrder>,
    ) -> Result<Connection<Payment>> {
        let list = PaymentFilter::list(filter, order_by)?;
        child_page(ctx, PaymentsOf::Subscription, self.0.id, list, page_args(first, after, last, before)).await
    }

    /// Invoices for it.
    async fn invoices(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Lists only the invoices that match.")] filter: Option<InvoiceFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<InvoiceOrder>,
    ) -> Result<Connection<Invoice>> {
        let list = InvoiceFilter::list(filter, order_by)?;
        child_page(ctx, InvoicesOf::Subscription, self.0.id, list, page_args(first, after, last, before)).await
    }
}

impl Subscription {
    /// Returns the subscription that gives a holder their plan at present. Its plan is read with it.
    pub(crate) async fn current(ctx: &Context<'_>, of: Holder, holder: Uuid) -> Result<Option<Subscription>> {
        let Some((subscription, plan)) = ctx.loaders().load::<CurrentSubscription>((of, holder)).await? else {
            return Ok(None);
        };
        if let Some(parent) = subscription.product_version_id {
            let key = ChildrenOf { parent, of: (), list: PlanOfVersion, page: () };
            ctx.loaders().put::<AllChildren<PlanOfVersion>>(key, [plan].into());
        }
        Ok(Some(Subscription(subscription)))
    }
}
