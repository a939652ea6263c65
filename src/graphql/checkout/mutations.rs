//! Mutations that buy: checkouts, subscriptions, credits.

use crate::billing::{self, Checkout, CreditPurchase, NewSubscription, Purchase};
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{ContextExt, local_id, optional_text, split_refusal, text};
use crate::graphql::payments::payment::Payment;
use crate::graphql::plans::parts::Price;
use crate::graphql::subscriptions::subscription::Subscription;
use crate::user_error;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
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
        let opened = billing::open_billing_portal(ctx.app(), ctx.viewer(), (account_id, &return_url)).await;
        let (url, user_errors) = split_refusal(opened)?;
        Ok(Some(OpenBillingPortalPayload { url, user_errors }))
    }
}

/// A checkout session at Stripe.
#[derive(SimpleObject)]
pub struct CheckoutSessionInfo {
    /// The id of the session at Stripe.
    session_external_id: String,
    /// The page to send the customer to. It can be opened for 23 hours.
    url: String,
}

impl From<Checkout> for CheckoutSessionInfo {
    fn from(checkout: Checkout) -> Self {
        CheckoutSessionInfo { session_external_id: checkout.session_external_id, url: checkout.url }
    }
}

/// Input of `startCheckout`.
#[derive(InputObject)]
pub struct StartCheckoutInput {
    /// The id of the price, from `plans`.
    price_id: ID,
    /// The quantity, 1 to 1,000,000.
    #[graphql(default = 1)]
    quantity: i64,
    /// A promotion code; null for none.
    promo_code: Option<String>,
    /// True to use the price's trial, if it has one. Each person has one trial, whatever the plan; those who had theirs
    /// pay immediately.
    #[graphql(default = true)]
    with_trial: bool,
    /// The https address to which the customer returns after paying. `{CHECKOUT_SESSION_ID}` in it is replaced.
    success_url: String,
    /// The https address to which the customer returns without paying; null for none.
    cancel_url: Option<String>,
    /// The id of the account; the caller's own by default.
    account_id: Option<ID>,
    /// Idempotency key, 1 to 255 bytes. Repeating a key with the same input within 30 days returns the first answer and
    /// does nothing else.
    idempotency_key: String,
}

/// Input of `createSubscription`.
#[derive(InputObject)]
pub struct CreateSubscriptionInput {
    /// The id of the price of a plan, from `plans`.
    price_id: ID,
    /// The quantity, 1 to 1,000,000.
    #[graphql(default = 1)]
    quantity: i64,
    /// A promotion code; null for none.
    promo_code: Option<String>,
    /// True to use the price's trial, if it has one. Each person has one trial, whatever the plan; those who had theirs
    /// pay immediately.
    #[graphql(default = true)]
    with_trial: bool,
    /// The id of the account; the caller's own by default.
    account_id: Option<ID>,
    /// Idempotency key, 1 to 255 bytes. Repeating a key with the same input within 30 days returns the first answer and
    /// does nothing else.
    idempotency_key: String,
}

/// Input of `purchaseCredits`.
#[derive(InputObject)]
pub struct PurchaseCreditsInput {
    /// The id of the price of a pack of credits.
    price_id: ID,
    /// The number of packs, 1 to 1,000,000.
    #[graphql(default = 1)]
    quantity: i64,
    /// The id of the account; the caller's own by default.
    account_id: Option<ID>,
    /// Idempotency key, 1 to 255 bytes. Repeating a key with the same input within 30 days returns the first answer and
    /// does nothing else.
    idempotency_key: String,
}

/// Input of `openBillingPortal`.
#[derive(InputObject)]
pub struct OpenBillingPortalInput {
    /// The https address to which the customer returns from the portal.
    return_url: String,
    /// The id of the account; the caller's own by default.
    account_id: Option<ID>,
}

/// Payload of `startCheckout`.
#[derive(SimpleObject)]
pub struct StartCheckoutPayload {
    /// The checkout; null if there are user errors.
    checkout: Option<CheckoutSessionInfo>,
    /// Reasons for refusing the request; empty on success.
    user_errors: Vec<StartCheckoutUserError>,
}

/// Payload of `createSubscription`.
#[derive(SimpleObject)]
pub struct CreateSubscriptionPayload {
    /// The subscription; null if there are user errors.
    subscription: Option<Subscription>,
    /// The client secret with which Stripe.js confirms the first payment or the card of a trial; null if there is
    /// nothing to confirm. Returned to the caller only and never stored.
    client_secret: Option<String>,
    /// Reasons for refusing the request; empty on success.
    user_errors: Vec<CreateSubscriptionUserError>,
}

/// Payload of `purchaseCredits`.
#[derive(SimpleObject)]
pub struct PurchaseCreditsPayload {
    /// The payment; null if there are user errors.
    payment: Option<Payment>,
    /// The client secret with which Stripe.js confirms the payment, if the card's bank requires the customer to
    /// authenticate; otherwise null. Returned to the caller only and never stored.
    client_secret: Option<String>,
    /// Reasons for refusing the request; empty on success.
    user_errors: Vec<PurchaseCreditsUserError>,
}

/// Payload of `openBillingPortal`.
#[derive(SimpleObject)]
pub struct OpenBillingPortalPayload {
    /// The page to send the customer to, valid for a few minutes; null if there are user errors.
    url: Option<String>,
    /// Reasons for refusing the request; empty on success.
    user_errors: Vec<OpenBillingPortalUserError>,
}

