//! The rows of a discount: what the account redeemed, and what the subscription has.

use super::customer::Customer;
use super::subscription::Subscription;
use ::entity::{discount_redemptions, subscription_discounts};

impl Subscription<'_> {
    /// Writes the discount that ends or stays.
    pub(super) fn write_redemption(&self, customer: &mut Customer<'_>) {
        if let Some(discount) = &self.discount {
            let coupon = &discount.coupon;
            customer.rows.subscription_discounts.push(subscription_discounts::Model {
                id: customer.aside.id(discount.redeemed_at),
                account_id: self.row.account_id,
                subscription_id: self.row.id,
                external_id: customer.aside.token("di_"),
                scope: "subscription".to_owned(),
                item_external_id: None,
                products: None,
                coupon_external_id: None,
                duration: Some(coupon.duration.name().to_owned()),
                percent_basis_points: coupon.percent_basis_points,
                amount_off_minor: coupon.amount_off_minor,
                currency: coupon.currency.map(str::to_owned),
                per_unit: false,
                starts_at: Some(discount.redeemed_at),
                ends_at: discount.ends_at,
                created_at: discount.redeemed_at,
            });
            customer.rows.discount_redemptions.push(discount_redemptions::Model {
                id: discount.redemption,
                account_id: self.row.account_id,
                coupon_id: discount.coupon.id,
                promo_code_id: Some(discount.coupon.promo_code_id),
                subscription_id: Some(self.row.id),
                redeemed_at: discount.redeemed_at,
                ends_at: discount.ends_at,
            });
        }
    }
}
