//! Gifts, and who bought and redeemed them.

use crate::gifts as feature;
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{
    Connection, DateTimeRange, Instant, Money, Row, Word, global_id, listed, optional_text, page_args, to_one,
};
use crate::graphql::payments::payment::Payment;
use crate::graphql::plans::parts::Price;
use crate::graphql::subscriptions::subscription::Subscription;
use crate::{order_input, words};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::gifts;

pub struct Gift(pub(crate) Row<gifts::Entity>);

words! {
    /// Where a gift stands.
    GiftStatus {
        /// Its checkout is not paid yet.
        Open = "open",
        /// It can be redeemed.
        Paid = "paid",
        /// Someone has it.
        Redeemed = "redeemed",
        /// Its buyer has the money back.
        Refunded = "refunded",
        /// Its checkout ended without a payment.
        Abandoned = "abandoned",
    }
}

/// One period of a plan that one account pays for and another has. Seen by both.
#[Object]
impl Gift {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<Gift>(self.0.id)
    }

    /// Who bought it; null for whoever redeemed it and does not share the buyer's account.
    async fn buyer(&self, ctx: &Context<'_>) -> Result<Option<Account>> {
        to_one(ctx, Some(self.0.account_id)).await
    }

    /// The recurring price of a plan, of which it is one period; null where the price is not public any more.
    async fn gift_price(&self, ctx: &Context<'_>) -> Result<Option<Price>> {
        to_one(ctx, Some(self.0.price_id)).await
    }

    /// What its code begins with, which is no secret; null until the code was shown.
    async fn code_prefix(&self) -> Option<&str> {
        self.0.prefix.as_deref()
    }

    /// Who is to get it, as the buyer wrote; null where they did not.
    async fn recipient_email(&self) -> Option<&str> {
        self.0.recipient_email.as_deref()
    }

    /// What the buyer had to say with it; null where they had nothing.
    async fn gift_message(&self) -> Option<&str> {
        self.0.message.as_deref()
    }

    /// Where it stands.
    async fn gift_status(&self) -> Result<GiftStatus> {
        Ok(GiftStatus::read(&self.0.status)?)
    }

    /// What it cost.
    async fn amount(&self) -> Money {
        Money::new(self.0.amount_minor, &self.0.currency)
    }

    /// The payment it was bought with; null until there is one, and for who may not see it.
    async fn purchase(&self, ctx: &Context<'_>) -> Result<Option<Payment>> {
        to_one(ctx, self.0.payment_id).await
    }

    /// Who has it; null while nobody has, and for a buyer who does not share that account.
    async fn redeemer(&self, ctx: &Context<'_>) -> Result<Option<Account>> {
        to_one(ctx, self.0.redeemed_account_id).await
    }

    /// When it was redeemed; null where it was not.
    async fn gift_redeemed_at(&self) -> Option<Instant> {
        self.0.redeemed_at.map(Instant::from)
    }

    /// The subscription it was redeemed for; null while there is none, and for who may not see it.
    async fn subscription(&self, ctx: &Context<'_>) -> Result<Option<Subscription>> {
        to_one(ctx, self.0.subscription_id).await
    }

    /// Until when it can be redeemed; null for ever.
    async fn expires_at(&self) -> Option<Instant> {
        self.0.expires_at.map(Instant::from)
    }

    /// When its checkout was begun.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// When it was paid; null where it was not.
    async fn paid_at(&self) -> Option<Instant> {
        self.0.paid_at.map(Instant::from)
    }
}

/// Which gifts to list.
#[derive(InputObject, Default)]
pub struct GiftFilter {
    /// In one of these statuses.
    status: Option<Vec<GiftStatus>>,
    /// The one whose code begins like this, e.g. `TGG-7K2QX-9W4TB`.
    code_prefix: Option<String>,
    /// Bought in this span.
    created_at: Option<DateTimeRange>,
}

order_input! {
    /// How to order gifts.
    GiftOrder by
    /// What gifts can be ordered by.
    GiftOrderField {
        /// When their checkouts were begun.
        CreatedAt,
    }
}

impl GiftFilter {
    pub(crate) fn list(filter: Option<Self>, order: Option<GiftOrder>) -> crate::error::Result<feature::Gifts> {
        let filter = filter.unwrap_or_default();
        Ok(feature::Gifts {
            statuses: Word::words(filter.status),
            prefix: optional_text("codePrefix", filter.code_prefix)?,
            created: DateTimeRange::between(filter.created_at),
            descending: GiftOrder::descending(order, true),
        })
    }
}

/// What can be asked about gifts.
#[derive(Default)]
pub struct GiftQuery;

#[Object]
impl GiftQuery {
    /// The gifts that the caller may see: all of them for admins, else those that one's accounts bought or redeemed.
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
        listed(ctx, GiftFilter::list(filter, order_by)?, page_args(first, after, last, before)).await
    }
}
