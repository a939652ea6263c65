//! Mutations that buy: checkouts, subscriptions, credits.

use super::payloads::{
    CheckoutSessionInfo, CreateSubscriptionInput, CreateSubscriptionPayload, OpenBillingPortalInput,
    OpenBillingPortalPayload, PurchaseCreditsInput, PurchaseCreditsPayload, StartCheckoutInput, StartCheckoutPayload,
};
use crate::billing::{self, CreditPurchase, NewSubscription, Purchase};
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{ContextExt, local_id, optional_text, split_refusal, text};
use crate::graphql::payments::payment::Payment;
use crate::graphql::plans::parts::Price;
use crate::graphql::subscriptions::subscription::Subscription;
use async_graphql::{Context, Object, Result};
use std::sync::Arc;

/// Mutation fields for purchases.
#[derive(Default)]
pub struct PurchaseMutation;

#[Object]
impl PurchaseMutation {
    /// Starts a checkout at Stripe for a plan, a pack of credits or a one-time add-on. Allowed for owners and admins of
    /// the account; with the scope `billing:write` for any account. A person has at most one open checkout for a plan:
    /// starting another expires the one before. The purchase appears once it is paid. If Stripe is unavailable, the
    /// request is not retried.
    async fn start_checkout(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The price and the pages to which the customer returns.")] input: StartCheckoutInput,
    ) -> Result<Option<StartCheckoutPayload>> {
        let purchase = Purchase {
            price_id: local_id::<Price>(&input.price_id)?,
            quantity: input.quantity,
            promo_code: optional_text("promoCode", input.promo_code)?,
            with_trial: input.with_trial,
            success_url: text("successUrl", input.success_url)?,
            cancel_url: optional_text("cancelUrl", input.cancel_url)?,
            account_id: input.account_id.as_ref().map(local_id::<Account>).transpose()?,
        };
        let begun = billing::start_checkout(ctx.app(), ctx.viewer(), purchase, &input.idempotency_key).await;
        let (checkout, user_errors) = split_refusal(begun)?;
        Ok(Some(StartCheckoutPayload { checkout: checkout.map(CheckoutSessionInfo::from), user_errors }))
    }

    /// Creates a subscription whose first payment the application's own page confirms with the client secret. Allowed
    /// for owners and admins of the account; with the scope `billing:write` for any account. With a trial, or if
    /// nothing is due at first, it starts immediately. If Stripe is unavailable, the request is not retried.
    async fn create_subscription(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The price and the account.")] input: CreateSubscriptionInput,
    ) -> Result<Option<CreateSubscriptionPayload>> {
        let new = NewSubscription {
            price_id: local_id::<Price>(&input.price_id)?,
            quantity: input.quantity,
            promo_code: optional_text("promoCode", input.promo_code)?,
            with_trial: input.with_trial,
            account_id: input.account_id.as_ref().map(local_id::<Account>).transpose()?,
        };
        let made = billing::create_subscription(ctx.app(), ctx.viewer(), new, &input.idempotency_key).await;
        let (made, user_errors) = split_refusal(made)?;
        let (row, client_secret) = made.map(|made| (made.row, made.client_secret)).unzip();
        let subscription = row.map(|row| Subscription(Arc::new(row)));
        Ok(Some(CreateSubscriptionPayload { subscription, client_secret: client_secret.flatten(), user_errors }))
    }

    /// Charges the customer's card on file at Stripe for packs of credits. Allowed for owners and admins of the
    /// account; with the scope `billing:write` for any account. The credits are granted once the payment succeeds. If
    /// Stripe is unavailable, the request is not retried.
    async fn purchase_credits(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The price of the pack and the account.")] input: PurchaseCreditsInput,
    ) -> Result<Option<PurchaseCreditsPayload>> {
        let purchase = CreditPurchase {
            price_id: local_id::<Price>(&input.price_id)?,
            quantity: input.quantity,
            account_id: input.account_id.as_ref().map(local_id::<Account>).transpose()?,
        };
        let paid = billing::purchase_credits(ctx.app(), ctx.viewer(), purchase, &input.idempotency_key).await;
        let (paid, user_errors) = split_refusal(paid)?;
        let (row, client_secret) = paid.map(|paid| (paid.row, paid.client_secret)).unzip();
        let payment = row.map(|row| Payment(Arc::new(row)));
        Ok(Some(PurchaseCreditsPayload { payment, client_secret: client_secret.flatten(), user_errors }))
    }

    /// Opens Stripe's billing portal, in which the customer manages cards and invoices. Allowed for owners and admins
    /// of the account; with the scope `billing:write` for any account.
    async fn open_billing_portal(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The account and the page to which the customer returns.")] input: OpenBillingPortalInput,
    ) -> Result<Option<OpenBillingPortalPayload>> {
        let account_id = input.account_id.as_ref().map(local_id::<Account>).transpose()?;
        let return_url = text("returnUrl", input.return_url)?;
        let opened = billing::open_billing_portal(ctx.app(), ctx.viewer(), account_id, &return_url).await;
        let (url, user_errors) = split_refusal(opened)?;
        Ok(Some(OpenBillingPortalPayload { url, user_errors }))
    }
}
