//! Invoices.

use super::payment::{Payment, PaymentFilter, PaymentOrder, Provider};
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{
    Connection, ContextExt, DateTimeRange, Instant, Money, Row, StoredEnum, child_page, global_id, local_id,
    optional_text, page, page_args, to_exactly_one, to_one,
};
use crate::graphql::subscriptions::subscription::Subscription;
use crate::payments::{self, PaymentsOf};
use crate::{order_input, stored_enum};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::invoices;

pub struct Invoice(pub(crate) Row<invoices::Entity>);

stored_enum! {
    /// Status of an invoice.
    InvoiceStatus: crate::payments::InvoiceStatus {
        /// Draft; can still change.
        Draft,
        /// Open; awaiting payment.
        Open,
        /// Paid.
        Paid,
        /// Voided.
        Void,
        /// Uncollectible; the provider has given up collecting.
        Uncollectible,
    }
}

/// An invoice to an account, mirrored from the provider.
#[Object]
impl Invoice {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<Invoice>(self.0.id)
    }

    /// The account that is billed.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// The subscription it bills for; null if there is none.
    async fn subscription(&self, ctx: &Context<'_>) -> Result<Option<Subscription>> {
        to_one(ctx, self.0.subscription_id).await
    }

    /// The provider that issued it.
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

    /// The id at the provider of the payment that pays it; null if there is none or it is not known yet.
    async fn payment_external_id(&self) -> Option<&str> {
        self.0.payment_external_id.as_deref()
    }

    /// The invoice number; null for a draft.
    async fn number(&self) -> Option<&str> {
        self.0.number.as_deref()
    }

    /// The status.
    async fn collection_status(&self) -> Result<InvoiceStatus> {
        Ok(InvoiceStatus::read(&self.0.status)?)
    }

    /// The reason for billing, as defined by the provider, such as `subscription_cycle`; null if it does not state one.
    async fn billing_reason(&self) -> Option<&str> {
        self.0.billing_reason.as_deref()
    }

    /// The sum before discounts and tax, whether prices include the tax or not; negative for a credit.
    async fn subtotal(&self) -> Money {
        Money::new(self.0.subtotal_minor, &self.0.currency)
    }

    /// The sum of the discounts, without the tax on them.
    async fn discount(&self) -> Money {
        Money::new(self.0.discount_minor, &self.0.currency)
    }

    /// The tax, both included in prices and added to them.
    async fn tax(&self) -> Money {
        Money::new(self.0.tax_minor, &self.0.currency)
    }

    /// The total: the subtotal less discounts, plus tax.
    async fn total(&self) -> Money {
        Money::new(self.0.total_minor, &self.0.currency)
    }

    /// The amount due: the total less what the customer's balance at the provider pays.
    async fn due(&self) -> Money {
        Money::new(self.0.due_minor, &self.0.currency)
    }

    /// The amount paid so far.
    async fn paid(&self) -> Money {
        Money::new(self.0.paid_minor, &self.0.currency)
    }

    /// The number of payment attempts.
    async fn attempt_count(&self) -> i64 {
        self.0.attempt_count
    }

    /// The page on which the customer can view and pay it; null if the provider has none.
    async fn hosted_url(&self) -> Option<&str> {
        self.0.hosted_url.as_deref()
    }

    /// The start of the period it bills for; null if there is none.
    async fn period_start(&self) -> Option<Instant> {
        self.0.period_start.map(Instant::from)
    }

    /// The end of the period it bills for; null if there is none.
    async fn period_end(&self) -> Option<Instant> {
        self.0.period_end.map(Instant::from)
    }

    /// The due date; null if it is due immediately.
    async fn due_at(&self) -> Option<Instant> {
        self.0.due_at.map(Instant::from)
    }

    /// The time of payment; null if it is not paid.
    async fn paid_at(&self) -> Option<Instant> {
        self.0.paid_at.map(Instant::from)
    }

    /// The creation time.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// The attempts to pay it, successful and failed.
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
        child_page(ctx, PaymentsOf::Invoice, self.0.id, list, page_args(first, after, last, before)).await
    }
}

/// Conditions that invoices must meet to be listed.
#[derive(InputObject, Default)]
pub struct InvoiceFilter {
    /// Has one of these statuses.
    status: Option<Vec<InvoiceStatus>>,
    /// Has this id at its provider.
    external_id: Option<String>,
    /// Created within this range.
    created_at: Option<DateTimeRange>,
}

order_input! {
    /// Order of a list of invoices.
    InvoiceOrder by
    /// Fields that invoices can be ordered by.
    InvoiceOrderField {
        /// By creation time.
        CreatedAt,
    }
}

impl InvoiceFilter {
    pub(crate) fn list(filter: Option<Self>, order: Option<InvoiceOrder>) -> crate::error::Result<payments::Invoices> {
        let filter = filter.unwrap_or_default();
        Ok(payments::Invoices {
            statuses: StoredEnum::stored_list(filter.status),
            external_id: optional_text("externalId", filter.external_id)?,
            created: DateTimeRange::between(filter.created_at),
            descending: InvoiceOrder::descending(order, true),
        })
    }
}

/// Query fields for invoices.
#[derive(Default)]
pub struct InvoiceQuery;

#[Object]
impl InvoiceQuery {
    /// Returns an invoice by its id; null if it does not exist or the caller may not see it.
    async fn invoice(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of the invoice.")] id: ID,
    ) -> Result<Option<Invoice>> {
        ctx.viewer().require_signed_in()?;
        to_one(ctx, Some(local_id::<Invoice>(&id)?)).await
    }

    /// Lists the invoices that the caller may see: admins see all, others those of their accounts.
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
        page(ctx, InvoiceFilter::list(filter, order_by)?, page_args(first, after, last, before)).await
    }
}
