//! Money that went back: refunds and disputes.

use super::payment::{Payment, Provider};
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{
    BigInt, Connection, DateTimeRange, Instant, Money, Row, Word, global_id, listed, optional_text, page_args,
    to_exactly_one,
};
use crate::payments as feature;
use crate::{order_input, words};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::{disputes, refunds};

pub struct Refund(pub(crate) Row<refunds::Entity>);

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
    pub(crate) async fn id(&self) -> ID {
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

    /// Who gives it back.
    async fn provider(&self) -> Result<Provider> {
        Ok(Provider::read(&self.0.provider)?)
    }

    /// Its id at the provider; null for one that was not sent there. Not called `externalId`, since it can be null.
    async fn refund_external_id(&self) -> Option<&str> {
        self.0.external_id.as_deref()
    }

    /// The id at the provider of the charge that it takes from; null where there is none.
    async fn charge_external_id(&self) -> Option<&str> {
        self.0.charge_external_id.as_deref()
    }

    /// Where it stands.
    async fn refund_status(&self) -> Result<RefundStatus> {
        Ok(RefundStatus::read(&self.0.status)?)
    }

    /// The same in the provider's words, e.g. `succeeded`; null where it was not sent there.
    async fn provider_status(&self) -> Option<&str> {
        self.0.provider_status.as_deref()
    }

    /// How much: what was granted, or while it is not decided what was asked for.
    async fn amount(&self) -> Money {
        Money::new(self.0.amount_minor, &self.0.currency)
    }

    /// How much was asked for here; null where it was made at the provider.
    async fn requested_amount(&self) -> Option<Money> {
        self.0.requested_minor.map(|amount| Money::new(amount, &self.0.currency))
    }

    /// Why, for people; null where nobody said.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// Why it was not granted, for people; null where it was not denied, and where nobody said.
    async fn denial_reason(&self) -> Option<&str> {
        self.0.denial_reason.as_deref()
    }

    /// Why it failed, in the provider's words, e.g. `charge_disputed` or `lost_or_stolen_card`; null where it did not.
    async fn failure_code(&self) -> Option<&str> {
        self.0.failure_code.as_deref()
    }

    /// Who asked for it, as in the audit log; null where it was made at the provider.
    async fn requested_by(&self) -> Option<&str> {
        self.0.requested_by.as_deref()
    }

    /// Who decided, as in the audit log; null where nobody did here.
    async fn decided_by(&self) -> Option<&str> {
        self.0.decided_by.as_deref()
    }

    /// How many credits went back with it, in the smallest step of their unit: those that the money stands for, as far as
    /// they were not spent.
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

pub struct Dispute(pub(crate) Row<disputes::Entity>);

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
    pub(crate) async fn id(&self) -> ID {
        global_id::<Dispute>(self.0.id)
    }

    /// The payment it is over.
    async fn payment(&self, ctx: &Context<'_>) -> Result<Payment> {
        to_exactly_one(ctx, self.0.payment_id).await
    }

    /// Who tells of it.
    async fn provider(&self) -> Result<Provider> {
        Ok(Provider::read(&self.0.provider)?)
    }

    /// Its id at the provider.
    async fn external_id(&self) -> &str {
        &self.0.external_id
    }

    /// The id at the provider of the charge that it is over; null where there is none.
    async fn charge_external_id(&self) -> Option<&str> {
        self.0.charge_external_id.as_deref()
    }

    /// Where it stands.
    async fn dispute_status(&self) -> Result<DisputeStatus> {
        Ok(DisputeStatus::read(&self.0.status)?)
    }

    /// The same in the provider's words, e.g. `warning_needs_response`; null where it does not say.
    async fn provider_status(&self) -> Option<&str> {
        self.0.provider_status.as_deref()
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

/// Which refunds to list.
#[derive(InputObject, Default)]
pub struct RefundFilter {
    /// In one of these statuses.
    status: Option<Vec<RefundStatus>>,
    /// The one with this id at its provider.
    external_id: Option<String>,
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
    pub(crate) fn list(filter: Option<Self>, order: Option<RefundOrder>) -> crate::error::Result<feature::Refunds> {
        let filter = filter.unwrap_or_default();
        Ok(feature::Refunds {
            statuses: Word::words(filter.status),
            external_id: optional_text("externalId", filter.external_id)?,
            created: DateTimeRange::between(filter.created_at),
            descending: RefundOrder::descending(order, true),
        })
    }
}

/// What can be asked about refunds.
#[derive(Default)]
pub struct RefundQuery;

#[Object]
impl RefundQuery {
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
        listed(ctx, RefundFilter::list(filter, order_by)?, page_args(first, after, last, before)).await
    }
}
