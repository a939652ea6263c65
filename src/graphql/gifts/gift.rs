//! Gifts, their buyers and redeemers.

use crate::gifts::Gifts;
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{
    Connection, ContextExt, DateTimeRange, Instant, Money, Row, StoredEnum, global_id, local_id, optional_text, page,
    page_args, to_one,
};
use crate::graphql::payments::payment::Payment;
use crate::graphql::plans::parts::Price;
use crate::graphql::subscriptions::subscription::Subscription;
use crate::{order_input, stored_enum};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::gifts;

pub struct Gift(pub(crate) Row<gifts::Entity>);

stored_enum! {
    /// Status of a gift.
    GiftStatus: crate::gifts::GiftStatus {
        /// Its checkout is not paid yet.
        Open,
        /// Paid; can be redeemed.
        Paid,
        /// Redeemed.
        Redeemed,
        /// Refunded to its buyer.
        Refunded,
        /// Its checkout ended without a payment.
        Abandoned,
    }
}

/// One period of a plan, paid for by one account and redeemed by another. Visible to both.
#[Object]
impl Gift {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<Gift>(self.0.id)
    }

    /// The account that bought it; null for a redeemer who does not share that account.
    async fn buyer(&self, ctx: &Context<'_>) -> Result<Option<Account>> {
        to_one(ctx, Some(self.0.account_id)).await
    }

    /// The recurring price of a plan of which it grants one period; null if the price is no longer public.
    async fn purchased_price(&self, ctx: &Context<'_>) -> Result<Option<Price>> {
        to_one(ctx, Some(self.0.price_id)).await
    }

    /// The beginning of its code, which is not secret; null until the code was shown.
    async fn code_prefix(&self) -> Option<&str> {
        self.0.prefix.as_deref()
    }

    /// The recipient's address as the buyer gave it; null if they gave none.
    async fn recipient_email(&self) -> Option<&str> {
        self.0.recipient_email.as_deref()
    }

    /// The buyer's message; null if there is none.
    async fn personal_message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// The status.
    async fn redemption_status(&self) -> Result<GiftStatus> {
        Ok(GiftStatus::read(&self.0.status)?)
    }

    /// The amount paid for it.
    async fn amount(&self) -> Money {
        Money::new(self.0.amount_minor, &self.0.currency)
    }

    /// The payment for it; null until there is one, and for callers who may not see it.
    async fn purchase(&self, ctx: &Context<'_>) -> Result<Option<Payment>> {
        to_one(ctx, self.0.payment_id).await
    }

    /// The account that redeemed it; null until then, and for a buyer who does not share that account.
    async fn redeemer(&self, ctx: &Context<'_>) -> Result<Option<Account>> {
        to_one(ctx, self.0.redeemed_account_id).await
    }

    /// The time of redemption; null if it was not redeemed.
    async fn claimed_at(&self) -> Option<Instant> {
        self.0.redeemed_at.map(Instant::from)
    }

    /// The subscription it was redeemed for; null if there is none, and for callers who may not see it.
    async fn subscription(&self, ctx: &Context<'_>) -> Result<Option<Subscription>> {
        to_one(ctx, self.0.subscription_id).await
    }

    /// The last instant at which it can be redeemed; null for no limit.
    async fn expires_at(&self) -> Option<Instant> {
        self.0.expires_at.map(Instant::from)
    }

    /// The time at which its checkout was started.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// The time of payment; null if it is not paid.
    async fn paid_at(&self) -> Option<Instant> {
        self.0.paid_at.map(Instant::from)
    }
}

/// Conditions that gifts must meet to be listed.
#[derive(InputObject, Default)]
pub struct GiftFilter {
    /// Has one of these statuses.
    status: Option<Vec<GiftStatus>>,
    /// Has a code that begins with this, such as `TGG-7K2QX-9W4TB`.
    code_prefix: Option<String>,
    /// Bought within this range.
    created_at: Option<DateTimeRange>,
}

order_input! {
    /// Order of a list of gifts.
    GiftOrder by
    /// Fields that gifts can be ordered by.
    GiftOrderField {
        /// By the time at which their checkout was started.
        CreatedAt,
    }
}

impl GiftFilter {
    pub(crate) fn list(filter: Option<Self>, order: Option<GiftOrder>) -> crate::error::Result<Gifts> {
        let filter = filter.unwrap_or_default();
        Ok(Gifts {
            statuses: StoredEnum::stored_list(filter.status),
            prefix: optional_text("codePrefix", filter.code_prefix)?,
            created: DateTimeRange::between(filter.created_at),
            descending: GiftOrder::descending(order, true),
        })
    }
}

/// Query fields for gifts.
#[derive(Default)]
pub struct GiftQuery;

#[Object]
impl GiftQuery {
    /// Returns a gift by its id; null if it does not exist or the caller may not see it.
    async fn gift(&self, ctx: &Context<'_>, #[graphql(desc = "The id of the gift.")] id: ID) -> Result<Option<Gift>> {
        ctx.viewer().require_signed_in()?;
        to_one(ctx, Some(local_id::<Gift>(&id)?)).await
    }

    /// Lists the gifts that the caller may see: admins see all, others those bought or redeemed by their accounts.
    async fn gifts(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Lists only the gifts that match.")] filter: Option<GiftFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<GiftOrder>,
    ) -> Result<Connection<Gift>> {
        page(ctx, GiftFilter::list(filter, order_by)?, page_args(first, after, last, before)).await
    }
}
