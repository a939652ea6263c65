//! Gifts: one period of a plan that one account pays for and another has.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "gifts",
            vec![
                id().into(),
                // Who buys it.
                reference("account_id", "accounts").into(),
                // The recurring price of a plan, of which it is one period.
                reference("price_id", "prices").into(),
                // What finds the code, and its hash; NULL until the code was shown.
                text_null("prefix").into(),
                text_null("hash").into(),
                text_null("recipient_email").into(),
                text_null("message").into(),
                text("status").into(),
                text("currency").into(),
                big_integer("amount_minor").into(),
                text_null("session_external_id").into(),
                reference_null("payment_id", "payments").into(),
                reference_null("redeemed_by_user", "users").into(),
                reference_null("redeemed_account_id", "accounts").into(),
                instant_null("redeemed_at").into(),
                reference_null("subscription_id", "subscriptions").into(),
                instant_null("expires_at").into(),
                instant("created_at").into(),
                instant_null("paid_at").into(),
                one_of("status", &["open", "paid", "redeemed", "refunded", "abandoned"]),
                iso_currency("currency"),
                check("amount_minor > 0"),
                check("(prefix IS NULL) = (hash IS NULL)"),
                check("status NOT IN ('paid', 'redeemed', 'refunded') OR paid_at IS NOT NULL"),
                check("(status = 'redeemed') = (redeemed_account_id IS NOT NULL)"),
                check("(redeemed_account_id IS NULL) = (redeemed_at IS NULL)"),
                check("redeemed_by_user IS NULL OR redeemed_account_id IS NOT NULL"),
                check("subscription_id IS NULL OR status = 'redeemed'"),
            ],
        )
        .await?;
        unique(manager, "gifts", &["prefix"]).await?;
        unique(manager, "gifts", &["session_external_id"]).await?;
        unique(manager, "gifts", &["subscription_id"]).await?;
        index(manager, "gifts", &["payment_id"]).await?;
        index(manager, "gifts", &["price_id"]).await?;
        index(manager, "gifts", &["redeemed_by_user"]).await?;
        index(manager, "gifts", &["account_id", "created_at", "id"]).await?;
        index(manager, "gifts", &["redeemed_account_id", "created_at", "id"]).await?;
        index(manager, "gifts", &["status", "created_at", "id"]).await?;
        index(manager, "gifts", &["created_at", "id"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, &["gifts"]).await
    }
}
