//! Payments, and what was given back of them.

use super::invoice::Invoice;
use super::refund::{Dispute, Refund, RefundFilter, RefundOrder};
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{
    BigInt, Connection, ContextExt, DateTimeRange, Instant, Money, Row, Word, all_under, global_id, listed, local_id,
    optional_text, page_args, to_exactly_one, to_one, under,
};
use crate::graphql::subscriptions::subscription::Subscription;
use crate::payments::{self as feature, RefundsOf};
use crate::{order_input, words};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::payments;

words! {
    /// Who bills.
    Provider {
        /// Stripe.
        Stripe = "stripe",
        /// Paddle Billing.
        Paddle = "paddle",
        /// Nobody: it was given by hand.
        Manual = "manual",
    }
}

words! {
    /// What money is paid for.
    RevenueStream {
        /// A subscription.
        Subscription = "subscription",
        /// Something beside a subscription.
        Addon = "addon",
        /// A pack of credits.
        Credits = "credits",
        /// A gift.
        Gift = "gift",
        /// Anything else.
        Other = "other",
    }
}

pub struct Payment(pub(crate) Row<payments::Entity>);

words! {
    /// Where a payment stands.
    PaymentStatus {
        /// Not decided yet.
        Pending = "pending",
        /// The money arrived.
        Succeeded = "succeeded",
        /// The money did not arrive.
        Failed = "failed",
        /// Given up before it was decided.
        Canceled = "canceled",
    }
}

/// Money that an account paid, or tried to.
#[Object]
impl Payment {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<Payment>(self.0.id)
    }

    /// Who paid.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// The subscription it was for; null where it was for none.
    async fn subscription(&self, ctx: &Context<'_>) -> Result<Option<Subscription>> {
        to_one(ctx, self.0.subscription_id).await
    }

    /// The invoice it was for; null where there is none, or none is known yet.
    async fn invoice(&self, ctx: &Context<'_>) -> Result<Option<Invoice>> {
        to_one(ctx, self.0.invoice_id).await
    }

    /// Who took the money.
    async fn provider(&self) -> Result<Provider> {
        Ok(Provider::read(&self.0.provider)?)
    }

    /// Its id at the provider.
    async fn external_id(&self) -> &str {
        &self.0.external_id
    }

    /// The id of the customer at the provider; null where it is not known.
    async fn customer_external_id(&self) -> Option<&str> {
        self.0.customer_external_id.as_deref()
    }

    /// The id at the provider of the charge that carried it out; null where none did.
    async fn charge_external_id(&self) -> Option<&str> {
        self.0.charge_external_id.as_deref()
    }

    /// What it was for.
    async fn stream(&self) -> Result<RevenueStream> {
        Ok(RevenueStream::read(&self.0.stream)?)
    }

    /// Where it stands.
    async fn payment_status(&self) -> Result<PaymentStatus> {
        Ok(PaymentStatus::read(&self.0.status)?)
    }

    /// The same in the provider's words, e.g. `requires_action`; null where it does not say.
    async fn provider_status(&self) -> Option<&str> {
        self.0.provider_status.as_deref()
    }

    /// How much.
    async fn amount(&self) -> Money {
        Money::new(self.0.amount_minor, &self.0.currency)
    }

    /// How much of it arrived.
    async fn received(&self) -> Money {
        Money::new(self.0.received_minor, &self.0.currency)
    }

    /// What the provider kept of it; null where that is not known.
    async fn fee(&self) -> Option<Money> {
        self.0.fee_minor.map(|fee| Money::new(fee, &self.0.currency))
    }

    /// How much of it was given back by now.
    async fn refunded(&self) -> Money {
        Money::new(self.0.refunded_minor, &self.0.currency)
    }

    /// Whether money arrived and all of it was given back.
    async fn fully_refunded(&self) -> bool {
        self.0.received_minor > 0 && self.0.refunded_minor >= self.0.received_minor
    }

    /// Whether the payer's bank disputes it or did, however that ended.
    async fn disputed(&self) -> bool {
        self.0.disputed
    }

    /// How often it was tried in vain.
    async fn failed_attempts(&self) -> BigInt {
        BigInt(self.0.failed_attempts)
    }

    /// What it was for, for people; null where there is nothing to say.
    async fn description(&self) -> Option<&str> {
        self.0.description.as_deref()
    }

    /// Why it failed, in the provider's words, e.g. `card_declined`; null where it did not.
    async fn failure_code(&self) -> Option<&str> {
        self.0.failure_code.as_deref()
    }

    /// When the money arrived; null where it did not.
    async fn paid_at(&self) -> Option<Instant> {
        self.0.paid_at.map(Instant::from)
    }

    /// When it was started.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// What was given back of it, or asked for.
    async fn refunds(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Keeps the refunds that match.")] filter: Option<RefundFilter>,
        #[graphql(desc = "The order; newest first where it is left out.")] order_by: Option<RefundOrder>,
    ) -> Result<Connection<Refund>> {
        let list = RefundFilter::list(filter, order_by)?;
        under(ctx, RefundsOf::Payment, self.0.id, list, page_args(first, after, last, before)).await
    }

    /// The disputes over it, newest first.
    async fn disputes(&self, ctx: &Context<'_>) -> Result<Vec<Dispute>> {
        all_under(ctx, (), self.0.id, feature::Disputes).await
    }
}

/// Which payments to list.
#[derive(InputObject, Default)]
pub struct PaymentFilter {
    /// In one of these statuses.
    status: Option<Vec<PaymentStatus>>,
    /// For this alone.
    stream: Option<RevenueStream>,
    /// The one with this id at its provider.
    external_id: Option<String>,
    /// Started in this span.
    created_at: Option<DateTimeRange>,
}

order_input! {
    /// How to order payments.
    PaymentOrder by
    /// What payments can be ordered by.
    PaymentOrderField {
        /// When they were started.
        CreatedAt,
    }
}

impl PaymentFilter {
    pub(crate) fn list(filter: Option<Self>, order: Option<PaymentOrder>) -> crate::error::Result<feature::Payments> {
        let filter = filter.unwrap_or_default();
        Ok(feature::Payments {
            statuses: Word::words(filter.status),
            stream: filter.stream.map(Word::word),
            external_id: optional_text("externalId", filter.external_id)?,
            created: DateTimeRange::between(filter.created_at),
            descending: PaymentOrder::descending(order, true),
        })
    }
}

/// What can be asked about payments.
#[derive(Default)]
pub struct PaymentQuery;

#[Object]
impl PaymentQuery {
    /// A payment by its id; null where there is none or the caller may not see it.
    async fn payment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The payment's id.")] id: ID,
    ) -> Result<Option<Payment>> {
        ctx.viewer().require_signed_in()?;
        to_one(ctx, Some(local_id::<Payment>(&id)?)).await
    }

    /// The payments that the caller may see: all of them for admins, else those of one's accounts.
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
        listed(ctx, PaymentFilter::list(filter, order_by)?, page_args(first, after, last, before)).await
    }
}
