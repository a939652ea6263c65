//! Coupons, the codes that stand for them, and who used them.

use crate::graphql::accounts::account::Account;
use crate::graphql::common::{
    BigInt, Connection, Instant, Money, Row, Word, all_under, global_id, listed, optional_text, page_args,
    to_exactly_one, to_one, under,
};
use crate::graphql::payments::payment::Provider;
use crate::graphql::subscriptions::subscription::Subscription;
use crate::payments::{Coupons, PromoCodes, Redemptions, RedemptionsOf};
use crate::{order_input, words};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::{coupons, discount_redemptions, promo_codes};

pub struct Coupon(pub(crate) Row<coupons::Entity>);

words! {
    /// How long a discount lasts.
    CouponDuration {
        /// For one payment.
        Once = "once",
        /// For some months.
        Repeating = "repeating",
        /// For ever. Discounts of this kind alone lower recurring revenue.
        Forever = "forever",
    }
}

/// A discount that can be had.
#[Object]
impl Coupon {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<Coupon>(self.0.id)
    }

    /// The stable name for machines.
    async fn code(&self) -> &str {
        &self.0.code
    }

    /// The name for people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// What it takes off, in hundredths of a percent: 2500 is a quarter. Null for one that takes off an amount.
    async fn percent_basis_points(&self) -> Option<BigInt> {
        self.0.percent_basis_points.map(BigInt)
    }

    /// What it takes off; null for one that takes off a percentage.
    async fn amount_off(&self) -> Option<Money> {
        Some(Money::new(self.0.amount_off_minor?, self.0.currency.as_deref()?))
    }

    /// How long it lasts.
    async fn duration(&self) -> Result<CouponDuration> {
        Ok(CouponDuration::read(&self.0.duration)?)
    }

    /// For how many months; null unless it is repeating.
    async fn duration_months(&self) -> Option<BigInt> {
        self.0.duration_months.map(BigInt)
    }

    /// How often it can be used; null for without limit.
    async fn max_redemptions(&self) -> Option<BigInt> {
        self.0.max_redemptions.map(BigInt)
    }

    /// Until when it can be used; null for without end.
    async fn redeem_by(&self) -> Option<Instant> {
        self.0.redeem_by.map(Instant::from)
    }

    /// Whether it can be used at present.
    async fn active(&self) -> bool {
        self.0.active
    }

    /// At which provider it was made; null for one that was made here.
    async fn origin_provider(&self) -> Result<Option<Provider>> {
        Ok(Provider::read_option(self.0.provider.as_deref())?)
    }

    /// Its id at the provider; null for one that was made here.
    async fn origin_external_id(&self) -> Option<&str> {
        self.0.external_id.as_deref()
    }

    /// How often it was used, by the provider's count; zero for one that was made here.
    async fn times_redeemed(&self) -> BigInt {
        BigInt(self.0.times_redeemed)
    }

    /// When it was made.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// The codes that stand for it. Needs the scope `billing:read`; empty without it.
    async fn promo_codes(&self, ctx: &Context<'_>) -> Result<Vec<PromoCode>> {
        all_under(ctx, (), self.0.id, PromoCodes).await
    }

    /// Who used it, newest first, as far as the caller may see them.
    async fn redemptions(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Connection<DiscountRedemption>> {
        under(ctx, RedemptionsOf::Coupon, self.0.id, Redemptions, page_args(first, after, last, before)).await
    }
}

pub struct PromoCode(pub(crate) Row<promo_codes::Entity>);

/// What customers type to get a coupon.
#[Object]
impl PromoCode {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<PromoCode>(self.0.id)
    }

    /// The coupon.
    async fn coupon(&self, ctx: &Context<'_>) -> Result<Coupon> {
        to_exactly_one(ctx, self.0.coupon_id).await
    }

    /// What is typed; its case does not matter.
    async fn code(&self) -> &str {
        &self.0.code
    }

    /// How often it can be used; null for without limit.
    async fn max_redemptions(&self) -> Option<BigInt> {
        self.0.max_redemptions.map(BigInt)
    }

    /// Whether it is for those alone who never paid before.
    async fn first_purchase_only(&self) -> bool {
        self.0.first_purchase_only
    }

    /// Until when it can be used; null for without end.
    async fn expires_at(&self) -> Option<Instant> {
        self.0.expires_at.map(Instant::from)
    }

    /// Whether it can be used at present.
    async fn active(&self) -> bool {
        self.0.active
    }

    /// At which provider it was made; null for one that was made here.
    async fn origin_provider(&self) -> Result<Option<Provider>> {
        Ok(Provider::read_option(self.0.provider.as_deref())?)
    }

    /// Its id at the provider; null for one that was made here.
    async fn origin_external_id(&self) -> Option<&str> {
        self.0.external_id.as_deref()
    }

    /// How often it was used, by the provider's count; zero for one that was made here.
    async fn times_redeemed(&self) -> BigInt {
        BigInt(self.0.times_redeemed)
    }

    /// When it was made.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }
}

pub struct DiscountRedemption(pub(crate) Row<discount_redemptions::Entity>);

/// One use of a discount.
#[Object]
impl DiscountRedemption {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<DiscountRedemption>(self.0.id)
    }

    /// Who used it.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// What was used.
    async fn coupon(&self, ctx: &Context<'_>) -> Result<Coupon> {
        to_exactly_one(ctx, self.0.coupon_id).await
    }

    /// The subscription that it lowers; null where it lowers none.
    async fn subscription(&self, ctx: &Context<'_>) -> Result<Option<Subscription>> {
        to_one(ctx, self.0.subscription_id).await
    }

    /// When it was used.
    async fn redeemed_at(&self) -> Instant {
        self.0.redeemed_at.into()
    }

    /// Until when it lowers what is paid; null for ever.
    async fn ends_at(&self) -> Option<Instant> {
        self.0.ends_at.map(Instant::from)
    }
}

/// Which coupons to list.
#[derive(InputObject, Default)]
pub struct CouponFilter {
    /// Whether they can be used at present.
    active: Option<bool>,
    /// This code alone.
    code: Option<String>,
}

order_input! {
    /// How to order coupons.
    CouponOrder by
    /// What coupons can be ordered by.
    CouponOrderField {
        /// When they were made.
        CreatedAt,
    }
}

/// What can be asked about discounts.
#[derive(Default)]
pub struct DiscountQuery;

#[Object]
impl DiscountQuery {
    /// The coupons that the caller may see: all of them for admins, else those that one has used.
    async fn coupons(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Keeps the coupons that match.")] filter: Option<CouponFilter>,
        #[graphql(desc = "The order; newest first where it is left out.")] order_by: Option<CouponOrder>,
    ) -> Result<Connection<Coupon>> {
        let filter = filter.unwrap_or_default();
        let list = Coupons {
            active: filter.active,
            code: optional_text("code", filter.code)?,
            descending: CouponOrder::descending(order_by, true),
        };
        listed(ctx, list, page_args(first, after, last, before)).await
    }
}
