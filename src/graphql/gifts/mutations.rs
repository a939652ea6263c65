//! Mutations that buy and redeem gifts.

use super::gift::Gift;
use crate::billing::{self, BuyGift};
use crate::gifts::{self, NewGift};
use crate::graphql::accounts::account::Account;
use crate::graphql::checkout::payloads::CheckoutSessionInfo;
use crate::graphql::common::{ContextExt, Instant, local_id, optional_text, split_refusal, text};
use crate::graphql::plans::parts::Price;
use crate::graphql::subscriptions::subscription::Subscription;
use crate::user_error;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use std::sync::Arc;

/// Mutation fields for gifts.
#[derive(Default)]
pub struct GiftMutation;

#[Object]
impl GiftMutation {
    /// Starts a checkout for a gift: one period of a plan for somebody else. The code is shown once, with the first
    /// answer that has a checkout, and works once the gift is paid. Allowed for owners and admins of the account; with
    /// the scope `billing:write` for any account. If Stripe is unavailable, repeat the request with the same key.
    async fn buy_gift(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The gift, its buyer and the pages to which the buyer returns.")] input: BuyGiftInput,
    ) -> Result<Option<BuyGiftPayload>> {
        let buy = BuyGift {
            gift: NewGift {
                price_id: local_id::<Price>(&input.price_id)?,
                recipient_email: optional_text("recipientEmail", input.recipient_email)?,
                message: optional_text("message", input.message)?,
                expires_at: input.expires_at.map(|at| at.0),
            },
            account_id: input.account_id.as_ref().map(local_id::<Account>).transpose()?,
            success_url: text("successUrl", input.success_url)?,
            cancel_url: text("cancelUrl", input.cancel_url)?,
        };
        let bought = billing::buy_gift(ctx.app(), ctx.viewer(), buy, &input.idempotency_key).await;
        let (bought, user_errors) = split_refusal(bought)?;
        let Some(bought) = bought else {
            return Ok(Some(BuyGiftPayload { gift: None, code: None, checkout: None, user_errors }));
        };
        Ok(Some(BuyGiftPayload {
            gift: Some(Gift(Arc::new(bought.gift))),
            code: bought.code.map(|code| code.expose()),
            checkout: bought.checkout.map(CheckoutSessionInfo::from),
            user_errors,
        }))
    }

    /// Redeems a gift by its code: creates a free subscription for one period that ends afterwards unless it is
    /// resumed. Allowed for owners and admins of the receiving account; with the scope `billing:write` for any account.
    /// The number of codes that a caller may try per minute is limited; beyond it the error is `RATE_LIMITED`. If
    /// Stripe is unavailable, the request is kept and carried out later.
    async fn redeem_gift(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The code and the receiving account.")] input: RedeemGiftInput,
    ) -> Result<Option<RedeemGiftPayload>> {
        let account_id = input.account_id.as_ref().map(local_id::<Account>).transpose()?;
        let done = billing::redeem_gift(ctx.app(), ctx.viewer(), &input.code, account_id, &input.idempotency_key).await;
        let (done, user_errors) = split_refusal(done)?;
        let (gift, subscription) = done.map(|done| (done.gift, done.subscription)).unzip();
        Ok(Some(RedeemGiftPayload {
            gift: gift.map(|row| Gift(Arc::new(row))),
            subscription: subscription.map(|row| Subscription(Arc::new(row))),
            user_errors,
        }))
    }

    /// Replaces the code of a gift that was not redeemed and shows the new code once; the old code stops working.
    /// Allowed for owners and admins of the buying account; with the scope `billing:write` for any account.
    async fn replace_gift_code(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The gift.")] input: ReplaceGiftCodeInput,
    ) -> Result<Option<ReplaceGiftCodePayload>> {
        let id = local_id::<Gift>(&input.gift_id)?;
        let (shown, user_errors) = split_refusal(gifts::replace_code(ctx.app(), ctx.viewer(), id).await)?;
        let (gift, code) = shown.map(|(row, code)| (Gift(Arc::new(row)), code.expose())).unzip();
        Ok(Some(ReplaceGiftCodePayload { gift, code, user_errors }))
    }
}

/// Input of `buyGift`.
#[derive(InputObject)]
pub struct BuyGiftInput {
    /// The id of the recurring price of a plan on sale, of which the gift grants one period.
    price_id: ID,
    /// The recipient's address, for the buyer's own records: Tollgate sends no mail.
    recipient_email: Option<String>,
    /// A message of up to 500 characters.
    message: Option<String>,
    /// The last instant at which it can be redeemed; null for no limit.
    expires_at: Option<Instant>,
    /// The https address to which the buyer returns after paying.
    success_url: String,
    /// The https address to which the buyer returns without paying.
    cancel_url: String,
    /// The id of the buying account; the caller's own by default.
    account_id: Option<ID>,
    /// Idempotency key, 1 to 255 bytes. Repeating a key with the same input within 30 days returns the first answer and
    /// does nothing else.
    idempotency_key: String,
}

