//! People, the accounts they bill through, and the keys of their back ends.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        people(manager).await?;
        accounts(manager).await?;
        create(
            manager,
            "api_keys",
            vec![
                id().into(),
                text("name").into(),
                text("prefix").into(),
                text("hash").into(),
                text("scopes").into(),
                text("created_by").into(),
                instant("created_at").into(),
                instant_null("expires_at").into(),
                instant_null("revoked_at").into(),
                instant_null("last_used_at").into(),
            ],
        )
        .await?;
        unique(manager, "api_keys", &["prefix"]).await?;
        index(manager, "api_keys", &["created_at", "id"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, &["api_keys", "account_members", "accounts", "user_identities", "users"]).await
    }
}

async fn people(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "users",
        vec![
            id().into(),
            text_null("email").into(),
            text_null("email_normalized").into(),
            text_null("name").into(),
            text_null("avatar_url").into(),
            text_null("locale").into(),
            text("role").into(),
            instant("created_at").into(),
            instant_null("last_active_at").into(),
            instant_null("erased_at").into(),
            one_of("role", &["user", "admin"]),
        ],
    )
    .await?;
    index(manager, "users", &["created_at", "id"]).await?;
    index(manager, "users", &["email_normalized", "created_at", "id"]).await?;
    index(manager, "users", &["role", "created_at", "id"]).await?;

    create(
        manager,
        "user_identities",
        vec![
            id().into(),
            reference("user_id", "users").into(),
            text("issuer").into(),
            text("subject").into(),
            instant("created_at").into(),
        ],
    )
    .await?;
    unique(manager, "user_identities", &["issuer", "subject"]).await?;
    index(manager, "user_identities", &["user_id"]).await
}

async fn accounts(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    create(
        manager,
        "accounts",
        vec![
            id().into(),
            text("kind").into(),
            reference("owner_id", "users").into(),
            text_null("name").into(),
            text_null("currency").into(),
            text_null("ref_type").into(),
            text_null("ref_id").into(),
            instant("created_at").into(),
            one_of("kind", &["individual", "couple", "team", "organisation"]),
            iso_currency("currency"),
            check("(ref_type IS NULL) = (ref_id IS NULL)"),
        ],
    )
    .await?;
    unique_where(manager, "accounts", &["owner_id"], "kind = 'individual'").await?;
    index(manager, "accounts", &["owner_id", "created_at", "id"]).await?;
    index(manager, "accounts", &["kind", "created_at", "id"]).await?;
    index(manager, "accounts", &["created_at", "id"]).await?;
    index(manager, "accounts", &["ref_type", "ref_id", "created_at", "id"]).await?;

    create(
        manager,
        "account_members",
        vec![
            id().into(),
            reference("account_id", "accounts").into(),
            reference("user_id", "users").into(),
            text("role").into(),
            instant("joined_at").into(),
            instant_null("left_at").into(),
            one_of("role", &["owner", "admin", "member"]),
            check("left_at >= joined_at"),
        ],
    )
    .await?;
    unique_where(manager, "account_members", &["account_id", "user_id"], "left_at IS NULL").await?;
    unique_where(manager, "account_members", &["user_id", "account_id"], "left_at IS NULL").await?;
    index(manager, "account_members", &["account_id", "joined_at", "id"]).await
}
