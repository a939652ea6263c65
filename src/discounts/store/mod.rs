//! Queries on coupons, promotion codes and redemptions.

pub(super) mod mirror;
pub(super) mod redeem;

use crate::auth::Scope;
use crate::db::{ChildListing, Listing, Order, Visible, in_accounts_of, unrestricted_only};
use crate::order;
use entity::{coupons, discount_redemptions, promo_codes};
use sea_orm::sea_query::{ExprTrait, Query, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select};

impl Visible for coupons::Entity {
    /// Selects the coupons that the caller has redeemed; nobody lists the others.
    fn visible(scope: Scope) -> Select<Self> {
        let rows = Self::find();
        let Scope::User(_) = scope else { return rows.filter(unrestricted_only(scope)) };
        let redeemed = Query::select()
            .column(discount_redemptions::Column::CouponId)
            .from(discount_redemptions::Entity)
            .and_where(in_accounts_of(scope, discount_redemptions::Column::AccountId))
            .take();
        rows.filter(coupons::Column::Id.in_subquery(redeemed))
    }
}

impl Visible for promo_codes::Entity {
    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(unrestricted_only(scope))
    }
}

impl Visible for discount_redemptions::Entity {
    fn visible(scope: Scope) -> Select<Self> {
        Self::find().filter(in_accounts_of(scope, discount_redemptions::Column::AccountId))
    }
}

/// Coupons, by time of creation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Coupons {
    /// Only those that can be redeemed now, or only those that cannot; `None` for both.
    pub active: Option<bool>,
    /// Only the one with this code.
    pub code: Option<String>,
    /// Newest first.
    pub descending: bool,
}

impl Listing for Coupons {
    type Entity = coupons::Entity;

    fn filter(&self, mut rows: Select<coupons::Entity>) -> Select<coupons::Entity> {
        if let Some(active) = self.active {
            rows = rows.filter(coupons::Column::Active.eq(active));
        }
        if let Some(code) = &self.code {
            rows = rows.filter(coupons::Column::Code.eq(code));
        }
        rows
    }

    fn order(&self) -> Order<coupons::Entity> {
        order!(coupons, created_at, CreatedAt, self.descending)
    }
}

/// Promotion codes of a coupon, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PromoCodes;

impl Listing for PromoCodes {
    type Entity = promo_codes::Entity;

    fn filter(&self, rows: Select<promo_codes::Entity>) -> Select<promo_codes::Entity> {
        rows
    }

    fn order(&self) -> Order<promo_codes::Entity> {
        order!(promo_codes, id, false)
    }
}

impl ChildListing for PromoCodes {
    type Of = ();

    fn belongs_to((): (), coupon: SimpleExpr) -> SimpleExpr {
        promo_codes::Column::CouponId.into_expr().eq(coupon)
    }
}

/// Redemptions, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Redemptions;

impl Listing for Redemptions {
    type Entity = discount_redemptions::Entity;

    fn filter(&self, rows: Select<discount_redemptions::Entity>) -> Select<discount_redemptions::Entity> {
        rows
    }

    fn order(&self) -> Order<discount_redemptions::Entity> {
        order!(discount_redemptions, redeemed_at, RedeemedAt, true)
    }
}

/// The parent of a list of redemptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RedemptionsOf {
    /// The account that redeemed.
    Account,
    /// The redeemed coupon.
    Coupon,
}

impl ChildListing for Redemptions {
    type Of = RedemptionsOf;

    fn belongs_to(of: RedemptionsOf, parent: SimpleExpr) -> SimpleExpr {
        use discount_redemptions::Column;
        match of {
            RedemptionsOf::Account => Column::AccountId.into_expr().eq(parent),
            RedemptionsOf::Coupon => Column::CouponId.into_expr().eq(parent),
        }
    }
}