/// Input of `redeemGift`.
#[derive(InputObject)]
pub struct RedeemGiftInput {
    /// The code; case and dashes do not matter.
    code: String,
    /// The id of the receiving account; the caller's own by default.
    account_id: Option<ID>,
    /// Idempotency key, 1 to 255 bytes. Repeating a key with the same input within 30 days returns the first answer and
    /// does nothing else.
    idempotency_key: String,
}

/// Input of `replaceGiftCode`.
#[derive(InputObject)]
pub struct ReplaceGiftCodeInput {
    /// The id of the gift.
    gift_id: ID,
}

/// Payload of `buyGift`.
#[derive(SimpleObject)]
pub struct BuyGiftPayload {
    /// The gift; null if there are user errors.
    gift: Option<Gift>,
    /// The code that the recipient types. Shown once: null for a repeated request (`replaceGiftCode` creates a new
    /// code) and if there are user errors.
    code: Option<String>,
    /// The checkout in which the gift is paid; null if there are user errors, and once it is paid or abandoned.
    checkout: Option<CheckoutSessionInfo>,
    /// Reasons for refusing the request; empty on success.
    user_errors: Vec<BuyGiftUserError>,
}

/// Payload of `redeemGift`.
#[derive(SimpleObject)]
pub struct RedeemGiftPayload {
    /// The gift; null if there are user errors.
    gift: Option<Gift>,
    /// The subscription that the gift grants; null if there are user errors.
    subscription: Option<Subscription>,
    /// Reasons for refusing the request; empty on success.
    user_errors: Vec<RedeemGiftUserError>,
}

/// Payload of `replaceGiftCode`.
#[derive(SimpleObject)]
pub struct ReplaceGiftCodePayload {
    /// The gift; null if there are user errors.
    gift: Option<Gift>,
    /// The new code, shown once; null if there are user errors.
    code: Option<String>,
    /// Reasons for refusing the request; empty on success.
    user_errors: Vec<ReplaceGiftCodeUserError>,
}

user_error! {
    /// A reason for refusing `buyGift`.
    BuyGiftUserError with
    /// Rules that can refuse `buyGift`.
    BuyGiftErrorCode {
        /// The account does not exist, or the caller may not bill it.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// The price does not exist or is not on sale.
        PriceNotFound = "PRICE_NOT_FOUND",
        /// The price is not a recurring price of a plan, or it is free.
        PriceNotGiftable = "PRICE_NOT_GIFTABLE",
        /// The price is not published at Stripe.
        PriceNotAtStripe = "PRICE_NOT_AT_STRIPE",
        /// An address does not start with https://, or is longer than 2,000 bytes.
        UrlInvalid = "URL_INVALID",
        /// The recipient's address is not an e-mail address.
        EmailInvalid = "EMAIL_INVALID",
        /// The message is longer than 500 characters.
        MessageTooLong = "MESSAGE_TOO_LONG",
        /// `expiresAt` is not in the future.
        ExpiresAtInvalid = "EXPIRES_AT_INVALID",
        /// Stripe refused; the message gives its reason.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// A reason for refusing `redeemGift`.
    RedeemGiftUserError with
    /// Rules that can refuse `redeemGift`.
    RedeemGiftErrorCode {
        /// No gift has this code. A mistyped code and an unknown one get the same answer.
        GiftNotFound = "GIFT_NOT_FOUND",
        /// The gift is not paid yet.
        GiftNotPaid = "GIFT_NOT_PAID",
        /// The gift was already redeemed.
        GiftRedeemed = "GIFT_REDEEMED",
        /// Refunded to its buyer.
        GiftRefunded = "GIFT_REFUNDED",
        /// The gift has expired.
        GiftExpired = "GIFT_EXPIRED",
        /// The account does not exist, or the caller may not bill it.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// The account already has a plan.
        AlreadySubscribed = "ALREADY_SUBSCRIBED",
        /// A purchase of a plan is in progress; try again in a moment.
        PurchaseUnderWay = "PURCHASE_UNDER_WAY",
        /// The plan is no longer published at Stripe.
        PriceNotAtStripe = "PRICE_NOT_AT_STRIPE",
        /// Stripe refused; the message gives its reason. The gift can still be redeemed.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// A reason for refusing `replaceGiftCode`.
    ReplaceGiftCodeUserError with
    /// Rules that can refuse `replaceGiftCode`.
    ReplaceGiftCodeErrorCode {
        /// The gift does not exist, or the caller may not see it.
        GiftNotFound = "GIFT_NOT_FOUND",
        /// The gift was redeemed, refunded or abandoned.
        GiftOver = "GIFT_OVER",
    }
}