user_error! {
    /// A reason for refusing `startCheckout`.
    StartCheckoutUserError with
    /// Rules that can refuse `startCheckout`.
    StartCheckoutErrorCode {
        /// The account does not exist, or the caller may not bill it.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// The price does not exist, is not on sale, or is not of the kind that this mutation takes.
        PriceNotFound = "PRICE_NOT_FOUND",
        /// The price is not published at Stripe; an admin can publish it with `publishPlanToStripe`.
        PriceNotAtStripe = "PRICE_NOT_AT_STRIPE",
        /// The quantity is not between 1 and 1,000,000.
        QuantityInvalid = "QUANTITY_INVALID",
        /// An address does not start with https://, or is longer than 2,000 bytes.
        UrlInvalid = "URL_INVALID",
        /// The account already has a plan; change it with `changePlan`.
        AlreadySubscribed = "ALREADY_SUBSCRIBED",
        /// Another purchase of a plan is in progress; try again in a moment.
        PurchaseUnderWay = "PURCHASE_UNDER_WAY",
        /// The promotion code does not exist.
        PromoCodeNotFound = "PROMO_CODE_NOT_FOUND",
        /// The promotion code has expired.
        PromoCodeExpired = "PROMO_CODE_EXPIRED",
        /// The promotion code has reached its maximum number of redemptions.
        PromoCodeUsedUp = "PROMO_CODE_USED_UP",
        /// The promotion code is for first-time customers only.
        PromoCodeNotFirst = "PROMO_CODE_NOT_FIRST",
        /// The account has already used the promotion code.
        PromoCodeAlreadyUsed = "PROMO_CODE_ALREADY_USED",
        /// Stripe does not accept the promotion code for this purchase.
        PromoCodeInvalid = "PROMO_CODE_INVALID",
        /// Stripe refused; the message gives its reason.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// A reason for refusing `createSubscription`.
    CreateSubscriptionUserError declining with
    /// Rules that can refuse `createSubscription`.
    CreateSubscriptionErrorCode {
        /// The account does not exist, or the caller may not bill it.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// The price does not exist, is not on sale, or is not of the kind that this mutation takes.
        PriceNotFound = "PRICE_NOT_FOUND",
        /// The price is not published at Stripe; an admin can publish it with `publishPlanToStripe`.
        PriceNotAtStripe = "PRICE_NOT_AT_STRIPE",
        /// The quantity is not between 1 and 1,000,000.
        QuantityInvalid = "QUANTITY_INVALID",
        /// The account already has a plan; change it with `changePlan`.
        AlreadySubscribed = "ALREADY_SUBSCRIBED",
        /// Another purchase of a plan is in progress; try again in a moment.
        PurchaseUnderWay = "PURCHASE_UNDER_WAY",
        /// The promotion code does not exist.
        PromoCodeNotFound = "PROMO_CODE_NOT_FOUND",
        /// The promotion code has expired.
        PromoCodeExpired = "PROMO_CODE_EXPIRED",
        /// The promotion code has reached its maximum number of redemptions.
        PromoCodeUsedUp = "PROMO_CODE_USED_UP",
        /// The promotion code is for first-time customers only.
        PromoCodeNotFirst = "PROMO_CODE_NOT_FIRST",
        /// The account has already used the promotion code.
        PromoCodeAlreadyUsed = "PROMO_CODE_ALREADY_USED",
        /// Stripe does not accept the promotion code for this purchase.
        PromoCodeInvalid = "PROMO_CODE_INVALID",
        /// The card was declined; `declineCode` gives the bank's reason.
        CardDeclined = "CARD_DECLINED",
        /// The card's bank requires the customer to authenticate.
        AuthenticationRequired = "AUTHENTICATION_REQUIRED",
        /// Stripe refused; the message gives its reason.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// A reason for refusing `purchaseCredits`.
    PurchaseCreditsUserError declining with
    /// Rules that can refuse `purchaseCredits`.
    PurchaseCreditsErrorCode {
        /// The account does not exist, or the caller may not bill it.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// The price does not exist, is not on sale, or is not of the kind that this mutation takes.
        PriceNotFound = "PRICE_NOT_FOUND",
        /// The price is not published at Stripe; an admin can publish it with `publishPlanToStripe`.
        PriceNotAtStripe = "PRICE_NOT_AT_STRIPE",
        /// The quantity is not between 1 and 1,000,000.
        QuantityInvalid = "QUANTITY_INVALID",
        /// The customer has no payment method on file at Stripe; collect one in a checkout.
        NoPaymentMethod = "NO_PAYMENT_METHOD",
        /// The card was declined; `declineCode` gives the bank's reason.
        CardDeclined = "CARD_DECLINED",
        /// The card's bank requires the customer to authenticate.
        AuthenticationRequired = "AUTHENTICATION_REQUIRED",
        /// Stripe refused; the message gives its reason.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// A reason for refusing `openBillingPortal`.
    OpenBillingPortalUserError with
    /// Rules that can refuse `openBillingPortal`.
    OpenBillingPortalErrorCode {
        /// The account does not exist, or the caller may not bill it.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// An address does not start with https://, or is longer than 2,000 bytes.
        UrlInvalid = "URL_INVALID",
        /// Stripe refused; the message gives its reason.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}
