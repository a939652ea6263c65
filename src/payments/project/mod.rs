//! Money and discounts as the payment providers have them.

mod discount;
mod invoice;
mod payment;
mod refund;

pub use discount::{project_coupon, project_promo_code, project_redemption};
pub use invoice::project_invoice;
pub use payment::project_payment;
pub use refund::note_credits_taken_back;

use super::values::{DisputeStatus, InvoiceStatus, PaymentStatus, RefundStatus, RevenueStream};
use crate::subscriptions::DiscountDuration;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// An invoice at a payment provider, as it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedInvoice {
    /// `stripe` or `paddle`.
    pub provider: &'static str,
    /// Its id there.
    pub external_id: String,
    /// The customer's id there.
    pub customer_external_id: Option<String>,
    /// The id there of the subscription that it bills for.
    pub subscription_external_id: Option<String>,
    /// The id there of the payment that is to pay it.
    pub payment_external_id: Option<String>,
    /// Its number for people.
    pub number: Option<String>,
    /// Its status.
    pub status: InvoiceStatus,
    /// Why it was made, in the provider's word.
    pub billing_reason: Option<String>,
    /// ISO 4217, upper case.
    pub currency: String,
    /// Before discounts, without the tax that is told apart.
    pub subtotal_minor: i64,
    /// What discounts took off.
    pub discount_minor: i64,
    /// Tax, such that total = subtotal - discount + tax.
    pub tax_minor: i64,
    /// What it comes to.
    pub total_minor: i64,
    /// What is to be paid.
    pub due_minor: i64,
    /// What was paid.
    pub paid_minor: i64,
    /// How often payment was tried.
    pub attempt_count: i64,
    /// The time that it bills for.
    pub period: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// When it is to be paid.
    pub due_at: Option<DateTime<Utc>>,
    /// When it was paid.
    pub paid_at: Option<DateTime<Utc>>,
    /// Where people see and pay it.
    pub hosted_url: Option<String>,
    /// When it was made there.
    pub created_at: DateTime<Utc>,
}

/// A payment at a payment provider with all that is tied to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedPayment {
    /// `stripe` or `paddle`.
    pub provider: &'static str,
    /// Its id there.
    pub external_id: String,
    /// The customer's id there.
    pub customer_external_id: Option<String>,
    /// The id there of the charge that carried it out; `None` where none did.
    pub charge_external_id: Option<String>,
    /// The id there of the invoice that it pays.
    pub invoice_external_id: Option<String>,
    /// The id there of the subscription that it is for.
    pub subscription_external_id: Option<String>,
    /// The stream of revenue that it belongs to.
    pub stream: RevenueStream,
    /// Its status.
    pub status: PaymentStatus,
    /// The provider's own word for it.
    pub provider_status: Option<String>,
    /// ISO 4217, upper case.
    pub currency: String,
    /// What was asked for.
    pub amount_minor: i64,
    /// What came in.
    pub received_minor: i64,
    /// What was paid back so far: the provider's cumulative figure, which can go down again.
    pub refunded_minor: i64,
    /// What the provider kept; `None` where it does not say.
    pub fee_minor: Option<i64>,
    /// Whether there is or was a dispute.
    pub disputed: bool,
    /// How often it was tried in vain.
    pub failed_attempts: i64,
    /// Why it failed last, in the provider's word; `None` once it succeeded.
    pub failure_code: Option<String>,
    /// What it is for, for people.
    pub description: Option<String>,
    /// When it succeeded; set exactly when the status is `succeeded`.
    pub paid_at: Option<DateTime<Utc>>,
    /// When it was made there.
    pub created_at: DateTime<Utc>,
    /// What was paid back or asked back.
    pub refunds: Vec<ObservedRefund>,
    /// What was disputed.
    pub disputes: Vec<ObservedDispute>,
}

/// A refund at a payment provider, as it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedRefund {
    /// Its id there.
    pub external_id: String,
    /// The id there of the charge that it takes from.
    pub charge_external_id: Option<String>,
    /// The refund here that it carries out; `None` for one that was made there.
    pub refund_id: Option<Uuid>,
    /// Its status.
    pub status: RefundStatus,
    /// The provider's own word for it.
    pub provider_status: String,
    /// How much, in the payment's currency.
    pub amount_minor: i64,
    /// Why, in the provider's word.
    pub reason: Option<String>,
    /// When it was made there.
    pub created_at: DateTime<Utc>,
    /// When it was carried out; set exactly when the status is `processed`.
    pub processed_at: Option<DateTime<Utc>>,
    /// Why it failed, in the provider's word.
    pub failure_code: Option<String>,
}

/// A dispute at a payment provider, as it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedDispute {
    /// Its id there.
    pub external_id: String,
    /// The id there of the charge that is disputed.
    pub charge_external_id: Option<String>,
    /// Its status.
    pub status: DisputeStatus,
    /// The provider's own word for it.
    pub provider_status: String,
    /// How much, in the payment's currency.
    pub amount_minor: i64,
    /// Why, in the provider's word.
    pub reason: Option<String>,
    /// When it was made there.
    pub created_at: DateTime<Utc>,
    /// When it was won or lost; set exactly when the status is one of these.
    pub closed_at: Option<DateTime<Utc>>,
}

/// A coupon at a payment provider, as it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedCoupon {
    /// `stripe` or `paddle`.
    pub provider: &'static str,
    /// Its id there.
    pub external_id: String,
    /// The name for people.
    pub name: Option<String>,
    /// The percentage that it takes off, in hundredths of a percent.
    pub percent_basis_points: Option<i64>,
    /// The amount that it takes off, with its currency in upper case.
    pub amount_off: Option<(i64, String)>,
    /// For how long it lowers what a subscription costs.
    pub duration: DiscountDuration,
    /// For how many months it repeats.
    pub duration_months: Option<i64>,
    /// How often it may be redeemed.
    pub max_redemptions: Option<i64>,
    /// Until when it may be redeemed.
    pub redeem_by: Option<DateTime<Utc>>,
    /// How often it was redeemed.
    pub times_redeemed: i64,
    /// Whether it can be redeemed now.
    pub valid: bool,
    /// Whether each account may redeem it once alone.
    pub once_per_account: bool,
    /// When it was made there.
    pub created_at: DateTime<Utc>,
}

/// A promotion code at a payment provider, as it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedPromoCode {
    /// `stripe` or `paddle`.
    pub provider: &'static str,
    /// Its id there.
    pub external_id: String,
    /// The id there of the coupon that it gives.
    pub coupon_external_id: String,
    /// What people type.
    pub code: String,
    /// The id there of the customer that it is for alone.
    pub customer_external_id: Option<String>,
    /// How often it may be redeemed.
    pub max_redemptions: Option<i64>,
    /// Whether it is for the first purchase alone.
    pub first_purchase_only: bool,
    /// Until when it may be redeemed.
    pub expires_at: Option<DateTime<Utc>>,
    /// How often it was redeemed.
    pub times_redeemed: i64,
    /// Whether it can be redeemed now.
    pub active: bool,
    /// When it was made there.
    pub created_at: DateTime<Utc>,
}

/// A discount that a customer was given at a payment provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedRedemption {
    /// `stripe` or `paddle`.
    pub provider: &'static str,
    /// The coupon's id there.
    pub coupon_external_id: String,
    /// The promotion code's id there, where one was used.
    pub promo_code_external_id: Option<String>,
    /// The id there of the subscription that it lowers.
    pub subscription_external_id: Option<String>,
    /// When it was given.
    pub redeemed_at: DateTime<Utc>,
    /// When it ends or ended.
    pub ends_at: Option<DateTime<Utc>>,
}
