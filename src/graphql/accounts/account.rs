//! The accounts that people bill through.

use super::member::AccountMember;
use super::provider_customer::{ProviderCustomer, ProviderCustomerFilter, ProviderCustomerOrder};
use super::user::User;
use crate::accounts as feature;
use crate::credits::{Balances, Entries};
use crate::gifts::GiftsOf;
use crate::graphql::common::{
    Connection, Currency, Instant, Row, Word, all_under, global_id, page_args, text, to_exactly_one, under,
};
use crate::graphql::coupons::coupon::DiscountRedemption;
use crate::graphql::credits::ledger::{
    CreditBalance, CreditGrant, CreditGrantFilter, CreditGrantOrder, LedgerBucket, LedgerEntry,
};
use crate::graphql::gifts::gift::{Gift, GiftFilter, GiftOrder};
use crate::graphql::licences::license_key::{LicenseKey, LicenseKeyFilter, LicenseKeyOrder};
use crate::graphql::payments::invoice::{Invoice, InvoiceFilter, InvoiceOrder};
use crate::graphql::payments::payment::{Payment, PaymentFilter, PaymentOrder};
use crate::graphql::payments::refund::{Refund, RefundFilter, RefundOrder};
use crate::graphql::subscriptions::list::{SubscriptionFilter, SubscriptionOrder};
use crate::graphql::subscriptions::subscription::Subscription;
use crate::payments::{InvoicesOf, PaymentsOf, Redemptions, RedemptionsOf, RefundsOf};
use crate::subscriptions::Holder;
use crate::words;
use async_graphql::{Context, ID, Object, Result};
use entity::accounts;

pub struct Account(pub(crate) Row<accounts::Entity>);

/// What people bill through: everyone has one of their own, and may share others.
#[Object]
impl Account {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<Account>(self.0.id)
    }

    /// Who shares it.
    async fn kind(&self) -> Result<AccountKind> {
        Ok(AccountKind::read(&self.0.kind)?)
    }

    /// What it is called; null for an individual account and where nothing was given.
    async fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// The currency it pays in; null until its first payment.
    async fn currency(&self) -> Option<Currency> {
        self.0.currency.clone().map(Currency)
    }

    /// What kind of object of the host application it stands for; null where it stands for none.
    async fn ref_type(&self) -> Option<&str> {
        self.0.ref_type.as_deref()
    }

    /// Which object of the host application it stands for; null where it stands for none.
    async fn ref_id(&self) -> Option<&str> {
        self.0.ref_id.as_deref()
    }

    /// When it was opened.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// Who owns it.
    async fn owner(&self, ctx: &Context<'_>) -> Result<User> {
        to_exactly_one(ctx, self.0.owner_id).await
    }

    /// Who belongs to it, first to join first.
    async fn members(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(default = false, desc = "Also those who have left.")] include_former: bool,
    ) -> Result<Connection<AccountMember>> {
        let list = feature::Members { include_former };
        under(ctx, (), self.0.id, list, page_args(first, after, last, before)).await
    }

    /// The subscription that gives it its plan at present: trialing, active or past due to a plan that is known
    /// here, and of several the one to the plan of the highest rank, else the newest. Null where none does;
    /// `subscriptions(first: 1)` has the newest, whatever it gives.
    async fn subscription(&self, ctx: &Context<'_>) -> Result<Option<Subscription>> {
        Subscription::current(ctx, Holder::Account, self.0.id).await
    }

    /// Every subscription it has or had.
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
        let list = SubscriptionFilter::list(filter, order_by)?;
        under(ctx, Holder::Account, self.0.id, list, page_args(first, after, last, before)).await
    }

    /// What it paid, or tried to.
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
        under(ctx, PaymentsOf::Account, self.0.id, list, page_args(first, after, last, before)).await
    }

    /// What it was asked to pay.
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
        under(ctx, InvoicesOf::Account, self.0.id, list, page_args(first, after, last, before)).await
    }

    /// What it got back, or asked for.
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
        under(ctx, RefundsOf::Account, self.0.id, list, page_args(first, after, last, before)).await
    }

    /// The gifts it bought.
    async fn gifts(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Keeps the gifts that match.")] filter: Option<GiftFilter>,
        #[graphql(desc = "The order; newest first where it is left out.")] order_by: Option<GiftOrder>,
    ) -> Result<Connection<Gift>> {
        let list = GiftFilter::list(filter, order_by)?;
        under(ctx, GiftsOf::Buyer, self.0.id, list, page_args(first, after, last, before)).await
    }

    /// The gifts it redeemed.
    async fn redeemed_gifts(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Keeps the gifts that match.")] filter: Option<GiftFilter>,
        #[graphql(desc = "The order; newest first where it is left out.")] order_by: Option<GiftOrder>,
    ) -> Result<Connection<Gift>> {
        let list = GiftFilter::list(filter, order_by)?;
        under(ctx, GiftsOf::Redeemer, self.0.id, list, page_args(first, after, last, before)).await
    }

    /// Who is billed for it at the payment providers.
    async fn provider_customers(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Keeps the customers that match.")] filter: Option<ProviderCustomerFilter>,
        #[graphql(desc = "The order; newest first where it is left out.")] order_by: Option<ProviderCustomerOrder>,
    ) -> Result<Connection<ProviderCustomer>> {
        let list = ProviderCustomerFilter::list(filter, order_by)?;
        under(ctx, (), self.0.id, list, page_args(first, after, last, before)).await
    }

    /// The discounts it has used, newest first.
    async fn discount_redemptions(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Connection<DiscountRedemption>> {
        under(ctx, RedemptionsOf::Account, self.0.id, Redemptions, page_args(first, after, last, before)).await
    }

    /// Its licences for a desktop application.
    async fn license_keys(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Keeps the licences that match.")] filter: Option<LicenseKeyFilter>,
        #[graphql(desc = "The order; newest first where it is left out.")] order_by: Option<LicenseKeyOrder>,
    ) -> Result<Connection<LicenseKey>> {
        let list = LicenseKeyFilter::list(filter, order_by)?;
        under(ctx, (), self.0.id, list, page_args(first, after, last, before)).await
    }

    /// Its balances, one for each credit unit that it ever held.
    async fn credit_balances(&self, ctx: &Context<'_>) -> Result<Vec<CreditBalance>> {
        all_under(ctx, (), self.0.id, Balances { unit: None }).await
    }

    /// Its balance in one credit unit; null where it never held any.
    async fn credit_balance(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The code of the credit unit.")] unit: String,
    ) -> Result<Option<CreditBalance>> {
        let list = Balances { unit: Some(text("unit", unit)?) };
        Ok(all_under(ctx, (), self.0.id, list).await?.pop())
    }

    /// The credits it was given.
    async fn credit_grants(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Keeps the grants that match.")] filter: Option<CreditGrantFilter>,
        #[graphql(desc = "The order; newest first where it is left out.")] order_by: Option<CreditGrantOrder>,
    ) -> Result<Connection<CreditGrant>> {
        let list = CreditGrantFilter::list(filter, order_by)?;
        under(ctx, (), self.0.id, list, page_args(first, after, last, before)).await
    }

    /// What happened to its credits of one unit, newest first, each entry with the balance after it.
    async fn ledger_entries(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "The code of the credit unit.")] unit: String,
        #[graphql(desc = "Which bucket of the account.", default_with = "LedgerBucket::Available")]
        bucket: LedgerBucket,
    ) -> Result<Connection<LedgerEntry>> {
        let list = Entries { unit: text("unit", unit)?, bucket: bucket.word() };
        under(ctx, (), self.0.id, list, page_args(first, after, last, before)).await
    }
}
