//! Buying: checkouts, subscriptions, credits.

use crate::billing::{self, Checkout, CreditPurchase, NewSubscription, Purchase};
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{BigInt, ContextExt, local_id, optional_text, settle, text};
use crate::graphql::payments::payment::Payment;
use crate::graphql::plans::parts::Price;
use crate::graphql::subscriptions::subscription::Subscription;
use crate::user_error;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use std::sync::Arc;

/// What can be bought.
#[derive(Default)]
pub struct PurchaseMutation;

#[Object]
impl PurchaseMutation {
    /// Begins a checkout at Stripe for a plan, a pack of credits or an add-on that is paid once. For an owner or admin of
    /// the account, and with the scope `billing:write` for any. Of checkouts for a plan one is open for each person:
    /// another one ends the one before. What was bought shows when it is paid. Not made later where Stripe does not
    /// answer.
    async fn start_checkout(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What, and where the customer goes then.")] input: StartCheckoutInput,
    ) -> Result<StartCheckoutPayload> {
        let purchase = Purchase {
            price_id: local_id::<Price>(&input.price_id)?,
            quantity: input.quantity.0,
            promo_code: optional_text("promoCode", input.promo_code)?,
            with_trial: input.with_trial,
            success_url: text("successUrl", input.success_url)?,
            cancel_url: optional_text("cancelUrl", input.cancel_url)?,
            account_id: input.account_id.as_ref().map(local_id::<Account>).transpose()?,
        };
        let begun = billing::start_checkout(ctx.app(), ctx.viewer(), purchase, &input.idempotency_key).await;
        let (checkout, user_errors) = settle(begun)?;
        Ok(StartCheckoutPayload { checkout: checkout.map(CheckoutSession::from), user_errors })
    }

    /// Makes a subscription whose first payment the application's own page confirms with the client secret. For an owner
    /// or admin of the account, and with the scope `billing:write` for any. One with a trial, or that costs nothing at
    /// first, begins at once. Not made later where Stripe does not answer.
    async fn create_subscription(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "To what.")] input: CreateSubscriptionInput,
    ) -> Result<CreateSubscriptionPayload> {
        let new = NewSubscription {
            price_id: local_id::<Price>(&input.price_id)?,
            quantity: input.quantity.0,
            promo_code: optional_text("promoCode", input.promo_code)?,
            with_trial: input.with_trial,
            account_id: input.account_id.as_ref().map(local_id::<Account>).transpose()?,
        };
        let made = billing::create_subscription(ctx.app(), ctx.viewer(), new, &input.idempotency_key).await;
        let (made, user_errors) = settle(made)?;
        let (row, client_secret) = made.map(|made| (made.row, made.client_secret)).unzip();
        let subscription = row.map(|row| Subscription(Arc::new(row)));
        Ok(CreateSubscriptionPayload { subscription, client_secret: client_secret.flatten(), user_errors })
    }

    /// Charges the card that the customer has at Stripe for packs of credits. For an owner or admin of the account, and
    /// with the scope `billing:write` for any. The credits are there when it is paid. Not made later where Stripe does
    /// not answer.
    async fn purchase_credits(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which pack.")] input: PurchaseCreditsInput,
    ) -> Result<PurchaseCreditsPayload> {
        let purchase = CreditPurchase {
            price_id: local_id::<Price>(&input.price_id)?,
            quantity: input.quantity.0,
            account_id: input.account_id.as_ref().map(local_id::<Account>).transpose()?,
        };
        let paid = billing::purchase_credits(ctx.app(), ctx.viewer(), purchase, &input.idempotency_key).await;
        let (paid, user_errors) = settle(paid)?;
        let (row, client_secret) = paid.map(|paid| (paid.row, paid.client_secret)).unzip();
        let payment = row.map(|row| Payment(Arc::new(row)));
        Ok(PurchaseCreditsPayload { payment, client_secret: client_secret.flatten(), user_errors })
    }

    /// Opens the page at Stripe where the customer sees to their cards and invoices. For an owner or admin of the
    /// account, and with the scope `billing:write` for any.
    async fn open_billing_portal(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Whose, and where they go then.")] input: OpenBillingPortalInput,
    ) -> Result<OpenBillingPortalPayload> {
        let account_id = input.account_id.as_ref().map(local_id::<Account>).transpose()?;
        let return_url = text("returnUrl", input.return_url)?;
        let opened = billing::open_billing_portal(ctx.app(), ctx.viewer(), (account_id, &return_url)).await;
        let (url, user_errors) = settle(opened)?;
        Ok(OpenBillingPortalPayload { url, user_errors })
    }
}

