//! Payments, and what was given back of them.

use super::accounts::Account;
use super::context::ContextExt;
use super::inputs::DateTimeRange;
use super::invoices::Invoice;
use super::loaders::Row;
use super::node::{global_id, local_id, to_exactly_one, to_one};
use super::page::{Connection, all_under, listed, page_args, under};
use super::scalars::{BigInt, Instant, Money, Word};
use super::subscriptions::Subscription;
use crate::payments::{self as feature, RefundsOf};
use crate::{order_input, words};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::{disputes, payments, refunds};

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

pub struct Payment(pub(super) Row<payments::Entity>);

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
    pub(super) async fn id(&self) -> ID {
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

    /// What it was for.
    async fn stream(&self) -> Result<RevenueStream> {
        Ok(RevenueStream::read(&self.0.stream)?)
    }

    /// Where it stands.
    async fn payment_status(&self) -> Result<PaymentStatus> {
        Ok(PaymentStatus::read(&self.0.status)?)
    }

    /// How much.
    async fn amount(&self) -> Money {
        Money::new(self.0.amount_minor, &self.0.currency)
    }

    /// What the provider kept of it; null where that is not known.
    async fn fee(&self) -> Option<Money> {
        self.0.fee_minor.map(|fee| Money::new(fee, &self.0.currency))
    }

    /// How much of it was given back by now.
    async fn refunded(&self) -> Money {
        Money::new(self.0.refunded_minor, &self.0.currency)
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
        let list = RefundFilter::list(filter, order_by);
        under(ctx, RefundsOf::Payment, self.0.id, list, page_args(first, after, last, before)).await
    }

    /// The disputes over it, newest first.
    async fn disputes(&self, ctx: &Context<'_>) -> Result<Vec<Dispute>> {
        all_under(ctx, (), self.0.id, feature::Disputes).await
    }
}

pub struct Refund(pub(super) Row<refunds::Entity>);

words! {
    /// Where a refund stands.
    RefundStatus {
        /// Asked for, not decided.
        Requested = "requested",
        /// Granted, not carried out yet.
        Approved = "approved",
        /// Not granted.
        Denied = "denied",
        /// The money went back.
        Processed = "processed",
        /// It was granted and could not be carried out.
        Failed = "failed",
    }
}

/// Money given back, or asked for.
#[Object]
impl Refund {
    /// The global id.
    pub(super) async fn id(&self) -> ID {
        global_id::<Refund>(self.0.id)
    }

    /// Who gets it.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// The payment it is of.
    async fn payment(&self, ctx: &Context<'_>) -> Result<Payment> {
        to_exactly_one(ctx, self.0.payment_id).await
    }

    /// Where it stands.
    async fn refund_status(&self) -> Result<RefundStatus> {
        Ok(RefundStatus::read(&self.0.status)?)
    }

    /// How much.
    async fn amount(&self) -> Money {
        Money::new(self.0.amount_minor, &self.0.currency)
    }

    /// Why, for people; null where nobody said.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// Who asked for it, as in the audit log; null where it was made at the provider.
    async fn requested_by(&self) -> Option<&str> {
        self.0.requested_by.as_deref()
    }

    /// Who decided, as in the audit log; null where nobody did here.
    async fn decided_by(&self) -> Option<&str> {
        self.0.decided_by.as_deref()
    }

    /// How many credits went back with it, in the smallest step of their unit.
    async fn credits_taken_back(&self) -> BigInt {
        BigInt(self.0.credits_taken_back)
    }

    /// When it was asked for.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// When the money went back; null where it did not.
    async fn processed_at(&self) -> Option<Instant> {
        self.0.processed_at.map(Instant::from)
    }
}

pub struct Dispute(pub(super) Row<disputes::Entity>);

words! {
    /// Where a dispute stands.
    DisputeStatus {
        /// The bank asks, and no money has moved.
        Warning = "warning",
        /// It waits for our answer.
        NeedsResponse = "needs_response",
        /// The bank decides.
        UnderReview = "under_review",
        /// The payment stands.
        Won = "won",
        /// The money went back.
        Lost = "lost",
    }
}

/// A payer's claim at their bank that a payment was not theirs, or not right.
#[Object]
impl Dispute {
    /// The global id.
    pub(super) async fn id(&self) -> ID {
        global_id::<Dispute>(self.0.id)
    }

    /// The payment it is over.
    async fn payment(&self, ctx: &Context<'_>) -> Result<Payment> {
        to_exactly_one(ctx, self.0.payment_id).await
    }

    /// Where it stands.
    async fn dispute_status(&self) -> Result<DisputeStatus> {
        Ok(DisputeStatus::read(&self.0.status)?)
    }

    /// How much it is over.
    async fn amount(&self) -> Money {
        Money::new(self.0.amount_minor, &self.0.currency)
    }

    /// Why, in the provider's words; null where nobody said.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// When it was opened.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// When it was decided; null where it is open.
    async fn closed_at(&self) -> Option<Instant> {
        self.0.closed_at.map(Instant::from)
    }
}

/// Which payments to list.
#[derive(InputObject, Default)]
pub struct PaymentFilter {
    /// In one of these statuses.
    status: Option<Vec<PaymentStatus>>,
    /// For this alone.
    stream: Option<RevenueStream>,
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
    pub(super) fn list(filter: Option<Self>, order: Option<PaymentOrder>) -> feature::Payments {
        let filter = filter.unwrap_or_default();
        feature::Payments {
            statuses: Word::words(filter.status),
            stream: filter.stream.map(Word::word),
            created: DateTimeRange::between(filter.created_at),
            descending: PaymentOrder::descending(order, true),
        }
    }
}

/// Which refunds to list.
#[derive(InputObject, Default)]
pub struct RefundFilter {
    /// In one of these statuses.
    status: Option<Vec<RefundStatus>>,
    /// Asked for in this span.
    created_at: Option<DateTimeRange>,
}

order_input! {
    /// How to order refunds.
    RefundOrder by
    /// What refunds can be ordered by.
    RefundOrderField {
        /// When they were asked for.
        CreatedAt,
    }
}

impl RefundFilter {
    pub(super) fn list(filter: Option<Self>, order: Option<RefundOrder>) -> feature::Refunds {
        let filter = filter.unwrap_or_default();
        feature::Refunds {
            statuses: Word::words(filter.status),
            created: DateTimeRange::between(filter.created_at),
            descending: RefundOrder::descending(order, true),
        }
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
        listed(ctx, PaymentFilter::list(filter, order_by), page_args(first, after, last, before)).await
    }

    /// The refunds that the caller may see: all of them for admins, else those of one's accounts.
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
        listed(ctx, RefundFilter::list(filter, order_by), page_args(first, after, last, before)).await
    }
}
