//! Discounts and money: coupons, invoices, payments, refunds, disputes.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        coupons(manager).await?;
        invoices(manager).await?;
        payments(manager).await?;
        redemptions(manager).await?;
        refunds(manager).await?;
        disputes(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, &["disputes", "refunds", "discount_redemptions", "payments", "invoices"]).await?;
        drop(manager, &["promo_codes", "coupons"]).await
    }
}

async fn coupons(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "coupons",
        vec![
            id().into(),
            text("code").into(),
            text("name").into(),
            big_integer_null("percent_basis_points").into(),
            big_integer_null("amount_off_minor").into(),
            text_null("currency").into(),
            text("duration").into(),
            big_integer_null("duration_months").into(),
            big_integer_null("max_redemptions").into(),
            instant_null("redeem_by").into(),
            boolean("active").into(),
            instant("created_at").into(),
            one_of("duration", &["once", "repeating", "forever"]),
            iso_currency("currency"),
            check("(percent_basis_points IS NULL) <> (amount_off_minor IS NULL)"),
            check("percent_basis_points BETWEEN 1 AND 10000"),
            check("amount_off_minor > 0"),
            check("(amount_off_minor IS NULL) = (currency IS NULL)"),
            check("(duration = 'repeating') = (duration_months IS NOT NULL)"),
            check("duration_months > 0"),
            check("max_redemptions > 0"),
        ],
    )
    .await?;
    unique(manager, "coupons", &["code"]).await?;
    index(manager, "coupons", &["created_at", "id"]).await?;

    create(
        manager,
        "promo_codes",
        vec![
            id().into(),
            reference("coupon_id", "coupons").into(),
            text("code").into(),
            text("code_normalized").into(),
            big_integer_null("max_redemptions").into(),
            boolean("first_purchase_only").into(),
            instant_null("expires_at").into(),
            boolean("active").into(),
            instant("created_at").into(),
            check("max_redemptions > 0"),
        ],
    )
    .await?;
    unique(manager, "promo_codes", &["code_normalized"]).await?;
    index(manager, "promo_codes", &["coupon_id", "id"]).await
}

async fn invoices(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "invoices",
        vec![
            id().into(),
            reference("account_id", "accounts").into(),
            reference_null("subscription_id", "subscriptions").into(),
            text("provider").into(),
            text("external_id").into(),
            text_null("number").into(),
            text("status").into(),
            text("currency").into(),
            big_integer("subtotal_minor").into(),
            big_integer("discount_minor").into(),
            big_integer("tax_minor").into(),
            big_integer("total_minor").into(),
            big_integer("paid_minor").into(),
            instant_null("period_start").into(),
            instant_null("period_end").into(),
            instant_null("due_at").into(),
            instant_null("paid_at").into(),
            instant("created_at").into(),
            one_of("provider", &["stripe", "paddle"]),
            one_of("status", &["draft", "open", "paid", "void", "uncollectible"]),
            iso_currency("currency"),
            check("discount_minor >= 0 AND tax_minor >= 0 AND paid_minor >= 0"),
            check("total_minor = subtotal_minor - discount_minor + tax_minor"),
        ],
    )
    .await?;
    unique(manager, "invoices", &["provider", "external_id"]).await?;
    index(manager, "invoices", &["account_id", "created_at", "id"]).await?;
    index(manager, "invoices", &["subscription_id", "created_at", "id"]).await?;
    index(manager, "invoices", &["status", "created_at", "id"]).await?;
    index(manager, "invoices", &["created_at", "id"]).await
}