/// A checkout at Stripe.
#[derive(SimpleObject)]
pub struct CheckoutSession {
    /// Its id at Stripe.
    session_external_id: String,
    /// The page to send the customer to; it can be opened for 23 hours.
    url: String,
}

impl From<Checkout> for CheckoutSession {
    fn from(checkout: Checkout) -> Self {
        CheckoutSession { session_external_id: checkout.session_external_id, url: checkout.url }
    }
}

/// What is bought in a checkout.
#[derive(InputObject)]
pub struct StartCheckoutInput {
    /// The price, as `plans` shows it.
    price_id: ID,
    /// How many: 1 to 1,000,000.
    #[graphql(default_with = "BigInt(1)")]
    quantity: BigInt,
    /// A promotion code.
    promo_code: Option<String>,
    /// Whether the trial that the price may have is wanted. Each person has one trial, whatever the plan; who had one
    /// pays at once.
    #[graphql(default = true)]
    with_trial: bool,
    /// Where the customer goes when they have paid: an address with https. `{CHECKOUT_SESSION_ID}` in it is replaced.
    success_url: String,
    /// Where the customer goes when they do not pay.
    cancel_url: Option<String>,
    /// Which account; the caller's own where it is left out.
    account_id: Option<ID>,
    /// The same key and input again, within 30 days, give the first answer and nothing else. 1 to 255 bytes.
    idempotency_key: String,
}

/// A subscription that is wanted.
#[derive(InputObject)]
pub struct CreateSubscriptionInput {
    /// The price of a plan, as `plans` shows it.
    price_id: ID,
    /// How many: 1 to 1,000,000.
    #[graphql(default_with = "BigInt(1)")]
    quantity: BigInt,
    /// A promotion code.
    promo_code: Option<String>,
    /// Whether the trial that the price may have is wanted. Each person has one trial, whatever the plan; who had one
    /// pays at once.
    #[graphql(default = true)]
    with_trial: bool,
    /// Which account; the caller's own where it is left out.
    account_id: Option<ID>,
    /// The same key and input again, within 30 days, give the first answer and nothing else. 1 to 255 bytes.
    idempotency_key: String,
}

/// Credits that are wanted.
#[derive(InputObject)]
pub struct PurchaseCreditsInput {
    /// The price of a pack.
    price_id: ID,
    /// How many packs: 1 to 1,000,000.
    #[graphql(default_with = "BigInt(1)")]
    quantity: BigInt,
    /// Which account; the caller's own where it is left out.
    account_id: Option<ID>,
    /// The same key and input again, within 30 days, give the first answer and nothing else. 1 to 255 bytes.
    idempotency_key: String,
}

/// Whose portal.
#[derive(InputObject)]
pub struct OpenBillingPortalInput {
    /// Where the customer goes when they leave it: an address with https.
    return_url: String,
    /// Which account; the caller's own where it is left out.
    account_id: Option<ID>,
}

/// The checkout that was begun.
#[derive(SimpleObject)]
pub struct StartCheckoutPayload {
    /// The checkout; null where there are user errors.
    checkout: Option<CheckoutSession>,
    /// Why none was begun; empty where one was.
    user_errors: Vec<StartCheckoutUserError>,
}

/// The subscription that was made.
#[derive(SimpleObject)]
pub struct CreateSubscriptionPayload {
    /// The subscription; null where there are user errors.
    subscription: Option<Subscription>,
    /// What Stripe.js confirms the first payment with, or the card of a trial; null where there is nothing to confirm.
    /// It is told to who asks and written down nowhere.
    client_secret: Option<String>,
    /// Why none was made; empty where one was.
    user_errors: Vec<CreateSubscriptionUserError>,
}

/// The payment that was made.
#[derive(SimpleObject)]
pub struct PurchaseCreditsPayload {
    /// The payment; null where there are user errors.
    payment: Option<Payment>,
    /// What Stripe.js confirms the payment with where the card's bank wants the customer to; else null. It is told to
    /// who asks and written down nowhere.
    client_secret: Option<String>,
    /// Why nothing was charged; empty where something was.
    user_errors: Vec<PurchaseCreditsUserError>,
}

/// The portal that was opened.
#[derive(SimpleObject)]
pub struct OpenBillingPortalPayload {
    /// The page to send the customer to, which is good for a few minutes; null where there are user errors.
    url: Option<String>,
    /// Why none was opened; empty where one was.
    user_errors: Vec<OpenBillingPortalUserError>,
}

