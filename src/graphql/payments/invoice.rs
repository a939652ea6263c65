//! What accounts were asked to pay.

use super::payment::{Payment, PaymentFilter, PaymentOrder, Provider};
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{
    BigInt, Connection, DateTimeRange, Instant, Money, Row, Word, global_id, listed, optional_text, page_args,
    to_exactly_one, to_one, under,
};
use crate::graphql::subscriptions::subscription::Subscription;
use crate::payments::{self as feature, PaymentsOf};
use crate::{order_input, words};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::invoices;

pub struct Invoice(pub(crate) Row<invoices::Entity>);

words! {
    /// Where an invoice stands.
    InvoiceStatus {
        /// Being written.
        Draft = "draft",
        /// Waits for its payment.
        Open = "open",
        /// Paid.
        Paid = "paid",
        /// Taken back.
        Void = "void",
        /// Given up.
        Uncollectible = "uncollectible",
    }
}

/// What an account was asked to pay; a mirror of the provider's invoice.
#[Object]
impl Invoice {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<Invoice>(self.0.id)
    }

    /// Who was asked.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// The subscription it is for; null where it is for none.
    async fn subscription(&self, ctx: &Context<'_>) -> Result<Option<Subscription>> {
        to_one(ctx, self.0.subscription_id).await
    }

    /// Who asked.
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

    /// The id at the provider of the payment that is to pay it; null where there is none, or none is known yet.
    async fn payment_external_id(&self) -> Option<&str> {
        self.0.payment_external_id.as_deref()
    }

    /// The number that stands on it; null for a draft.
    async fn number(&self) -> Option<&str> {
        self.0.number.as_deref()
    }

    /// Where it stands.
    async fn invoice_status(&self) -> Result<InvoiceStatus> {
        Ok(InvoiceStatus::read(&self.0.status)?)
    }

    /// Why it was made, in the provider's words, e.g. `subscription_cycle`; null where it does not say.
    async fn billing_reason(&self) -> Option<&str> {
        self.0.billing_reason.as_deref()
    }

    /// The sum before discounts and tax.
    async fn subtotal(&self) -> Money {
        Money::new(self.0.subtotal_minor, &self.0.currency)
    }

    /// What discounts took off.
    async fn discount(&self) -> Money {
        Money::new(self.0.discount_minor, &self.0.currency)
    }

    /// The tax.
    async fn tax(&self) -> Money {
        Money::new(self.0.tax_minor, &self.0.currency)
    }

    /// The sum: subtotal less discount, with tax.
    async fn total(&self) -> Money {
        Money::new(self.0.total_minor, &self.0.currency)
    }

    /// How much the provider asks for: the total less what the customer's balance there pays.
    async fn due(&self) -> Money {
        Money::new(self.0.due_minor, &self.0.currency)
    }

    /// How much of it was paid by now.
    async fn paid(&self) -> Money {
        Money::new(self.0.paid_minor, &self.0.currency)
    }

    /// How often payment was tried.
    async fn attempt_count(&self) -> BigInt {
        BigInt(self.0.attempt_count)
    }

    /// Where the customer can see and pay it; null where the provider has no such page.
    async fn hosted_url(&self) -> Option<&str> {
        self.0.hosted_url.as_deref()
    }

    /// The start of the period it bills for; null where there is none.
    async fn period_start(&self) -> Option<Instant> {
        self.0.period_start.map(Instant::from)
    }

    /// The end of the period it bills for; null where there is none.
    async fn period_end(&self) -> Option<Instant> {
        self.0.period_end.map(Instant::from)
    }

    /// By when it is to be paid; null for at once.
    async fn due_at(&self) -> Option<Instant> {
        self.0.due_at.map(Instant::from)
    }

    /// When it was paid; null where it was not.
    async fn paid_at(&self) -> Option<Instant> {
        self.0.paid_at.map(Instant::from)
    }

    /// When it was made.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// The attempts to pay it.
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
        under(ctx, PaymentsOf::Invoice, self.0.id, list, page_args(first, after, last, before)).await
    }
}

/// Which invoices to list.
#[derive(InputObject, Default)]
pub struct InvoiceFilter {
    /// In one of these statuses.
    status: Option<Vec<InvoiceStatus>>,
    /// The one with this id at its provider.
    external_id: Option<String>,
    /// Made in this span.
    created_at: Option<DateTimeRange>,
}

order_input! {
    /// How to order invoices.
    InvoiceOrder by
    /// What invoices can be ordered by.
    InvoiceOrderField {
        /// When they were made.
        CreatedAt,
    }
}

impl InvoiceFilter {
    pub(crate) fn list(filter: Option<Self>, order: Option<InvoiceOrder>) -> crate::error::Result<feature::Invoices> {
        let filter = filter.unwrap_or_default();
        Ok(feature::Invoices {
            statuses: Word::words(filter.status),
            external_id: optional_text("externalId", filter.external_id)?,
            created: DateTimeRange::between(filter.created_at),
            descending: InvoiceOrder::descending(order, true),
        })
    }
}

/// What can be asked about invoices.
#[derive(Default)]
pub struct InvoiceQuery;

#[Object]
impl InvoiceQuery {
    /// The invoices that the caller may see: all of them for admins, else those of one's accounts.
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
        listed(ctx, InvoiceFilter::list(filter, order_by)?, page_args(first, after, last, before)).await
    }
}