async fn payments(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "payments",
        vec![
            id().into(),
            reference("account_id", "accounts").into(),
            reference_null("subscription_id", "subscriptions").into(),
            reference_null("invoice_id", "invoices").into(),
            text("provider").into(),
            text("external_id").into(),
            text("stream").into(),
            text("status").into(),
            text("currency").into(),
            big_integer("amount_minor").into(),
            big_integer_null("fee_minor").into(),
            big_integer("refunded_minor").into(),
            text_null("description").into(),
            text_null("failure_code").into(),
            instant_null("paid_at").into(),
            instant("created_at").into(),
            one_of("provider", &["stripe", "paddle"]),
            one_of("stream", &["subscription", "addon", "credits", "gift", "other"]),
            one_of("status", &["pending", "succeeded", "failed", "canceled"]),
            iso_currency("currency"),
            check("amount_minor >= 0 AND fee_minor >= 0"),
            check("refunded_minor BETWEEN 0 AND amount_minor"),
            check("(status = 'succeeded') = (paid_at IS NOT NULL)"),
            check("status = 'succeeded' OR refunded_minor = 0"),
        ],
    )
    .await?;
    unique(manager, "payments", &["provider", "external_id"]).await?;
    index(manager, "payments", &["account_id", "created_at", "id"]).await?;
    index(manager, "payments", &["subscription_id", "created_at", "id"]).await?;
    index(manager, "payments", &["invoice_id", "created_at", "id"]).await?;
    index(manager, "payments", &["status", "created_at", "id"]).await?;
    index(manager, "payments", &["stream", "created_at", "id"]).await?;
    index(manager, "payments", &["created_at", "id"]).await?;
    // Revenue is a sum over this index alone.
    index(manager, "payments", &["status", "paid_at", "currency", "stream", "amount_minor"]).await
}

async fn redemptions(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "discount_redemptions",
        vec![
            id().into(),
            reference("account_id", "accounts").into(),
            reference("coupon_id", "coupons").into(),
            reference_null("promo_code_id", "promo_codes").into(),
            reference_null("subscription_id", "subscriptions").into(),
            instant("redeemed_at").into(),
            instant_null("ends_at").into(),
            check("ends_at >= redeemed_at"),
        ],
    )
    .await?;
    unique(manager, "discount_redemptions", &["coupon_id", "account_id", "subscription_id"]).await?;
    index(manager, "discount_redemptions", &["account_id", "redeemed_at", "id"]).await?;
    index(manager, "discount_redemptions", &["coupon_id", "redeemed_at", "id"]).await?;
    index(manager, "discount_redemptions", &["promo_code_id"]).await
}

async fn refunds(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "refunds",
        vec![
            id().into(),
            reference("account_id", "accounts").into(),
            reference("payment_id", "payments").into(),
            text("provider").into(),
            text_null("external_id").into(),
            text("status").into(),
            text("currency").into(),
            big_integer("amount_minor").into(),
            text_null("reason").into(),
            text_null("requested_by").into(),
            text_null("decided_by").into(),
            big_integer("credits_taken_back").into(),
            instant("created_at").into(),
            instant_null("processed_at").into(),
            one_of("provider", &["stripe", "paddle"]),
            one_of("status", &["requested", "approved", "denied", "processed", "failed"]),
            iso_currency("currency"),
            check("amount_minor > 0"),
            check("credits_taken_back >= 0"),
            check("status <> 'processed' OR processed_at IS NOT NULL"),
        ],
    )
    .await?;
    unique(manager, "refunds", &["provider", "external_id"]).await?;
    index(manager, "refunds", &["account_id", "created_at", "id"]).await?;
    index(manager, "refunds", &["payment_id", "created_at", "id"]).await?;
    index(manager, "refunds", &["status", "created_at", "id"]).await?;
    index(manager, "refunds", &["created_at", "id"]).await?;
    index(manager, "refunds", &["status", "processed_at", "payment_id", "amount_minor"]).await
}

async fn disputes(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "disputes",
        vec![
            id().into(),
            reference("account_id", "accounts").into(),
            reference("payment_id", "payments").into(),
            text("provider").into(),
            text("external_id").into(),
            text("status").into(),
            text("currency").into(),
            big_integer("amount_minor").into(),
            text_null("reason").into(),
            instant("created_at").into(),
            instant_null("closed_at").into(),
            one_of("provider", &["stripe", "paddle"]),
            one_of("status", &["warning", "needs_response", "under_review", "won", "lost"]),
            iso_currency("currency"),
            check("amount_minor > 0"),
            check("(status IN ('won', 'lost')) = (closed_at IS NOT NULL)"),
        ],
    )
    .await?;
    unique(manager, "disputes", &["provider", "external_id"]).await?;
    index(manager, "disputes", &["payment_id", "created_at", "id"]).await?;
    index(manager, "disputes", &["created_at", "id"]).await
}