user_error! {
    /// Why no checkout was begun.
    StartCheckoutUserError with
    /// The rules that can refuse to begin a checkout.
    StartCheckoutErrorCode {
        /// There is no such account of the caller's.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// Nothing of this kind is on sale at this price.
        PriceNotFound = "PRICE_NOT_FOUND",
        /// Stripe does not sell it yet; an admin must publish it there.
        PriceNotAtStripe = "PRICE_NOT_AT_STRIPE",
        /// The quantity is out of range.
        QuantityInvalid = "QUANTITY_INVALID",
        /// An address is none that customers may be sent to.
        UrlInvalid = "URL_INVALID",
        /// The account has a plan; it can be changed.
        AlreadySubscribed = "ALREADY_SUBSCRIBED",
        /// Another purchase of a plan is under way.
        PurchaseUnderWay = "PURCHASE_UNDER_WAY",
        /// There is no such promotion code.
        PromoCodeNotFound = "PROMO_CODE_NOT_FOUND",
        /// The promotion code has ended.
        PromoCodeExpired = "PROMO_CODE_EXPIRED",
        /// The promotion code was used as often as it may be.
        PromoCodeUsedUp = "PROMO_CODE_USED_UP",
        /// The promotion code is for the first purchase.
        PromoCodeNotFirst = "PROMO_CODE_NOT_FIRST",
        /// The account has used the promotion code.
        PromoCodeAlreadyUsed = "PROMO_CODE_ALREADY_USED",
        /// Stripe does not take the promotion code for this.
        PromoCodeInvalid = "PROMO_CODE_INVALID",
        /// Stripe says no, for a reason that the message names.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// Why no subscription was made.
    CreateSubscriptionUserError declining with
    /// The rules that can refuse to make a subscription.
    CreateSubscriptionErrorCode {
        /// There is no such account of the caller's.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// Nothing of this kind is on sale at this price.
        PriceNotFound = "PRICE_NOT_FOUND",
        /// Stripe does not sell it yet; an admin must publish it there.
        PriceNotAtStripe = "PRICE_NOT_AT_STRIPE",
        /// The quantity is out of range.
        QuantityInvalid = "QUANTITY_INVALID",
        /// The account has a plan; it can be changed.
        AlreadySubscribed = "ALREADY_SUBSCRIBED",
        /// Another purchase of a plan is under way.
        PurchaseUnderWay = "PURCHASE_UNDER_WAY",
        /// There is no such promotion code.
        PromoCodeNotFound = "PROMO_CODE_NOT_FOUND",
        /// The promotion code has ended.
        PromoCodeExpired = "PROMO_CODE_EXPIRED",
        /// The promotion code was used as often as it may be.
        PromoCodeUsedUp = "PROMO_CODE_USED_UP",
        /// The promotion code is for the first purchase.
        PromoCodeNotFirst = "PROMO_CODE_NOT_FIRST",
        /// The account has used the promotion code.
        PromoCodeAlreadyUsed = "PROMO_CODE_ALREADY_USED",
        /// Stripe does not take the promotion code for this.
        PromoCodeInvalid = "PROMO_CODE_INVALID",
        /// The card was declined; the error says why.
        CardDeclined = "CARD_DECLINED",
        /// The card's bank wants the customer to confirm.
        AuthenticationRequired = "AUTHENTICATION_REQUIRED",
        /// Stripe says no, for a reason that the message names.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// Why no credits were bought.
    PurchaseCreditsUserError declining with
    /// The rules that can refuse to buy credits.
    PurchaseCreditsErrorCode {
        /// There is no such account of the caller's.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// Nothing of this kind is on sale at this price.
        PriceNotFound = "PRICE_NOT_FOUND",
        /// Stripe does not sell it yet; an admin must publish it there.
        PriceNotAtStripe = "PRICE_NOT_AT_STRIPE",
        /// The quantity is out of range.
        QuantityInvalid = "QUANTITY_INVALID",
        /// The customer has no card at Stripe yet.
        NoPaymentMethod = "NO_PAYMENT_METHOD",
        /// The card was declined; the error says why.
        CardDeclined = "CARD_DECLINED",
        /// The card's bank wants the customer to confirm.
        AuthenticationRequired = "AUTHENTICATION_REQUIRED",
        /// Stripe says no, for a reason that the message names.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// Why no portal was opened.
    OpenBillingPortalUserError with
    /// The rules that can refuse to open a portal.
    OpenBillingPortalErrorCode {
        /// There is no such account of the caller's.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// An address is none that customers may be sent to.
        UrlInvalid = "URL_INVALID",
        /// Stripe says no, for a reason that the message names.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}
