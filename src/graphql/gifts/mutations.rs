//! Gifts: bought in a checkout, redeemed by a code.

use super::gift::Gift;
use crate::billing::{self, BuyGift};
use crate::gifts::{self as feature, NewGift};
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{ContextExt, Instant, local_id, optional_text, settle, text};
use crate::graphql::plans::parts::Price;
use crate::graphql::subscriptions::subscription::Subscription;
use crate::user_error;
use async_graphql::{Context, ID, InputObject, Object, Result, SimpleObject};
use std::sync::Arc;

/// What can be done with gifts.
#[derive(Default)]
pub struct GiftMutation;

#[Object]
impl GiftMutation {
    /// Begins a checkout for one period of a plan that someone else is to have. The code is shown with the first answer
    /// that has a checkout, and is good once that is paid. For an owner or admin of the account, and with the scope
    /// `billing:write` for any. Where Stripe does not answer, ask again with the same key.
    async fn buy_gift(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is given, and by whom.")] input: BuyGiftInput,
    ) -> Result<BuyGiftPayload> {
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
        let (bought, user_errors) = settle(bought)?;
        let Some(bought) = bought else {
            return Ok(BuyGiftPayload { gift: None, code: None, checkout_url: None, user_errors });
        };
        Ok(BuyGiftPayload {
            gift: Some(Gift(Arc::new(bought.gift))),
            code: bought.code.map(|code| code.expose()),
            checkout_url: bought.checkout_url,
            user_errors,
        })
    }

    /// Redeems the gift of a code: a subscription that costs nothing for one period and then ends, unless it is resumed.
    /// For an owner or admin of the account that is to have it, and with the scope `billing:write` for any. How many codes
    /// one caller may try in a minute is limited; over that the answer is the error `RATE_LIMITED`. Kept and carried out
    /// later where Stripe does not answer.
    async fn redeem_gift(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which gift, and for whom.")] input: RedeemGiftInput,
    ) -> Result<RedeemGiftPayload> {
        let account_id = input.account_id.as_ref().map(local_id::<Account>).transpose()?;
        let redeem = (input.code.as_str(), account_id);
        let done = billing::redeem_gift(ctx.app(), ctx.viewer(), redeem, &input.idempotency_key).await;
        let (done, user_errors) = settle(done)?;
        let (gift, subscription) = done.unzip();
        Ok(RedeemGiftPayload {
            gift: gift.map(|row| Gift(Arc::new(row))),
            subscription: subscription.map(|row| Subscription(Arc::new(row))),
            user_errors,
        })
    }

    /// Makes a new code for a gift that was not redeemed, and shows it this once; the old code is unknown from then on.
    /// For an owner or admin of the account that bought it, and with the scope `billing:write` for any.
    async fn replace_gift_code(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which gift.")] input: ReplaceGiftCodeInput,
    ) -> Result<ReplaceGiftCodePayload> {
        let id = local_id::<Gift>(&input.gift_id)?;
        let (shown, user_errors) = settle(feature::replace_code(ctx.app(), ctx.viewer(), id).await)?;
        let (gift, code) = shown.map(|(row, code)| (Gift(Arc::new(row)), code.expose())).unzip();
        Ok(ReplaceGiftCodePayload { gift, code, user_errors })
    }
}

/// A gift that is to be bought.
#[derive(InputObject)]
pub struct BuyGiftInput {
    /// The recurring price of a plan on sale: the gift is one period of it.
    price_id: ID,
    /// Who is to get it, for the buyer's own list: Tollgate sends no mail.
    recipient_email: Option<String>,
    /// What to say with it: up to 500 characters.
    message: Option<String>,
    /// Until when it can be redeemed; for ever where it is left out.
    expires_at: Option<Instant>,
    /// Where the browser goes after paying.
    success_url: String,
    /// Where the browser goes from the checkout without paying.
    cancel_url: String,
    /// Who buys it; the caller's own account where it is left out.
    account_id: Option<ID>,
    /// The same key and input again, within 30 days, give the first answer and nothing else. 1 to 255 bytes.
    idempotency_key: String,
}

/// A gift that is to be redeemed.
#[derive(InputObject)]
pub struct RedeemGiftInput {
    /// The code, in capital or small letters, with or without dashes.
    code: String,
    /// Who is to have it; the caller's own account where it is left out.
    account_id: Option<ID>,
    /// The same key and input again, within 30 days, give the first answer and nothing else. 1 to 255 bytes.
    idempotency_key: String,
}

