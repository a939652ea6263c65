//! Coupons, promotion codes and their redemptions.

use crate::discounts::{Coupons, PromoCodes, Redemptions, RedemptionsOf};
use crate::graphql::accounts::account::Account;
use crate::graphql::common::{
    Connection, ContextExt, Instant, Money, Row, StoredEnum, all_children, child_page, global_id, local_id,
    optional_text, page, page_args, to_exactly_one, to_one,
};
use crate::graphql::payments::payment::Provider;
use crate::graphql::subscriptions::subscription::Subscription;
use crate::{order_input, stored_enum};
use async_graphql::{Context, ID, InputObject, Object, Result};
use entity::{coupons, discount_redemptions, promo_codes};

pub struct Coupon(pub(crate) Row<coupons::Entity>);

stored_enum! {
    /// Duration of a discount.
    CouponDuration: crate::subscriptions::DiscountDuration {
        /// One payment.
        Once,
        /// A number of months.
        Repeating,
        /// Forever. Only discounts of this duration lower recurring revenue.
        Forever,
    }
}

/// A discount that customers can redeem.
#[Object]
impl Coupon {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<Coupon>(self.0.id)
    }

    /// The stable name for programs.
    async fn code(&self) -> &str {
        &self.0.code
    }

    /// The name for people.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The percentage off, in hundredths of a percent: 2500 is 25 %. Null for a fixed amount.
    async fn percent_basis_points(&self) -> Option<i64> {
        self.0.percent_basis_points
    }

    /// The amount off; null for a percentage.
    async fn amount_off(&self) -> Option<Money> {
        Some(Money::new(self.0.amount_off_minor?, self.0.currency.as_deref()?))
    }

    /// The duration of the discount.
    async fn duration(&self) -> Result<CouponDuration> {
        Ok(CouponDuration::read(&self.0.duration)?)
    }

    /// The number of months; null unless the duration is REPEATING.
    async fn duration_months(&self) -> Option<i64> {
        self.0.duration_months
    }

    /// The maximum number of redemptions; null for unlimited.
    async fn max_redemptions(&self) -> Option<i64> {
        self.0.max_redemptions
    }

    /// The end of its validity; null for none.
    async fn redeem_by(&self) -> Option<Instant> {
        self.0.redeem_by.map(Instant::from)
    }

    /// True if it can be redeemed now.
    async fn active(&self) -> bool {
        self.0.active
    }

    /// The provider it was created at; null if it was created here.
    async fn origin_provider(&self) -> Result<Option<Provider>> {
        Ok(Provider::read_option(self.0.provider.as_deref())?)
    }

    /// The id at the provider; null if it was created here.
    async fn origin_external_id(&self) -> Option<&str> {
        self.0.external_id.as_deref()
    }

    /// The number of redemptions as counted by the provider; zero if it was created here.
    async fn times_redeemed(&self) -> i64 {
        self.0.times_redeemed
    }

    /// The creation time.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }

    /// Its promotion codes. Requires the scope `billing:read`; empty without it.
    async fn promo_codes(&self, ctx: &Context<'_>) -> Result<Vec<PromoCode>> {
        all_children(ctx, (), self.0.id, PromoCodes).await
    }

    /// Its redemptions that the caller may see, newest first.
    async fn redemptions(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
    ) -> Result<Connection<DiscountRedemption>> {
        child_page(ctx, RedemptionsOf::Coupon, self.0.id, Redemptions, page_args(first, after, last, before)).await
    }
}

pub struct PromoCode(pub(crate) Row<promo_codes::Entity>);

/// A code that customers type to redeem a coupon.
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

    /// The code to type; case does not matter.
    async fn code(&self) -> &str {
        &self.0.code
    }

    /// The maximum number of redemptions; null for unlimited.
    async fn max_redemptions(&self) -> Option<i64> {
        self.0.max_redemptions
    }

    /// True if only first-time customers can use it.
    async fn first_purchase_only(&self) -> bool {
        self.0.first_purchase_only
    }

    /// The end of its validity; null for none.
    async fn expires_at(&self) -> Option<Instant> {
        self.0.expires_at.map(Instant::from)
    }

    /// True if it can be redeemed now.
    async fn active(&self) -> bool {
        self.0.active
    }

    /// The provider it was created at; null if it was created here.
    async fn origin_provider(&self) -> Result<Option<Provider>> {
        Ok(Provider::read_option(self.0.provider.as_deref())?)
    }

    /// The id at the provider; null if it was created here.
    async fn origin_external_id(&self) -> Option<&str> {
        self.0.external_id.as_deref()
    }

    /// The number of redemptions as counted by the provider; zero if it was created here.
    async fn times_redeemed(&self) -> i64 {
        self.0.times_redeemed
    }

    /// The creation time.
    async fn created_at(&self) -> Instant {
        self.0.created_at.into()
    }
}

pub struct DiscountRedemption(pub(crate) Row<discount_redemptions::Entity>);

/// A redemption of a coupon.
#[Object]
impl DiscountRedemption {
    /// The global id.
    pub(crate) async fn id(&self) -> ID {
        global_id::<DiscountRedemption>(self.0.id)
    }

    /// The account that redeemed it.
    async fn account(&self, ctx: &Context<'_>) -> Result<Account> {
        to_exactly_one(ctx, self.0.account_id).await
    }

    /// The coupon redeemed.
    async fn coupon(&self, ctx: &Context<'_>) -> Result<Coupon> {
        to_exactly_one(ctx, self.0.coupon_id).await
    }

    /// The subscription that it discounts; null if there is none.
    async fn subscription(&self, ctx: &Context<'_>) -> Result<Option<Subscription>> {
        to_one(ctx, self.0.subscription_id).await
    }

    /// The time of the redemption.
    async fn redeemed_at(&self) -> Instant {
        self.0.redeemed_at.into()
    }

    /// The end of the discount; null if it lasts forever.
    async fn ends_at(&self) -> Option<Instant> {
        self.0.ends_at.map(Instant::from)
    }
}

/// Conditions that coupons must meet to be listed.
#[derive(InputObject, Default)]
pub struct CouponFilter {
    /// Can be redeemed now, or cannot.
    active: Option<bool>,
    /// Has this code.
    code: Option<String>,
}

order_input! {
    /// Order of a list of coupons.
    CouponOrder by
    /// Fields that coupons can be ordered by.
    CouponOrderField {
        /// By creation time.
        CreatedAt,
    }
}

/// Query fields for coupons.
#[derive(Default)]
pub struct DiscountQuery;

#[Object]
impl DiscountQuery {
    /// Returns a coupon by its id; null if it does not exist or the caller may not see it.
    async fn coupon(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of the coupon.")] id: ID,
    ) -> Result<Option<Coupon>> {
        ctx.viewer().require_signed_in()?;
        to_one(ctx, Some(local_id::<Coupon>(&id)?)).await
    }

    /// Lists the coupons that the caller may see: admins see all, others those that their accounts redeemed.
    async fn coupons(
        &self,
        ctx: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        last: Option<i32>,
        before: Option<String>,
        #[graphql(desc = "Lists only the coupons that match.")] filter: Option<CouponFilter>,
        #[graphql(desc = "The order; newest first by default.")] order_by: Option<CouponOrder>,
    ) -> Result<Connection<Coupon>> {
        let filter = filter.unwrap_or_default();
        let list = Coupons {
            active: filter.active,
            code: optional_text("code", filter.code)?,
            descending: CouponOrder::descending(order_by, true),
        };
        page(ctx, list, page_args(first, after, last, before)).await
    }
}
