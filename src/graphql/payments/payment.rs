//! Payments, with their refunds and disputes.

use super::invoice::Invoice;
use super::refund::{Dispute, Refund, RefundFilter, RefundOrder};
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{
    Connection, ContextExt, DateTimeRange, Instant, Money, Row, StoredEnum, all_children, child_page, global_id,
    local_id, optional_text, page, page_args, to_exactly_one, to_one,
};
use crate::graphql::subscriptions::subscription::Subscription;
use crate::payments::{Disputes, Payments, RefundsOf};
use crate::{order_input, stored_enum};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::payments;

stored_enum! {
    /// Provider that bills.
    Provider: crate::providers::Origin {
        /// Stripe.
        Stripe,
        /// Paddle Billing.
        Paddle,
        /// No provider: granted by hand.
        Manual,
    }
}

stored_enum! {
    /// Revenue stream that a payment belongs to.
    RevenueStream: crate::payments::RevenueStream {
        /// A subscription.
        Subscription,
        /// An add-on.
        Addon,
        /// A pack of credits.
        Credits,
        /// A gift.
        Gift,
        /// Anything else.
        Other,
    }
}

pub struct Payment(pub(crate) Row<payments::Entity>);

stored_enum! {
    /// Status of a payment.
    PaymentStatus: crate::payments::PaymentStatus {
        /// Not settled yet.
        Pending,
        /// The money was received.
        Succeeded,
        /// The payment failed.
        Failed,
        /// Canceled before it was settled.
        Canceled,
    }
}

/// A payment by an account, successful or not.
#[Object]
impl Payment {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<Payment>(self.0.id)
    }

    /// The account that paid.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// The subscription it was for; null if there is none.
    async fn subscription(&self, ctx: &Context<'_>) -> Result<Option<Subscription>> {
        to_one(ctx, self.0.subscription_id).await
    }

    /// The invoice it was for; null if there is none or it is not known yet.
    async fn invoice(&self, ctx: &Context<'_>) -> Result<Option<Invoice>> {
        to_one(ctx, self.0.invoice_id).await
    }

    /// The provider that took the payment.
    async fn provider(&self) -> Result<Provider> {
        Ok(Provider::read(&self.0.provider)?)
    }

    /// The id at the provider.
    async fn external_id(&self) -> &str {
        &self.0.external_id
    }

    /// The id of the customer at the provider; null if it is unknown.
    async fn customer_external_id(&self) -> Option<&str> {
        self.0.customer_external_id.as_deref()
    }

    /// The id of the charge at the provider; null if there is none.
    async fn charge_external_id(&self) -> Option<&str> {
        self.0.charge_external_id.as_deref()
    }

    /// The revenue stream that it belongs to.
    async fn stream(&self) -> Result<RevenueStream> {
        Ok(RevenueStream::read(&self.0.stream)?)
    }

    /// The status.
    async fn charge_status(&self) -> Result<PaymentStatus> {
        Ok(PaymentStatus::read(&self.0.status)?)
    }

    /// The status as defined by the provider, such as `requires_action`; null if it does not state one.
    async fn provider_status(&self) -> Option<&str> {
        self.0.provider_status.as_deref()
    }

    /// The amount: what was captured once it succeeded, until then what is to be paid.
    async fn amount(&self) -> Money {
        Money::new(self.0.amount_minor, &self.0.currency)
    }

    /// The amount received.
    async fn received(&self) -> Money {
        Money::new(self.0.received_minor, &self.0.currency)
    }

    /// The provider's fee; null if it is unknown.
    async fn fee(&self) -> Option<Money> {
        self.0.fee_minor.map(|fee| Money::new(fee, &self.0.currency))
    }

    /// The amount refunded so far, without refunds that failed.
    async fn refunded(&self) -> Money {
        Money::new(self.0.refunded_minor, &self.0.currency)
    }

    /// The part that is gone again, by refunds and lost disputes; null if some of it went in another currency, and the
    /// provider does not state the amount in this one.
    async fn returned(&self) -> Option<Money> {
        self.0.returned_minor.map(|returned| Money::new(returned, &self.0.currency))
    }

    /// True if money was received and all of it was refunded.
    async fn fully_refunded(&self) -> bool {
        self.0.received_minor > 0 && self.0.refunded_minor >= self.0.received_minor
    }

    /// True if the payer's bank disputes it or has disputed it, whatever the outcome.
    async fn disputed(&self) -> bool {
        self.0.disputed
    }

    /// The number of failed attempts.
    async fn failed_attempts(&self) -> i64 {
        self.0.failed_attempts
    }

    /// A description for people; null if there is none.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// The reason for the failure, as defined by the provider, such as `card_declined`; null if it did not fail.
    async fn failure_code(&self) -> Option<&str> {
        self.0.failure_code.as_deref()
    }

    /// The time at which the money was received; null if it was not.
    async fn paid_at(&self) -> Option<Instant> {
        self.0.paid_at.map(Instant::from)
    }

    /// The time at which it was started.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// Its refunds, including those only requested.
    async fn refunds(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Lists only the refunds that match.")] filter: Option<RefundFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<RefundOrder>,
    ) -> Result<Connection<Refund>> {
        let list = RefundFilter::list(filter, order_by)?;
        child_page(ctx, RefundsOf::Payment, self.0.id, list, page_args(first, after, last, before)).await
    }

    /// Its disputes, newest first.
    async fn disputes(&self, ctx: &Context<'_>) -> Result<Vec<Dispute>> {
        all_children(ctx, (), self.0.id, Disputes).await
    }
}

/// Conditions that payments must meet to be listed.
#[derive(InputObject, Default)]
pub struct PaymentFilter {
    /// Has one of these statuses.
    status: Option<Vec<PaymentStatus>>,
    /// Belongs to this revenue stream.
    stream: Option<RevenueStream>,
    /// Has this id at its provider.
    external_id: Option<String>,
    /// Started within this range.
    created_at: Option<DateTimeRange>,
}

order_input! {
    /// Order of a list of payments.
    PaymentOrder by
    /// Fields that payments can be ordered by.
    PaymentOrderField {
        /// By start time.
        CreatedAt,
    }
}

impl PaymentFilter {
    pub(crate) fn list(filter: Option<Self>, order: Option<PaymentOrder>) -> crate::error::Result<Payments> {
        let filter = filter.unwrap_or_default();
        Ok(Payments {
            statuses: StoredEnum::stored_list(filter.status),
            stream: filter.stream.map(StoredEnum::stored),
            external_id: optional_text("externalId", filter.external_id)?,
            created: DateTimeRange::between(filter.created_at),
            descending: PaymentOrder::descending(order, true),
        })
    }
}

/// Query fields for payments.
#[derive(Default)]
pub struct PaymentQuery;

#[Object]
impl PaymentQuery {
    /// Returns a payment by its id; null if it does not exist or the caller may not see it.
    async fn payment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of the payment.")] id: ID,
    ) -> Result<Option<Payment>> {
        ctx.viewer().require_signed_in()?;
        to_one(ctx, Some(local_id::<Payment>(&id)?)).await
    }

    /// Lists the payments that the caller may see: admins see all, others those of their accounts.
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
        page(ctx, PaymentFilter::list(filter, order_by)?, page_args(first, after, last, before)).await
    }
}
