//! Refunds and disputes.

use super::payment::{Payment, Provider};
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{
    BigInt, Connection, ContextExt, DateTimeRange, Instant, Money, Row, StoredEnum, global_id, local_id, optional_text,
    page, page_args, to_exactly_one, to_one,
};
use crate::payments;
use crate::{order_input, stored_enum};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::{disputes, refunds};

pub struct Refund(pub(crate) Row<refunds::Entity>);

stored_enum! {
    /// Status of a refund.
    RefundStatus: crate::payments::RefundStatus {
        /// Requested; awaiting a decision.
        Requested,
        /// Approved; not processed yet.
        Approved,
        /// Denied.
        Denied,
        /// The money was returned.
        Processed,
        /// It was approved but could not be processed.
        Failed,
    }
}

/// A refund of a payment, requested or made.
#[Object]
impl Refund {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<Refund>(self.0.id)
    }

    /// The account that is refunded.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// The payment that is refunded.
    async fn payment(&self, ctx: &Context<'_>) -> Result<Payment> {
        to_exactly_one(ctx, self.0.payment_id).await
    }

    /// The provider that refunds.
    async fn provider(&self) -> Result<Provider> {
        Ok(Provider::read(&self.0.provider)?)
    }

    /// The id at the provider; null if it was not sent there. Not called `externalId` because it is nullable.
    async fn provider_refund_id(&self) -> Option<&str> {
        self.0.external_id.as_deref()
    }

    /// The id at the provider of the refunded charge; null if there is none.
    async fn charge_external_id(&self) -> Option<&str> {
        self.0.charge_external_id.as_deref()
    }

    /// The status.
    async fn processing_status(&self) -> Result<RefundStatus> {
        Ok(RefundStatus::read(&self.0.status)?)
    }

    /// The status as defined by the provider, such as `succeeded`; null if it was not sent there.
    async fn provider_status(&self) -> Option<&str> {
        self.0.provider_status.as_deref()
    }

    /// The amount: as approved, or as requested while it is undecided.
    async fn amount(&self) -> Money {
        Money::new(self.0.amount_minor, &self.0.currency)
    }

    /// The requested amount; null if it was made at the provider.
    async fn requested_amount(&self) -> Option<Money> {
        self.0.requested_minor.map(|amount| Money::new(amount, &self.0.currency))
    }

    /// The reason, for people; null if none was given.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// The reason for denying it, for people; null if it was not denied or none was given.
    async fn denial_reason(&self) -> Option<&str> {
        self.0.denial_reason.as_deref()
    }

    /// The reason for the failure, as defined by the provider, such as `charge_disputed` or `lost_or_stolen_card`; null
    /// if it did not fail.
    async fn failure_code(&self) -> Option<&str> {
        self.0.failure_code.as_deref()
    }

    /// The actor who requested it, as in the audit log; null if it was made at the provider.
    async fn requested_by(&self) -> Option<&str> {
        self.0.requested_by.as_deref()
    }

    /// The actor who decided on it, as in the audit log; null if nobody decided here.
    async fn decided_by(&self) -> Option<&str> {
        self.0.decided_by.as_deref()
    }

    /// The credits revoked with it, in the smallest step of their unit: those that the refunded money paid for, as far
    /// as they were unspent.
    async fn credits_taken_back(&self) -> BigInt {
        BigInt(self.0.credits_taken_back)
    }

    /// The time of the request.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// The time at which the money was returned; null if it was not.
    async fn processed_at(&self) -> Option<Instant> {
        self.0.processed_at.map(Instant::from)
    }
}

pub struct Dispute(pub(crate) Row<disputes::Entity>);

stored_enum! {
    /// Status of a dispute.
    DisputeStatus: crate::payments::DisputeStatus {
        /// An inquiry by the bank; no money has moved.
        Warning,
        /// The provider awaits a response.
        NeedsResponse,
        /// The bank is reviewing it.
        UnderReview,
        /// Won: the payment stands.
        Won,
        /// The money was returned.
        Lost,
    }
}

/// A dispute (chargeback): the payer's claim at their bank against a payment.
#[Object]
impl Dispute {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<Dispute>(self.0.id)
    }

    /// The disputed payment.
    async fn payment(&self, ctx: &Context<'_>) -> Result<Payment> {
        to_exactly_one(ctx, self.0.payment_id).await
    }

    /// The provider that reported it.
    async fn provider(&self) -> Result<Provider> {
        Ok(Provider::read(&self.0.provider)?)
    }

    /// The id at the provider.
    async fn external_id(&self) -> &str {
        &self.0.external_id
    }

    /// The id at the provider of the disputed charge; null if there is none.
    async fn charge_external_id(&self) -> Option<&str> {
        self.0.charge_external_id.as_deref()
    }

    /// The status.
    async fn case_status(&self) -> Result<DisputeStatus> {
        Ok(DisputeStatus::read(&self.0.status)?)
    }

    /// The status as defined by the provider, such as `warning_needs_response`; null if it does not state one.
    async fn provider_status(&self) -> Option<&str> {
        self.0.provider_status.as_deref()
    }

    /// The disputed amount, in the currency of the dispute, which may differ from that of the payment.
    async fn amount(&self) -> Money {
        Money::new(self.0.amount_minor, &self.0.currency)
    }

    /// The reason, as defined by the provider; null if none was given.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// The time at which it was opened.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// The time at which it was decided; null if it is open.
    async fn closed_at(&self) -> Option<Instant> {
        self.0.closed_at.map(Instant::from)
    }
}

/// Conditions that refunds must meet to be listed.
#[derive(InputObject, Default)]
pub struct RefundFilter {
    /// Has one of these statuses.
    status: Option<Vec<RefundStatus>>,
    /// Has this id at its provider.
    external_id: Option<String>,
    /// Requested within this range.
    created_at: Option<DateTimeRange>,
}

order_input! {
    /// Order of a list of refunds.
    RefundOrder by
    /// Fields that refunds can be ordered by.
    RefundOrderField {
        /// By request time.
        CreatedAt,
    }
}

impl RefundFilter {
    pub(crate) fn list(filter: Option<Self>, order: Option<RefundOrder>) -> crate::error::Result<payments::Refunds> {
        let filter = filter.unwrap_or_default();
        Ok(payments::Refunds {
            statuses: StoredEnum::stored_list(filter.status),
            external_id: optional_text("externalId", filter.external_id)?,
            created: DateTimeRange::between(filter.created_at),
            descending: RefundOrder::descending(order, true),
        })
    }
}

/// Query fields for refunds.
#[derive(Default)]
pub struct RefundQuery;

#[Object]
impl RefundQuery {
    /// Returns a refund by its id; null if it does not exist or the caller may not see it.
    async fn refund(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of the refund.")] id: ID,
    ) -> Result<Option<Refund>> {
        ctx.viewer().require_signed_in()?;
        to_one(ctx, Some(local_id::<Refund>(&id)?)).await
    }

    /// Lists the refunds that the caller may see: admins see all, others those of their accounts.
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
        page(ctx, RefundFilter::list(filter, order_by)?, page_args(first, after, last, before)).await
    }
}
