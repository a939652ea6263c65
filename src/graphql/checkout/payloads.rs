//! Inputs, payloads and user errors of purchases.

use crate::billing::Checkout;
use crate::graphql::payments::payment::Payment;
use crate::graphql::subscriptions::subscription::Subscription;
use crate::user_error;
use async_graphql::{ID, InputObject, SimpleObject};

/// A checkout session at Stripe.
#[derive(SimpleObject)]
pub struct CheckoutSessionInfo {
    /// The id of the session at Stripe.
    pub(super) session_external_id: String,
    /// The page to send the customer to. It can be opened for 23 hours.
    pub(super) url: String,
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
    pub(super) price_id: ID,
    /// The quantity, 1 to 1,000,000.
    #[graphql(default = 1)]
    pub(super) quantity: i64,
    /// A promotion code; null for none.
    pub(super) promo_code: Option<String>,
    /// True to use the price's trial, if it has one. Each person has one trial, whatever the plan; those who had theirs
    /// pay immediately.
    #[graphql(default = true)]
    pub(super) with_trial: bool,
    /// The https address to which the customer returns after paying. `{CHECKOUT_SESSION_ID}` in it is replaced.
    pub(super) success_url: String,
    /// The https address to which the customer returns without paying; null for none.
    pub(super) cancel_url: Option<String>,
    /// The id of the account; the caller's own by default.
    pub(super) account_id: Option<ID>,
    /// Idempotency key, 1 to 255 bytes. Repeating a key with the same input within 30 days returns the first answer and
    /// does nothing else.
    pub(super) idempotency_key: String,
}

/// Input of `createSubscription`.
#[derive(InputObject)]
pub struct CreateSubscriptionInput {
    /// The id of the price of a plan, from `plans`.
    pub(super) price_id: ID,
    /// The quantity, 1 to 1,000,000.
    #[graphql(default = 1)]
    pub(super) quantity: i64,
    /// A promotion code; null for none.
    pub(super) promo_code: Option<String>,
    /// True to use the price's trial, if it has one. Each person has one trial, whatever the plan; those who had theirs
    /// pay immediately.
    #[graphql(default = true)]
    pub(super) with_trial: bool,
    /// The id of the account; the caller's own by default.
    pub(super) account_id: Option<ID>,
    /// Idempotency key, 1 to 255 bytes. Repeating a key with the same input within 30 days returns the first answer and
    /// does nothing else.
    pub(super) idempotency_key: String,
}

/// Input of `purchaseCredits`.
#[derive(InputObject)]
pub struct PurchaseCreditsInput {
    /// The id of the price of a pack of credits.
    pub(super) price_id: ID,
    /// The number of packs, 1 to 1,000,000.
    #[graphql(default = 1)]
    pub(super) quantity: i64,
    /// The id of the account; the caller's own by default.
    pub(super) account_id: Option<ID>,
    /// Idempotency key, 1 to 255 bytes. Repeating a key with the same input within 30 days returns the first answer and
    /// does nothing else.
    pub(super) idempotency_key: String,
}

/// Input of `openBillingPortal`.
#[derive(InputObject)]
pub struct OpenBillingPortalInput {
    /// The https address to which the customer returns from the portal.
    pub(super) return_url: String,
    /// The id of the account; the caller's own by default.
    pub(super) account_id: Option<ID>,
}

/// Payload of `startCheckout`.
#[derive(SimpleObject)]
pub struct StartCheckoutPayload {
    /// The checkout; null if there are user errors.
    pub(super) checkout: Option<CheckoutSessionInfo>,
    /// Reasons for refusing the request; empty on success.
    pub(super) user_errors: Vec<StartCheckoutUserError>,
}

/// Payload of `createSubscription`.
#[derive(SimpleObject)]
pub struct CreateSubscriptionPayload {
    /// The subscription; null if there are user errors.
    pub(super) subscription: Option<Subscription>,
    /// The client secret with which Stripe.js confirms the first payment or the card of a trial; null if there is
    /// nothing to confirm. Returned to the caller only and never stored.
    pub(super) client_secret: Option<String>,
    /// Reasons for refusing the request; empty on success.
    pub(super) user_errors: Vec<CreateSubscriptionUserError>,
}

/// Payload of `purchaseCredits`.
#[derive(SimpleObject)]
pub struct PurchaseCreditsPayload {
    /// The payment; null if there are user errors.
    pub(super) payment: Option<Payment>,
    /// The client secret with which Stripe.js confirms the payment, if the card's bank requires the customer to
    /// authenticate; otherwise null. Returned to the caller only and never stored.
    pub(super) client_secret: Option<String>,
    /// Reasons for refusing the request; empty on success.
    pub(super) user_errors: Vec<PurchaseCreditsUserError>,
}

/// Payload of `openBillingPortal`.
#[derive(SimpleObject)]
pub struct OpenBillingPortalPayload {
    /// The page to send the customer to, valid for a few minutes; null if there are user errors.
    pub(super) url: Option<String>,
    /// Reasons for refusing the request; empty on success.
    pub(super) user_errors: Vec<OpenBillingPortalUserError>,
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
