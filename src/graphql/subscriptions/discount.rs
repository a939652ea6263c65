//! Discounts of subscriptions, and the changes of recurring revenue that they cause.

use crate::graphql::common::{ContextExt, Instant, Money, Row, StoredEnum, global_id};
use crate::graphql::coupons::coupon::CouponDuration;
use crate::stored_enum;
use async_graphql::{Context, ID, Object, Result};
use entity::{subscription_arr_changes, subscription_discounts};

pub struct SubscriptionDiscount(pub(crate) Row<subscription_discounts::Entity>);

stored_enum! {
    /// The part of the bill that a discount is given on.
    DiscountScope: crate::subscriptions::DiscountScope {
        /// All subscriptions of the customer that have no discount of their own.
        Customer,
        /// The subscription.
        Subscription,
        /// One item of the subscription.
        Item,
    }
}

/// A discount that a subscription has or had.
#[Object]
impl SubscriptionDiscount {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<SubscriptionDiscount>(self.0.id)
    }

    /// The id at the provider.
    async fn external_id(&self) -> &str {
        &self.0.external_id
    }

    /// The part of the bill that it is given on.
    async fn scope(&self) -> Result<DiscountScope> {
        Ok(DiscountScope::read(&self.0.scope)?)
    }

    /// The id at the provider of the item that it is given on; null if it is for all items.
    async fn item_external_id(&self) -> Option<&str> {
        self.0.item_external_id.as_deref()
    }

    /// The ids at the provider of the products (at Paddle also of prices) that it is restricted to; null if it is for all.
    async fn product_external_ids(&self) -> Option<Vec<String>> {
        let ids = self.0.products.as_ref()?.as_array()?;
        Some(ids.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect())
    }

    /// The id of the coupon at the provider; null if it is unknown here.
    async fn coupon_external_id(&self) -> Option<&str> {
        self.0.coupon_external_id.as_deref()
    }

    /// The duration; null if the terms are unknown here, in which case the recurring revenue is unknown too.
    async fn discount_duration(&self) -> Result<Option<CouponDuration>> {
        Ok(self.0.duration.as_deref().map(CouponDuration::read).transpose()?)
    }

    /// The percentage, in hundredths of a percent; null for an amount off.
    async fn percent_basis_points(&self) -> Option<i64> {
        self.0.percent_basis_points
    }

    /// The amount off each invoice; null for a percentage. In another currency than the subscription's it does not say
    /// what is deducted, and the recurring revenue is unknown.
    async fn amount_off(&self) -> Option<Money> {
        Money::known(self.0.amount_off_minor, self.0.currency.as_deref())
    }

    /// True if `amountOff` is taken off each unit.
    async fn per_unit(&self) -> bool {
        self.0.per_unit
    }

    /// The start; null if the provider does not state it.
    async fn begins_at(&self) -> Option<Instant> {
        self.0.starts_at.map(Instant::from)
    }

    /// The end, past or future: as planned, or when it was removed. Null if it continues.
    async fn ends_at(&self) -> Option<Instant> {
        self.0.ends_at.map(Instant::from)
    }

    /// True if it has begun and not ended.
    async fn in_force(&self, ctx: &Context<'_>) -> bool {
        let now = ctx.app().now().fixed_offset();
        self.0.starts_at.is_none_or(|start| start <= now) && self.0.ends_at.is_none_or(|end| end > now)
    }
}

pub struct SubscriptionArrChange(pub(crate) Row<subscription_arr_changes::Entity>);

/// A change of the annual recurring revenue while a state of a subscription lasts, because a discount begins or ends.
#[Object]
impl SubscriptionArrChange {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<SubscriptionArrChange>(self.0.id)
    }

    /// The time of the change.
    async fn effective_at(&self) -> Instant {
        self.0.effective_at.into()
    }

    /// Annual recurring revenue from then on, after discounts that last forever; null if an amount is unknown here.
    async fn arr(&self) -> Option<Money> {
        Money::known(self.0.arr_minor, self.0.currency.as_deref())
    }

    /// Annual recurring revenue from then on, after all discounts in force; null if an amount is unknown here.
    async fn discounted_arr(&self) -> Option<Money> {
        Money::known(self.0.discounted_arr_minor, self.0.currency.as_deref())
    }
}
