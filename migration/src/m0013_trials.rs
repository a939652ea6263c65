//! Who has had a trial, told apart by keyed hashes alone, so that it outlives the person's erasure.

use crate::table::*;
use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "trial_claims",
            vec![
                id().into(),
                // Of an identity of the person: their issuer and subject, or their e-mail address.
                text("identity_hash").into(),
                // The first subscription that was tried.
                text("provider").into(),
                text("subscription_external_id").into(),
                instant("claimed_at").into(),
                one_of("provider", &["stripe", "paddle"]),
            ],
        )
        .await?;
        unique(manager, "trial_claims", &["identity_hash"]).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, &["trial_claims"]).await
    }
}
