//! Accounts, through which people bill.

use super::list::AccountKind;
use super::member::AccountMember;
use super::provider_customer::{ProviderCustomer, ProviderCustomerFilter, ProviderCustomerOrder};
use super::user::User;
use crate::accounts::Members;
use crate::discounts::{Redemptions, RedemptionsOf};
use crate::gifts::GiftsOf;
use crate::graphql::common::{
    Connection, Currency, Instant, Row, StoredEnum, child_page, global_id, page_args, to_exactly_one,
};
use crate::graphql::coupons::coupon::DiscountRedemption;
use crate::graphql::credits::of_account::AccountCredits;
use crate::graphql::gifts::gift::{Gift, GiftFilter, GiftOrder};
use crate::graphql::licences::license_key::{LicenseKey, LicenseKeyFilter, LicenseKeyOrder};
use crate::graphql::payments::invoice::{Invoice, InvoiceFilter, InvoiceOrder};
use crate::graphql::payments::payment::{Payment, PaymentFilter, PaymentOrder};
use crate::graphql::payments::refund::{Refund, RefundFilter, RefundOrder};
use crate::graphql::subscriptions::list::{SubscriptionFilter, SubscriptionOrder};
use crate::graphql::subscriptions::subscription::Subscription;
use crate::graphql::usage::of_account::AccountUsage;
use crate::payments::{InvoicesOf, PaymentsOf, RefundsOf};
use crate::subscriptions::Holder;
use async_graphql::{Context, ID, Object, Result};
use entity::accounts;
use std::sync::Arc;

pub struct Account(pub(crate) Row<accounts::Entity>);

/// A billing account. Every user has one of their own and may share others. Visible to its members, and to callers with
/// the scope `billing:read`.
#[Object]
impl Account {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<Account>(self.0.id)
    }

    /// The kind of account: how many people share it.
    async fn holder_kind(&self) -> Result<AccountKind> {
        Ok(AccountKind::read(&self.0.kind)?)
    }

    /// The display name; null for an individual account and where none was given.
    async fn display_name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    /// The currency of its payments; null until the first payment.
    async fn currency(&self) -> Option<Currency> {
        self.0.currency.clone().map(Currency)
    }

    /// The kind of object in the host application that the account stands for, e.g. `workspace`; null if none.
    async fn ref_type(&self) -> Option<&str> {
        self.0.ref_type.as_deref()
    }

    /// The id of that object in the host application; null if the account stands for none.
    async fn ref_id(&self) -> Option<&str> {
        self.0.ref_id.as_deref()
    }

    /// Time at which the account was opened.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// The owner.
    async fn owner(&self, ctx: &Context<'_>) -> Result<User> {
        to_exactly_one(ctx, self.0.owner_id).await
    }

    /// The members, in the order in which they joined.
    async fn members(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(default = false, desc = "Includes former members.")] include_former: bool,
    ) -> Result<Connection<AccountMember>> {
        let list = Members { include_former };
        child_page(ctx, (), self.0.id, list, page_args(first, after, last, before)).await
    }

    /// The subscription that gives the account its current plan: trialing, active or past due, to a plan known here. Of
    /// several, the one to the plan with the highest rank, then the newest. Null if none gives a plan;
    /// `subscriptions(first: 1)` has the newest in any status.
    async fn subscription(&self, ctx: &Context<'_>) -> Result<Option<Subscription>> {
        Subscription::current(ctx, Holder::Account, self.0.id).await
    }

    /// All subscriptions of the account, current and past.
    async fn subscriptions(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the subscriptions.")] filter: Option<SubscriptionFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<SubscriptionOrder>,
    ) -> Result<Connection<Subscription>> {
        let list = SubscriptionFilter::list(filter, order_by)?;
        child_page(ctx, Holder::Account, self.0.id, list, page_args(first, after, last, before)).await
    }

    /// Payments and payment attempts.
    async fn payments(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the payments.")] filter: Option<PaymentFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<PaymentOrder>,
    ) -> Result<Connection<Payment>> {
        let list = PaymentFilter::list(filter, order_by)?;
        child_page(ctx, PaymentsOf::Account, self.0.id, list, page_args(first, after, last, before)).await
    }

    /// Invoices to the account.
    async fn invoices(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the invoices.")] filter: Option<InvoiceFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<InvoiceOrder>,
    ) -> Result<Connection<Invoice>> {
        let list = InvoiceFilter::list(filter, order_by)?;
        child_page(ctx, InvoicesOf::Account, self.0.id, list, page_args(first, after, last, before)).await
    }

    /// Refunds of the account's payments, in every status.
    async fn refunds(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the refunds.")] filter: Option<RefundFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<RefundOrder>,
    ) -> Result<Connection<Refund>> {
        let list = RefundFilter::list(filter, order_by)?;
        child_page(ctx, RefundsOf::Account, self.0.id, list, page_args(first, after, last, before)).await
    }

    /// Gifts that the account bought.
    async fn gifts(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the gifts.")] filter: Option<GiftFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<GiftOrder>,
    ) -> Result<Connection<Gift>> {
        let list = GiftFilter::list(filter, order_by)?;
        child_page(ctx, GiftsOf::Buyer, self.0.id, list, page_args(first, after, last, before)).await
    }

    /// Gifts that the account redeemed.
    async fn redeemed_gifts(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the gifts.")] filter: Option<GiftFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<GiftOrder>,
    ) -> Result<Connection<Gift>> {
        let list = GiftFilter::list(filter, order_by)?;
        child_page(ctx, GiftsOf::Redeemer, self.0.id, list, page_args(first, after, last, before)).await
    }

    /// The account's customers at the payment providers.
    async fn provider_customers(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the customers.")] filter: Option<ProviderCustomerFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<ProviderCustomerOrder>,
    ) -> Result<Connection<ProviderCustomer>> {
        let list = ProviderCustomerFilter::list(filter, order_by)?;
        child_page(ctx, (), self.0.id, list, page_args(first, after, last, before)).await
    }

    /// Discounts that the account has used, newest first.
    async fn discount_redemptions(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Connection<DiscountRedemption>> {
        child_page(ctx, RedemptionsOf::Account, self.0.id, Redemptions, page_args(first, after, last, before)).await
    }

    /// The time zone in which days of allowances and limits begin, by its name in the IANA database.
    async fn time_zone(&self) -> &str {
        &self.0.time_zone
    }

    /// Licences for a desktop application.
    async fn license_keys(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Conditions on the licences.")] filter: Option<LicenseKeyFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<LicenseKeyOrder>,
    ) -> Result<Connection<LicenseKey>> {
        let list = LicenseKeyFilter::list(filter, order_by)?;
        child_page(ctx, (), self.0.id, list, page_args(first, after, last, before)).await
    }

    #[graphql(flatten)]
    async fn credits(&self) -> AccountCredits {
        AccountCredits(Arc::clone(&self.0))
    }

    #[graphql(flatten)]
    async fn usage(&self) -> AccountUsage {
        AccountUsage(Arc::clone(&self.0))
    }
}