/// Which gift's code to replace.
#[derive(InputObject)]
pub struct ReplaceGiftCodeInput {
    /// The gift's id.
    gift_id: ID,
}

/// The gift with its checkout.
#[derive(SimpleObject)]
pub struct BuyGiftPayload {
    /// The gift; null where there are user errors.
    gift: Option<Gift>,
    /// What whoever gets the gift types in. Shown this once. Null where there are user errors, and for a request that was
    /// answered before: `replaceGiftCode` gives a new one.
    code: Option<String>,
    /// Where the gift is paid; null where there are user errors, and once it is paid or given up.
    checkout_url: Option<String>,
    /// Why there is no gift; empty where there is one.
    user_errors: Vec<BuyGiftUserError>,
}

/// The gift that was redeemed.
#[derive(SimpleObject)]
pub struct RedeemGiftPayload {
    /// The gift; null where there are user errors.
    gift: Option<Gift>,
    /// What it gives; null where there are user errors.
    subscription: Option<Subscription>,
    /// Why the gift was not redeemed; empty where it was.
    user_errors: Vec<RedeemGiftUserError>,
}

/// The gift that has a new code.
#[derive(SimpleObject)]
pub struct ReplaceGiftCodePayload {
    /// The gift; null where there are user errors.
    gift: Option<Gift>,
    /// The new code. Shown this once. Null where there are user errors.
    code: Option<String>,
    /// Why there is no new code; empty where there is one.
    user_errors: Vec<ReplaceGiftCodeUserError>,
}

user_error! {
    /// Why a gift was not begun.
    BuyGiftUserError with
    /// The rules that can refuse to sell a gift.
    BuyGiftErrorCode {
        /// There is no such account of the caller's.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// There is no such price on sale.
        PriceNotFound = "PRICE_NOT_FOUND",
        /// It is no recurring price of a plan that costs something.
        PriceNotGiftable = "PRICE_NOT_GIFTABLE",
        /// The price is not sold at Stripe.
        PriceNotAtStripe = "PRICE_NOT_AT_STRIPE",
        /// An address is none that customers may be sent to.
        UrlInvalid = "URL_INVALID",
        /// This is no e-mail address.
        EmailInvalid = "EMAIL_INVALID",
        /// The message is too long.
        MessageTooLong = "MESSAGE_TOO_LONG",
        /// The time until which it could be redeemed lies in the past.
        ExpiresAtInvalid = "EXPIRES_AT_INVALID",
        /// Stripe says no, for a reason that the message names.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// Why a gift was not redeemed.
    RedeemGiftUserError with
    /// The rules that can refuse to redeem a gift.
    RedeemGiftErrorCode {
        /// There is no gift with this code; a wrong one and one that was mistyped are answered alike.
        GiftNotFound = "GIFT_NOT_FOUND",
        /// Its buyer has not paid yet.
        GiftNotPaid = "GIFT_NOT_PAID",
        /// It was redeemed before.
        GiftRedeemed = "GIFT_REDEEMED",
        /// Its buyer has the money back.
        GiftRefunded = "GIFT_REFUNDED",
        /// The time in which it could be redeemed is over.
        GiftExpired = "GIFT_EXPIRED",
        /// There is no such account of the caller's.
        AccountNotFound = "ACCOUNT_NOT_FOUND",
        /// The account has a plan.
        AlreadySubscribed = "ALREADY_SUBSCRIBED",
        /// A purchase of a plan is under way.
        PurchaseUnderWay = "PURCHASE_UNDER_WAY",
        /// What it gives is not sold at Stripe any more.
        PriceNotAtStripe = "PRICE_NOT_AT_STRIPE",
        /// Stripe says no, for a reason that the message names; the gift can be redeemed still.
        ProviderRefused = "PROVIDER_REFUSED",
    }
}

user_error! {
    /// Why a gift's code was not replaced.
    ReplaceGiftCodeUserError with
    /// The rules that can refuse to replace a gift's code.
    ReplaceGiftCodeErrorCode {
        /// There is no such gift of the caller's.
        GiftNotFound = "GIFT_NOT_FOUND",
        /// It was redeemed, refunded or given up.
        GiftOver = "GIFT_OVER",
    }
}
